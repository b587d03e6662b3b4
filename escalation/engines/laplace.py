"""Laplace: a normal approximation of the posterior, truncated where entries cannot be negative."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import override

import numpy as np

from escalation.engines.ascent import maximise
from escalation.engines.base import Engine, Posterior, Problem
from escalation.engines.objective import Objective
from escalation.engines.optimum import Optimum, inverse, positive_part
from escalation.parameters import BoolArray, FloatArray, WorkingScale


@dataclass(frozen=True)
class Laplace(Engine):
    """Mode of the posterior and a normal law around it, for a quick look and for backtests.

    Positive entries are approximated on the log scale. Entries that may sit on zero keep their
    own scale and the normal law is truncated at zero, by Gibbs steps on many draws at once, so
    that an entry whose mode is zero gets the right, one-sided law.

    Attributes
    ----------
    draws : int
    starts : int
        How many of the model's starting points are tried; the highest mode wins.
    sweeps : int
        Gibbs sweeps over the truncated entries.
    """

    draws: int = 1000
    starts: int = 2
    sweeps: int = 60
    name = "Laplace"

    @override
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        objective = Objective(problem, posterior=True)
        starts = tuple(objective.start(theta) for theta in problem.starts[: self.starts])
        best, reached = maximise(objective, starts)
        prior = np.diag(positive_part(objective.prior_bend(best.x)))
        information = _definite(best, objective.scale.nonnegative, prior)
        best = replace(best, information=information)
        layout = problem.layout
        theta = np.zeros((self.draws, layout.size))
        theta[:, objective.free] = objective.scale.back(
            _truncated(best, objective.scale, self.draws, self.sweeps, rng)
        )
        estimate = theta.mean(axis=0)
        return Posterior(
            draws=layout.unpack(theta),
            estimate=layout.unpack(estimate),
            log_likelihood=float(problem.evaluate(estimate)[0]),
            diagnostics={
                **best.diagnostics(layout.labels),
                "evidence": best.evidence,
                "optima": reached,
                "parameters": len(layout.labels),
            },
        )


def _definite(best: Optimum, zero: BoolArray, prior: FloatArray) -> FloatArray:
    """The information; where it is not positive definite, entries at zero are taken apart.

    The log-density may be convex in an entry at zero. It falls from there with its slope: the
    squared slope then stands for the curvature, or that of the prior (f,) where it is larger, and
    keeps the entry within reach of zero.
    """
    try:
        np.linalg.cholesky(best.information)
    except np.linalg.LinAlgError:
        out = np.array(best.information)
        for i in np.flatnonzero(best.bound & zero):
            out[i, :] = out[:, i] = 0.0
            out[i, i] = max(best.gradient[i] ** 2, prior[i], 1e-8)
        return out
    return best.information


def _truncated(
    best: Optimum, scale: WorkingScale, draws: int, sweeps: int, rng: np.random.Generator
) -> FloatArray:
    """Draws (draws, f) on the working scale.

    At a mode on zero the log-density falls with a slope as well as a curvature: the centre of the
    normal law is then below zero.
    """
    from scipy.special import ndtr, ndtri

    zero = scale.nonnegative
    covariance = inverse(best.information)
    centre = best.x + covariance @ np.where(best.bound & zero, best.gradient, 0.0)
    inside, rest = np.flatnonzero(zero), np.flatnonzero(~zero)
    out = np.empty((draws, best.x.size))
    block = covariance[np.ix_(inside, inside)]
    if inside.size:
        precision = np.linalg.inv(block)
        values = np.maximum(best.x[inside], 1e-3) * np.ones((draws, 1))
        spread = 1 / np.sqrt(np.diag(precision))
        for _ in range(sweeps):
            for i in range(inside.size):
                pull = (values - centre[inside]) @ precision[:, i]
                mean = values[:, i] - pull / precision[i, i]
                floor = ndtr(-mean / spread[i])
                share = floor + (1 - floor) * rng.random(draws)
                # Where the truncated mass is beyond the normal's tail the law is exponential.
                far = mean < -6 * spread[i]
                share = np.clip(share, 1e-16, 1 - 1e-16)
                drawn = mean + spread[i] * ndtri(share)
                rate = -mean / spread[i] ** 2
                tail = rng.exponential(1.0, draws) / np.maximum(rate, 1e-12)
                values[:, i] = np.maximum(np.where(far, tail, drawn), 0.0)
        out[:, inside] = values
    if rest.size:
        cross = covariance[np.ix_(rest, inside)]
        mean = np.tile(centre[rest], (draws, 1))
        remaining = covariance[np.ix_(rest, rest)]
        if inside.size:
            gain = cross @ np.linalg.inv(block)
            mean = mean + (out[:, inside] - centre[inside]) @ gain.T
            remaining = remaining - gain @ cross.T
        normal = rng.multivariate_normal(np.zeros(rest.size), remaining, draws, method="eigh")
        out[:, rest] = mean + normal
    return out
