"""Fits of a partially pooled panel: draws of population and units, the units integrated out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from escalation.counts.panel_marginal import Marginal, Peak, Summit, summit
from escalation.engines import Engine, Laplace, Problem
from escalation.engines.centring import Centring
from escalation.engines.limit_law import limit_law
from escalation.engines.loo import importance_weights
from escalation.engines.objective import LIMITS
from escalation.engines.optimum import Optimum
from escalation.fit import Fit
from escalation.parameters import BoolArray, FloatArray
from escalation.priors import HalfNormal, Normal, Prior
from escalation.series import CountSeries

if TYPE_CHECKING:
    from escalation.counts.panel import Panel

#: Populations that draws are made of, and degrees of freedom of the law that proposes them.
POINTS, FREEDOM = 300, 7.0
#: Step of differences along the population's parameters.
DIFFERENCE = 1e-4
#: An estimated spread below this is taken as zero.
NONE = 1e-3
#: A rise of the marginal density within a standard error, or a factor e, that says nothing.
FLAT = 0.1
#: A log or logit whose standard error is larger is not known: maximum likelihood holds it.
UNKNOWN = 4.0


def normal_law(problem: Problem) -> tuple[FloatArray, FloatArray, Centring]:
    """The normal law near the posterior of all parameters, as `Problem.normal` gives it."""
    marginal = _marginal(problem, posterior=True)
    best = summit(marginal)
    theta = marginal.theta(best.x, best.peak.deviations)
    inside = best.peak.units.solve(np.tile(np.eye(marginal.mean.size), (len(best.moves), 1, 1)))
    centring = _centring(problem, marginal, theta, inside)
    layout = problem.layout
    position = np.full(layout.size, -1)
    position[layout.free] = np.arange(len(layout.free))
    # How all coordinates move with the population, the units at their modes given it.
    moves = np.zeros((len(layout.free), best.x.size))
    for j, along in enumerate(np.eye(best.x.size) * DIFFERENCE):
        high, low = (
            centring.to(marginal.theta(best.x + side * along, best.peak.deviations + side * rest))
            for side, rest in ((1, best.moves @ along), (-1, best.moves @ along))
        )
        moves[:, j] = (high - low)[layout.free] / (2 * DIFFERENCE)
    shared = marginal.shared
    moves[position[marginal.places[shared]]] = np.eye(best.x.size)[shared]
    out = moves @ best.covariance @ moves.T
    wide = np.sqrt(1 + centring.information * theta[marginal.spread][:, None] ** 2)
    for u, own in enumerate(position[marginal.deviation]):
        out[np.ix_(own, own)] += inside[u] * np.outer(wide[:, u], wide[:, u])
    return theta, out, centring


def _centring(
    problem: Problem, marginal: Marginal, theta: FloatArray, inside: FloatArray
) -> Centring:
    """What the likelihood says of each effect alone, at the mode.

    The information is the one that leaves of the deviation's variance what the curvature of all
    effects of a unit leaves; the score is that of the likelihood.
    """
    left = np.clip(np.einsum("uii->iu", inside), 1e-6, 1 - 1e-6)
    spread = theta[marginal.spread][:, None]
    deviations = theta[marginal.deviation].T
    information = (1 - left) / (left * spread**2)
    effects = theta[marginal.mean][:, None] + spread * deviations
    priors = [p.prior for p in problem.layout.parameters for _ in range(p.size)]
    laws = [_law(priors[i], priors[j]) for i, j in zip(marginal.mean, marginal.spread, strict=True)]
    return Centring(
        mean=marginal.mean,
        spread=marginal.spread,
        deviation=np.ascontiguousarray(marginal.deviation.T),
        information=information,
        score=deviations / spread + information * effects,
        law=np.array(laws),
    )


def _law(mean: Prior, spread: Prior) -> tuple[float, float, float]:
    """Centre and precision of a mean's prior, and the scale of a spread's."""
    if not (isinstance(mean, Normal) and isinstance(spread, HalfNormal)):
        raise ValueError(f"wanted normal means and half-normal spreads, got {mean} and {spread}")
    return mean.mean, mean.sd**-2.0, float(spread.scale)


def _marginal(problem: Problem, posterior: bool) -> Marginal:
    from escalation.likelihood.panel_curvature import panel_curvature

    return Marginal(problem, panel_curvature, posterior)


def fit_units(model: Panel, series: CountSeries, engine: Engine, rng: np.random.Generator) -> Fit:
    """Fit of a partially pooled panel by maximum marginal likelihood, or by nested Laplace.

    Maximum likelihood draws the population from the limit law of its estimate; Laplace from a
    Student law about the posterior's mode, weighted by the marginal posterior density. The units
    are drawn given each of these populations, from the normal law about their mode.

    References
    ----------
    Rue, Martino & Chopin (2009), Journal of the Royal Statistical Society B 71(2), section 3;
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), Journal of Machine Learning Research 25, for the
    weights.
    """
    posterior, draws = isinstance(engine, Laplace), int(getattr(engine, "draws", 1000))
    problem = model.problem(series)
    layout, marginal = problem.layout, _marginal(problem, posterior)
    best = summit(marginal)
    number, shape = min(draws, POINTS), -np.inf
    if posterior:
        points, weights, shape = _proposed(marginal, best, number, rng)
        rows = rng.choice(number, draws, p=weights)
    else:
        points = _limit_points(marginal, best, number, rng)
        rows = np.arange(draws) % number
    theta = np.empty((draws, layout.size))
    for i, row in enumerate(rows):
        x, peak = points[row]
        values, vectors = peak.units.roots
        normal = rng.standard_normal(values.shape) / np.sqrt(values)
        theta[i] = marginal.theta(x, peak.deviations + np.einsum("uab,ub->ua", vectors, normal))
    middle = marginal.theta(best.x, best.peak.deviations)
    estimate = theta.mean(axis=0) if posterior else middle
    return Fit(
        model=model,
        series=series,
        draws=_frozen(layout.unpack(theta)),
        estimate=_frozen(layout.unpack(estimate)),
        log_likelihood=float(problem.evaluate(estimate)[0]),
        diagnostics=_told(marginal, best, shape, len(layout.labels)),
        engine=engine.name,
    )


def _frozen(arrays: dict[str, FloatArray]) -> dict[str, FloatArray]:
    for one in arrays.values():
        one.setflags(write=False)
    return arrays


def _near(marginal: Marginal, best: Summit, x: FloatArray) -> tuple[float, Peak]:
    """Marginal density and the units' modes at a population near the most probable one."""
    marginal.latest = best.peak.deviations + np.clip(best.moves @ (x - best.x), -3.0, 3.0)
    return marginal.value(x)


def _proposed(
    marginal: Marginal, best: Summit, number: int, rng: np.random.Generator
) -> tuple[list[tuple[FloatArray, Peak]], FloatArray, float]:
    """Populations with the modes of their units, their weights (n,), and the Pareto shape."""
    root = np.linalg.cholesky(best.covariance)
    normal = rng.standard_normal((number, best.x.size))
    student = normal * np.sqrt(FREEDOM / rng.chisquare(FREEDOM, (number, 1)))
    points, ratios = [], np.empty(number)
    for i, y in enumerate(student):
        x = best.x + root @ y
        value, peak = _near(marginal, best, x)
        points.append((x, peak))
        ratios[i] = value + 0.5 * (FREEDOM + y.size) * np.log1p(y @ y / FREEDOM)
    return points, *importance_weights(ratios)


def _limit_points(
    marginal: Marginal, best: Summit, number: int, rng: np.random.Generator
) -> list[tuple[FloatArray, Peak]]:
    """Populations from the limit law of the estimate, with the modes of their units."""
    zero = marginal.scale.nonnegative
    x = np.where(zero & (best.x < NONE), 0.0, best.x)
    silent = _unknown(marginal, best)
    optimum = Optimum(
        x, best.value, best.gradient, best.information, zero & (x == 0.0), silent, True
    )
    drawn = marginal.scale.to(limit_law(optimum, marginal.scale, silent, number, rng))
    lower, upper = np.array([LIMITS[one] for one in marginal.scale.supports]).T
    drawn = np.clip(drawn, lower, upper)
    return [(one, _near(marginal, best, one)[1]) for one in drawn]


def _unknown(marginal: Marginal, best: Summit) -> BoolArray:
    """Parameters of the population (f,) of which the data say nothing, or give only a bound."""
    if marginal.posterior:
        return np.zeros(best.x.size, bool)
    return np.asarray(np.diag(best.covariance) > UNKNOWN**2)


def _told(marginal: Marginal, best: Summit, shape: float, parameters: int) -> dict[str, Any]:
    """What the fit says of itself."""
    error = np.sqrt(np.maximum(np.diag(best.covariance), 0.0))
    zero = marginal.scale.nonnegative & (best.x < NONE)
    unknown = _unknown(marginal, best)
    steep = float(np.abs(best.gradient * np.minimum(error, 1.0))[~zero].max(initial=0.0))
    known = ~unknown & ~zero
    inner = best.information[np.ix_(known, known)]
    scale = np.sqrt(np.maximum(np.abs(np.diag(inner)), 1e-12))
    least = np.linalg.eigvalsh(inner / np.outer(scale, scale)).min(initial=1.0)
    determinant = np.linalg.slogdet(best.information)[1]
    integral = best.value + 0.5 * (best.x.size * np.log(2 * np.pi) - determinant)
    return {
        "converged": bool(steep < FLAT and np.isfinite(best.value)),
        "gradient": float(np.abs(best.gradient).max()),
        "at_bound": [marginal.labels[i] for i in np.flatnonzero(zero)],
        "singular": bool(least < 1e-7),
        "silent": [],
        "vanishing": [marginal.labels[i] for i in np.flatnonzero(unknown & ~zero)],
        "intervals": "limit law of the population, normal law of each unit given it",
        "marginal_log_density": float(best.value),
        "evidence": float(integral) if marginal.posterior else float("nan"),
        "population_parameters": len(best.x),
        "pareto_shape": shape,
        "optima": [float(best.value)],
        "parameters": parameters,
    }
