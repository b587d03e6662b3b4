"""Paths of a Hawkes process: new series, forecasts from a history, replicated counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from escalation.fit import pick
from escalation.hawkes.simulate import CAP, branching
from escalation.parameters import FloatArray, Layout
from escalation.series import EventSeries
from escalation.window import DateArray

if TYPE_CHECKING:
    from escalation.fit import Fit
    from escalation.hawkes.model import Hawkes

#: Days simulated before a window that starts in the stationary state.
PAST = 400.0


def simulate_series(
    model: Hawkes, values: Mapping[str, FloatArray], like: EventSeries, rng: np.random.Generator
) -> EventSeries:
    """A series from known parameters; see `Hawkes.simulate`."""
    layout = Layout(model.parameters(like))
    theta = layout.pack(values)[None]
    edges = model.cell_edges(like)
    rates = model.background_rates(layout, theta, like, edges)
    days = like.resolution == "day"
    if days and model.start == "stationary":
        # The past has the rate of the first cell.
        edges = np.concatenate([[-PAST], edges])
        rates = np.concatenate([rates[:, :1], rates], axis=1)
    span = (float(edges[0]), float(edges[-1]))
    cap = max(CAP, 10 * len(like))
    path = branching(
        rates, edges, _reproduction(model, layout, theta, like), model.bound_kernel(like),
        _inner(model, layout, theta, like), (), span, rng, cap=cap,
    )  # fmt: skip
    if path[3].any():
        raise ValueError(f"the simulated path exceeds {cap} events; is the process explosive?")
    stream, time = path[1], path[2]
    times = tuple(np.sort(time[(stream == k) & (time >= 0)]) for k in range(len(like.names)))
    if days:
        times = tuple(np.floor(one) for one in times)
    watched = np.append(like.window.mask(), True)
    times = tuple(one[watched[np.floor(one).astype(int)]] for one in times)
    return replace(like, times=times, marks=None, dropped="")


def forecast_counts(
    model: Hawkes, fit: Fit, edges: DateArray, rng: np.random.Generator, draws: int
) -> FloatArray:
    """Predictive counts (draws, H, K) of the periods between edges (H + 1,)."""
    series = fit.series
    layout = Layout(fit.parameters)
    theta = pick(fit.theta, draws, rng)
    days = (edges - np.datetime64(series.window.start, "D")) / np.timedelta64(1, "D")
    start = series.duration
    cells = np.concatenate([[start], np.arange(np.floor(start) + 1, days[-1] + 1)])
    history = series.times
    if series.resolution == "day":
        # Placed at random within their days; the last day's order matters little a day later.
        history = tuple(np.sort(times + rng.random(len(times))) for times in history)
    path, stream, time, stopped = branching(
        model.background_rates(layout, theta, series, cells), cells,
        _reproduction(model, layout, theta, series), model.bound_kernel(series),
        _inner(model, layout, theta, series), history, (start, float(days[-1])), rng,
    )  # fmt: skip
    # The first week may have begun inside the window: its events count.
    period = np.searchsorted(days, time, side="right") - 1
    horizon = len(edges) - 1
    out = np.zeros((draws, horizon, len(series.names)))
    np.add.at(out, (path, period, stream), 1.0)
    for k, times in enumerate(series.times):
        known = np.searchsorted(days, times[times >= days[0]], side="right") - 1
        out[:, :, k] += np.bincount(known, minlength=horizon)
    out[stopped] = np.inf
    return out


def daily_counts(model: Hawkes, fit: Fit, rng: np.random.Generator, draws: int) -> FloatArray:
    """Daily counts (draws, days, K) of series simulated from draws of the parameters."""
    series = fit.series
    layout = Layout(fit.parameters)
    out = np.zeros((draws, series.window.days, len(series.names)))
    for n, theta in enumerate(pick(fit.theta, draws, rng)):
        try:
            simulated = simulate_series(model, layout.unpack(theta), series, rng)
        except ValueError:
            out[n] = np.inf
            continue
        for k, times in enumerate(simulated.times):
            days = np.minimum(np.floor(times).astype(int), series.window.days - 1)
            out[n, :, k] = np.bincount(days, minlength=series.window.days)
    return out


def _reproduction(
    model: Hawkes, layout: Layout, theta: FloatArray, series: EventSeries
) -> FloatArray:
    streams = len(series.names)
    return layout.unpack(theta)["reproduction"].reshape(len(theta), streams, streams)


def _inner(model: Hawkes, layout: Layout, theta: FloatArray, series: EventSeries) -> FloatArray:
    return model.kernel_draws(layout, theta, len(series.names))[:, 0]
