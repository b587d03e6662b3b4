"""Rolling origins: forecast from one after another, on any executor, and score what came."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl

from escalation.backtest.executors import Job, completed
from escalation.backtest.store import Store
from escalation.backtest.tasks import (
    Forecaster,
    Known,
    Task,
    carry_out,
    failed,
    groups,
    known_at,
)
from escalation.backtest.track_record import Backtest
from escalation.backtest.vintages import Vintages
from escalation.engines.threads import one_thread
from escalation.forecast import Forecast
from escalation.series import CountSeries

Data = CountSeries | Vintages


def run_backtest(
    models: Mapping[str, Forecaster],
    series: Data | Mapping[str, Data],
    origins: Sequence[date],
    horizon: int,
    *,
    seed: int,
    draws: int = 500,
    blocks: Sequence[int] = (),
    against: int = 12,
    factor: float = 1.5,
    window: int | None = None,
    refit_every: int = 1,
    judged: str = "latest",
    executor: Executor | int | None = None,
    store: Path | str | None = None,
    keep_draws: bool = False,
    progress: Callable[[str, int, int], None] | None = None,
) -> Backtest:
    """Forecast with every model of every series from every origin, and score what came.

    A model sees the part of the series before the origin, in arrays of its own. Each fit and each
    forecast has its own random numbers, from the seed, the place of the model, the date and the
    place of the series, so that neither order nor the number of workers changes a figure. Periods
    after the origin that were not watched in full are not scored.

    Parameters
    ----------
    models : mapping of str to model or baseline
        By the name under which it appears.
    series : CountSeries or Vintages, or a mapping of str to either
        What was observed, to its end; of vintages a model sees what was known on the origin.
    origins : sequence of date
        First days that are not known; each starts a period. One whose horizon reaches beyond the
        series, or that leaves no past, or on which no vintage ends, is left out, and
        `Backtest.notes` says so.
    horizon : int
        Periods of each forecast.
    seed : int
    draws : int
        Draws of each forecast.
    blocks : sequence of int
        Sizes of consecutive blocks of the horizon whose sums are scored too: see
        `Backtest.of_sums`.
    against, factor : int, float
        An escalation is a block whose mean exceeds `factor` times that of the last `against` known
        periods: see `Backtest.warnings`.
    window : int, optional
        How many of the last periods a fit sees; all from the series' start on unless given.
    refit_every : int
        How many origins share the fit of the first of them. The later ones go on from what is
        known then, where the fitted model can (`carried_on`); otherwise it is fitted anew.
    judged : {"latest", "first"}
        Of vintages: by the last one, or each period by the first one that holds it.
    executor : concurrent.futures.Executor or int, optional
        Where the forecasts are made; in this process, one after another, unless given. A number
        starts so many processes and replaces those that die; the forecasts of a fit that kills its
        process even when it runs alone are failures, and all others are made. An executor of
        processes must start them by `spawn`; it is not shut down, and each forecast that was lost
        with a worker is a failure.
    store : path, optional
        Folder in which each finished forecast is kept at once, so that a run that was interrupted
        goes on where it stopped. Failures are not kept: they are tried again.
    keep_draws : bool
        Whether the store keeps the draws too, for `Store.draws`.
    progress : callable, optional
        Called with a label, the number of forecasts done and their total, after each; `TimeLeft`
        writes them with the time left.

    Raises
    ------
    ValueError
        When no origin remains, an origin starts no period, or a model's `repr` does not tell its
        settings (needed for the store).
    """
    if keep_draws and store is None:
        raise ValueError("draws are kept in a store, and there is none")
    data = _by_name(series)
    settings = Task(
        "", 0, date.min, horizon, seed, draws,
        blocks=tuple(blocks), window=window, against=against, factor=factor,
    )  # fmt: skip
    tasks, notes = _plan(models, data, origins, settings, refit_every)
    tell = progress or (lambda label, done, total: None)
    keep = None if store is None else Store(Path(store), models, data, judged, keep_draws)
    results: dict[int, pl.DataFrame] = {}
    if keep is not None:
        for place, task in enumerate(tasks):
            if (kept := keep.load(task)) is not None:
                results[place] = kept
    if results:
        tell(f"{len(results)} forecasts kept from before", len(results), len(tasks))
    todo = {place: task for place, task in enumerate(tasks) if place not in results}
    for place, table, forecast in _carried_out(todo, models, data, judged, executor, keep_draws):
        results[place] = table
        if keep is not None and table["failure"].null_count() == table.height:
            keep.save(tasks[place], table, forecast)
        tell(_label(tasks[place]), len(results), len(tasks))
    table = pl.concat([results[place] for place in range(len(tasks))])
    lost = table["failure"].drop_nulls()
    if len(lost):
        notes.append(f"{len(lost)} of {len(tasks)} forecasts failed, the first with: {lost[0]}")
    cells = table.filter(pl.col("block").is_null())
    sums = table.filter(pl.col("block").is_not_null()) if blocks else None
    return Backtest(cells, horizon, seed, (*notes, *_runaways(cells)), sums)


def _by_name(series: Data | Mapping[str, Data]) -> dict[str, Data]:
    if not isinstance(series, Mapping):
        return {"": series}
    if not series or "" in series:
        raise ValueError("a backtest of several series needs at least one, each with a name")
    return dict(series)


def _label(task: Task) -> str:
    of = f" of {task.series}" if task.series else ""
    return f"{task.name}{of} from {task.origin}"


def _plan(
    models: Mapping[str, Forecaster],
    data: Mapping[str, Data],
    origins: Sequence[date],
    settings: Task,
    refit_every: int,
) -> tuple[list[Task], list[str]]:
    """The forecasts to make, and in words which origins were left out."""
    horizon, window = settings.horizon, settings.window
    if not models:
        raise ValueError("a backtest needs at least one model")
    if horizon < 1 or settings.draws < 2:
        raise ValueError(f"horizon is at least 1 and draws 2, not {horizon} and {settings.draws}")
    if refit_every < 1 or (window is not None and window < 1):
        raise ValueError(f"refit_every and window are at least 1, not {refit_every} and {window}")
    if settings.against < 1 or not settings.factor > 0:
        raise ValueError(
            f"against is at least 1 and factor positive, not {settings.against}, {settings.factor}"
        )
    if settings.blocks and (min(settings.blocks) < 1 or sum(settings.blocks) > horizon):
        raise ValueError(f"blocks of {list(settings.blocks)} do not fit a horizon of {horizon}")
    tasks, notes = [], []
    for place, (name, one) in enumerate(data.items()):
        kept, left_out = _origins(one, origins, horizon)
        notes += [f"{name}: {note}" if name else note for note in left_out]
        for at, day in enumerate(kept):
            fitted_on = kept[at - at % refit_every]
            tasks += [
                replace(
                    settings,
                    name=model,
                    position=position,
                    origin=day,
                    series=name,
                    place=place,
                    fitted_on=None if fitted_on == day else fitted_on,
                )
                for position, model in enumerate(models)
            ]
    if not tasks:
        raise ValueError("; ".join(notes) or "a backtest needs at least one origin")
    return tasks, notes


def _origins(data: Data, origins: Sequence[date], horizon: int) -> tuple[list[date], list[str]]:
    """Origins that serve, and in words those that do not."""
    series = _whole(data)
    starts = {day: at for at, day in enumerate(series.edges.tolist())}
    days = sorted(set(origins))
    for day in days:
        if day not in starts and series.window.start <= day < series.window.end:
            raise ValueError(f"no {series.period} starts on the origin {day}")
    kept = [day for day in days if 0 < starts.get(day, -1) <= len(series) - horizon]
    early = [day for day in days if day <= series.window.start]
    late = [day for day in days if day not in kept and day not in early]
    whys = {
        "because nothing was known before them": early,
        f"because {horizon} {series.period}s from them are not all known": late,
    }
    if isinstance(data, Vintages):
        unknown = [day for day in kept if day < data.first]
        behind = [day for day in kept if day >= data.first and data.as_of(day).window.end < day]
        kept = [day for day in kept if day not in {*unknown, *behind}]
        whys[f"because the first vintage, of {data.first}, is later"] = unknown
        whys["because the last vintage known on them ends before them"] = behind
    return kept, [
        f"origins left out {why}: {', '.join(map(str, out))}" for why, out in whys.items() if out
    ]


def _runaways(table: pl.DataFrame) -> list[str]:
    """In words, which models had paths that were stopped above their cap."""
    share = table.group_by("model", maintain_order=True).agg(pl.col("capped").mean())
    return [
        f"{name}: {part:.2%} of its draws ran away and were stopped above their cap"
        for name, part in share.filter(pl.col("capped") > 0).rows()
    ]


def _whole(data: Data) -> CountSeries:
    return data.latest if isinstance(data, Vintages) else data


def _given(data: Data, task: Task, judged: str) -> Known:
    if isinstance(data, Vintages):
        earlier = data.as_of(task.fitted_on or task.origin)
        return known_at(data.as_of(task.origin), task, data.judge(judged), earlier)
    return known_at(data, task)


def _carried_out(
    todo: Mapping[int, Task],
    models: Mapping[str, Forecaster],
    data: Mapping[str, Data],
    judged: str,
    executor: Executor | int | None,
    keep_draws: bool,
) -> Iterator[tuple[int, pl.DataFrame, Forecast | None]]:
    """Carry out tasks, and give each one's table as soon as it is there."""
    shared = groups(todo)

    def job(places: list[int]) -> Callable[[], Job]:
        def arguments() -> Job:
            tasks = [todo[place] for place in places]
            # One that was carried on may come alone, the first of its fit being kept from before.
            known = [_given(data[task.series], task, judged) for task in tasks]
            return tasks, models[tasks[0].name], known, keep_draws

        return arguments

    jobs = {number: job(places) for number, places in enumerate(shared)}
    for number, outcomes, error in completed(_job, jobs, executor):
        places = shared[number]
        if error is not None:
            outcomes = [(failed(todo[place], error), None) for place in places]
        for place, (table, forecast) in zip(places, outcomes, strict=True):
            yield place, table, forecast


def _job(
    tasks: Sequence[Task], model: Forecaster, known: Sequence[Known], keep_draws: bool
) -> list[tuple[pl.DataFrame, Forecast | None]]:
    """Carry out the tasks of one fit; the draws travel back only where they are wanted."""
    # Sums in another order, by another number of threads, would differ in the last bit.
    with one_thread():
        found = carry_out(tasks, model, known)
    return [(table, forecast if keep_draws else None) for table, forecast in found]
