"""Baselines that say one level: none, or the last one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from escalation.baselines.base import Baseline, FittedBaseline
from escalation.window import FloatArray


@dataclass(frozen=True)
class Zero(Baseline):
    """Nothing will happen: every draw is zero. It is hard to beat where little happens."""

    name: ClassVar[str] = "zero"

    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""
        return np.zeros((draws, horizon, fitted.series.n_streams))


@dataclass(frozen=True)
class Persistence(Baseline):
    r"""The level of the last periods goes on, Poisson.

    A rate for each stream and draw from the Jeffreys posterior of the last `periods` watched
    periods, :math:`\lambda \sim \text{Gamma}(\sum y + 1/2, \sum e)` with e the share of each
    that was watched, then Poisson counts around it. A quiet past is not taken for certainty.

    Parameters
    ----------
    periods : int
        Watched periods that make up the last level.
    """

    name: ClassVar[str] = "persistence"
    periods: int = 4

    def __post_init__(self) -> None:
        if self.periods < 1:
            raise ValueError(f"periods must be at least 1, not {self.periods}")

    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""
        series = fitted.series
        last = np.flatnonzero(series.exposure > 0)[-self.periods :]
        total, watched = series.counts[last].sum(axis=0), series.scale[last].sum()
        rate = rng.gamma(total + 0.5, 1 / watched, (draws, series.n_streams))
        return rng.poisson(rate[:, None], (draws, horizon, series.n_streams)).astype(np.float64)
