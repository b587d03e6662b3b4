import numpy as np
import pytest

from escalation.likelihood.exponential import (
    fade,
    log_one_plus,
    logarithm,
    negative_exp,
    sum_of_logs,
)


def exact(x):
    """Exponentials, rounded once from extended precision."""
    return np.exp(x.astype(np.longdouble)).astype(float)


@pytest.mark.parametrize("lowest", [1e-12, 1.0, 40.0, 708.0])
def test_exponentials_are_right_to_the_last_bits(rng, lowest):
    x = -lowest * rng.random(200_000)
    out = np.empty_like(x)
    negative_exp(x, out, x.size)
    np.testing.assert_allclose(out, exact(x), rtol=5e-16)


def test_the_ends_of_the_range_are_exact():
    x = np.array([0.0, -0.0, -708.5, -745.0, -1e5, -1e18, -1e300, -np.inf])
    out = np.empty_like(x)
    negative_exp(x, out, x.size)
    np.testing.assert_array_equal(out, [1, 1, 0, 0, 0, 0, 0, 0])
    np.testing.assert_allclose(out, np.exp(x), atol=1e-307)
    assert np.isnan(fade(np.nan))


def test_in_place_and_one_by_one_give_the_same_bits(rng):
    x = -rng.exponential(5.0, 1001)
    out = np.empty_like(x)
    negative_exp(x, out, 999)
    np.testing.assert_array_equal(out[:999], [fade(one) for one in x[:999]])
    negative_exp(x, x, 999)
    np.testing.assert_array_equal(x[:999], out[:999])


def test_logarithms_are_right_to_the_last_bits(rng):
    near_one = 1 + rng.uniform(-1, 1, 20_000) * 10.0 ** -rng.uniform(0.1, 15, 20_000)
    x = np.concatenate([np.exp(rng.uniform(-700, 700, 20_000)), near_one, rng.random(20_000)])
    got = np.array([logarithm(one) for one in x])
    np.testing.assert_allclose(got, np.log(x.astype(np.longdouble)).astype(float), rtol=5e-16)
    assert logarithm(1.0) == 0.0


def test_logarithms_of_one_plus_a_number_are_right_to_the_last_bits(rng):
    small = 10.0 ** rng.uniform(-300, 0, 20_000)
    x = np.concatenate([small, -0.999 * rng.random(20_000), np.exp(rng.uniform(-3, 700, 20_000))])
    got = np.array([log_one_plus(one) for one in x])
    np.testing.assert_allclose(got, np.log1p(x.astype(np.longdouble)).astype(float), rtol=5e-16)
    assert log_one_plus(0.0) == 0.0


@pytest.mark.parametrize("size", [0, 1, 2, 7, 8, 9, 255, 512, 1000])
def test_the_sum_of_logs_survives_any_range(rng, size):
    x = np.exp(rng.uniform(-700, 700, size))
    got = sum_of_logs(x, np.empty(size), size)
    np.testing.assert_allclose(got, np.log(x).sum(), rtol=1e-13, atol=1e-10)
