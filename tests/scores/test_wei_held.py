"""Calibration tests against surveillance, sums over the counts, and their size and power."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from escalation.scores import (
    calibration_test,
    calibration_test_draws,
    crps_draws,
    wei_held,
)
from escalation.scores.wei_held import SCORES

REFERENCES = json.loads((Path(__file__).parents[1] / "references/scores.json").read_text("utf-8"))
FOLDER = Path(__file__).parents[3] / "shared/references/data"


def _read(name):
    path = FOLDER / name
    if not path.exists():
        pytest.skip("no folder of reference data beside the repository")
    return pl.read_csv(path)


# surveillance sums to a tolerance of 1e-4, which shows in the third digit of z for logs and rps;
# the moments of the DSS are exact in both.
@pytest.mark.parametrize("score", SCORES)
def test_the_toy_of_surveillance(score):
    data, expected = _read("calibtest_toy.csv"), REFERENCES["calibration_toy"]
    found = calibration_test(data["y"], data["mu"], expected["size"], score=score, method="mean")
    assert found.statistic == pytest.approx(expected[score], abs=6e-5 if score == "dss" else 1e-3)


@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("model", ["B", "PL"])
def test_rolling_forecasts_of_surveillance(model, score):
    data, expected = _read(f"mWE_rolling_pred_{model}.csv"), REFERENCES["rolling"][model]["z"]
    size = np.exp(data["psi"].to_numpy())
    found = calibration_test(data["obs"], data["mu"], size, score=score)
    assert found.statistic == pytest.approx(expected[score], abs=1e-9 if score == "dss" else 2e-3)


def test_moments_are_the_sums_over_the_counts():
    from scipy.stats import nbinom

    mean, size, y = np.array([0.3, 4.0, 60.0]), np.array([0.5, 2.0, 8.0]), np.array([1, 2, 90])
    support = np.arange(2000)
    z = {"logs": 0.0, "rps": 0.0}
    for m, r, came in zip(mean, size, y, strict=True):
        p = nbinom.pmf(support, r, r / (r + m))
        reached = p.cumsum()
        each = {
            "logs": -nbinom.logpmf(support, r, r / (r + m)),
            "rps": np.array([((reached - (support >= k)) ** 2).sum() for k in support]),
        }
        for name, values in each.items():
            expected = p @ values
            z[name] += (values[came] - expected) / np.sqrt(p @ (values - expected) ** 2)
    for name, total in z.items():
        found = calibration_test(y, mean, size, score=name).statistic
        assert found == pytest.approx(total / np.sqrt(3), rel=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize("score", SCORES)
def test_size_and_power(score, rng):
    """Sets of 100 cells at 5 %: four standard errors, and the skewness of the DSS, allowed."""
    mean, alarms = rng.gamma(2.0, 1.5, 100), np.zeros(2)
    sets = 200 if score == "dss" else 40
    for _ in range(sets):
        y = rng.negative_binomial(2.0, 2 / (2 + mean))
        for place, size in enumerate((2.0, 20.0)):
            alarms[place] += calibration_test(y, mean, size, score=score).p_value < 0.05
    assert alarms[0] / sets < (0.12 if score == "dss" else 0.19)
    # Forecasts that are too narrow; those too wide are found with much less power.
    assert alarms[1] / sets > 0.7


@pytest.mark.parametrize("score", SCORES)
def test_draws_from_the_law_give_the_test_of_the_law(score, rng):
    mean, size = rng.gamma(4.0, 1.5, 60), 3.0
    y = rng.negative_binomial(size, size / (size + mean))
    draws = rng.negative_binomial(size, size / (size + mean), (4000, 60))
    for method in ("cells", "mean"):
        law = calibration_test(y, mean, size, score=score, method=method)
        made = calibration_test_draws(draws, y, score=score, method=method)
        assert made.statistic == pytest.approx(law.statistic, abs=0.15)
        assert made.cells == law.cells == 60


@pytest.mark.parametrize("score", SCORES)
def test_each_draw_is_scored_by_the_others(score, rng):
    draws = np.sort(rng.poisson(6.0, 50)).astype(float)
    name = {"dss": "_dss_by_others", "logs": "_logs_by_others", "rps": "_rps_by_others"}[score]
    found = getattr(wei_held, name)(draws[None])[0]
    for i in (0, 20, 49):
        others = np.delete(draws, i)
        if score == "rps":
            expected = crps_draws(others, draws[i])
        elif score == "dss":
            expected = wei_held.dawid_sebastiani_draws(others, draws[i])
        else:
            # Reach and scale are those of all draws.
            expected = wei_held.log_score_draws(others, draws[i])
        assert found[i] == pytest.approx(float(expected), rel=1e-9)


def test_cells_that_cannot_be_judged_are_left_out(rng):
    draws = rng.poisson(3.0, (50, 4)).astype(float)
    draws[:, 1] = 2.0
    found = calibration_test_draws(draws, [1.0, 2.0, np.nan, 3.0])
    assert found.cells == 2
    with pytest.raises(ValueError, match="can vary"):
        calibration_test_draws(draws[:, 1], 2.0)
    with pytest.raises(ValueError, match="finite"):
        calibration_test_draws([1.0, 2.0, np.inf], 2.0)
    with pytest.raises(ValueError, match="score must be one of"):
        calibration_test([1], [1.0], score="crps")
