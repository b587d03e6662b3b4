"""How a Hawkes process takes a series: what it refuses, and days made into events."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from escalation.parameters import FloatArray
from escalation.series import EventSeries

if TYPE_CHECKING:
    from escalation.hawkes.model import Hawkes

#: Share of days with incidents up to which a day's batch may stand for one event.
BUSY = 0.4


def prepared(model: Hawkes, series: EventSeries) -> EventSeries:
    """The series as the likelihood takes it; see `Hawkes.prepared`."""
    if model.batches:
        series = _batched(series)
    if series.resolution == "exact" or model.day_coded == "filter":
        return series
    if model.day_coded == "naive":
        return replace(series, resolution="exact")
    rng = np.random.default_rng(0)
    times, marks = [], list[FloatArray]()
    for k, days in enumerate(series.times):
        moved = days + rng.random(len(days))
        order = np.argsort(moved, kind="stable")
        times.append(moved[order])
        if series.marks is not None:
            marks.append(series.marks[k][order])
    kept = tuple(marks) if series.marks is not None else None
    return replace(series, times=tuple(times), marks=kept, resolution="exact")


def accept(model: Hawkes, series: EventSeries) -> None:
    """Refuse what the model cannot be fitted to.

    Raises
    ------
    ValueError
        For what is no event series; an era or a warm-up outside of its window; a warm-up of times
        known to the day; too many ties in times said to be exact; batches of marked events, or of
        a stream that has incidents on more than `BUSY` of its days.
    """
    if not isinstance(series, EventSeries):
        raise ValueError(f"Hawkes needs an EventSeries, got {type(series).__name__}")
    for day in model.eras:
        if not series.window.start < day < series.window.end:
            raise ValueError(f"the era from {day} does not begin inside {series.window}")
    if model.warmup >= series.duration:
        raise ValueError(f"a warm-up of {model.warmup:g} days leaves nothing to fit")
    if model.warmup and series.resolution == "day" and model.day_coded == "filter":
        raise ValueError(
            "a warm-up is for exact times; of times known to the day give start='stationary', "
            "or split the series"
        )
    if model.batches:
        _accept_batches(series)
    if series.resolution == "exact" and not model.batches:
        refuse_ties(series)


def refuse_ties(series: EventSeries) -> None:
    """Refuse times that are said to be exact, with more than one in ten tied in a stream."""
    for name, times in zip(series.names, series.times, strict=True):
        tied = int((np.diff(times) == 0).sum())
        if tied > 0.1 * len(times):
            raise ValueError(
                f"stream {name!r}: {tied} of {len(times)} events share their time with "
                "another; are these days? Say resolution='day'"
            )


def _accept_batches(series: EventSeries) -> None:
    if series.marks is not None:
        raise ValueError("batches make marks of their own; the series has marks already")
    for name, times in zip(series.names, series.times, strict=True):
        share = len(np.unique(np.floor(times))) / series.window.watched_days
        if share > BUSY:
            raise ValueError(
                f"stream {name!r} has incidents on {100 * share:.0f} % of its days: batches of "
                f"a day are for streams with incidents on less than {100 * BUSY:.0f} % of them"
            )


def _batched(series: EventSeries) -> EventSeries:
    """The incidents of a stream on one day as one event; its mark: how many more than one."""
    days = [np.unique(np.floor(times), return_counts=True) for times in series.times]
    return replace(
        series,
        times=tuple(np.asarray(day, float) for day, _ in days),
        marks=tuple(np.asarray(number - 1, float) for _, number in days),
        resolution="day",
    )
