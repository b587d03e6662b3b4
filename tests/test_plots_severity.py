"""Drawings of the law of deaths."""

import numpy as np
import pytest

from escalation.engines import Laplace
from escalation.plots import deaths_quantiles, exceedance, figure, style, svg
from escalation.severity import DeathRecords, Severity


@pytest.mark.parametrize("deaths", [[0, 0, 0], [1, 2, 9, 40, 300], [5]])
@pytest.mark.parametrize("plot", [exceedance, deaths_quantiles])
def test_a_law_is_drawn_on_log_axes(plot, deaths):
    fit = Severity().fit(DeathRecords.from_deaths(deaths, high=np.array(deaths) * 2), Laplace())
    with style():
        drawn, axes = figure(3.0)
        ax = plot(axes[0, 0], fit)
        text = svg(drawn)
    if len(deaths) > 1 and max(deaths):
        assert ax.get_xscale() == ax.get_yscale() == "log"
    else:
        assert "deaths" in text
    assert "mathdefault" not in text


def test_an_infinite_mean_is_written_on_the_drawing():
    rng = np.random.default_rng(0)
    deaths = np.ceil(rng.pareto(0.5, 400))
    fit = Severity(threshold=5).fit(DeathRecords.from_deaths(deaths), Laplace())
    with style():
        drawn, axes = figure(3.0)
        exceedance(axes[0, 0], fit)
        assert "infinite mean: probability 1.00" in svg(drawn)


def test_panels_share_their_reach_and_may_leave_the_remark_out():
    deaths = np.ceil(np.random.default_rng(0).pareto(0.5, 400))
    fit = Severity(threshold=5).fit(DeathRecords.from_deaths(deaths), Laplace())
    with style():
        drawn, axes = figure(3.0)
        ax = exceedance(axes[0, 0], fit, reach=50.0, remark=False)
        assert ax.get_xlim()[1] == 50.0
        assert "infinite mean" not in svg(drawn)
