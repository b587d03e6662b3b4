"""Means and paths of the INGARCH model with an identity link."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from escalation.background import coefficient_places
from escalation.counts.paths import CAP, draw_counts
from escalation.counts.periods import (
    design_matrix,
    dispersions,
    early_design,
    early_edges,
    watched,
)
from escalation.forecast import future_edges
from escalation.parameters import FloatArray, Layout
from escalation.series import CountSeries
from escalation.window import DateArray

if TYPE_CHECKING:
    from escalation.counts.ingarch import Ingarch

GENERATIONS = 20
#: Means above this are no counts.
HIGHEST = 1e15


def onward(
    model: Ingarch, theta: FloatArray, series: CountSeries, horizon: int, rng: np.random.Generator
) -> FloatArray:
    """Counts (n, H, K) after a series, for draws (n, p)."""
    lags = model.reach
    past, typical = past_counts(series, series.counts.astype(float))
    mean = states(model, theta, series, series)
    # A series shorter than the longest lag goes on before its beginning.
    short = max(0, lags - len(series))
    head = np.repeat(_before(model, theta, series, typical)[:, None], short, axis=1)
    counts = np.concatenate([head, np.broadcast_to(past, mean.shape)], axis=1)[:, -lags:]
    endemic = _endemic(model, theta, series, future_edges(series, horizon))
    return _run(
        model, theta, series, counts, np.concatenate([head, mean], axis=1)[:, -lags:], typical,
        endemic, np.ones(horizon), rng,
    )  # fmt: skip


def begun(
    model: Ingarch, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
) -> FloatArray:
    """Counts (1, T, K) of one draw (1, p), after so many periods that are thrown away."""
    layout = Layout(model.parameters(like))
    places = coefficient_places(layout, like.n_streams)
    endemic = np.exp(early_design(model.background, like, burn_in) @ theta[0, places].T)
    if model.interventions is not None:
        added = model.added_columns(like, early_edges(like, burn_in))
        endemic = endemic + added @ layout.unpack(theta)["added"][0].T
    head = np.zeros((1, model.reach, like.n_streams))
    return _run(
        model, theta, like, head, head, np.zeros(like.n_streams), endemic[None],
        np.concatenate([np.ones(burn_in), like.scale]), rng,
    )[:, burn_in:]  # fmt: skip


def anew(
    model: Ingarch, theta: FloatArray, series: CountSeries, rng: np.random.Generator
) -> FloatArray:
    """Series (n, T, K); under "condition" the periods up to the longest lag as observed."""
    past, typical = past_counts(series, series.counts.astype(float))
    lags, kept = model.reach, 0
    before = np.repeat(_before(model, theta, series, typical)[:, None], lags, axis=1)
    counts, mean = before, before
    if model.start == "condition":
        kept = lags
        counts = np.repeat(past[None, :lags], len(theta), axis=0)
        mean = states(model, theta, series, series)[:, :lags]
    paths = _run(
        model, theta, series, counts, mean, typical,
        _endemic(model, theta, series, series.edges[kept:]), series.scale[kept:], rng,
    )  # fmt: skip
    head = np.repeat(series.counts[None, :kept].astype(float), len(theta), axis=0)
    return np.concatenate([head, paths], axis=1)


def fed(
    model: Ingarch, values: Mapping[str, FloatArray], counts: FloatArray, mean: FloatArray, at: int
) -> FloatArray:
    """What earlier counts and means (n, T, K) contribute at one period, (n, K)."""
    out = np.zeros((len(counts), counts.shape[2]))
    for i, lag in enumerate(model.past_obs):
        out += np.einsum("nkj,nj->nk", values["past_obs"][:, i], counts[:, at - lag])
    for m, lag in enumerate(model.past_mean):
        out += values["past_mean"][:, m] * mean[:, at - lag]
    return out


def states(
    model: Ingarch, theta: FloatArray, fitted: CountSeries, series: CountSeries
) -> FloatArray:
    """Means (n, T, K) of fully watched periods."""
    values = Layout(model.parameters(fitted)).unpack(theta)
    past, _ = past_counts(series, series.counts.astype(float))
    _, typical = past_counts(fitted, fitted.counts.astype(float))
    lags = model.reach
    before = np.repeat(_before(model, theta, fitted, typical)[:, None], lags, axis=1)
    endemic = _endemic(model, theta, fitted, series.edges)
    counts = np.concatenate([before, np.broadcast_to(past, endemic.shape)], axis=1)
    mean = np.concatenate([before, endemic], axis=1)
    for t in range(lags, lags + len(series)):
        # Draws without a stationary mean may leave every bound within a long series.
        mean[:, t] = np.minimum(mean[:, t] + fed(model, values, counts, mean, t), HIGHEST)
    return mean[:, lags:]


def _endemic(
    model: Ingarch, theta: FloatArray, fitted: CountSeries, edges: DateArray
) -> FloatArray:
    """Background and additive interventions (n, T, K)."""
    layout = Layout(model.parameters(fitted))
    design = design_matrix(model.background, fitted, edges)
    coefficients = theta[:, coefficient_places(layout, fitted.n_streams)]
    out: FloatArray = np.exp(np.einsum("tp,nkp->ntk", design, coefficients))
    if model.interventions is not None:
        effects = layout.unpack(theta)["added"]
        out += np.einsum("ti,nki->ntk", model.added_columns(fitted, edges), effects)
    return out


def _before(
    model: Ingarch, theta: FloatArray, series: CountSeries, typical: FloatArray
) -> FloatArray:
    """What stands for counts and means before the first period, (n, K).

    Where a draw has no marginal mean, the mean count.
    """
    streams = series.n_streams
    usual = np.tile(typical, (len(theta), 1))
    if model.start == "condition":
        return usual
    values = Layout(model.parameters(series)).unpack(theta)
    total = np.zeros((len(theta), streams, streams))
    if model.past_obs:
        total += values["past_obs"].sum(axis=1)
    if model.past_mean:
        total += values["past_mean"].sum(axis=1)[:, :, None] * np.eye(streams)
    flat = np.exp(values["level"])
    if model.start == "twenty generations":
        found = flat
        for _ in range(GENERATIONS):
            found = np.minimum(flat + np.einsum("nkj,nj->nk", total, found), HIGHEST)
        return found
    try:
        found = np.linalg.solve(np.eye(streams) - total, flat[:, :, None])[:, :, 0]
    except np.linalg.LinAlgError:
        return usual
    return np.where((found > 0).all(axis=1, keepdims=True), found, usual)


def _run(
    model: Ingarch,
    theta: FloatArray,
    series: CountSeries,
    counts: FloatArray,
    mean: FloatArray,
    typical: FloatArray,
    endemic: FloatArray,
    scale: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Paths (n, H, K), infinite beyond the cap, after counts and means (n, L, K)."""
    layout = Layout(model.parameters(series))
    values, psi = layout.unpack(theta), dispersions(layout, theta, series.n_streams)
    lags, horizon = model.reach, len(scale)
    empty = np.zeros((len(theta), horizon, series.n_streams))
    past, means = (np.concatenate([one, empty], axis=1) for one in (counts, mean))
    paths, gone = empty.copy(), np.zeros(len(theta), bool)
    for h in range(horizon):
        now = endemic[:, h] + fed(model, values, past, means, lags + h)
        gone |= (now > CAP).any(axis=1)
        now[gone] = 0.0
        drawn = draw_counts((scale[h] * now)[None], psi, rng)[0]
        means[:, lags + h], paths[:, h] = now, drawn
        past[:, lags + h] = drawn if scale[h] >= 1 - 1e-9 else typical
        paths[gone, h] = np.inf
    return paths


def past_counts(series: CountSeries, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Counts (T, K) with the stream's mean where not watched throughout, and the mean (K,)."""
    whole = watched(series)
    typical = counts[whole].mean(axis=0) if whole.any() else np.zeros(counts.shape[1])
    return np.where(whole[:, None], counts, typical), typical
