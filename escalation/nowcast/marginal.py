"""The few scales of a nowcast with its levels, moves, delays and pace integrated out."""

from __future__ import annotations

from typing import override

import numpy as np

from escalation.engines import Problem
from escalation.engines.marginal import Marginal, Peak, Root, definite_root
from escalation.parameters import FloatArray

#: Largest number that a path starts from, in units of its scale.
FAR = 5.0


class NowcastMarginal(Marginal):
    """Log marginal posterior density of a nowcast by its scales, memories and dispersions.

    Parameters
    ----------
    problem : Problem
        Of `Nowcast`: what has a normal prior is integrated out.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        counts = problem.data["counts"]
        self.periods, self.streams = counts.shape[0], counts.shape[2]

    @override
    def root(self, theta: FloatArray, held: FloatArray) -> Root:
        from escalation.likelihood.nowcast_curvature import nowcast_curvature

        data = [self.problem.data[name] for name in ("counts", "scale", "weekday", "offset")]
        bend = nowcast_curvature(theta, *data, *self.problem.structure)
        whole = held.T @ (bend @ held)
        whole[np.diag_indices_from(whole)] += self.precision
        return (definite_root(whole, 0.1 * self.precision.min()),)

    @override
    def held(self, theta: FloatArray) -> FloatArray:
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

    @override
    def carried(self, scales: FloatArray, near: Peak) -> FloatArray:
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
