"""Simulated paths against closed forms, and the two ways of simulating against each other.

Every statistical bound here is 4.5 standard errors: false alarms of one in 100,000 each.
"""

import numpy as np
import pytest

from escalation.hawkes.simulate import NewMarks, Paths, branching
from escalation.hawkes.thinning import thinning
from escalation.kernels import Exponential, Lomax, Mixture, Weibull

NONE = (np.empty(0),)


def many(value, paths):
    """The same array for every path."""
    return np.repeat(np.asarray(value, float)[None], paths, axis=0)


def tally(found: Paths, paths, streams=1):
    """Events of each path and stream, (n, K)."""
    out = np.zeros((paths, streams))
    np.add.at(out, (found.path, found.stream), 1)
    return out


def agrees(sample, mean, bound=4.5):
    """Whether the mean of a sample is within so many standard errors of the truth."""
    sample = np.asarray(sample, float)
    error = sample.std(axis=0, ddof=1) / np.sqrt(len(sample))
    np.testing.assert_array_less(np.abs(sample.mean(axis=0) - mean), bound * error + 1e-12)


def same_mean(one, other, bound=4.5):
    """Whether two samples agree in their means."""
    error = np.sqrt(one.var(axis=0) / len(one) + other.var(axis=0) / len(other))
    gap = np.abs(one.mean(axis=0) - other.mean(axis=0))
    np.testing.assert_array_less(gap, bound * error + 1e-12)


class Slow(Exponential):
    """An exponential kernel that is simulated by generations, like any other."""

    @property
    def approximation_error(self):
        return 1.0


class Short(Exponential):
    """An exponential kernel cut off at two days."""

    @property
    def reach(self):
        return 2.0

    def cdf(self, age, theta):
        whole = -np.expm1(-2 * theta[..., 0])
        return np.minimum(super().cdf(np.asarray(age, float), theta) / whole, 1.0)

    def quantile(self, probability, theta):
        return super().quantile(probability * -np.expm1(-2 * theta[..., 0]), theta)

    def as_exponentials(self):
        def shape(theta, constants):
            return np.array([-1 / np.expm1(-2 * theta[0]), theta[0]]), None

        return shape


class SlowShort(Short, Slow):
    """The same by generations."""


def test_the_background_has_the_rate_of_each_stretch(rng):
    rates = np.array([[3.0, 0.0], [1.0, 8.0], [0.5, 2.0]])
    days = np.array([10.0, 11.0, 13.0, 13.5])
    found = branching(
        many(rates, 4000), days, np.zeros((4000, 2, 2)), Exponential(), np.ones((4000, 1)), (),
        (10.0, 13.5), rng,
    )  # fmt: skip
    counts = np.zeros((4000, 3, 2))
    stretch = np.searchsorted(days, found.time, side="right") - 1
    np.add.at(counts, (found.path, stretch, found.stream), 1)
    agrees(counts, rates * np.diff(days)[:, None])
    within = found.time[stretch == 1]
    agrees((within - 11) / 2, 0.5)


@pytest.mark.parametrize("kernel", [Exponential(), Slow()], ids=["compiled", "generations"])
def test_counts_from_an_empty_past_have_their_mean_and_variance(rng, kernel):
    # Mean: the expected rate falls to mu / (1 - eta) at the speed beta (1 - eta). Variance in the
    # long run: mu T / (1 - eta)**3.
    mu, eta, beta, end, paths = 0.8, 0.6, 1.5, 150.0, 3000
    found = branching(
        many([[mu]], paths), np.array([0.0, end]), many([[eta]], paths), kernel,
        many([beta], paths), (), (0.0, end), rng,
    )  # fmt: skip
    counts = tally(found, paths)[:, 0]
    speed = beta * (1 - eta)
    settling = (mu - mu / (1 - eta)) / speed * -np.expm1(-speed * end)
    agrees(counts, mu * end / (1 - eta) + settling)
    whole = mu * end / (1 - eta) ** 3
    # The variance of a sample variance, near to normal; two per cent for the start.
    assert abs(counts.var() / whole - 1) < 4.5 * np.sqrt(2 / paths) + 0.02


@pytest.mark.parametrize("eta", [1e-12, 1e-19, 1e-25, 1e-160, 1e-308, 5e-324])
def test_next_to_no_contagion_is_none(eta):
    """No step along the line of events is too long for an integer."""
    past = (np.linspace(-20.0, -0.1, 40),)
    found, none = (
        branching(
            many([[2.0]], 50), np.array([0.0, 100.0]), many([[each]], 50), Exponential(),
            many([1.5], 50), past, (0.0, 100.0), np.random.default_rng(1),
        )
        for each in (eta, 0.0)
    )  # fmt: skip
    np.testing.assert_array_equal(found.path, none.path)
    assert abs(len(none.path) - 10_000) < 500


def test_clusters_have_the_sizes_of_borel(rng):
    # One founder at most, at the very start; all of its descendants are seen.
    paths, eta = 20_000, 0.5
    days = np.array([0.0, 1e-9, 200.0])
    rates = many([[1e9], [0.0]], paths)
    found = branching(
        rates, days, many([[eta]], paths), Exponential(), many([1.5], paths), (), (0, 200), rng
    )
    counts = tally(found, paths)[:, 0]
    # A Poisson number of founders of mean one: mean 2, variance 1 / (1 - eta)**3.
    agrees(counts, 1 / (1 - eta))
    agrees((counts - counts.mean()) ** 2, 1 / (1 - eta) ** 3)
    # No offspring of one founder, or none at all: exp(-1) (1 + exp(-eta)).
    agrees(counts <= 1, np.exp(-1) * (1 + np.exp(-eta)))


KERNELS = {
    "exponential": Exponential(),
    "by generations": Slow(),
    "cut off": Short(),
    "cut off, by generations": SlowShort(),
    "mixture": Mixture((0.5, 5.0)),
    "Lomax": Lomax().within(50.0),
    "Weibull": Weibull(),
}


@pytest.mark.parametrize("kernel", KERNELS.values(), ids=KERNELS)
def test_what_the_past_still_sets_off_is_in_closed_form(rng, kernel):
    # Stream 0 sets off stream 1 only, which sets off nothing: every event is a direct offspring.
    paths, start, end = 8000, 10.0, 12.0
    own = np.concatenate([p.sample_prior(rng, 1).ravel() for p in kernel.parameters("day")])
    past = np.array([0.2, 4.0, 7.7, 9.0, 9.9])
    matrix = many([[0.0, 0.0], [3.0, 0.0]], paths)
    found = branching(
        np.zeros((paths, 1, 2)), np.array([start, end]), matrix, kernel, many(own, paths),
        (past, np.array([9.5])), (start, end), rng,
    )  # fmt: skip
    assert (found.stream == 1).all()
    mean = [3 * (kernel.cdf(day - past, own) - kernel.cdf(start - past, own)).sum()
            for day in (10.5, end)]  # fmt: skip
    agrees(np.bincount(found.path[found.time < 10.5], minlength=paths), mean[0])
    agrees(tally(found, paths, 2)[:, 1], mean[1])


def test_compiled_and_by_generations_agree_in_everything_at_once(rng):
    # Two streams, three eras, a kernel a pair, marks, a past, a stepped background.
    paths, end = 6000, 30.0
    days = np.array([20.0, 22.0, 27.0, 30.0])
    rates = many([[0.5, 0.2], [0.1, 0.6], [0.4, 0.3]], paths)
    era = [[0.3, 0.2], [0.5, 0.1]], [[0.6, 0.0], [0.1, 0.4]], [[0.1, 0.5], [0.2, 0.6]]
    matrix = many(era, paths)
    theta = many([[0.2], [1.0], [3.0], [0.5]], paths)
    past = (np.array([1.0, 15.0, 19.5]), np.array([11.0, 18.0]))
    marks = NewMarks(
        many([0.5, -0.2], paths), (np.array([0.0, 1.0, 2.5]), np.array([0.5, 4.0])),
        (np.array([1.0, 0.0, 2.0]), np.array([3.0, 0.0])),
    )  # fmt: skip
    counts = []
    for kernel in (Exponential(), Slow()):
        found = branching(
            rates, days, matrix, kernel, theta, past, (20.0, end), rng,
            eras=np.array([18.5, 25.0]), group=np.array([[0, 1], [2, 3]]), marks=marks,
        )  # fmt: skip
        day = np.floor(found.time - 20).astype(int)
        out = np.zeros((paths, 10, 2))
        np.add.at(out, (found.path, day, found.stream), 1)
        sized = np.zeros((paths, 2))
        np.add.at(sized, (found.path, found.stream), found.size)
        total = out.sum(axis=1)
        counts.append(np.concatenate([out.reshape(paths, -1), sized, total, total**2], axis=1))
    same_mean(*counts)


def test_branching_and_thinning_agree(rng):
    paths = 6000
    days = np.array([0.0, 4.0, 10.0])
    rates, matrix = many([[0.5, 0.2], [0.1, 0.6]], paths), many([[0.4, 0.3], [0.1, 0.5]], paths)
    decay, past = 0.7, (np.array([-3.0, -0.5]), np.array([-1.0]))
    counts = []
    for thinned in (False, True):
        if thinned:
            values = many([[1.0, decay]], paths)
            found = thinning(rates, days, matrix, values, np.zeros((1, 1), np.int64), past, rng)
        else:
            found = branching(
                rates, days, matrix, Exponential(), many([decay], paths), past, (0.0, 10.0), rng
            )
        path, stream, time, _ = found
        out = np.zeros((paths, 10, 2))
        np.add.at(out, (path, np.floor(time).astype(int), stream), 1)
        total = out.sum(axis=1)
        counts.append(np.concatenate([out.reshape(paths, -1), total, total**2], axis=1))
    same_mean(*counts)


def test_marks_scale_offspring_by_their_effect_over_its_mean(rng):
    paths, gamma = 8000, 0.7
    fitted = (np.array([0.0, 0.3, 2.0]), np.array([1.0]))
    marks = NewMarks(many([gamma, 0.0], paths), fitted, (np.array([2.0]), np.empty(0)))
    matrix = many([[0.0, 0.0], [2.0, 0.0]], paths)
    past = (np.array([0.0]), np.empty(0))
    found = branching(
        np.zeros((paths, 1, 2)), np.array([1.0, 3.0]), matrix, Exponential(), many([0.4], paths),
        past, (1.0, 3.0), rng, marks=marks,
    )  # fmt: skip
    effect = np.exp(2 * gamma) / np.exp(gamma * fitted[0]).mean()
    wanted = 2 * effect * (np.exp(-0.4) - np.exp(-1.2))
    agrees(tally(found, paths, 2)[:, 1], wanted)
    np.testing.assert_array_equal(found.size, 1.0)


def test_sizes_drawn_by_a_law_of_ones_own_go_with_the_events(rng):
    def draw(rng, stream):
        return np.where(stream == 0, 1.0, rng.exponential(2.0, len(stream)))

    marks = NewMarks(many([0.3, 0.1], 200), (np.ones(2), np.ones(2)), draw=draw)
    found = branching(
        np.full((200, 1, 2), 0.5), np.array([0.0, 40.0]), many([[0.3, 0.2], [0.1, 0.3]], 200),
        Exponential(), many([1.0], 200), (), (0.0, 40.0), rng, marks=marks,
    )  # fmt: skip
    assert (found.size[found.stream == 0] == 1).all()
    agrees(found.size[found.stream == 1], 2.0)


def test_no_delay_is_longer_than_the_kernel_reaches(rng):
    # A burst of founders at the start, one generation: stream 0 sets off stream 1.
    rates = np.array([[[1e6, 0.0], [0.0, 0.0]]])
    for kernel in (Short(), SlowShort()):
        found = branching(
            rates, np.array([0.0, 1e-2, 50.0]), np.array([[[0.0, 0.0], [1.0, 0.0]]]), kernel,
            np.array([[0.3]]), (), (0.0, 50.0), rng,
        )  # fmt: skip
        late = found.time[found.stream == 1]
        assert 1.9 < late.max() < 2.01
        assert abs(len(late) / (found.stream == 0).sum() - 1) < 0.07


@pytest.mark.parametrize("kernel", [Exponential(), Slow()], ids=["compiled", "generations"])
def test_paths_repeat_with_the_generator_and_stop_at_the_cap(kernel):
    def run(seed):
        return branching(
            np.full((3, 1, 1), 1.0), np.array([0.0, 100.0]), np.array([[[0.5]], [[3.0]], [[0.2]]]),
            kernel, np.ones((3, 1)), (np.array([-1.0, -0.5]),), (0.0, 100.0),
            np.random.default_rng(seed), 2000,
        )  # fmt: skip

    one, two = run(1), run(1)
    np.testing.assert_array_equal(one.time, two.time)
    np.testing.assert_array_equal(one.stream, two.stream)
    np.testing.assert_array_equal(one.stopped, [False, True, False])
    assert one.time.min() >= 0
    assert one.time.max() < 100
    assert tally(one, 3)[1, 0] > 2000
    path, stream, time, stopped = one
    assert len(path) == len(stream) == len(time)
    assert stopped.shape == (3,)
    assert len(run(2).time) != len(one.time)


def test_one_path_is_split_into_ordered_streams(rng):
    marks = NewMarks(np.zeros((1, 2)), (np.arange(9.0), np.arange(9.0)))
    found = branching(
        np.full((1, 1, 2), 5.0), np.array([0.0, 100.0]), np.array([[[0.5, 0.1], [0.2, 0.3]]]),
        Exponential(), np.ones((1, 1)), (), (0.0, 100.0), rng, marks=marks,
    )  # fmt: skip
    times, sizes = found.by_stream(2)
    for k in range(2):
        own = found.stream == k
        order = np.argsort(found.time[own])
        np.testing.assert_array_equal(times[k], found.time[own][order])
        np.testing.assert_array_equal(sizes[k], found.size[own][order])


@pytest.mark.parametrize(
    ("rates", "matrix", "eras", "message"),
    [
        (1.0, [[-0.1]], None, "every reproduction to be finite and not negative"),
        (np.nan, [[0.1]], None, "every background rate to be finite"),
        (np.inf, [[0.1]], None, "every background rate to be finite"),
        (1.0, [[0.1]], np.array([3.0]), "1 eras of the reproduction matrix want 0 days"),
    ],
)
def test_what_branching_cannot_do_is_refused(rng, rates, matrix, eras, message):
    with pytest.raises(ValueError, match=message):
        branching(
            np.full((1, 1, 1), rates), np.array([0.0, 5.0]), np.array([matrix]), Exponential(),
            np.ones((1, 1)), (), (0.0, 5.0), rng, eras=eras,
        )  # fmt: skip


def test_nothing_happens_without_a_background_and_a_past(rng):
    for kernel in (Exponential(), Slow()):
        found = branching(
            np.zeros((4, 1, 2)), np.array([0.0, 5.0]), np.full((4, 2, 2), 0.2), kernel,
            np.ones((4, 1)), (), (0.0, 5.0), rng,
        )  # fmt: skip
        assert len(found.time) == 0
        assert found.by_stream(2)[0][1].size == 0
