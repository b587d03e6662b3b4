import numpy as np
import pytest

from escalation.kernels import Exponential, Mixture


def test_learned_rates_are_in_order_and_zeros_mean_equal_weights():
    kernel = Mixture(terms=3)
    theta = np.array([[5.0, 1.0, 2.0, 0.0, 0.0], [0.3, 0.1, 4.0, 3.0, -2.0]])
    weights, rates = kernel.mixture(theta)
    np.testing.assert_allclose(weights.sum(axis=1), 1)
    np.testing.assert_allclose(weights[0], 1 / 3)
    np.testing.assert_allclose(rates[0], 5 * np.exp([0, -1, -3]))
    assert (np.diff(rates, axis=1) < 0).all()


def test_one_given_scale_is_the_exponential_without_a_parameter():
    kernel = Mixture(scales=(2.0,))
    theta = np.zeros(0)
    assert kernel.parameters("day") == ()
    age = np.array([0.1, 1.0, 5.0])
    np.testing.assert_allclose(
        kernel.density(age, theta), Exponential().density(age, np.array([0.5]))
    )
    values, jacobian = kernel.as_exponentials()(theta, kernel.nodes())
    np.testing.assert_allclose(values, [1.0, 0.5])
    assert jacobian.shape == (2, 0)
    np.testing.assert_allclose(kernel.pmf(theta, 5), Exponential().pmf(np.array([0.5]), 5))


def test_quantiles_reach_far_into_the_slow_term():
    kernel = Mixture(scales=(0.01, 100.0))
    theta = np.array([[6.0], [-6.0]])
    shares = np.array([1e-9, 0.5, 0.999, 1 - 1e-9])
    delays = kernel.quantile(shares, theta[:, None, :])
    left = 1 - kernel.cdf(delays, theta[:, None, :])
    np.testing.assert_allclose(left, np.broadcast_to(1 - shares, (2, 4)), rtol=1e-6)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"terms": 1}, "2 terms or more, got 1"),
        ({"scales": (2.0, 1.0)}, "positive mean delays, rising"),
        ({"scales": ()}, "positive mean delays, rising"),
        ({"scales": (-1.0, 1.0)}, "positive mean delays, rising"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Mixture(**arguments)
