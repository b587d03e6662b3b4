"""Paths of the panel model, of units that are watched and of new ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from escalation.counts.panel_effects import Watch
from escalation.counts.paths import CAP, draw_counts
from escalation.counts.periods import after_watched, design_matrix, early_design
from escalation.forecast import future_edges
from escalation.parameters import FloatArray, Layout
from escalation.series import CountSeries

if TYPE_CHECKING:
    from escalation.counts.panel import Panel


def onward(
    model: Panel, theta: FloatArray, series: CountSeries, horizon: int, rng: np.random.Generator
) -> FloatArray:
    """Counts (n, H, K) after a series, each unit with its own history."""
    units = model.effects(series).of(Layout(model.parameters(series)), theta)
    history = _history(model, theta, units, series, rng)
    design = design_matrix(model.background, series, future_edges(series, horizon))
    return _run(model, theta, units, series, history, design, rng)


def of_new_unit(
    model: Panel,
    theta: FloatArray,
    series: CountSeries,
    horizon: int,
    rng: np.random.Generator,
    burn_in: int,
) -> FloatArray:
    """Counts (n, H, S) of a unit from the population, after so many periods of a past."""
    effects = model.effects(series)
    units = effects.new(Layout(model.parameters(series)), theta, rng)
    ahead = design_matrix(model.background, series, future_edges(series, horizon))
    early = early_design(model.background, series, burn_in)[-burn_in:]
    history = np.zeros((len(theta), model.lags, effects.kinds))
    design = np.concatenate([early, ahead])
    return _run(model, theta, units, series, history, design, rng)[:, burn_in:]


def begun(
    model: Panel, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
) -> FloatArray:
    """Counts (1, T, K) of one draw (1, p), after so many periods that are thrown away."""
    effects = model.effects(like)
    units = effects.of(Layout(model.parameters(like)), theta)
    # A unit lives on while nobody watches it.
    seen = np.repeat(Watch.of(like).scale, effects.kinds, axis=1)
    scale = np.concatenate([np.ones((burn_in, like.n_streams)), np.where(seen > 0, seen, 1.0)])
    history = np.zeros((1, model.lags, like.n_streams))
    design = early_design(model.background, like, burn_in)
    paths = _run(model, theta, units, like, history, design, rng, scale)[:, burn_in:]
    return np.where(seen > 0, paths, 0.0)


def anew(
    model: Panel, theta: FloatArray, series: CountSeries, rng: np.random.Generator
) -> FloatArray:
    """Series (n, T, K) of draws (n, p); what the likelihood leaves out stays as observed."""
    effects = model.effects(series)
    units = effects.of(Layout(model.parameters(series)), theta)
    kept = np.repeat(~model.used_by_unit(series), effects.kinds, axis=1)[model.lags :]
    scale = np.repeat(Watch.of(series).scale, effects.kinds, axis=1)[model.lags :]
    counts = series.counts.astype(float)
    head = np.repeat(counts[None, : model.lags], len(theta), axis=0)
    design = design_matrix(model.background, series, series.edges[model.lags :])
    fixed = np.where(kept, counts[model.lags :], np.nan)
    paths = _run(model, theta, units, series, head, design, rng, scale, fixed)
    return np.concatenate([head, paths], axis=1)


def _history(
    model: Panel,
    theta: FloatArray,
    units: FloatArray,
    series: CountSeries,
    rng: np.random.Generator,
) -> FloatArray:
    """Counts (n, L, K) of the last L periods, simulated where a unit was not watched."""
    kinds = series.n_streams // units.shape[1]
    full = Watch.of(series).scale >= 1 - 1e-9
    counts = series.counts.astype(float)
    broken = ~full[-model.lags :].all(axis=0) if len(series) >= model.lags else np.ones(1, bool)
    padded = np.concatenate([np.zeros((model.lags, series.n_streams)), counts])
    if not broken.any():
        return np.repeat(padded[None, -model.lags :], len(theta), axis=0)
    # From where the past of every unit was last known in full, or from the beginning.
    known = np.column_stack([after_watched(one, model.lags) for one in full.T.astype(float)])
    last = [np.flatnonzero(one)[-1] if one.any() else 0 for one in known[:, broken].T]
    begin = int(min(last))
    head = np.repeat(padded[None, begin : begin + model.lags], len(theta), axis=0)
    fixed = np.where(np.repeat(full, kinds, axis=1), counts, np.nan)[begin:]
    design = design_matrix(model.background, series, series.edges[begin:])
    paths = _run(model, theta, units, series, head, design, rng, fixed=fixed)
    return np.concatenate([head, paths], axis=1)[:, -model.lags :]


def _run(
    model: Panel,
    theta: FloatArray,
    units: FloatArray,
    series: CountSeries,
    history: FloatArray,
    design: FloatArray,
    rng: np.random.Generator,
    scale: FloatArray | None = None,
    fixed: FloatArray | None = None,
) -> FloatArray:
    """Counts (n, H, V × S) of V units with effects (n, V, m); infinite beyond the cap.

    After a history (n, L, V × S); with exposures and known counts (H, V × S), NaN where they
    are not known.
    """
    effects, layout = model.effects(series), Layout(model.parameters(series))
    weights = model.lag_draws(theta, series)
    matrix, psi = effects.reproduction(units), effects.dispersion(units)
    coefficients = effects.coefficients(layout, theta, units)
    draws, number, kinds = len(theta), units.shape[1], effects.kinds
    horizon = len(design)
    path = np.concatenate([history, np.zeros((draws, horizon, number * kinds))], axis=1)
    gone = np.zeros((draws, number), bool)
    for h in range(horizon):
        window = path[:, h : h + model.lags][:, ::-1]
        window = np.where(np.isfinite(window), window, 0.0)
        past = np.einsum("nl,nlk->nk", weights, window).reshape(draws, number, kinds)
        mean = np.exp(np.minimum(coefficients @ design[h], 700.0))
        mean += np.einsum("nusj,nuj->nus", matrix, past)
        if scale is not None:
            mean *= scale[h].reshape(number, kinds)
        gone |= (mean > CAP).any(axis=2)
        mean[gone] = 0.0
        drawn = draw_counts(
            mean.reshape(1, draws, -1), None if psi is None else psi.reshape(draws, -1), rng
        )[0]
        if fixed is not None:
            drawn = np.where(np.isnan(fixed[h]), drawn, fixed[h])
        drawn[np.repeat(gone, kinds, axis=1)] = np.inf
        path[:, model.lags + h] = drawn
    return path[:, model.lags :]
