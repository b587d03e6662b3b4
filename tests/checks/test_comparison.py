from dataclasses import replace
from datetime import date
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats

from escalation.background import Background
from escalation.checks.comparison import FUTURE, ONE_OUT, compare, compare_leave_one_out
from escalation.counts import EndemicEpidemic
from escalation.engines import Laplace, MaximumLikelihood
from escalation.fit import Estimator
from escalation.likelihood.pointwise import count_log_pmf
from escalation.series import CountSeries

MODEL = EndemicEpidemic(background=Background(harmonics=0), lags=3)
ALONE = replace(MODEL, arrows=((False, False), (False, False)))
TRUTH = {
    "level": np.log([1.0, 1.0]), "reproduction": np.array([[0.6, 0.2], [0.1, 0.5]]),
    "dispersion": np.array([0.2, 0.2]), "decay": np.array(0.7),
}  # fmt: skip
QUICK = Laplace(draws=400, starts=1)


@pytest.fixture(scope="module")
def series():
    like = CountSeries.from_counts(np.zeros((160, 2)), date(2015, 1, 5), "week", ["a", "b"])
    return MODEL.simulate(TRUTH, like, np.random.default_rng(0))


@pytest.fixture(scope="module")
def start(series):
    return series.edges[130].item()


def test_the_true_model_is_ahead(series, start):
    found = compare({"with arrows": MODEL, "without": ALONE}, series, start, engine=QUICK)
    assert found.best == "with arrows"
    assert found.scores.shape == (30, 2)
    table = found.table()
    assert table["model"].to_list() == ["with arrows", "without"]
    assert table["difference"][0] == 0
    assert table["difference"][1] < 0 < table["error"][1]
    assert found.how == FUTURE
    assert "30 periods from" in repr(found)
    again = compare({"with arrows": MODEL, "without": ALONE}, series, start, engine=QUICK)
    np.testing.assert_array_equal(again.scores, found.scores)


class PoissonRate:
    """Independent Poisson counts whose rate has a Gamma(2, 1) prior: all is known exactly."""

    def fit(self, series, engine, rng):
        draws = rng.gamma(2.0 + series.counts.sum(), 1 / (1.0 + len(series)), 4000)
        return SimpleNamespace(model=self, theta=draws[:, None])

    def pointwise(self, fit, theta, series):
        return stats.poisson(theta[:, None]).logpmf(series.counts)

    @staticmethod
    def exact(counts, first):
        before = np.cumsum(counts)[first - 1 : -1]
        shape, rate = 2.0 + before, 1.0 + np.arange(first, len(counts))
        return stats.nbinom(shape, rate / (rate + 1)).logpmf(counts[first:])


def test_carried_draws_score_as_the_exact_law(rng):
    counts = rng.poisson(1.5, 60)
    series = CountSeries.from_counts(counts, date(2020, 1, 6))
    found = compare({"m": PoissonRate()}, series, series.edges[30].item())
    np.testing.assert_allclose(found.scores[:, 0], PoissonRate.exact(counts, 30), atol=0.02)
    assert found.notes[0].startswith("1 fit;")
    every = compare({"m": PoissonRate()}, series, series.edges[30].item(), every=1)
    np.testing.assert_allclose(every.scores[:, 0], PoissonRate.exact(counts, 30), atol=0.02)
    assert every.notes[0].startswith("30 fits")


def test_uneven_weights_call_for_a_refit(rng):
    counts = np.concatenate([rng.poisson(1.0, 30), rng.poisson(6.0, 30)])
    series = CountSeries.from_counts(counts, date(2020, 1, 6))
    found = compare({"m": PoissonRate()}, series, series.edges[30].item())
    assert int(found.notes[0].split()[0]) > 1
    np.testing.assert_allclose(found.scores[:, 0], PoissonRate.exact(counts, 30), atol=0.2)
    held = compare({"m": PoissonRate()}, series, series.edges[30].item(), update=False, every=30)
    assert np.abs(held.scores[:, 0] - PoissonRate.exact(counts, 30)).max() > 1


def test_one_step_scores_are_those_of_the_draws(series, start):
    fitted, _ = series.split(start)
    fit = MODEL.fit(fitted, QUICK, np.random.default_rng(np.random.SeedSequence([0, 130])))
    theta = fit.theta
    layout = MODEL.problem(fitted).layout
    means = MODEL.means(fit, theta, series)[:, 130:131]
    psi = layout.unpack(theta)["dispersion"]
    one = count_log_pmf(series.counts[130:131], means, psi).sum(axis=(1, 2))
    found = compare({"m": MODEL}, series, start, engine=QUICK)
    np.testing.assert_allclose(found.scores[0, 0], np.log(np.exp(one).mean()), rtol=1e-9)


def test_periods_that_are_not_common_are_named(series):
    counts = series.counts.copy()
    counts[140:142] = 0
    gaps = ((series.edges[140].item(), series.edges[142].item()),)
    gapped = CountSeries.from_counts(counts, date(2015, 1, 5), "week", ["a", "b"], gaps=gaps)
    models = {"one": replace(MODEL, lags=1), "three": MODEL}
    begin = gapped.edges[130].item()
    wanted = f"three cannot score those from {gapped.edges[143]}, {gapped.edges[144]}:"
    with pytest.raises(ValueError, match=wanted):
        compare(models, gapped, begin, engine=QUICK)
    found = compare(models, gapped, begin, engine=QUICK, common=True)
    # Two weeks in the gap, three after it that the longer memory cannot score.
    assert len(found.starts) == 30 - 5


def test_leaving_one_out_says_that_the_future_is_known(series):
    fits = {"with arrows": MODEL.fit(series, QUICK), "without": ALONE.fit(series, QUICK)}
    found = compare_leave_one_out(fits)
    assert found.how == ONE_OUT
    assert "future known" in repr(found)
    assert found.best == "with arrows"
    assert len(found.starts) == 157
    assert "effective parameters" in found.notes[0]
    with pytest.raises(ValueError, match="needs draws of a posterior"):
        compare_leave_one_out({"ml": MODEL.fit(series, MaximumLikelihood(draws=5))})
    with pytest.raises(ValueError, match="another series"):
        shorter = series.split(series.edges[100].item())[0]
        compare_leave_one_out(fits | {"short": MODEL.fit(shorter, QUICK)})


def test_the_error_is_that_of_the_blocks():
    from escalation.checks.comparison import Comparison

    rng = np.random.default_rng(0)
    gains = rng.normal(0.2, 1.0, 400)
    days = np.datetime64("2020-01-06") + 7 * np.arange(400).astype("timedelta64[D]")
    scores = np.column_stack([gains, np.zeros(400)])
    found = Comparison(("a", "b"), scores, days, FUTURE, ("", ""), 4)
    gain, error = found.difference("a", "b")
    assert np.isclose(gain, gains.sum())
    np.testing.assert_allclose(error, 20.0, rtol=0.15)
    # The same value four times over: half the independent periods, and blocks that know.
    repeated = Comparison(
        ("a", "b"), np.repeat(scores[:100], 4, axis=0), days, FUTURE, ("", ""), 20
    )
    np.testing.assert_allclose(repeated.difference("a", "b")[1], 40.0, rtol=0.3)
    with pytest.raises(ValueError, match="no model 'c'"):
        found.difference("a", "c")


def test_wrong_settings_are_refused(series, start):
    with pytest.raises(ValueError, match="at least one model"):
        compare({}, series, start)
    with pytest.raises(ValueError, match="every="):
        compare({"m": MODEL}, series, start, update=False)
    with pytest.raises(ValueError, match="first day of a week"):
        compare({"m": MODEL}, series, date(2016, 1, 1))
    estimator = Estimator(ALONE, MaximumLikelihood(draws=50))
    assert compare({"m": estimator}, series, series.edges[155].item()).scores.shape == (5, 1)
