"""The few numbers of an additive count model with the paths of its background integrated out."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.counts.predictor import IntArray
from escalation.engines import Problem
from escalation.engines.marginal import Marginal, Peak, Root, definite_root, solved
from escalation.parameters import FloatArray

#: Largest number that a path starts from, in units of its scale.
FAR = 5.0
#: Log-rates whose third powers are still numbers.
SPAN = (-130.0, 200.0)


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


@dataclass(frozen=True)
class Held:
    """What depends on the scales alone.

    Attributes
    ----------
    rows : ndarray (K, n, F)
        Log-rates of the background as linear functions of each stream's F coefficients.
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


class AdditiveMarginal(Marginal):
    r"""Log marginal posterior density of counts by R, dispersion, delay and scales of paths.

    .. math:: \mu_{tk} = e_t\{\exp(o_{tk} + x_{tk}'b_k) + \sum_j R_{kj} \sum_l w_l y_{t-l,j}\}

    The coefficients b, innovations of paths among them, are integrated out. Where streams share
    none, each has a block of the information to itself.

    Parameters
    ----------
    problem : Problem
    columns : ndarray of int (K, F)
        Place in `theta` of each coefficient.
    reproduction : int
        Place of R[0, 0]; -1: there is no R.
    dispersions : ndarray of int (1 + K,)
        Number of dispersion parameters in force (0: Poisson), and the place of each stream's.
    """

    def __init__(
        self, problem: Problem, columns: IntArray, reproduction: int, dispersions: IntArray
    ) -> None:
        super().__init__(problem)
        data, streams = problem.data, len(columns)
        self.columns, self.reproduction, self.dispersions = columns, reproduction, dispersions
        self.lags = problem.kernels(problem.starts[0])[0].shape[1] if reproduction >= 0 else 0
        self.counts, self.used = data["counts"][:streams, self.lags :], data["used"][self.lags :]
        self.watched = data["scale"][self.lags :]
        self.offset = np.zeros(self.counts.shape)
        # Entries that are fixed at zero are no unknowns.
        self.kept = np.isin(columns, self.paths)
        own = [row[kept] for row, kept in zip(columns, self.kept, strict=True)]
        order = np.concatenate(own)
        shared = np.unique(order).size < order.size
        self.blocks = [list(range(streams))] if shared else [[k] for k in range(streams)]
        if not shared:
            order = np.searchsorted(self.paths, order)
            self.paths = self.paths[order]
            self.middle, self.precision = self.middle[order], self.precision[order]
        place = np.full(problem.layout.size, -1)
        place[self.paths] = np.arange(self.paths.size)
        begins = np.cumsum([0] + [0 if shared else len(row) for row in own])
        self.positions = [place[row] - begin for row, begin in zip(own, begins[:-1], strict=True)]
        sizes = [self.paths.size] if shared else [len(row) for row in own]
        self.priors = np.split(self.precision, np.cumsum(sizes)[:-1])

    @abstractmethod
    def unit_rows(self, theta: FloatArray) -> FloatArray:
        """Log-rates (K, n, F) or (1, n, F) by each coefficient times its multiplier."""

    @abstractmethod
    def multipliers(self, theta: FloatArray) -> FloatArray:
        """What each coefficient (K, F) is multiplied by: the scale of a path, or 1."""

    @property
    @abstractmethod
    def inner(self) -> IntArray:
        """Places in `theta` of what rows and multipliers depend on."""

    @override
    def held(self, theta: FloatArray) -> Held:
        from escalation.likelihood.count_sums import lagged_sums

        streams = len(self.columns)
        rows = self.unit_rows(theta) * self.multipliers(theta)[:, None]
        earlier = np.zeros(self.counts.shape)
        past = earlier
        if self.lags:
            weights = self.problem.kernels(theta)[0][0]
            lagged_sums(weights, self.problem.data["counts"][:streams], earlier)
            past = self._matrix(theta) @ earlier
        number, *places = self.dispersions
        return Held(rows, earlier, past, theta[places] if number else np.zeros(streams))

    def _matrix(self, theta: FloatArray) -> FloatArray:
        streams = len(self.columns)
        return theta[self.reproduction :][: streams**2].reshape(streams, streams)

    @override
    def root(self, theta: FloatArray, held: Held) -> Root:
        out = []
        for streams, prior in zip(self.blocks, self.priors, strict=True):
            information = np.diag(prior)
            for k in streams:
                rows, one = self._rows(held, k), self._cells(theta, held, k)
                weight = -self.used * (one.second * one.own + one.first) * one.own
                where = self.positions[k]
                information[where[:, None], where] += rows.T @ (weight[:, None] * rows)
            out.append(definite_root(information, float(prior.min())))
        return tuple(out)

    def _rows(self, held: Held, k: int) -> FloatArray:
        """Log-rates (n, m) of a stream by each of its unknowns."""
        rows, kept = held.rows[k], self.kept[k]
        return rows if kept.all() else np.asarray(rows[:, kept])

    def _cells(self, theta: FloatArray, held: Held, k: int) -> Cells:
        logs = self.offset[k] + held.rows[k] @ theta[self.columns[k]]
        own = self.watched * np.exp(np.clip(logs, *SPAN))
        mean = own + self.watched * held.past[k]
        return Cells.of(self.counts[k], own, mean, float(held.dispersion[k]))

    @override
    def carried(self, scales: FloatArray, near: Peak) -> FloatArray:
        """All parameters (p,) at new scales, with the log-rates that were."""
        theta = super().carried(scales, near)
        ratio = self.multipliers(near.theta) / self.multipliers(theta)
        moved = self.kept & (ratio != 1.0)
        places = self.columns[moved]
        theta[places] = np.clip(ratio[moved] * near.theta[places], -FAR, FAR)
        return theta

    @override
    def slopes(self, peak: Peak) -> FloatArray:
        """Slopes (s,) of the marginal density by the scales.

        Those of a path's scale and shape, which its rows depend on, are differences.
        """
        theta, layout = peak.theta, self.problem.layout
        gradient = self.problem.evaluate(theta)[1] + layout.penalty(theta, True)[1]
        self._add_volume(peak, gradient)
        own = theta[self.places]
        out = gradient[self.places] * self.scale.slope(own) + self.scale.jacobian(own)[1]
        for i in np.flatnonzero(np.isin(self.places, self.inner)):
            out[i] = self.difference(peak, int(i))
        return np.asarray(out)

    def _add_volume(self, peak: Peak, gradient: FloatArray) -> None:
        """Add the slopes of minus half the log determinant to those (p,) by all parameters.

        The mode of the paths moves with the scales, and the curvature with the mode.
        """
        theta, held = peak.theta, self.held(peak.theta)
        by_past = np.zeros(self.counts.shape)
        for streams, root in zip(self.blocks, peak.root, strict=True):
            cells = {k: self._cells(theta, held, k) for k in streams}
            rows, spread, pull = {}, {}, np.zeros(len(root))
            for k, one in cells.items():
                rows[k] = np.zeros((self.used.size, len(root)))
                rows[k][:, self.positions[k]] = self._rows(held, k)
                spread[k] = np.einsum("tm,mt->t", rows[k], solved((root,), rows[k].T))
                by_log = -(one.third * one.own**2 + 3 * one.second * one.own + one.first) * one.own
                pull += rows[k].T @ (self.used * spread[k] * by_log)
            shift = solved((root,), pull)
            for k, one in cells.items():
                moved = rows[k] @ shift
                bend = (one.third * one.own + one.second) * one.own * spread[k]
                by_past[k] = 0.5 * self.used * self.watched * (bend - moved * one.second * one.own)
                if self.dispersions[0] > 0:
                    bend = (one.second_slope * one.own + one.first_slope) * one.own * spread[k]
                    change = bend - moved * one.first_slope * one.own
                    gradient[self.dispersions[1 + k]] += 0.5 * float(self.used @ change)
        if self.lags:
            self._add_contagion(theta, held, by_past, gradient)

    def _add_contagion(
        self, theta: FloatArray, held: Held, by_past: FloatArray, gradient: FloatArray
    ) -> None:
        """Carry slopes by what earlier counts add (K, n) to those by R and by the delay."""
        streams, lags = len(self.columns), self.lags
        gradient[self.reproduction :][: streams**2] += (by_past @ held.earlier.T).ravel()
        back = self._matrix(theta).T @ by_past
        counts = self.problem.data["counts"][:streams]
        by_weight = np.array([
            np.sum(back * counts[:, lags - 1 - lag : counts.shape[1] - 1 - lag])
            for lag in range(lags)
        ])  # fmt: skip
        gradient[self.problem.groups[0]] += by_weight @ self.problem.kernels(theta)[1][0]
