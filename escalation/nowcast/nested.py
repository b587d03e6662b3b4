"""Quick fits of a nowcast: draws of its scales, and of its paths given each of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

from escalation.engines import Problem, nested
from escalation.nowcast.marginal import NowcastMarginal


@dataclass(frozen=True)
class NestedLaplace(nested.NestedLaplace):
    """Laplace approximations of the scales of a nowcast, and of its paths given each of them."""

    @override
    def marginal(self, problem: Problem) -> NowcastMarginal:
        return NowcastMarginal(problem)
