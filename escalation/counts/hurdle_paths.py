"""Paths of the hurdle model, and what it expects given the past."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from escalation.counts.paths import CAP
from escalation.counts.periods import early_edges, lagged_past, latest_logs, log_counts
from escalation.counts.predictor import later_moves
from escalation.counts.truncated import draw_truncated, log_probabilities, truncated_mean
from escalation.forecast import future_edges
from escalation.parameters import FloatArray, Layout
from escalation.series import CountSeries

if TYPE_CHECKING:
    from escalation.counts.hurdle import Hurdle

#: Log-odds and log-means stop here.
STEEP = 700.0


def given_past(
    model: Hurdle, theta: FloatArray, fitted: CountSeries, series: CountSeries
) -> tuple[FloatArray, FloatArray]:
    """Log-odds and untruncated means (n, T, K) of whole periods; the first do not count."""
    layout = Layout(model.parameters(fitted))
    logs, _ = log_counts(series, series.counts.astype(float))
    past = lagged_past(logs, model.lag_draws(theta, fitted))
    odds, size = (
        one.log_rates(layout, theta, fitted, series.edges)
        + np.einsum("nkj,ntj->ntk", influence, past)
        for one, influence in zip(
            model.predictors, model.influences(theta, fitted), strict=True
        )
    )  # fmt: skip
    return odds, np.exp(np.clip(size, -STEEP, STEEP))


def onward(
    model: Hurdle,
    theta: FloatArray,
    series: CountSeries,
    horizon: int,
    rng: np.random.Generator,
    repeats: int = 1,
    extra: int | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Paths and means after a series, so many of each draw.

    If asked, in two copies, the second with one more incident at the end of the series.
    """
    logs, typical = log_counts(series, series.counts.astype(float))
    layout, edges = Layout(model.parameters(series)), future_edges(series, horizon)
    history = latest_logs(logs, model.reach, extra)
    rates = []
    for one in model.predictors:
        found = one.log_rates(layout, theta, series, edges)
        moves = later_moves(one, layout, theta, series, edges, rng)
        found = found if moves is None else found + moves
        rates.append(np.repeat(found, repeats, axis=0))
    theta = np.repeat(theta, repeats, axis=0)
    return _run(model, theta, series, history, typical, rates, np.ones(horizon), rng)


def anew(
    model: Hurdle, theta: FloatArray, series: CountSeries, rng: np.random.Generator
) -> FloatArray:
    """Series (n, T, K) whose first `reach` periods are those observed."""
    first, layout = model.reach, Layout(model.parameters(series))
    logs, typical = log_counts(series, series.counts.astype(float))
    edges = series.edges[first:]
    rates = [one.log_rates(layout, theta, series, edges) for one in model.predictors]
    paths = _run(
        model, theta, series, logs[None, None, :first], typical, rates, series.scale[first:], rng
    )[0][0]
    head = np.repeat(series.counts[None, :first].astype(float), len(theta), axis=0)
    return np.concatenate([head, paths], axis=1)


def begun(
    model: Hurdle, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
) -> FloatArray:
    """Counts (n, T, K) over the periods of a series, after so many that are thrown away."""
    layout = Layout(model.parameters(like))
    rates = []
    for one in model.predictors:
        # Nothing is known of covariates before the window: those of the first period hold.
        edges = like.edges if one.dated else early_edges(like, burn_in)
        found = one.log_rates(layout, theta, like, edges)
        head = np.repeat(found[:, :1], burn_in if one.dated else 0, axis=1)
        rates.append(np.concatenate([head, found], axis=1))
    history = np.zeros((1, 1, model.reach, like.n_streams))
    scale = np.concatenate([np.ones(burn_in), like.scale])
    return _run(model, theta, like, history, np.zeros(like.n_streams), rates, scale, rng)[0][
        0, :, burn_in:
    ]


def _run(
    model: Hurdle,
    theta: FloatArray,
    series: CountSeries,
    history: FloatArray,
    typical: FloatArray,
    rates: list[FloatArray],
    scale: FloatArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray]:
    """Counts and means, both (c, n, H, K) and infinite beyond the cap, of c copies.

    After a history (c, 1, L, K) of log(1 + y), with predictors (n, H, K) of both parts.
    """
    copies, draws, horizon, reach = len(history), len(theta), len(scale), model.reach
    weights, psi = model.lag_draws(theta, series), model.overdispersion(theta, series)
    influences = model.influences(theta, series)
    shape = (copies, draws, reach + horizon, series.n_streams)
    logs = np.zeros(shape)
    logs[:, :, :reach] = history
    paths, means = np.zeros(shape)[:, :, reach:], np.zeros(shape)[:, :, reach:]
    gone = np.zeros(draws, bool)
    for h in range(horizon):
        past = np.einsum("nl,cnlj->cnj", weights, logs[:, :, h : h + reach][:, :, ::-1])
        odds, size = (
            rate[:, h] + np.einsum("nkj,cnj->cnk", influence, past)
            for rate, influence in zip(rates, influences, strict=True)
        )
        some = np.exp(log_probabilities(odds, np.full(odds.shape, max(scale[h], 1e-300)))[1])
        mean = np.maximum(scale[h], 1e-300) * np.exp(np.clip(size, -STEEP, STEEP))
        gone |= (mean > CAP).any(axis=(0, 2))
        mean[:, gone] = 1.0
        expected = some * truncated_mean(mean, psi)
        happens = rng.random(odds.shape[1:]) < some
        counts = np.where(happens, draw_truncated(mean, psi, rng), 0.0)
        logs[:, :, reach + h] = np.log1p(counts) if scale[h] >= 1 - 1e-9 else typical
        paths[:, :, h], means[:, :, h] = counts, expected
        paths[:, gone, h] = means[:, gone, h] = np.inf
    return paths, means
