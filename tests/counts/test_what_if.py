"""What-if forecasts: the response, path by path, on common random numbers."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy import stats

from escalation.background import Background
from escalation.counts import EndemicEpidemic, Hurdle, Latent, LogLinear, Regimes
from escalation.counts.what_if import _inverse, changed_at_end, what_if
from escalation.engines import Laplace
from escalation.series import CountSeries

FLAT = Background(harmonics=0)


@pytest.fixture(scope="module")
def series():
    model = EndemicEpidemic(background=FLAT, lags=4)
    like = CountSeries.from_counts(np.zeros((300, 2)), date(2018, 1, 1), names=("A", "B"))
    values = {
        "level": np.log([1.0, 0.7]), "reproduction": np.array([[0.4, 0.2], [0.3, 0.2]]),
        "dispersion": np.array([0.2, 0.2]),
    }  # fmt: skip
    kernel = {p.name: np.asarray(1.0) for p in model.kernel.parameters("week")}
    return model.simulate(values | kernel, like, np.random.default_rng(1))


@pytest.fixture(scope="module")
def fit(series):
    return EndemicEpidemic(background=FLAT, lags=4).fit(series, Laplace(draws=500))


def test_the_mean_difference_is_the_response(fit):
    found = what_if(fit, "A", horizon=8, draws=8000)
    expected = fit.dynamics().response("A", 56).mean(axis=0)
    total = found.difference.sum(axis=1)
    error = total.std(axis=0) / np.sqrt(len(total))
    # False alarm below 1 in 1,000 for two streams.
    assert (np.abs(total.mean(axis=0) - expected) < 3.5 * error + 0.01).all()
    np.testing.assert_allclose(found.table()["total"][-2:], total.mean(axis=0))


def test_one_more_is_never_followed_by_fewer_where_nothing_deters(fit):
    found = what_if(fit, "B", draws=2000)
    assert (found.difference >= 0).all()
    # Nine in ten paths are not touched in a period: the random numbers are common.
    assert (found.difference == 0).mean() > 0.8


def test_the_law_of_each_forecast_is_that_of_the_model(fit):
    found = what_if(fit, "A", draws=4000, horizon=4)
    plain = fit.forecast(4, np.random.default_rng(5), 4000)
    for h in range(4):
        for k in range(2):
            one, two = found.as_it_is.draws[:, h, k], plain.draws[:, h, k]
            # Eight tests at .001 each; ties make them conservative.
            assert stats.ks_2samp(one, two).pvalue > 1e-3


def test_taking_away_undoes_adding(fit, series):
    more = changed_at_end(series, "A", 1)
    fewer = changed_at_end(more, "A", -1)
    assert fewer == series
    up = what_if(fit, "A", draws=500)
    down = what_if(replace(fit, series=more), "A", -1, draws=500)
    np.testing.assert_array_equal(up.changed.draws, down.as_it_is.draws)
    np.testing.assert_array_equal(up.difference, -down.difference)


@pytest.mark.parametrize(
    "model",
    [
        LogLinear(background=FLAT, lags=2),
        Hurdle(occurrence=FLAT, size=FLAT, lags=2),
        Latent(background=FLAT, contagion=True, lags=2),
    ],
    ids=lambda model: type(model).__name__,
)
def test_other_models_answer_too(model, series):
    fit = model.fit(series.split(date(2020, 1, 6))[0], Laplace(draws=100))
    found = what_if(fit, "A", 3, horizon=3, draws=400)
    assert (found.difference == 0).mean() > 0.3
    assert found.difference[:, 0].any()
    expected = model.response(fit, "A", 1, draws=100).further.mean(axis=0)[0]
    moved = found.difference[:, 0].mean(axis=0)
    error = found.difference[:, 0].std(axis=0) / np.sqrt(400)
    # Three more incidents: of the sign of one more, where that is clear.
    clear = np.abs(moved) > 3 * error
    assert (np.sign(moved) == np.sign(expected))[clear].all()


def test_a_latent_path_is_held(series):
    model = Latent(background=FLAT)
    fit = model.fit(series.split(date(2020, 1, 6))[0], Laplace(draws=100))
    assert not what_if(fit, "A", 3, horizon=3, draws=200).difference.any()


def test_quantiles_at_uniform_numbers_have_the_right_law():
    rng = _inverse(3)
    counts = rng.poisson(np.full(20_000, 2.5))
    share = np.bincount(counts.astype(int), minlength=8)[:8] / 20_000
    np.testing.assert_allclose(share, stats.poisson.pmf(range(8), 2.5), atol=0.015)
    assert stats.kstest(_inverse(4).gamma(np.full(5000, 0.7)), stats.gamma(0.7).cdf).pvalue > 1e-3
    assert _inverse(5).poisson(np.zeros(3)).tolist() == [0, 0, 0]
    level = np.random.default_rng(3).random(20_000)
    np.testing.assert_array_equal(counts, stats.poisson.ppf(level, 2.5))


def test_what_cannot_be_is_refused(fit, series):
    with pytest.raises(ValueError, match="cannot become"):
        what_if(fit, "A", -1 - int(series.counts[-1, 0]))
    with pytest.raises(ValueError, match="other than 0"):
        what_if(fit, "A", 0)
    with pytest.raises(ValueError, match="stream"):
        what_if(fit, "nobody")
    phases = Regimes(phases=("quiet", "escalated"), background=FLAT)
    with pytest.raises(ValueError, match="not Regimes"):
        what_if(replace(fit, model=phases), "A")
    assert "+1 in A" in repr(what_if(fit, "A", draws=10))
