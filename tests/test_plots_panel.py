"""Drawings of panels."""

import numpy as np
import pytest

from escalation.counts import UnitEstimates
from escalation.plots import figure, shrinkage, style, svg


def estimates(units, rng, spread):
    draws = np.exp(spread * rng.standard_normal((300, units, 1)))
    names = tuple(f"unit ${n}" for n in range(units))
    return UnitEstimates(draws, ("R",), names, np.arange(units) + 20.0, np.arange(units) * 3)


@pytest.mark.parametrize("units", [1, 8, 60])
def test_every_unit_has_two_intervals(units, rng):
    with style():
        drawn, axes = figure(4.0)
        ax = shrinkage(axes[0, 0], estimates(units, rng, 0.2), estimates(units, rng, 0.5), log=True)
        text = svg(drawn)
    assert sum(len(one.get_segments()) for one in ax.collections) == 2 * units
    assert ("unit $0" in text) == (units <= 40)
    assert "90 % interval" in text


def test_other_units_are_refused(rng):
    with style():
        _, axes = figure(3.0)
        with pytest.raises(ValueError, match="same units"):
            shrinkage(axes[0, 0], estimates(2, rng, 0.1), estimates(3, rng, 0.1))
