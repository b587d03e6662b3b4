import numpy as np
import pytest

from escalation.engines import MaximumLikelihood
from escalation.engines.ascent import maximise
from escalation.engines.limit_law import limit_law
from escalation.engines.objective import Objective
from escalation.hawkes import Hawkes, profile_interval
from escalation.kernels import Histogram, Lomax, Mixture
from escalation.series import EventSeries

TRUTH = {"level": np.log([0.4]), "reproduction": np.array([[0.5]])}
POWER = TRUTH | {"exponent": np.array(1.6), "scale": np.array(0.3)}


def simulated(model, truth, days, seed):
    like = EventSeries.from_times([[]], 0.0, days)
    return model.simulate(truth, like, np.random.default_rng(seed))


@pytest.fixture(scope="module")
def power():
    model = Hawkes(kernel=Lomax())
    return model.fit(simulated(model, POWER, 3000.0, 3), MaximumLikelihood(draws=20_000))


def test_draws_along_a_profile_have_its_interval(power):
    assert power.diagnostics["intervals"] == "limit law along the profile of exponent"
    assert 20 < power.diagnostics["interval_evaluations"] < 400
    drawn = np.quantile(power.draws["exponent"], [0.05, 0.95])
    profile = profile_interval(power, "exponent")
    np.testing.assert_allclose(np.log(drawn), np.log([profile.lower, profile.upper]), atol=0.03)


def test_what_follows_an_entry_has_its_own_profile_nearly(power):
    # The background is bent along with the tail; a straight normal law misses by .036.
    drawn = np.quantile(power.draws["level"][:, 0], [0.05, 0.95])
    profile = profile_interval(power, "level[0]")
    np.testing.assert_allclose(drawn, [profile.lower, profile.upper], atol=0.015)


def test_a_likelihood_that_is_normal_costs_two_evaluations_at_most():
    fit = Hawkes().fit(simulated(Hawkes(), TRUTH | {"decay": np.array(1.0)}, 900.0, 1))
    assert fit.diagnostics["intervals"] == "limit law"
    assert fit.diagnostics["interval_evaluations"] <= 2


def test_draws_repeat(power):
    again = power.model.fit(power.series, MaximumLikelihood(draws=20_000))
    for name, values in power.draws.items():
        np.testing.assert_array_equal(values, again.draws[name])


@pytest.mark.parametrize("seed", range(6))
def test_short_series_give_finite_draws_within_the_bounds(seed):
    for model in (Hawkes(kernel=Lomax()), Hawkes(kernel=Mixture())):
        series = simulated(Hawkes(kernel=Lomax()), POWER, 60.0, seed)
        fit = model.fit(series)
        assert all(np.isfinite(values).all() for values in fit.draws.values())
        assert fit.draws["reproduction"].max() < 30
        if "exponent" in fit.draws:
            assert fit.draws["exponent"].max() <= 3 * (1 + 1e-9)


def test_an_estimate_at_its_bound_is_drawn_away_from_it():
    # Exponential delays: no power law falls fast enough.
    series = simulated(Hawkes(), TRUTH | {"decay": np.array(1.0)}, 900.0, 2)
    fit = Hawkes(kernel=Lomax()).fit(series)
    assert "exponent" in fit.diagnostics["at_bound"]
    exponent = fit.draws["exponent"]
    assert np.mean(exponent > 2.999) > 0.3
    lower = profile_interval(fit, "exponent", level=0.9).lower
    np.testing.assert_allclose(np.quantile(exponent, 0.05), lower, rtol=0.1)


def test_entries_far_from_zero_are_normal_on_the_scale_of_their_roots(rng):
    series = simulated(Hawkes(), TRUTH | {"decay": np.array(1.0)}, 900.0, 1)
    objective = Objective(Hawkes().problem(series))
    best, _ = maximise(objective, (objective.start(objective.problem.starts[0]),))
    drawn = limit_law(best, objective.scale, best.silent, 40_000, rng)[:, 1]
    error = np.sqrt(np.linalg.inv(best.information)[1, 1])
    roots = np.sqrt(drawn)
    np.testing.assert_allclose(roots.mean(), np.sqrt(best.x[1]), rtol=0.005)
    np.testing.assert_allclose(roots.std(), error / (2 * np.sqrt(best.x[1])), rtol=0.02)


@pytest.mark.parametrize("seed", range(6))
def test_penalised_delays_of_nothing_do_not_widen_an_r_of_zero(seed):
    # At R = 0 the slope of R depends on the heights, of which the penalty alone tells.
    times = np.sort(np.random.default_rng(seed).random(300) * 200.0)
    fit = Hawkes(kernel=Histogram()).fit(EventSeries.from_times([times], 0.0, 200.0))
    assert fit.draws["reproduction"].max() < 2
