"""The contract of the own-history models: a pooled law of every unit's next periods."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from escalation.forecast import Forecast
from escalation.own_history.history import History
from escalation.own_history.paths import as_paths
from escalation.series import CountSeries
from escalation.window import FloatArray

PERSISTENCE = 0.88
LASTING = 0.6
"""The copula between the periods of a path (`paths.as_paths`), as in the residuals of 2003-2017."""


class OwnHistoryModel(ABC):
    """A forecast of many units, each from its own past, with parameters common to all.

    Every stream of a series is a unit. A concrete model is a frozen dataclass of its settings.
    Periods in which a unit was not watched are not observations.
    """

    name: ClassVar[str]

    def fit(self, series: CountSeries, *, rng: np.random.Generator | None = None) -> FittedHistory:
        """Learn the common parameters from a series; `rng` is not used.

        Raises
        ------
        ValueError
            When no period of the series was watched.
        """
        history = History.of(series)
        if not (history.weight > 0).any():
            raise ValueError(f"{self.name}: no {series.period} of the series was watched")
        return FittedHistory(self, series, history, self.learn(history))

    @abstractmethod
    def learn(self, history: History) -> Mapping[str, FloatArray]:
        """Estimate the common parameters."""

    @abstractmethod
    def draws(
        self, history: History, learned: Mapping[str, FloatArray], horizon: int, n: int
    ) -> FloatArray:
        """Even draws of each coming period by itself: counts, shape (n, horizon, K)."""


@dataclass(frozen=True, eq=False)
class FittedHistory:
    """An own-history model with what it learned from a series.

    Parameters
    ----------
    model : OwnHistoryModel
    series : CountSeries
    history : History
        The series as levels.
    learned : mapping of str to array
    """

    model: OwnHistoryModel
    series: CountSeries
    history: History
    learned: Mapping[str, FloatArray]

    def forecast(self, horizon: int, rng: np.random.Generator, draws: int = 1000) -> Forecast:
        """Draw the next `horizon` periods after the series.

        The draws of a period are the even quantiles of its law; `rng` only ties them to paths.
        """
        if horizon < 1 or draws < 1:
            raise ValueError(f"horizon and draws are at least 1, not {horizon} and {draws}")
        marginal = self.model.draws(self.history, self.learned, horizon, draws)
        return Forecast.after(
            self.series, as_paths(marginal, rng, PERSISTENCE, LASTING), self.model.name
        )
