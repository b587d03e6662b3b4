from dataclasses import replace

import numpy as np
import pytest

from escalation.engines import MaximumLikelihood
from escalation.fit import Fit
from escalation.hawkes import Hawkes
from escalation.hawkes.cascade import Cascade, cascade
from escalation.hawkes.intensity import Intensity, require_additive
from escalation.kernels import Exponential, Weibull
from escalation.series import EventSeries
from hawkes.branching import branch

RATES = np.array([0.3, 0.2])
REPRODUCTION = np.array([[0.4, 0.2], [0.1, 0.3]])
DECAY = 0.8


def fit_at_the_truth(series):
    """A fit whose estimate and draws are the truth."""
    values = {
        "level": np.log(RATES),
        "reproduction": REPRODUCTION,
        "decay": np.array(DECAY),
    }
    draws = {name: np.repeat(one[None], 5, axis=0) for name, one in values.items()}
    return Fit(Hawkes(), series, draws, values, 0.0, {}, MaximumLikelihood.name)


@pytest.fixture
def simulated(rng):
    return branch(RATES, REPRODUCTION, DECAY, 1500.0, rng)


@pytest.fixture
def found(simulated):
    series = EventSeries.from_times(simulated[0], 0.0, 1500.0)
    return cascade(fit_at_the_truth(series), draws=30)


@pytest.mark.parametrize("kernel", [Exponential(), Weibull()], ids=lambda one: one.name)
def test_probabilities_are_those_of_a_double_loop(rng, kernel):
    times = tuple(np.sort(rng.random(n) * 40) for n in (25, 15))
    times[0][7] = times[0][6]
    times[1][4] = times[0][11]
    times = (times[0], np.sort(times[1]))
    theta = kernel.start(1.5)
    intensity = Intensity.plain(times, 40.0, RATES, REPRODUCTION, kernel, theta)
    child, parent, probability, background, rest = intensity.parents(0.0)
    whole, stream = np.concatenate(times), np.repeat([0, 1], [25, 15])
    wanted = np.zeros((40, 40))
    own = np.zeros(40)
    for i in range(40):
        for j in range(40):
            tied = whole[j] == whole[i] and stream[i] == stream[j] and j < i
            if whole[j] < whole[i] or tied:
                # A tie in a stream is a delay of zero: the density's limit from the right.
                age = np.array(max(whole[i] - whole[j], 1e-12))
                wanted[i, j] = REPRODUCTION[stream[i], stream[j]] * kernel.density(age, theta)
        own[i] = RATES[stream[i]]
    total = own + wanted.sum(axis=1)
    told = np.zeros((40, 40))
    told[child, parent] = probability
    np.testing.assert_allclose(told, wanted / total[:, None], atol=1e-9)
    np.testing.assert_allclose(background, own / total, atol=1e-9)
    np.testing.assert_allclose(told.sum(axis=1) + background + rest, 1)


def test_what_is_lumped_is_below_the_threshold(simulated):
    intensity = Intensity.plain(
        tuple(simulated[0]), 1500.0, RATES, REPRODUCTION, Exponential(), np.array([DECAY])
    )
    child, parent, probability, background, _ = intensity.parents(0.0)
    some = intensity.parents(0.01)
    keep = probability >= 0.01
    np.testing.assert_array_equal(some[0], child[keep])
    np.testing.assert_array_equal(some[1], parent[keep])
    np.testing.assert_allclose(some[2], probability[keep])
    lumped = np.bincount(child[~keep], probability[~keep], len(background))
    np.testing.assert_allclose(some[4], lumped, atol=1e-9)


def test_everyone_has_a_parent_or_none_with_certainty(found):
    told = np.bincount(found.child, found.probability, len(found.times))
    np.testing.assert_allclose(told + found.background + found.rest, 1, atol=1e-9)
    assert np.all(found.times[found.parent] <= found.times[found.child])


def test_true_parents_are_as_frequent_as_they_are_probable(found, simulated):
    # Each class of probability: within 3.9 standard errors, one false alarm in a thousand of ten.
    for guess, truth in (
        (found.background, simulated[1] < 0),
        (found.probability, simulated[1][found.child] == found.parent),
    ):
        for low in np.arange(0, 1, 0.2):
            at = (guess >= low) & (guess < low + 0.2)
            if at.sum() > 30:
                error = np.sqrt((guess[at] * (1 - guess[at])).sum()) / at.sum()
                assert abs(guess[at].mean() - truth[at].mean()) < 3.9 * error


def test_drawn_forests_have_the_probabilities(found):
    share = (found.forests < 0).mean(axis=0)
    error = np.sqrt(found.background * (1 - found.background) / len(found.forests)) + 1e-9
    z = (share - found.background) / error
    # Independent over incidents: the mean of z² is one; its standard error here is about .04.
    assert abs(np.mean(z**2) - 1) < 0.2
    within = found.forests >= 0
    parent = np.where(within, found.forests, 0)
    assert np.all((found.times[parent] <= found.times)[within])


def test_clusters_and_generations_count_everyone_once(found, simulated):
    for table in (found.table(), found.generations()):
        np.testing.assert_allclose(table["expected"].sum(), len(found.times))
    root, generation = found.clusters(simulated[1])
    depth = np.zeros(len(root), int)
    for i in range(len(root)):
        top = i
        while simulated[1][top] >= 0:
            top = simulated[1][top]
            depth[i] += 1
        assert root[i] == top
    np.testing.assert_array_equal(generation, depth)
    sizes = found.cluster_sizes()
    expected = (found.forests < 0).sum(axis=1).mean()
    np.testing.assert_allclose(sizes["expected"].sum(), expected)
    # Lone incidents and all others: true numbers lie near the drawn ones (4 standard deviations).
    alone = (np.bincount(root)[np.bincount(root) > 0] == 1).sum()
    assert abs(sizes["expected"][0] - alone) < 4 * np.sqrt(alone)


def test_the_most_likely_parents_make_a_forest(found):
    parent = found.most_likely
    set_off = parent >= 0
    np.testing.assert_array_equal(set_off, found.background < 0.5)
    assert np.all(found.times[parent[set_off]] <= found.times[set_off])
    incidents = found.incidents()
    assert incidents["set_off_by"].null_count() == (~set_off).sum()
    assert len(found.pairs(0.2)) == (found.probability >= 0.2).sum()
    assert "background" in repr(found)


def test_parameters_can_be_averaged_over_or_not(simulated):
    series = EventSeries.from_times([t[t < 150] for t in simulated[0]], 0.0, 150.0)
    fit = Hawkes().fit(series, MaximumLikelihood(draws=20))
    at = cascade(fit, draws=3, parameters=False)
    over = cascade(fit, draws=20)
    exact = Intensity.of(fit.model, series, fit.estimate).parents(0.002)
    np.testing.assert_allclose(at.background, exact[3])
    assert not np.allclose(over.background, at.background)
    assert "at the estimate" in at.method
    again = cascade(fit, np.random.default_rng(0), draws=20)
    np.testing.assert_array_equal(again.forests, over.forests)


def test_within_the_day_probabilities_are_still_true_to_the_frequencies(simulated):
    days = [np.floor(t) for t in simulated[0]]
    series = EventSeries.from_times(days, 0.0, 1500.0, resolution="day")
    found = cascade(fit_at_the_truth(series), np.random.default_rng(2), draws=60)
    told = np.bincount(found.child, found.probability, len(found.times))
    np.testing.assert_allclose(told + found.background + found.rest, 1, atol=1e-9)
    hit = simulated[1][found.child] == found.parent
    same = found.times[found.child] == found.times[found.parent]
    # Pairs of one day may go either way; 3.9 standard errors, one false alarm in a thousand of
    # ten. Draws are few: the smallest probabilities are left out.
    for kind in (same, ~same):
        for low, high in ((0.05, 0.15), (0.15, 0.3)):
            at = kind & (found.probability >= low) & (found.probability < high)
            guess = found.probability[at]
            error = np.sqrt((guess * (1 - guess)).sum()) / at.sum()
            assert abs(guess.mean() - hit[at].mean()) < 3.9 * error
    parent = found.most_likely
    root, _ = found.clusters(parent)
    assert np.all(parent[root] == -1)
    assert "sampled with the parents" in found.method


def test_a_model_that_is_not_additive_is_refused():
    from escalation.hawkes.nonlinear import NonlinearHawkes

    with pytest.raises(ValueError, match="not additive"):
        require_additive(NonlinearHawkes())


def test_no_draws_are_refused(found, simulated):
    series = EventSeries.from_times(simulated[0], 0.0, 1500.0)
    with pytest.raises(ValueError, match="draws"):
        cascade(fit_at_the_truth(series), draws=0)


def test_an_empty_stream_has_no_parents_and_no_children():
    series = EventSeries.from_times([[1.0, 1.2, 5.0], []], 0.0, 10.0)
    found = cascade(fit_at_the_truth(series), draws=4)
    assert len(found.times) == 3
    assert isinstance(replace(found), Cascade)
    assert found.table()["expected"].sum() == 3
