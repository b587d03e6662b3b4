"""One forecast of a backtest: which it is, what it may see, and how it is made and scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Protocol

import numpy as np
import polars as pl

from escalation.backtest.track_record import LEVELS, SCHEMA
from escalation.backtest.warnings import told
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


@dataclass(frozen=True)
class Task:
    """One forecast to make: by which model, of which series, from when, how."""

    name: str
    position: int
    origin: date
    horizon: int
    seed: int
    draws: int
    series: str = ""
    place: int = 0
    fitted_on: date | None = None
    blocks: tuple[int, ...] = ()
    window: int | None = None
    against: int = 12
    factor: float = 1.5

    def sequence(self, day: date) -> np.random.SeedSequence:
        """Randomness of the fit or forecast on a day, whoever carries it out and when."""
        key = [self.seed, self.position, day.toordinal()]
        return np.random.SeedSequence([*key, self.place] if self.series else key)


@dataclass(frozen=True, eq=False)
class Known:
    """What one forecast may see, and what came; in arrays of their own.

    Parameters
    ----------
    learned : CountSeries
        What the fit sees.
    seen : CountSeries
        What the forecast goes on from: the same, or longer where the fit is older.
    observed : array of float64, shape (H, K)
        What came, NaN where not watched in full.
    """

    learned: CountSeries
    seen: CountSeries
    observed: FloatArray


def known_at(
    series: CountSeries,
    task: Task,
    truth: CountSeries | None = None,
    earlier: CountSeries | None = None,
) -> Known:
    """What was known on the task's origin, and what came by the series `truth`.

    Parameters
    ----------
    series : CountSeries
        As it was known on the origin, or later: nothing from the origin on is taken from it.
    task : Task
    truth : CountSeries, optional
        What the forecast is judged by; the series itself unless given.
    earlier : CountSeries, optional
        As it was known on the day of the fit; the series itself unless given.
    """
    coming = (series if truth is None else truth).split(task.origin)[1]
    observed = coming.counts[: task.horizon].astype(np.float64)
    observed[coming.watch[: task.horizon] < 1 - 1e-9] = np.nan
    # A copy: a view would lead to the array that holds the future.
    seen = _before(series, task.origin)
    fitted_on = task.fitted_on or task.origin
    learned = seen
    if fitted_on != task.origin:
        learned = _before(series if earlier is None else earlier, fitted_on)
    if task.window is not None:
        first = learned.edges[max(len(learned) - task.window, 0)].item()
        learned, seen = (one if first <= one.window.start else one.split(first)[1]
                         for one in (learned, seen))  # fmt: skip
    return Known(learned, seen, observed)


def _before(series: CountSeries, day: date) -> CountSeries:
    return series if day == series.window.end else series.split(day)[0]


def carry_out(
    tasks: Sequence[Task], model: Forecaster, known: Sequence[Known]
) -> list[tuple[pl.DataFrame, Forecast | None]]:
    """Fit once, forecast for each task and score; what goes wrong in the model becomes a row.

    Parameters
    ----------
    tasks : sequence of Task
        Of one model and series, on one fit.
    model : model or baseline
    known : sequence of Known
        One a task.

    Returns
    -------
    list of (DataFrame, Forecast or None)
        The scores of each task, with the forecast where there is one.
    """
    first = tasks[0]
    fitted_on = first.fitted_on or first.origin
    rng = np.random.default_rng(first.sequence(fitted_on))
    try:
        fitted = model.fit(known[0].learned, rng=rng)
    except Exception as error:
        return [(failed(task, error), None) for task in tasks]
    # The state after the fit: a forecast on its own day goes on from it, in whichever order.
    after = rng.bit_generator.state
    out: list[tuple[pl.DataFrame, Forecast | None]] = []
    for task, given in zip(tasks, known, strict=True):
        own = np.random.default_rng(task.sequence(task.origin))
        try:
            if task.origin == fitted_on:
                own.bit_generator.state = after
                source = fitted
            else:
                source = carried_on(model, fitted, given, own)
            forecast = source.forecast(task.horizon, own, draws=task.draws)
            out.append((scored(task, forecast, given.observed), forecast))
        except Exception as error:
            out.append((failed(task, error), None))
    return out


def carried_on(model: Forecaster, fitted: Fitted, known: Known, rng: np.random.Generator) -> Fitted:
    """The older fit, going on from what is known now; a new fit where it cannot."""
    carry = getattr(fitted, "carried_on", None)
    older: Fitted | None = None if carry is None else carry(known.seen)
    return model.fit(known.seen, rng=rng) if older is None else older


def scored(task: Task, forecast: Forecast, observed: FloatArray) -> pl.DataFrame:
    """Scores of the periods, and of the sums over the blocks of the horizon, where wanted."""
    cells = [_with_ends(forecast, forecast.score(observed, LEVELS))]
    if task.blocks:
        starts = np.cumsum([0, *task.blocks])[:-1]
        sums = np.add.reduceat(observed[: sum(task.blocks)], starts, axis=0)
        whole = forecast.blocks(task.blocks)
        chances = told(whole, sums, task.against, task.factor)
        scores = _with_ends(whole, whole.score(sums, LEVELS)).join(
            chances, on=["step", "stream"], how="left", maintain_order="left"
        )
        number = scores["step"].to_numpy() - 1
        cells.append(
            scores.with_columns(
                step=pl.Series(starts[number] + 1),
                block=pl.Series(np.array(task.blocks)[number]),
            )
        )
    return _complete(task, pl.concat(cells, how="diagonal_relaxed"))


def _with_ends(forecast: Forecast, scores: pl.DataFrame) -> pl.DataFrame:
    """Scores with the day after each period."""
    ends = pl.Series("end", forecast.edges[scores["step"].to_numpy()])
    return scores.with_columns(ends)


def failed(task: Task, error: BaseException) -> pl.DataFrame:
    """One row that says why there is no forecast."""
    reason = " ".join(f"{type(error).__name__}: {error}".split())
    return _complete(task, pl.DataFrame({"failure": [reason]}))


def _complete(task: Task, scores: pl.DataFrame) -> pl.DataFrame:
    missing = [pl.lit(None, kind).alias(n) for n, kind in SCHEMA.items() if n not in scores.columns]
    return (
        scores.with_columns(missing)
        .with_columns(
            model=pl.lit(task.name), origin=pl.lit(task.origin), series=pl.lit(task.series)
        )
        .select(*SCHEMA)
        .cast(SCHEMA)  # type: ignore[arg-type]
    )


def groups(tasks: Mapping[int, Task]) -> list[list[int]]:
    """Places of tasks that share one fit, in the order of the first of each."""
    found: dict[tuple[str, str, date], list[int]] = {}
    for place, task in tasks.items():
        found.setdefault((task.name, task.series, task.fitted_on or task.origin), []).append(place)
    return list(found.values())
