from datetime import date

import numpy as np
import pytest
from scipy import stats

from escalation.counts import EndemicEpidemic
from escalation.engines import MaximumLikelihood
from escalation.hawkes import Hawkes
from escalation.likelihood.pointwise import count_log_pmf
from escalation.series import CountSeries


def test_it_is_scipys(rng):
    counts = np.array([[0, 3], [17, 1], [2, 400]])
    mean = rng.gamma(2.0, 5.0, (4, 3, 2))
    psi = rng.gamma(1.0, 1.0, (4, 2))
    size = 1 / psi[:, None]
    wanted = stats.nbinom(size, size / (size + mean)).logpmf(counts)
    np.testing.assert_allclose(count_log_pmf(counts, mean, psi), wanted, rtol=1e-9)
    wanted = stats.poisson(mean).logpmf(counts)
    np.testing.assert_allclose(count_log_pmf(counts, mean), wanted, rtol=1e-10)
    for small in (0.0, 1e-15, 1e-310):
        nearly = count_log_pmf(counts, mean, np.full_like(psi, small))
        np.testing.assert_allclose(nearly, wanted, rtol=1e-9)


def test_unknown_and_empty_periods():
    mean = np.array([[[np.nan], [0.0], [0.0]]])
    found = count_log_pmf(np.array([[1], [0], [2]]), mean)[0, :, 0]
    assert np.isnan(found[0])
    assert found[1] == 0
    assert found[2] == -np.inf


def test_a_model_without_one_says_so():
    with pytest.raises(ValueError, match="no likelihood of single periods"):
        Hawkes().pointwise(None)


def test_the_periods_sum_to_the_likelihood(rng):
    model = EndemicEpidemic(lags=3)
    gap = (date(2002, 2, 4), date(2002, 2, 25))
    counts = rng.poisson(2.0, (90, 2))
    counts[57:60] = 0
    series = CountSeries.from_counts(counts, date(2001, 1, 1), "week", gaps=(gap,))
    fit = model.fit(series, MaximumLikelihood(draws=20))
    one = model.pointwise(fit)
    assert one.shape == (1, 90, 2)
    np.testing.assert_allclose(np.nansum(one), fit.log_likelihood, rtol=1e-10)
    np.testing.assert_array_equal(~np.isnan(one[0, :, 0]), model.used(series))
    problem = model.problem(series)
    many = model.pointwise(fit, fit.theta)
    wanted = [problem.evaluate(theta)[0] for theta in fit.theta]
    np.testing.assert_allclose(np.nansum(many, axis=(1, 2)), wanted, rtol=1e-10)


def test_a_longer_series_keeps_the_fitted_windows_background(rng):
    from escalation.background import Background

    model = EndemicEpidemic(lags=3, background=Background(harmonics=2, trend=150.0))
    whole = CountSeries.from_counts(rng.poisson(2.0, (90, 2)), date(2001, 1, 1), "week")
    early, _ = whole.split(whole.edges[70].item())
    fit = model.fit(early, MaximumLikelihood(draws=5))
    longer = model.pointwise(fit, series=whole)
    np.testing.assert_allclose(longer[:, :70], model.pointwise(fit), rtol=1e-12)
    assert np.isfinite(longer[:, 70:]).all()
