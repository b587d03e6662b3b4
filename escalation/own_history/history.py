"""What is known of many units, as arrays: levels with their watch, and memories of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from escalation.series import CountSeries, PanelSeries
from escalation.window import FloatArray

LONGEST_SILENCE = 120.0
"""Periods without incidents after which a unit is as quiet as it gets."""


@dataclass(frozen=True, eq=False)
class History:
    """Levels of K units over T periods.

    Parameters
    ----------
    level : array of float64, shape (T, K)
        Incidents per fully watched period; NaN where the unit was not watched.
    weight : array of float64, shape (T, K)
        The share of the period in which the unit was watched, 0 to 1.
    """

    level: FloatArray
    weight: FloatArray

    @classmethod
    def of(cls, series: CountSeries) -> History:
        """Read a series: every stream is a unit, and those of a panel have a watch of their own."""
        weight = np.repeat(series.scale[:, None], series.n_streams, axis=1)
        if isinstance(series, PanelSeries):
            weight = weight * np.repeat(series.shares, len(series.kinds), axis=1)
        level = np.full(weight.shape, np.nan)
        np.divide(series.counts, weight, out=level, where=weight > 0)
        return cls(level, weight)

    def __len__(self) -> int:
        """Count the periods, T."""
        return len(self.level)

    @property
    def watched(self) -> np.ndarray:
        """Which units were watched at the end: at least once in the last 12 periods, (K,)."""
        return np.asarray((self.weight[-12:] > 0).any(axis=0))


def memory(values: FloatArray, weight: FloatArray, half_lives: Sequence[float]) -> FloatArray:
    r"""Exponentially weighted means of what was known up to and with each period.

    .. math:: m_t = \sum_{s \le t} 2^{-(t-s)/h} w_s x_s \Big/ \sum_{s \le t} 2^{-(t-s)/h} w_s

    Parameters
    ----------
    values : array, shape (T, K)
        Not looked at where the weight is 0.
    weight : array, shape (T, K)
    half_lives : sequence of float
        In periods, M of them.

    Returns
    -------
    array, shape (M, T, K)
        0 before anything was known.
    """
    decay = 0.5 ** (1 / np.asarray(half_lives, dtype=np.float64))[:, None]
    weighted = np.where(weight > 0, values, 0.0) * weight
    means = np.zeros((len(decay), *weight.shape))
    total = np.zeros((len(decay), weight.shape[1]))
    mass = np.zeros_like(total)
    for t in range(len(weight)):
        total = total * decay + weighted[t]
        mass = mass * decay + weight[t]
        np.divide(total, mass, out=means[:, t], where=mass > 1e-9)
    return means


def silence(level: FloatArray, weight: FloatArray) -> FloatArray:
    """Log of one more than the periods since the last incident, shape (T, K).

    A period that was not watched counts as one without incidents. Before the first incident, and
    after 120 periods, it is as long as it gets.
    """
    since = np.full(level.shape[1], LONGEST_SILENCE)
    found = np.zeros(level.shape)
    for t in range(len(level)):
        busy = (weight[t] > 0) & (level[t] > 0)
        since = np.where(busy, 0.0, np.minimum(since + 1, LONGEST_SILENCE))
        found[t] = since
    return np.log1p(found)
