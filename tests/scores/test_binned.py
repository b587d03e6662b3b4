"""Ignorance in both binnings, against the counting loop of its definition."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.scores import ignorance
from escalation.scores.binned import BIN_EDGES, BINNINGS

numbers = st.floats(0, 3000)


def counted(draws, observed, binning):
    """np.digitize and np.bincount, as both programs do."""
    place = np.digitize(draws, BIN_EDGES) - 1
    own = int(np.digitize([observed], BIN_EDGES)[0] - 1)
    bins = len(BIN_EDGES) if binning == "challenge" else len(BIN_EDGES) - 1
    many = np.bincount(place, minlength=bins) + 1
    return np.inf if own >= len(many) else -np.log2(many[own] / many.sum())


@pytest.mark.parametrize("binning", BINNINGS)
@given(st.lists(numbers, min_size=1, max_size=30), numbers)
def test_ignorance_counts_bins(binning, draws, observed):
    found = ignorance(draws, observed, binning)
    assert found == pytest.approx(counted(np.array(draws), observed, binning), rel=1e-12)


@pytest.mark.parametrize("edge", BIN_EDGES)
def test_an_edge_belongs_to_the_bin_that_it_begins(edge):
    draws = np.full(9, edge + 0.01)
    assert ignorance(draws, edge) == pytest.approx(np.log2(20 / 10))


def test_the_last_bin_tells_the_binnings_apart():
    draws = np.column_stack([np.full(10, 5.0), np.full(10, 5000.0), np.full(10, np.inf)])
    assert ignorance(draws, [2000.0] * 3).tolist() == pytest.approx(
        [np.log2(21), np.log2(21 / 11), np.log2(21 / 11)]
    )
    found = ignorance(draws, [2000.0] * 3, "views-evaluation")
    assert found.tolist() == pytest.approx([np.inf, np.log2(21 / 11), np.log2(21 / 11)])
    assert ignorance(draws[:, 0], 5.0, "views-evaluation") == pytest.approx(np.log2(20 / 11))


def test_ignorance_refuses_and_skips():
    assert np.isnan(ignorance([[1.0], [2.0]], [np.nan]))[0]
    with pytest.raises(ValueError, match="binning must be one of"):
        ignorance([1.0], 1.0, "viewser")
    with pytest.raises(ValueError, match="not be negative"):
        ignorance([-1.0], 1.0)
