import numpy as np
import pytest

from escalation.kernels import Histogram


def test_heights_and_parameters_go_both_ways():
    kernel = Histogram((0.0, 1.0, 2.0, 5.0, 9.0))
    heights = np.array([0.4, 0.3, 0.05, 0.0375])
    np.testing.assert_allclose(heights @ np.diff(kernel.edges), 1.0)
    np.testing.assert_allclose(kernel.heights(kernel.parameters_of(heights)), heights)


def test_no_bend_is_a_power_law_on_doubling_edges():
    kernel = Histogram((0.0, 1.0, 2.0, 4.0, 8.0, 16.0))
    theta = np.array([-1.5 * np.log(2), 0.0, 0.0, 0.0])
    heights = kernel.heights(theta)
    np.testing.assert_allclose(heights[2:] / heights[1:-1], 2**-1.5)


def test_two_bins_have_a_slope_alone():
    kernel = Histogram((0.0, 1.0, 3.0))
    assert [p.name for p in kernel.parameters("day")] == ["slope"]
    np.testing.assert_allclose(kernel.heights(np.zeros(1)), 1 / 3)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"edges": (0.0, 1.0)}, "two bins or more"),
        ({"edges": (0.5, 1.0, 2.0)}, "rise from 0"),
        ({"edges": (0.0, 2.0, 1.0)}, "rise from 0"),
        ({"edges": (0.0, 2.0, np.inf)}, "rise from 0"),
        ({"roughness": 0.0}, "roughness must be positive"),
    ],
)
def test_settings_out_of_range_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Histogram(**arguments)
