"""Quick fits of a nowcast: draws of its scales, and of its paths given each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.engines import Laplace, Posterior, Problem
from escalation.engines.loo import importance_weights
from escalation.nowcast.marginal import Marginal, Peak, Summit, summit
from escalation.parameters import FloatArray

#: Scales that draws are made of, and degrees of freedom of the law that proposes them.
POINTS, FREEDOM = 200, 5.0
#: Where the width of the density is measured, in standard errors.
ASIDE = 1.5
#: A slope of the marginal density, in standard errors of a scale, that says nothing.
FLAT = 0.1


def nested(problem: Problem, engine: Laplace, rng: np.random.Generator) -> Posterior:
    """Draws of all parameters by nested Laplace approximations.

    The scales come from a Student law about the mode of their marginal posterior density, weighted
    by that density; the paths given each of these from the normal law about their mode.

    References
    ----------
    Rue, Martino & Chopin (2009), Journal of the Royal Statistical Society B 71(2), section 3;
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), Journal of Machine Learning Research 25, for the
    weights.
    """
    marginal = Marginal(problem)
    best = summit(marginal)
    points, weights, shape = _proposed(marginal, best, POINTS, rng)
    rows = rng.choice(len(points), engine.draws, p=weights)
    theta = np.array([marginal.drawn(points[row], rng) for row in rows])
    estimate = theta.mean(axis=0)
    layout = problem.layout
    error = np.sqrt(np.diag(best.covariance))
    steep = float(np.abs(best.gradient * np.minimum(error, 1.0)).max(initial=0.0))
    return Posterior(
        draws=layout.unpack(theta),
        estimate=layout.unpack(estimate),
        log_likelihood=float(problem.evaluate(estimate)[0]),
        diagnostics={
            "converged": bool(steep < FLAT and best.peak.settled),
            "gradient": steep,
            "marginal_log_density": best.peak.value,
            "pareto_shape": shape,
            "intervals": "weighted scales, normal law of the paths given each",
            "parameters": len(layout.labels),
        },
    )


@dataclass(frozen=True)
class NestedLaplace(Laplace):
    """Laplace approximations of the scales of a nowcast, and of its paths given each of them."""

    @override
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        return nested(problem, self, rng)


def _proposed(
    marginal: Marginal, best: Summit, number: int, rng: np.random.Generator
) -> tuple[list[Peak], FloatArray, float]:
    """Modes of the paths at several scales, their weights (n,), and the Pareto shape."""
    size = best.peak.scales.size
    values, vectors = np.linalg.eigh(best.covariance)
    root = vectors * np.sqrt(values)
    wide = np.array([[_reach(marginal, best, side * axis) for axis in root.T] for side in (-1, 1)])
    normal = rng.standard_normal((number, size))
    student = normal * np.sqrt(FREEDOM / rng.chisquare(FREEDOM, (number, 1)))
    points, ratios = [], np.empty(number)
    for i, y in enumerate(student):
        own = np.where(y > 0, wide[1], wide[0])
        points.append(marginal.peak(best.peak.scales + root @ (own * y), best.peak))
        # A side is taken as often as the other, however wide.
        ratios[i] = points[-1].value + 0.5 * (FREEDOM + size) * np.log1p(y @ y / FREEDOM)
        ratios[i] += np.log(own).sum()
    return points, *importance_weights(ratios)


def _reach(marginal: Marginal, best: Summit, axis: FloatArray) -> float:
    """How many times wider than the normal law the density is along an axis (s,), to one side.

    As in the integration of Rue, Martino & Chopin (2009), section 6.5.
    """
    fall = best.peak.value - marginal.peak(best.peak.scales + ASIDE * axis, best.peak).value
    return float(np.clip(ASIDE / np.sqrt(2 * max(fall, 1e-9)), 0.5, 3.0))
