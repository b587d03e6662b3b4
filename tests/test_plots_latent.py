"""Drawings of latent log-rates."""

from datetime import date

import numpy as np
import pytest

from escalation.counts import LatentPath
from escalation.plots import figure, latent_path, style, svg
from escalation.series import CountSeries


@pytest.mark.parametrize("of", ["rate", "factor"])
def test_a_path_is_drawn_with_its_bands(of, rng):
    series = CountSeries.from_counts(rng.poisson(3.0, (60, 2)), date(2020, 1, 6), "week")
    logs = np.cumsum(rng.normal(0.0, 0.1, (80, 60, 2)), axis=1)
    told = LatentPath(logs, logs + 1.0, series.edges, series.names, "week")
    with style():
        drawn, axes = figure(3.0)
        ax = latent_path(axes[0, 0], told, 1, series if of == "rate" else None, of=of)
        assert ax.get_ylabel() == ("a week" if of == "rate" else "factor")
        low, high = ax.get_ylim()
        assert low < np.median(np.exp(logs[:, -1, 1] + (of == "rate"))) < high
        assert "<svg" in svg(drawn)
