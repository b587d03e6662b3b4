"""The few numbers of an endemic-epidemic model with its random terms integrated out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, override

import numpy as np

from escalation.counts.additive_marginal import AdditiveMarginal
from escalation.counts.component import Component
from escalation.counts.predictor import IntArray
from escalation.engines import Problem
from escalation.engines.nested import NestedLaplace
from escalation.parameters import FloatArray

if TYPE_CHECKING:
    from escalation.counts.endemic_epidemic import EndemicEpidemic


class ComponentMarginal(AdditiveMarginal):
    """Log marginal posterior density of a model by R, dispersion, delay and scales.

    Parameters
    ----------
    problem : Problem
        Of an `EndemicEpidemic` that `integrable` says yes to.
    """

    def __init__(self, problem: Problem) -> None:
        columns, self.multiplier, _, _, place = problem.structure
        dispersions = np.concatenate([place[2:3], place[12 : 12 + len(columns)]])
        super().__init__(problem, columns, int(place[0]), dispersions)
        self.offset = problem.data["offset"][0][:, self.lags :]

    @property
    @override
    def inner(self) -> IntArray:
        return np.unique(self.multiplier)

    @override
    def multipliers(self, theta: FloatArray) -> FloatArray:
        return np.where(self.multiplier >= 0, theta[self.multiplier], 1.0)

    @override
    def unit_rows(self, theta: FloatArray) -> FloatArray:
        return np.asarray(self.problem.data["design"][:, :, self.lags :].transpose(0, 2, 1))


def integrable(model: EndemicEpidemic) -> bool:
    """Whether a model has random terms in its background, and R stands still beside them."""
    background = model.background
    if not isinstance(background, Component) or not (background.walk or background.intercepts):
        return False
    still = not model.eras and model.neighbours is None and not model.shared_shock
    return still and model.structure.predictors[1:] == (None, None)


@dataclass(frozen=True)
class ComponentLaplace(NestedLaplace):
    """Laplace approximations of R and of scales, and of random terms given each of them."""

    @override
    def marginal(self, problem: Problem) -> ComponentMarginal:
        return ComponentMarginal(problem)
