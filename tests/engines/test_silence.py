"""The law of what is known, where part of the model says nothing to the likelihood."""

import numpy as np
import pytest

from escalation.engines import MaximumLikelihood
from escalation.engines.ascent import maximise
from escalation.engines.limit_law import far_from_zero
from escalation.engines.objective import Objective
from escalation.engines.silence import drawn_over_silent, settled
from escalation.hawkes import Hawkes
from escalation.series import EventSeries


@pytest.fixture(scope="module")
def silent():
    """A stream without contagion, whose R is estimated as zero."""
    times = np.sort(np.random.default_rng(2).uniform(0, 600, 150))
    series = EventSeries.from_times([times], 0.0, 600.0)
    objective = Objective(Hawkes().problem(series))
    starts = tuple(objective.start(theta) for theta in objective.problem.starts)
    best, _ = maximise(objective, starts)
    return objective, best


def test_a_delay_at_its_bound_without_effect_is_silent(silent):
    objective, best = silent
    labels = objective.problem.layout.labels
    assert [labels[i] for i in np.flatnonzero(best.silent)] == ["decay"]
    assert best.x[1] == 0
    usual = settled(objective, best)
    np.testing.assert_allclose(usual.value, best.value, atol=1e-6)
    # As long as the window: next to nothing is known of R there.
    assert usual.information[1, 1] > 5 * best.information[1, 1]


def test_the_law_of_the_rest_is_that_given_the_silent(silent):
    objective, best = silent
    rng = np.random.default_rng(0)
    usual = settled(objective, best)
    rooted = far_from_zero(usual, objective.scale, usual.silent)
    normal = rng.standard_normal((40_000, 3))
    out = drawn_over_silent(objective, usual, rooted, normal, rng)
    decay, reproduction = np.exp(out[:, 2]), out[:, 1]
    np.testing.assert_allclose(
        np.quantile(decay, [0.1, 0.5, 0.9]), 0.7 * np.exp([-1.2816, 0.0, 1.2816]), rtol=0.12
    )
    assert (reproduction == 0).mean() > 0.4
    slow, fast = decay < np.quantile(decay, 0.1), decay > np.quantile(decay, 0.9)
    # The standard error of R falls with the root of the decay.
    ratio = reproduction[slow].std() / reproduction[fast].std()
    expected = np.sqrt(np.median(decay[fast]) / np.median(decay[slow]))
    assert 0.6 * expected < ratio < 1.6 * expected


def test_no_draw_is_one_that_the_likelihood_finds_impossible(silent):
    objective, best = silent
    found = MaximumLikelihood().run(objective.problem, np.random.default_rng(1))
    assert found.diagnostics["silent"] == ["decay"]
    assert found.diagnostics["intervals"] == "limit law"
    falls = [
        2 * (best.value - objective.problem.evaluate(
            objective.problem.layout.pack({name: v[n] for name, v in found.draws.items()})
        )[0])
        for n in range(300)
    ]  # fmt: skip
    # Chi-squared with three degrees of freedom has 16 at .999.
    assert np.quantile(falls, 0.95) < 12
    assert np.max(falls) < 30


def test_few_draws_have_a_law_too(silent):
    objective, _ = silent
    found = MaximumLikelihood(draws=3).run(objective.problem, np.random.default_rng(1))
    assert found.draws["decay"].shape == (3,)
