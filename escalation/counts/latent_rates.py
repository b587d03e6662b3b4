"""Rates of a latent model, for draws: background times path, and contagion."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from escalation.background import coefficient_places
from escalation.counts.additive import Additive
from escalation.counts.periods import design_matrix
from escalation.dynamics import MovingReproduction
from escalation.parameters import FloatArray, Layout
from escalation.series import CountSeries
from escalation.window import DateArray

if TYPE_CHECKING:
    from escalation.counts.latent import Latent

#: Standard deviation, persistence and length that an optimiser starts from.
START = {"path_scale": 0.3, "persistence": 0.7}


def latent_parts(
    model: Latent,
    theta: FloatArray,
    fitted: CountSeries,
    edges: DateArray,
    rng: np.random.Generator,
) -> Additive:
    """Parts of the mean in the periods between edges (T + 1,), the path carried on by `rng`."""
    logs = log_levels(model, theta, fitted, edges) + log_factors(model, theta, fitted, edges, rng)
    return Additive(np.exp(np.minimum(logs, 700.0)), still(model, theta, fitted, edges))


def still(
    model: Latent, theta: FloatArray, fitted: CountSeries, edges: DateArray
) -> MovingReproduction:
    """Reproduction of draws (n, p), the same in all periods; zero without contagion."""
    streams, era = fitted.n_streams, np.zeros(len(edges) - 1, np.int64)
    matrix = np.zeros((len(theta), 1, streams, streams))
    if model.contagion:
        matrix[:, 0] = Layout(model.parameters(fitted)).unpack(theta)["reproduction"]
    return MovingReproduction(edges, matrix, None, None, era)


def log_levels(
    model: Latent, theta: FloatArray, fitted: CountSeries, edges: DateArray
) -> FloatArray:
    """Log of the background (n, T, K) between edges, without the path."""
    design = design_matrix(model.background, fitted, edges)
    places = coefficient_places(Layout(model.parameters(fitted)), fitted.n_streams)
    return np.asarray(np.einsum("tp,nkp->ntk", design, theta[:, places]))


def log_factors(
    model: Latent,
    theta: FloatArray,
    fitted: CountSeries,
    edges: DateArray,
    rng: np.random.Generator | None = None,
) -> FloatArray:
    """Paths (n, T, K) in the periods between edges; beyond the window simulated by `rng`."""
    values, process = Layout(model.parameters(fitted)).unpack(theta), model.process(fitted)
    draws = len(theta)
    scale = values.get("path_scale", np.full(draws, model.given("scale")))
    shape = values.get(process.shape, np.full(draws, model.given(process.shape)))
    times, known = period_times(fitted, edges), period_times(fitted, fitted.edges)
    inside = times <= known[-1]
    out = np.empty((draws, len(times), fitted.n_streams))
    out[:, inside] = process.paths(values["path"], shape, times[inside], known)
    if not inside.all():
        rng = np.random.default_rng(0) if rng is None else rng
        out[:, ~inside] = process.onward(values["path"], shape, known, times[~inside], rng)
    return np.asarray(out * scale[:, None, None])


def period_times(fitted: CountSeries, edges: DateArray) -> FloatArray:
    """Days (T,) from the fitted window's start to the beginning of each period."""
    return np.asarray((edges[:-1] - fitted.edges[0]).astype(np.float64))


def latent_starts(
    model: Latent, layout: Layout, series: CountSeries, mean: FloatArray
) -> tuple[FloatArray, ...]:
    """Vectors of all parameters that an optimiser starts from, given mean counts (K,)."""
    streams, out = series.n_streams, []
    length = getattr(model.path, "prior_length", 1.0)
    for share, own, cross, delay in ((0.6, 0.3, 0.02, 1.0), (0.9, 0.05, 0.01, 0.5)):
        values: dict[str, FloatArray] = {p.name: np.zeros(p.shape) for p in layout.parameters}
        values |= {"level": np.log((share if model.contagion else 1.0) * mean)}
        for name, start in (START | {"length": length, "dispersion": 0.3}).items():
            if name in values:
                values[name] = np.full_like(values[name], start)
        if model.contagion:
            matrix = cross + (own - cross) * np.eye(streams)
            values["reproduction"] = np.where(model.mask(streams), matrix, 0.0)
        theta = layout.pack(values)
        if model.contagion:
            theta[layout.size - model.kernel_size(series) :] = model.kernel.start(delay)
        out.append(theta)
    return tuple(out if model.contagion else out[:1])
