from datetime import date

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.stats import chi2

from escalation.background import Background
from escalation.engines import Laplace, MaximumLikelihood
from escalation.engines.objective import Objective
from escalation.hawkes import Hawkes, Marks, inference
from escalation.hawkes.inference import bootstrap, exceeded, excitation_test
from escalation.hawkes.profile import profile_interval
from escalation.kernels import Mixture
from escalation.series import EventSeries
from hawkes.branching import branch

QUICK = MaximumLikelihood(draws=20)


def two(rng, cross, duration=300.0):
    times, _ = branch([0.35, 0.35], [[0.4, cross], [0.3, 0.3]], 1.0, duration, rng)
    return EventSeries.from_times(times, 0.0, duration, ["attacks", "strikes"])


def test_an_arrow_that_is_there_is_found(rng):
    found = excitation_test(two(rng, 0.35), Hawkes(), "strikes", "attacks", rng)
    assert found.p_value < 0.01
    assert "50:50" in found.method
    assert "followed by more" in found.text
    assert found.estimate > 0.1


def test_the_mixture_is_that_of_the_statistic(rng):
    series = two(rng, 0.1)
    found = excitation_test(series, Hawkes(), 1, 0, rng, samples=0)
    full = Hawkes().fit(series, QUICK).log_likelihood
    without = Hawkes(arrows=((True, False), (True, True))).fit(series, QUICK).log_likelihood
    np.testing.assert_allclose(found.statistic, 2 * (full - without), atol=1e-3)
    np.testing.assert_allclose(found.p_value, chi2.sf(found.statistic, 1) / 2)


def test_the_bootstrap_is_taken_where_the_mixture_does_not_hold(rng):
    times, _ = branch([0.5], [[0.0]], 1.0, 200.0, rng)
    alone = EventSeries.from_times(times, 0.0, 200.0)
    found = excitation_test(alone, Hawkes(), 0, 0, rng, samples=19)
    assert "parameter of the kernel" in found.method
    assert 0.05 <= found.p_value <= 1
    assert found.samples <= 19
    again = excitation_test(alone, Hawkes(), 0, 0, samples=5)
    assert again == excitation_test(alone, Hawkes(), 0, 0, np.random.default_rng(0), samples=5)
    early = excitation_test(alone, Hawkes(), 0, 0, np.random.default_rng(0), samples=19, enough=1)
    assert early.p_value == 1 / early.samples if early.samples < 19 else early.p_value <= 1 / 19
    out_of_place = excitation_test(alone, Hawkes(), 0, 0, rng, samples=0)
    assert "out of place" in out_of_place.method

    series = two(rng, 0.3)
    pairs = excitation_test(series, Hawkes(kernel_per="pair"), 1, 0, rng, samples=3)
    assert "parameter of the kernel" in pairs.method
    eras = excitation_test(series, Hawkes(eras=(date(1970, 6, 1),)), 1, 0, rng, samples=3)
    assert "each era" in eras.method


def test_another_arrow_at_zero_calls_the_bootstrap(rng):
    times, _ = branch([0.35, 0.35], [[0.4, 0.0], [0.0, 0.3]], 1.0, 300.0, rng)
    series = EventSeries.from_times(times, 0.0, 300.0)
    found = excitation_test(series, Hawkes(), 1, 0, rng, samples=9)
    assert "another arrow" in found.method


def test_series_are_simulated_without_weak_arrows(rng):
    times, _ = branch([0.35, 0.35], [[0.4, 0.0], [0.0, 0.3]], 1.0, 300.0, rng)
    series = EventSeries.from_times(times, 0.0, 300.0)
    model, mask = Hawkes(), np.ones((2, 2), bool)
    pair = inference._Nested(model, inference._without(model, mask, 0, 1), (0, 1))
    null = pair.null(series)
    sparse, values = inference._generator(pair.without, series, null, mask, 0, 1)
    assert sparse.arrows == ((True, False), (False, True))
    assert values["reproduction"][1, 0] == 0 < values["reproduction"][1, 1]
    # Nothing sets anything off: no arrow is left, and the test still ends.
    apart = [np.sort(rng.random(80) * 300.0) for _ in range(2)]
    for sharing in ("all", "pair"):
        found = excitation_test(
            EventSeries.from_times(apart, 0.0, 300.0), Hawkes(kernel_per=sharing), 1, 0, rng, 5
        )
        assert found.samples == 5 and found.failures == 0


def test_faults_of_the_call_are_told(rng):
    series = two(rng, 0.3, 60.0)
    with pytest.raises(ValueError, match="no stream 'tanks'"):
        excitation_test(series, Hawkes(), "tanks", 0)
    with pytest.raises(ValueError, match="counted from 0"):
        excitation_test(series, Hawkes(), 0, 2)
    with pytest.raises(ValueError, match="enough 1 or more: 9, 0"):
        excitation_test(series, Hawkes(), 1, 0, samples=9, enough=0)
    with pytest.raises(ValueError, match="no arrow from 'strikes'"):
        excitation_test(series, Hawkes(arrows=((True, False), (True, True))), 1, 0)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["regular", "alone", "near zero"])
def test_null_sets_are_rejected_as_often_as_said(kind):
    # At 5 % more than 5 of 30 happen once in three hundred times.
    rejected = 0
    for seed in range(30):
        rng = np.random.default_rng(seed)
        if kind == "alone":
            times, _ = branch([0.5], [[0.0]], 1.0, 300.0, rng)
        else:
            cross = 0.3 if kind == "regular" else 0.0
            times, _ = branch([0.35, 0.35], [[0.4, 0.0], [cross, 0.3]], 1.0, 400.0, rng)
        series = EventSeries.from_times(times, 0.0, 400.0 if kind != "alone" else 300.0)
        source = 0 if kind == "alone" else 1
        found = excitation_test(series, Hawkes(), source, 0, rng, samples=99)
        rejected += found.p_value <= 0.05
    assert rejected <= 5


def profile(objective, place, at, start):
    """The maximum with one entry pinned, by another optimiser."""

    def loss(rest):
        return -objective(np.insert(rest, place, at))[0]

    lower, upper = objective.limits
    ends = list(zip(np.delete(lower, place), np.delete(upper, place), strict=True))
    return -minimize(loss, np.delete(start, place), bounds=ends, method="L-BFGS-B").fun


@pytest.mark.parametrize("name", ["reproduction[0, 1]", "decay", "level[0]"])
def test_the_ends_are_where_the_profile_has_fallen(rng, name):
    series = two(rng, 0.3)
    fit = Hawkes().fit(series, QUICK)
    found = profile_interval(fit, name, 0.9)
    assert found.lower < found.estimate < found.upper
    objective = Objective(Hawkes().problem(series))
    layout = objective.problem.layout
    top = objective.start(layout.pack(fit.estimate))
    place = layout.labels.index(name)
    peak = objective(top)[0]
    for end in (found.lower, found.upper):
        at = np.log(end) if name == "decay" else end
        fallen = peak - profile(objective, place, at, top)
        np.testing.assert_allclose(2 * fallen, chi2.ppf(0.9, 1), rtol=0.02)
    assert np.all(found.values <= 1e-6)


def test_the_branching_ratio_of_one_stream_is_its_entry(rng):
    times, _ = branch([0.4], [[0.5]], 1.0, 300.0, rng)
    fit = Hawkes().fit(EventSeries.from_times(times, 0.0, 300.0), QUICK)
    entry, ratio = (
        profile_interval(fit, name) for name in ("reproduction[0, 0]", "branching_ratio")
    )
    np.testing.assert_allclose([ratio.lower, ratio.upper], [entry.lower, entry.upper], rtol=5e-3)
    laplace = profile_interval(Hawkes().fit(fit.series, Laplace(draws=50)), "branching_ratio")
    np.testing.assert_allclose(laplace.estimate, ratio.estimate, rtol=1e-4)


def test_the_branching_ratio_is_the_furthest_within_the_region(rng):
    # The end of a profile interval of a function is its largest value where the likelihood is
    # high enough: found by another optimiser, under that constraint.
    series = two(rng, 0.25)
    fit = Hawkes().fit(series, QUICK)
    found = profile_interval(fit, "branching_ratio", 0.9)
    objective = Objective(Hawkes().problem(series))
    layout = objective.problem.layout
    top = objective.start(layout.pack(fit.estimate))
    floor = objective(top)[0] - chi2.ppf(0.9, 1) / 2

    def ratio(x):
        matrix = layout.unpack(objective.theta(x))["reproduction"]
        return np.abs(np.linalg.eigvals(matrix)).max()

    error = 1 / np.sqrt(np.diag(objective.information(top)))
    inside = {
        "type": "ineq",
        "fun": lambda z: objective(top + z * error)[0] - floor,
        "jac": lambda z: objective(top + z * error)[1] * error,
    }
    ends = [((low - x) / e, 9.0) for low, x, e in zip(objective.limits[0], top, error, strict=True)]
    for side, end in ((1, found.lower), (-1, found.upper)):
        best = minimize(
            lambda z, side=side: side * ratio(top + z * error), np.zeros(top.size),
            method="SLSQP", bounds=ends, constraints=inside, options={"ftol": 1e-10},
        )  # fmt: skip
        assert best.success
        np.testing.assert_allclose(end, side * best.fun, atol=1e-3)


def test_intervals_stop_at_zero_and_have_no_end_where_nothing_falls(rng):
    times, _ = branch([0.5, 0.5], [[0.3, 0.0], [0.0, 0.3]], 1.0, 200.0, rng)
    fit = Hawkes().fit(EventSeries.from_times(times, 0.0, 200.0), QUICK)
    pair = (0, 1) if fit.estimate["reproduction"][0, 1] < 0.02 else (1, 0)
    found = profile_interval(fit, f"reproduction[{pair[0]}, {pair[1]}]")
    assert found.lower == 0
    assert found.open_below
    assert 0 < found.upper < 1
    assert "at the bound" in found.text

    still = EventSeries.from_times([np.arange(0.5, 100, 2.0)], 0.0, 100.0)
    open_one = profile_interval(Hawkes().fit(still, QUICK), "decay")
    assert open_one.upper == np.inf
    assert open_one.open_above


def test_names_of_eras_and_faults_of_the_call(rng):
    series = two(rng, 0.3, 200.0)
    fit = Hawkes(eras=(date(1970, 5, 1),)).fit(series, QUICK)
    found = profile_interval(fit, "branching_ratio[1]", 0.5)
    assert found.lower < found.estimate < found.upper
    with pytest.raises(ValueError, match=r"branching_ratio\[0\]"):
        profile_interval(fit, "branching_ratio")
    with pytest.raises(ValueError, match="no arrows"):
        still = Hawkes(arrows=((False, False), (False, False))).fit(series, QUICK)
        profile_interval(still, "branching_ratio")
    with pytest.raises(ValueError, match="level must lie"):
        profile_interval(fit, "decay", 1.0)


def test_refits_follow_the_fit(rng):
    fit = Hawkes().fit(two(rng, 0.3, 150.0), QUICK)
    values, failures = bootstrap(fit, lambda series, one: one["reproduction"], 8, rng)
    assert values.shape == (8 - failures, 2, 2)
    assert np.all(exceeded(np.full((2, 2), -1.0), values) == 1)
    assert np.isnan(exceeded(np.zeros(1), np.zeros((0, 1)))).all()


def test_other_backgrounds_kernels_and_marks_are_tested_too(rng):
    series = two(rng, 0.3, 200.0)
    marks = tuple(rng.poisson(1.0, len(t)).astype(float) for t in series.times)
    series = EventSeries(series.times, series.names, series.window, 200.0, "exact", marks)
    model = Hawkes(
        kernel=Mixture(scales=(0.2, 5.0)), background=Background(harmonics=1, season_length=50),
        marks=Marks(),
    )  # fmt: skip
    found = excitation_test(series, model, 1, 0, rng, samples=4)
    assert 0 <= found.p_value <= 1
