"""Rolling origins: forecast from one after another, on any executor, and score what came."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, as_completed
from datetime import date
from pathlib import Path
from typing import Protocol

import numpy as np
import polars as pl

from escalation.backtest.store import Store, Task
from escalation.backtest.track_record import LEVELS, SCHEMA, Backtest
from escalation.forecast import Forecast
from escalation.series import CountSeries
from escalation.window import FloatArray


class Fitted(Protocol):
    """What a model learned: it forecasts."""

    def forecast(self, horizon: int, rng: np.random.Generator, draws: int = ...) -> Forecast:
        """Draw the next periods."""


class Forecaster(Protocol):
    """A model or a baseline: it learns from a series."""

    def fit(self, series: CountSeries, *, rng: np.random.Generator | None = ...) -> Fitted:
        """Learn from a series."""


def run_backtest(
    models: Mapping[str, Forecaster],
    series: CountSeries,
    origins: Sequence[date],
    horizon: int,
    *,
    seed: int,
    draws: int = 500,
    executor: Executor | None = None,
    store: Path | str | None = None,
    progress: Callable[[str, int, int], None] | None = None,
) -> Backtest:
    """Forecast with every model from every origin, and score what came.

    A model sees the part of the series before the origin, in arrays of its own; it is fitted anew
    each time. Each forecast has its own random numbers, from the seed, the place of the model and
    the date of the origin, so that neither order nor the number of workers changes a figure.
    Periods after the origin that were not watched in full are not scored.

    Parameters
    ----------
    models : mapping of str to model or baseline
        By the name under which it appears.
    series : CountSeries
        What was observed, to its end.
    origins : sequence of date
        First days that are not known; each starts a period. One whose horizon reaches beyond the
        series, or that leaves no past, is left out, and `Backtest.notes` says so.
    horizon : int
        Periods of each forecast.
    seed : int
    draws : int
        Draws of each forecast.
    executor : concurrent.futures.Executor, optional
        Where the forecasts are made; in this process, one after another, unless given. Its
        processes must start by `spawn`. It is not shut down.
    store : path, optional
        Folder in which each finished forecast is kept at once, so that a run that was interrupted
        goes on where it stopped. Failures are not kept: they are tried again.
    progress : callable, optional
        Called with a label, the number of forecasts done and their total, after each.

    Raises
    ------
    ValueError
        When no origin remains, an origin starts no period, or a model's `repr` does not tell its
        settings (needed for the store).
    """
    tasks, notes = _plan(models, series, origins, horizon, seed, draws)
    tell = progress or (lambda label, done, total: None)
    keep = Store(Path(store), models, series) if store is not None else None
    results: dict[int, pl.DataFrame] = {}
    if keep is not None:
        for place, task in enumerate(tasks):
            if (kept := keep.load(task)) is not None:
                results[place] = kept
    if results:
        tell(f"{len(results)} forecasts kept from before", len(results), len(tasks))
    todo = {place: task for place, task in enumerate(tasks) if place not in results}
    for place, table in _carried_out(todo, models, series, executor):
        results[place] = table
        if keep is not None and table["failure"].null_count() == table.height:
            keep.save(tasks[place], table)
        tell(f"{tasks[place].name} from {tasks[place].origin}", len(results), len(tasks))
    table = pl.concat([results[place] for place in range(len(tasks))])
    failed = table["failure"].drop_nulls()
    if len(failed):
        notes.append(f"{len(failed)} of {len(tasks)} forecasts failed, the first with: {failed[0]}")
    return Backtest(table, horizon, seed, (*notes, *_runaways(table)))


def _plan(
    models: Mapping[str, Forecaster],
    series: CountSeries,
    origins: Sequence[date],
    horizon: int,
    seed: int,
    draws: int,
) -> tuple[list[Task], list[str]]:
    """The forecasts to make, and in words which origins were left out."""
    if not models:
        raise ValueError("a backtest needs at least one model")
    if horizon < 1 or draws < 2:
        raise ValueError(f"horizon is at least 1 and draws 2, not {horizon} and {draws}")
    starts = {day: at for at, day in enumerate(series.edges.tolist())}
    days = sorted(set(origins))
    for day in days:
        if day not in starts and series.window.start <= day < series.window.end:
            raise ValueError(f"no {series.period} starts on the origin {day}")
    place = {day: starts.get(day, -1) for day in days}
    kept = [day for day in days if 0 < place[day] <= len(series) - horizon]
    early = [day for day in days if day <= series.window.start]
    late = [day for day in days if day not in kept and day not in early]
    whys = {
        "because nothing was known before them": early,
        f"because {horizon} {series.period}s from them are not all known": late,
    }
    notes = [
        f"origins left out {why}: {', '.join(map(str, out))}" for why, out in whys.items() if out
    ]
    if not kept:
        raise ValueError("; ".join(notes) or "a backtest needs at least one origin")
    tasks = [
        Task(name, position, day, horizon, seed, draws)
        for day in kept
        for position, name in enumerate(models)
    ]
    return tasks, notes


def _runaways(table: pl.DataFrame) -> list[str]:
    """In words, which models had paths that were stopped above their cap."""
    share = table.group_by("model", maintain_order=True).agg(pl.col("capped").mean())
    return [
        f"{name}: {part:.2%} of its draws ran away and were stopped above their cap"
        for name, part in share.filter(pl.col("capped") > 0).rows()
    ]


def _carried_out(
    todo: Mapping[int, Task],
    models: Mapping[str, Forecaster],
    series: CountSeries,
    executor: Executor | None,
) -> Iterator[tuple[int, pl.DataFrame]]:
    """Carry out tasks, and give each one's table as soon as it is there."""
    if executor is None:
        for place, task in todo.items():
            yield place, _carry_out(task, models[task.name], *_known_and_coming(series, task))
        return
    futures = {
        executor.submit(
            _carry_out, task, models[task.name], *_known_and_coming(series, task)
        ): place
        for place, task in todo.items()
    }
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _known_and_coming(series: CountSeries, task: Task) -> tuple[CountSeries, FloatArray]:
    """What was known before the origin, and what came, NaN where not watched in full."""
    known, coming = series.split(task.origin)
    observed = coming.counts[: task.horizon].astype(np.float64)
    observed[coming.scale[: task.horizon] < 1 - 1e-9] = np.nan
    return known, observed


def _carry_out(
    task: Task, model: Forecaster, known: CountSeries, observed: FloatArray
) -> pl.DataFrame:
    """Make one forecast and score it; whatever goes wrong in the model becomes a row."""
    rng = np.random.default_rng(
        np.random.SeedSequence([task.seed, task.position, task.origin.toordinal()])
    )
    try:
        forecast = model.fit(known, rng=rng).forecast(task.horizon, rng, draws=task.draws)
        scores = forecast.score(observed, LEVELS)
    except Exception as error:
        reason = " ".join(f"{type(error).__name__}: {error}".split())
        scores = pl.DataFrame({"failure": [reason]})
    missing = [pl.lit(None, kind).alias(n) for n, kind in SCHEMA.items() if n not in scores.columns]
    return (
        scores.with_columns(missing)
        .with_columns(model=pl.lit(task.name), origin=pl.lit(task.origin))
        .select(*SCHEMA)
        .cast(SCHEMA)  # type: ignore[arg-type]
    )
