"""Newton's method by parts against what SciPy finds."""

import numpy as np
import pytest
from scipy.optimize import minimize

from escalation.engines.newton import Box, Parts, climb
from escalation.hawkes import Hawkes
from escalation.series import EventSeries


def logistic(rng, parts, size, number=200):
    """Values and derivatives of so many separate logistic regressions."""
    features = rng.normal(size=(parts, number, size))
    hits = rng.random((parts, number)) < 0.3
    place = np.arange(parts * size).reshape(parts, size)

    def evaluate(x, wanted):
        rows = np.arange(parts) if wanted is None else wanted
        own = features[rows]
        logit = np.einsum("pnf,pf->pn", own, x[place[rows]])
        chance = 1 / (1 + np.exp(-logit))
        value = np.where(hits[rows], logit, 0).sum(axis=1) - np.logaddexp(0, logit).sum(axis=1)
        score = own * (hits[rows] - chance)[:, :, None]
        weighted = own * (chance * (1 - chance))[:, :, None]
        return Parts(
            value,
            score.sum(axis=1),
            np.einsum("pnf,png->pfg", score, score),
            np.einsum("pnf,png->pfg", weighted, own),
            place[rows],
        )

    return evaluate


@pytest.mark.parametrize("bounded", [False, True])
def test_separate_parts_reach_their_maxima(rng, bounded):
    evaluate = logistic(rng, 3, 4)
    zero = np.zeros(12, bool)
    zero[::2] = bounded
    box = Box(np.where(zero, 0.0, -30.0), np.full(12, 30.0), zero)
    start = np.full(12, 0.5)
    found = climb(evaluate, start, box, 1e-10)
    assert found.settled.all()

    def loss(x):
        parts = evaluate(x, None)
        return -parts.value.sum(), -parts.gradient.ravel()

    wanted = minimize(loss, start, jac=True, method="L-BFGS-B",
                      bounds=list(zip(box.lower, box.upper, strict=True)),
                      options={"ftol": 1e-15, "gtol": 1e-9})  # fmt: skip
    np.testing.assert_allclose(found.value, -wanted.fun, rtol=1e-10)
    np.testing.assert_allclose(found.x, wanted.x, atol=1e-4)
    if bounded:
        assert (found.x[zero] == 0).any()


def test_a_saddle_is_left(rng):
    # (x^2 - y^4): the Hessian is indefinite, the outer products stand in for it.
    def evaluate(x, wanted):
        u, v = x
        value = np.array([-((u**2 - 1) ** 2) - (v - u) ** 2])
        gradient = np.array([[-4 * u * (u**2 - 1) + 2 * (v - u), -2 * (v - u)]])
        hessian = np.array([[[-12 * u**2 + 4 - 2, 2], [2, -2.0]]])
        return Parts(value, gradient, gradient[:, :, None] * gradient[:, None, :], -hessian,
                     np.array([[0, 1]]))  # fmt: skip

    box = Box(np.full(2, -30.0), np.full(2, 30.0), np.zeros(2, bool))
    found = climb(evaluate, np.array([0.05, -0.4]), box, 1e-12)
    np.testing.assert_allclose(np.abs(found.x), 1.0, atol=1e-5)
    assert found.settled.all()


def test_a_start_of_no_likelihood_is_not_settled():
    def evaluate(x, wanted):
        nothing = np.zeros((1, 1))
        return Parts(np.array([-np.inf]), nothing, nothing[None], nothing[None],
                     np.zeros((1, 1), int))  # fmt: skip

    box = Box(np.array([-1.0]), np.array([1.0]), np.array([False]))
    assert not climb(evaluate, np.zeros(1), box, 1e-9).settled.any()


def test_rows_climbed_apart_are_those_of_the_whole(rng):
    # With a decay a pair the rows share nothing: the fit of one is that of a model of it alone.
    times = [np.sort(rng.random(n) * 200) for n in (150, 90)]
    series = EventSeries.from_times(times, 0.0, 200.0)
    whole = Hawkes(kernel_per="pair").fit(series)
    objective_rows = []
    for k in range(2):
        arrows = tuple(tuple(row == k for _ in range(2)) for row in range(2))
        objective_rows.append(Hawkes(kernel_per="pair", arrows=arrows).fit(series))
    for k, alone in enumerate(objective_rows):
        np.testing.assert_allclose(
            alone.estimate["reproduction"][k], whole.estimate["reproduction"][k], atol=1e-5
        )
