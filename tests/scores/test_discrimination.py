import numpy as np
import pytest
from scipy.stats import mannwhitneyu

from escalation.scores import (
    average_precision,
    net_benefit,
    precision_recall,
    roc_area,
    roc_curve,
)


@pytest.fixture
def cases(rng):
    """Probabilities with ties, and outcomes that follow them a little."""
    told = np.round(rng.beta(1, 3, 300), 2)
    return told, (rng.random(300) < 0.1 + 0.6 * told).astype(float)


def test_the_area_is_that_of_mann_and_whitney(cases):
    told, happened = cases
    statistic = mannwhitneyu(told[happened == 1], told[happened == 0]).statistic
    wanted = statistic / (happened.sum() * (1 - happened).sum())
    assert roc_area(told, happened) == pytest.approx(wanted, abs=1e-12)


def test_curves_are_those_of_counting(cases):
    told, happened = cases
    false, true, threshold = roc_curve(told, happened)
    precision, recall, at = precision_recall(told, happened)
    assert (false[0], true[0], threshold[0]) == (0, 0, np.inf)
    for place in range(1, len(threshold)):
        alarm = told >= threshold[place]
        assert true[place] == pytest.approx(happened[alarm].sum() / happened.sum())
        assert false[place] == pytest.approx((1 - happened)[alarm].sum() / (1 - happened).sum())
        assert precision[place - 1] == pytest.approx(happened[alarm].mean())
    np.testing.assert_allclose(recall, true[1:])
    np.testing.assert_array_equal(at, threshold[1:])


def test_average_precision_is_the_mean_over_the_events(rng):
    told = rng.permutation(200) / 200  # no ties: rank by rank
    happened = (rng.random(200) < 0.3).astype(float)
    ranked = happened[np.argsort(-told)]
    wanted = (np.cumsum(ranked) / np.arange(1, 201))[ranked == 1].mean()
    assert average_precision(told, happened) == pytest.approx(wanted, abs=1e-12)


def test_net_benefit_is_that_of_counting(cases):
    told, happened = cases
    thresholds = np.array([0.05, 0.25, 0.5, 0.99])
    wanted = []
    for t in thresholds:
        alarm = told >= t
        wanted.append((happened[alarm].sum() - (1 - happened)[alarm].sum() * t / (1 - t)) / 300)
    np.testing.assert_allclose(net_benefit(told, happened, thresholds), wanted, atol=1e-14)
    always = net_benefit(np.ones(300), happened, [0.25])[0]
    rate = happened.mean()
    assert always == pytest.approx(rate - (1 - rate) / 3)


def test_weights_are_copies(cases, rng):
    told, happened = cases
    weights = rng.integers(0, 4, 300)
    copied = np.repeat(told, weights), np.repeat(happened, weights)
    for figure in (roc_area, average_precision):
        assert figure(told, happened, weights) == pytest.approx(figure(*copied), abs=1e-12)
    np.testing.assert_allclose(
        net_benefit(told, happened, [0.1, 0.3], weights), net_benefit(*copied, [0.1, 0.3])
    )


@pytest.mark.parametrize("outcome", [np.zeros(5), np.ones(5)])
def test_without_two_kinds_of_cases_there_is_no_area(outcome):
    assert np.isnan(roc_area(np.linspace(0, 1, 5), outcome))


def test_without_events_there_is_no_precision():
    assert np.isnan(average_precision(np.linspace(0, 1, 5), np.zeros(5)))


@pytest.mark.parametrize(
    ("told", "outcome", "weights", "said"),
    [
        ([0.5], [1, 0], None, "must be"),
        ([], [], None, "must be"),
        ([1.5], [1], None, r"\[0, 1\]"),
        ([0.5], [2], None, "0 or 1"),
        ([0.5], [1], [-1.0], "negative"),
    ],
)
def test_what_are_no_cases_is_refused(told, outcome, weights, said):
    with pytest.raises(ValueError, match=said):
        roc_area(told, outcome, weights)


def test_thresholds_lie_between_zero_and_one():
    with pytest.raises(ValueError, match="thresholds"):
        net_benefit([0.5], [1], [1.0])
