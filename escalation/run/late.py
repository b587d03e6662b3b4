"""The last periods of a study: what is still to be reported, and the headline fit that knows it."""

import numpy as np

from escalation.fit import Fit
from escalation.forecast import Forecast
from escalation.nowcast import (
    Nowcast,
    ReportingTriangle,
    fits_over_nowcasts,
    pooled_over_nowcasts,
)
from escalation.results import NowcastResults
from escalation.run.tasks import generator
from escalation.series import CountSeries
from escalation.study import NowcastSection, Study

DRAWS = 2000
"""Of the totals of the last periods."""


def last_periods(
    study: Study,
    section: NowcastSection,
    triangle: ReportingTriangle,
    origin: str,
    series: CountSeries,
) -> NowcastResults:
    """Learn how late reports come, and what the last periods will have.

    Parameters
    ----------
    study, section : Study, NowcastSection
    triangle, origin : ReportingTriangle, str
        See `reported`.
    series : CountSeries
        The counts as recorded.

    Raises
    ------
    ValueError
        If the triangle is too small, or its draws have no end.
    """
    model = Nowcast(
        delays=section.delays, pace=section.pace, momentum=section.momentum,
        weekday=section.weekday,
    )  # fmt: skip
    rng = generator(study, "nowcast")
    try:
        fit = model.fit(triangle, study.engine(section), rng)
        totals = fit.totals(rng, DRAWS)[:, -triangle.longest :].astype(np.int64)
    except ValueError as fault:
        raise ValueError(f"key 'nowcast': {fault}") from None
    return NowcastResults(fit, totals, origin, series)


def headline(
    study: Study, series: CountSeries, nowcast: NowcastResults | None
) -> tuple[Fit, Forecast, tuple[Fit, ...]]:
    """The headline fit, its forecast, and the fits that it pools (itself if it is one).

    Where the study asks for it, the model is fitted to several series that the nowcast completes,
    and the forecast is of all of them.
    """
    rng, asked, chosen = generator(study, "fit"), study.forecast, study.nowcast
    if nowcast is None or chosen is None or not chosen.complete:
        fit = study.model().fit(series, engine=study.engine(), rng=rng)
        ahead = fit.forecast(asked.horizon, generator(study, "forecast"), draws=asked.draws)
        return fit, ahead, (fit,)
    fits = fits_over_nowcasts(
        study.model(), nowcast.fit, engine=study.engine(), fits=chosen.fits, rng=rng, series=series
    )
    fit = pooled_over_nowcasts(fits, nowcast.fit, generator(study, "nowcast"), series)
    rng = generator(study, "forecast")
    sizes = [len(part) for part in np.array_split(np.arange(asked.draws), len(fits))]
    told = [
        one.forecast(asked.horizon, rng, draws=size)
        for one, size in zip(fits, sizes, strict=True)
        if size
    ]
    draws = np.concatenate([one.draws for one in told])
    return fit, Forecast.after(fit.series, draws, told[0].model), fits


def closed(series: CountSeries, nowcast: NowcastResults | None) -> CountSeries:
    """The periods of which no report is to come, by which past forecasts are judged."""
    if nowcast is None:
        return series
    triangle = nowcast.fit.triangle
    first = triangle.edges[max(len(triangle) - triangle.longest, 1)].item()
    return nowcast.recorded.split(first)[0]
