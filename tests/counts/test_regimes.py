"""Counts that switch between phases: the likelihood, the phases, and what comes next."""

from datetime import date
from itertools import product

import numpy as np
import pytest
from scipy import optimize, stats

from escalation.background import Background
from escalation.checks import check
from escalation.counts import Component, RandomWalk, Regimes
from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.fit import Fit
from escalation.kernels import Exponential
from escalation.parameters import Layout
from escalation.series import CountSeries
from hard import START, collinear, hard_counts

FLAT = Background(harmonics=0)
TWO = ("quiet", "escalated")
TRUTH = {
    "level": np.log([0.6, 0.3]),
    "rise": np.array([1.2, 1.0]),
    "departure": np.array([[0.3], [-0.2]]),
    "stay": np.array([0.95, 0.9, 0.92]),
    "up": np.array([0.4]),
    "jump": np.array([[0.2], [0.0], [0.3]]),
    "influence": np.array([[0.2, 0.0], [-0.1, 0.2]]),
    "dispersion": np.array([0.2, 0.4]),
    "season": np.array([[0.2, 0.1], [0.0, -0.2]]),
    "decay": np.array(0.7),
}


def weeks(counts, **settings):
    return CountSeries.from_counts(counts, START, "week", **settings)


def known(model, series, values=None):
    """The values that the model has parameters for, cut to its shapes."""
    values = TRUTH | (values or {})
    out = {}
    for p in model.parameters(series):
        out[p.name] = values[p.name][tuple(slice(n) for n in p.shape)]
    return out


@pytest.fixture
def empty():
    return weeks(np.zeros((400, 2)), names=["strikes", "attacks"])


@pytest.fixture
def series(empty, rng):
    model = Regimes(background=FLAT)
    return model.simulate(known(model, empty), empty, rng)


@pytest.fixture
def short(rng):
    """Seven weeks, one of them unwatched and one in part."""
    counts = rng.poisson(2.0, (7, 2))
    counts[3] = 0
    gaps = ((date(2001, 1, 22), date(2001, 1, 29)), (date(2001, 2, 7), date(2001, 2, 9)))
    return weeks(counts, names=["strikes", "attacks"], gaps=gaps)


def chain(values, phases):
    """Transition matrix by the words of the class, phase by phase."""
    out = np.zeros((phases, phases))
    for a in range(phases):
        out[a, a] = values["stay"][a]
        rest = 1 - out[a, a]
        up = 1.0 if a == 0 else 0.0 if a == phases - 1 else values["up"][a - 1]
        for way, share in ((range(a + 1, phases), up), (range(a - 1, -1, -1), 1 - up)):
            left = rest * share
            for b in way:
                inner = 0 < b < phases - 1 and "jump" in values
                over = values["jump"][a, b - 1] if inner else 0.0
                out[a, b] = left * (1 - over)
                left *= over
    return out


def log_means(model, values, series):
    """Log-means (S, T, K) by plain loops."""
    phases, streams = len(model.phases), series.n_streams
    rise, departure = values["rise"], values.get("departure", np.zeros((phases - 1, 0)))
    moves = np.zeros((phases, streams))
    for s in range(1, phases):
        if streams == 1:
            own = np.array([rise[s - 1]])
        elif model.order is None:
            # Two streams: one contrast, of the prior's standard deviation in both.
            own = rise[s - 1] + np.array([1.0, -1.0]) * departure[s - 1, 0]
        else:
            first = series.names.index(model.order)
            own = np.full(streams, rise[s - 1])
            own[1 - first] += departure[s - 1, 0]
        moves[s] = moves[s - 1] + own
    times = 7.0 * np.arange(len(series))
    design = model.background.design(times, series.window.days, START, times + 7.0)
    season = values.get("season", np.zeros((streams, 0)))
    base = design @ np.concatenate([values["level"][:, None], season], axis=1).T
    base = base + np.log(np.maximum(series.scale, 1e-9))[:, None]
    if model.influence:
        logs = np.log1p(series.counts.astype(float))
        whole = series.scale > 1 - 1e-9
        logs[~whole] = logs[whole].mean(axis=0)
        weights = model.kernel.pmf(np.reshape(values.get("decay", np.zeros(0)), (-1,)), model.lags)
        for t in range(model.lags, len(series)):
            past = sum(w * logs[t - 1 - lag] for lag, w in enumerate(weights))
            base[t] += values["influence"] @ past
    return base + moves[:, None]


def emissions(model, values, series):
    """Log-probability (S, T) of what was seen in each period: nothing where it is not used."""
    exponent, used = log_means(model, values, series), model.used(series)
    if model.distribution == "poisson":
        term = stats.poisson.logpmf(series.counts, np.exp(exponent))
    else:
        size = 1 / np.broadcast_to(values["dispersion"], (series.n_streams,))
        term = stats.nbinom.logpmf(series.counts, size, size / (size + np.exp(exponent)))
    return np.where(used, term.sum(axis=2), 0.0)[:, model.reach :]


def stationary(matrix):
    values, vectors = np.linalg.eig(matrix.T)
    law = np.real(vectors[:, np.argmin(np.abs(values - 1))])
    return law / law.sum()


def every_path(model, values, series):
    """Log-likelihood, and probability of each path, by the sum over all of them."""
    matrix, term = chain(values, len(model.phases)), emissions(model, values, series)
    begin, periods = stationary(matrix), term.shape[1]
    paths = np.array(list(product(range(len(begin)), repeat=periods)))
    prior = begin[paths[:, 0]] * np.prod(matrix[paths[:, :-1], paths[:, 1:]], axis=1)
    weight = prior * np.exp(term[paths, np.arange(periods)].sum(axis=1))
    return np.log(weight.sum()), paths, weight / weight.sum()


MODELS = {
    "three phases": Regimes(background=FLAT),
    "two phases": Regimes(TWO),
    "four phases": Regimes(tuple("abcd"), background=FLAT, dispersion="shared"),
    "no jumps": Regimes(background=FLAT, jumps=False),
    "poisson, ordered by a stream": Regimes(
        background=FLAT, distribution="poisson", order="attacks"
    ),
    "influence": Regimes(background=FLAT, influence=True, lags=1),
    "influence by a kernel": Regimes(TWO, influence=True, lags=2, kernel=Exponential()),
}
FOUR = {
    "rise": np.array([0.8, 0.6, 0.5]),
    "departure": np.array([[0.3], [-0.2], [0.1]]),
    "stay": np.array([0.9, 0.8, 0.7, 0.85]),
    "up": np.array([0.4, 0.7]),
    "jump": np.array([[0.2, 0.1], [0.0, 0.3], [0.25, 0.0], [0.15, 0.35]]),
    "dispersion": np.array(0.3),
}


def truth(name, series):
    return known(MODELS[name], series, FOUR if name == "four phases" else None)


@pytest.mark.parametrize("name", MODELS)
def test_the_likelihood_is_the_sum_over_all_paths(name, short):
    model, values = MODELS[name], truth(name, short)
    problem = model.problem(short)
    value, _ = problem.evaluate(problem.layout.pack(values))
    np.testing.assert_allclose(value, every_path(model, values, short)[0], rtol=1e-11)


@pytest.mark.parametrize("name", MODELS)
def test_the_gradient_is_that_of_finite_differences(name, short, rng):
    problem = MODELS[name].problem(short)
    for _ in range(3):
        values = {k: v[0] for k, v in problem.layout.sample_prior(rng, 1).items()}
        theta = problem.layout.pack(values)
        _, gradient = problem.evaluate(theta)
        for i in problem.layout.free:
            step = 1e-6 * (np.arange(theta.size) == i)
            rise = problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]
            np.testing.assert_allclose(gradient[i], rise / 2e-6, rtol=2e-5, atol=1e-5)


def test_a_vanishing_dispersion_is_the_poisson_law(short):
    poisson, free = (Regimes(background=FLAT, distribution=one) for one in
                     ("poisson", "negative binomial"))  # fmt: skip
    values = known(free, short) | {"dispersion": np.full(2, 0.0)}
    told, near = (
        model.problem(short).evaluate(Layout(model.parameters(short)).pack(values))
        for model in (poisson, free)
    )
    np.testing.assert_allclose(near[0], told[0], rtol=1e-12)
    problem = free.problem(short)
    theta = problem.layout.pack(values | {"dispersion": np.full(2, 2e-5)})
    place = problem.layout.start("dispersion")
    rise = (problem.evaluate(theta)[0] - near[0]) / 4e-5
    slope = 0.5 * (near[1][place : place + 2] + problem.evaluate(theta)[1][place : place + 2])
    np.testing.assert_allclose(rise * 2, slope.sum(), rtol=1e-4)


@pytest.mark.parametrize("name", ["three phases", "four phases", "influence"])
def test_phases_and_the_path_are_those_of_the_sum_over_all_paths(name, short):
    model, values = MODELS[name], truth(name, short)
    fit = as_fit(model, short, values)
    _, paths, weight = every_path(model, values, short)
    told = model.phases_of(fit, 2)
    number, first = len(model.phases), model.reach
    for t in range(paths.shape[1]):
        law = [weight[paths[:, t] == s].sum() for s in range(number)]
        np.testing.assert_allclose(told.smoothed[0, first + t], law, rtol=1e-9)
    np.testing.assert_array_equal(told.path[first:], paths[weight.argmax()])
    assert (told.path[:first] == -1).all()
    # Filtered: the same of the series cut off there.
    cut, _ = short.split(short.edges[6].item())
    _, paths, weight = every_path(model, values, cut)
    law = [weight[paths[:, -1] == s].sum() for s in range(number)]
    # Influence conditions on the mean of the whole series in unwatched periods.
    if not model.influence:
        np.testing.assert_allclose(told.filtered[0, 5], law, rtol=1e-9)


def as_fit(model, series, values):
    """A fit whose draws and estimate are known values."""
    draws = {name: np.array(value, float)[None] for name, value in values.items()}
    return Fit(model, series, draws, values, 0.0, {}, "known")


@pytest.mark.parametrize("name", ["three phases", "influence"])
def test_single_periods_sum_to_the_log_likelihood(name, short):
    model = MODELS[name]
    fit = as_fit(model, short, truth(name, short))
    single = model.pointwise(fit, np.repeat(fit.theta, 3, axis=0))
    assert single.shape == (3, 7, 1)
    value = model.problem(short).evaluate(fit.theta[0])[0]
    np.testing.assert_allclose(np.nansum(single[0]), value, rtol=1e-11)
    np.testing.assert_array_equal(~np.isnan(single[0, :, 0]), model.used(short))
    # What comes later changes nothing.
    longer = weeks(np.concatenate([short.counts, [[3, 1]]]), names=short.names,
                   gaps=short.window.gaps)  # fmt: skip
    both = model.pointwise(fit, series=longer)
    if not model.influence:
        np.testing.assert_allclose(both[:, :7], single[:1], rtol=1e-11)
    assert np.isfinite(both[0, 7])


def test_means_and_variances_are_those_of_the_mixture(short):
    model = MODELS["three phases"]
    values = truth("three phases", short)
    fit = as_fit(model, short, values)
    cut, _ = short.split(short.edges[5].item())
    _, paths, weight = every_path(model, values, cut)
    last = np.array([weight[paths[:, -1] == s].sum() for s in range(3)])
    law = last @ chain(values, 3)
    mean = np.exp(log_means(model, values, short))[:, 5]
    square = mean + mean**2 * (1 + values["dispersion"])
    np.testing.assert_allclose(model.means(fit)[0, 5], law @ mean)
    np.testing.assert_allclose(model.variances(fit)[0, 5], law @ square - (law @ mean) ** 2)
    assert (model.means(fit)[0, 3] == 0).all()


def test_maximum_likelihood_is_that_of_scipy(series):
    model = Regimes(TWO, background=FLAT, distribution="poisson")
    one = weeks(series.counts[:150, :1])
    fit = model.fit(one, MaximumLikelihood(draws=5))

    def loss(x):
        stay = 1 / (1 + np.exp(-x[2:]))
        values = {"level": x[:1], "rise": np.exp(x[1:2]), "stay": stay}
        matrix, term = chain(values, 2), np.exp(emissions(model, values, one))
        law, total = stationary(matrix), 0.0
        for seen in term.T:
            law = law * seen
            total += np.log(law.sum())
            law = law / law.sum() @ matrix
        return -total

    begin = [0.0, 0.5, 2.5, 2.0]
    found = optimize.minimize(loss, begin, method="Nelder-Mead",
                              options={"xatol": 1e-5, "fatol": 1e-8, "maxiter": 3000})  # fmt: skip
    assert abs(fit.log_likelihood + found.fun) < 1e-5
    np.testing.assert_allclose(fit.estimate["rise"], np.exp(found.x[1:2]), atol=1e-3)


def test_expectation_maximisation_stays_at_the_maximum(series):
    """A step of Baum and Welch's algorithm, whose fixed points are the likelihood's."""
    model = Regimes(TWO, background=FLAT, distribution="poisson", dispersion="shared")
    one = weeks(series.counts[:, :1])
    fit = model.fit(one, MaximumLikelihood(draws=1))
    told = model.phases_of(as_fit(model, one, fit.estimate), 1)
    weight = told.smoothed[0]
    means = weight.T @ one.counts[:, 0] / weight.sum(axis=0)
    level, rise = fit.estimate["level"][0], fit.estimate["rise"][0]
    np.testing.assert_allclose(means, np.exp([level, level + rise]), rtol=1e-5)


def test_the_first_steps_ahead_are_exact(series):
    model = Regimes(background=FLAT)
    fit = model.fit(series, Laplace(draws=1))
    told = model.phases_of(fit, 1)
    matrix = told.transition[0]
    law = told.filtered[0, -1]
    np.testing.assert_allclose(told.ahead(3)[0], [law @ np.linalg.matrix_power(matrix, h)
                                                  for h in (1, 2, 3)])  # fmt: skip
    np.testing.assert_allclose(told.moving_up(1)[0, 0], law[0] * (1 - matrix[0, 0])
                               + law[1] * matrix[1, 2])  # fmt: skip
    forecast = fit.forecast(3, np.random.default_rng(0), 20_000)
    expected = told.ahead(3)[0] @ told.rates[0]
    np.testing.assert_allclose(forecast.mean, expected, rtol=0.05)


def test_moving_up_is_that_of_simulated_chains(series, rng):
    model = Regimes(background=FLAT)
    told = model.phases_of(model.fit(series, Laplace(draws=1)), 1)
    matrix, n, horizon = told.transition[0], 20_000, 6
    first = rng.choice(3, n, p=told.filtered[0, -1])
    now, above = first.copy(), np.zeros(n, bool)
    for _ in range(horizon):
        now = (rng.random(n)[:, None] > np.cumsum(matrix, axis=1)[now]).sum(axis=1)
        above |= now > first
    assert abs(told.moving_up(horizon)[0, -1] - above.mean()) < 4 * 0.5 / np.sqrt(n)


def test_a_series_from_known_parameters_has_their_moments(empty):
    model = Regimes(background=FLAT)
    values = known(model, empty)
    law = stationary(chain(values, 3))
    mean = law @ np.exp(log_means(model, values, weeks(np.zeros((1, 2)), names=empty.names)))[:, 0]
    drawn = as_fit(model, empty, values).replicate(np.random.default_rng(0), 500)
    np.testing.assert_allclose(drawn.mean(axis=(0, 1)), mean, rtol=0.03)
    long = weeks(np.zeros((5000, 2)), names=empty.names)
    one = model.simulate(values, long, np.random.default_rng(0)).counts
    # Some 200 independent stretches, each with a spread of about its mean.
    np.testing.assert_allclose(one.mean(axis=0), mean, rtol=0.25)


def test_parameters_are_recovered(series):
    model = Regimes(background=FLAT)
    told = model.fit(series).summary(0.998)
    values = known(model, series)
    layout = Layout(model.parameters(series))
    flat = layout.pack(values)[layout.free]
    inside = (told["lower"].to_numpy() <= flat) & (flat <= told["upper"].to_numpy())
    # Names of two probabilities may be at a bound, without an interval.
    sure = ~told["parameter"].str.starts_with("jump").to_numpy()
    assert inside[sure].all(), told.filter(~inside)


def test_with_plain_switching_nothing_follows_and_with_influence_something(series):
    plain = Regimes(background=FLAT)
    fit = plain.fit(series, Laplace(draws=20))
    assert (plain.response(fit, "strikes", 3, draws=20, paths=2).further == 0).all()
    with pytest.raises(ValueError, match="not defined for Regimes"):
        fit.dynamics()
    moved = Regimes(background=FLAT, influence=True, lags=1)
    fit = moved.fit(series, Laplace(draws=20))
    further = moved.response(fit, "strikes", 3, draws=20, paths=2).further
    assert further.shape == (20, 3, 2) and (further[:, 0] != 0).any()
    assert np.isnan(moved.means(fit)[0, 0]).all()


def test_replicated_series_are_like_the_observed_one(series, rng):
    model = Regimes(background=FLAT)
    fit = model.fit(series, Laplace(draws=200))
    copies = fit.replicate(rng, 200)
    assert copies.shape == (200, 400, 2)
    low, high = np.quantile(copies.mean(axis=1), [0.005, 0.995], axis=0)
    mean = series.counts.mean(axis=0)
    assert ((low <= mean) & (mean <= high)).all()


def test_phases_say_what_they_hold(series):
    model = Regimes(background=FLAT)
    told = model.phases_of(model.fit(series, Laplace(draws=60)), 60)
    table = told.table()
    assert table.columns[:3] == ["start", "phase", "probability"] and len(table) == 3 * 400
    np.testing.assert_allclose(told.probability.sum(axis=1), 1.0)
    spans = told.changes()
    assert spans["periods"].sum() == 400
    begun = spans[1:]
    assert (begun["earliest"] <= begun["start"]).all()
    later = begun.drop_nulls("latest")
    assert (later["latest"] >= later["start"]).all()
    stays = told.stays()
    assert stays.columns[-2:] == ["rate of strikes", "rate of attacks"]
    assert (stays["lower"] <= stays["stay"]).all()
    assert abs(stays["periods"].sum() - 400) < 1e-6
    ahead = told.outlook(4)
    assert (ahead["up"].diff().drop_nulls() >= 0).all()
    assert repr(told).startswith("Phases(400 weeks") and "<table>" in told._repr_html_()


def test_settings_that_make_no_sense_are_refused(series):
    for phases in (("one",), tuple("abcde"), ("a", "a")):
        with pytest.raises(ValueError, match="two to four different names"):
            Regimes(phases)
    with pytest.raises(ValueError, match="no stream 'raids'"):
        Regimes(order="raids").problem(series)
    walk = Regimes(background=Component(0, walk=RandomWalk()))
    with pytest.raises(ValueError, match="want a given scale"):
        walk.fit(series)


def gappy(rng):
    counts = rng.poisson(2.0, (200, 2))
    counts[30:60] = 0
    return weeks(counts, gaps=((date(2001, 7, 30), date(2002, 2, 25)),))


HARD = hard_counts() | {"a long gap": gappy}
SETTINGS = {"collinear covariates": {"background": Background(0, covariates=collinear())}}
QUICK = ("an empty stream", "twenty weeks", "a long gap")


@pytest.mark.parametrize(
    ("case", "engine"),
    [
        pytest.param(
            *one, marks=() if one[0] in QUICK and one[1].name == "Laplace" else pytest.mark.slow
        )
        for one in product(HARD, [MaximumLikelihood(draws=100), Laplace(draws=100)])
    ],
    ids=lambda one: getattr(one, "name", str(one)),
)
def test_hard_data_are_fitted_or_the_diagnostics_say_so(case, engine, rng):
    make, settings = HARD[case], SETTINGS.get(case, {})
    made = make(rng)
    made = made if isinstance(made, CountSeries) else weeks(made)
    model = Regimes(**({"background": FLAT} | settings))
    fit = model.fit(made, engine)
    assert np.isfinite(fit.log_likelihood)
    assert all(np.isfinite(values).all() for values in fit.draws.values())
    told = fit.diagnostics
    assert told["converged"] or told["singular"] or told["at_bound"]
    if case in ("an empty stream", "nothing at all"):
        assert told["empty"] == [n for n, y in zip(made.names, made.counts.T, strict=True)
                                 if not y.any()]  # fmt: skip
    assert np.isfinite(model.phases_of(fit, 50).probability).all()
    assert np.isfinite(fit.forecast(4, draws=50).draws).all()


def test_a_phase_that_was_never_visited_is_named(rng):
    quiet = weeks(rng.poisson(0.5, (120, 1)))
    fit = Regimes(background=FLAT).fit(quiet, Laplace(draws=50))
    held = fit.model.phases_of(fit, 50).stays()["periods"]
    assert (held < 3).any() == bool(fit.diagnostics["unvisited"]) or held.min() < 15


@pytest.mark.slow
def test_the_sampler_agrees_with_laplace_where_the_data_are_many(series):
    model = Regimes(background=FLAT)
    fit = model.fit(series, NUTS(draws=500, tune=400, chains=2))
    # Of 1,000 draws none to three diverge, by the seed.
    assert fit.diagnostics["r_hat"] < 1.02 and fit.diagnostics["divergences"] <= 5
    quick = model.fit(series, Laplace(draws=2000))
    for name in ("level", "rise", "departure"):
        gap = np.abs(fit.draws[name].mean(axis=0) - quick.draws[name].mean(axis=0))
        assert (gap < 0.5 * fit.draws[name].std(axis=0)).all()
    assert len(check(fit).table()) >= 4
