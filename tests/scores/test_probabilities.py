"""Scores of probabilities and their decompositions."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.scores import brier, brier_corp, brier_murphy, isotonic_probability


def test_brier_refuses_what_is_no_probability():
    assert brier([0.2, 1.0], [0, 1]).tolist() == pytest.approx([0.04, 0.0])
    with pytest.raises(ValueError, match="probabilities"):
        brier([1.2], [1])


probabilities = st.lists(
    st.tuples(st.sampled_from([0.0, 0.05, 0.1, 0.3, 0.31, 0.5, 0.9, 1.0]), st.booleans()),
    min_size=1,
    max_size=15,
)


@settings(max_examples=40)
@given(probabilities)
def test_decompositions_sum_to_the_score(cases):
    p, y = np.array(cases, dtype=float).T
    for found in (brier_murphy(p, y), brier_murphy(p, y, None), brier_corp(p, y)):
        assert found.score == pytest.approx(brier(p, y).mean())
        whole = found.miscalibration - found.discrimination + found.uncertainty
        assert whole == pytest.approx(found.score)
        assert found.uncertainty == pytest.approx(y.mean() * (1 - y.mean()))
    assert brier_corp(p, y).miscalibration >= -1e-12
    assert brier_corp(p, y).discrimination >= -1e-12


def test_murphys_parts_are_his(rng):
    # With few values of the probability the three sums of Murphy (1973) are exact.
    p = rng.choice([0.1, 0.4, 0.8], 500)
    y = (rng.uniform(size=500) < p**2).astype(float)
    groups = [(p == value) for value in (0.1, 0.4, 0.8)]
    reliability = sum(g.mean() * (p[g].mean() - y[g].mean()) ** 2 for g in groups)
    resolution = sum(g.mean() * (y[g].mean() - y.mean()) ** 2 for g in groups)
    for found in (brier_murphy(p, y), brier_murphy(p, y, None)):
        assert found.miscalibration == pytest.approx(reliability)
        assert found.discrimination == pytest.approx(resolution)


@pytest.mark.parametrize("bins", [3, 10, 49, 100])
def test_a_probability_on_an_edge_lies_in_the_bin_above(bins):
    """Also where floating-point numbers fall short of it: 0.29 * 100 is 28.999999999999996."""
    edges = np.arange(bins) / bins
    # An outcome in every second bin: with an edge in the bin below, the parts would differ.
    inside = edges + 0.4 / bins
    p = np.concatenate([edges, 1 - (bins - np.arange(bins)) / bins, inside])
    y = np.tile(np.arange(bins) % 2, 3).astype(float)
    found = brier_murphy(p, y, bins)
    means = p.reshape(3, bins).mean(axis=0)
    assert found.miscalibration == pytest.approx(((means - y[:bins]) ** 2).mean(), rel=1e-12)


@settings(max_examples=25)
@given(probabilities)
def test_isotonic_probabilities_are_the_best_rising_ones(cases):
    p, y = np.array(cases, dtype=float).T
    found = isotonic_probability(p, y)
    order = np.argsort(p)
    assert (np.diff(found[order]) >= -1e-12).all()
    # The max-min formula of isotonic regression, by brute force.
    for at in range(len(p)):
        means = [
            min(y[(p >= low) & (p <= high)].mean() for high in p[p >= p[at]])
            for low in p[p <= p[at]]
        ]
        assert found[at] == pytest.approx(max(means))


def test_cells_without_outcome_are_left_out():
    found = brier_corp([0.5, 0.1, np.nan], [1, np.nan, 0])
    assert found.score == 0.25
    for decomposition in (brier_corp, brier_murphy):
        with pytest.raises(ValueError, match="one or more"):
            decomposition([np.nan], [1])
        with pytest.raises(ValueError, match="outcomes"):
            decomposition([0.5], [2])
