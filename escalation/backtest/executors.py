"""Where forecasts are made: processes of this machine, a cluster, or any other executor."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import (
    FIRST_COMPLETED,
    BrokenExecutor,
    Executor,
    Future,
    ProcessPoolExecutor,
    wait,
)
from contextlib import contextmanager
from itertools import islice
from multiprocessing import get_context
from typing import Any

#: Jobs that are handed out at a time: enough for any cluster, few enough to hold in memory.
IN_FLIGHT = 512
#: Rounds in a row that may finish nothing before it is asked whether processes start at all.
REVIVALS = 5

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS")


def one_thread_each() -> None:
    """Have every process started from here use one BLAS and numba thread: it inherits them."""
    for name in THREADS:
        os.environ.setdefault(name, "1")


@contextmanager
def processes(workers: int) -> Iterator[Executor]:
    """Give worker processes of this machine, by spawn, with one thread each.

    Raises
    ------
    ValueError
        For fewer than one.
    """
    if workers < 1:
        raise ValueError(f"at least one worker is needed, not {workers}")
    one_thread_each()
    # Fork would hang after polars has run.
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as executor:
        yield executor


@contextmanager
def cluster(address: str, retries: int = 3) -> Iterator[Executor]:
    """Give the workers of a Dask cluster, which must have `escalation` installed.

    A job whose worker dies is handed to another one by the scheduler.

    Parameters
    ----------
    address : str
        Of the scheduler: ``tcp://host:8786``.
    retries : int
        How often a job that failed on a worker is handed out again.

    Raises
    ------
    ValueError
        Where the package `distributed` is missing, or no scheduler answers.
    """
    try:
        from distributed import Client
    except ImportError:
        raise ValueError("a Dask cluster needs the extra: pip install 'escalation[dask]'") from None
    try:
        client = Client(address, timeout="20s")
    except (OSError, ValueError) as error:
        raise ValueError(f"no Dask scheduler answers at {address}: {error}") from None
    with client, client.get_executor(retries=retries, pure=False) as executor:
        yield executor


Job = tuple[Any, ...]
Result = tuple[int, Any, BaseException | None]


def completed(
    function: Callable[..., Any],
    jobs: Mapping[int, Callable[[], Job]],
    executor: Executor | int | None,
) -> Iterator[Result]:
    """Carry out jobs anywhere, and give each one's outcome as soon as it is there.

    Parameters
    ----------
    function : callable
        Of the arguments of a job.
    jobs : mapping of int to callable
        Each gives the arguments of its job when it is handed out, so that few are held at a time.
    executor : Executor, int or None
        An executor; so many processes of this machine, replaced when one dies; or this process.
        Of jobs that kill such a process each is a failure of its own, and the others are done.

    Yields
    ------
    place, value, error
        The error is one of the executor (a worker that died), None where there is a value.
    """
    if executor is None:
        for place, job in jobs.items():
            yield place, function(*job()), None
    elif isinstance(executor, int):
        yield from _revived(function, jobs, executor)
    else:
        yield from _handed_out(function, jobs, executor)


def _revived(
    function: Callable[..., Any], jobs: Mapping[int, Callable[[], Job]], workers: int
) -> Iterator[Result]:
    """Carry out jobs on processes; whichever kills its process is found, and it alone fails."""
    left, idle = dict(jobs), 0
    while left and idle <= REVIVALS:
        finished, broken = 0, None
        with processes(workers) as pool:
            for place, value, error in _handed_out(function, left.copy(), pool):
                if isinstance(error, BrokenExecutor):
                    broken = error
                    continue
                finished += 1
                del left[place]
                yield place, value, error
        # Jobs start in order: no more than these run, or wait for a process, at any time.
        suspects = dict(islice(left.items(), 2 * workers + 1))
        for place, value, error in _one_by_one(function, suspects):
            finished += not isinstance(error, BrokenExecutor)
            del left[place]
            yield place, value, error
        idle = 0 if finished else idle + 1
        if idle > REVIVALS and _can_start():
            idle = 0
    yield from ((place, None, broken) for place in left)


def _can_start() -> bool:
    """Whether a process can be started at all, and does what is harmless."""
    with processes(1) as pool:
        return all(error is None for _, _, error in _handed_out(int, {0: tuple}, pool))


def _one_by_one(
    function: Callable[..., Any], jobs: Mapping[int, Callable[[], Job]]
) -> Iterator[Result]:
    """Carry out jobs on one process, each when the last is done, up to the one that kills it."""
    if not jobs:
        return
    with processes(1) as pool:
        for place, value, error in _handed_out(function, jobs, pool, in_flight=1):
            yield place, value, error
            if isinstance(error, BrokenExecutor):
                return


def _handed_out(
    function: Callable[..., Any],
    jobs: Mapping[int, Callable[[], Job]],
    executor: Executor,
    in_flight: int = IN_FLIGHT,
) -> Iterator[Result]:
    waiting: dict[Future[Any], int] = {}
    todo = iter(jobs.items())
    broken: BrokenExecutor | None = None
    try:
        while True:
            while not broken and len(waiting) < in_flight and (entry := next(todo, None)):
                place, job = entry
                try:
                    waiting[executor.submit(function, *job())] = place
                except BrokenExecutor as refusal:
                    broken = refusal
                    yield place, None, broken
            if not waiting:
                yield from ((place, None, broken) for place, _ in todo)
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                place = waiting.pop(future)
                error = future.exception()
                yield place, None if error else future.result(), error
    finally:
        for future in waiting:
            future.cancel()
