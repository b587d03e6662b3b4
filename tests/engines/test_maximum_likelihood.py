from datetime import date

import numpy as np
import pytest
import statsmodels.api as sm

from escalation.background import Background
from escalation.counts import EndemicEpidemic
from escalation.engines import MaximumLikelihood
from escalation.engines.limit_law import project
from escalation.kernels import OneLag
from escalation.series import CountSeries

PLAIN = EndemicEpidemic(
    kernel=OneLag(),
    lags=1,
    distribution="poisson",
    background=Background(harmonics=2),
    arrows=((False,),),
)


@pytest.fixture
def weekly(rng):
    return CountSeries.from_counts(rng.poisson(4.0, 200), date(2020, 1, 6), "week", ["attacks"])


def test_without_arrows_the_fit_is_a_poisson_regression(weekly):
    fit = PLAIN.fit(weekly, MaximumLikelihood(draws=20_000))
    times = 7.0 * np.arange(200)
    design = PLAIN.background.design(times, 1400)[1:]
    glm = sm.GLM(weekly.counts[1:, 0], design, family=sm.families.Poisson()).fit()
    ours = np.append(fit.estimate["level"], fit.estimate["season"])
    np.testing.assert_allclose(ours, glm.params, atol=1e-6)
    np.testing.assert_allclose(fit.log_likelihood, glm.llf)
    spread = np.append(fit.draws["level"].std(axis=0), fit.draws["season"].std(axis=0))
    np.testing.assert_allclose(spread, glm.bse, rtol=0.03)
    np.testing.assert_allclose(fit.aic, glm.aic)


def test_the_same_seed_gives_the_same_draws(weekly):
    one, two = (PLAIN.fit(weekly, rng=np.random.default_rng(5)) for _ in range(2))
    np.testing.assert_array_equal(one.draws["level"], two.draws["level"])


def test_a_zero_stays_in_the_draws(rng):
    counts = rng.poisson(3.0, (300, 2))
    series = CountSeries.from_counts(counts, date(2020, 1, 6))
    fit = EndemicEpidemic(background=Background(harmonics=0)).fit(series)
    zeros = fit.estimate["reproduction"] == 0
    assert zeros.any()
    assert ((fit.draws["reproduction"] == 0).mean(axis=0)[zeros] > 0.2).all()
    assert (fit.draws["reproduction"] >= 0).all()


@pytest.mark.slow
def test_the_bootstrap_and_the_limit_law_agree(rng):
    model = EndemicEpidemic(
        kernel=OneLag(), lags=1, distribution="poisson", background=Background(harmonics=0)
    )
    like = CountSeries.from_counts(np.zeros((400, 1)), date(2015, 1, 5))
    truth = {"level": np.array([0.5]), "reproduction": np.array([[0.5]])}
    series = model.simulate(truth, like, rng)
    law = model.fit(series, MaximumLikelihood(draws=4000))
    boot = model.fit(series, MaximumLikelihood(draws=4000, bootstrap=200))
    assert boot.diagnostics["intervals"] == "parametric bootstrap of 200"
    for name in ("level", "reproduction"):
        ratio = law.draws[name].std() / boot.draws[name].std()
        assert 0.8 < ratio < 1.25


def test_projection_solves_the_quadratic_programme(rng):
    root = rng.normal(size=(3, 3))
    covariance = root @ root.T + 0.2 * np.eye(3)
    near = np.array([True, False, True])
    points = rng.normal(size=(200, 3))
    projected = project(points, covariance, near)
    precision = np.linalg.inv(covariance)
    assert (projected[:, near] >= 0).all()
    gradient = (projected - points) @ precision
    # Karush–Kuhn–Tucker: no pull on what is free or inside, a push outward at zero.
    np.testing.assert_allclose(gradient[:, 1], 0, atol=1e-8)
    assert (gradient[:, near] > -1e-8).all()
    np.testing.assert_allclose(gradient[:, near] * projected[:, near], 0, atol=1e-8)


def test_an_all_zero_stream_says_that_it_is_stuck(rng):
    counts = np.stack([rng.poisson(3.0, 150), np.zeros(150, int)], axis=1)
    series = CountSeries.from_counts(counts, date(2020, 1, 6))
    fit = EndemicEpidemic(background=Background(harmonics=0)).fit(series)
    told = fit.diagnostics
    assert "level[1]" in told["vanishing"]
    # The rule of three: with no incident in 150 weeks the rate is below 3 / 150 at 95 %.
    upper = np.exp(np.quantile(fit.draws["level"][:, 1], 0.95))
    np.testing.assert_allclose(upper, 3 / 138, rtol=0.15)
    assert all(np.isfinite(values).all() for values in fit.draws.values())
