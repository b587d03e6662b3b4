"""Smoothed resampling of a unit's own past, recent periods weighing more."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import numpy as np

from escalation.own_history.history import History
from escalation.own_history.model import OwnHistoryModel
from escalation.own_history.paths import middle_levels, whole
from escalation.window import FloatArray

POINTS = 21
"""Points that stand for the noise around a value."""


@dataclass(frozen=True)
class SmoothedResampling(OwnHistoryModel):
    """The unit's own past again, recent periods weighing more, each value with some noise.

    The weights are a mixture of two exponential ones, a short and a long memory. A value above zero
    is multiplied by log-normal noise; zero stays zero. The noise is as wide as the unit is
    changeable: its standard deviation (of the log) is `noise` times the unit's own mean jump
    between periods above zero, "busy jump 12" of `History.memories`, within bounds. All periods
    ahead have one law.

    Parameters
    ----------
    half_life : float
        Of the short memory, in periods.
    long_half_life : float
        Of the long memory.
    long_share : float
        Weight of the long memory, 0 to 1.
    noise : float
        Standard deviation of the log of the noise, in mean jumps of the unit.
    bounds : tuple of float
        Lowest and highest standard deviation.
    """

    name: ClassVar[str] = "smoothed resampling"
    half_life: float = 2.0
    long_half_life: float = 60.0
    long_share: float = 0.1
    noise: float = 0.7
    bounds: tuple[float, float] = (0.2, 1.0)

    def __post_init__(self) -> None:
        if min(self.half_life, self.long_half_life) <= 0 or self.noise < 0:
            raise ValueError(f"half-lives are above 0 and noise is at least 0, not {self}")
        if not 0 <= self.bounds[0] <= self.bounds[1]:
            raise ValueError(f"bounds are two rising numbers from 0 on, not {self.bounds}")
        if not 0 <= self.long_share <= 1:
            raise ValueError(f"long_share lies between 0 and 1, not {self.long_share}")

    def learn(self, history: History) -> Mapping[str, FloatArray]:
        """Nothing but the history itself."""
        return {}

    def draws(
        self, history: History, learned: Mapping[str, FloatArray], horizon: int, n: int
    ) -> FloatArray:
        """Even draws of each coming period by itself: counts, shape (n, horizon, K)."""
        ago = np.arange(len(history))[::-1, None]
        weight = np.zeros(history.level.shape)
        memories = ((self.half_life, 1 - self.long_share), (self.long_half_life, self.long_share))
        for half_life, share in memories:
            part = history.weight * 0.5 ** (ago / half_life)
            total = part.sum(axis=0)
            weight += share * np.divide(part, total, out=np.zeros_like(part), where=total > 0)
        normal = NormalDist()
        points = np.array([normal.inv_cdf(p) for p in middle_levels(POINTS).tolist()])
        width = np.clip(self.noise * history.memories["busy jump 12"][-1], *self.bounds)
        found = np.zeros((n, history.level.shape[1]))
        for k in np.flatnonzero(np.nanmax(history.level, axis=0, initial=0) > 0):
            seen = np.flatnonzero(weight[:, k] > 0)
            values = np.outer(history.level[seen, k], np.exp(width[k] * points)).ravel()
            order = np.argsort(values, kind="stable")
            mass = np.cumsum(np.repeat(weight[seen, k], POINTS)[order])
            place = np.searchsorted(mass, middle_levels(n) * mass[-1])
            found[:, k] = values[order][place]
        return np.repeat(whole(found)[:, None], horizon, axis=1)
