import numpy as np
import pytest
from scipy.optimize import minimize

from escalation.background import Background
from escalation.engines.objective import Objective
from escalation.engines.secant import climb_by_scores, updated
from escalation.hawkes import Hawkes
from escalation.series import EventSeries
from hawkes.branching import branch


def test_the_update_meets_the_seen_slope_and_stays_positive(rng):
    root = rng.standard_normal((4, 4))
    information, way = root @ root.T + np.eye(4), rng.standard_normal(4)
    bend = information @ way + 0.2 * rng.standard_normal(4)
    assert way @ bend > 0
    new = updated(information, way, bend)
    np.testing.assert_allclose(new @ way, bend)
    np.testing.assert_allclose(new, new.T)
    assert np.linalg.eigvalsh(new)[0] > 0
    assert updated(information, way, -bend) is None


@pytest.fixture(scope="module")
def objective():
    rng = np.random.default_rng(0)
    times, _ = branch([0.5], [[0.6]], 1.5, 900.0, rng)
    series = EventSeries.from_times([np.floor(times[0])], 0, 900, resolution="day")
    return Objective(Hawkes(background=Background(harmonics=1)).problem(series))


@pytest.mark.parametrize("start", [0, 1, 2, 3])
def test_every_start_ends_at_the_maximum(objective, start):
    """Against SciPy's climb from the same start or better."""
    begin = np.clip(objective.start(objective.problem.starts[start]), *objective.limits)
    x, value, settled = climb_by_scores(objective, begin, 1e-8)
    assert settled

    def loss(z):
        own, slope = objective(z)
        return -own, -slope

    found = minimize(loss, x, jac=True, method="BFGS", options={"gtol": 1e-4})
    assert -found.fun - value < 1e-6
    np.testing.assert_allclose(x, found.x, atol=1e-3)


def test_scores_are_asked_for_seldom(objective):
    asked = []

    class Counted(Objective):
        def outer(self, x):
            asked.append(x)
            return super().outer(x)

    counted = Counted(objective.problem)
    begin = counted.start(objective.problem.starts[0])
    assert climb_by_scores(counted, begin, 1e-8)[2]
    assert len(asked) <= 4
