"""Variances given the past, against many simulated next periods."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation import Background, CountSeries, EndemicEpidemic, Hurdle, Ingarch, LogLinear
from escalation.counts.model import CountModel
from escalation.engines import MaximumLikelihood
from escalation.parameters import Layout

FLAT = Background(harmonics=0)
MODELS: list[CountModel] = [
    EndemicEpidemic(background=FLAT, lags=2),
    EndemicEpidemic(background=FLAT, lags=2, distribution="poisson"),
    EndemicEpidemic(background=FLAT, lags=2, shared_shock=True),
    LogLinear(background=FLAT, lags=2),
    Ingarch(start="condition"),
    Hurdle(occurrence=FLAT, size=FLAT, lags=2),
]
WIDE = {"dispersion": np.array([0.5, 0.9]), "shock": np.array(0.6)}


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS, ids=lambda m: type(m).__name__)
def test_variances_are_those_of_simulated_periods(model, rng):
    counts = rng.poisson(2.0, (80, 2))
    series = CountSeries.from_counts(counts, date(2020, 1, 6), "week", ["a", "b"])
    fit = model.fit(series, MaximumLikelihood(draws=4), rng)
    layout = Layout(fit.parameters)
    values = fit.estimate | {k: v for k, v in WIDE.items() if k in fit.estimate}
    theta = layout.pack(values)[None]
    # The first period after those that are conditioned on has the same past in every path.
    first = model.reach
    told = replace(fit, draws={name: value[None] for name, value in values.items()})
    again = model.replicate(told, rng, draws=20_000)[:, first]
    mean, variance = model.means(fit, theta)[0, first], model.variances(fit, theta)[0, first]
    error = np.sqrt(((again - mean) ** 2).var(axis=0) / len(again))
    assert (np.abs(again.mean(axis=0) - mean) < 4 * np.sqrt(variance / len(again))).all()
    assert (np.abs(((again - mean) ** 2).mean(axis=0) - variance) < 4 * error).all()
