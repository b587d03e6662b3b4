from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.checks.predictive import (
    STATISTICS,
    PredictiveCheck,
    predictive_check,
    prior_fit,
    prior_predictive,
)
from escalation.counts import EndemicEpidemic
from escalation.engines import Laplace
from escalation.series import CountSeries, EventSeries

MODEL = EndemicEpidemic(background=Background(harmonics=0), lags=4)
TRUTH = {
    "level": np.log([1.0, 1.0]),
    "reproduction": np.array([[0.4, 0.1], [0.1, 0.3]]),
    "dispersion": np.array([0.2, 0.2]),
    "decay": np.array(0.4),
}


def weeks(counts):
    return CountSeries.from_counts(counts, date(2015, 1, 5), "week", ["a", "b"])


@pytest.fixture(scope="module")
def fit():
    series = MODEL.simulate(TRUTH, weeks(np.zeros((250, 2))), np.random.default_rng(0))
    return MODEL.fit(series, Laplace(draws=400))


def test_statistics_are_numpys(rng):
    counts = rng.poisson(2.0, (3, 60, 2)).astype(float)
    follows = np.arange(60) > 0
    found = {name: one(counts, follows) for name, one in STATISTICS.items()}
    np.testing.assert_allclose(found["share of quiet periods"], (counts == 0).mean(axis=1))
    np.testing.assert_array_equal(found["largest count"], counts.max(axis=1))
    for n in range(3):
        for k in range(2):
            one = counts[n, :, k]
            wanted = np.corrcoef(one[1:], one[:-1])[0, 1]
            np.testing.assert_allclose(found["autocorrelation"][n, k], wanted)
            np.testing.assert_allclose(found["variance over mean"][n, k], one.var() / one.mean())


def test_silence_has_statistics():
    for one in STATISTICS.values():
        assert np.isfinite(one(np.zeros((2, 9, 1)), np.arange(9) > 0)).all()


def test_a_series_of_the_model_is_usual(fit):
    check = predictive_check(fit, np.random.default_rng(1), 300)
    assert check.finding().passed
    assert check.table()["stream"].to_list()[-1] == "a & b"
    assert check.table()["p_value"].is_between(0, 1).all()
    heights = check.rank_histogram("a")
    assert np.isclose(heights.sum(), 1)
    assert heights.max() < 0.25
    assert "0 of 9 figures unusual" in repr(check)
    again = predictive_check(fit, np.random.default_rng(1), 300)
    np.testing.assert_array_equal(again.replicated, check.replicated)
    with pytest.raises(ValueError, match="no stream 'c'"):
        check.rank_histogram("c")


def test_what_the_model_cannot_make_is_found(rng):
    counts = rng.poisson(2.0, (250, 2))
    counts[:, 0] = np.repeat(rng.poisson(2.0, 125), 2)  # weeks in pairs
    counts[60, 1] = 300
    model = EndemicEpidemic(
        background=Background(0), lags=4, distribution="poisson", arrows=((False,) * 2,) * 2
    )
    check = predictive_check(model.fit(weeks(counts), Laplace(draws=300)))
    table = check.table()
    odd = {(row["stream"], row["statistic"]) for row in table.to_dicts() if row["p_value"] < 0.01}
    assert ("a", "autocorrelation") in odd
    assert ("b", "largest count") in odd
    assert check.finding().status == "warned"


def test_p_values_are_valid_under_ties(rng):
    # A statistic that takes few values: the observed one is drawn as the replicates are.
    draws = rng.poisson(0.5, (2000, 100)).astype(float)
    p = [
        PredictiveCheck("posterior", ("x",), ("a",), one[:1], one[1:, None], None, ("a",), 0.0)
        .p_values[0]
        for one in draws
    ]  # fmt: skip
    for level in (0.02, 0.05, 0.1, 0.5):
        assert np.mean(np.array(p) <= level) <= level + 3 * np.sqrt(level / 2000)


def test_the_prior_seldom_explodes_and_says_what_it_holds_possible(fit):
    found = prior_predictive(MODEL, fit.series, np.random.default_rng(0), 500)
    assert found.finding().passed
    assert found.supercritical < 0.01
    assert found.table().columns == ["stream", "5 %", "25 %", "50 %", "75 %", "95 %", "99 %"]
    assert "ran away" in repr(found)
    assert found.check.kind == "prior"


def test_the_prior_as_a_fit_forecasts(fit):
    prior = prior_fit(MODEL, fit.series, np.random.default_rng(0), 200)
    assert prior.forecast(4, draws=100).draws.shape == (100, 4, 2)
    # Draws of the joint prior: none is far above its radius.
    assert np.quantile(prior.dynamics().branching_ratio, 0.99) < 1


def test_times_are_refused(fit):
    series = EventSeries.from_times([np.arange(1.0, 60.0)], 0.0, 70.0)
    with pytest.raises(ValueError, match="need a CountSeries, got EventSeries"):
        predictive_check(replace(fit, series=series))
