"""Quasi-likelihood against statsmodels, and what it refuses."""

from datetime import date

import numpy as np
import pytest
from scipy import optimize

from escalation.background import Background
from escalation.counts import LogLinear
from escalation.engines import QuasiLikelihood
from escalation.series import CountSeries

MODEL = LogLinear(lags=1, background=Background(harmonics=0))


@pytest.fixture
def series(rng):
    counts = rng.poisson(2.0 * rng.gamma(2.0, 0.5, (300, 2)))
    return CountSeries.from_counts(counts, date(2001, 1, 1), "week")


def test_coefficients_are_those_of_poisson_regression_with_sandwich_errors(series):
    import statsmodels.api as sm

    fit = MODEL.fit(series, QuasiLikelihood())
    logs = np.log1p(series.counts[:-1].astype(float))
    regressors = np.column_stack([np.ones(len(logs)), logs])
    errors = fit.diagnostics["standard_errors"]
    for k in range(2):
        seen = series.counts[1:, k]
        told = sm.GLM(seen, regressors, family=sm.families.Poisson()).fit(tol=1e-12)
        ours = [fit.estimate["level"][k], *fit.estimate["influence"][k]]
        np.testing.assert_allclose(ours, told.params, atol=1e-6)
        mean = told.fittedvalues
        freedom = len(seen) - 3

        def excess(spread, seen=seen, mean=mean, freedom=freedom):
            return ((seen - mean) ** 2 / (mean + spread * mean**2)).sum() - freedom

        spread = optimize.brentq(excess, 0, 50)
        np.testing.assert_allclose(fit.estimate["dispersion"][k], spread, rtol=1e-6)
        bread = np.linalg.inv((regressors.T * mean) @ regressors)
        meat = (regressors.T * (mean + spread * mean**2)) @ regressors
        wanted = np.sqrt(np.diag(bread @ meat @ bread))
        labels = [f"level[{k}]", f"influence[{k}, 0]", f"influence[{k}, 1]"]
        np.testing.assert_allclose([errors[one] for one in labels], wanted, rtol=1e-5)
        spreads = fit.draws["influence"][:, k].std(axis=0)
        np.testing.assert_allclose(spreads, wanted[1:], rtol=0.1)


def test_a_shared_dispersion_pools_the_residuals(series):
    model = LogLinear(lags=1, background=Background(harmonics=0), dispersion="shared")
    fit = model.fit(series, QuasiLikelihood(draws=5))
    mean = model.means(fit)[0, 1:]
    spread = fit.estimate["dispersion"]
    pearson = (series.counts[1:] - mean) ** 2 / (mean + spread * mean**2)
    np.testing.assert_allclose(pearson.sum(), mean.size - 6, rtol=1e-8)


def test_regular_counts_have_no_dispersion(rng):
    counts = 2 + rng.integers(0, 2, (100, 1))
    fit = MODEL.fit(CountSeries.from_counts(counts, date(2001, 1, 1), "week"), QuasiLikelihood())
    assert fit.estimate["dispersion"] == 0


def test_a_model_without_a_dispersion_is_refused(series):
    model = LogLinear(lags=1, distribution="poisson")
    with pytest.raises(ValueError, match="give it the negative binomial distribution"):
        model.fit(series, QuasiLikelihood())
