"""The few numbers of a latent model with its paths, levels and seasons integrated out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.engines import Problem
from escalation.engines.nested import (
    Marginal,
    NestedLaplace,
    Peak,
    Root,
    definite_root,
    solved,
)
from escalation.parameters import FloatArray

#: Largest number that a path starts from, in units of its scale.
FAR = 5.0


@dataclass(frozen=True)
class Held:
    """What depends on the scales alone.

    Attributes
    ----------
    rows : ndarray (n, P + M)
        Log-rates of a stream as linear functions of its coefficients and innovations.
    earlier : ndarray (K, n)
        Lag-weighted counts.
    past : ndarray (K, n)
        What earlier counts add to the means, for an exposure of one.
    dispersion : ndarray (K,)
    """

    rows: FloatArray
    earlier: FloatArray
    past: FloatArray
    dispersion: FloatArray


@dataclass(frozen=True)
class Cells:
    """Derivatives of the log-probability of a stream's counts by their means.

    Attributes
    ----------
    own : ndarray (n,)
        The mean but for what earlier counts add.
    first, second, third : ndarray (n,)
    first_slope, second_slope : ndarray (n,)
        Derivatives of the first and the second by the dispersion.
    """

    own: FloatArray
    first: FloatArray
    second: FloatArray
    third: FloatArray
    first_slope: FloatArray
    second_slope: FloatArray

    @classmethod
    def of(cls, counts: FloatArray, own: FloatArray, mean: FloatArray, psi: float) -> Cells:
        """Of counts (n,) with means (n,) and dispersion psi; 0: Poisson."""
        wide, more, ratio = 1 + psi * mean, 1 + psi * counts, counts / mean
        return cls(
            own,
            ratio - more / wide,
            -ratio / mean + psi * more / wide**2,
            2 * ratio / mean**2 - 2 * psi**2 * more / wide**3,
            -(counts - mean) / wide**2,
            (1 + 2 * psi * counts - psi * mean) / wide**3,
        )


class LatentMarginal(Marginal):
    """Log marginal posterior density of a latent model by R, dispersion, delay, scale and shape.

    Given these, each stream has its coefficients and its path to itself: a block of the
    information a stream.

    Parameters
    ----------
    problem : Problem
        Of `Latent`.
    """

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem)
        self.column, self.place, self.given = problem.structure
        data, streams, size = problem.data, len(self.column), int(self.place[5])
        self.lags = problem.kernels(problem.starts[0])[0].shape[1] if self.place[4] >= 0 else 0
        self.counts, self.used = data["counts"][:, self.lags :], data["used"][self.lags :]
        self.watched = data["scale"][self.lags :]
        moves = self.place[1] + np.arange(streams * size).reshape(streams, size)
        own = np.concatenate([self.column, moves], axis=1)
        # Entries that are fixed at zero are no unknowns.
        self.kept = np.isin(own, self.paths)
        order = np.searchsorted(self.paths, own[self.kept])
        self.paths = self.paths[order]
        self.middle, self.precision = self.middle[order], self.precision[order]

    @override
    def held(self, theta: FloatArray) -> Held:
        from escalation.likelihood.count_sums import lagged_sums

        streams, place = len(self.column), self.place
        design = self.problem.data["design"][:, self.lags :].T
        rows = np.concatenate([design, self._width(theta) * self._unit_rows(theta)], axis=1)
        earlier = np.zeros(self.counts.shape)
        past = earlier
        if self.lags:
            weights = self.problem.kernels(theta)[0][0]
            lagged_sums(weights, self.problem.data["counts"], earlier)
            past = self._matrix(theta) @ earlier
        dispersion = theta[place[7:]] if place[6] > 0 else np.zeros(streams)
        return Held(rows, earlier, past, dispersion)

    def _width(self, theta: FloatArray) -> float:
        return float(self.given[0] if self.place[2] < 0 else theta[self.place[2]])

    def _matrix(self, theta: FloatArray) -> FloatArray:
        streams = len(self.column)
        return theta[self.place[4] : self.place[4] + streams**2].reshape(streams, streams)

    def _unit_rows(self, theta: FloatArray) -> FloatArray:
        """Paths (n, M) in units of their scale, of each innovation alone being one."""
        from escalation.likelihood.latent_paths import SMOOTH, unit_states

        data, kind, size = self.problem.data, int(self.place[0]), int(self.place[5])
        shape = self.given[1] if self.place[3] < 0 else theta[self.place[3]]
        first, smooth = data["first"], kind == SMOOTH
        out = np.empty((size, data["counts"].shape[1] if smooth else first.size - 1))
        tables = [data[name] for name in ("first", "share", "basis", "frequency")]
        unit_states(kind, np.eye(size), float(shape), *tables, out)
        periods = out if smooth else np.repeat(out, np.diff(first), axis=1)
        return np.ascontiguousarray(periods[:, self.lags :].T)

    @override
    def root(self, theta: FloatArray, held: Held) -> Root:
        out, begin = [], 0
        for k, kept in enumerate(self.kept):
            rows, cells = held.rows[:, kept], self._cells(theta, held, k)
            end = begin + rows.shape[1]
            precision = np.diag(self.precision[begin:end])
            weight = -self.used * (cells.second * cells.own + cells.first) * cells.own
            information = rows.T @ (weight[:, None] * rows) + precision
            out.append(definite_root(information, float(self.precision.min())))
            begin = end
        return tuple(out)

    def _cells(self, theta: FloatArray, held: Held, k: int) -> Cells:
        design = self.problem.data["design"].shape[0]
        moves = theta[self.place[1] + k * self.place[5] :][: self.place[5]]
        logs = held.rows[:, :design] @ theta[self.column[k]] + held.rows[:, design:] @ moves
        own = self.watched * np.exp(np.minimum(logs, 700.0))
        mean = own + self.watched * held.past[k]
        return Cells.of(self.counts[k], own, mean, float(held.dispersion[k]))

    @override
    def carried(self, scales: FloatArray, near: Peak) -> FloatArray:
        """All parameters (p,) at new scales, with the log-rates that were."""
        theta = super().carried(scales, near)
        moves = slice(self.place[1], self.place[1] + len(self.column) * self.place[5])
        ratio = self._width(near.theta) / self._width(theta)
        theta[moves] = np.clip(ratio * near.theta[moves], -FAR, FAR)
        return theta

    @override
    def slopes(self, peak: Peak) -> FloatArray:
        """Slopes (s,) of the marginal density by the scales.

        Those of the path's scale and shape, which its rows depend on, are differences.
        """
        theta, layout = peak.theta, self.problem.layout
        gradient = self.problem.evaluate(theta)[1] + layout.penalty(theta, True)[1]
        self._add_volume(peak, gradient)
        own = theta[self.places]
        out = gradient[self.places] * self.scale.slope(own) + self.scale.jacobian(own)[1]
        for i in np.flatnonzero(np.isin(self.places, self.place[2:4])):
            out[i] = self.difference(peak, int(i))
        return np.asarray(out)

    def _add_volume(self, peak: Peak, gradient: FloatArray) -> None:
        """Add the slopes of minus half the log determinant to those (p,) by all parameters.

        The mode of the paths moves with the scales, and the curvature with the mode.
        """
        theta, held = peak.theta, self.held(peak.theta)
        by_past = np.zeros(self.counts.shape)
        for k, (kept, root) in enumerate(zip(self.kept, peak.root, strict=True)):
            rows, one = held.rows[:, kept], self._cells(theta, held, k)
            spread = np.einsum("tm,mt->t", rows, solved((root,), rows.T))
            by_log = -(one.third * one.own**2 + 3 * one.second * one.own + one.first) * one.own
            moved = rows @ solved((root,), rows.T @ (self.used * spread * by_log))
            bend = (one.third * one.own + one.second) * one.own * spread
            by_past[k] = 0.5 * self.used * self.watched * (bend - moved * one.second * one.own)
            if self.place[6] > 0:
                bend = (one.second_slope * one.own + one.first_slope) * one.own * spread
                change = bend - moved * one.first_slope * one.own
                gradient[self.place[7 + k]] += 0.5 * float(self.used @ change)
        if not self.lags:
            return
        streams = len(self.column)
        cells = slice(self.place[4], self.place[4] + streams**2)
        gradient[cells] += (by_past @ held.earlier.T).ravel()
        back = self._matrix(theta).T @ by_past
        counts = self.problem.data["counts"]
        span = counts.shape[1] - self.lags
        by_weight = np.array([
            np.sum(back * counts[:, self.lags - 1 - lag : self.lags - 1 - lag + span])
            for lag in range(self.lags)
        ])  # fmt: skip
        gradient[self.problem.groups[0]] += by_weight @ self.problem.kernels(theta)[1][0]


@dataclass(frozen=True)
class LatentLaplace(NestedLaplace):
    """Laplace approximations of a latent model's numbers, and of its paths given each of them."""

    @override
    def marginal(self, problem: Problem) -> LatentMarginal:
        return LatentMarginal(problem)
