"""Paths of a Hawkes process: new series, forecasts from a history, replicated counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from escalation.fit import pick
from escalation.hawkes.clusters import Clusters
from escalation.hawkes.new_events import CAP, NewMarks, Paths
from escalation.parameters import FloatArray, Layout
from escalation.series import EventSeries
from escalation.window import DateArray

if TYPE_CHECKING:
    from escalation.fit import Fit
    from escalation.hawkes.model import Hawkes

#: Days simulated before a window that starts in the stationary state.
PAST = 400.0
Streams = tuple[FloatArray, ...]


def simulate_series(
    model: Hawkes, values: Mapping[str, FloatArray], like: EventSeries, rng: np.random.Generator
) -> EventSeries:
    """A series from known parameters; see `Hawkes.simulate`.

    Marks are resampled from those of `like`. Where a day's batch is one event and `like` has no
    marks, it holds incidents: so does what is simulated.
    """
    if not (model.batches and like.marks is None):
        return _simulated(model, values, like, rng)
    batches = _simulated(model, values, model.prepared(like), rng)
    number = [np.rint(1 + marks).astype(int) for marks in batches.marks or ()]
    times = zip(batches.times, number, strict=True)
    repeated = tuple(np.repeat(np.floor(own), many) for own, many in times)
    return replace(like, times=repeated, dropped="")


def forecast_counts(
    model: Hawkes, fit: Fit, edges: DateArray, rng: np.random.Generator, draws: int
) -> FloatArray:
    """Predictive counts (draws, H, K) of the periods between edges (H + 1,).

    Counted as the events are made, which are too many to hold where R is far above 1. A path that
    exceeds `CAP` events is stopped, and infinite.
    """
    series = model.prepared(fit.series)
    layout = Layout(fit.parameters)
    theta = pick(fit.theta, draws, rng)
    days = (edges - np.datetime64(series.window.start, "D")) / np.timedelta64(1, "D")
    start = series.duration
    cells = np.concatenate([[start], np.arange(np.floor(start) + 1, days[-1] + 1)])
    history, marks = series.times, series.marks
    if series.resolution == "day":
        # Placed at random within their days; the last day's order matters little a day later.
        history = tuple(times + rng.random(len(times)) for times in history)
        order = [np.argsort(times) for times in history]
        history = _reordered(history, order)
        marks = _reordered(marks, order) if marks is not None else None
    series = replace(series, times=history, marks=marks, resolution="exact")
    clusters = _clusters(model, layout, theta, series, cells, history)
    shape = (draws, len(edges) - 1, len(series.names))
    out = np.zeros(shape)
    stopped = np.zeros(draws, bool)
    for part in clusters.parts(rng):
        # The first week may have begun inside the window: its events count.
        period = np.searchsorted(days, part.time, side="right") - 1
        place = np.ravel_multi_index((part.path, period, part.stream), shape)
        number = _incidents(model, _marks(model, part.size))
        out += np.bincount(place, number, minlength=out.size).reshape(shape)
        stopped = part.stopped
    for k, times in enumerate(fit.series.times):
        known = np.searchsorted(days, times[times >= days[0]], side="right") - 1
        out[:, :, k] += np.bincount(known, minlength=shape[1])
    out[stopped] = np.inf
    return out


def daily_counts(model: Hawkes, fit: Fit, rng: np.random.Generator, draws: int) -> FloatArray:
    """Daily counts (draws, days, K) of series simulated from draws of the parameters."""
    series = model.prepared(fit.series)
    layout = Layout(fit.parameters)
    days = series.window.days
    out = np.zeros((draws, days, len(series.names)))
    for n, theta in enumerate(pick(fit.theta, draws, rng)):
        try:
            simulated = _simulated(model, layout.unpack(theta), series, rng)
        except ValueError:
            out[n] = np.inf
            continue
        for k, times in enumerate(simulated.times):
            marks = simulated.marks[k] if simulated.marks is not None else np.empty(0)
            day = np.minimum(np.floor(times).astype(int), days - 1)
            out[n, :, k] = np.bincount(day, _incidents(model, marks), minlength=days)
    return out


def _simulated(
    model: Hawkes, values: Mapping[str, FloatArray], like: EventSeries, rng: np.random.Generator
) -> EventSeries:
    """A series of events, with marks if `like` has them."""
    layout = Layout(model.parameters(like))
    theta = layout.pack(values)[None]
    edges = model.cell_edges(like)
    days = like.resolution == "day"
    past = days and model.start == "stationary"
    cap = max(CAP, 10 * len(like))
    clusters = _clusters(model, layout, theta, like, edges, (), PAST if past else 0.0)
    found = Paths.joined(list(clusters.parts(rng, cap)))
    if found.stopped.any():
        raise ValueError(f"the simulated path exceeds {cap} events; is the process explosive?")
    watched = np.append(like.window.mask(), True)
    times, marks = [], []
    for time, size in zip(*found.by_stream(len(like.names)), strict=True):
        seen = np.searchsorted(time, 0.0)
        time, size = time[seen:], size[seen:]
        if like.window.gaps:
            inside = watched[np.floor(time).astype(int)]
            time, size = time[inside], size[inside] if size.size else size
        times.append(np.floor(time) if days else time)
        marks.append(_marks(model, size))
    kept = tuple(marks) if like.marks is not None else None
    return replace(like, times=tuple(times), marks=kept, dropped="")


def _clusters(
    model: Hawkes,
    layout: Layout,
    theta: FloatArray,
    series: EventSeries,
    edges: FloatArray,
    history: Streams,
    past: float = 0.0,
) -> Clusters:
    """Clusters of draws theta (n, p) over the cells between `edges` and `past` days before them."""
    streams = len(series.names)
    rates = model.background_rates(layout, theta, series, edges)
    if past > 0:
        # The past has the rate of the first cell.
        edges = np.concatenate([[edges[0] - past], edges])
        rates = np.concatenate([rates[:, :1], rates], axis=1)
    return Clusters.of(
        rates, edges, layout.unpack(theta)["reproduction"], model.bound_kernel(series),
        model.kernel_draws(layout, theta, streams), history, (float(edges[0]), float(edges[-1])),
        eras=model.era_edges(series), group=model.kernel_groups(streams),
        marks=_new_marks(model, layout, theta, series, bool(history)),
    )  # fmt: skip


def _new_marks(
    model: Hawkes, layout: Layout, theta: FloatArray, series: EventSeries, follows: bool
) -> NewMarks | None:
    """The marks of new events; without an effect where the model gives them none.

    Resampled, or by the law that the model's marks have.
    """
    draw = None
    if model.marks is not None:
        draw = model.marks.drawn if model.marks.law is not None else None
        sizes = model.marks.sizes(series)
        exponent = layout.unpack(theta)["mark_exponent"]
    elif series.marks is not None:
        sizes, exponent = series.marks, np.zeros((len(theta), len(series.names)))
    else:
        return None
    return NewMarks(exponent, sizes, sizes if follows else (), draw)


def _marks(model: Hawkes, size: FloatArray) -> FloatArray:
    """Marks of new events from their sizes; zero in a stream that has none to resample."""
    power = model.marks is not None and model.marks.effect == "power"
    return np.nan_to_num(np.expm1(size) if power else size)


def _incidents(model: Hawkes, marks: FloatArray) -> FloatArray | None:
    """How many incidents each event stands for; None for one."""
    return np.rint(1 + marks) if model.batches else None


def _reordered(parts: Streams, order: list[np.ndarray]) -> Streams:
    return tuple(part[own] for part, own in zip(parts, order, strict=True))
