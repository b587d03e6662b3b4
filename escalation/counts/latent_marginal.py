"""The few numbers of a latent model with its paths, levels and seasons integrated out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.counts.additive_marginal import AdditiveMarginal
from escalation.counts.predictor import IntArray
from escalation.engines import Problem
from escalation.engines.nested import NestedLaplace
from escalation.parameters import FloatArray


class LatentMarginal(AdditiveMarginal):
    """Log marginal posterior density of a latent model by R, dispersion, delay, scale and shape.

    Parameters
    ----------
    problem : Problem
        Of `Latent`.
    """

    def __init__(self, problem: Problem) -> None:
        column, self.place, self.given = problem.structure
        streams, size = len(column), int(self.place[5])
        moves = self.place[1] + np.arange(streams * size).reshape(streams, size)
        columns = np.concatenate([column, moves], axis=1)
        super().__init__(problem, columns, int(self.place[4]), self.place[6:])

    @property
    @override
    def inner(self) -> IntArray:
        return np.asarray(self.place[2:4])

    @override
    def multipliers(self, theta: FloatArray) -> FloatArray:
        out = np.ones(self.columns.shape)
        width = self.given[0] if self.place[2] < 0 else theta[self.place[2]]
        out[:, out.shape[1] - int(self.place[5]) :] = width
        return out

    @override
    def unit_rows(self, theta: FloatArray) -> FloatArray:
        from escalation.likelihood.latent_paths import SMOOTH, unit_states

        data, kind, size = self.problem.data, int(self.place[0]), int(self.place[5])
        shape = self.given[1] if self.place[3] < 0 else theta[self.place[3]]
        first, smooth = data["first"], kind == SMOOTH
        out = np.empty((size, data["counts"].shape[1] if smooth else first.size - 1))
        tables = [data[name] for name in ("first", "share", "basis", "frequency")]
        unit_states(kind, np.eye(size), float(shape), *tables, out)
        periods = out if smooth else np.repeat(out, np.diff(first), axis=1)
        whole = np.concatenate([data["design"], periods])[:, self.lags :]
        return np.ascontiguousarray(whole.T)[None]


@dataclass(frozen=True)
class LatentLaplace(NestedLaplace):
    """Laplace approximations of a latent model's numbers, and of its paths given each of them."""

    @override
    def marginal(self, problem: Problem) -> LatentMarginal:
        return LatentMarginal(problem)
