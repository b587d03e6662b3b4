"""The few scales of a nowcast with its paths integrated out, and draws of both.

The joint maximum of a scale and of the moves that it multiplies means nothing: it runs to the edge.
Here levels, moves, delays and pace are integrated out by Laplace's approximation at each value of
the scales, memories and dispersions, which are then found, and drawn, by that integral (Rue,
Martino & Chopin 2009, Journal of the Royal Statistical Society B 71(2)).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from escalation.engines import Problem
from escalation.parameters import FloatArray, WorkingScale
from escalation.priors import Normal

#: Step of differences by the scales, on the working scale.
STRIDE = 1e-2
#: A climb of the paths ends where a Newton step would raise the density by less.
SETTLED = 1e-6
#: Farthest that a scale or memory may go on the working scale (logs and logits).
LIMITS = (-12.0, 6.0)
#: Least information that a scale is taken to have, on the working scale: its prior has more.
LEAST = 0.25
#: Largest number that a path starts from, in units of its scale.
FAR = 5.0


@dataclass(frozen=True)
class Peak:
    """The paths' mode given the scales.

    Attributes
    ----------
    scales : ndarray (s,)
        On the working scale.
    theta : ndarray (p,)
        All parameters, the paths at their mode.
    root : ndarray (n, n)
        Lower Cholesky factor of the paths' information.
    value : float
        Laplace's approximation of the log marginal density.
    settled : bool
        Whether the mode was reached.
    """

    scales: FloatArray
    theta: FloatArray
    root: FloatArray
    value: float
    settled: bool


class Marginal:
    """Log marginal posterior density of a nowcast by its scales, memories and dispersions.

    Parameters
    ----------
    problem : Problem
        Of `Nowcast`: what has a normal prior is integrated out.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        layout = problem.layout
        normal = [np.full(p.size, isinstance(p.prior, Normal), bool) for p in layout.parameters]
        inside = np.concatenate(normal)
        self.paths, self.places = np.flatnonzero(inside), np.flatnonzero(~inside)
        supports = [s for s, one in zip(layout.supports, inside, strict=True) if not one]
        self.labels = [s for s, one in zip(layout.labels, inside, strict=True) if not one]
        self.scale = WorkingScale(tuple("positive" if s == "nonnegative" else s for s in supports))
        laws = [(p.prior, p.size) for p in layout.parameters if isinstance(p.prior, Normal)]
        self.middle = np.concatenate([np.full(size, law.mean) for law, size in laws])
        self.precision = np.concatenate([np.full(size, law.sd) for law, size in laws]) ** -2.0
        counts = problem.data["counts"]
        self.periods, self.streams = counts.shape[0], counts.shape[2]

    def start(self, theta: FloatArray) -> FloatArray:
        """Working vector (s,) of the scales among all parameters."""
        return np.clip(self.scale.to(theta[self.places]), *LIMITS)

    def _density(self, theta: FloatArray) -> tuple[float, FloatArray]:
        """Log-likelihood and prior of the paths (no constants), and its slopes (n,) by them."""
        value, gradient = self.problem.evaluate(theta)
        away = theta[self.paths] - self.middle
        pull = self.precision * away
        return value - 0.5 * float(pull @ away), gradient[self.paths] - pull

    def _root(self, theta: FloatArray, states: FloatArray) -> FloatArray:
        """Lower Cholesky factor (n, n) of the paths' information."""
        from escalation.likelihood.nowcast_curvature import nowcast_curvature

        bend = nowcast_curvature(theta, *self.problem.data.values(), *self.problem.structure)
        whole = states.T @ (bend @ states)
        whole[np.diag_indices_from(whole)] += self.precision
        try:
            return np.linalg.cholesky(whole)
        except np.linalg.LinAlgError:
            values, vectors = np.linalg.eigh(whole)
            least = 0.1 * self.precision.min()
            raised = (vectors * np.maximum(np.abs(values), least)) @ vectors.T
            return np.linalg.cholesky((raised + raised.T) / 2)

    def _states(self, theta: FloatArray) -> FloatArray:
        """Log-rates, log-odds, pace and weekdays (q,) as linear functions of the paths (q, n)."""
        place, streams = self.problem.structure[0], self.streams
        steps = (self.periods - 1) * streams
        rest = self.paths.size - streams - steps
        pace = self.periods if place[4] >= 0 else 0
        before = rest - pace - (6 if place[6] >= 0 else 0)
        out = np.zeros((self.periods * streams + rest, self.paths.size))
        lower = np.zeros((self.periods, self.periods - 1))
        lower[1:] = np.cumsum(response(_at(theta, place[8]), self.periods - 1), axis=0)
        for k in range(streams):
            out[k : self.periods * streams : streams, k] = 1.0
            size = _at(theta, place[1], 1.0, k)
            out[k : self.periods * streams : streams, streams + k : streams + steps : streams] = (
                size * lower
            )
        rows, columns = self.periods * streams, streams + steps
        out[rows + np.arange(rest), columns + np.arange(rest)] = 1.0
        if pace:
            at, by = rows + before, columns + before
            answer = theta[place[4]] * response(theta[place[4] + 1], pace)
            out[at : at + pace, by : by + pace] = answer
        return out

    def peak(self, scales: FloatArray, near: Peak) -> Peak:
        """The paths' mode at given scales, from the mode at others, by Newton steps."""
        theta = self._carried(scales, near)
        value, slope = self._density(theta)
        if not np.isfinite(value):
            theta[self.paths] = self.problem.starts[0][self.paths]
            value, slope = self._density(theta)
        settled, shrink, states = False, 1.0, self._states(theta)
        root = self._root(theta, states)
        for _ in range(60):
            step = solved(root, slope)
            rise = float(step @ slope)
            settled = rise < SETTLED
            if settled or shrink < 1e-4:
                break
            trial = theta.copy()
            trial[self.paths] += shrink * step
            new, by = self._density(trial)
            if new > value - 1e-9 * (1 + abs(value)):
                theta, value, slope, shrink = trial, new, by, 1.0
                root = self._root(theta, states)
            else:
                shrink *= 0.3
        away = theta[self.paths] - self.middle
        prior = self.problem.layout.penalty(theta, True)[0]
        integral = value + prior + 0.5 * float(self.precision @ away**2)
        integral += self.scale.jacobian(theta[self.places])[0]
        integral += 0.5 * self.paths.size * np.log(2 * np.pi) - np.log(np.diag(root)).sum()
        if not np.isfinite(integral):
            integral = -np.inf
        return Peak(scales, theta, root, float(integral), settled)

    def _carried(self, scales: FloatArray, near: Peak) -> FloatArray:
        """All parameters (p,) at new scales, with the log-rates and the pace that were."""
        place, streams = self.problem.structure[0], self.streams
        old, theta = near.theta, near.theta.copy()
        theta[self.places] = self.scale.back(scales)
        steps = slice(place[2], place[2] + (self.periods - 1) * streams)
        paths = [
            (slice(steps.start + k, steps.stop, streams), place[8], place[1], k)
            for k in range(streams)
        ]
        if place[4] >= 0:
            first = place[4] + 2
            paths.append((slice(first, first + self.periods), place[4] + 1, place[4], 0))
        for where, memory, size, k in paths:
            ratio = _at(old, size, 1.0, k) / _at(theta, size, 1.0, k)
            moves = ratio * (response(_at(old, memory), old[where].size) @ old[where])
            kept = _at(theta, memory)
            moves[1:] = (moves[1:] - kept * moves[:-1]) / np.sqrt(1 - kept**2)
            theta[where] = np.clip(moves, -FAR, FAR)
        return theta

    def drawn(self, peak: Peak, rng: np.random.Generator) -> FloatArray:
        """All parameters (p,), the paths from the normal law about their mode."""
        from scipy.linalg import solve_triangular

        theta = peak.theta.copy()
        normal = rng.standard_normal(self.paths.size)
        theta[self.paths] += solve_triangular(peak.root, normal, lower=True, trans="T")
        return theta


def _at(theta: FloatArray, place: int, otherwise: float = 0.0, k: int = 0) -> float:
    """A parameter, or what stands for one that the model does not have."""
    return float(theta[place + k]) if place >= 0 else otherwise


def response(memory: float, size: int) -> FloatArray:
    """A stationary autoregression of standard deviation one as a matrix (n, n) of its moves."""
    lag = np.arange(size)[:, None] - np.arange(size)
    with np.errstate(divide="ignore"):
        out = np.where(lag >= 0, float(memory) ** np.maximum(lag, 0), 0.0)
    out[:, 1:] *= np.sqrt(1 - memory**2)
    return np.asarray(out)


def solved(root: FloatArray, right: FloatArray) -> FloatArray:
    """Solution of a linear system by the lower Cholesky factor of its matrix."""
    from scipy.linalg import cho_solve

    return np.asarray(cho_solve((root, True), right, check_finite=False))


@dataclass(frozen=True)
class Summit:
    """The most probable scales, and the normal law about them.

    Attributes
    ----------
    peak : Peak
    gradient : ndarray (s,)
    covariance : ndarray (s, s)
        On the working scale.
    """

    peak: Peak
    gradient: FloatArray
    covariance: FloatArray


def summit(marginal: Marginal) -> Summit:
    """Climb the marginal density from the problem's first start."""
    from scipy.optimize import minimize

    theta = marginal.problem.starts[0]
    scales = marginal.start(theta)
    first = Peak(scales, theta, np.eye(marginal.paths.size), -np.inf, False)
    latest = [marginal.peak(scales, first)]

    def loss(x: FloatArray) -> tuple[float, FloatArray]:
        here = marginal.peak(x, latest[0])
        if not np.isfinite(here.value):
            return 1e10, np.zeros(x.size)
        latest[0] = here
        return -here.value, -slopes(marginal, here)

    found = minimize(
        loss, scales, jac=True, method="L-BFGS-B", bounds=[LIMITS] * scales.size,
        options={"maxiter": 60, "ftol": 1e-7, "gtol": 1e-3},
    )  # fmt: skip
    best = marginal.peak(np.asarray(found.x), latest[0])
    gradient = slopes(marginal, best)
    size = best.scales.size
    information = np.empty((size, size))
    for i in range(size):
        step = 5 * STRIDE * (np.arange(size) == i)
        ends = [slopes(marginal, marginal.peak(best.scales + s, best)) for s in (step, -step)]
        information[i] = (ends[1] - ends[0]) / (10 * STRIDE)
    values, vectors = np.linalg.eigh((information + information.T) / 2)
    return Summit(best, gradient, (vectors / np.maximum(values, LEAST)) @ vectors.T)


def slopes(marginal: Marginal, peak: Peak) -> FloatArray:
    """Slopes (s,) of the marginal density by the scales, by differences."""
    out = np.empty(peak.scales.size)
    for i in range(out.size):
        step = STRIDE * (np.arange(out.size) == i)
        ends = [marginal.peak(peak.scales + s, peak).value for s in (step, -step)]
        out[i] = (ends[0] - ends[1]) / (2 * STRIDE)
    return out
