"""The non-randomised PIT, against the distribution function and surveillance."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from escalation.scores import pit_bounds, pit_histogram, pit_share

counts = arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 30))


@given(counts, st.integers(0, 40))
def test_pit_bounds_are_the_distribution_function(draws, observed):
    low, high = pit_bounds(draws, observed)
    assert (low, high) == ((draws < observed).mean(), (draws <= observed).mean())


@pytest.mark.parametrize(
    ("low", "high", "level", "share"),
    [(0, 1, 0.8, 0.8), (0.4, 0.6, 0.5, 1.0), (0.0, 0.2, 0.8, 0.5), (0.5, 0.5, 0.5, 1.0),
     (0.0, 0.0, 0.9, 0.0), (1.0, 1.0, 0.9, 0.0), (0.9, 1.0, 0.9, 0.5)],
)  # fmt: skip
def test_pit_share_is_the_overlap(low, high, level, share):
    assert pit_share(low, high, level) == pytest.approx(share)


def test_pit_share_of_a_calibrated_count_forecast_is_the_level(rng):
    # 4,000 calibrated cases; false alarm below 1 in 10,000 (four standard errors).
    draws, observed = rng.poisson(1.5, (400, 4000)), rng.poisson(1.5, 4000)
    for level in (0.5, 0.8, 0.9):
        share = pit_share(*pit_bounds(draws, observed), level)
        assert abs(share.mean() - level) < 4 * share.std() / np.sqrt(4000) + 0.003


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1)), min_size=1), st.integers(1, 12))
def test_pit_histogram_sums_to_one(ends, bins):
    low, high = np.sort(np.array(ends), axis=1).T
    heights = pit_histogram(low, high, bins)
    assert heights.sum() == pytest.approx(1)
    assert (heights >= -1e-12).all()


def test_pit_histogram_counts_points_at_both_ends_and_skips_the_unobserved():
    heights = pit_histogram([0, 1, np.nan], [0, 1, np.nan], 4)
    assert heights.tolist() == [0.5, 0, 0, 0.5]
    with pytest.raises(ValueError, match="needs observations"):
        pit_histogram([np.nan], [np.nan])


REFERENCES = Path(__file__).parents[1] / "references/scores.json"
FOLDER = Path(__file__).parents[3] / "shared/references/data"


@pytest.mark.parametrize("model", ["B", "PL"])
def test_the_pit_histogram_is_that_of_surveillance(model):
    path = FOLDER / f"mWE_rolling_pred_{model}.csv"
    if not path.exists():
        pytest.skip("no folder of reference data beside the repository")
    from scipy.stats import nbinom

    data = pl.read_csv(path)
    size = np.exp(data["psi"].to_numpy())
    law = nbinom(size, size / (size + data["mu"].to_numpy()))
    observed = data["obs"].to_numpy()
    heights = pit_histogram(law.cdf(observed - 1), law.cdf(observed), 10)
    expected = json.loads(REFERENCES.read_text("utf-8"))["rolling"][model]["pit"]
    np.testing.assert_allclose(10 * heights, expected, rtol=1e-10)
