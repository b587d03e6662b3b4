"""Panels: likelihood, marginal likelihood, three engines, forecasts, and what may go wrong."""

from datetime import date

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import nbinom, norm, poisson

import escalation as esc
from escalation.background import Background
from escalation.counts.panel_marginal import Marginal, summit
from escalation.fit import Fit
from escalation.likelihood.panel_curvature import panel_curvature
from escalation.parameters import Layout
from escalation.series import CountSeries, PanelSeries
from hard import uneven

FLAT = Background(harmonics=0)
START = date(2020, 1, 6)
QUICK = esc.Laplace(draws=200)


def at(model, series, rng, spread=0.1):
    """A fit that holds one vector of parameters near the first start, without an engine."""
    problem = model.problem(series)
    layout = problem.layout
    theta = problem.starts[0] + spread * rng.standard_normal(layout.size)
    theta[-1] = 0.6
    values = layout.unpack(theta)
    return Fit(model, series, {n: v[None] for n, v in values.items()}, values, 0.0, {}, ""), theta


SPECIFICATIONS = [
    pytest.param(1, esc.Panel(lags=3), id="plain"),
    pytest.param(2, esc.Panel(lags=3, varying=("season",)), id="two kinds, seasons"),
    pytest.param(2, esc.Panel(lags=3, pooling="none"), id="no pooling"),
    pytest.param(1, esc.Panel(lags=3, pooling="complete", distribution="poisson"), id="complete"),
    pytest.param(3, esc.Panel(lags=2, distribution="poisson"), id="three kinds, Poisson"),
]


@pytest.mark.parametrize(("kinds", "model"), SPECIFICATIONS)
def test_likelihood_is_that_of_naive_loops_and_the_gradient_that_of_differences(kinds, model, rng):
    series = uneven(kinds=kinds)
    problem = model.problem(series)
    fit, theta = at(model, series, rng)
    value, gradient = problem.evaluate(theta)
    np.testing.assert_allclose(value, naive(model, fit, theta), rtol=1e-11)
    np.testing.assert_allclose(np.nansum(model.pointwise(fit)), value, rtol=1e-12)
    for i in range(theta.size):
        step = 1e-6 * (np.arange(theta.size) == i)
        numeric = (problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]) / 2e-6
        np.testing.assert_allclose(gradient[i], numeric, rtol=1e-5, atol=1e-4)


def naive(model, fit, theta):
    """The log-likelihood unit by unit and period by period, by SciPy's laws."""
    series, total = fit.series, 0.0
    effects, layout = model.effects(series), Layout(fit.parameters)
    units = effects.of(layout, theta[None])[0]
    weights = model.lag_draws(theta[None], series)[0]
    values = layout.unpack(theta)
    days = (series.edges[:-1] - series.edges[0]).astype(float)
    waves = np.array([np.sin(2 * np.pi * days / 365.25), np.cos(2 * np.pi * days / 365.25)])
    for u, name in enumerate(series.units):
        own = series.unit(name)
        begin = len(series) - len(own)
        for t in range(model.lags, len(own)):
            for s in range(effects.kinds):
                season = (
                    units[u, effects.kinds + 2 * s : effects.kinds + 2 * s + 2]
                    if model.varying
                    else np.reshape(values["season"], (effects.kinds, 2))[s]
                )
                mean = np.exp(units[u, s] + season @ waves[:, begin + t])
                for j in range(effects.kinds):
                    first = effects.first["logit_reproduction"]
                    x = units[u, first : first + effects.kinds**2].reshape(effects.kinds, -1)
                    matrix = np.exp(x[s, j]) / (1 + np.exp(x[:, j]).sum())
                    mean += matrix * sum(
                        w * own.counts[t - 1 - i, j] for i, w in enumerate(weights)
                    )
                if effects.dispersed:
                    psi = np.exp(units[u, effects.first["log_dispersion"] + s])
                    total += nbinom.logpmf(own.counts[t, s], 1 / psi, 1 / (1 + psi * mean))
                else:
                    total += poisson.logpmf(own.counts[t, s], mean)
    return total


@pytest.mark.parametrize("distribution", ["negative binomial", "poisson"])
def test_second_derivatives_by_the_effects_are_those_of_differences(distribution, rng):
    model = esc.Panel(lags=3, varying=("season",), pooling="none", distribution=distribution)
    problem = model.problem(uneven(kinds=2))
    theta = problem.starts[0] + 0.2 * rng.standard_normal(problem.layout.size)
    theta[-1] = 0.7
    values, _ = problem.kernels(theta)
    rest = *problem.data.values(), *problem.structure
    value, slope, bend = panel_curvature(theta, values, *rest)
    constant = problem.data["constant"][0]
    np.testing.assert_allclose(value.sum() + constant, problem.evaluate(theta)[0], rtol=1e-10)
    deviation = problem.structure[2]
    for i in range(deviation.shape[1]):
        ends = []
        for side in (1e-5, -1e-5):
            moved = theta.copy()
            moved[deviation[:, i]] += side
            ends.append(panel_curvature(moved, values, *rest))
        numeric = (ends[0][0] - ends[1][0]) / 2e-5
        np.testing.assert_allclose(slope[:, i], numeric, rtol=1e-5, atol=1e-4)
        numeric = (ends[0][1] - ends[1][1]) / 2e-5
        np.testing.assert_allclose(bend[:, :, i], numeric, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("posterior", [False, True])
def test_the_gradient_of_the_marginal_density_is_that_of_differences(posterior, rng):
    problem = esc.Panel(lags=3, varying=("season",)).problem(uneven(units=5))
    marginal = Marginal(problem, panel_curvature, posterior)
    x = marginal.start(problem.starts[0]) + 0.1 * rng.standard_normal(len(marginal.places))
    value, gradient = marginal(x)
    assert np.isfinite(value)
    for i in range(x.size):
        step = 1e-4 * (np.arange(x.size) == i)
        numeric = (marginal.value(x + step)[0] - marginal.value(x - step)[0]) / 2e-4
        np.testing.assert_allclose(gradient[i], numeric, rtol=1e-4, atol=1e-3)


def test_marginal_likelihood_of_poisson_intercepts_is_that_of_quadrature(rng):
    """With R near zero the units are Poisson counts with normal log levels."""
    counts = rng.poisson(np.exp(rng.normal(0.5, 0.6, 6)), (25, 6))
    series = CountSeries.from_counts(counts, START)
    model = esc.Panel(
        kernel=esc.OneLag(), lags=1, background=FLAT, distribution="poisson", spreads=(1, 1e-9, 1)
    )
    problem = model.problem(series)
    marginal = Marginal(problem, panel_curvature, posterior=False)
    values = {"level_mean": 0.4, "level_spread": 0.7, "logit_reproduction_mean": -40.0,
              "logit_reproduction_spread": 0.0, "level_deviation": np.zeros(6),
              "logit_reproduction_deviation": np.zeros(6)}  # fmt: skip
    found, _ = marginal.value(marginal.start(problem.layout.pack(values)))
    exact = 0.0
    for column in counts[1:].T:

        def density(z, column=column):
            return np.exp(poisson.logpmf(column, np.exp(0.4 + 0.7 * z)).sum() + norm.logpdf(z) + 40)

        centre = (np.log(column.mean()) - 0.4) / 0.7
        exact += np.log(quad(density, centre - 5, centre + 5, epsabs=0, epsrel=1e-10)[0]) - 40
    # The error of Laplace's approximation: some 1/(12 × incidents) a unit.
    np.testing.assert_allclose(found, exact, atol=0.02)


def test_maximum_likelihood_finds_the_maximum_of_the_marginal(rng):
    """Also by another optimiser; and it is not where the joint maximum is."""
    from scipy.optimize import minimize

    series, _ = simulated(units=12, periods=80)
    problem = esc.Panel(background=FLAT, lags=2).problem(series)
    marginal = Marginal(problem, panel_curvature, posterior=False)
    best = summit(marginal)
    other = minimize(
        lambda x: -marginal.value(x)[0], best.x + 0.1, method="Nelder-Mead",
        options={"maxiter": 600, "xatol": 1e-3, "fatol": 1e-4},
    )  # fmt: skip
    assert -other.fun < best.value + 1e-3
    joint = problem.evaluate(marginal.theta(best.x, best.peak.deviations))[0]
    wider = marginal.theta(best.x, best.peak.deviations)
    spread, deviation = problem.structure[1:3]
    wider[spread] *= 3
    wider[deviation] /= 3
    assert problem.evaluate(wider)[0] == pytest.approx(joint)
    penalised = problem.layout.penalty(wider, True)[0]
    assert penalised > problem.layout.penalty(marginal.theta(best.x, best.peak.deviations), True)[0]


def simulated(units=30, periods=150, seed=0, **settings):
    """A panel from known parameters, and these."""
    rng = np.random.default_rng(seed)
    model = esc.Panel(background=FLAT, lags=2, **settings)
    truth = {
        "level_mean": np.array(0.0), "level_spread": np.array(0.8),
        "logit_reproduction_mean": np.array(-0.8), "logit_reproduction_spread": np.array(0.5),
        "log_dispersion_mean": np.array(-0.7), "log_dispersion_spread": np.array(0.4),
        "decay": np.array(0.8),
    }  # fmt: skip
    for name in ("level", "logit_reproduction", "log_dispersion"):
        truth[f"{name}_deviation"] = rng.standard_normal(units)
    like = CountSeries.from_counts(np.zeros((periods, units)), START)
    return model.simulate(truth, like, rng), truth


@pytest.mark.slow
@pytest.mark.parametrize("engine", [esc.MaximumLikelihood(draws=300), esc.Laplace(draws=300)])
def test_population_and_units_are_recovered(engine):
    model = esc.Panel(background=FLAT, lags=2)
    inside, covered, errors = [], [], []
    for seed in range(6):
        series, truth = simulated(seed=seed)
        fit = model.fit(series, engine)
        assert fit.diagnostics["converged"]
        for name in ("level_mean", "level_spread", "logit_reproduction_mean", "decay"):
            low, high = np.quantile(fit.draws[name], [0.05, 0.95])
            inside.append(low <= truth[name] <= high)
        layout = Layout(fit.parameters)
        effects = model.effects(series)
        real = effects.of(layout, layout.pack(truth)[None])[0]
        drawn = effects.of(layout, fit.theta)
        low, high = np.quantile(drawn, [0.05, 0.95], axis=0)
        covered.append(((low <= real) & (real <= high)).mean(axis=0))
        errors.append((drawn.mean(axis=0) - real).mean(axis=0))
    # Of 24, one in a thousand binomial(24, .9) falls below 17; of 180 units three standard errors.
    assert sum(inside) >= 17
    assert np.all(np.mean(covered, axis=0) > 0.82)
    assert np.all(np.abs(np.mean(errors, axis=0)) < 0.25)


@pytest.mark.slow
def test_the_sampler_agrees_with_nested_laplace(rng):
    series, _ = simulated(units=15, periods=120)
    model = esc.Panel(background=FLAT, lags=2)
    quick = model.fit(series, esc.Laplace(draws=1000), rng)
    slow = model.fit(series, esc.NUTS(draws=500, tune=300, chains=2), rng)
    assert slow.diagnostics["r_hat"] < 1.03
    effects, layout = model.effects(series), Layout(quick.parameters)
    a, b = (effects.of(layout, fit.theta) for fit in (quick, slow))
    assert np.abs((a.mean(axis=0) - b.mean(axis=0)) / b.std(axis=0)).max() < 0.5
    assert np.all(np.abs(a.std(axis=0) / b.std(axis=0) - 1).mean(axis=0) < 0.25)


@pytest.mark.slow
def test_the_sampler_does_not_diverge_where_spreads_are_hardly_known():
    # Two units, one of them all but silent: in 400 replications of the calibration none diverged.
    model, found = esc.Panel(background=FLAT, lags=2), []
    for seed in range(2):
        counts = np.random.default_rng(seed).poisson([0.02, 1.0], (100, 2))
        series = CountSeries.from_counts(counts, START, "week", ["a", "b"])
        fit = model.fit(series, esc.NUTS(draws=200, tune=200, chains=2), np.random.default_rng(0))
        found.append(fit.diagnostics["divergences"])
    assert found == [0] * 2


def test_pooling_pulls_short_units_and_narrows_their_intervals(rng):
    whole, _ = simulated(units=10, periods=200, seed=3)
    short = {}
    for k, name in enumerate(whole.names):
        begin = 0 if k < 5 else 170
        first = whole.edges[begin].item()
        short[name] = CountSeries.from_counts(whole.counts[begin:, k], first, names=["raids"])
    series = PanelSeries.from_series(short)
    assert series.uneven
    model = esc.Panel(background=FLAT, lags=2)
    apart = esc.Panel(background=FLAT, lags=2, pooling="none")
    table = model.units(model.fit(series, QUICK, rng)).shrinkage(
        apart.units(apart.fit(series, QUICK, rng))
    )
    widths = table.filter(table["quantity"] == "R")["width"].to_numpy()
    assert widths[5:].mean() < min(widths[:5].mean(), 0.85)
    assert table["periods"].to_numpy()[:10].tolist() == [198.0] * 5 + [28.0] * 5


def test_forecasts_of_units_old_and_new(rng):
    series, _ = simulated(units=8, periods=80)
    model = esc.Panel(background=FLAT, lags=2)
    fit = model.fit(series, QUICK, rng)
    made = model.forecast_new(fit, 6, np.random.default_rng(1), 500)
    again = model.forecast_new(fit, 6, np.random.default_rng(1), 500)
    np.testing.assert_array_equal(made.draws, again.draws)
    assert made.names == ("a new unit",)
    old = fit.forecast(6, np.random.default_rng(1), 500)
    # A unit of which nothing is known is less sure than those watched.
    assert made.draws.std() > np.median(old.draws.std(axis=(0, 1)))
    population = model.population(fit)
    assert population["quantity"].to_list() == ["level", "R", "dispersion"]
    assert (population["new_lower"] < population["lower"]).all()
    with pytest.raises(ValueError, match="no population"):
        esc.Panel(pooling="none").forecast_new(fit, 6)
    with pytest.raises(ValueError, match="partial pooling"):
        esc.Panel(pooling="complete").population(fit)
    with pytest.raises(ValueError, match="at least 1 period"):
        model.forecast_new(fit, 0)


def test_a_unit_that_is_not_watched_any_more_is_carried_forward(rng):
    """Its forecast starts at its last watched period, not at a made-up silence."""
    ended = CountSeries.from_counts(rng.poisson(20.0, 60), START, names=["raids"])
    going = CountSeries.from_counts(rng.poisson(20.0, 90), START, names=["raids"])
    series = PanelSeries.from_series({"ended": ended, "going": going})
    model = esc.Panel(background=FLAT, lags=3)
    fit = model.fit(series, QUICK, rng)
    means = fit.forecast(1, rng, 800).mean[0]
    assert 16 < means[0] < 24
    assert 16 < means[1] < 24


def test_answers_of_a_unit(rng):
    series = uneven(kinds=2)
    model = esc.Panel(lags=3)
    fit = model.fit(series, QUICK, rng)
    dynamics = model.dynamics(fit, "unit 1")
    assert dynamics.reproduction.shape == (200, 2, 2)
    assert np.all(dynamics.reproduction.sum(axis=1) < 1)
    np.testing.assert_allclose(dynamics.shares.sum(axis=2), 1.0)
    further = model.response(fit, "unit 1: kind 0", 5).total[:, -1]
    wanted = dynamics.responses[:, 4, :, 0]
    np.testing.assert_allclose(further, wanted)
    assert len(model.units(fit).quantities) == 8
    with pytest.raises(ValueError, match="say which unit: unit 0"):
        model.dynamics(fit)
    with pytest.raises(ValueError, match="no quantity"):
        model.units(fit).interval("speed")
    assert not esc.check(fit).table().is_empty()


def test_paths_keep_what_is_conditioned_on(rng):
    series = uneven()
    model = esc.Panel(lags=3)
    fit = model.fit(series, QUICK, rng)
    paths = fit.replicate(rng, 20)
    kept = ~model.used_by_unit(series)
    np.testing.assert_array_equal(paths[:, kept], np.tile(series.counts[kept], (20, 1)))
    assert paths[:, ~kept].std(axis=0).min() > 0
    drawn = model.simulate(fit.estimate, series, rng)
    assert isinstance(drawn, PanelSeries)
    assert drawn.counts[series.shares == 0].sum() == 0


HARD = {
    "all zero": np.zeros((60, 3)),
    "one silent unit": np.random.default_rng(0).poisson([0.0, 1.0, 2.0], (60, 3)),
    "twenty weeks": np.random.default_rng(1).poisson(1.0, (20, 3)),
    "twelve units": np.random.default_rng(2).poisson(1.0, (60, 12)),
    "one unit": np.random.default_rng(3).poisson(1.0, (60, 1)),
}


@pytest.mark.parametrize("engine", [esc.MaximumLikelihood(draws=100), esc.Laplace(draws=100)])
@pytest.mark.parametrize("case", [*HARD, "one huge week", "collinear covariates", "gaps"])
def test_hard_cases_converge_or_say_so(case, engine, rng):
    counts, gaps, background = HARD.get(case), (), FLAT
    if case == "one huge week":
        counts = np.random.default_rng(4).poisson(1.0, (60, 3))
        counts[30, 1] = 500
    if counts is None:
        counts = np.random.default_rng(5).poisson(1.0, (60, 3))
    if case == "gaps":
        gaps = ((date(2020, 3, 2), date(2020, 3, 18)),)
        counts[8:10] = 0
    if case == "collinear covariates":
        wave = np.sin(np.arange(600.0))
        values = np.column_stack([wave, 2 * wave])
        background = Background(harmonics=0, covariates=esc.Covariates(START, values, ("a", "b")))
    series = CountSeries.from_counts(counts, START, gaps=gaps)
    model = esc.Panel(background=background, lags=2)
    fit = model.fit(series, engine, rng)
    assert np.isfinite(fit.log_likelihood)
    assert all(np.isfinite(values).all() for values in fit.draws.values())
    told = fit.diagnostics
    # Without a sign of R or dispersion their maximum is at minus infinity, and the fit says so.
    assert told["converged"] or told["vanishing"]
    if engine.name == "Laplace":
        assert told["converged"]
    forecast = fit.forecast(4, rng, 200)
    assert np.isfinite(forecast.mean).all()


def test_other_models_refuse_a_panel_of_unequal_length():
    with pytest.raises(ValueError, match="fit a Panel"):
        esc.EndemicEpidemic().fit(uneven())


def test_what_is_no_specification():
    for settings, said in (
        ({"pooling": "some"}, "pooling must be one of"),
        ({"varying": ("level",)}, "varying names"),
        ({"lags": 0}, "lags must be at least 1"),
        ({"spreads": (1.0, 0.0, 1.0)}, "three positive numbers"),
        ({"background": Background(harmonics=(1, 2))}, "one number of harmonics"),
    ):
        with pytest.raises(ValueError, match=said):
            esc.Panel(**settings)
