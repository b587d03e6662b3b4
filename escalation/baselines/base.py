"""What every baseline is: its settings, and draws after a series."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from escalation.forecast import Forecast
from escalation.series import CountSeries
from escalation.window import BoolArray, DateArray, FloatArray


class Baseline(ABC):
    """A simple forecast. A concrete one is a frozen dataclass of its settings.

    Periods that were not watched are not observations, and those watched in part are used only
    where the baseline can weigh them.
    """

    name: ClassVar[str]

    def fit(self, series: CountSeries, rng: np.random.Generator | None = None) -> FittedBaseline:
        """Learn from a series what the forecast needs; `rng` is not used.

        Raises
        ------
        ValueError
            When no period of the series was watched, or some streams were watched less than others.
        """
        if series.uneven:
            raise ValueError(
                f"{self.name}: some units were watched less than others; give each a series of its "
                "own, or take a model that knows their watch, such as OwnHistoryPool"
            )
        if not (series.exposure > 0).any():
            raise ValueError(f"{self.name}: no {series.period} of the series was watched")
        return FittedBaseline(self, series, self.learn(series))

    def learn(self, series: CountSeries) -> Mapping[str, FloatArray]:
        """Estimates that the draws need; nothing for a baseline that resamples."""
        return {}

    @abstractmethod
    def sample(
        self, fitted: FittedBaseline, horizon: int, rng: np.random.Generator, draws: int
    ) -> FloatArray:
        """Draws of the next periods, shape (draws, horizon, K)."""


@dataclass(frozen=True, eq=False)
class FittedBaseline:
    """A baseline with the series that it learned from.

    Parameters
    ----------
    baseline : Baseline
    series : CountSeries
    estimate : mapping of str to array
        What it learned, if anything.
    """

    baseline: Baseline
    series: CountSeries
    estimate: Mapping[str, FloatArray]

    def forecast(self, horizon: int, rng: np.random.Generator, draws: int = 1000) -> Forecast:
        """Draw the next `horizon` periods after the series."""
        if horizon < 1 or draws < 1:
            raise ValueError(f"horizon and draws are at least 1, not {horizon} and {draws}")
        paths = self.baseline.sample(self, horizon, rng, draws)
        return Forecast.after(self.series, paths, self.baseline.name)

    def carried_on(self, series: CountSeries) -> FittedBaseline:
        """The same estimates before the periods that follow a longer series.

        Raises
        ------
        ValueError
            When the series does not begin as the one that was learned from.
        """
        if series.edges[0] != self.series.edges[0] or series.names != self.series.names:
            raise ValueError(
                f"a series that goes on begins on {self.series.edges[0]} with the streams "
                f"{self.series.names}, not on {series.edges[0]} with {series.names}"
            )
        return replace(self, series=series)


def in_full(series: CountSeries) -> BoolArray:
    """Periods watched in full, (T,); those watched at all where none was in full."""
    full = watched_in_full(series)
    return full if full.any() else series.exposure > 0


def watched_in_full(series: CountSeries) -> BoolArray:
    """Periods watched in full, (T,)."""
    return np.asarray(series.scale > 1 - 1e-9)


def days_between(first: np.ndarray | np.datetime64, last: DateArray | np.datetime64) -> FloatArray:
    """Days from one date to another, element by element."""
    return np.asarray((last - first) / np.timedelta64(1, "D"), dtype=np.float64)
