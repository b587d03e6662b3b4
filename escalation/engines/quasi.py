"""Quasi-likelihood: Poisson coefficients, with an overdispersion read off the residuals."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, override

import numpy as np

from escalation.engines.ascent import maximise
from escalation.engines.base import Engine, Posterior, Problem
from escalation.engines.limit_law import ASTRAY, limit_law, possible
from escalation.engines.maximum_likelihood import FEW, SAMPLES, bootstrapped
from escalation.engines.objective import Objective
from escalation.engines.optimum import Optimum, inverse
from escalation.parameters import BoolArray, FloatArray, Layout

#: Relative step of the differences of the means.
STEP = 1e-6


@dataclass(frozen=True)
class QuasiLikelihood(Engine):
    r"""The estimator that `tscount` calls its negative binomial fit; no maximum likelihood.

    The coefficients are those that maximise the *Poisson* likelihood. The overdispersion
    :math:`\sigma^2` solves

    .. math:: \sum_t \frac{(y_t - \mu_t)^2}{\mu_t + \sigma^2\mu_t^2} = n - p

    and is 0 where the Poisson residuals are no larger than that. With
    :math:`D_t = \partial\mu_t / \partial\theta`, the covariance of the coefficients is

    .. math:: G^{-1} G_1 G^{-1}, \qquad G = \sum_t \mu_t^{-1} D_t D_t', \qquad
              G_1 = \sum_t (\mu_t^{-1} + \sigma^2) D_t D_t'

    The coefficients are consistent wherever the mean is right, whatever the law of the counts;
    the overdispersion carries no uncertainty. `Fit.log_likelihood` is the negative binomial one at
    these values: not its maximum, so `Fit.aic` is refused. The diagnostics hold `quasi_aic`, as
    tscount prints it, and `standard_errors` by label.

    A model must declare a `dispersion` and give the moments of its observations.

    Attributes
    ----------
    draws : int
        From the normal law of the estimate, entries near zero as `MaximumLikelihood` has them;
        from the parametric bootstrap where that law is astray (`escalation.engines.limit_law`).
    starts : int

    References
    ----------
    Christou & Fokianos (2014), Journal of Time Series Analysis 35(1); Liboschik, Fokianos & Fried
    (2017), Journal of Statistical Software 82(5), section 3.
    """

    draws: int = 1000
    starts: int = 4
    name = "quasi-likelihood"

    @override
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        dispersion = [p for p in problem.layout.parameters if p.name == "dispersion"]
        if problem.moments is None or not dispersion:
            raise ValueError(
                "quasi-likelihood wants a count model with means and a dispersion: give it the "
                "negative binomial distribution"
            )
        plain = replace(problem, layout=_without_dispersion(problem.layout))
        objective = Objective(plain)
        starts = tuple(objective.start(theta) for theta in problem.starts[: self.starts])
        best, reached = maximise(objective, starts)
        estimate = objective.theta(best.x)
        spread = _dispersion(problem, objective, estimate, dispersion[0].size)
        poor = _uninformed(objective, best)
        information = _information(problem, objective, best, estimate, spread, poor)
        working = replace(best, information=information)
        first = problem.layout.start("dispersion")
        estimate[first : first + spread.size] = spread
        value = float(problem.evaluate(estimate)[0])
        stays = poor & ~best.vanishing
        law = "sandwich of the Poisson scores"
        theta = np.tile(estimate, (self.draws, 1))
        theta[:, objective.free] = limit_law(working, objective.scale, stays, self.draws, rng)
        impossible = 0.0
        if problem.explosive:
            theta, impossible = possible(problem, theta, value, rng)
        if impossible > ASTRAY and best.x.size <= FEW:
            law = f"parametric bootstrap of {SAMPLES}"
            values, _ = bootstrapped(objective, best, estimate, SAMPLES, rng)
            theta[:, objective.free] = values[rng.integers(len(values), size=self.draws)]
        return Posterior(
            draws=problem.layout.unpack(theta),
            estimate=problem.layout.unpack(estimate),
            log_likelihood=value,
            diagnostics=_told(objective, best, reached, information, spread, poor, value)
            | {"intervals": law},
        )


def _told(
    objective: Objective,
    best: Optimum,
    reached: list[float],
    information: FloatArray,
    spread: FloatArray,
    poor: BoolArray,
    value: float,
) -> dict[str, Any]:
    labels = objective.problem.layout.labels
    slope = objective.scale.slope(objective.scale.back(best.x))
    errors = slope * np.sqrt(np.diag(inverse(information)))
    number = len(labels) + spread.size
    return {
        **best.diagnostics(labels),
        # These stay at the estimate in every draw, but for the vanishing.
        "silent": [labels[i] for i in np.flatnonzero(poor & ~best.vanishing)],
        "vanishing": [labels[i] for i in np.flatnonzero(best.vanishing)],
        "optima": reached,
        "parameters": number,
        "standard_errors": dict(zip(labels, errors.tolist(), strict=True)),
        "quasi_aic": 2 * number - 2 * value,
    }


def _without_dispersion(layout: Layout) -> Layout:
    """The same places, the dispersion fixed at zero: the Poisson likelihood."""
    return Layout(
        tuple(
            replace(p, free=np.zeros(p.shape, bool)) if p.name == "dispersion" else p
            for p in layout.parameters
        ),
        layout.joint,
    )


def _dispersion(
    problem: Problem, objective: Objective, theta: FloatArray, number: int
) -> FloatArray:
    """Overdispersion (1,) of all streams, or (K,) of each, from the Pearson residuals."""
    assert problem.moments is not None
    counts, means = problem.moments(theta)
    streams = counts.shape[1]
    if number == 1:
        return np.array([_pearson(counts.ravel(), means.ravel(), objective.free.size)])
    # A coefficient of one stream counts there, one of all streams in parts.
    rows = objective.rows
    own = np.array([(rows == k).sum() for k in range(streams)]) + (rows < 0).sum() / streams
    return np.array([_pearson(counts[:, k], means[:, k], own[k]) for k in range(streams)])


def _pearson(counts: FloatArray, means: FloatArray, coefficients: float) -> float:
    from scipy.optimize import brentq

    def excess(spread: float) -> float:
        residual = (counts - means) ** 2 / (means + spread * means**2)
        return float(residual.sum() - (len(counts) - coefficients))

    if len(counts) <= coefficients or excess(0.0) <= 0:
        return 0.0
    high = 1.0
    while excess(high) > 0 and high < 1e9:
        high *= 4
    return float(brentq(excess, 0.0, high, xtol=1e-12)) if high < 1e9 else high


def _uninformed(objective: Objective, best: Optimum) -> BoolArray:
    """Entries (f,) without a sandwich: those of streams of which the data only bound the level."""
    rows = objective.rows
    gone = best.vanishing & (rows >= 0)
    return np.asarray(best.silent | best.vanishing | np.isin(rows, rows[gone]))


def _information(
    problem: Problem,
    objective: Objective,
    best: Optimum,
    theta: FloatArray,
    spread: FloatArray,
    poor: BoolArray,
) -> FloatArray:
    """Inverse (f, f) of the sandwich on the working scale; the Poisson one of the uninformed."""
    keep = np.flatnonzero(~poor)
    information = np.where(poor[:, None] | poor, best.information, 0.0)
    if keep.size:
        slope = objective.scale.slope(theta[objective.free])[keep]
        sandwich = _sandwich(problem, objective, theta, spread, objective.free[keep])
        information[np.ix_(keep, keep)] = inverse(sandwich / np.outer(slope, slope))
    return information


def _sandwich(
    problem: Problem, objective: Objective, theta: FloatArray, spread: FloatArray, places: Any
) -> FloatArray:
    """Covariance (q, q) of some coefficients on their own scale."""
    assert problem.moments is not None
    _, means = problem.moments(theta)
    layout = objective.problem.layout
    slopes, bends = [], []
    for i in places:
        step = STEP * max(1.0, abs(theta[i]))
        moved = [theta + sign * step * (np.arange(theta.size) == i) for sign in (1, -1)]
        high, low = (problem.moments(one)[1] for one in moved)
        slopes.append(((high - low) / (2 * step)).ravel())
        high, low = (layout.penalty(one, False)[1] for one in moved)
        bends.append((low - high)[places] / (2 * step))
    slope, bend = np.array(slopes), np.array(bends)
    weight = 1 / means.ravel()
    noise = weight + np.broadcast_to(spread, means.shape).ravel()
    bread = inverse((slope * weight) @ slope.T + bend)
    return np.asarray(bread @ ((slope * noise) @ slope.T) @ bread, float)
