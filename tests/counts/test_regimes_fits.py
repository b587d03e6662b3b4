"""Fits of counts that switch between phases: what they find, and what comes next."""

from datetime import date
from itertools import product

import numpy as np
import pytest
from scipy import optimize

from counts.regimes_by_hand import FLAT, TWO, as_fit, chain, emissions, known, log_means, stationary
from escalation.background import Background
from escalation.checks import check
from escalation.counts import Component, RandomWalk, Regimes
from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.parameters import Layout
from escalation.series import CountSeries
from hard import collinear, hard_counts, weeks


@pytest.fixture
def empty():
    return weeks(np.zeros((400, 2)), names=["strikes", "attacks"])


@pytest.fixture
def series(empty, rng):
    model = Regimes(background=FLAT)
    return model.simulate(known(model, empty), empty, rng)


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
