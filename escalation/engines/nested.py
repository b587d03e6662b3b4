"""Nested Laplace approximations: many normal parameters integrated out, few others weighted.

The joint maximum of a scale and of the moves that it multiplies means nothing: it runs to the edge.
Nor does that of what competes with a path for the same counts: the mode of a path of a hundred
moves takes all that it can. Here whatever has a normal prior is integrated out by Laplace's
approximation at each value of the few other parameters, which are then found, and drawn, by that
integral (Rue, Martino & Chopin 2009, Journal of the Royal Statistical Society B 71(2)).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, override

import numpy as np

from escalation.engines.base import IntArray, Posterior, Problem
from escalation.engines.laplace import Laplace
from escalation.engines.loo import importance_weights
from escalation.engines.marginal import LIMITS, STRIDE, Marginal, Peak
from escalation.engines.optimum import SINGULAR
from escalation.parameters import FloatArray

#: Least information that a scale is taken to have, on the working scale: its prior has more.
LEAST = 0.25
#: Scales that draws are made of, and degrees of freedom of the law that proposes them. Of more
#: than `MANY` scales: as many degrees as scales, for heavy tails lie far out in many dimensions.
POINTS, FREEDOM, MANY = 200, 5.0, 10
#: Weights that come down to fewer effective points are taken to a power below one.
EFFECTIVE = 40.0
#: Paths that are drawn for each that is kept, the fewest of them, and the share of the kept that
#: their weights must be worth, lest these are taken to a power below one.
TIMES, FEWEST, WORTH = 4, 400, 0.5
#: Where the width of the density is measured, in standard errors.
ASIDE = 1.5
#: A slope of the marginal density, in standard errors of a scale, that says nothing.
FLAT = 0.1


@dataclass(frozen=True)
class Summit:
    """The most probable scales, and the normal law about them.

    Attributes
    ----------
    peak : Peak
    gradient : ndarray (s,)
    covariance : ndarray (s, s)
        On the working scale.
    least : float
        Smallest eigenvalue of the information, of which the covariance takes at least `LEAST`.
    """

    peak: Peak
    gradient: FloatArray
    covariance: FloatArray
    least: float = np.inf

    def diagnostics(self, marginal: Marginal) -> dict[str, Any]:
        """Whether it was reached, how flat it is, and which scales sit on a limit."""
        error = np.sqrt(np.diag(self.covariance))
        steep = float(np.abs(self.gradient * np.minimum(error, 1.0)).max(initial=0.0))
        stuck = np.abs(self.peak.scales[:, None] - LIMITS).min(axis=1, initial=np.inf) < STRIDE
        return {
            "converged": bool(steep < FLAT and self.peak.settled),
            "gradient": steep,
            "at_bound": [marginal.labels[i] for i in np.flatnonzero(stuck)],
            "singular": self.least < SINGULAR,
            "marginal_log_density": self.peak.value,
        }


def summit(marginal: Marginal) -> Summit:
    """Climb the marginal density from the problem's first start."""
    from scipy.optimize import minimize

    theta = marginal.problem.starts[0]
    scales = marginal.start(theta)
    first = Peak(scales, theta, (), -np.inf, False)
    latest = [marginal.peak(scales, first)]
    if not scales.size:
        return Summit(latest[0], np.zeros(0), np.zeros((0, 0)))

    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        here = marginal.peak(x, latest[0])
        if not np.isfinite(here.value):
            return 1e10, np.zeros(x.size)
        latest[0] = here
        return -here.value, -marginal.slopes(here)

    found = minimize(
        loss, scales, jac=True, method="L-BFGS-B", bounds=[LIMITS] * scales.size,
        options={"maxiter": 60, "ftol": 1e-7, "gtol": 1e-3},
    )  # fmt: skip
    best = marginal.peak(np.asarray(found.x), latest[0])
    gradient = marginal.slopes(best)
    size = best.scales.size
    information = np.empty((size, size))
    for i in range(size):
        step = 5 * STRIDE * (np.arange(size) == i)
        ends = [marginal.slopes(marginal.peak(best.scales + s, best)) for s in (step, -step)]
        information[i] = (ends[1] - ends[0]) / (10 * STRIDE)
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    covariance = (vectors / np.maximum(values, LEAST)) @ vectors.T
    return Summit(best, gradient, covariance, float(values[0]))


@dataclass(frozen=True)
class Proposed:
    """Modes of the paths at several scales.

    Attributes
    ----------
    points : list of Peak
    weights : ndarray (n,)
        Summing to one.
    shape : float
        Pareto shape of the weights.
    power : float
        To which the weights were taken; 1 where enough of them count.
    evidence : float
        Log of the integral of the marginal density.
    """

    points: list[Peak]
    weights: FloatArray
    shape: float
    power: float
    evidence: float


def _proposed(marginal: Marginal, best: Summit, number: int, rng: np.random.Generator) -> Proposed:
    from scipy.special import gammaln, logsumexp

    size = best.peak.scales.size
    values, vectors = np.linalg.eigh(best.covariance)
    root = vectors * np.sqrt(values)
    wide = np.array([[_reach(marginal, best, side * axis) for axis in root.T] for side in (-1, 1)])
    normal = rng.standard_normal((number, size))
    freedom = FREEDOM if size <= MANY else float(size)
    student = normal * np.sqrt(freedom / rng.chisquare(freedom, (number, 1)))
    points, ratios = [], np.empty(number)
    for i, y in enumerate(student):
        own = np.where(y > 0, wide[1], wide[0])
        points.append(marginal.peak(best.peak.scales + root @ (own * y), best.peak))
        # A side is taken as often as the other, however wide.
        ratios[i] = points[-1].value + 0.5 * (freedom + size) * np.log1p(y @ y / freedom)
        ratios[i] += np.log(own).sum()
    constant = gammaln((freedom + size) / 2) - gammaln(freedom / 2)
    constant -= 0.5 * (size * np.log(freedom * np.pi) + np.log(values).sum())
    evidence = float(logsumexp(ratios) - np.log(number) - constant)
    weights, shape = importance_weights(ratios)
    weights, power = tempered(weights, min(EFFECTIVE, 0.5 * number))
    return Proposed(points, weights, shape, power, evidence)


def tempered(weights: FloatArray, effective: float) -> tuple[FloatArray, float]:
    """Weights (n,) to the largest power up to one that leaves so many effective points, and it.

    Between the weights, whose few points say nothing of a spread, and none, which take the law that
    proposed the points as it is.

    References
    ----------
    Koblents & Miguez (2015), Statistics and Computing 25, for the powers.
    """
    with np.errstate(divide="ignore"):
        logs = np.log(weights)
    effective = min(effective, float(np.count_nonzero(weights)))

    def to(power: float) -> FloatArray:
        # What weighs nothing does so to every power.
        out = np.where(weights > 0, np.exp(power * (logs - logs.max())), 0.0)
        return np.asarray(out / out.sum())

    if 1 / np.sum(weights**2) >= effective * (1 - 1e-9):
        return weights, 1.0
    low, high = 0.0, 1.0
    for _ in range(30):
        middle = (low + high) / 2
        if 1 / np.sum(to(middle) ** 2) >= effective:
            low = middle
        else:
            high = middle
    return to(low), low


def _reach(marginal: Marginal, best: Summit, axis: FloatArray) -> float:
    """How many times wider than the normal law the density is along an axis (s,), to one side.

    As in the integration of Rue, Martino & Chopin (2009), section 6.5.
    """
    fall = best.peak.value - marginal.peak(best.peak.scales + ASIDE * axis, best.peak).value
    return float(np.clip(ASIDE / np.sqrt(2 * max(fall, 1e-9)), 0.5, 3.0))


def _paths(
    marginal: Marginal, found: Proposed, draws: int, rng: np.random.Generator
) -> tuple[FloatArray, float, float]:
    """Draws (n, p) of all parameters, the Pareto shape of their weights, and the power of these."""
    times = rng.multinomial(max(TIMES * draws, FEWEST), found.weights)
    parts = [
        marginal.drawn(peak, int(number), rng)
        for peak, number in zip(found.points, times, strict=True)
        if number
    ]
    theta, ratios = (np.concatenate(part) for part in zip(*parts, strict=True))
    weights, shape = importance_weights(ratios)
    weights, power = tempered(weights, WORTH * draws)
    return theta[resampled(weights, draws, rng)], shape, power


def resampled(weights: FloatArray, number: int, rng: np.random.Generator) -> IntArray:
    """Rows (number,) in random order, each as often as its weight (n,) says, up to rounding.

    References
    ----------
    Carpenter, Clifford & Fearnhead (1999), IEE Proceedings - Radar, Sonar and Navigation 146(1),
    for systematic resampling.
    """
    whole = np.cumsum(weights)
    places = (rng.random() + np.arange(number)) / number
    return rng.permutation(np.searchsorted(whole / whole[-1], places, side="right"))


def nested(marginal: Marginal, draws: int, rng: np.random.Generator) -> Posterior:
    """Draws of all parameters by nested Laplace approximations.

    The scales come from a Student law about the mode of their marginal posterior density, weighted
    by that density; the paths given each of these from the normal law about their mode, weighted
    by the posterior density of all: where counts are few the law of a log-rate is skewed.

    References
    ----------
    Rue, Martino & Chopin (2009), Journal of the Royal Statistical Society B 71(2), section 3;
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), Journal of Machine Learning Research 25, for the
    weights.
    """
    problem = marginal.problem
    best = summit(marginal)
    found = _proposed(marginal, best, POINTS if marginal.labels else 1, rng)
    theta, shape, power = _paths(marginal, found, draws, rng)
    estimate = theta.mean(axis=0)
    layout = problem.layout
    return Posterior(
        draws=layout.unpack(theta),
        estimate=layout.unpack(estimate),
        log_likelihood=float(problem.evaluate(estimate)[0]),
        diagnostics={
            **best.diagnostics(marginal),
            "evidence": found.evidence,
            "pareto_shape": found.shape,
            "weights_power": found.power,
            "path_shape": shape,
            "path_power": power,
            "intervals": "weighted scales, weighted normal law of the paths given each",
            "parameters": len(layout.labels),
        },
    )


@dataclass(frozen=True)
class NestedLaplace(Laplace, ABC):
    """Laplace approximations of a model's scales, and of its paths given each of them."""

    @abstractmethod
    def marginal(self, problem: Problem) -> Marginal:
        """The density of the scales."""

    @override
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        return nested(self.marginal(problem), self.draws, rng)
