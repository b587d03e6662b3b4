"""The same model under other backgrounds, to see whether R stands apart from them."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from escalation.background import Background
from escalation.dynamics import Dynamics
from escalation.engines import Engine, MaximumLikelihood, Posterior, Problem
from escalation.parameters import FloatArray, Normal
from escalation.run.tasks import Tell, generator, silent
from escalation.series import CountSeries
from escalation.study import Study

TREND_SPACING = 365.0
"""Days between the knots of the trend background, unless the kernel asks for more."""


def backgrounds(
    study: Study, series: CountSeries, headline: Dynamics, progress: Tell | None = None
) -> dict[str, Dynamics]:
    """Refit by maximum likelihood under a constant, a seasonal and a trend background.

    The trend's knots stand `TREND_SPACING` days apart, or four times the delay within which nine
    in ten offspring fall if that is longer: a trend that bends faster would take the place of
    what the kernel describes. Its coefficients are held back by their prior, see
    `PenalisedTrend`.
    """
    tell = progress or silent
    chosen = study.specification
    season = Background(harmonics=chosen.harmonics or 1, season_length=chosen.season_length)
    # The 90 % delay of an exponential kernel is its median times log 10 / log 2.
    slow = float(np.median(headline.delay_median)) * np.log(10) / np.log(2)
    terms: dict[str, tuple[Background, Engine]] = {
        "constant": (Background(harmonics=0), MaximumLikelihood()),
        "seasonal": (season, MaximumLikelihood()),
        "trend": (replace(season, trend=max(TREND_SPACING, 4 * slow)), PenalisedTrend()),
    }
    rngs = generator(study, "alternatives").spawn(len(terms))
    found = {}
    for place, (name, (background, engine)) in enumerate(terms.items()):
        tell("Other backgrounds", place, len(terms))
        model = replace(study.model(), background=background)
        found[name] = model.fit(series, engine=engine, rng=rngs[place]).dynamics()
    tell("Other backgrounds", len(terms), len(terms))
    return found


@dataclass(frozen=True)
class PenalisedTrend(Engine):
    """Maximum likelihood in which the normal prior of the trend's coefficients is a penalty.

    Without one the spline runs off to minus infinity wherever a stream is quiet for a year: the
    information is singular and the optimiser slow.
    """

    name = "maximum likelihood, trend penalised"

    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        """Maximise the penalised likelihood; draws as those of `MaximumLikelihood`."""
        layout, inner = problem.layout, problem.core
        trend = next(each for each in layout.parameters if each.name == "trend")
        first = layout.start("trend")
        at = slice(first, first + trend.size)
        if not isinstance(trend.prior, Normal):
            raise TypeError(f"the trend's prior is {trend.prior}, wanted a normal one")
        mean, sd = trend.prior.mean, trend.prior.sd

        def core(
            theta: FloatArray, values: FloatArray, *arrays: Any
        ) -> tuple[float, FloatArray, FloatArray]:
            value, by_rest, by_values = inner(theta, values, *arrays)
            z = (theta[at] - mean) / sd
            by_rest = by_rest.copy()
            by_rest[at] -= z / sd
            return value - 0.5 * float(z @ z), by_rest, by_values

        return MaximumLikelihood().run(replace(problem, core=core), rng)
