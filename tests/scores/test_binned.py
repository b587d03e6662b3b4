"""Ignorance in both binnings, against the counting loop of its definition."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation.scores import crps_draws, ignorance, interval_score
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
@settings(max_examples=40)
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


@pytest.mark.parametrize(
    ("year", "published"),
    [(2018, (14.4829, 0.6403, 186.55)), (2019, (9.1463, 0.6101, 89.06)),
     (2020, (21.3393, 0.5665, 344.96))],
)  # fmt: skip
def test_the_published_scores_of_conflictology(year, published):
    """CRPS, ignorance and interval score of the benchmark of the challenge (Hegre et al. 2024).

    Its forecast are the last twelve months known in October; for the ignorance the challenge
    spreads the twelve draws to 1,000 by `scipy.signal.resample` and clips them at 0.
    """
    from scipy.signal import resample

    path = Path(__file__).parents[3] / "shared/challenge/country_month_deaths_1990_2020.csv.gz"
    if not path.exists():
        pytest.skip("no folder of reference data beside the repository")
    last = 121 + 12 * (year - 1990) - 3
    table = pl.read_csv(path).filter(pl.col("month_id").is_between(last - 11, last + 14))
    wide = table.pivot(on="month_id", index="country_id", values="deaths").drop_nulls()
    known, came = (
        wide.select(str(month) for month in months).to_numpy().T.astype(float)
        for months in (range(last - 11, last + 1), range(last + 3, last + 15))
    )
    draws, spread = (
        np.repeat(x[:, None], 12, axis=1) for x in (known, resample(known, 1000, axis=0).clip(0))
    )
    ends = np.quantile(draws, [0.05, 0.95], axis=0)
    found = crps_draws(draws, came), ignorance(spread, came), interval_score(*ends, came, 0.9)
    digits = (4, 4, 2)
    assert tuple(round(float(s.mean()), d) for s, d in zip(found, digits, strict=True)) == published
