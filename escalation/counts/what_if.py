"""What-if forecasts: the same future with one incident more or fewer at the end of the series."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import Any, cast

import numpy as np
import polars as pl

from escalation.counts.model import CountModel
from escalation.counts.regimes import Regimes
from escalation.fit import Fit
from escalation.forecast import Forecast
from escalation.parameters import FloatArray
from escalation.series import CountSeries, stream_place


@dataclass(frozen=True, eq=False)
class WhatIf:
    """A forecast as things are, and one after a change; path by path on the same random numbers.

    Attributes
    ----------
    as_it_is : Forecast
    changed : Forecast
        Its paths belong to those of `as_it_is`, one to one.
    stream : str
        Where the change was made.
    change : int
        Incidents more (or fewer, below zero) in the last watched period.
    """

    as_it_is: Forecast
    changed: Forecast
    stream: str
    change: int

    @property
    def difference(self) -> FloatArray:
        """Counts (n, H, K) of each changed path less those as it is; 0 where both ran away."""
        both = np.isinf(self.changed.draws) & np.isinf(self.as_it_is.draws)
        with np.errstate(invalid="ignore"):
            return np.where(both, 0.0, self.changed.draws - self.as_it_is.draws)

    def table(self) -> pl.DataFrame:
        """A row a period and stream: both means, their difference and its standard error.

        Columns `step`, `start`, `end`, `stream`, `as_it_is`, `changed`, `difference`, `error` (of
        simulation) and `total`, the difference summed up to that period.
        """
        apart = self.difference
        mean = apart.mean(axis=0)
        error = apart.std(axis=0, ddof=1) / np.sqrt(len(apart))
        found = self.as_it_is.table(levels=()).select("step", "start", "end", "stream")
        columns = {
            "as_it_is": self.as_it_is.mean,
            "changed": self.changed.mean,
            "difference": mean,
            "error": error,
            "total": np.cumsum(mean, axis=0),
        }
        return found.with_columns(
            **{name: pl.Series(values.ravel()) for name, values in columns.items()}
        )

    def __repr__(self) -> str:
        """Say what was changed, and what follows by the end of the horizon."""
        total = self.difference.mean(axis=0).sum(axis=0)
        told = ", ".join(
            f"{name} {more:+.2f}" for name, more in zip(self.as_it_is.names, total, strict=True)
        )
        periods = f"{self.as_it_is.draws.shape[1]} {self.as_it_is.period}s"
        return f"WhatIf({self.change:+d} in {self.stream}, within {periods}: {told})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table()._repr_html_()}"


def what_if(
    fit: Fit,
    stream: str,
    change: int = 1,
    horizon: int = 12,
    rng: np.random.Generator | None = None,
    draws: int = 1000,
) -> WhatIf:
    """Forecast with incidents added to or taken from a stream's last watched period.

    The intervention of `response`: parameters and latent states are held, and both forecasts use
    the same random numbers, turned into counts by the inverse of their distribution function, so
    that a path differs from its partner by what follows from the change. It says what is followed
    by what in the model, and not what caused what.

    Parameters
    ----------
    fit : Fit
        Of a model of counts.
    stream : str
    change : int
        Incidents more; fewer where negative.
    horizon : int
        Periods.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given.
    draws : int

    Raises
    ------
    ValueError
        For an unknown stream, a change of 0 or below no incidents, a series that nobody watched,
        and for `Regimes`, where a changed count would change what is believed of the phase.
    """
    series = fit.series
    if not isinstance(fit.model, CountModel) or isinstance(fit.model, Regimes):
        raise ValueError(
            f"what_if wants a model of counts whose states a count leaves alone, not "
            f"{type(fit.model).__name__}"
        )
    key = int((np.random.default_rng(0) if rng is None else rng).integers(2**63))
    paths = [
        fit.model.forecast(replace(fit, series=each), horizon, _inverse(key), draws)
        for each in (series, changed_at_end(series, stream, change))
    ]
    return WhatIf(paths[0], replace(paths[1], recent=paths[0].recent), stream, change)


def changed_at_end(series: CountSeries, stream: str, change: int) -> CountSeries:
    """The series with so many more incidents in the last watched period of a stream."""
    place, watched = stream_place(series.names, stream), np.flatnonzero(series.exposure > 0)
    if change == 0 or len(watched) == 0:
        raise ValueError("what_if wants a change other than 0 in a period that was watched")
    counts = series.counts.copy()
    counts[watched[-1], place] += change
    if counts.min() < 0:
        raise ValueError(
            f"{series.counts[watched[-1], place]} incidents of {stream} in the last watched "
            f"{series.period} cannot become {counts[watched[-1], place]}"
        )
    return replace(series, counts=counts)


class _Inverse:
    """A generator whose counts and gamma factors are quantiles at uniform numbers.

    Two of the same key that are asked for the same shapes answer with the same uniforms, whatever
    the means: common random numbers.
    """

    def __init__(self, key: int) -> None:
        self._rng = np.random.default_rng(key)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._rng, name)

    def poisson(self, mean: Any) -> FloatArray:
        # Imported here: listing this module must not load SciPy's distributions.
        from scipy.special import pdtr, pdtrik

        mean = np.asarray(mean, float)
        level = self._rng.random(mean.shape)
        safe = np.maximum(mean, 1e-300)
        guess = np.ceil(np.nan_to_num(pdtrik(level, safe)))
        below = np.maximum(guess - 1, 0.0)
        exact = np.where(pdtr(below, safe) >= level, below, guess)
        return np.where(mean > 0, exact, 0.0)

    def gamma(self, shape: Any, scale: Any = 1.0, size: Any = None) -> FloatArray:
        from scipy.special import gammaincinv

        shape = np.broadcast_to(shape, np.shape(shape) if size is None else size)
        return np.asarray(gammaincinv(shape, self._rng.random(shape.shape)) * scale)

    def standard_gamma(self, shape: Any) -> FloatArray:
        return self.gamma(shape)


def _inverse(key: int) -> np.random.Generator:
    return cast(np.random.Generator, _Inverse(key))
