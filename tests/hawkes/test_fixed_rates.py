from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.hawkes import Hawkes
from escalation.hawkes.exact import event_arrays, structure_arrays, watched_arrays
from escalation.kernels import Mixture
from escalation.likelihood.hawkes import hawkes_exponential
from escalation.likelihood.hawkes_scores import hawkes_scores
from escalation.series import EventSeries
from escalation.window import Window

DAYS = date(2000, 1, 1), date(2000, 7, 1)
MODELS = {
    "plain": Hawkes(Mixture((0.5,))),
    "eras, season, warm-up": Hawkes(
        Mixture((0.3, 4.0)), Background(harmonics=1, season_length=90), eras=(date(2000, 3, 1),),
        warmup=10.0,
    ),
    "a kernel a target, a mask": Hawkes(
        Mixture((0.3, 4.0)), kernel_per="target", arrows=((True, False), (True, True))
    ),
    "ties apart, a kernel a pair": Hawkes(Mixture((0.3, 4.0)), kernel_per="pair", ties="apart"),
}  # fmt: skip


@pytest.fixture
def series(rng):
    window = Window(*DAYS, gaps=((date(2000, 2, 1), date(2000, 2, 11)),))
    times = [np.sort(rng.random(n) * window.days) for n in (300, 500)]
    watched = window.mask()
    times = [own[watched[np.floor(own).astype(int)]] for own in times]
    times[1][10:12] = times[1][10]
    like = EventSeries.from_times([[], []], *DAYS, ["a", "b"])
    return replace(like, times=tuple(times), window=window)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS)
def test_kept_sums_give_the_likelihood_of_the_definition(series, model, rng):
    problem = model.problem(series)
    assert "held" in problem.data
    layout = problem.layout
    theta = layout.pack({k: v[0] for k, v in layout.sample_prior(rng, 1).items()})
    value, gradient = problem.evaluate(theta)
    structure = (*structure_arrays(model, layout, series), np.arange(2))
    data = (event_arrays(model, series) | watched_arrays(model, series)).values()
    values, jacobians = problem.kernels(theta)
    wanted, by_theta, by_values = hawkes_exponential(theta, values, *data, *structure)
    np.add.at(by_theta, problem.groups, np.einsum("gm,gmq->gq", by_values, jacobians))
    np.testing.assert_allclose(value, wanted, rtol=1e-12)
    np.testing.assert_allclose(gradient, by_theta, rtol=1e-9, atol=1e-8)
    scores = hawkes_scores(theta, values, jacobians, problem.groups, *data, *structure)
    np.testing.assert_allclose(problem.outer_scores(theta), scores, rtol=1e-9, atol=1e-8)


def test_a_fit_finds_the_maximum_and_can_be_resampled(series, rng):
    model = MODELS["plain"]
    fit = model.fit(series)
    problem = model.problem(series)
    again = problem.resample(problem.layout.pack(fit.estimate), rng)
    assert list(again) == list(problem.data)
    theta = problem.layout.pack(fit.estimate)
    assert np.isfinite(problem.evaluate(theta, again)[0])
    _, gradient = problem.evaluate(theta)
    inside = theta > 1e-9
    np.testing.assert_allclose(gradient[inside & (np.arange(theta.size) >= 2)], 0, atol=1e-3)
