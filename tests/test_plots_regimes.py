"""Drawings of phases."""

from datetime import date

import numpy as np
import pytest

from escalation.counts import Phases
from escalation.plots import figure, phase_counts, phases, style, svg
from escalation.series import CountSeries


@pytest.fixture
def told(rng):
    """Three phases of forty weeks, the first of which is conditioned on."""
    path = np.repeat([-1, 0, 2, 1], [1, 15, 14, 10])
    smoothed = np.repeat(np.eye(3)[path][None], 5, axis=0)
    rates = np.exp(rng.normal([[0.0], [1.0], [2.0]], 0.1, (5, 3, 2)))
    counts = rng.poisson(2.0, (40, 2))
    counts[8] = 0
    series = CountSeries.from_counts(
        counts, date(2020, 1, 6), "week", ["strikes", "attacks"],
        gaps=((date(2020, 3, 2), date(2020, 3, 9)),),
    )  # fmt: skip
    chain = np.repeat(np.full((3, 3), 1 / 3)[None], 5, axis=0)
    names = ("quiet", "tense", "very $high$")
    return Phases(names, series, smoothed, smoothed, chain, rates, path)


@pytest.mark.parametrize("filtered", [False, True])
def test_the_probabilities_fill_the_axes(told, filtered):
    with style():
        drawn, axes = figure(3.0)
        ax = phases(axes[0, 0], told, filtered=filtered)
        assert ax.get_ylim() == (0, 1)
        text = svg(drawn)
    assert "very $high$" in text and "quiet" in text


def test_the_counts_lie_over_the_path(told):
    with style():
        drawn, axes = figure(3.0)
        ax = phase_counts(axes[0, 0], told, 1, named=True)
        assert ax.get_ylim()[1] >= told.series.counts[:, 1].max()
        text = svg(drawn)
    assert text.count("tense") == 1 and "very $high$" in text
