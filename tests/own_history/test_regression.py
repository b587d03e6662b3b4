"""Penalised regressions against statsmodels and plain algebra."""

import numpy as np
import pytest
import statsmodels.api as sm

from escalation.own_history.regression import least_squares, logistic, weighted_quantiles


@pytest.fixture
def design(rng: np.random.Generator) -> np.ndarray:
    return np.column_stack([np.ones(400), rng.standard_normal((400, 3))])


def test_logistic_is_that_of_statsmodels(design: np.ndarray, rng: np.random.Generator) -> None:
    y = (rng.random(400) < 1 / (1 + np.exp(-design @ [-0.5, 1.0, -1.0, 0.2]))).astype(float)
    weight = rng.integers(1, 4, 400).astype(float)
    found = logistic(design, y, weight, np.full(4, 1e-12), np.full(4, 3.0))
    expected = sm.GLM(y, design, sm.families.Binomial(), freq_weights=weight).fit().params
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_least_squares_is_that_of_statsmodels(design: np.ndarray, rng: np.random.Generator) -> None:
    y, weight = rng.standard_normal(400), rng.random(400) + 0.1
    found = least_squares(design, y, weight, np.full(4, 1e-12), np.zeros(4))
    np.testing.assert_allclose(found, sm.WLS(y, design, weight).fit().params, atol=1e-9)


def test_without_data_the_prior_guess_stays() -> None:
    prior, empty = np.array([1.0, -2.0]), np.zeros((0, 2))
    for regress in (logistic, least_squares):
        found = regress(empty, np.zeros(0), np.zeros(0), np.ones(2), prior)
        np.testing.assert_allclose(found, prior)


def test_separated_data_have_finite_coefficients() -> None:
    x = np.column_stack([np.ones(50), np.arange(50.0) - 24.5])
    found = logistic(x, (x[:, 1] > 0) * 1.0, np.ones(50), np.array([1e-3, 1.0]), np.zeros(2))
    assert np.isfinite(found).all() and found[1] > 0


def test_weighted_quantiles_of_equal_weights(rng: np.random.Generator) -> None:
    values, levels = rng.standard_normal(99), np.array([0.05, 0.5, 0.95])
    expected = np.quantile(values, levels, method="hazen")
    np.testing.assert_allclose(weighted_quantiles(values, np.ones(99), levels), expected)
