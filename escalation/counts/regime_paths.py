"""Phases and paths of counts that switch between phases."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from escalation.counts.paths import CAP, draw_counts
from escalation.counts.periods import (
    dispersions,
    early_edges,
    lagged_past,
    latest_logs,
    log_counts,
    watched,
)
from escalation.counts.phases import Phases
from escalation.counts.predictor import later_moves
from escalation.fit import Fit
from escalation.forecast import future_edges
from escalation.parameters import FloatArray, Layout
from escalation.series import CountSeries

if TYPE_CHECKING:
    from escalation.counts.regimes import Regimes

#: Log-means stop here.
STEEP = 700.0


@dataclass(frozen=True, eq=False)
class Passes:
    """The forward and the backward pass over a series, draw by draw.

    Attributes
    ----------
    base : ndarray (n, T, K)
        Log-means in the lowest phase, the exposure included.
    steps : ndarray (n, S, K)
        What each phase adds to them.
    begin, matrix : ndarray (n, S), (n, S, S)
        Stationary laws and transition matrices.
    terms : ndarray (n, S, T)
        Log-probability of what was seen in each period, by phase.
    filtered : ndarray (n, T, S)
    smoothed : ndarray (n, T, S)
    density : ndarray (n, T)
        Log-density of each period given those before.
    first : int
        Number of periods that are conditioned on.
    """

    base: FloatArray
    steps: FloatArray
    begin: FloatArray
    matrix: FloatArray
    terms: FloatArray
    filtered: FloatArray
    smoothed: FloatArray
    density: FloatArray
    first: int

    @cached_property
    def predicted(self) -> FloatArray:
        """Probabilities (n, T, S) of the phases given the periods before."""
        out = np.repeat(self.begin[:, None], self.filtered.shape[1], axis=1)
        np.matmul(self.filtered[:, :-1], self.matrix, out=out[:, 1:])
        out[:, : self.first + 1] = self.begin[:, None]
        return out

    def means(self, s: int) -> FloatArray:
        """Expected counts (n, T, K) in one phase."""
        return np.asarray(np.exp(np.minimum(self.base + self.steps[:, None, s], STEEP)), float)


def phase_passes(
    model: Regimes,
    fit: Fit,
    theta: FloatArray,
    series: CountSeries | None = None,
) -> Passes:
    """Passes of draws theta (n, p) over the fitted series, or over one that begins like it."""
    return passes_over(model, theta, fit.series, series or fit.series)


def passes_over(
    model: Regimes, theta: FloatArray, fitted: CountSeries, series: CountSeries
) -> Passes:
    """Passes of draws theta (n, p) of the parameters of one series over another."""
    from escalation.likelihood.phase_paths import passes
    from escalation.likelihood.pointwise import count_log_pmf

    layout, first, used = Layout(model.parameters(fitted)), model.reach, model.used(series)
    base = model.predictor.log_rates(layout, theta, fitted, series.edges)
    if model.influence:
        logs, _ = log_counts(series, series.counts.astype(float))
        past = lagged_past(logs, model.lag_draws(theta, fitted))
        base += np.einsum("nkj,ntj->ntk", layout.unpack(theta)["influence"], past)
    base += np.log(np.where(series.scale > 0, series.scale, 1.0))[:, None]
    steps, begin, matrix = chain_of(model, layout, theta, fitted)
    psi = dispersions(layout, theta, fitted.n_streams)
    terms = np.zeros((len(theta), len(model.phases), len(series)))
    for s in range(len(model.phases)):
        mean = np.exp(np.clip(base + steps[:, None, s], -STEEP, STEEP))
        terms[:, s] = count_log_pmf(series.counts, mean, psi).sum(axis=2)
    terms[:, :, ~used] = 0.0
    found = passes(begin, matrix, np.ascontiguousarray(terms[:, :, first:]))
    filtered = np.repeat(begin[:, None], len(series), axis=1)
    smoothed, density = filtered.copy(), np.zeros((len(theta), len(series)))
    filtered[:, first:], smoothed[:, first:] = (one.transpose(0, 2, 1) for one in found[:2])
    density[:, first:] = found[2]
    # Nobody watched: the exposure is none, and so are the counts.
    base[:, series.scale <= 0] = -np.inf
    return Passes(base, steps, begin, matrix, terms, filtered, smoothed, density, first)


def chain_of(
    model: Regimes, layout: Layout, theta: FloatArray, series: CountSeries
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Steps (n, S, K), stationary laws (n, S) and transition matrices (n, S, S) of draws (n, p)."""
    from escalation.likelihood.phase_paths import chains
    from escalation.likelihood.regimes import JUMP, STAY, UP, steps_of

    place, mix = model.place(layout, series.n_streams), model.mix(series)
    rows = np.ascontiguousarray(theta)
    begin, matrix = chains(rows, place[STAY], place[UP], place[JUMP], len(model.phases))
    return np.array([steps_of(one, mix, place) for one in rows]), begin, matrix


def phases_of(model: Regimes, fit: Fit, theta: FloatArray) -> Phases:
    """Phases of a fitted series, averaged over draws theta (n, p); the path is the estimate's."""
    from escalation.likelihood.phase_paths import likeliest

    series, first = fit.series, model.reach
    found = phase_passes(model, fit, theta)
    point = phase_passes(model, fit, Layout(fit.parameters).pack(fit.estimate)[None])
    path = np.full(len(series), -1, np.int64)
    path[first:] = likeliest(
        point.begin[0], point.matrix[0], np.ascontiguousarray(point.terms[0, :, first:])
    )
    whole = watched(series)
    typical = found.base[:, whole].mean(axis=1) if whole.any() else found.base[:, 0] * np.nan
    return Phases(
        names=model.phases,
        series=series,
        smoothed=found.smoothed,
        filtered=found.filtered,
        transition=found.matrix,
        rates=np.exp(typical[:, None] + found.steps),
        path=path,
    )


def onward(
    model: Regimes,
    theta: FloatArray,
    series: CountSeries,
    horizon: int,
    rng: np.random.Generator,
    repeats: int = 1,
    extra: int | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Paths and means after a series, so many of each draw; the phase is carried forward.

    If asked, in two copies, the second with one more incident at the end of the series; they share
    the phases, the last of which is held as the series itself makes it probable.
    """
    logs, typical = log_counts(series, series.counts.astype(float))
    layout, edges = Layout(model.parameters(series)), future_edges(series, horizon)
    history = latest_logs(logs, model.reach, extra)
    rates = model.predictor.log_rates(layout, theta, series, edges)
    moves = later_moves(model.predictor, layout, theta, series, edges, rng)
    rates = rates if moves is None else rates + moves
    # Many paths may go on from one draw.
    distinct, which = np.unique(theta, axis=0, return_inverse=True)
    found = passes_over(model, distinct, series, series)
    law = np.einsum("ns,nsr->nr", found.filtered[:, -1], found.matrix)[which.ravel()]
    theta, rates, law = (np.repeat(one, repeats, axis=0) for one in (theta, rates, law))
    return _run(model, theta, series, history, typical, rates, np.ones(horizon), rng, law)


def anew(
    model: Regimes, theta: FloatArray, series: CountSeries, rng: np.random.Generator
) -> FloatArray:
    """Series (n, T, K) whose first `reach` periods are those observed."""
    first = model.reach
    logs, typical = log_counts(series, series.counts.astype(float))
    layout = Layout(model.parameters(series))
    rates = model.predictor.log_rates(layout, theta, series, series.edges[first:])
    paths = _run(
        model, theta, series, logs[None, None, :first], typical, rates, series.scale[first:], rng
    )[0][0]
    head = np.repeat(series.counts[None, :first].astype(float), len(theta), axis=0)
    return np.concatenate([head, paths], axis=1)


def begun(
    model: Regimes, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
) -> FloatArray:
    """Counts (n, T, K) over the periods of a series, after so many that are thrown away."""
    layout, one = Layout(model.parameters(like)), model.predictor
    # Nothing is known of covariates before the window: those of the first period hold.
    edges = like.edges if one.dated else early_edges(like, burn_in)
    rates = one.log_rates(layout, theta, like, edges)
    head = np.repeat(rates[:, :1], burn_in if one.dated else 0, axis=1)
    history = np.zeros((1, 1, model.reach, like.n_streams))
    scale = np.concatenate([np.ones(burn_in), like.scale])
    return _run(
        model, theta, like, history, np.zeros(like.n_streams),
        np.concatenate([head, rates], axis=1), scale, rng,
    )[0][0, :, burn_in:]  # fmt: skip


def _run(
    model: Regimes,
    theta: FloatArray,
    series: CountSeries,
    history: FloatArray,
    typical: FloatArray,
    rates: FloatArray,
    scale: FloatArray,
    rng: np.random.Generator,
    law: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Counts and means given the phases, both (c, n, H, K) and infinite beyond the cap.

    After a history (c, 1, L, K) of log(1 + y), with log-rates (n, H, K) of the lowest phase and a
    law (n, S) of the first phase, the stationary one if not given.
    """
    from escalation.likelihood.phase_paths import walks

    layout, reach = Layout(model.parameters(series)), model.reach
    steps, begin, matrix = chain_of(model, layout, theta, series)
    draws, horizon = len(theta), len(scale)
    law = begin if law is None else np.ascontiguousarray(law)
    phases = walks(law, matrix, rng.random((draws, horizon)))
    psi, weights = dispersions(layout, theta, series.n_streams), model.lag_draws(theta, series)
    influence = layout.unpack(theta)["influence"] if model.influence else None
    shape = (len(history), draws, reach + horizon, series.n_streams)
    logs = np.zeros(shape)
    logs[:, :, :reach] = history
    paths, means = np.zeros(shape)[:, :, reach:], np.zeros(shape)[:, :, reach:]
    gone = np.zeros(draws, bool)
    for h in range(horizon):
        exponent = np.repeat((rates[:, h] + steps[np.arange(draws), phases[:, h]])[None],
                             len(history), axis=0)  # fmt: skip
        if influence is not None:
            past = np.einsum("nl,cnlj->cnj", weights, logs[:, :, h : h + reach][:, :, ::-1])
            exponent += np.einsum("nkj,cnj->cnk", influence, past)
        mean = scale[h] * np.exp(np.minimum(exponent, STEEP))
        gone |= (mean > CAP).any(axis=(0, 2))
        mean[:, gone] = 0.0
        counts = draw_counts(mean, psi, rng)
        logs[:, :, reach + h] = np.log1p(counts) if scale[h] >= 1 - 1e-9 else typical
        paths[:, :, h], means[:, :, h] = counts, mean
        paths[:, gone, h] = means[:, gone, h] = np.inf
    return paths, means
