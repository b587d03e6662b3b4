import numpy as np
import pytest

from escalation.likelihood.day_draws import day_draws
from escalation.likelihood.day_filter import day_filter, day_probabilities, filter_data
from escalation.likelihood.day_gap import gap_maps, settle, tamed
from escalation.likelihood.day_predict import day_predictions
from escalation.likelihood.day_scores import day_draws_scores
from escalation.likelihood.day_times import clustered, day_data

# The likelihood of several streams known to the day takes a minute to compile.
compiled = pytest.mark.slow

GROUPS = {
    "all": np.zeros((2, 2), np.int64),
    "target": np.array([[0, 0], [1, 1]]),
    "pair": np.arange(4).reshape(2, 2),
}
NONE = np.full(2, -1)


def places(streams, columns):
    column = np.arange(streams * columns).reshape(streams, columns)
    return column, np.array([streams * columns])


def differences(value, x, nonnegative):
    """Derivatives by five points, one-sided where an entry sits at zero."""
    out = np.empty(x.size)
    for i in range(x.size):
        step = np.zeros(x.size)
        step[i] = 1e-4 * max(0.1, abs(x[i]))
        if nonnegative[i] and x[i] < 3 * step[i]:
            weights = {0: -25 / 12, 1: 4.0, 2: -3.0, 3: 4 / 3, 4: -0.25}
        else:
            weights = {-2: 1 / 12, -1: -2 / 3, 1: 2 / 3, 2: -1 / 12}
        out[i] = sum(w * value(x + m * step) for m, w in weights.items()) / step[i]
    return out


@compiled
@pytest.mark.parametrize("kernel", GROUPS)
@pytest.mark.parametrize("start", [0, 1])
@pytest.mark.parametrize("terms", [1, 2])
def test_gradient_is_that_of_finite_differences(rng, kernel, start, terms):
    """With marks in one stream, two eras, days without watch and entries of R at zero."""
    days, group = 30, GROUPS[kernel]
    counts = rng.negative_binomial(1, 0.55, (days, 2))
    counts[20, 0], watched = 8, np.ones(days)
    watched[[0, 7, 8, 25]] = 0
    era = (np.arange(days) > 17).astype(int)
    design = np.stack([np.ones(days), np.sin(np.arange(days))], axis=1)
    marks = tuple(rng.exponential(1, n) for n in counts[watched > 0].sum(axis=0))
    data = day_data(counts, watched, design, marks, era, draws=8)
    reach = np.array([0.4, 0.0, 0.3, 0.6, 0.5, 0.1, 0.0, 0.9])  # the first era is near critical
    theta = np.concatenate([[-1.0, 0.3, -0.6, 0.1], reach, [0.7]])
    groups = group.max() + 1
    weights = rng.dirichlet(np.ones(terms), groups)
    values = np.hstack([weights, np.exp(rng.normal(0.3, 1.0, (groups, terms)))])

    def evaluate(x):
        return day_draws(
            x[: theta.size], x[theta.size :].reshape(values.shape), *data.values(), group,
            np.array([start]), np.array([12, -1]), *places(2, 2),
        )  # fmt: skip

    point = np.concatenate([theta, values.ravel()])
    _, by_theta, by_values = evaluate(point)
    exact = np.concatenate([by_theta, by_values.ravel()])
    nonnegative = np.isin(np.arange(point.size), np.arange(4, 12))
    numeric = differences(lambda x: evaluate(x)[0], point, nonnegative)
    np.testing.assert_allclose(exact, numeric, atol=1e-5 * np.abs(exact).max(), rtol=1e-5)


@compiled
@pytest.mark.parametrize(("decay", "tolerance"), [(0.2, 0.5), (1.5, 1.0), (8.0, 2.0)])
def test_one_stream_agrees_with_the_closed_form(rng, decay, tolerance):
    """With many draws; a score's standard deviation is about ten here.

    The seed is fixed, so that there is no false alarm.
    """
    days = 300
    level = rng.gamma(1, 1, days)
    counts = rng.poisson(level)
    counts[[40, 90]] = 12
    watched = np.ones(days)
    watched[100:110] = 0
    theta, values = np.array([np.log(0.4), 0.6]), np.array([[1.0, decay]])
    start, where = np.array([1]), places(1, 1)
    design = np.ones((days, 1))
    one = day_filter(
        theta, values, *filter_data(counts.astype(float), watched, design).values(), start, *where
    )
    data = day_data(counts[:, None], watched, design, draws=256)
    alone = np.zeros((1, 1), np.int64), start, np.array([-1])
    two = day_draws(theta, values, *data.values(), *alone, *where)
    assert abs(one[0] - two[0]) < tolerance
    np.testing.assert_allclose(one[1], two[1], atol=tolerance)
    assert abs(one[2][0, 1] - two[2][0, 1]) * decay < tolerance


@compiled
def test_two_streams_on_one_day_against_simulation(rng):
    """Probability of (2, 1) events on the first day of an empty start, by 400,000 paths."""
    rate, decay = np.array([0.6, 0.4]), 2.0
    reach = np.array([[0.5, 0.3], [0.2, 0.4]])
    paths = 400_000
    total = np.zeros((paths, 2), int)
    path, stream = _background(rng, rate, paths)
    time = rng.random(len(path))
    while len(path):
        np.add.at(total, (path, stream), 1)
        number = rng.poisson(reach[:, stream].T)
        parent, child = (np.repeat(i.ravel(), number.ravel()) for i in np.indices(number.shape))
        time = time[parent] + rng.exponential(1 / decay, len(parent))
        inside = time < 1
        path, stream, time = path[parent][inside], child[inside], time[inside]
    share = np.mean((total == [2, 1]).all(axis=1))
    data = day_data(np.array([[2, 1]]), np.ones(1), np.ones((1, 1)), draws=4096)
    theta = np.concatenate([np.log(rate), reach.ravel()])
    value = day_draws(
        theta, np.array([[1.0, decay]]), *data.values(), GROUPS["all"], np.array([0]), NONE,
        *places(2, 1),
    )[0]  # fmt: skip
    # Five standard errors of the simulated share: one false alarm in a million.
    assert abs(np.exp(value) - share) < 5 * np.sqrt(share / paths)


def _background(rng, rate, paths):
    number = rng.poisson(rate, (paths, 2))
    return tuple(np.repeat(i.ravel(), number.ravel()) for i in np.indices(number.shape))


@compiled
def test_without_offspring_counts_are_poisson(rng):
    counts = rng.poisson(0.8, (50, 2))
    data = day_data(counts, np.ones(50), np.ones((50, 1)), draws=8)
    theta = np.concatenate([[-0.3, 0.2], np.zeros(4)])
    value = day_draws(
        theta, np.array([[1.0, 1.0]]), *data.values(), GROUPS["all"], np.array([1]), NONE,
        *places(2, 1),
    )[0]  # fmt: skip
    log_factorial = np.cumsum(np.log(np.maximum(np.arange(20), 1)))
    wanted = counts @ theta[:2] - np.exp(theta[:2]).sum() - log_factorial[counts].sum(axis=1)
    # The clustered draws' weights average to one up to the numbers' accuracy.
    assert abs(value - wanted.sum()) < 0.5


@compiled
def test_equal_groups_are_one(rng):
    """A kernel a pair with equal values is the kernel shared, but for states a target."""
    counts = rng.negative_binomial(1, 0.5, (80, 2))
    data = day_data(counts, np.ones(80), np.ones((80, 1)), draws=16)
    theta = np.concatenate([[-1.0, -1.0], [0.4, 0.1, 0.2, 0.3]])
    value = {
        name: day_draws(
            theta, np.tile([1.0, 1.2], (group.max() + 1, 1)), *data.values(), group,
            np.array([1]), NONE, *places(2, 1),
        )[0]
        for name, group in GROUPS.items()
    }  # fmt: skip
    assert abs(value["all"] - value["pair"]) < 0.3
    assert abs(value["target"] - value["pair"]) < 1e-9


@compiled
def test_split_terms_are_one(rng):
    """A mixture of two equal rates is one exponential."""
    counts = rng.negative_binomial(1, 0.5, (80, 2))
    data = day_data(counts, np.ones(80), np.ones((80, 1)), draws=16)
    theta = np.concatenate([[-1.0, -1.0], [0.4, 0.1, 0.2, 0.3]])
    one, two = (
        day_draws(theta, values, *data.values(), GROUPS["all"], np.array([0]), NONE, *places(2, 1))[
            0
        ]
        for values in (np.array([[1.0, 0.9]]), np.array([[0.3, 0.7, 0.9, 0.9]]))
    )
    assert abs(one - two) < 0.1


def test_a_stationary_start_stays_as_it_is():
    speed = np.array([1.0, 0.5])
    reach = np.array([[0.4, 0.2], [0.1, 0.3]])
    lift = reach * speed
    maps = gap_maps(speed, lift, np.arange(2))
    rate, mean, variance = np.array([[0.4, 0.7]]), np.empty((1, 2)), np.empty((1, 2))
    settle(maps, rate, mean, variance)
    level = np.linalg.solve(np.eye(2) - reach, rate[0])
    np.testing.assert_allclose(mean[0], level / speed, rtol=1e-9)
    # Covariances are dropped once a day: the variance is near Lyapunov's, not equal to it.
    generator = np.diag(-speed) + lift
    system = np.kron(generator, np.eye(2)) + np.kron(np.eye(2), generator)
    full = np.linalg.solve(system, -np.diag(level).ravel()).reshape(2, 2)
    np.testing.assert_allclose(variance[0], np.diag(full), rtol=0.1)


def test_a_supercritical_matrix_is_tamed():
    for reach in (np.array([[1.4, 0.2], [0.3, 0.9]]), np.array([[0.0, 2.0], [2.0, 0.0]])):
        factor, slope = tamed(reach)
        assert np.abs(np.linalg.eigvals(reach * factor)).max() < 1
        move = np.array([[0.3, 0.1], [0.2, 0.5]])
        numeric = (tamed(reach + 1e-6 * move)[0] - tamed(reach - 1e-6 * move)[0]) / 2e-6
        assert abs((slope * move).sum() - numeric) < 1e-6
    assert tamed(np.array([[0.5, 0.4], [0.0, 0.8]]))[0] == 1.0


def test_the_density_of_clustered_times_is_that_of_their_draws(rng):
    """Means of the ratio of two densities are one under the second, whichever is drawn.

    Five standard errors: one false alarm in a million.
    """
    rate, begin, reach = np.array([0.3, 0.2]), np.array([0.5, 0.0]), np.array([0.5, 0.6])
    even = np.log(2.0)  # two events of the first stream and one of the second
    ratio = []
    for _ in range(4000):
        times, label = np.empty(3), np.zeros(3, np.int64)
        own = clustered(
            times, label, np.array([2, 1]), rate, begin, 4.0, reach, rng.random((2, 3)), True
        )
        assert sorted(label) == [0, 0, 1]
        assert (np.diff(times) > 0).all()
        ratio.append(2 / (1 + np.exp(own - even)))
        times, label = np.sort(rng.random(3)), rng.permutation([0, 0, 1])
        own = clustered(
            times, label, np.array([2, 1]), rate, begin, 4.0, reach, np.empty((2, 3)), False
        )
        ratio.append(2 / (1 + np.exp(own - even)))
    assert abs(np.mean(ratio) - 1) < 5 * np.std(ratio) / np.sqrt(8000)


@compiled
def test_nothing_happened():
    data = day_data(np.zeros((20, 2), int), np.ones(20), np.ones((20, 1)))
    theta = np.concatenate([[-1.0, -2.0], [0.4, 0.1, 0.2, 0.3]])
    value, by_theta, _ = day_draws(
        theta, np.array([[1.0, 0.9]]), *data.values(), GROUPS["all"], np.array([0]), NONE,
        *places(2, 1),
    )  # fmt: skip
    assert abs(value + 20 * np.exp(theta[:2]).sum()) < 1e-12
    np.testing.assert_allclose(by_theta[2:], 0)


def test_data_repeat_with_the_seed(rng):
    counts = rng.poisson(1.0, (40, 2))
    once, twice, other = (
        day_data(counts, np.ones(40), np.ones((40, 1)), seed=seed) for seed in (1, 1, 2)
    )
    for name in once:
        np.testing.assert_array_equal(once[name], twice[name])
    assert (once["when"] != other["when"]).any()


def test_what_does_not_fit_is_refused():
    counts = np.ones((3, 2), int)
    with pytest.raises(ValueError, match="multiple of four, got 6"):
        day_data(counts, np.ones(3), np.ones((3, 1)), draws=6)
    with pytest.raises(ValueError, match="stream 1: 2 marks for 3 watched events"):
        day_data(counts, np.ones(3), np.ones((3, 1)), marks=(np.ones(3), np.ones(2)))


@compiled
def test_predictions_agree_with_the_closed_form(rng):
    """Shares of 2,000 simulated days: five standard errors, 120 of them, one in 20,000."""
    counts = rng.negative_binomial(1, 0.6, 30)
    watched = np.ones(30)
    watched[12:14] = 0
    theta, values, where = np.array([np.log(0.4), 0.6]), np.array([[1.0, 1.5]]), places(1, 1)
    closed = day_probabilities(
        theta, values, *filter_data(counts.astype(float), watched, np.ones((30, 1))).values(),
        np.array([1]), *where,
    )  # fmt: skip
    data = day_data(counts[:, None], watched, np.ones((30, 1)), draws=64)
    drawn = day_predictions(
        theta, values, *data.values(), np.zeros((1, 1), np.int64), np.array([1]), np.array([-1]),
        *where, 2000, rng,
    )  # fmt: skip
    assert (np.isnan(drawn[:, 0, 0]) == (watched == 0)).all()
    np.testing.assert_allclose(drawn[:, 0, :2], closed, atol=5 * 0.5 / np.sqrt(2000))


@compiled
@pytest.mark.parametrize("start", [0, 1])
def test_scores_are_the_slopes_of_each_days_log_probability(rng, start):
    """Against differences over growing parts of the series, with marks, a gap and two eras."""
    days, group = 16, GROUPS["pair"]
    counts, watched = rng.negative_binomial(1, 0.55, (days, 2)), np.ones(days)
    watched[[5, 12]] = 0
    era = (np.arange(days) > 8).astype(int)
    marks = tuple(rng.exponential(1, n) for n in counts[watched > 0].sum(axis=0))
    data = day_data(counts, watched, np.ones((days, 1)), marks, era, draws=8)
    theta = np.concatenate([[-1.0, -0.6], [0.4, 0.1, 0.3, 0.6] * 2, [0.5], [1.0, 0.5, 2.0, 1.5]])
    groups = np.arange(11, 15)[:, None]
    rest = group, np.array([start]), np.array([-1, 10]), *places(2, 1)
    cut = {"first": 1, "watched": 0, "design": 0, "era": 0}

    def steps(x):
        values = np.hstack([np.ones((4, 1)), x[groups]])
        whole = [
            day_draws(x, values, *(data | {k: data[k][: d + e] for k, e in cut.items()}).values(),
                      *rest)[0]
            for d in range(1, days + 1)
        ]  # fmt: skip
        return np.diff(whole, prepend=0.0)

    scores = np.stack([(steps(theta + h) - steps(theta - h)) / 2e-5 for h in np.eye(15) * 1e-5])
    jacobians = np.tile([[0.0], [1.0]], (4, 1, 1))
    values = np.hstack([np.ones((4, 1)), theta[groups]])
    found = day_draws_scores(theta, values, jacobians, groups, *data.values(), *rest)
    wanted = scores @ scores.T
    np.testing.assert_allclose(found, wanted, atol=1e-6 * wanted.max())


@compiled
def test_very_fast_terms_are_all_alike(rng):
    """Within a day nothing tells a rate of 1,000 from one of 3,000, and nothing overflows."""
    counts = rng.negative_binomial(1, 0.5, (40, 2))
    data = day_data(counts, np.ones(40), np.ones((40, 1)), draws=8)
    theta = np.concatenate([[-1.0, -1.0], [0.4, 0.1, 0.2, 0.3]])
    found = [
        day_draws(
            theta, np.array([[0.4, 0.6, 0.9, rate]]), *data.values(), GROUPS["all"],
            np.array([1]), NONE, *places(2, 1),
        )
        for rate in (1e3, 3e3)
    ]  # fmt: skip
    assert found[0][0] == found[1][0]
    assert np.isfinite(found[0][0])
    assert all(np.isfinite(one).all() for one in found[0][1:])
    assert found[0][2][0, 3] == 0.0
