"""Where an optimiser of a model with phases starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from escalation.counts.periods import log_counts
from escalation.parameters import FloatArray, Layout
from escalation.series import CountSeries, stream_place

if TYPE_CHECKING:
    from escalation.counts.regimes import Regimes

#: Periods that are averaged before they are sorted into phases.
WIDTHS = (5, 1, 13, 27)
#: Smallest rise between phases, and the dispersion, to start with.
LEAST, SPREAD = 0.3, 0.3


def phase_starts(model: Regimes, layout: Layout, series: CountSeries) -> tuple[FloatArray, ...]:
    """Vectors of all parameters, one for each smoothing of the counts into phases."""
    used = model.used(series)
    logs, _ = log_counts(series, series.counts.astype(float))
    index = logs.mean(axis=1)
    if model.order is not None:
        index = logs[:, stream_place(series.names, model.order)]
    out = []
    for width in WIDTHS:
        smooth = _moving_mean(index, min(width, len(index)))
        out.append(_start(model, layout, series, _sorted(smooth, len(model.phases)), used))
    return tuple(out)


def _moving_mean(values: FloatArray, width: int) -> FloatArray:
    ones = np.ones(width)
    return np.asarray(
        np.convolve(values, ones, "same") / np.convolve(np.ones(len(values)), ones, "same")
    )


def _sorted(values: FloatArray, phases: int, rounds: int = 20) -> NDArray[np.int64]:
    """Phase (T,) of each value, by the nearest of centres that are the means of their own."""
    low, high = float(values.min()), float(values.max())
    centres = low + (high - low) * (np.arange(phases) + 0.5) / phases
    path = np.zeros(len(values), np.int64)
    for _ in range(rounds):
        path = np.abs(values[:, None] - centres).argmin(axis=1)
        for s in range(phases):
            if (path == s).any():
                centres[s] = values[path == s].mean()
    return path


def _start(
    model: Regimes,
    layout: Layout,
    series: CountSeries,
    path: NDArray[np.int64],
    used: NDArray[np.bool_],
) -> FloatArray:
    """The parameters that a path (T,) of phases suggests."""
    phases, streams = len(model.phases), series.n_streams
    total = series.counts[used].sum(axis=0) + 0.5
    overall = total / (series.scale[used].sum() + 1.0)
    levels = np.empty((phases, streams))
    for s in range(phases):
        own = used & (path == s)
        # Half a dozen periods of the overall rate: an empty phase has a level as well.
        seen, watch = series.counts[own].sum(axis=0), series.scale[own].sum()
        levels[s] = np.log((seen + 2.0 * overall) / (watch + 2.0))
    moves = np.linalg.solve(model.mix(series), np.diff(levels, axis=0).T).T
    lift = model.predictor.offset(series, series.edges).mean(axis=1)
    values: dict[str, FloatArray] = {p.name: np.zeros(p.shape) for p in layout.parameters}
    level = levels[0] - lift
    values["level"] = level if values["level"].shape else np.array(level.mean())
    values["rise"] = np.maximum(moves[:, 0], LEAST)
    if streams > 1:
        values["departure"] = np.clip(moves[:, 1:], -2.0, 2.0)
    values |= _moves(path, values)
    if "dispersion" in values:
        values["dispersion"] = np.full_like(values["dispersion"], SPREAD)
    for term in ("level_spread", "walk_scale"):
        if term in values:
            values[term] = np.array(0.1)
    theta = layout.pack(values)
    if model.reach:
        theta[layout.size - model.kernel_size(series) :] = model.kernel.start(1.0)
    return theta


def _moves(path: NDArray[np.int64], values: dict[str, FloatArray]) -> dict[str, FloatArray]:
    """Probabilities to stay, go up and jump: those of a path, drawn towards what is usual."""
    before, after = path[:-1], path[1:]
    phases = len(values["stay"])
    out = {"stay": np.empty(phases)}
    for s in range(phases):
        own = before == s
        out["stay"][s] = (8.0 + (own & (after == s)).sum()) / (10.0 + own.sum())
    if "up" in values:
        out["up"] = np.empty(phases - 2)
        for s in range(1, phases - 1):
            own = (before == s) & (after != s)
            out["up"][s - 1] = (1.0 + (own & (after > s)).sum()) / (2.0 + own.sum())
    if "jump" in values:
        free = np.arange(phases)[:, None] != np.arange(1, phases - 1)
        out["jump"] = np.where(free, 0.15, 0.0)
    return out
