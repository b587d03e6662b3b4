"""Drawings of signed influence."""

import numpy as np
import pytest

from escalation.counts import Response, Signs
from escalation.plots import figure, influence, response, style, svg


@pytest.mark.parametrize("streams", [1, 2, 7])
def test_the_influence_matrix_prints_every_allowed_arrow(streams, rng):
    draws = rng.normal(0.0, 0.2, (200, streams, streams))
    draws[:, 0, 0] = -0.5 + rng.normal(0, 0.05, 200)
    arrows = np.ones((streams, streams), bool)
    arrows[0, -1] = streams == 1
    names = tuple(f"stream ${n}" for n in range(streams))
    with style():
        drawn, axes = figure(4.0)
        influence(axes[0, 0], Signs(draws, names, arrows))
        text = svg(drawn)
    assert "P(&lt; 0) 1.00" in text
    assert text.count("P(") == arrows.sum()


@pytest.mark.parametrize("total", [True, False])
def test_a_response_may_lie_below_zero(rng, total):
    told = Response(rng.normal(-0.1, 0.05, (300, 6, 2)), ("a", "b"), "a", "week")
    with style():
        drawn, axes = figure(3.0)
        ax = response(axes[0, 0], told, "b", total=total)
        assert ax.get_ylim()[0] < 0
        assert "weeks after one more in a" in svg(drawn)


def test_a_response_without_bound_says_so(rng):
    further = rng.normal(0.1, 0.05, (100, 3, 1))
    further[:20, 2] = np.inf
    told = Response(further, ("a",), "a", "week")
    with style():
        drawn, axes = figure(3.0)
        response(axes[0, 0], told, "a")
        assert "paths run away" in svg(drawn)
