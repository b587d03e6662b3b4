"""Counts with a latent log-rate: likelihood, paths, evidence, and how forecasts go on."""

from dataclasses import replace
from datetime import date
from itertools import product

import numpy as np
import pytest
from scipy import special, stats

from escalation.background import Background
from escalation.checks import check, compare
from escalation.counts import (
    Autoregression,
    Component,
    EndemicEpidemic,
    GaussianProcess,
    Latent,
    RandomWalk,
)
from escalation.counts.latent_choice import process_of
from escalation.counts.random_scales import choose, evidences, free_scales
from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.fit import Fit
from escalation.kernels import Exponential, OneLag
from escalation.parameters import Layout
from escalation.series import CountSeries
from hard import START, collinear, hard_counts

FLAT = Background(harmonics=0)
PATHS = (RandomWalk(), Autoregression(), GaussianProcess(prior_length=200.0))


def weeks(counts, **settings):
    return CountSeries.from_counts(counts, START, "week", **settings)


@pytest.fixture
def gappy(rng):
    counts = rng.poisson(2.0, (60, 2))
    counts[30:32] = 0
    gap = ((date(2001, 7, 30), date(2001, 8, 13)), (date(2002, 1, 9), date(2002, 1, 11)))
    return weeks(counts, names=["strikes", "attacks"], gaps=gap)


def some_values(model, series, rng):
    """Values drawn from the priors, with levels that make counts."""
    values = {k: v[0] for k, v in model.layout(series).sample_prior(rng, 1).items()}
    return values | {"level": values["level"] / 4}


def known(model, series, values, draws=1):
    """A fit that knows the parameters."""
    point = {name: np.array(value) for name, value in values.items()}
    copies = {name: np.repeat(value[None], draws, axis=0) for name, value in point.items()}
    return Fit(model, series, copies, point, 0.0, {"converged": True}, "known")


def naive_path(setting, values, weeks_seen, days):
    """Paths (T, K) by loops, in the words of the classes."""
    times = 7.0 * np.arange(weeks_seen)
    sigma = values["path_scale"]
    out = np.zeros((weeks_seen, len(values["path"])))
    for k, z in enumerate(values["path"]):
        if isinstance(setting, GaussianProcess):
            ell, width = values["length"], 9 * setting.prior_length
            for m, one in enumerate(z, start=1):
                omega = m * np.pi / width
                density = 12 * np.sqrt(3) / ell**3 / (3 / ell**2 + omega**2) ** 2
                wave = np.sqrt(2 / width) * np.sin(omega * (times + (width - days) / 2))
                out[:, k] += sigma * np.sqrt(density) * wave * one
            continue
        state, states = 0.0, []
        for b, one in enumerate(z):
            if isinstance(setting, RandomWalk):
                states.append(state)
                state = state + sigma * one
            else:
                phi = values["persistence"]
                state = sigma * one if b == 0 else phi * state + sigma * np.sqrt(1 - phi**2) * one
                states.append(state)
        states.append(state)
        out[:, k] = [states[int(t // 28)] for t in times]
    if isinstance(setting, RandomWalk):
        out -= out.mean(axis=0)
    return out


def naive(model, values, series):
    """Log-likelihood by loops over SciPy's laws."""
    counts, scale = series.counts, series.scale
    path = naive_path(model.path, values, len(series), series.window.days)
    times = 7.0 * np.arange(len(series))
    design = model.background.design(times, series.window.days, START, times + 7.0)
    coefficients = np.concatenate([values["level"][:, None], values["season"]], axis=1)
    lags, weights = 0, np.zeros(0)
    if model.contagion:
        lags, weights = model.lags, model.kernel.pmf(values["decay"].reshape(-1), model.lags)
    total = 0.0
    for t in range(lags, len(series)):
        if scale[t] == 0 or not (scale[t - lags : t] > 1 - 1e-9).all():
            continue
        mean = np.exp(coefficients @ design[t] + path[t])
        if lags:
            past = sum(w * counts[t - 1 - lag] for lag, w in enumerate(weights))
            mean = mean + values["reproduction"] @ past
        mean = scale[t] * mean
        y = counts[t]
        if model.distribution == "poisson":
            total += (special.xlogy(y, mean) - mean - special.gammaln(y + 1)).sum()
        else:
            size = 1 / values["dispersion"]
            total += stats.nbinom.logpmf(y, size, size / (size + mean)).sum()
    return total


MODELS = [
    Latent(path, contagion=contagion, distribution=law, lags=3)
    for path, contagion, law in product(PATHS, [False, True], ["negative binomial", "poisson"])
]


def label(model):
    return f"{type(model.path).__name__} {'contagion' if model.contagion else 'alone'}"


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_the_likelihood_is_that_of_plain_loops(model, gappy, rng):
    problem, values = model.problem(gappy), some_values(model, gappy, rng)
    value, _ = problem.evaluate(problem.layout.pack(values))
    np.testing.assert_allclose(value, naive(model, values, gappy), rtol=1e-10)


@pytest.mark.parametrize("model", MODELS, ids=label)
def test_the_gradient_is_that_of_finite_differences(model, gappy, rng):
    problem = model.problem(gappy)
    theta = problem.layout.pack(some_values(model, gappy, rng))
    _, gradient = problem.evaluate(theta)
    for i in problem.layout.free:
        step = 1e-6 * max(1.0, abs(theta[i])) * (np.arange(theta.size) == i)
        rise = problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]
        np.testing.assert_allclose(gradient[i], rise / (2 * step[i]), rtol=2e-5, atol=2e-3)


@pytest.mark.parametrize("model", MODELS[::2], ids=label)
def test_single_periods_sum_to_the_log_likelihood(model, gappy, rng):
    values = some_values(model, gappy, rng)
    single = model.pointwise(known(model, gappy, values))
    np.testing.assert_allclose(np.nansum(single), naive(model, values, gappy), rtol=1e-10)
    np.testing.assert_array_equal(~np.isnan(single[0]).any(axis=1), model.used(gappy))


def test_given_numbers_are_those_of_free_ones(gappy, rng):
    for path, given in (
        (RandomWalk(), {"scale": 0.3}),
        (Autoregression(), {"scale": 0.6, "persistence": 0.8}),
        (GaussianProcess(), {"scale": 0.6, "length": 300.0}),
    ):
        # As many waves over the same domain: both follow from the length where it is given.
        if isinstance(path, GaussianProcess):
            path = replace(path, margin=5.0, waves=20)
        free, fixed = Latent(path), Latent(replace(path, **given))
        values = some_values(free, gappy, rng) | {
            {"scale": "path_scale"}.get(name, name): np.array(value)
            for name, value in given.items()
        }
        problems = free.problem(gappy), fixed.problem(gappy)
        told = [one.evaluate(one.layout.pack(values))[0] for one in problems]
        np.testing.assert_allclose(*told, rtol=1e-12)
        assert not fixed.free_numbers() and len(free.free_numbers()) == len(given)


def test_a_walk_with_contagion_is_the_walk_of_the_endemic_epidemic_model(gappy, rng):
    hidden = Latent(RandomWalk(), contagion=True, lags=3)
    other = EndemicEpidemic(background=Component(1, walk=RandomWalk()), lags=3)
    values = some_values(hidden, gappy, rng)
    path = naive_path(hidden.path, values, len(gappy), gappy.window.days)
    theirs = values | {"walk": values["path"], "walk_scale": values["path_scale"]}
    problem = other.problem(gappy)
    fit = known(other, gappy, {p.name: theirs[p.name] for p in problem.layout.parameters})
    # The two centre the walk over periods and over days.
    shift = np.log(other.additive(fit).background[0, 0]) - path[0] - values["level"]
    shift -= np.log(hidden.parts(known(hidden, gappy, values)).background[0, 0]) - path[0]
    shift += values["level"]
    theirs["level"] = values["level"] - shift
    value, _ = problem.evaluate(problem.layout.pack(theirs))
    np.testing.assert_allclose(value, naive(hidden, values, gappy), rtol=1e-10)


# Paths -------------------------------------------------------------------------------------------


def test_the_waves_have_the_covariance_of_the_process():
    days, times = 3640.0, 7.0 * np.arange(520)
    for length in (200.0, 365.0, 500.0):
        process = process_of(GaussianProcess(), days)
        unit = np.eye(process.size)[:, None]
        rows = process.paths(unit, np.full(process.size, length), times, times)[:, :, 0]
        distance = np.sqrt(3) * np.abs(times[:, None] - times) / length
        exact = (1 + distance) * np.exp(-distance)
        np.testing.assert_allclose(rows.T @ rows, exact, atol=0.05)


@pytest.mark.parametrize(
    ("setting", "shape"),
    [(RandomWalk(), 1.0), (Autoregression(step=21.0), 0.8), (GaussianProcess(), 300.0)],
)
def test_paths_go_on_beyond_the_window_as_they_would_within_a_longer_one(setting, shape, rng):
    draws, days, total = 6000, 700.0, 910.0
    short, long = process_of(setting, days), process_of(setting, total)
    before, after = 7.0 * np.arange(100), 7.0 * np.arange(100, 130)
    moves = rng.standard_normal((draws, 1, short.size))
    given = np.full(draws, shape)
    parts = (
        short.paths(moves, given, before, before),
        short.onward(moves, given, before, after, rng),
    )
    found = np.concatenate(parts, axis=1)[:, :, 0]
    whole = 7.0 * np.arange(130)
    moves = rng.standard_normal((draws, 1, long.size))
    other = long.paths(moves, given, whole, whole)[:, :, 0]
    if isinstance(setting, RandomWalk):
        # Centred over different windows: moves are compared.
        found, other = found - found[:, [60]], other - other[:, [60]]
    points = [90, 99, 100, 104, 112, 129]
    one, two = (np.cov(values[:, points], rowvar=False) for values in (found, other))
    # Four standard errors of the difference of two covariances.
    spread = np.sqrt((np.outer(np.diag(two), np.diag(two)) + two**2) / draws)
    assert (np.abs(one - two) < 4 * np.sqrt(2) * spread + 0.02).all()


def test_a_longer_horizon_begins_with_the_same_path(rng):
    times = 7.0 * np.arange(100)
    for setting in PATHS:
        process = process_of(setting, 700.0)
        moves, shape = rng.standard_normal((3, 2, process.size)), np.full(3, 0.7)
        ends = [
            process.onward(
                moves, shape, times, 700.0 + 7.0 * np.arange(n), np.random.default_rng(1)
            )
            for n in (8, 20)
        ]
        np.testing.assert_allclose(ends[1][:, :8], ends[0], rtol=1e-10)


def test_an_autoregression_is_stationary(rng):
    process = process_of(Autoregression(step=7.0), 210.0)
    times = 7.0 * np.arange(30)
    moves = rng.standard_normal((20_000, 1, process.size))
    path = process.paths(moves, np.full(20_000, 0.9), times, times)[:, :, 0]
    np.testing.assert_allclose(path.var(axis=0), 1.0, atol=4 * np.sqrt(2 / 20_000))
    pair = np.mean(path[:, 1:] * path[:, :-1], axis=0)
    np.testing.assert_allclose(pair, 0.9, atol=4 * np.sqrt(2 / 20_000))


# Marginal likelihood -----------------------------------------------------------------------------


def integrated(model, series, rng, draws=60_000):
    """Log of the probability of a series and its standard error, by sampling the posterior's box.

    Importance sampling from a t law with five degrees of freedom about Laplace's normal law.
    """
    engine = Laplace(draws=4000, starts=1)
    fit = model.fit(series, engine, rng)
    problem, theta = model.problem(series), fit.theta
    centre, root = theta.mean(axis=0), np.linalg.cholesky(np.cov(theta, rowvar=False))
    z = rng.standard_normal((draws, len(centre)))
    z *= np.sqrt(5 / rng.chisquare(5, draws))[:, None]
    size = len(centre)
    told = special.gammaln((5 + size) / 2) - special.gammaln(2.5) - size / 2 * np.log(5 * np.pi)
    told -= np.log(np.diag(root)).sum() + (5 + size) / 2 * np.log1p((z**2).sum(axis=1) / 5)
    points = centre + z @ root.T
    terms = np.array([
        problem.evaluate(point)[0] + problem.layout.penalty(point, True)[0] for point in points
    ]) - told  # fmt: skip
    weights = np.exp(terms - terms.max())
    error = weights.std() / weights.mean() / np.sqrt(draws)
    return terms.max() + np.log(weights.mean()), error, fit.diagnostics["evidence"]


@pytest.mark.parametrize(
    "path",
    [RandomWalk(step=7.0, scale=0.4), Autoregression(step=7.0, scale=0.7, persistence=0.8)],
)
def test_the_evidence_of_a_scale_is_the_integral(path, rng):
    series = weeks(np.array([3, 1, 4, 6, 9, 7]))
    model = Latent(path, background=FLAT, distribution="poisson")
    sampled, error, told = integrated(model, series, rng, 5000)
    assert error < 0.03
    # Laplace's formula itself is not exact; its error here is that of six small counts.
    assert abs(told - sampled) < 0.05 + 3 * error


def test_the_integral_over_one_state_is_that_of_quadrature():
    # One step: a Poisson count whose log-mean is level + scale z.
    model = Latent(Autoregression(step=7.0, scale=0.5, persistence=0.5), background=FLAT,
                   distribution="poisson")  # fmt: skip
    problem = model.problem(weeks(np.array([4])))
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    level = np.log(3.0)
    sum_by_nodes = 0.0
    for node, weight in zip(nodes, weights / np.sqrt(2 * np.pi), strict=True):
        sum_by_nodes += weight * np.exp(problem.evaluate(np.array([level, node]))[0])
    grid = np.linspace(-6, 6, 4001)
    values = stats.poisson.pmf(4, np.exp(level + 0.5 * grid)) * stats.norm.pdf(grid)
    np.testing.assert_allclose(sum_by_nodes, np.trapezoid(values, grid), rtol=1e-8)


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


def test_simulation_does_not_read_counts_and_repeats(gappy, rng):
    model = Latent(RandomWalk(), contagion=True, lags=2)
    values = some_values(model, gappy, rng)
    values["reproduction"] = values["reproduction"] / 4
    again = [model.simulate(values, one, np.random.default_rng(3)).counts
             for one in (gappy, replace(gappy, counts=0 * gappy.counts))]  # fmt: skip
    np.testing.assert_array_equal(*again)
    assert (again[0][gappy.scale == 0] == 0).all()


def test_a_fit_prints_checks_and_summarises(moved):
    model, series, _ = moved
    given = replace(model, path=replace(model.path, scale=0.7, persistence=0.8))
    fit = given.fit(series, Laplace(draws=50))
    assert "Latent(path=Autoregression" in repr(fit)
    assert check(fit).table().height >= 2 and fit.summary().height == 2 + 78 + 2


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Latent(arrows=((True,),)), "arrows are those of the contagion"),
        (lambda: Latent("walk"), "path must be a RandomWalk, an Autoregression or a Gaussian"),
        (lambda: Latent(lags=0), "lags must be at least 1"),
        (lambda: Autoregression(persistence=1.0), "persistence must be between 0 and 1, got 1.0"),
        (lambda: Autoregression(step=-1.0), "step of Autoregression must be positive, got -1.0"),
        (lambda: GaussianProcess(margin=0.9), "margin must be above 1, got 0.9"),
        (lambda: GaussianProcess(waves=0), "waves must be at least 1, got 0"),
    ],
)
def test_impossible_settings_are_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()


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


def test_layouts_of_all_paths_hold_what_is_declared(gappy):
    for path, names in zip(
        PATHS, (["path_scale"], ["path_scale", "persistence"], ["path_scale", "length"]),
        strict=True,
    ):  # fmt: skip
        model = Latent(path, background=FLAT)
        found = [p.name for p in model.parameters(gappy)]
        assert found == ["level", "path", *names, "dispersion"]
        assert Layout(model.parameters(gappy)).joint is None
