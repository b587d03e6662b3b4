"""Drawings of the track record: skill, parts of a score, PIT histograms, calibration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.axes import Axes

from escalation.plots.style import GREY, HAIR, INK, STREAM_COLOURS, TOTAL_COLOUR, say, tint, wrapped

if TYPE_CHECKING:
    from escalation.backtest import Backtest
    from escalation.scores import PairwiseSkill, WeightedIntervalScore

BINS = 10


def skill(
    ax: Axes,
    table: pl.DataFrame,
    *,
    labels: Sequence[str],
    hues: Sequence[str] = (),
) -> Axes:
    """Relative skill with its interval, a row a comparison; right of zero the model is better.

    Parameters
    ----------
    table : polars.DataFrame
        Rows of `Backtest.skill`: ``relative_crps`` and its interval; the skill is one minus it.
    labels : sequence of str
        What each row is called.
    hues : sequence of str, optional
        Colour of each row.
    """
    ends = ("relative_crps", "relative_crps_upper", "relative_crps_lower")
    gains = 1 - table.select(pl.col(ends).cast(pl.Float64)).to_numpy()
    ax.axvline(0, color=INK, linewidth=0.8)
    reach = 0.1
    for place, row in enumerate(gains):
        hue = hues[place] if hues else TOTAL_COLOUR
        if np.isnan(row[0]):
            ax.text(0, place, " no comparison", va="center", color=GREY, style="italic")
            continue
        ax.hlines(place, row[1], row[2], color=hue, linewidth=1.0)
        ax.plot(row[:1], [place], "o", color=hue, markersize=4.5, markeredgewidth=0)
        reach = max(reach, float(np.nanmax(np.abs(row))))
    _rows(ax, labels)
    ax.set_xlim(-min(reach, 1.0) * 1.08, min(reach, 1.0) * 1.08)
    ax.xaxis.set_major_formatter(lambda value, _: f"{value * 100:.0f} %".replace("-", "−"))
    ax.locator_params(axis="x", nbins=6)
    ax.grid(axis="x", color=HAIR, linewidth=0.4)
    ax.set_axisbelow(True)
    return ax


def relative_skill(ax: Axes, found: PairwiseSkill, labels: Sequence[str]) -> Axes:
    """Pairwise relative skill with intervals, the best forecaster on top; left of 1 is better.

    Parameters
    ----------
    found : PairwiseSkill
        From `scores.pairwise_skill`.
    labels : sequence of str
        The forecasters, in its order.
    """
    order = np.argsort(found.scaled)
    ax.axvline(1, color=INK, linewidth=0.8)
    for place, k in enumerate(order):
        if np.isnan(found.scaled[k]):
            ax.text(1, place, " no comparison", va="center", color=GREY, style="italic")
            continue
        if found.lower[k] < found.upper[k]:
            ax.hlines(place, found.lower[k], found.upper[k], color=TOTAL_COLOUR, linewidth=1.0)
        ax.plot(found.scaled[[k]], [place], "o", color=TOTAL_COLOUR, markersize=4.5, mew=0)
    _rows(ax, [labels[k] for k in order])
    ax.locator_params(axis="x", nbins=6)
    ax.grid(axis="x", color=HAIR, linewidth=0.4)
    ax.set_axisbelow(True)
    return ax


def wis_parts(
    ax: Axes, scores: Mapping[str, WeightedIntervalScore], *, reference: float | None = None
) -> Axes:
    """Mean weighted interval score of forecasters as stacked bars of its three parts.

    Parameters
    ----------
    scores : mapping of str to WeightedIntervalScore
        By forecaster, from `scores.weighted_interval_score`; cells with NaN are left out.
    reference : float, optional
        Mean scores are divided by this, that of a baseline, say.
    """
    parts = {
        "overprediction": STREAM_COLOURS[1],
        "dispersion": tint(TOTAL_COLOUR, 0.45),
        "underprediction": STREAM_COLOURS[0],
    }
    left = np.zeros(len(scores))
    for part, hue in parts.items():
        width = np.array([np.nanmean(getattr(score, part)) for score in scores.values()])
        width = width / (reference or 1.0)
        ax.barh(range(len(scores)), width, left=left, height=0.7, color=hue, label=part)
        left += width
    _rows(ax, list(scores))
    ax.set_xlim(0, float(np.max(left, initial=0.0)) * 1.05 or 1.0)
    ax.legend(
        frameon=False, ncols=3, loc="lower right", bbox_to_anchor=(1, 1), borderaxespad=0.2,
        handlelength=0.8, handletextpad=0.4, columnspacing=1.0,
    )  # fmt: skip
    return ax


def pit(ax: Axes, backtest: Backtest, model: str, stream: str, *, hue: str | None = None) -> Axes:
    """Histogram of the non-randomised PIT: level where forecasts are calibrated.

    A hump: intervals too wide; a U: too narrow; a slope: too low or too high.
    """
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    try:
        heights = backtest.pit_histogram(model, stream, BINS) * BINS
    except ValueError:
        return say(ax, "no forecasts")
    ax.stairs(heights, np.linspace(0, 1, BINS + 1), fill=True, color=tint(hue or TOTAL_COLOUR, 0.6))
    ax.axhline(1, color=INK, linewidth=0.7, linestyle=(0, (3, 2)))
    ax.set_ylim(0, max(2.0, float(heights.max()) * 1.05))
    return ax


def calibration(ax: Axes, table: pl.DataFrame, *, hues: Mapping[str, str]) -> Axes:
    """Share of outcomes (of PIT mass) in the central intervals, a row a stream.

    Parameters
    ----------
    table : polars.DataFrame
        Rows of one model from `Backtest.calibration`: stream, level, share, lower, upper.
    hues : mapping of str to str
        Colour of each stream; its order is that of the rows, from the top.
    """
    levels = table["level"].unique().sort().to_list()
    for level in levels:
        ax.axvline(level, color=GREY, linewidth=0.7, linestyle=(0, (3, 2)), zorder=0)
    offsets = dict(zip(levels, np.linspace(-0.22, 0.22, len(levels)), strict=True))
    lowest = 0.4
    for place, (stream, hue) in enumerate(hues.items()):
        for row in table.filter(pl.col("stream") == stream).iter_rows(named=True):
            if row["share"] is None:
                continue
            y, strength = place + offsets[row["level"]], 0.35 + 0.65 * row["level"] ** 3
            if row["lower"] is not None:
                ax.hlines(y, row["lower"], row["upper"], color=tint(hue, strength), linewidth=1.0)
                lowest = min(lowest, row["lower"] - 0.03)
            ax.plot(
                [row["share"]], [y], "o", color=tint(hue, strength), markersize=4.5,
                markeredgewidth=0,
            )  # fmt: skip
            lowest = min(lowest, row["share"] - 0.03)
    _rows(ax, list(hues))
    ax.set_xticks(levels, [f"{level * 100:.0f} %" for level in levels])
    ax.set_xlim(max(0.0, lowest), 1.02)
    return ax


def _rows(ax: Axes, labels: Sequence[str]) -> None:
    """One row a label, from the top, without an axis line."""
    ax.set_yticks(range(len(labels)), [wrapped(x, 30, 2) for x in labels], parse_math=False)
    ax.set_ylim(len(labels) - 0.5, -0.5)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
