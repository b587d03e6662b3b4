"""Ensemble: several models as one, with weights that are given or learned from the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from escalation.backtest.tasks import Fitted, Forecaster, Task, known_at
from escalation.ensemble.over_time import (
    SCORES,
    PastForecasts,
    pool_forecasts,
    recalibrated,
)
from escalation.ensemble.pooling import METHODS, shares
from escalation.ensemble.recalibration import PRIOR, Recalibration, pit_log_odds
from escalation.forecast import Forecast
from escalation.own_history import OwnHistoryPool
from escalation.series import CountSeries
from escalation.window import FloatArray


@dataclass(frozen=True)
class Learning:
    """How an ensemble learns from the past of the series that it is fitted to.

    The members forecast from `origins` earlier days, `every` periods apart, each from what was
    known then; the last of them lies one horizon before the end, so that all outcomes are known.
    Whatever is learned is learned inside the series given to `fit`: in a backtest nothing leaks
    from the future.

    Parameters
    ----------
    origins : int
        Earlier origins; as many as leave half of the series before them.
    every : int
        Periods between them.
    horizon : int
        Periods of these forecasts.
    draws : int
        Draws of these forecasts; for a recalibration best as many as the ensemble's forecasts will
        have, because their laws go on from the outermost draw.
    score : {"crps", "crps of logarithms", "log score"} or None
        What the weights are best at (`PastForecasts.weights`); None keeps them as they are.
    recalibrate : bool
        Whether the pool is recalibrated by the PITs of the past pools, a map a stream.
    prior : float
        Past cases that no recalibration is worth.
    """

    origins: int = 12
    every: int = 4
    horizon: int = 12
    draws: int = 1000
    score: str | None = "crps of logarithms"
    recalibrate: bool = False
    prior: float = PRIOR

    def __post_init__(self) -> None:
        if min(self.origins, self.every, self.horizon) < 1 or self.draws < 2:
            raise ValueError(f"origins, every, horizon are at least 1 and draws 2, not {self}")
        if self.score is not None and self.score not in SCORES:
            raise ValueError(f"score must be None or one of {SCORES}, not {self.score!r}")


@dataclass(frozen=True)
class Ensemble:
    """Several models as one: a weighted pool of their forecasts. Usable as any model.

    Parameters
    ----------
    members : mapping of str to model
        Models, baselines or ensembles, by name.
    weights : tuple of float, optional
        At least 0, summing to 1; equal unless given. Learned ones take their place where the past
        holds a case with an outcome.
    method : {"linear pool", "quantile average"}
        Whether probabilities or quantiles are averaged.
    learning : Learning, optional
        How weights, recalibration or both are learned from the past of the series.

    Raises
    ------
    ValueError
        For no members, another method, or weights that are none.

    References
    ----------
    Hall and Mitchell (2007), International Journal of Forecasting 23, for learned weights;
    Timmermann (2006), Handbook of Economic Forecasting 1, chapter 4, on why equal weights are hard
    to beat.
    """

    members: Mapping[str, Forecaster]
    weights: tuple[float, ...] | None = None
    method: str = "linear pool"
    learning: Learning | None = None

    def __post_init__(self) -> None:
        m = len(self.members)
        if m == 0 or self.method not in METHODS:
            raise ValueError(f"an ensemble needs members and a method of {METHODS}")
        if self.weights is not None:
            weights = tuple(float(w) for w in self.weights)
            if len(weights) != m or min(weights) < 0 or abs(sum(weights) - 1) > 1e-6:
                raise ValueError(f"{m} members need as many weights that sum to 1, not {weights}")
            object.__setattr__(self, "weights", weights)

    @property
    def name(self) -> str:
        """What its forecasts say made them."""
        return f"ensemble of {', '.join(self.members)}"

    @classmethod
    def default(cls) -> Ensemble:
        """The ensemble for many units (countries, provinces, dyads), each stream of a series one.

        `own_history.OwnHistoryPool`: three own-history models of different shape with parameters
        common to all units, fitted in seconds (docs/challenge.md).
        """
        return cls({"own history": OwnHistoryPool()})

    def fit(self, series: CountSeries, rng: np.random.Generator | None = None) -> FittedEnsemble:
        """Fit the members, and learn from the series' past what is to be learned.

        Parameters
        ----------
        series : CountSeries
        rng : numpy.random.Generator, optional
            Randomness of fits and of past forecasts; seed 0 unless given.
        """
        rng = np.random.default_rng(0) if rng is None else rng
        m = len(self.members)
        weights = np.array(self.weights) if self.weights else np.full(m, 1 / m)
        maps: tuple[Recalibration, ...] = ()
        if self.learning is not None:
            past = self._past(series, self.learning, rng)
            if past is not None:
                came = any(not np.isnan(each).all() for each in past.observed)
                if self.learning.score is not None and came:
                    weights = past.weights_at(series.window.end, self.learning.score)
                if self.learning.recalibrate:
                    maps = self._maps(past, weights, self.learning, rng)
        fits = {name: model.fit(series, rng=rng) for name, model in self.members.items()}
        return FittedEnsemble(self, series, fits, weights, maps)

    def _past(
        self, series: CountSeries, learning: Learning, rng: np.random.Generator
    ) -> PastForecasts | None:
        """Past forecasts of the members; None where the series is too short for any."""
        last = len(series) - learning.horizon
        places = last - learning.every * np.arange(learning.origins)[::-1]
        starts = [series.edges[at].item() for at in places if at >= max(1, len(series) // 2)]
        if not starts:
            return None
        forecasts, observed = [], []
        for day in starts:
            task = Task(self.name, 0, day, learning.horizon, 0, learning.draws)
            known = known_at(series, task)
            forecasts.append(
                {
                    name: model.fit(known.learned, rng=rng).forecast(
                        learning.horizon, rng, draws=learning.draws
                    )
                    for name, model in self.members.items()
                }
            )
            observed.append(known.observed)
        return PastForecasts(forecasts, observed)

    def _maps(
        self, past: PastForecasts, weights: FloatArray, learning: Learning, rng: np.random.Generator
    ) -> tuple[Recalibration, ...]:
        same = np.tile(weights, (len(past.forecasts), 1))
        pooled = past.pooled(same, method=self.method, draws=learning.draws, rng=rng)
        ends = [
            np.concatenate(side)
            for side in zip(
                *(pit_log_odds(f.draws, y) for f, y in zip(pooled, past.observed, strict=True)),
                strict=True,
            )
        ]
        return tuple(
            Recalibration.learn(ends[0][:, k], ends[1][:, k], learning.prior)
            for k in range(ends[0].shape[1])
        )


@dataclass(frozen=True, eq=False)
class FittedEnsemble:
    """An ensemble with its members' fits and the weights in use.

    Parameters
    ----------
    ensemble : Ensemble
    series : CountSeries
    fits : mapping of str to fit
    weights : array of float64, shape (M,)
    maps : tuple of Recalibration
        One a stream; empty where nothing is recalibrated.
    """

    ensemble: Ensemble
    series: CountSeries
    fits: Mapping[str, Fitted]
    weights: FloatArray
    maps: tuple[Recalibration, ...] = ()

    def forecast(self, horizon: int, rng: np.random.Generator, draws: int = 1000) -> Forecast:
        """Draw the next `horizon` periods after the series.

        Parameters
        ----------
        horizon : int
        rng : numpy.random.Generator
        draws : int
            Draws of the ensemble. In a linear pool a member makes as many as its share, two at
            least.
        """
        linear = self.ensemble.method == "linear pool"
        wanted = shares(self.weights, draws) if linear else np.full(len(self.fits), draws)
        members = [
            fit.forecast(horizon, rng, draws=max(2, int(n)))
            for fit, n in zip(self.fits.values(), wanted, strict=True)
        ]
        made = pool_forecasts(
            members, self.weights, method=self.ensemble.method, draws=draws, rng=rng,
            name=self.ensemble.name,
        )  # fmt: skip
        return recalibrated(made, self.maps, rng) if self.maps else made
