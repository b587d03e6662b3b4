"""The same model under other backgrounds, to see whether R stands apart from them."""

from dataclasses import replace

import numpy as np

from escalation.background import Background
from escalation.dynamics import Dynamics
from escalation.engines import MaximumLikelihood
from escalation.run.tasks import Tell, generator, silent
from escalation.series import CountSeries
from escalation.study import Study
from escalation.trend_choice import choose_trend

TREND_SPACING = 365.0
"""Days between the knots of the trend background, unless the kernel asks for more."""


def backgrounds(
    study: Study, series: CountSeries, headline: Dynamics, progress: Tell | None = None
) -> dict[str, Dynamics]:
    """Refit, by maximum likelihood, under a constant, a seasonal and a trend background.

    The trend's knots stand `TREND_SPACING` days apart, or four times the delay within which nine
    in ten offspring fall if that is longer: a trend that bends faster would take the place of
    what the kernel describes. How far it may bend, the scale of its coefficients' prior, is the
    one of `escalation.trend_choice.SCALES` with the highest evidence.
    """
    tell = progress or silent
    chosen = study.specification
    season = Background(harmonics=chosen.harmonics or 1, season_length=chosen.season_length)
    # The 90 % delay of an exponential kernel is its median times log 10 / log 2.
    slow = float(np.median(headline.delay_median)) * np.log(10) / np.log(2)
    knots = max(TREND_SPACING, 4 * slow)
    trend = replace(season, trend=knots)
    tell("Other backgrounds", 0, 3)
    terms = {
        "constant": Background(harmonics=0),
        "seasonal": season,
        "trend": choose_trend(
            replace(study.model(), background=trend), series, spacings=(knots,), none=False
        ).model.background,
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
