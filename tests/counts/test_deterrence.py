"""The check that an additive model cannot say what deterrence is."""

from datetime import date

import numpy as np
import pytest

from escalation.checks.deterrence import deterrence
from escalation.counts import EndemicEpidemic, LogLinear
from escalation.engines import MaximumLikelihood
from escalation.kernels import OneLag
from escalation.series import CountSeries


def made(effect, seed, weeks=400):
    like = CountSeries.from_counts(
        np.zeros((weeks, 2)), date(2014, 1, 6), "week", ["strikes", "attacks"]
    )
    truth = {
        "level": np.array([0.3, 0.5 - effect]),
        "season": np.zeros((2, 2)),
        "influence": np.array([[0.3, 0.0], [effect, 0.3]]),
        "dispersion": np.array([0.1, 0.1]),
    }
    return LogLinear(lags=1).simulate(truth, like, np.random.default_rng(seed))


def fitted(series, **settings):
    model = EndemicEpidemic(kernel=OneLag(), lags=1, **settings)
    return model.fit(series, MaximumLikelihood(draws=5, starts=1))


def test_deterrence_is_found_and_named():
    finding = deterrence(fitted(made(-0.5, 0)))
    assert finding.status == "failed"
    assert "strikes → attacks" in finding.text and "LogLinear" in finding.text
    row = finding.table.sort("p_value").row(0, named=True)
    assert row["correlation"] < -0.1 and row["z"] < -4


def test_nothing_is_found_where_there_is_none():
    assert deterrence(fitted(made(0.0, 0))).passed
    assert deterrence(fitted(made(0.4, 0), distribution="poisson")).passed


def test_one_stream_passes_and_an_empty_one_does_no_harm():
    series = made(0.0, 1, 100)
    one = CountSeries.from_counts(series.counts[:, 0], date(2014, 1, 6))
    assert deterrence(fitted(one)).passed
    empty = CountSeries.from_counts(series.counts * np.array([1, 0]), date(2014, 1, 6))
    assert deterrence(fitted(empty)).passed


@pytest.mark.slow
def test_the_z_of_additive_truth_is_about_standard_normal_or_above():
    # Under an additive truth with arrows the statistic is centred; one-sided false alarms at 5 %
    # stay below 15 % of 60 (binomial, 99.9 %).
    like = made(0.0, 0)
    truth = {
        "level": np.array([0.2, 0.2]),
        "season": np.zeros((2, 2)),
        "reproduction": np.array([[0.3, 0.2], [0.2, 0.3]]),
        "dispersion": np.array([0.2, 0.2]),
    }
    model = EndemicEpidemic(kernel=OneLag(), lags=1)
    z = [
        deterrence(fitted(model.simulate(truth, like, np.random.default_rng(seed)))).table["z"]
        for seed in range(30)
    ]
    assert np.mean(np.concatenate(z) < -1.645) < 0.15
