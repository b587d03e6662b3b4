"""Closed forms against surveillance, sums over the counts, and draws."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from escalation.scores import (
    crps_draws,
    crps_negative_binomial,
    crps_poisson,
    dawid_sebastiani,
    log_score_negative_binomial,
    log_score_pmf,
    log_score_poisson,
    rps_pmf,
)

REFERENCES = json.loads((Path(__file__).parents[1] / "references/scores.json").read_text("utf-8"))
FOLDER = Path(__file__).parents[3] / "shared/references/data"


def test_single_forecasts_score_as_in_surveillance():
    """175 values: Poisson where the size is null."""
    rows = REFERENCES["unit_values"]["rows"]
    y, mu, size, logs, rps, dss, ses = np.array(rows, dtype=np.float64).T
    r = np.where(np.isnan(size), np.inf, size)
    assert len(rows) == 175
    np.testing.assert_allclose(log_score_negative_binomial(mu, r, y), logs, rtol=1e-9)
    np.testing.assert_allclose(crps_negative_binomial(mu, r, y), rps, rtol=1e-9)
    np.testing.assert_allclose(dawid_sebastiani(mu, mu + mu**2 / r, y), dss, rtol=1e-9)
    np.testing.assert_allclose((y - mu) ** 2, ses, rtol=1e-9)
    plain = np.isinf(r)
    np.testing.assert_allclose(log_score_poisson(mu, y)[plain], logs[plain], rtol=1e-9)
    np.testing.assert_allclose(crps_poisson(mu, y)[plain], rps[plain], rtol=1e-9)


@pytest.mark.parametrize("model", ["B", "PL"])
def test_rolling_forecasts_score_as_in_surveillance(model):
    path = FOLDER / f"mWE_rolling_pred_{model}.csv"
    if not path.exists():
        pytest.skip("no folder of reference data beside the repository")
    data, expected = pl.read_csv(path), REFERENCES["rolling"][model]
    y, mu, r = data["obs"].to_numpy(), data["mu"].to_numpy(), np.exp(data["psi"].to_numpy())
    found = {
        "logs": log_score_negative_binomial(mu, r, y),
        "rps": crps_negative_binomial(mu, r, y),
        "dss": dawid_sebastiani(mu, mu + mu**2 / r, y),
        "ses": (y - mu) ** 2,
    }
    for name, values in found.items():
        assert values.mean() == pytest.approx(expected[name], rel=1e-9)


@pytest.mark.parametrize("mean", [0.01, 1.0, 37.0, 3000.0])
@pytest.mark.parametrize("size", [0.7, 1.0, 25.0, 1e4, np.inf])
def test_closed_forms_are_the_sums_over_the_counts(mean, size):
    from scipy.stats import nbinom, poisson

    law = poisson(mean) if np.isinf(size) else nbinom(size, size / (size + mean))
    # The tail falls off as exp(-y / (1 + mean / size)).
    support = np.arange(4 * mean + 10 * law.std() + 40 * (1 + mean / size))
    reached = law.cdf(support)
    for y in (0, 1, int(mean), int(3 * mean + 5)):
        expected = ((reached - (support >= y)) ** 2).sum()
        assert crps_negative_binomial(mean, size, y) == pytest.approx(expected, rel=1e-9)
        logs = -law.logpmf(y)
        assert log_score_negative_binomial(mean, size, y) == pytest.approx(logs, rel=1e-8)


def test_a_tiny_size_is_the_sum_over_the_counts():
    test_closed_forms_are_the_sums_over_the_counts(37.0, 0.1)


def test_a_huge_size_is_nearly_poisson():
    counts = np.array([0, 20, 37, 90])
    for score, plain in (
        (crps_negative_binomial, crps_poisson),
        (log_score_negative_binomial, log_score_poisson),
    ):
        np.testing.assert_allclose(score(37.0, 1e10, counts), plain(37.0, counts), rtol=1e-7)


def test_closed_forms_at_the_edges():
    assert crps_negative_binomial(0.0, 2.0, [0, 3]).tolist() == [0.0, 3.0]
    assert crps_poisson(0.0, [0, 3]).tolist() == [0.0, 3.0]
    assert log_score_poisson(0.0, [0, 3]).tolist() == [0.0, np.inf]
    for score in (crps_poisson, log_score_poisson):
        assert np.isnan(score(1.0, np.nan))
    for score in (crps_negative_binomial, log_score_negative_binomial):
        assert np.isnan(score(1.0, 2.0, np.nan))
        with pytest.raises(ValueError, match="negative"):
            score(-1.0, 2.0, 1)


def test_draws_approach_the_closed_form(rng):
    law = rng.negative_binomial(2.0, 2 / 7, 100_000)
    for y in (0, 5, 30):
        assert crps_draws(law, y) == pytest.approx(
            float(crps_negative_binomial(5.0, 2.0, y)), abs=0.05
        )


def test_scores_of_probabilities():
    pmf = np.array([[0.5, 0.1], [0.25, 0.2], [0.25, 0.7]])
    assert log_score_pmf(pmf, [0, 2]).tolist() == pytest.approx([np.log(2), -np.log(0.7)])
    assert log_score_pmf(pmf, [3, np.nan])[0] == np.inf
    assert np.isnan(log_score_pmf(pmf, [3, np.nan])[1])
    draws = np.array([0, 0, 1, 2])
    assert rps_pmf(pmf[:, 0], 2) == pytest.approx(float(crps_draws(draws, 2)))
    with pytest.raises(ValueError, match="below 3"):
        rps_pmf(pmf, [3, 0])
    with pytest.raises(ValueError, match="counts of shape"):
        log_score_pmf(pmf, 1)


@pytest.mark.parametrize("score", [log_score_pmf, rps_pmf])
def test_scores_of_probabilities_refuse_what_is_no_count(score):
    for wrong in (-1, 0.5):
        with pytest.raises(ValueError, match=f"counts .* not {wrong}"):
            score([[0.2, 0.2], [0.8, 0.8]], [0, wrong])
