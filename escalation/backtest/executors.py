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
from contextlib import AbstractContextManager, contextmanager
from multiprocessing import get_context
from typing import Any

#: Jobs that are handed out at a time: enough for any cluster, few enough to hold in memory.
IN_FLIGHT = 512
#: How often dead processes are replaced before the run gives up on what is left.
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
    """Carry out jobs on processes; when one dies, those not yet done go to new processes."""
    left = dict(jobs)
    for revival in range(REVIVALS + 1):
        # Whoever kills its worker every time must not take the others with it.
        opened: AbstractContextManager[Executor] = processes(workers if revival < REVIVALS else 1)
        with opened as pool:
            for place, value, error in _handed_out(function, left.copy(), pool):
                if isinstance(error, BrokenExecutor) and revival < REVIVALS:
                    continue
                left.pop(place)
                yield place, value, error
        if not left:
            return


def _handed_out(
    function: Callable[..., Any], jobs: Mapping[int, Callable[[], Job]], executor: Executor
) -> Iterator[Result]:
    waiting: dict[Future[Any], int] = {}
    todo = iter(jobs.items())
    try:
        while True:
            while len(waiting) < IN_FLIGHT and (entry := next(todo, None)) is not None:
                place, job = entry
                try:
                    waiting[executor.submit(function, *job())] = place
                except BrokenExecutor as broken:
                    yield place, None, broken
            if not waiting:
                return
            for future in wait(waiting, return_when=FIRST_COMPLETED).done:
                place = waiting.pop(future)
                error = future.exception()
                yield place, None if error else future.result(), error
    finally:
        for future in waiting:
            future.cancel()
