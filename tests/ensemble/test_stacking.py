"""Weights by stacking against scipy.optimize, known optima, and their order in time."""

import numpy as np
import pytest
from scipy.optimize import minimize

from escalation.ensemble import (
    best_on_simplex,
    crps_parts,
    linear_pool,
    stack_crps,
    stack_log_scores,
    weights_over_time,
)
from escalation.scores import crps_draws


def on_simplex(function, members):
    """The minimum by SciPy, with sum one as a constraint."""
    found = minimize(
        function, np.full(members, 1 / members), method="SLSQP", bounds=[(0, 1)] * members,
        constraints={"type": "eq", "fun": lambda w: w.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )  # fmt: skip
    return found.x


@pytest.mark.parametrize("seed", range(6))
def test_a_quadratic_programme_is_scipys(seed):
    rng = np.random.default_rng(seed)
    members = 2 + seed
    root = rng.normal(size=(members, members))
    matrix, linear = root @ root.T, rng.normal(size=members)
    found = best_on_simplex(matrix, linear)
    expected = on_simplex(lambda w: w @ matrix @ w / 2 + linear @ w, members)
    assert found.sum() == pytest.approx(1)
    assert (found >= 0).all()
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_optimum_is_one_for_any_rank_and_scale():
    """100 programmes of up to 24 members: no member would lower the sum any further."""
    for seed in range(100):
        rng = np.random.default_rng(seed)
        members = int(rng.integers(1, 25))
        root = rng.normal(size=(members, int(rng.integers(1, members + 1))))
        matrix = root @ root.T * 10 ** rng.uniform(-6, 6)
        linear = rng.normal(size=members) * 10 ** rng.uniform(-6, 6)
        weights = best_on_simplex(matrix, linear)
        slope = matrix @ weights + linear
        assert slope @ weights - slope.min() < 1e-8 * max(np.abs(matrix).max(), np.ptp(linear))


def test_members_that_are_alike_share_alike():
    matrix, linear = np.ones((3, 3)), np.zeros(3)
    np.testing.assert_allclose(best_on_simplex(matrix, linear), 1 / 3)
    matrix[2] = matrix[:, 2] = 0.0
    np.testing.assert_allclose(best_on_simplex(matrix, linear), [0, 0, 1], atol=1e-6)
    assert best_on_simplex([[0.0]], [5.0]).tolist() == [1.0]


@pytest.mark.parametrize("seed", range(4))
def test_log_score_stacking_is_scipys(seed):
    rng = np.random.default_rng(seed)
    p = rng.dirichlet(np.ones(3 + seed), 200)[:, : 2 + seed] + 1e-6
    found = stack_log_scores(p)
    expected = on_simplex(lambda w: -np.log(np.clip(p @ w, 1e-12, None)).mean(), p.shape[1])
    assert np.log(p @ found).mean() >= np.log(p @ expected).mean() - 1e-12
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_log_score_stacking_finds_the_mixture_that_made_the_data(rng):
    from scipy.stats import poisson

    # 20,000 counts, three in ten from Poisson(2), the rest from Poisson(9); nothing from (30).
    y = np.where(rng.uniform(size=20_000) < 0.3, rng.poisson(2, 20_000), rng.poisson(9, 20_000))
    found = stack_log_scores(poisson.pmf(y[:, None], [2.0, 9.0, 30.0]))
    # Four standard errors of a share, and the loss by overlap.
    np.testing.assert_allclose(found, [0.3, 0.7, 0.0], atol=0.025)


def test_log_score_stacking_leaves_unobserved_rows_out():
    rows = np.array([[0.5, 0.1], [np.nan, 0.3], [0.1, 0.5]])
    np.testing.assert_allclose(stack_log_scores(rows), [0.5, 0.5], atol=1e-9)
    assert stack_log_scores(rows[1:2]).tolist() == [0.5, 0.5]
    with pytest.raises(ValueError, match="above 0"):
        stack_log_scores([[0.0, 1.0]])


def test_the_parts_give_the_crps_of_any_pool(rng):
    members = [rng.poisson(m, (n, 4, 3)) for m, n in ((2, 60), (6, 60), (20, 30))]
    observed = rng.poisson(5, (4, 3)).astype(float)
    observed[0, 0] = np.nan
    error, distance = crps_parts(members, observed)
    # Whole copies of the draws make the weights 1/2, 1/4, 1/4 exact.
    pool = np.concatenate([members[0]] * 2 + [members[1]] + [members[2]] * 2)
    weights = np.array([0.5, 0.25, 0.25])
    found = np.einsum("m,mij", weights, error)
    found -= np.einsum("m,l,mlij", weights, weights, distance) / 2
    np.testing.assert_allclose(found, crps_draws(pool, observed), rtol=1e-10)


def test_a_cap_makes_endless_draws_finite(rng):
    members = [rng.poisson(3.0, (50, 2)).astype(float) for _ in range(2)]
    members[0][0, 0] = np.inf
    with pytest.raises(ValueError, match="cap"):
        crps_parts(members, [1.0, 2.0])
    error, distance = crps_parts(members, [1.0, 2.0], [100.0, 200.0])
    own = crps_draws(members[0], [1.0, 2.0], [100.0, 200.0])
    np.testing.assert_allclose(error[0] - distance[0, 0] / 2, own)


@pytest.mark.parametrize("seed", range(3))
def test_crps_stacking_is_scipys(seed):
    rng = np.random.default_rng(seed)
    level = rng.gamma(3.0, 2.0, 80)
    observed = rng.poisson(level)
    members = [
        rng.poisson(level * factor, (100, 80)) for factor in (0.4, 0.9, 1.3, 2.0)[: 2 + seed]
    ]
    error, distance = crps_parts(members, observed)
    a, d = error.mean(axis=1), distance.mean(axis=2)
    found = stack_crps(error, distance)
    expected = on_simplex(lambda w: a @ w - w @ d @ w / 2, len(members))
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_crps_stacking_finds_the_mixture_that_made_the_data(rng):
    low, high = rng.poisson(2.0, (100, 4000)), rng.poisson(12.0, (100, 4000))
    observed = np.where(rng.uniform(size=4000) < 0.25, low[0], high[0])
    found = stack_crps(*crps_parts([low[1:], high[1:]], observed))
    np.testing.assert_allclose(found, [0.25, 0.75], atol=0.03)


def test_crps_stacking_without_cases_is_even():
    error, distance = crps_parts([np.ones((3, 2)), np.zeros((3, 2))], [np.nan, np.nan])
    assert stack_crps(error, distance).tolist() == [0.5, 0.5]


def test_stacked_weights_are_no_worse_than_the_best_member_in_sample(rng):
    level = rng.gamma(2.0, 4.0, 100)
    observed = rng.negative_binomial(2, 2 / (2 + level))
    members = [
        rng.poisson(level, (200, 100)),
        rng.negative_binomial(0.5, 0.5 / (0.5 + level), (200, 100)),
    ]
    weights = stack_crps(*crps_parts(members, observed))
    pooled = crps_draws(linear_pool(members, weights, 2000, rng), observed).mean()
    assert pooled < min(crps_draws(m, observed).mean() for m in members) * 1.005


def test_an_origin_learns_from_what_was_known_and_from_nothing_else():
    made_on = np.array(["2020-01-01", "2020-02-01", "2020-03-01"], "datetime64[D]")
    # Two cases a month; the second of each is known a month later than the first.
    known_on = np.array(["2020-02-01", "2020-03-01", "2020-03-01", "2020-04-01"], "datetime64[D]")
    seen = []

    def learn(usable):
        seen.append(usable.tolist())
        return np.array([1.0, 0.0])

    found = weights_over_time(made_on, known_on, learn, 2)
    assert found.tolist() == [[0.5, 0.5], [1, 0], [1, 0]]
    assert seen == [[True, False, False, False], [True, True, True, False]]
    assert weights_over_time(made_on, known_on, learn, 2, fewest=2)[1].tolist() == [0.5, 0.5]
