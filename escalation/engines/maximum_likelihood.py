"""Maximum likelihood, with draws from the sampling distribution of the estimate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import override

import numpy as np

from escalation.engines.base import Engine, Posterior, Problem
from escalation.engines.objective import LIMITS, Objective, Optimum, inverse
from escalation.parameters import BoolArray, FloatArray, WorkingScale

#: An entry this many standard errors above its bound at zero is drawn on the log scale.
FAR = 3.0
#: With more parameters than this a singular information does not call the bootstrap by itself.
FEW = 60


@dataclass(frozen=True)
class MaximumLikelihood(Engine):
    """Maximum likelihood with draws that stand for the uncertainty of the estimate.

    Inside the parameter space the draws are normal on the working scale, with the observed
    information. Entries that may sit on zero and are within three standard errors of it are drawn
    on their own scale and projected, in the metric of the information, onto the half-space where
    they are not negative: this is the limit law of the estimator near a boundary (Self & Liang
    1987, Journal of the American Statistical Association 82), and what a parametric bootstrap
    gives in large samples, zeros included. A singular information, or `bootstrap` > 0, calls the
    parametric bootstrap itself (unless there are more than 60 parameters: the diagnostics then say
    that directions without information were kept wide): simulate, refit, keep the estimates. The
    coefficients of a trend
    are penalised by their prior. What the likelihood does not depend on at the maximum, such as
    the delays of an arrow estimated as zero, is drawn from its prior and named in the diagnostics.

    Attributes
    ----------
    draws : int
    starts : int
        How many of the model's starting points are tried; the best maximum wins.
    bootstrap : int
        Number of parametric bootstrap samples; 0 uses the limit law wherever it exists.
    """

    draws: int = 1000
    starts: int = 4
    bootstrap: int = 0
    name = "maximum likelihood"

    @override
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        objective = Objective(problem)
        starts = tuple(objective.start(theta) for theta in problem.starts[: self.starts])
        best, reached = objective.maximise(starts)
        silent = best.silent
        few = len(best.x) <= FEW
        samples = self.bootstrap or (100 if best.singular and few else 0)
        if samples:
            x, failed = _refit(objective, best, samples, rng)
            values = objective.scale.back(x)
            values = values[rng.integers(len(values), size=self.draws)]
        else:
            values, failed = _limit_law(best, objective.scale, silent, self.draws, rng), 0
            values[:, silent] = _prior_draws(objective, silent, self.draws, rng)
        layout = problem.layout
        theta = np.zeros((len(values), layout.size))
        theta[:, objective.free] = values
        estimate = objective.theta(best.x)
        return Posterior(
            draws=layout.unpack(theta),
            estimate=layout.unpack(estimate),
            log_likelihood=float(problem.evaluate(estimate)[0]),
            diagnostics={
                "converged": bool(best.converged),
                "gradient": float(np.abs(best.gradient[~best.bound]).max(initial=0.0)),
                "at_bound": [layout.labels[i] for i in np.flatnonzero(best.bound)],
                "singular": best.singular,
                "silent": [layout.labels[i] for i in np.flatnonzero(silent)],
                "vanishing": [layout.labels[i] for i in np.flatnonzero(best.vanishing)],
                "intervals": f"parametric bootstrap of {samples}" if samples else "limit law",
                "bootstrap_failures": failed,
                "optima": reached,
                "parameters": len(layout.labels),
            },
        )


def _prior_draws(
    objective: Objective, silent: BoolArray, draws: int, rng: np.random.Generator
) -> FloatArray:
    """Draws (draws, s) from the prior of the entries that the data say nothing about."""
    if not silent.any():
        return np.zeros((draws, 0))
    layout = objective.problem.layout
    drawn = [p.sample_prior(rng, draws).reshape(draws, -1) for p in layout.parameters]
    return np.concatenate(drawn, axis=1)[:, objective.free][:, silent]


def _refit(
    objective: Objective, best: Optimum, samples: int, rng: np.random.Generator
) -> tuple[FloatArray, int]:
    """Estimates (n, f) from series simulated at the maximum, and how many refits failed."""
    theta = objective.theta(best.x)
    found = []
    for _ in range(samples):
        again = replace(objective, data=objective.problem.resample(theta, rng))
        x, value = again.climb(best.x)
        if np.isfinite(value) and value > -1e12:
            found.append(x)
    return np.array(found or [best.x]), samples - len(found)


def _limit_law(
    best: Optimum, scale: WorkingScale, silent: BoolArray, draws: int, rng: np.random.Generator
) -> FloatArray:
    """Draws (draws, f) of the free entries on their own scale; silent entries stay."""
    zero = scale.nonnegative
    vanishing = best.vanishing
    stuck = (best.bound & ~zero) | silent | vanishing
    x, information = best.x, best.information.copy()
    # An entry stuck at a bound of the optimiser that is not one of the model stays where it is,
    # and the diagnostics name it. At zero, an information that is small beside the squared slope
    # is replaced by it, which bounds how far the entry can move.
    keep = np.flatnonzero(~stuck)
    for i in np.flatnonzero(best.bound & zero):
        if information[i, i] < 0.05 * best.gradient[i] ** 2:
            information[i, :] = information[:, i] = 0.0
            information[i, i] = max(best.gradient[i] ** 2, 1e-8)
    covariance = inverse(information[np.ix_(keep, keep)])
    error = np.zeros(x.size)
    error[keep] = np.sqrt(np.diag(covariance))
    log_scale = zero & (x > FAR * error) & ~stuck
    slope = np.where(log_scale, x, 1.0)
    centre = np.where(log_scale, np.log(slope), x)
    covariance = covariance / np.outer(slope[keep], slope[keep])
    near = zero[keep] & ~log_scale[keep]

    normal = rng.standard_normal((draws, keep.size)) @ _root(covariance).T
    moved = centre[keep] + normal
    if near.any():
        moved = _project(moved, covariance, near)
    out = np.tile(centre, (draws, 1))
    out[:, keep] = moved
    lower, upper = np.array([LIMITS[support] for support in scale.supports]).T
    # The likelihood of a rate without an event falls exponentially in the rate.
    waiting = rng.standard_exponential((draws, int(vanishing.sum())))
    out[:, vanishing] = x[vanishing] + np.log(waiting / -best.gradient[vanishing])
    free = ~zero
    out[:, free] = np.clip(out[:, free], lower[free], upper[free])
    out[:, log_scale] = np.exp(out[:, log_scale])
    return scale.back(out)


def _root(covariance: FloatArray) -> FloatArray:
    """A matrix whose product with its transpose is the covariance."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def _project(points: FloatArray, covariance: FloatArray, near: BoolArray) -> FloatArray:
    """Nearest points, in the metric of the inverse covariance, with the near entries >= 0."""
    from escalation.engines.projection import nearest_nonnegative

    inside = np.flatnonzero(near)
    precision = np.linalg.inv(covariance[np.ix_(inside, inside)])
    target = np.ascontiguousarray(points[:, inside])
    solution = nearest_nonnegative(target, precision)
    out: FloatArray = points + (solution - target) @ (precision @ covariance[inside])
    out[:, inside] = solution
    return out
