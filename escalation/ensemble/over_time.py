"""Weights and recalibration for a sequence of origins, each learned from the origins before it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from escalation.ensemble.pooling import METHODS, linear_pool, quantile_average
from escalation.ensemble.recalibration import PRIOR, Recalibration, pit_log_odds
from escalation.ensemble.stacking import (
    crps_parts,
    stack_crps,
    stack_log_scores,
    weights_over_time,
)
from escalation.forecast import Forecast
from escalation.forecast.readings import reach
from escalation.scores import smoothed_pmf
from escalation.window import BoolArray, DateArray, FloatArray

SCORES = ("log score", "crps", "crps of logarithms")


def pool_forecasts(
    members: Sequence[Forecast],
    weights: ArrayLike | None = None,
    *,
    method: str = "linear pool",
    draws: int | None = None,
    rng: np.random.Generator,
    name: str = "ensemble",
) -> Forecast:
    """One forecast from several of the same periods and streams.

    Parameters
    ----------
    members : sequence of Forecast
        Made on the same day, of the same periods and streams.
    weights : array_like, shape (M,), optional
        Equal ones unless given.
    method : {"linear pool", "quantile average"}
    draws : int, optional
        Draws of the forecast; as many as the first member has unless given.
    rng : numpy.random.Generator
    name : str
        What the forecast says made it.

    Returns
    -------
    Forecast

    Raises
    ------
    ValueError
        For another method, or forecasts that are not of the same.
    """
    first = members[0]
    for other in members[1:]:
        same = other.names == first.names and other.made_on == first.made_on
        if not same or not np.array_equal(other.edges, first.edges):
            raise ValueError(f"{other!r} is not of the periods and streams of {first!r}")
    if method not in METHODS:
        raise ValueError(f"method must be one of {METHODS}, not {method!r}")
    share = np.full(len(members), 1 / len(members)) if weights is None else weights
    arrays = [member.draws for member in members]
    if method == "linear pool":
        pooled = linear_pool(arrays, share, draws or len(first.draws), rng)
    else:
        pooled = quantile_average(arrays, share, rng, draws)
    return replace(first, draws=pooled, model=name)


@dataclass(frozen=True, eq=False)
class PastForecasts:
    """Forecasts of several members from one origin after another, and what came.

    The order of origins is that of time. From each, all members forecast the same periods and
    streams.

    Parameters
    ----------
    forecasts : sequence of mapping of str to Forecast
        One mapping an origin, by the names of the members.
    observed : sequence of array, shape (H, K)
        What came; NaN where nobody watched.
    """

    forecasts: Sequence[Mapping[str, Forecast]]
    observed: Sequence[FloatArray]

    def __post_init__(self) -> None:
        if len(self.forecasts) == 0 or len(self.forecasts) != len(self.observed):
            raise ValueError(
                f"{len(self.forecasts)} origins need as many observations, "
                f"not {len(self.observed)}; one or more"
            )
        days = [next(iter(each.values())).made_on for each in self.forecasts]
        if any(set(each) != set(self.forecasts[0]) for each in self.forecasts):
            raise ValueError("every origin needs a forecast of every member")
        if sorted(set(days)) != days:
            raise ValueError("origins must follow each other in time")

    @property
    def members(self) -> tuple[str, ...]:
        """Names of the members."""
        return tuple(self.forecasts[0])

    @property
    def made_on(self) -> DateArray:
        """The first day not known at each origin, shape (O,)."""
        return np.array([self._first(each).made_on for each in self.forecasts], "datetime64[D]")

    @property
    def known_on(self) -> DateArray:
        """The day after each case's period, (O * H * K,): then its outcome is known."""
        firsts = [self._first(each) for each in self.forecasts]
        return np.concatenate([np.repeat(f.edges[1:], len(f.names)) for f in firsts])

    def weights(self, score: str = "crps", *, fewest: int = 1) -> FloatArray:
        """Weights of a linear pool for each origin, learned from the cases known by then.

        Parameters
        ----------
        score : {"crps", "crps of logarithms", "log score"}
            What is best on the past. The CRPS is in the unit of the counts, so that busy streams
            decide; that of log(1 + count) looks at ratios; the log score at each case alike.
        fewest : int
            Equal weights where fewer cases than that are known.

        Returns
        -------
        numpy.ndarray
            (O, M).
        """
        learn = self._learn(score)
        return weights_over_time(
            self.made_on, self.known_on, learn, len(self.members), fewest=fewest
        )

    def weights_at(self, day: date, score: str = "crps") -> FloatArray:
        """Weights (M,) as on one day, from all cases that were known then."""
        when = np.array([day], dtype="datetime64[D]")
        found = weights_over_time(when, self.known_on, self._learn(score), len(self.members))
        return np.asarray(found[0])

    def _learn(self, score: str) -> Callable[[BoolArray], FloatArray]:
        """Weights from some of the cases."""
        if score not in SCORES:
            raise ValueError(f"score must be one of {SCORES}, not {score!r}")
        parts = [
            self._parts(each, came, score)
            for each, came in zip(self.forecasts, self.observed, strict=True)
        ]
        tables = [np.concatenate(t, axis=-1) for t in zip(*parts, strict=True)]

        def learn(usable: BoolArray) -> FloatArray:
            if score == "log score":
                return stack_log_scores(tables[0][:, usable].T)
            return stack_crps(tables[0][:, usable], tables[1][:, :, usable])

        return learn

    def pooled(
        self,
        weights: ArrayLike,
        *,
        method: str = "linear pool",
        draws: int | None = None,
        rng: np.random.Generator,
    ) -> tuple[Forecast, ...]:
        """The ensemble's forecast from each origin, with its (O, M) weights."""
        return tuple(
            pool_forecasts(list(each.values()), w, method=method, draws=draws, rng=rng)
            for each, w in zip(self.forecasts, np.asarray(weights), strict=True)
        )

    def weights_table(self, weights: ArrayLike) -> pl.DataFrame:
        """Weights (O, M) as a table: a row an origin, a column a member."""
        columns = dict(zip(self.members, np.asarray(weights).T, strict=True))
        return pl.DataFrame({"origin": self.made_on} | columns)

    @staticmethod
    def _first(each: Mapping[str, Forecast]) -> Forecast:
        return next(iter(each.values()))

    def _parts(
        self, each: Mapping[str, Forecast], came: FloatArray, score: str
    ) -> tuple[FloatArray, ...]:
        """Tables of an origin whose last axis are its cases."""
        y = np.asarray(came, dtype=np.float64)
        drawn = [each[name].draws for name in self.members]
        m = len(drawn)
        if score == "log score":
            return (np.stack([smoothed_pmf(x, y).ravel() for x in drawn]),)
        first = self._first(each)
        cap = reach(first)
        if score == "crps of logarithms":
            drawn, y, cap = [np.log1p(x) for x in drawn], np.log1p(y), np.log1p(cap)
        error, distance = crps_parts(drawn, y, cap)
        return error.reshape(m, -1), distance.reshape(m, m, -1)


def recalibrated_over_time(
    forecasts: Sequence[Forecast],
    observed: Sequence[FloatArray],
    *,
    prior: float = PRIOR,
    rng: np.random.Generator,
) -> tuple[Forecast, ...]:
    """Forecasts of one forecaster, each recalibrated by the PITs that were known when it was made.

    One map a stream, for all steps of the horizon together.

    Parameters
    ----------
    forecasts : sequence of Forecast
        From one origin after another, of the same streams.
    observed : sequence of array, shape (H, K)
        What came; NaN where nobody watched.
    prior : float
        Cases that the identity is worth (`PRIOR`).
    rng : numpy.random.Generator

    Returns
    -------
    tuple of Forecast
    """
    past = PastForecasts([{"": each} for each in forecasts], observed)
    ends = [pit_log_odds(f.draws, y) for f, y in zip(forecasts, observed, strict=True)]
    known = [each.edges[1:] for each in forecasts]
    made = []
    for each, day in zip(forecasts, past.made_on, strict=True):
        learned = [_learned(ends, known, day, k, prior) for k in range(len(each.names))]
        made.append(recalibrated(each, learned, rng))
    return tuple(made)


def recalibrated(
    forecast: Forecast, maps: Sequence[Recalibration], rng: np.random.Generator
) -> Forecast:
    """A forecast with a recalibration applied to each of its streams."""
    drawn = [each.apply(forecast.draws[:, :, k], rng) for k, each in enumerate(maps)]
    return replace(forecast, draws=np.stack(drawn, axis=2), model=f"{forecast.model}, recalibrated")


def _learned(
    ends: Sequence[tuple[FloatArray, FloatArray]],
    known: Sequence[DateArray],
    day: np.datetime64,
    stream: int,
    prior: float,
) -> Recalibration:
    """The map of a stream, from the cases known on a day."""
    pairs = list(zip(ends, known, strict=True))
    lower = np.concatenate([each[0][on <= day, stream] for each, on in pairs])
    upper = np.concatenate([each[1][on <= day, stream] for each, on in pairs])
    return Recalibration.learn(lower, upper, prior)
