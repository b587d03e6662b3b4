"""Fits of counts with a latent log-rate: what they choose, find and answer."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from counts.latent_by_hand import FLAT, known, naive_path, some_values
from escalation.background import Background
from escalation.checks import check, compare
from escalation.counts import (
    Autoregression,
    EndemicEpidemic,
    GaussianProcess,
    Latent,
    RandomWalk,
)
from escalation.counts.random_scales import choose, evidences, free_scales
from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.kernels import Exponential, OneLag
from hard import collinear, hard_counts, weeks


@pytest.fixture(scope="module")
def moved():
    """Three years of two streams on simulated paths, and their values."""
    rng = np.random.default_rng(3)
    model = Latent(Autoregression(), background=FLAT)
    blank = weeks(np.zeros((156, 2)), names=["strikes", "attacks"])
    values = {
        "level": np.log([3.0, 5.0]),
        "path": rng.standard_normal((2, 39)),
        "path_scale": np.array(0.7),
        "persistence": np.array(0.8),
        "dispersion": np.array([0.1, 0.2]),
    }
    return model, model.simulate(values, blank, rng), values


@pytest.mark.slow
def test_maximum_likelihood_chooses_by_marginal_likelihood_and_says_so(moved):
    model, series, _ = moved
    model = replace(model, path=replace(model.path, persistence=0.8))
    fit = model.fit(series, MaximumLikelihood(draws=50, starts=1))
    chosen = fit.diagnostics["random_scales"]["path_scale"]
    assert fit.model.path.scale == chosen and 0.3 < chosen < 1.3
    around = evidences(model, free_scales(model)[0], series, np.array([0.05, chosen, 5.0]))
    assert around.argmax() == 1


@pytest.mark.slow
def test_every_engine_finds_path_and_scale(moved):
    model, series, values = moved
    truth = np.log(model.latent_path(known(model, series, values)).band(of="factor")[1])
    for engine, least in ((MaximumLikelihood(draws=200, starts=1), 0.7),
                          (Laplace(draws=400), 0.75),
                          (NUTS(draws=300, tune=300, chains=2), 0.8)):  # fmt: skip
        fit = model.fit(series, engine)
        told = fit.model.latent_path(fit)
        low, middle, high = np.log(told.band(of="factor"))
        assert ((low < truth) & (truth < high)).mean() > least
        assert np.corrcoef(middle.ravel(), truth.ravel())[0, 1] > 0.65
        persistence = fit.diagnostics.get("random_scales", fit.estimate)["persistence"]
        assert 0.4 < persistence < 0.97


@pytest.mark.slow
@pytest.mark.parametrize("path", [RandomWalk(), GaussianProcess(prior_length=200.0)])
def test_other_paths_are_chosen_and_averaged_too(path, moved):
    _, series, _ = moved
    model = Latent(path, background=FLAT, contagion=isinstance(path, RandomWalk), lags=2)
    for engine in (MaximumLikelihood(draws=50, starts=1), Laplace(draws=100, starts=1)):
        fit = model.fit(series, engine)
        assert fit.diagnostics["random_scales"].keys() == {
            one.parameter for one in model.free_numbers()
        }
        assert np.isfinite(fit.forecast(4, draws=100).draws).all()
    assert choose(model, series)[0].free_numbers() == ()


# Answers -----------------------------------------------------------------------------------------


def test_the_path_is_told_with_its_band(moved):
    model, series, values = moved
    fit = known(model, series, values, 3)
    told = model.latent_path(fit)
    path = naive_path(model.path, values, len(series), series.window.days)
    np.testing.assert_allclose(told.band(of="factor")[1], np.exp(path), rtol=1e-10)
    np.testing.assert_allclose(told.band()[1], np.exp(path + values["level"]), rtol=1e-10)
    np.testing.assert_allclose(model.means(fit)[0], told.band()[1], rtol=1e-10)
    table = told.table()
    assert table.columns[:3] == ["start", "stream", "factor"] and table.height == 312
    assert "attacks" in repr(told) and "<p>" in told._repr_html_()
    with pytest.raises(ValueError, match="of must be rate or factor, got 'log'"):
        told.band(of="log")


def test_a_forecast_carries_the_path_on(moved):
    model, series, values = moved
    fit = known(model, series, values, 4000)
    forecast = fit.forecast(60, np.random.default_rng(1), 4000)
    last = model.latent_path(fit).log_factor[0, -1]
    # 28 days on, the path is normal about persistence × its last state; 56 weeks on, about zero.
    for week, keep in ((0, 0.8), (59, 0.8**15)):
        mean = values["level"] + keep * last + 0.7**2 * (1 - keep**2) / 2
        found = forecast.draws[:, week]
        error = found.std(axis=0) / np.sqrt(4000)
        assert (np.abs(found.mean(axis=0) - np.exp(mean)) < 4 * error).all()


def test_scores_ahead_average_over_paths_not_yet_seen(moved):
    model, series, values = moved
    early, _ = series.split(series.edges[112].item())
    fit = known(model, early, values | {"path": values["path"][:, :28]}, 500)
    single = model.pointwise(fit, fit.theta, series)
    np.testing.assert_allclose(single[:, :112], model.pointwise(fit, fit.theta)[:, :112])
    assert np.ptp(single[:, 112:], axis=0).min() > 0
    np.testing.assert_array_equal(single, model.pointwise(fit, fit.theta, series))
    np.testing.assert_allclose(model.means(fit, fit.theta, series)[:, 112:116].std(axis=1).max(), 0,
                               atol=1e-12)  # fmt: skip


@pytest.mark.slow
def test_a_comparison_scores_it_beside_others(moved):
    _, series, _ = moved
    path = Autoregression(scale=0.7, persistence=0.8)
    models = {
        "latent": Latent(path, background=FLAT),
        "flat": EndemicEpidemic(OneLag(), FLAT, lags=1, arrows=((False, False),) * 2),
    }
    found = compare(models, series, series.edges[104].item(), engine=Laplace(draws=400), every=13)
    assert found.difference("latent", "flat")[0] > 0


def test_the_response_holds_the_path(moved):
    model, series, _ = moved
    both = replace(model, contagion=True, lags=3, kernel=Exponential())
    fit = known(both, series, some_values(both, series, np.random.default_rng(0)), 5)
    told = both.response(fit, "strikes", 3, draws=5)
    matrix, weights = fit.draws["reproduction"][0], both.lag_draws(fit.theta, series)[0]
    first = matrix[:, 0] * weights[0]
    second = matrix @ first * weights[0] + matrix[:, 0] * weights[1]
    np.testing.assert_allclose(told.further[0, :2], [first, second])
    dynamics = both.dynamics(fit)
    assert dynamics.reproduction.shape == (5, 2, 2) and np.isfinite(dynamics.shares).all()
    alone = model.response(known(model, series, moved[2]), "strikes", 3, draws=5)
    assert (alone.further == 0).all()
    with pytest.raises(ValueError, match="reproduction numbers are not defined for Latent"):
        model.dynamics(known(model, series, moved[2]))


def test_replicated_series_share_the_path(moved, rng):
    model, series, values = moved
    copies = known(model, series, values).replicate(rng, 200)
    assert copies.shape == (200, *series.counts.shape)
    path = naive_path(model.path, values, len(series), series.window.days)
    mean = np.exp(values["level"] + path)
    assert np.abs(copies.mean(axis=0) / mean - 1).max() < 0.6
    np.testing.assert_allclose(copies.mean(), mean.mean(), rtol=0.03)


def test_a_fit_prints_checks_and_summarises(moved):
    model, series, _ = moved
    given = replace(model, path=replace(model.path, scale=0.7, persistence=0.8))
    fit = given.fit(series, Laplace(draws=50))
    assert "Latent(path=Autoregression" in repr(fit)
    assert check(fit).table().height >= 2 and fit.summary().height == 2 + 78 + 2


HARD = hard_counts() | {"contagion": lambda rng: rng.poisson(2.0, (200, 2))}
SETTINGS = {
    "collinear covariates": {"background": Background(0, covariates=collinear())},
    "contagion": {"contagion": True, "lags": 2},
}
QUICK = ("an empty stream", "a huge week", "twenty weeks", "nothing at all")


@pytest.mark.parametrize(
    ("case", "engine"),
    [
        pytest.param(*one, marks=() if one[0] in QUICK else pytest.mark.slow)
        for one in product(HARD, [MaximumLikelihood(draws=50, starts=1), Laplace(draws=50)])
    ],
    ids=lambda one: getattr(one, "name", str(one)),
)
def test_hard_data_are_fitted_or_the_diagnostics_say_so(case, engine, rng):
    make, settings = HARD[case], SETTINGS.get(case, {})
    path = Autoregression(scale=0.5, persistence=0.8)
    fit = Latent(path, **({"background": FLAT} | settings)).fit(weeks(make(rng)), engine)
    assert np.isfinite(fit.log_likelihood)
    assert {"converged", "at_bound"} <= set(fit.diagnostics)
    assert np.isfinite(fit.forecast(4, draws=50).draws).mean() > 0.9
