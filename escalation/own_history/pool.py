"""The default: three own-history models of different shape as one, and a little narrower."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from escalation.own_history.analogues import PooledAnalogues
from escalation.own_history.history import History
from escalation.own_history.hurdle import SmoothHurdle
from escalation.own_history.model import OwnHistoryModel
from escalation.own_history.paths import whole
from escalation.own_history.resampling import SmoothedResampling
from escalation.window import FloatArray


@dataclass(frozen=True)
class OwnHistoryPool(OwnHistoryModel):
    r"""Several own-history models as one: a linear pool, drawn in towards its median.

    A linear pool is wider than its members, so that its draws x above zero are moved to
    :math:`\log(1 + x') = \log(1 + m) + s \{\log(1 + x) - \log(1 + m)\}` with the median m and the
    `spread` s.

    Parameters
    ----------
    members : tuple of OwnHistoryModel
    weights : tuple of float
        One a member; they need not sum to 1.
    spread : float
        s; 1 is the plain pool.

    References
    ----------
    Gneiting and Ranjan (2013), Electronic Journal of Statistics 7, theorem 3.1: a linear pool of
    calibrated forecasts is too wide.
    """

    name: ClassVar[str] = "own-history pool"
    members: tuple[OwnHistoryModel, ...] = field(
        default_factory=lambda: (SmoothHurdle(), PooledAnalogues(), SmoothedResampling())
    )
    weights: tuple[float, ...] = (1.0, 2.0, 1.0)
    spread: float = 0.9

    def __post_init__(self) -> None:
        if not self.members or len(self.members) != len(self.weights):
            raise ValueError(
                f"{len(self.members)} members want as many weights, at least one, "
                f"not {len(self.weights)}"
            )
        if min(self.weights) < 0 or sum(self.weights) <= 0 or self.spread <= 0:
            raise ValueError(
                f"weights are at least 0, one of them and the spread above 0, not {self.weights} "
                f"and {self.spread}"
            )

    def learn(self, history: History) -> Mapping[str, FloatArray]:
        """What each member learned, under its place and name."""
        return {
            f"{place} {name}": values
            for place, member in enumerate(self.members)
            for name, values in member.learn(history).items()
        }

    def draws(
        self, history: History, learned: Mapping[str, FloatArray], horizon: int, n: int
    ) -> FloatArray:
        """Even draws of each coming period by itself: counts, shape (n, horizon, K)."""
        parts = []
        for place, (member, share) in enumerate(zip(self.members, self._numbers(n), strict=True)):
            if share:
                own = {
                    name.partition(" ")[2]: values
                    for name, values in learned.items()
                    if name.partition(" ")[0] == str(place)
                }
                parts.append(member.draws(history, own, horizon, share))
        pooled = np.sort(np.concatenate(parts), axis=0)
        logs = np.log1p(pooled)
        middle = logs[n // 2]
        return whole(np.where(pooled > 0, np.expm1(middle + self.spread * (logs - middle)), 0.0))

    def _numbers(self, n: int) -> list[int]:
        """How many of n draws each member makes: their cumulated shares, rounded."""
        ends = np.rint(n * np.cumsum(self.weights) / sum(self.weights)).astype(np.int64)
        return [int(number) for number in np.diff(ends, prepend=0)]
