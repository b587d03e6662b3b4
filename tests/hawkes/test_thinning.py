import numpy as np
import pytest
from scipy.linalg import expm

from escalation.hawkes.simulate import branching
from escalation.hawkes.thinning import coupled, thinning
from escalation.kernels import Exponential

ONE = np.zeros((1, 1), np.int64)
R = np.array([[0.4, 0.2], [0.0, 0.3]])
HISTORY = (np.array([-3.0, -1.0, -0.2]), np.array([-0.5]))


def repeated(array, paths):
    return np.tile(np.asarray(array, float), (paths, *(1 for _ in np.shape(array))))


def counts(path, stream, time, paths, edges):
    """Events (paths, spans, 2) of each path, span and stream."""
    out = np.zeros((paths, len(edges) - 1, 2))
    np.add.at(out, (path, np.searchsorted(edges, time, side="right") - 1, stream), 1.0)
    return out


def test_thinning_and_branching_give_the_same_means_and_variances(rng):
    paths, days = 3000, np.array([0.0, 10.0, 25.0, 40.0])
    background = repeated([[0.3, 0.2], [0.6, 0.1], [0.2, 0.4]], paths)
    reproduction, decay = repeated(R, paths), np.full((paths, 1), 0.8)
    values = repeated([[1.0, 0.8]], paths)
    thinned = thinning(background, days, reproduction, values, ONE, HISTORY, rng)
    branched = branching(
        background, days, reproduction, Exponential(), decay, HISTORY, (0.0, 40.0), rng
    )
    one, two = (counts(*list(found)[:3], paths, days) for found in (thinned, branched))
    # Twelve normal deviates: false alarm once in a thousand at 4.
    for transform in (lambda x: x, lambda x: (x - x.mean(axis=0)) ** 2):
        a, b = transform(one), transform(two)
        error = np.sqrt((a.var(axis=0) + b.var(axis=0)) / paths)
        assert (np.abs(a.mean(axis=0) - b.mean(axis=0)) / error).max() < 4


def test_the_mean_follows_the_linear_system_under_a_kernel_for_each_pair(rng):
    # A single exponential a pair: the mean intensity of each pair's part solves a linear system.
    paths, decay = 4000, np.array([[0.5, 3.0], [1.0, 2.0]])
    values = repeated(np.stack([np.ones(4), decay.ravel()], axis=1), paths)
    group = np.arange(4).reshape(2, 2)
    found = thinning(
        repeated([[0.5, 0.3]], paths), np.array([0.0, 6.0]), repeated(R, paths), values, group,
        HISTORY, rng,
    )  # fmt: skip
    b = np.array([0.5, 0.3])
    # State: the four parts, the two integrals, and one that is constant.
    drift = np.zeros((7, 7))
    start = np.zeros(7)
    start[6] = 1.0
    for k in range(2):
        drift[4 + k, 6] = b[k]
        for j in range(2):
            part = 2 * k + j
            size = R[k, j] * decay[k, j]
            drift[part, part] -= decay[k, j]
            drift[part, [2 * j, 2 * j + 1]] += size
            drift[part, 6] += size * b[j]
            drift[4 + k, part] += 1.0
            start[part] = size * np.exp(decay[k, j] * HISTORY[j]).sum()
    wanted = (expm(6.0 * drift) @ start)[4:6]
    seen = counts(*found[:3], paths, np.array([0.0, 6.0]))[:, 0]
    # False alarm once in ten thousand.
    assert (np.abs(seen.mean(axis=0) - wanted) < 4 * seen.std(axis=0) / np.sqrt(paths)).all()


def test_marks_weigh_and_eras_switch(rng):
    paths = 3000
    arguments = (repeated([[0.5]], paths), np.array([0.0, 40.0]))
    values = repeated([[1.0, 2.0]], paths)
    effect = repeated([[[0.0]], [[0.5]]], paths)
    # Weights 0 and 2: the mean is that of weight 1, the variance is larger.
    found = thinning(
        *arguments, effect, values, ONE, (), rng, era_days=np.array([20.0]),
        pool=(np.array([0.0, 2.0]),),
    )  # fmt: skip
    path, _, time, _ = found
    before = np.bincount(path[time < 20], minlength=paths)
    after = np.bincount(path[time >= 20], minlength=paths)
    assert abs(before.mean() - 10) < 4 * np.sqrt(10 / paths)
    assert abs(before.var() - 10) < 1.5
    # From day 20 on the expected rate is 1 - exp(-(t - 20)) / 2.
    wanted = 20 - 0.5 * (1 - np.exp(-20.0))
    assert abs(after.mean() - wanted) < 4 * after.std() / np.sqrt(paths)
    # With weights of 1 the variance would be 1 / (1 - R)^2 = 4 times the mean.
    assert after.var() / after.mean() > 4


def test_time_rescaling_of_an_inhibited_path_gives_exponential_steps(rng):
    from scipy import stats

    days, scale = np.array([0.0, 1500.0]), np.array([0.1])
    _, _, time, _ = thinning(
        np.full((1, 1, 1), 0.8), days, np.full((1, 1, 1), -0.9), np.array([[[1.0, 1.2]]]), ONE,
        (np.zeros(0),), rng, link="softplus", scale=scale,
    )  # fmt: skip
    foot = 0.1 * np.log(np.expm1(8.0))
    state, last, steps = 0.0, 0.0, []
    x, w = np.polynomial.legendre.leggauss(60)
    for t in time:
        u = (t - last) * (1 + x) / 2
        rate = 0.1 * np.logaddexp(0, (foot - 0.9 * 1.2 * state * np.exp(-1.2 * u)) / 0.1)
        steps.append((rate * w).sum() * (t - last) / 2)
        state, last = state * np.exp(-1.2 * (t - last)) + 1, t
    assert len(steps) > 500
    # False alarm once in a thousand.
    assert stats.kstest(steps, "expon").pvalue > 0.001


def test_copies_differ_by_the_response_to_one_more_event(rng):
    paths, decay = 4000, 0.8
    run = coupled(
        repeated([[0.5, 0.3]], paths), np.array([0.0, 5.0]), repeated(R, paths),
        repeated([[1.0, decay]], paths), ONE, HISTORY, rng, np.array([-1, 0, 1]),
    )  # fmt: skip
    path, copy, stream, _, further, _ = run
    block = np.zeros((4, 4))
    block[:2, :2], block[:2, 2:] = decay * (R - np.eye(2)), decay * R
    wanted = expm(5.0 * block)[:2, 2:]
    seen = np.zeros((paths, 3, 2))
    np.add.at(seen, (path, copy, stream), 1.0)
    for j in range(2):
        counted = seen[:, 1 + j] - seen[:, 0]
        assert counted.min() >= 0
        for more in (counted, further[:, 1 + j]):
            error = more.std(axis=0) / np.sqrt(paths) + 1e-12
            # Eight deviates: false alarm once in two thousand.
            assert (np.abs(more.mean(axis=0) - wanted[:, j]) < 4 * error).all()
        assert (further[:, 1 + j].var(axis=0) <= counted.var(axis=0)).all()
    assert (further[:, 0] == 0).all()


def test_paths_repeat_with_the_seed_and_are_in_the_order_of_time():
    arguments = (np.full((3, 1, 1), 2.0), np.array([0.0, 50.0]), np.full((3, 1, 1), 0.5),
                 np.tile([[[1.0, 1.0]]], (3, 1, 1)), ONE, ())  # fmt: skip
    one, two = (thinning(*arguments, np.random.default_rng(5)) for _ in range(2))
    for a, b in zip(one, two, strict=True):
        np.testing.assert_array_equal(a, b)
    path, _, time, _ = one
    assert (np.diff(path) >= 0).all()
    assert (np.diff(time)[np.diff(path) == 0] >= 0).all()


@pytest.mark.parametrize("link", ["identity", "exp"])
def test_an_explosive_path_is_stopped_and_told(link, rng):
    *_, stopped = thinning(
        np.full((2, 1, 1), 1.0), np.array([0.0, 1e6]), np.full((2, 1, 1), 2.0),
        np.tile([[[1.0, 1.0]]], (2, 1, 1)), ONE, (), rng, link=link, cap=1000,
    )  # fmt: skip
    assert stopped.all()


def test_nothing_comes_from_nothing(rng):
    path, *_ = thinning(
        np.zeros((2, 1, 1)), np.array([0.0, 10.0]), np.full((2, 1, 1), 0.5),
        np.tile([[[1.0, 1.0]]], (2, 1, 1)), ONE, (np.zeros(0),), rng,
    )  # fmt: skip
    assert len(path) == 0


def test_the_linear_process_takes_no_negative_effect(rng):
    with pytest.raises(ValueError, match="not negative; give a link"):
        thinning(
            np.ones((1, 1, 1)), np.array([0.0, 1.0]), np.full((1, 1, 1), -0.5),
            np.array([[[1.0, 1.0]]]), ONE, (), rng,
        )  # fmt: skip
    with pytest.raises(ValueError, match="link must be one of"):
        thinning(
            np.ones((1, 1, 1)), np.array([0.0, 1.0]), np.full((1, 1, 1), 0.5),
            np.array([[[1.0, 1.0]]]), ONE, (), rng, link="relu",
        )  # fmt: skip
