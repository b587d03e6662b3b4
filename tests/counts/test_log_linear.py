"""The log-linear count model: its likelihood, its answers, and what it must not say."""

from datetime import date
from itertools import product

import numpy as np
import pytest
from scipy import optimize, special, stats

from escalation.background import Background, Interventions
from escalation.checks import check
from escalation.counts import (
    Component,
    Ingarch,
    Latent,
    LogLinear,
    RandomIntercepts,
    RandomWalk,
)
from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.kernels import Exponential, OneLag
from escalation.parameters import Layout
from hard import START, collinear, hard_counts, weeks

TRUTH = {
    "level": np.array([0.4, 0.8]),
    "season": np.array([[0.3, 0.1], [0.0, -0.2]]),
    "influence": np.array([[0.35, 0.1], [-0.3, 0.3]]),
    "feedback": np.array([0.5, 0.2]),
    "dispersion": np.array([0.2, 0.4]),
    "decay": np.array(0.7),
}
FLAT = Background(harmonics=0)


def only(model, series, values=TRUTH):
    """The values that the model has parameters for."""
    return {p.name: values[p.name] for p in model.parameters(series)}


@pytest.fixture
def empty():
    return weeks(np.zeros((260, 2)), names=["strikes", "attacks"])


@pytest.fixture
def series(empty, rng):
    model = LogLinear(lags=1)
    return model.simulate(only(model, empty), empty, rng)


@pytest.fixture
def gappy(rng):
    counts = rng.poisson(2.0, (120, 2))
    counts[30:32] = 0
    gap = ((date(2001, 7, 30), date(2001, 8, 13)), (date(2002, 5, 8), date(2002, 5, 10)))
    return weeks(counts, names=["strikes", "attacks"], gaps=gap)


def naive(model, values, series):
    """Log-likelihood by loops, in the words of the class."""
    counts, scale = series.counts, series.scale
    whole = scale > 1 - 1e-9
    logs = np.log(1 + counts.astype(float))
    typical = logs[whole].mean(axis=0)
    logs[~whole] = typical
    weights = model.kernel.pmf(np.reshape(values.get("decay", np.zeros(0)), (-1,)), model.lags)
    delta = values.get("feedback", np.zeros(series.n_streams))
    times = 7.0 * np.arange(len(series))
    design = model.background.design(times, series.window.days, START, times + 7.0)
    season = values.get("season", np.zeros((series.n_streams, 0)))
    coefficients = np.concatenate([values["level"][:, None], season], axis=1)
    total, state = 0.0, values["influence"] @ typical
    for t in range(model.lags, len(series)):
        past = sum(w * logs[t - 1 - lag] for lag, w in enumerate(weights))
        state = delta * state + (1 - delta) * (values["influence"] @ past)
        if scale[t] == 0 or not whole[t - model.lags : t].all():
            continue
        mean = scale[t] * np.exp(coefficients @ design[t] + state)
        y = counts[t]
        if model.distribution == "poisson":
            total += (special.xlogy(y, mean) - mean - special.gammaln(y + 1)).sum()
        else:
            size = 1 / values["dispersion"]
            total += stats.nbinom.logpmf(y, size, size / (size + mean)).sum()
    return total


MODELS = [
    LogLinear(kernel=kernel, feedback=feedback, distribution=distribution, lags=4)
    for kernel, feedback, distribution in product(
        [OneLag(), Exponential()], [False, True], ["negative binomial", "poisson"]
    )
]


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.kernel.name} {m.feedback}")
def test_the_likelihood_is_that_of_plain_loops(model, gappy):
    problem = model.problem(gappy)
    values = only(model, gappy)
    value, _ = problem.evaluate(problem.layout.pack(values))
    np.testing.assert_allclose(value, naive(model, values, gappy), rtol=1e-11)


@pytest.mark.parametrize("model", MODELS, ids=lambda m: f"{m.kernel.name} {m.feedback}")
def test_the_gradient_is_that_of_finite_differences(model, gappy, rng):
    problem = model.problem(gappy)
    for _ in range(2):
        values = {k: v[0] for k, v in problem.layout.sample_prior(rng, 1).items()}
        values["level"] = values["level"] / 4
        theta = problem.layout.pack(values)
        _, gradient = problem.evaluate(theta)
        for i in problem.layout.free:
            step = 1e-6 * (np.arange(theta.size) == i)
            rise = problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]
            np.testing.assert_allclose(gradient[i], rise / 2e-6, rtol=2e-5, atol=2e-3)


@pytest.mark.slow
@pytest.mark.parametrize("model", MODELS[::3], ids=lambda m: f"{m.kernel.name} {m.feedback}")
def test_single_periods_sum_to_the_log_likelihood(model, gappy):
    fit = model.fit(gappy, MaximumLikelihood(draws=5, starts=1))
    single = model.pointwise(fit)
    assert single.shape == (1, *gappy.counts.shape)
    np.testing.assert_allclose(np.nansum(single), fit.log_likelihood, rtol=1e-10)
    np.testing.assert_array_equal(~np.isnan(single[0]).any(axis=1), model.used(gappy))
    assert model.pointwise(fit, fit.theta).shape == (5, *gappy.counts.shape)


def test_a_longer_series_keeps_what_the_fitted_one_fixed(series, rng):
    early, _ = series.split(date(2004, 1, 5))
    model = LogLinear(lags=2, feedback=True, background=Background(trend=300.0))
    fit = model.fit(early, MaximumLikelihood(draws=3, starts=1))
    both = model.pointwise(fit), model.pointwise(fit, series=series)
    np.testing.assert_allclose(both[1][:, : len(early)], both[0], rtol=1e-12)
    assert np.isfinite(both[1][:, len(early) :]).all()


def test_maximum_likelihood_is_that_of_statsmodels(series):
    import statsmodels.api as sm

    logs = np.log1p(series.counts[:-1].astype(float))
    regressors = np.column_stack([np.ones(len(logs)), logs])
    poisson = LogLinear(lags=1, background=FLAT, distribution="poisson").fit(series)
    free = LogLinear(lags=1, background=FLAT).fit(series)
    for k in range(2):
        seen = series.counts[1:, k]
        told = sm.GLM(seen, regressors, family=sm.families.Poisson()).fit(tol=1e-12)
        row = [poisson.estimate["level"][k], *poisson.estimate["influence"][k]]
        np.testing.assert_allclose(row, told.params, atol=1e-6)
        errors = poisson.draws["influence"][:, k].std(axis=0)
        np.testing.assert_allclose(errors, told.bse[1:], rtol=0.1)
        told = sm.NegativeBinomial(seen, regressors).fit(disp=0, method="newton", tol=1e-10)
        row = [free.estimate["level"][k], *free.estimate["influence"][k]]
        np.testing.assert_allclose([*row, free.estimate["dispersion"][k]], told.params, atol=1e-5)


def test_maximum_likelihood_with_feedback_is_that_of_scipy(series):
    model = LogLinear(lags=1, background=FLAT, distribution="poisson", feedback=True)
    one = weeks(series.counts[:80, :1])
    fit = model.fit(one, MaximumLikelihood(draws=10))

    def loss(x):
        values = {"level": x[:1], "influence": x[1:2, None], "feedback": 1 / (1 + np.exp(-x[2:]))}
        return -naive(model, values, one)

    found = optimize.minimize(loss, [0.5, 0.2, 0.0], method="Nelder-Mead",
                              options={"xatol": 1e-5, "fatol": 1e-7})  # fmt: skip
    assert abs(fit.log_likelihood + found.fun) < 1e-4
    np.testing.assert_allclose(fit.estimate["influence"].ravel(), found.x[1], atol=5e-3)


def test_the_feedback_is_that_of_fokianos_and_tjostheim(series):
    # nu_t = d + a nu_{t-1} + b log(1 + y_{t-1})
    model = LogLinear(lags=1, background=FLAT, feedback=True)
    one = weeks(series.counts[:, 0])
    fit = model.fit(one, MaximumLikelihood(draws=3, starts=1))
    level, influence, delta = (fit.estimate[n].item() for n in ("level", "influence", "feedback"))
    means = np.log(model.means(fit)[0, 1:, 0])
    a, b, d = delta, (1 - delta) * influence, (1 - delta) * level
    logs = np.log1p(one.counts[1:-1, 0])
    np.testing.assert_allclose(means[1:], d + a * means[:-1] + b * logs)


def test_periods_beside_a_gap_leave_the_likelihood(gappy):
    used = LogLinear(lags=2).used(gappy)
    partial = int(np.flatnonzero((gappy.exposure > 0) & (gappy.exposure < 7))[0])
    assert not used[[0, 1, 30, 31, 32, 33, partial + 1, partial + 2]].any()
    assert used[[2, 29, 34, partial]].all()


def test_interventions_enter_the_log_mean(series):
    when = Interventions(shifts=(date(2003, 6, 2),), spikes=(date(2004, 1, 5),))
    counts = series.counts.copy()
    counts[series.edges[:-1] >= np.datetime64("2003-06-02")] *= 3
    background = Background(harmonics=0, interventions=when)
    fit = LogLinear(lags=1, background=background).fit(weeks(counts))
    shift = fit.estimate["intervention"][:, 0]
    assert (shift > 0.3).all()


def test_the_first_step_of_a_response_is_exact(series):
    model = LogLinear(lags=1)
    fit = model.fit(series, MaximumLikelihood(draws=40))
    told = model.response(fit, "strikes", 3, draws=40, paths=2)
    last = series.counts[-1].astype(float)
    times = np.array([7.0 * len(series)])
    design = model.background.design(times, series.window.days, START, times + 7)[0]
    coefficients = np.concatenate([fit.draws["level"][:, :, None], fit.draws["season"]], axis=2)
    base = coefficients @ design + fit.draws["influence"] @ np.log1p(last)
    more = base + fit.draws["influence"][:, :, 0] * np.log((2 + last[0]) / (1 + last[0]))
    np.testing.assert_allclose(told.further[:, 0], np.exp(more) - np.exp(base))
    assert told.further.shape == (40, 3, 2)
    assert told.interval()[1, 0, 1] < 0
    assert "one more in strikes" in repr(told) and "<table>" in told._repr_html_()
    assert told.table()["stream"].to_list() == ["strikes", "attacks"] * 3


def test_later_steps_of_a_response_are_those_of_independent_simulation(series):
    model = LogLinear(lags=1)
    fit = model.fit(series, MaximumLikelihood(draws=1))
    fit = type(fit)(**{**fit.__dict__, "draws": {k: v[None] for k, v in fit.estimate.items()}})
    told = model.response(fit, "strikes", 2, draws=1, paths=20_000).further[0, 1]
    counts = series.counts.copy()
    counts[-1, 0] += 1
    other = type(fit)(**{**fit.__dict__, "series": weeks(counts, names=series.names)})
    means = [one.forecast(2, np.random.default_rng(i), 40_000).mean[1]
             for i, one in enumerate((fit, other))]  # fmt: skip
    # Four standard errors of the difference of two means of so many counts of about three.
    np.testing.assert_allclose(told, means[1] - means[0], atol=4 * np.sqrt(2 * 6 / 40_000))


def test_without_influence_nothing_follows(series):
    model = LogLinear(lags=1, arrows=((True, False), (False, True)))
    fit = model.fit(series, MaximumLikelihood(draws=20))
    told = model.response(fit, "strikes", 4, draws=20, paths=3)
    assert (told.further[:, :, 1] == 0).all()
    assert len(model.signs(fit).table()) == 2


def test_a_forecast_is_the_mean_of_simulated_paths(series):
    model = LogLinear(lags=3, kernel=Exponential(), feedback=True)
    fit = model.fit(series, MaximumLikelihood(draws=1))
    fit = type(fit)(**{**fit.__dict__, "draws": {k: v[None] for k, v in fit.estimate.items()}})
    forecast = fit.forecast(3, np.random.default_rng(0), draws=10_000)
    longer = weeks(np.concatenate([series.counts, series.counts[:1]]), names=series.names)
    next_mean = model.means(fit, series=longer)[0, -1]
    np.testing.assert_allclose(forecast.mean[0], next_mean, rtol=0.06)


def test_an_explosive_path_is_stopped_and_counts_as_above_all(series):
    fit = LogLinear(lags=1).fit(series, MaximumLikelihood(draws=10))
    wild = dict(fit.draws) | {"influence": np.full((10, 2, 2), 1.5)}
    fit = type(fit)(**{**fit.__dict__, "draws": wild})
    forecast = fit.forecast(40, draws=10)
    assert np.isinf(forecast.draws[:, -1]).all()
    assert np.isfinite(forecast.draws[:, 0]).all()
    response = fit.model.response(fit, "strikes", 40, draws=10, paths=2)
    assert np.isinf(response.further[:, -1]).all() and "inf" in repr(response)


def test_reproduction_numbers_are_refused_and_signs_given(series):
    model = LogLinear(lags=1)
    fit = model.fit(series)
    with pytest.raises(ValueError, match="not defined for LogLinear; use response"):
        fit.dynamics()
    signs = model.signs(fit)
    assert signs.below[1, 0] > 0.95 and signs.above[0, 0] > 0.95
    assert "strikes lowers attacks" in repr(signs) and "→" in signs._repr_html_()
    row = signs.table().row(1, named=True)
    assert (row["source"], row["target"]) == ("strikes", "attacks")
    assert row["p_negative"] + row["p_positive"] == pytest.approx(1)
    assert check(fit).table().height >= 2


def test_draws_and_replicated_series_keep_the_head(series, rng):
    model = LogLinear(lags=2)
    fit = model.fit(series, MaximumLikelihood(draws=20))
    copies = fit.replicate(rng, 50)
    assert copies.shape == (50, *series.counts.shape)
    np.testing.assert_array_equal(copies[:, :2], np.repeat(series.counts[None, :2], 50, axis=0))
    np.testing.assert_allclose(copies.mean(axis=(0, 1)), series.counts.mean(axis=0), rtol=0.15)


def test_simulation_does_not_read_counts_and_repeats(empty, series):
    model = LogLinear(lags=1)
    again = [model.simulate(only(model, one), one, np.random.default_rng(3)).counts
             for one in (empty, series)]  # fmt: skip
    np.testing.assert_array_equal(*again)


def test_the_prior_keeps_explosive_processes_under_one_per_cent(rng):
    for streams in (1, 2, 4, 8, 12):
        problem = LogLinear().problem(weeks(np.ones((40, streams))))
        draws = problem.layout.sample_prior(rng, 3000)["influence"]
        radius = np.abs(np.linalg.eigvals(np.maximum(draws, 0))).max(axis=1)
        assert (radius >= 1).mean() < 0.01


HARD = hard_counts()
SETTINGS = {"collinear covariates": {"background": Background(0, covariates=collinear())}}
QUICK = ("an empty stream", "a huge week", "twenty weeks")


@pytest.mark.parametrize(
    ("case", "engine", "feedback"),
    [
        pytest.param(*one, marks=() if one[0] in QUICK and not one[2] else pytest.mark.slow)
        for one in product(HARD, [MaximumLikelihood(draws=100), Laplace(draws=100)], [False, True])
    ],
    ids=lambda one: getattr(one, "name", str(one)),
)
def test_hard_data_are_fitted_or_the_diagnostics_say_so(case, engine, feedback, rng):
    make, settings = HARD[case], SETTINGS.get(case, {})
    settings = {"background": FLAT, "lags": 2, "feedback": feedback} | settings
    fit = LogLinear(**settings).fit(weeks(make(rng)), engine)
    assert np.isfinite(fit.log_likelihood)
    assert all(np.isfinite(values).all() for values in fit.draws.values())
    told = fit.diagnostics
    doubts = (not told["converged"]) or told["singular"] or told["at_bound"]
    doubts = doubts or told.get("silent") or told.get("vanishing")
    if engine.name == "maximum likelihood" and case in ("collinear covariates", "nothing at all"):
        assert doubts
    assert np.isfinite(fit.forecast(2, draws=50).quantile(0.5)).all()


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distribution": "normal"}, "distribution must be one of"),
        ({"dispersion": "none"}, "dispersion must be one of"),
        ({"lags": 0}, "lags must be at least 1"),
    ],
)
def test_faults_name_the_setting(settings, message):
    with pytest.raises(ValueError, match=message):
        LogLinear(**settings)


@pytest.mark.parametrize(
    "extra",
    [{"offset": (1.0, -1.0)}, {"shared": True}, {"intercepts": RandomIntercepts()},
     {"walk": RandomWalk()}],
    ids=lambda extra: next(iter(extra)),
)  # fmt: skip
@pytest.mark.parametrize("model", [LogLinear, Ingarch, Latent], ids=lambda model: model.__name__)
def test_a_component_is_refused_where_its_extras_would_be_left_out(model, extra, series):
    with pytest.raises(ValueError, match="takes a Background; shared terms, offsets, random"):
        model(background=Component(**extra)).fit(series)
    plain = model(background=Component(2)).parameters(series)
    assert repr(plain) == repr(model(background=Background(2)).parameters(series))


@pytest.mark.slow
def test_the_feedback_of_plain_noise_does_not_run_away():
    # Without influence nothing is known of its memory, and the limit law of the influence is that
    # of a number divided by almost nothing: a fifth of the forecasts were infinite.
    noise = weeks(np.random.default_rng(0).poisson([2.0, 1.5], (156, 2)))
    fit = LogLinear(feedback=True).fit(noise)
    assert fit.diagnostics["intervals"].startswith("parametric bootstrap")
    forecast = fit.forecast(8)
    assert np.isfinite(forecast.draws).mean() > 0.98
    assert forecast.quantile(0.9).max() <= 10


def test_what_cannot_be_fitted_is_refused(series):
    with pytest.raises(ValueError, match="10 periods leave none to fit after 12 lags"):
        LogLinear().fit(weeks(np.ones(10)))
    with pytest.raises(ValueError, match="LogLinear needs a CountSeries"):
        LogLinear().problem([1, 2])
    fit = LogLinear(lags=1).fit(series, MaximumLikelihood(draws=5, starts=1))
    with pytest.raises(ValueError, match="no stream 'x'; the streams are strikes, attacks"):
        fit.model.response(fit, "x")
    wild = {"level": np.zeros(2), "season": np.zeros((2, 2)), "dispersion": np.zeros(2)}
    with pytest.raises(ValueError, match="grows without bound"):
        fit.model.simulate(
            wild | {"influence": np.full((2, 2), 1.4)}, series, np.random.default_rng(0)
        )


@pytest.mark.slow
def test_nuts_agrees_with_laplace_and_the_pymc_model_has_the_same_density(series):
    model = LogLinear(lags=1, feedback=True)
    fit = model.fit(series, NUTS(draws=500, tune=500, chains=2))
    quick = model.fit(series, Laplace())
    spread = fit.draws["influence"].std(axis=0)
    gap = fit.draws["influence"].mean(axis=0) - quick.estimate["influence"]
    assert (np.abs(gap) < 0.6 * spread).all()
    assert fit.diagnostics["divergences"] == 0

    graph = model.to_pymc(series)
    values = only(model, series)
    point = graph.initial_point()
    point |= {
        "level": values["level"], "season": values["season"], "influence": values["influence"],
        "feedback_logodds__": np.log(values["feedback"] / (1 - values["feedback"])),
        "dispersion_log__": np.log(values["dispersion"]),
    }  # fmt: skip
    problem = model.problem(series)
    theta = problem.layout.pack(values)
    wanted = problem.evaluate(theta)[0] + problem.layout.penalty(theta, True)[0]
    got = graph.compile_logp(jacobian=False)(point)
    np.testing.assert_allclose(got, wanted, rtol=1e-10)
    assert Layout(model.parameters(series)).size == fit.theta.shape[1]
