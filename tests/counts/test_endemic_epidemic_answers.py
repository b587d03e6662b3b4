"""What fits with moving R, eras, random levels and shared shocks answer."""

from datetime import date, timedelta

import numpy as np
import pytest
from scipy import stats

from escalation.background import Background, Covariates, Interventions
from escalation.checks.shared_shock import shared_shock
from escalation.counts import Component, EndemicEpidemic, RandomWalk
from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.hawkes import era_table
from escalation.kernels import Exponential, FreeLags, GeometricLags, OneLag, PoissonLags
from escalation.parameters import Layout
from hard import START, weeks

BREAK = date(2004, 1, 5)


def blank(periods, streams):
    return weeks(np.zeros((periods, streams)), names=["a", "b", "c", "d"][:streams])


TWO_ERAS = {
    "level": np.log([2.0, 1.5]),
    "reproduction": np.array([[[0.6, 0.1], [0.0, 0.5]], [[0.1, 0.1], [0.3, 0.5]]]),
    "dispersion": np.array([0.2, 0.3]),
}


@pytest.fixture(scope="module")
def eras():
    model = EndemicEpidemic(OneLag(), Background(0), lags=1, eras=(BREAK,))
    series = model.simulate(TWO_ERAS, blank(312, 2), np.random.default_rng(0))
    return model.fit(series)


def test_each_era_has_its_matrix_and_the_change_its_interval(eras):
    table = era_table(eras)
    assert table.height == 8
    rows = table.filter(source="a", target="a")
    assert rows["begins"].to_list() == [None, BREAK]
    assert rows["change_upper"][1] < 0
    for e, matrix in enumerate(TWO_ERAS["reproduction"]):
        error = eras.draws["reproduction"][:, e].std(axis=0)
        assert (np.abs(eras.estimate["reproduction"][e] - matrix) < 4 * error + 0.02).all()


def test_dynamics_are_those_of_the_last_era_and_of_any_date(eras):
    dynamics = eras.dynamics()
    draws = eras.draws["reproduction"]
    np.testing.assert_allclose(dynamics.reproduction, draws[:, 1])
    np.testing.assert_allclose(dynamics.reproduction_at(date(2001, 5, 5)), draws[:, 0])
    np.testing.assert_allclose(dynamics.reproduction_at(BREAK), draws[:, 1])
    share = 157 / 312
    mean = share * draws[:, 0] + (1 - share) * draws[:, 1]
    np.testing.assert_allclose(dynamics.reproduction_at("mean"), mean, atol=2e-3)
    assert "its mean over the last era" in repr(dynamics)
    with pytest.raises(ValueError, match="1999-01-01 does not lie in the periods from 2001-01-01"):
        dynamics.reproduction_at(date(1999, 1, 1))
    table = dynamics.branching_over_time()
    assert table.height == 312
    assert table["estimate"].n_unique() == 2


def test_r_is_drawn_over_time(eras):
    from escalation import plots

    dynamics = eras.dynamics()
    with plots.style():
        drawing, axes = plots.figure(2)
        ax = plots.reproduction_over_time(axes[0, 0], dynamics)
        assert ax.get_ylabel() == "branching ratio"
        ax = plots.reproduction_over_time(ax, dynamics, ("a", "b"))
        drawing.canvas.draw()
    arrow = dynamics.branching_over_time(pair=("a", "b"))
    middle = np.median(eras.draws["reproduction"][:, 1, 1, 0])
    assert abs(arrow["estimate"][-1] - middle) < 0.03
    with pytest.raises(ValueError, match="no stream 'z'; the streams are a, b"):
        dynamics.branching_over_time(pair=("a", "z"))


def test_a_season_of_the_own_component_moves_r(rng):
    model = EndemicEpidemic(
        OneLag(), Background(0), lags=1, own=Component(1, 364.0), distribution="poisson"
    )
    truth = {
        "level": np.log([1.0]),
        "own_season": np.array([[0.8, 0.0]]),
        "reproduction": np.array([[0.5]]),
    }
    series = model.simulate(truth, blank(520, 1), rng)
    fit = model.fit(series)
    dynamics = fit.dynamics()
    day = START + timedelta(days=91)
    high, low = dynamics.reproduction_at(day), dynamics.reproduction_at(day + timedelta(days=182))
    season, base = fit.draws["own_season"], fit.draws["reproduction"]
    np.testing.assert_allclose(high[:, 0, 0], base[:, 0, 0] * np.exp(season[:, 0, 0]), rtol=1e-3)
    assert np.quantile(high - low, 0.05) > 0
    assert abs(fit.estimate["own_season"][0, 0] - 0.8) < 4 * season[:, 0, 0].std()
    grid = np.exp(0.8 * np.sin(2 * np.pi * np.arange(52) / 52)).mean() * 0.5
    assert abs(np.median(dynamics.reproduction) - grid) < 4 * dynamics.reproduction.std()
    assert dynamics.shares.shape == (1000, 1, 3)
    np.testing.assert_allclose(dynamics.shares.sum(axis=2), 1)


def test_a_forecast_with_moving_parts_is_the_mean_recursion(rng):
    series = weeks(rng.poisson(2.0, (60, 2)))
    days = 7 * 70
    price = Covariates(START, np.sin(np.arange(days))[:, None], ("price",))
    model = EndemicEpidemic(
        OneLag(),
        Component(0, offset=(0.5, -0.5), interventions=Interventions(shifts=(date(2002, 3, 4),))),
        lags=1,
        own=Component(covariates=price),
        distribution="poisson",
    )
    fit = model.fit(series, MaximumLikelihood(draws=1))
    fit = type(fit)(**{**fit.__dict__, "draws": {k: v[None] for k, v in fit.estimate.items()}})
    forecast = fit.forecast(6, np.random.default_rng(0), draws=20_000)
    value = fit.estimate
    past = series.counts[-1].astype(float)
    for h in range(6):
        first = 7 * (60 + h)
        after = (START + timedelta(days=first)) >= date(2002, 3, 4)
        level = value["level"] + [0.5, -0.5] + value["intervention"][:, 0] * after
        mean = np.sin(np.arange(first, first + 7)).mean()
        factor = np.eye(2) * np.exp(value["own_covariate"][:, 0] * mean)[:, None] + 1 - np.eye(2)
        past = np.exp(level) + (value["reproduction"] * factor) @ past
        np.testing.assert_allclose(forecast.mean[h], past, rtol=0.05)


LAGS = {
    "geometric": (GeometricLags(), {"first_share": 0.6}),
    "Poisson": (PoissonLags(), {"mean_delay": 1.7}),
    "free": (FreeLags(4), {"lag_weight": np.array([0.5, -0.5, 0.2])}),
}


@pytest.mark.parametrize("name", LAGS)
def test_lag_weights_are_found_again(name, rng):
    kernel, values = LAGS[name]
    model = EndemicEpidemic(kernel, Background(0), lags=6, distribution="poisson")
    truth = {"level": np.log([1.0]), "reproduction": np.array([[0.7]])} | values
    series = model.simulate(truth, blank(600, 1), rng)
    fit = model.fit(series)
    layout = Layout(model.parameters(series))
    wanted = model.lag_draws(layout.pack(truth)[None], series)[0]
    draws = model.lag_draws(fit.theta, series)
    assert (np.abs(draws.mean(axis=0) - wanted) < 4 * draws.std(axis=0) + 0.01).all()
    assert not np.isnan(fit.dynamics().same_period).any()


def test_geometric_lags_are_the_exponential_kernel(rng):
    common = {"background": Background(0), "lags": 5, "distribution": "poisson"}
    truth = {"level": np.log([1.0]), "reproduction": np.array([[0.6]]), "decay": np.array(0.7)}
    series = EndemicEpidemic(Exponential(), **common).simulate(truth, blank(300, 1), rng)
    one = EndemicEpidemic(Exponential(), **common).fit(series, MaximumLikelihood(draws=10))
    two = EndemicEpidemic(GeometricLags(), **common).fit(series, MaximumLikelihood(draws=10))
    np.testing.assert_allclose(one.log_likelihood, two.log_likelihood, atol=2e-4)


SHOCKED = {
    "level": np.log([1.0, 2.0, 0.7]),
    "reproduction": np.eye(3) * 0.3 + 0.05,
    "dispersion": np.full(3, 0.2),
    "shock": np.array(0.4),
}


@pytest.mark.slow
def test_a_shared_shock_is_found_and_then_fitted(rng):
    model = EndemicEpidemic(OneLag(), Background(0), lags=1, shared_shock=True)
    series = model.simulate(SHOCKED, blank(260, 3), rng)
    plain = EndemicEpidemic(OneLag(), Background(0), lags=1).fit(series)
    found = shared_shock(plain)
    assert found.status == "warned"
    assert "shared_shock=True" in found.text
    fit = model.fit(series)
    assert fit.log_likelihood > plain.log_likelihood + 10
    error = fit.draws["shock"].std()
    assert abs(fit.estimate["shock"] - 0.4) < 4 * error
    assert shared_shock(fit).status == "passed"
    # Sums over the streams spread as they should: the plain fit's are too narrow.
    wide, narrow = (
        one.forecast(1, np.random.default_rng(0), draws=4000).draws[:, 0].sum(axis=1).std()
        for one in (fit, plain)
    )
    assert wide > 1.1 * narrow


@pytest.mark.slow
def test_streams_without_a_shock_are_rarely_accused():
    model = EndemicEpidemic(OneLag(), Background(0), lags=1)
    truth = {name: value for name, value in SHOCKED.items() if name != "shock"}
    warned = 0
    for seed in range(20):
        series = model.simulate(truth, blank(150, 3), np.random.default_rng(seed))
        fit = model.fit(series, MaximumLikelihood(draws=2, starts=1))
        warned += shared_shock(fit, draws=200).status == "warned"
    # At one per cent a test more than two of twenty come once in a thousand.
    assert warned <= 2


@pytest.mark.slow
def test_a_random_walk_is_followed(rng):
    walk = Component(0, walk=RandomWalk(28.0))
    model = EndemicEpidemic(OneLag(), walk, lags=1, distribution="poisson")
    like = blank(312, 1)
    moves = next(p for p in model.parameters(like) if p.name == "walk").shape
    truth = {
        "level": np.array([1.5]), "walk": rng.normal(size=moves), "walk_scale": np.array(0.3),
        "reproduction": np.array([[0.2]]),
    }  # fmt: skip
    series = model.simulate(truth, like, rng)
    layout = Layout(model.parameters(like))
    path = np.log(model.additive(fit_of(model, series, layout.pack(truth))).background[0, :, 0])
    # How wide the bands are is another matter: walk and R compete, and maximum likelihood, which
    # climbs in both, gives most to the walk (docs/endemic_epidemic.md).
    for engine in (MaximumLikelihood(draws=200), Laplace(draws=200)):
        fit = model.fit(series, engine)
        chosen = fit.diagnostics["random_scales"]["walk_scale"]
        assert 0.15 < chosen < 0.6
        found = np.log(fit.model.additive(fit, fit.theta).background[:, :, 0])
        assert stats.pearsonr(found.mean(axis=0), path).statistic > 0.8
        spread = fit.forecast(40).draws.std(axis=0)[:, 0]
        assert spread[-8:].mean() > 1.2 * spread[:4].mean()
    assert model.fit(series, MaximumLikelihood(draws=2)).model.background.walk.scale is not None


@pytest.mark.slow
def test_the_sampler_and_laplace_agree_on_what_the_data_tell(rng):
    # Much data and no entry at a bound: the posterior is nearly normal.
    model = EndemicEpidemic(
        OneLag(), Component(0, shared=("level",)), "poisson", lags=1,
        own=Component(interventions=Interventions(shifts=(BREAK,))), shared_shock=True,
    )  # fmt: skip
    truth = {
        "level": np.array(0.7), "own_intervention": np.array([[-0.8], [0.4]]),
        "reproduction": np.array([[0.5, 0.2], [0.25, 0.3]]), "shock": np.array(0.2),
    }  # fmt: skip
    series = model.simulate(truth, blank(312, 2), rng)
    sampled = model.fit(series, NUTS(draws=400, tune=300, chains=2))
    climbed = model.fit(series, Laplace())
    assert sampled.diagnostics["r_hat"] < 1.03
    for name, values in sampled.draws.items():
        spread = values.std(axis=0)
        apart = np.abs(values.mean(axis=0) - climbed.draws[name].mean(axis=0))
        assert (apart < 0.5 * spread).all()
        np.testing.assert_allclose(climbed.draws[name].std(axis=0), spread, rtol=0.3)
        assert (np.abs(values.mean(axis=0) - truth[name]) < 4 * spread).all()


def fit_of(model, series, theta):
    from escalation.fit import Fit

    layout = Layout(model.parameters(series))
    values = layout.unpack(theta)
    draws = {name: value[None] for name, value in values.items()}
    return Fit(model, series, draws, values, 0.0, {}, "")
