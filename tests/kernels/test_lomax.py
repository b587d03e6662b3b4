import math

import numpy as np
import pytest

from escalation.kernels import Lomax

EXPONENTS = (0.02, 0.1, 0.3, 0.7, 1.0, 1.3, 2.0, 2.5, 3.0)


def largest_error(kernel, exponents, scales):
    """Largest relative error of the mixture's density over all ages up to the truncation."""
    shape, nodes = kernel.as_exponentials(), kernel.nodes()
    worst = 0.0
    for exponent in exponents:
        for scale in scales:
            theta = np.array([exponent, scale])
            weights, rates = np.split(shape(theta, nodes)[0], 2)
            assert (weights >= 0).all()
            age = np.concatenate([[1e-9], np.geomspace(scale / 100, kernel.reach, 400)])
            mixture = np.exp(-np.outer(age, rates)) @ (weights * rates)
            worst = max(worst, np.abs(mixture / kernel.density(age, theta) - 1).max())
    return worst


@pytest.mark.parametrize(("tolerance", "terms"), [(1e-2, 19), (1e-3, 25), (1e-4, 31), (1e-5, 38)])
@pytest.mark.parametrize("reach", [30.0, 1000.0, 4018.0])
def test_the_error_of_the_mixture_is_within_its_bound(tolerance, terms, reach):
    kernel = Lomax(truncation=reach, tolerance=tolerance)
    scales = kernel.smallest_scale * np.geomspace(1, reach / kernel.smallest_scale, 15)
    assert largest_error(kernel, EXPONENTS, scales) < tolerance
    assert kernel.terms <= terms + 3 * math.log(max(reach, 1000) / 1000)


def test_smaller_scales_take_more_terms_and_keep_the_bound():
    kernel = Lomax(truncation=1000.0, smallest_scale=1e-4)
    assert kernel.terms > Lomax(truncation=1000.0).terms
    assert largest_error(kernel, EXPONENTS, [1e-4, 1e-3]) < 1e-3


def test_larger_exponents_take_more_terms_and_keep_the_bound():
    kernel = Lomax(truncation=1000.0, largest_exponent=5.0)
    assert kernel.terms > Lomax(truncation=1000.0).terms
    assert largest_error(kernel, [0.1, 1.0, 4.0, 5.0], [0.01, 0.1, 1.0, 1000.0]) < 1e-3
    assert kernel.bounds(1000.0)["exponent"] == (0.0, 5.0)


def test_the_exponent_passes_through_one_smoothly():
    kernel = Lomax(truncation=50.0)
    ages = np.array([0.0, 0.3, 4.0, 20.0])
    plan = kernel.pointwise(ages, ages)

    def values(exponent):
        theta = np.array([exponent, 0.7])
        found, slopes = kernel.pair_densities()(theta, plan.constants)
        given = kernel.cdf(ages, theta), kernel.quantile(np.array([0.2, 0.9]), theta)
        return np.concatenate([found, slopes[:, 0], *given])

    at = values(1.0)
    for step in (1e-12, 1e-9, 1e-7):
        np.testing.assert_allclose(values(1 + step), at, atol=20 * step + 1e-13)
        np.testing.assert_allclose(values(1 - step), at, atol=20 * step + 1e-13)


def test_the_whole_range_of_the_optimiser_gives_numbers(rng):
    kernel = Lomax(truncation=1000.0)
    plan = kernel.pointwise(np.array([0.0, 1e-6, 1.0, 900.0]), np.array([0.0, 0.5, 900.0]))
    for theta in np.exp(np.concatenate([[[-9, -9], [7, 7], [-9, 7], [7, -9]],
                                        rng.uniform(-9, 7, (40, 2))])):  # fmt: skip
        for shape, constants in (
            (kernel.as_exponentials(), kernel.nodes()),
            (kernel.lag_weights(), kernel.lag_constants(8)),
            (kernel.pair_densities(), plan.constants),
        ):
            values, jacobian = shape(theta, constants)
            assert np.isfinite(values).all()
            assert np.isfinite(jacobian).all()


def test_the_window_gives_the_truncation_unless_it_is_given():
    assert Lomax().within(90.0).reach == 90.0
    assert Lomax(truncation=30.0).within(90.0).reach == 30.0
    assert Lomax().within(90.0).covers(90.0)
    assert not Lomax(truncation=30.0).covers(90.0)
    assert not Lomax(exact=True).within(90.0).covers(90.0)
    with pytest.raises(ValueError, match=r"give Lomax\(truncation=...\)"):
        Lomax().density(np.array(1.0), np.array([1.0, 1.0]))
    assert Lomax().pmf(np.array([1.0, 1.0]), 4).shape == (4,)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"truncation": 0.0}, "truncation must be a positive age, got 0.0"),
        ({"tolerance": 1e-7}, "tolerance must lie between"),
        ({"largest_exponent": 9.0}, "largest_exponent must lie between 2 and 5"),
        ({"smallest_scale": 0.0}, "smallest_scale must be positive"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Lomax(**arguments)
