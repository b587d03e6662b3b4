"""Analogues: what followed in all units when their past looked like this."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from escalation.own_history.history import History
from escalation.own_history.model import OwnHistoryModel
from escalation.own_history.origins import past_origins
from escalation.own_history.paths import middle_levels, whole
from escalation.own_history.resampling import SmoothedResampling
from escalation.window import FloatArray, IntArray

CLOSENESS = {
    "log 1": 0.5, "log 3": 1.0, "log 9": 0.8, "log 30": 0.4,
    "busy 1": 0.3, "busy 3": 0.7, "busy 9": 1.5, "busy 30": 1.5, "busy 120": 1.0,
    "silence": 0.5, "jump 6": 0.5, "jump 30": 1.5,
}  # fmt: skip
"""How much a difference in each memory counts in the distance of two pasts."""

LIBRARY = 60_000
"""About how many past origins are compared with."""

CELLS = 4_000_000
"""Distances held in memory at once."""


@dataclass(frozen=True)
class PooledAnalogues(OwnHistoryModel):
    r"""What followed, in all units, when the past looked like that of this unit now.

    Every past origin of every unit weighs :math:`e^{-d^2 / 2b^2}` by the distance d of its memories
    from those of the unit now, b being the distance of the `nearest`-th, but no less than
    `bandwidth`. What followed there is taken in units of the level there, and scaled to the level
    here; nothing stays nothing. The level is :math:`\sqrt{e^{\text{log 3}} (1 + \text{mean 3})}`
    of `History.memories`.

    Parameters
    ----------
    nearest : int
    bandwidth : float
    age : float
        Half-life of an analogue's weight by its age, in periods.

    References
    ----------
    Lorenz (1969), Journal of the Atmospheric Sciences 26, for analogues; Hegre et al. (2025) for
    the task that the distances were chosen on.
    """

    name: ClassVar[str] = "pooled analogues"
    nearest: int = 25
    bandwidth: float = 0.1
    age: float = 240.0

    def __post_init__(self) -> None:
        if self.nearest < 1 or self.bandwidth <= 0 or self.age <= 0:
            raise ValueError(
                f"nearest is at least 1, bandwidth and age are above 0, not {self.nearest}, "
                f"{self.bandwidth} and {self.age}"
            )

    def learn(self, history: History) -> Mapping[str, FloatArray]:
        """Nothing but the history itself."""
        return {}

    def draws(
        self, history: History, learned: Mapping[str, FloatArray], horizon: int, n: int
    ) -> FloatArray:
        """Even draws of each coming period by itself: counts, shape (n, horizon, K).

        Steps for which no past origin has an outcome are those of the longest that has; a history
        too short for any is resampled.
        """
        at, unit, weight = past_origins(history, 1, self.age, LIBRARY)
        if len(at) == 0:
            own = SmoothedResampling()
            return own.draws(history, own.learn(history), horizon, n)
        units = history.level.shape[1]
        found = np.empty((n, horizon, units))
        for some in np.array_split(np.arange(units), -(-units * len(at) // CELLS)):
            if len(some):
                found[:, :, some] = self._followed(history, at, unit, weight, some, horizon, n)
        return whole(found)

    def _followed(
        self,
        history: History,
        at: IntArray,
        unit: IntArray,
        weight: FloatArray,
        some: IntArray,
        horizon: int,
        n: int,
    ) -> FloatArray:
        """Draws for some of the units, (n, H, S), not rounded."""
        known = history.memories
        level = np.exp((known["log 3"] + known["mean 3"]) / 2)
        near = self._nearness(history, at, unit, some) * weight
        found = np.empty((n, horizon, len(some)))
        for step in range(1, horizon + 1):
            later = at + step
            came = np.full(len(at), np.nan)
            inside = later < len(history)
            came[inside] = history.level[later[inside], unit[inside]]
            here = np.flatnonzero(~np.isnan(came))
            if len(here) == 0:
                found[:, step - 1] = found[:, step - 2]
                continue
            ratio = came[here] / level[at[here], unit[here]]
            order = np.argsort(ratio, kind="stable")
            mass = np.cumsum(near[:, here[order]], axis=1)
            ratio = ratio[order]
            for k, sums in enumerate(mass):
                place = np.searchsorted(sums, middle_levels(n) * sums[-1])
                found[:, step - 1, k] = ratio[place] * level[-1, some[k]]
        return found

    def _nearness(
        self, history: History, at: IntArray, unit: IntArray, some: IntArray
    ) -> FloatArray:
        """Weights of the past origins for each unit by their distance, (S, R)."""
        pasts = np.stack([c * history.memories[m][at, unit] for m, c in CLOSENESS.items()], axis=1)
        now = np.stack([c * history.memories[m][-1, some] for m, c in CLOSENESS.items()], axis=1)
        square = (now**2).sum(axis=1)[:, None] + (pasts**2).sum(axis=1) - 2 * now @ pasts.T
        nth = min(self.nearest, len(at)) - 1
        width = np.maximum(np.partition(square, nth, axis=1)[:, nth], self.bandwidth**2)
        return np.asarray(np.exp(-np.maximum(square, 0) / (2 * width[:, None])))
