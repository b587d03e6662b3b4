"""Drawings of a nowcast: what was reported so far and what there probably was, and how late."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from escalation.parameters import FloatArray
from escalation.plots.style import GREY, INK, PAST, calendar, colour, days, tint, whole

if TYPE_CHECKING:
    from escalation.nowcast import NowcastFit


def nowcast(
    ax: Axes,
    fit: NowcastFit,
    stream: int = 0,
    *,
    last: int | None = None,
    truth: FloatArray | None = None,
    rng: np.random.Generator | None = None,
    ticks: int = 6,
    legend: bool = True,
    top: float | None = None,
) -> Axes:
    """The last periods of one stream: bars are reported so far, bands what the nowcast says.

    The line is the median, the bands hold 50 and 90 % of the draws; dots are what came in the end.

    Parameters
    ----------
    ax : Axes
    fit : NowcastFit
    stream : int
    last : int, optional
        Periods shown; three times the longest delay if not given.
    truth : ndarray (T, K), optional
        What was reported within the longest delay in the end; NaN where nobody knows.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given.
    ticks : int
        Labels of the time axis at most.
    legend : bool
        Say above the axes what is what.
    top : float, optional
        End of the count axis, to share it between panels.
    """
    triangle = fit.triangle
    size = len(triangle)
    shown = np.arange(max(0, size - (3 * triangle.longest if last is None else last)), size)
    edges = days(triangle.edges)[shown[0] :]
    drawn = fit.totals(rng)[:, shown, stream]
    hue = colour(stream)
    ax.bar(
        edges[:-1], triangle.reported[shown, stream], np.diff(edges), align="edge", color=PAST,
        edgecolor="white", linewidth=0.4, label="reported so far",
    )  # fmt: skip
    open_periods = ~triangle.known.all(axis=1)[shown]
    if open_periods.any():
        first = int(np.argmax(open_periods))
        at = edges[first:]
        for level, strength in ((0.9, 0.25), (0.5, 0.5)):
            low, high = np.quantile(
                drawn[:, first:], [(1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf"
            )
            ax.stairs(
                high, at, baseline=low, fill=True, color=tint(hue, strength), alpha=0.75,
                linewidth=0, label=f"nowcast, {100 * level:.0f} %",
            )  # fmt: skip
        middle = np.quantile(drawn[:, first:], 0.5, axis=0, method="inverted_cdf")
        ax.stairs(middle, at, baseline=None, color=hue, linewidth=1.3, label="nowcast, median")
    highest = float(np.quantile(drawn, 0.95, axis=0).max(initial=1.0))
    if truth is not None:
        middles = (edges[:-1] + edges[1:]) / 2
        ax.plot(
            middles, truth[shown, stream], "o", color=INK, markersize=3.0,
            markeredgecolor="white", markeredgewidth=0.5, label="reported in the end",
        )  # fmt: skip
        highest = max(highest, float(np.nanmax(np.append(truth[shown, stream], 0.0))))
    whole(ax, highest if top is None else top)
    calendar(ax, triangle.edges[shown[0]], triangle.edges[-1], ticks=ticks)
    if legend:
        ax.set_ylabel(f"incidents a {triangle.period}", color=GREY)
        ax.legend(
            loc="lower left", bbox_to_anchor=(0, 1), ncols=5, frameon=False, fontsize=7.5,
            borderaxespad=0.1, handlelength=1.0, columnspacing=1.0,
        )  # fmt: skip
    return ax


def reported_within(ax: Axes, fit: NowcastFit, stream: int = 0, *, hue: str | None = None) -> Axes:
    """Share of the incidents reported within so many periods, each with its 90 % interval."""
    table = fit.delays()
    own = table.filter(table["stream"] == fit.triangle.names[stream])
    share, low, high = (100 * own[name].to_numpy() for name in ("share", "lower", "upper"))
    at, hue = own["delay"].to_numpy(), hue or colour(stream)
    ax.bar(at, share, 0.7, color=tint(hue, 0.38), linewidth=0)
    ax.vlines(at, low, high, color=INK, linewidth=0.9)
    ax.set_ylim(0, 104)
    ax.set_xlim(-0.6, at[-1] + 0.6)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    ax.yaxis.set_major_locator(FixedLocator([0, 50, 100]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f} %"))
    return ax
