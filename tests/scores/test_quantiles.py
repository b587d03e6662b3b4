"""Quantiles, intervals and their scores, against definitions and scoringutils."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from escalation.scores import (
    absolute_error,
    bias_quantiles,
    coverage,
    crps_draws,
    implied_coverage,
    interval_score,
    pit_share,
    quantile_draws,
    quantile_score,
    weighted_interval_score,
    weighted_interval_score_draws,
)

counts = arrays(np.int64, st.integers(1, 40), elements=st.integers(0, 30))


def test_quantiles_of_counts_are_counts_and_infinity_is_the_largest():
    draws = np.array([0.0, np.inf, 2.0, 1.0])
    assert quantile_draws(draws, [0, 0.25, 0.26, 0.5, 0.75, 0.76, 1]).tolist() == [
        0, 0, 1, 1, 2, np.inf, np.inf,
    ]  # fmt: skip
    assert quantile_draws(np.full(3, np.inf), 0.5) == np.inf


@given(counts, st.floats(0, 1))
def test_quantiles_are_those_of_numpy(draws, q):
    assert quantile_draws(draws, q) == np.quantile(draws, q, method="inverted_cdf")


@pytest.mark.parametrize("q", [-0.1, 1.1, np.nan])
def test_a_quantile_level_outside_zero_and_one_is_refused(q):
    with pytest.raises(ValueError, match=r"in \[0, 1\]"):
        quantile_draws([1, 2], q)


def test_implied_coverage_is_at_least_the_level(rng):
    draws = rng.poisson(1.0, (500, 30))
    low, high = quantile_draws(draws, [0.1, 0.9])
    implied = implied_coverage(draws, low, high)
    assert (implied >= 0.8).all()
    assert implied.mean() > 0.85


def test_an_interval_score_bears_infinite_ends():
    inf, nan = np.inf, np.nan
    assert interval_score(inf, inf, 3, 0.9) == inf
    assert interval_score([2, 2, inf, 1], [inf, inf, inf, 3], [3, inf, inf, inf], 0.5).tolist() == [
        inf, inf, 0, inf,
    ]  # fmt: skip
    assert np.isnan(interval_score([inf, 1, nan], [inf, 2, 2], [nan, nan, 1], 0.9)).all()
    assert interval_score(np.full((2, 1), 1.0), 3.0, [0.0, 2.0], 0.5).tolist() == [[6, 2], [6, 2]]


def test_coverage_is_of_the_closed_interval():
    assert coverage([1, 1, 1], [2, 2, 2], [1, 2, 3]).tolist() == [1, 1, 0]


@pytest.mark.parametrize("level", [0.0, 1.0, 90])
def test_a_level_outside_zero_and_one_is_refused(level):
    with pytest.raises(ValueError, match="level"):
        interval_score(0, 1, 1, level)
    with pytest.raises(ValueError, match="level"):
        pit_share(0, 1, level)


FOLDER = Path(__file__).parents[3] / "shared/references/data"
PRINTED = json.loads((Path(__file__).parents[1] / "references/scores.json").read_text("utf-8"))[
    "scoringutils"
]


def test_the_weighted_interval_score_is_its_definition(rng):
    levels = np.array([0.05, 0.25, 0.5, 0.75, 0.95])
    quantiles = np.sort(rng.gamma(2.0, 5.0, (5, 40)), axis=0)
    observed = rng.gamma(2.0, 5.0, 40)
    found = weighted_interval_score(quantiles, levels, observed)
    expected = np.abs(observed - quantiles[2]) / 2
    for k, alpha in ((0, 0.1), (1, 0.5)):
        score = interval_score(quantiles[k], quantiles[-1 - k], observed, 1 - alpha)
        expected = expected + alpha / 2 * score
    np.testing.assert_allclose(found.score, expected / 2.5)
    np.testing.assert_allclose(found.score, sum(found[1:]))
    # Bracher et al. (2021), equation 7: the mean of the quantile scores.
    np.testing.assert_allclose(
        found.score, quantile_score(quantiles, levels, observed).mean(axis=0)
    )


def test_the_weighted_interval_score_of_many_levels_is_the_crps(rng):
    draws, observed = rng.poisson(20, (2001, 5)), rng.poisson(20, 5)
    levels = (np.arange(999) + 0.5) / 999
    found = weighted_interval_score_draws(draws, observed, levels).score
    np.testing.assert_allclose(found, crps_draws(draws, observed), rtol=0.01)


def test_weighted_interval_scores_of_endless_and_unobserved_cells():
    quantiles = np.array([[1.0, 1.0, np.inf], [2.0, 2.0, np.inf], [3.0, np.inf, np.inf]])
    found = weighted_interval_score(quantiles, [0.25, 0.5, 0.75], [np.nan, 2.0, 2.0])
    assert np.isnan(found.score[0])
    assert np.isnan(found.dispersion[0])
    assert found.score[1:].tolist() == [np.inf, np.inf]
    assert found.dispersion[1:].tolist() == [np.inf, 0.0]


@pytest.mark.parametrize("levels", [[0.1, 0.5, 0.8], [0.25, 0.75], [0.75, 0.5, 0.25], [0, 0.5, 1]])
def test_levels_that_are_not_symmetric_are_refused(levels):
    with pytest.raises(ValueError, match="symmetric"):
        weighted_interval_score(np.zeros(len(levels)), levels, 0.0)


def test_the_absolute_error_is_that_of_the_median(rng):
    draws = rng.poisson(4, (101, 5))
    expected = np.abs(np.median(draws, axis=0) - 3)
    assert absolute_error(draws, np.full(5, 3)).tolist() == expected.tolist()


def test_the_bias_lies_between_its_ends():
    levels, quantiles = [0.25, 0.5, 0.75], np.array([2.0, 3.0, 5.0])
    observed = [1.0, 2.5, 3.0, 4.0, 6.0]
    found = bias_quantiles(np.repeat(quantiles[:, None], 5, axis=1), levels, observed)
    assert found.tolist() == [1.0, 0.5, 0.0, -0.5, -1.0]
    assert np.isnan(bias_quantiles(quantiles, levels, np.nan))


@pytest.mark.parametrize(
    ("target", "model"), [(t, m) for t in ("Cases", "Deaths") for m in PRINTED[t]]
)
def test_scoringutils_prints_the_same(target, model):
    """The seven rows of the README of scoringutils, on its example of quantiles."""
    path = FOLDER / "scoringutils_example_quantile.csv"
    if not path.exists():
        pytest.skip("no folder of reference data beside the repository")
    case = ["location", "target_end_date", "forecast_date", "horizon", "observed"]
    table = pl.read_csv(path, null_values="NA", infer_schema_length=None)
    own = table.filter(pl.col("target_type") == target, pl.col("model") == model)
    wide = own.pivot(on="quantile_level", index=case, values="predicted")
    levels = sorted(float(name) for name in wide.columns if name not in case)
    quantiles = np.array([wide[str(level)].to_numpy() for level in levels], dtype=float)
    observed = wide["observed"].to_numpy().astype(float)
    at = {level: row for level, row in zip(levels, quantiles, strict=True)}
    score = weighted_interval_score(quantiles, levels, observed)
    found = [
        score.score, score.overprediction, score.underprediction, score.dispersion,
        bias_quantiles(quantiles, levels, observed),
        coverage(at[0.25], at[0.75], observed), coverage(at[0.05], at[0.95], observed),
        np.abs(at[0.5] - observed),
    ]  # fmt: skip
    printed = [float(f"{values.mean():.3g}") for values in found]
    expected = list(PRINTED[target][model])
    if model == "UMass-MechBayes":
        # 59 of 128 is 0.461; no share of 128 cases rounds to the 0.455 of the copied table.
        assert printed[5] == 0.461
        printed[5] = expected[5]
    assert printed == expected
