"""Drawings of phases: how probable each is over time, and the counts under the likeliest path."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from escalation.plots.series import counts, mark_gaps
from escalation.plots.style import GREY, INK, TOTAL_COLOUR, calendar, days, ink_on, tint

if TYPE_CHECKING:
    from escalation.counts import Phases

#: Spans shorter than this share of the axis have no room for their name.
ROOM = 0.05


def shades(number: int) -> list[str]:
    """A colour a phase, from light to dark."""
    return [tint(TOTAL_COLOUR, one) for one in np.linspace(0.1, 0.9, number)]


def phases(ax: Axes, told: Phases, *, filtered: bool = False) -> Axes:
    """Probability of each phase over time, stacked from the lowest to the highest; gaps hatched.

    Parameters
    ----------
    ax : Axes
    told : Phases
    filtered : bool
        What could have been said at the end of each period, in place of what the whole series says.
    """
    first = int((told.path < 0).sum())
    share = told.filtered.mean(axis=0) if filtered else told.probability
    edges = days(told.series.edges)
    low = np.zeros(len(share) - first)
    for s, (name, shade) in enumerate(zip(told.names, shades(len(told.names)), strict=True)):
        high = low + share[first:, s]
        ax.stairs(high, edges[first:], baseline=low, fill=True, color=shade, linewidth=0,
                  label=name)  # fmt: skip
        low = high
    mark_gaps(ax, told.series.window.gaps)
    calendar(ax, told.series.edges[0], told.series.edges[-1])
    ax.set_ylim(0, 1)
    ax.set_yticks([0, 0.5, 1])
    ax.set_ylabel("probability", color=GREY)
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=len(told.names), frameon=False,
        borderaxespad=0.1, handlelength=1.0, columnspacing=1.2,
    )  # fmt: skip
    return ax


def phase_counts(ax: Axes, told: Phases, stream: int, *, named: bool = False) -> Axes:
    """Counts of one stream, the likeliest path of phases behind them and its rate as a line.

    Parameters
    ----------
    ax : Axes
    told : Phases
    stream : int
        Place of the stream in the series.
    named : bool
        Whether the phases' names are written over their spans, where there is room.
    """
    series, path = told.series, told.path
    first = int((path < 0).sum())
    edges = days(series.edges)
    hues = shades(len(told.names))
    begins = first + np.concatenate([[0], np.flatnonzero(np.diff(path[first:])) + 1])
    ends = np.concatenate([begins[1:], [len(path)]])
    for begin, end in zip(begins, ends, strict=True):
        hue = tint(hues[path[begin]], 0.45)
        ax.axvspan(edges[begin], edges[end], facecolor=hue, linewidth=0, zorder=0)
        if named and edges[end] - edges[begin] > ROOM * (edges[-1] - edges[0]):
            ax.annotate(
                told.names[path[begin]], ((edges[begin] + edges[end]) / 2, 1),
                xycoords=ax.get_xaxis_transform(), xytext=(0, -2), textcoords="offset points",
                ha="center", va="top", fontsize=7.5, color=ink_on(hue), parse_math=False,
            )  # fmt: skip
    counts(ax, series, stream)
    rate = np.median(told.rates[:, :, stream], axis=0)
    ax.stairs(rate[path[first:]], edges[first:], color=INK, linewidth=0.9, baseline=None)
    return ax
