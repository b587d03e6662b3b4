"""The same model under other backgrounds, to see whether R stands apart from them."""

from dataclasses import replace

import numpy as np

from escalation.background import Background
from escalation.counts import EndemicEpidemic
from escalation.dynamics import Dynamics
from escalation.engines import Laplace, MaximumLikelihood
from escalation.run.tasks import Tell, generator, silent
from escalation.series import CountSeries
from escalation.study import Study

TREND_SPACING = 365.0
"""Days between the knots of the trend background, unless the kernel asks for more."""
TREND_SCALES = (0.05, 0.15, 0.5, 1.5)
"""Standard deviations of the log rate that the trend may take between knots."""


def backgrounds(
    study: Study, series: CountSeries, headline: Dynamics, progress: Tell | None = None
) -> dict[str, Dynamics]:
    """Refit, by maximum likelihood, under a constant, a seasonal and a trend background.

    The trend's knots stand `TREND_SPACING` days apart, or four times the delay within which nine
    in ten offspring fall if that is longer: a trend that bends faster would take the place of
    what the kernel describes. How far it may bend, the scale of its coefficients' prior, is the
    one of `TREND_SCALES` with the highest evidence (Laplace's approximation).
    """
    tell = progress or silent
    chosen = study.specification
    season = Background(harmonics=chosen.harmonics or 1, season_length=chosen.season_length)
    # The 90 % delay of an exponential kernel is its median times log 10 / log 2.
    slow = float(np.median(headline.delay_median)) * np.log(10) / np.log(2)
    trend = replace(season, trend=max(TREND_SPACING, 4 * slow))
    tell("Other backgrounds", 0, 3)
    terms = {
        "constant": Background(harmonics=0),
        "seasonal": season,
        "trend": most_credible(study.model(), trend, series),
    }
    rngs = generator(study, "alternatives").spawn(len(terms))
    found = {}
    for place, (name, background) in enumerate(terms.items()):
        tell("Other backgrounds", place, len(terms))
        model = replace(study.model(), background=background)
        engine = MaximumLikelihood(draws=study.specification.draws)
        found[name] = model.fit(series, engine, rngs[place]).dynamics()
    tell("Other backgrounds", len(terms), len(terms))
    return found


def most_credible(model: EndemicEpidemic, trend: Background, series: CountSeries) -> Background:
    """The trend with the scale, of `TREND_SCALES`, under which the series is most probable."""
    engine = Laplace(draws=1, starts=1)
    choices = [replace(trend, trend_scale=scale) for scale in TREND_SCALES]
    fits = [replace(model, background=choice).fit(series, engine) for choice in choices]
    evidence = [fit.diagnostics["evidence"] for fit in fits]
    return choices[int(np.argmax(evidence))]
