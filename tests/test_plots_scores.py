"""Drawings of scores and ensembles: what they show, and that text stays text."""

from datetime import date

import numpy as np
import polars as pl
import pytest

from escalation import plots
from escalation.plots.style import figure, style, svg
from escalation.scores import PairwiseSkill, pairwise_skill, weighted_interval_score_draws

ODD = ["#strong[x] $y$", "plain & <b>", "_c_"]


@pytest.fixture
def ax():
    with style():
        yield figure(2.0)[1][0, 0]


def test_relative_skill_stands_in_order_with_its_intervals(ax, rng):
    scores = rng.gamma(4.0, 0.25, (3, 40)) * np.array([[1.0], [2.0], [0.5]])
    found = pairwise_skill(scores, rng=rng)
    assert plots.relative_skill(ax, found, ODD) is ax
    assert [tick.get_text() for tick in ax.get_yticklabels()] == [ODD[2], ODD[0], ODD[1]]
    dots = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "o"]
    assert dots == sorted(found.scaled)
    # The baseline has no interval.
    assert len(ax.collections) == 2
    assert "plain &amp; &lt;b&gt;" in svg(ax.figure)


def test_a_forecaster_without_comparison_is_said_so(ax):
    values = np.array([1.0, np.nan])
    found = PairwiseSkill(np.ones((2, 2)), values, values, values, values)
    plots.relative_skill(ax, found, ["a", "b"])
    assert "no comparison" in [text.get_text().strip() for text in ax.texts]


def test_bars_of_the_parts_end_at_the_score(ax, rng):
    observed = rng.poisson(5.0, 50).astype(float)
    observed[0] = np.nan
    scores = {
        name: weighted_interval_score_draws(rng.poisson(mean, (200, 50)), observed)
        for name, mean in zip(ODD, (5.0, 9.0, 2.0), strict=True)
    }
    assert plots.wis_parts(ax, scores) is ax
    bars = ax.patches
    assert len(bars) == 9
    for place, score in enumerate(scores.values()):
        end = max(bar.get_x() + bar.get_width() for bar in bars[place::3])
        assert end == pytest.approx(np.nanmean(score.score))
    assert [text.get_text() for text in ax.get_legend().get_texts()] == [
        "overprediction", "dispersion", "underprediction",
    ]  # fmt: skip


def test_bars_may_be_relative_to_a_reference(ax, rng):
    score = weighted_interval_score_draws(rng.poisson(5.0, (200, 50)), rng.poisson(5.0, 50))
    plots.wis_parts(ax, {"a": score}, reference=float(score.score.mean()))
    assert sum(bar.get_width() for bar in ax.patches) == pytest.approx(1.0)


def test_weights_are_stacked_to_one(ax):
    table = pl.DataFrame(
        {
            "origin": [date(2020, 1, 6), date(2020, 2, 3), date(2020, 3, 2)],
            "a $x$": [0.5, 0.2, 0.0],
            "b": [0.5, 0.8, 1.0],
        }
    )
    assert plots.ensemble_weights(ax, table) is ax
    assert ax.get_ylim() == (0, 1)
    tops = [area.get_paths()[0].vertices[:, 1].max() for area in ax.collections]
    assert tops == [0.5, 1.0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a $x$", "b"]
    assert "a $x$" in svg(ax.figure)
