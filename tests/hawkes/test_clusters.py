"""Memory of simulated paths, and that it makes no difference to them."""

from dataclasses import replace

import numpy as np
import pytest

from escalation.engines import MaximumLikelihood
from escalation.hawkes import Hawkes
from escalation.hawkes.clusters import Clusters
from escalation.hawkes.new_events import NewMarks, Paths
from escalation.kernels import Exponential
from escalation.series import EventSeries
from hawkes.memory import at_most


class Slow(Exponential):
    """An exponential kernel that is simulated by generations, like any other."""

    @property
    def approximation_error(self):
        return 1.0


def clusters(kernel, reproduction, days=40.0, marks=None, history=(), rate=1.0):
    """Paths of one stream that differ in their reproduction alone."""
    paths = len(reproduction)
    return Clusters.of(
        np.full((paths, 1, 1), rate), np.array([0.0, days]),
        np.asarray(reproduction, float)[:, None, None], kernel, np.ones((paths, 1)), history,
        (0.0, days), marks=marks,
    )  # fmt: skip


def totals(parts, paths):
    """Events of each path over all parts."""
    return sum(np.bincount(part.path, minlength=paths) for part in parts)


@pytest.mark.parametrize("marked", [False, True])
def test_where_a_part_of_compiled_paths_ends_makes_no_difference(marked):
    marks = NewMarks(np.full((60, 1), 0.2), (np.arange(4.0),)) if marked else None
    plan = clusters(Exponential(), np.linspace(0.1, 0.9, 60), marks=marks)
    whole = list(plan.parts(np.random.default_rng(1)))
    assert len(whole) == 1
    parts = list(plan.parts(np.random.default_rng(1), held=500))
    assert len(parts) > 5
    joined = Paths.joined(parts)
    for name in ("path", "stream", "time", "size", "stopped"):
        np.testing.assert_array_equal(getattr(joined, name), getattr(whole[0], name))


@pytest.mark.parametrize("kernel", [Exponential(), Slow()], ids=["compiled", "generations"])
@pytest.mark.parametrize("past", [False, True])
def test_no_part_is_much_larger_than_asked_for(kernel, past):
    reproduction = np.tile([0.3, 3.0, 0.6, 5.0], 25)
    history = (np.linspace(-30, -0.1, 300),) if past else ()
    plan = clusters(kernel, reproduction, history=history)
    parts = list(plan.parts(np.random.default_rng(2), cap=1000, held=2000))
    assert len(parts) > 5
    assert max(len(part.time) for part in parts) < 3 * 2000
    np.testing.assert_array_equal(parts[-1].stopped, reproduction > 1)
    number = totals(parts, len(reproduction))
    assert (number[reproduction > 1] > 1000).all()
    assert (number[reproduction < 1] <= 1000).all()


def test_lines_that_are_followed_one_after_another_have_the_same_law():
    # So few are held that founders, late offspring and generations are all split.
    paths, history = 600, (np.linspace(-5, -0.1, 20),)
    plan = clusters(Slow(), np.full(paths, 0.8), 20.0, history=history, rate=2.0)
    found = []
    for held, least in ((4000, 100), (10**6, 10)):
        parts = list(plan.parts(np.random.default_rng(held), cap=2000, held=held))
        assert len(parts) > least
        assert not parts[-1].stopped.any()
        found.append(totals(parts, paths))
    one, other = found
    error = np.sqrt((one.var() + other.var()) / paths)
    # Four and a half standard errors: a false alarm in 100,000.
    assert abs(one.mean() - other.mean()) < 4.5 * error
    assert abs(np.log(one.std() / other.std())) < 4.5 / np.sqrt(paths)


def test_paths_whose_founders_alone_are_too_many_are_stopped_without_them(rng):
    for kernel in (Exponential(), Slow()):
        plan = clusters(kernel, [0.1, 0.1], rate=np.array([[[1e12]], [[1.0]]]))
        parts = list(plan.parts(rng, cap=500, held=1000))
        np.testing.assert_array_equal(parts[-1].stopped, [True, False])
        # The compiled way makes founders up to the cap.
        assert totals(parts, 2)[0] <= 501
    history = (np.linspace(-1, -0.1, 50),)
    parts = list(clusters(Slow(), [1e6, 0.1], history=history).parts(rng, cap=500, held=1000))
    np.testing.assert_array_equal(parts[-1].stopped, [True, False])


def test_a_mark_without_bound_stops_its_path(rng):
    marks = NewMarks(np.array([[100.0], [0.0]]), (np.arange(3.0),), draw=lambda rng, s: 5.0 + s)
    parts = list(clusters(Exponential(), [0.5, 0.5], marks=marks).parts(rng, cap=500))
    np.testing.assert_array_equal(parts[-1].stopped, [True, False])


def test_paths_that_end_at_their_cap_want_no_more_memory():
    # With each of them the room for events doubled: forty wanted 10**12 bytes.
    plan = clusters(Exponential(), np.full(40, 4.0))
    with at_most(400):
        parts = list(plan.parts(np.random.default_rng(3), cap=1000))
    assert parts[-1].stopped.all()
    np.testing.assert_array_equal(totals(parts, 40), 1001)


@pytest.mark.parametrize("kernel", [Exponential(), Slow()], ids=["compiled", "generations"])
def test_a_forecast_whose_paths_run_away_is_infinite_and_fits_in_memory(kernel):
    rng = np.random.default_rng(4)
    days = np.sort(rng.integers(0, 300, 80)).astype(float)
    series = EventSeries.from_times([days], 0, 300, resolution="day")
    fit = Hawkes(batches=True).fit(series, MaximumLikelihood(draws=20))
    # As R may be drawn where its estimate is zero. Paths up to the cap have 10**5 events each.
    wild = np.arange(60) % (2 if kernel == Exponential() else 10) == 0
    draws = {
        "level": np.full((60, 1), np.log(0.2)),
        "reproduction": np.where(wild, 12.0, 0.2).reshape(-1, 1, 1),
        "decay": np.ones(60),
    }
    fit = replace(fit, model=Hawkes(kernel, batches=True), draws=draws)
    fit.forecast(6, np.random.default_rng(5), draws=1)
    with at_most(400):
        forecast = fit.forecast(6, np.random.default_rng(5), draws=60)
    ran = np.isinf(forecast.draws)
    np.testing.assert_array_equal(ran.all(axis=(1, 2)), wild)
    assert forecast.draws[~wild].max() < 100
