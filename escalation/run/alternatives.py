"""The same model under other backgrounds, to see whether R stands apart from them."""

from dataclasses import replace

import numpy as np

from escalation.background import Background
from escalation.dynamics import Dynamics
from escalation.run.tasks import Tell, generator, silent
from escalation.series import CountSeries
from escalation.study import Study

TREND_SPACING = 365.0
"""Days between the knots of the trend background, unless the kernel asks for more."""


def backgrounds(
    study: Study, series: CountSeries, headline: Dynamics, progress: Tell | None = None
) -> dict[str, Dynamics]:
    """Refit, by the quick engine, under a constant, a seasonal and a trend background.

    The trend's knots stand `TREND_SPACING` days apart, or four times the delay within which nine
    in ten offspring fall if that is longer: a trend that bends faster would take the place of
    what the kernel describes. Its coefficients are penalised by their prior.
    """
    tell = progress or silent
    chosen = study.specification
    season = Background(harmonics=chosen.harmonics or 1, season_length=chosen.season_length)
    # The 90 % delay of an exponential kernel is its median times log 10 / log 2.
    slow = float(np.median(headline.delay_median)) * np.log(10) / np.log(2)
    terms = {
        "constant": Background(harmonics=0),
        "seasonal": season,
        "trend": replace(season, trend=max(TREND_SPACING, 4 * slow)),
    }
    rngs = generator(study, "alternatives").spawn(len(terms))
    found = {}
    for place, (name, background) in enumerate(terms.items()):
        tell("Other backgrounds", place, len(terms))
        model = replace(study.model(), background=background)
        found[name] = model.fit(series, study.quick_engine(), rngs[place]).dynamics()
    tell("Other backgrounds", len(terms), len(terms))
    return found
