"""Fits that go on: the same parameters before the periods that follow a longer series."""

from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.counts import EndemicEpidemic, Latent, LogLinear
from escalation.engines import Laplace
from escalation.series import CountSeries

MONDAY = date(2018, 1, 1)


@pytest.fixture(scope="module")
def series():
    counts = np.random.default_rng(3).poisson([3.0, 1.0], (150, 2))
    return CountSeries.from_counts(counts, MONDAY, names=("A", "B"))


@pytest.fixture(scope="module")
def early(series):
    return series.split(date(2020, 6, 1))[0]


@pytest.mark.parametrize("model", [EndemicEpidemic(lags=4), LogLinear(lags=4)], ids=["EE", "LL"])
def test_expected_counts_are_those_of_the_old_parameters(model, early, series):
    fit = model.fit(early, Laplace(draws=40))
    onward = fit.carried_on(series)
    assert onward.draws is fit.draws
    np.testing.assert_array_equal(model.means(onward), model.means(fit, series=series))
    assert onward.forecast(3, np.random.default_rng(0), 20).made_on == series.window.end


def test_what_depends_on_the_window_does_not_go_on(early, series):
    bent = EndemicEpidemic(background=Background(harmonics=0, trend=364.0), lags=2)
    assert bent.fit(early, Laplace(draws=10)).carried_on(series) is None
    model = EndemicEpidemic(lags=2)
    later = series.split(date(2018, 3, 5))[1]
    assert model.fit(early, Laplace(draws=10)).carried_on(later) is None
    fit = model.fit(early, Laplace(draws=10))
    assert Latent(background=Background(harmonics=0)).carried_on(fit, series) is None
