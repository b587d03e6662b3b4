"""Dates known to a span of days: the same fit over many draws of the days."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from escalation.engines import MaximumLikelihood
from escalation.fit import Fit
from escalation.parameters import FloatArray
from escalation.series import CountSeries, EventSeries

if TYPE_CHECKING:
    from escalation.actors import Actors
    from escalation.engines import Engine
    from escalation.fit import Model
    from escalation.incidents import Incidents
    from escalation.streams import Stream


@dataclass(frozen=True, eq=False)
class FitOverDates:
    """What a model learned with every unknown day drawn several times from its span.

    Attributes
    ----------
    pooled : Fit
        The draws of all the fits together, over the series of first days: parameters, dynamics
        and forecasts that carry the uncertainty of the dates. Its estimate is the mean of the
        fits' estimates, its log-likelihood that of the first days at that estimate's own fit.
    at_first_days : Fit
        What is learned when every incident stands on its first day.
    fits : tuple of Fit
        One for each draw of the days.
    share : float
        Share of the incidents of all streams whose day is not known.
    """

    pooled: Fit
    at_first_days: Fit
    fits: tuple[Fit, ...]
    share: float

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """A row for each scalar parameter.

        Columns: parameter, first days (the estimate with every incident on its first day),
        estimate, sd, lower, upper (over all draws of the days), from dates (share of the variance
        that comes from not knowing the days: the between-fits part of Rubin's rule).
        """
        summary = self.pooled.summary(level)
        between, total = self._variances()
        share = np.divide(between, total, out=np.zeros_like(total), where=total > 0)
        return summary.select(
            "parameter",
            self.at_first_days.summary(level)["estimate"].alias("first days"),
            "estimate", "sd", "lower", "upper",
            pl.Series("from dates", np.minimum(share, 1.0)),
        )  # fmt: skip

    def _variances(self) -> tuple[FloatArray, FloatArray]:
        """Variance of the estimates between fits (with their finite number) and of all draws."""
        parameters = self.pooled.parameters
        free = np.concatenate([np.ravel(p.mask) for p in parameters])
        centres = np.stack(
            [np.concatenate([np.ravel(one.estimate[p.name]) for p in parameters])
             for one in self.fits]
        )  # fmt: skip
        inner = np.stack([one.theta.var(axis=0) for one in self.fits]).mean(axis=0)
        between = centres.var(axis=0, ddof=1) * (1 + 1 / len(self.fits))
        return between[free], (between + inner)[free]

    def __repr__(self) -> str:
        """Say how many fits, and how much of the record they redraw."""
        return (
            f"FitOverDates({self.pooled.model!r}, {len(self.fits)} draws of the days of "
            f"{100 * self.share:.1f} % of the incidents)"
        )

    def _repr_html_(self) -> str:
        return str(self.table()._repr_html_())


def fit_over_dates(
    model: Model,
    incidents: Incidents,
    streams: Sequence[Stream],
    period: str | None = None,
    *,
    engine: Engine | None = None,
    fits: int = 20,
    rng: np.random.Generator | None = None,
    actors: Actors | None = None,
) -> FitOverDates:
    """Fit a model with the days that are known to a span only drawn anew for each fit.

    Each draw places every such incident evenly on one of the days it may have happened on. The
    fits are pooled with equal weight (multiple imputation). The days are drawn without regard to
    the model, so a response within the spans' length is still blurred, as it is in the record;
    what the pooled intervals add is how far the answer depends on the days that nobody knows.

    Parameters
    ----------
    model : Model
    incidents : Incidents
    streams : sequence of Stream
    period : {"day", "week", "month"}, optional
        For a model of counts; without it the model is given an `EventSeries`.
    engine : Engine, optional
        Maximum likelihood if not given.
    fits : int
        Draws of the days; at least 2.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given.
    actors : Actors, optional

    Raises
    ------
    ValueError
        If fewer than 2 fits are asked for.

    References
    ----------
    Rubin (1987), Multiple Imputation for Nonresponse in Surveys, section 3.1.
    """
    if fits < 2:
        raise ValueError(f"at least 2 draws of the days are needed to compare them, got {fits}")
    rng = np.random.default_rng(0) if rng is None else rng
    engine = engine or MaximumLikelihood()

    def series(taken: Incidents) -> CountSeries | EventSeries:
        if period is None:
            return EventSeries.from_incidents(taken, streams, actors)
        return CountSeries.from_incidents(taken, streams, period, actors)

    usual = model.fit(series(incidents), engine, rng)
    found = tuple(model.fit(series(incidents.redated(rng)), engine, rng) for _ in range(fits))
    names = list(usual.draws)
    pooled = replace(
        usual,
        draws={name: np.concatenate([one.draws[name] for one in found]) for name in names},
        estimate={
            name: np.mean([one.estimate[name] for one in found], axis=0) for name in usual.estimate
        },
        diagnostics={**usual.diagnostics, "fits over dates": fits},
    )
    chosen = pl.concat([stream.select(incidents, actors).table for stream in streams])
    late = (chosen["date_latest"] > chosen["date"]).mean() if len(chosen) else 0.0
    return FitOverDates(pooled, usual, found, float(late or 0.0))  # type: ignore[arg-type]
