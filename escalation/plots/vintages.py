"""Drawings of releases: how late reports come, and how counts grew from release to release."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator

from escalation.plots.style import GREY, INK, calendar, colour, days, tint, whole

if TYPE_CHECKING:
    from escalation.backtest import Vintages


def reporting_delay(
    ax: Axes, table: pl.DataFrame, stream: str | None = None, *, legend: bool = True
) -> Axes:
    """Share of the incidents of one stream reported within so many periods, with its interval.

    Parameters
    ----------
    ax : Axes
    table : polars.DataFrame
        As `escalation.reporting_delay` gives it.
    stream : str, optional
        The first one if not given.
    legend : bool
        Say above the axes what is what.
    """
    names = table["stream"].unique(maintain_order=True).to_list()
    name = names[0] if stream is None else stream
    own = table.filter(pl.col("stream") == name)
    at = own["delay"].to_numpy()
    hue = colour(names.index(name))
    within, low, high, plain = (
        100 * own[column].to_numpy() for column in ("within", "lower", "upper", "plain")
    )
    edges = np.append(at - 0.5, at[-1] + 0.5)
    ax.stairs(high, edges, baseline=low, fill=True, color=tint(hue, 0.3), linewidth=0,
              label="90 % interval")  # fmt: skip
    ax.stairs(within, edges, baseline=None, color=hue, linewidth=1.6, label="share reported")
    ax.stairs(plain, edges, baseline=None, color=INK, linewidth=0.9, linestyle=(0, (3, 2)),
              label="of those reported so far")  # fmt: skip
    ax.set_xlim(edges[0], edges[-1])
    ax.set_ylim(0, 104)
    ax.xaxis.set_major_locator(MaxNLocator(nbins=10, integer=True))
    ax.yaxis.set_major_locator(FixedLocator([0, 50, 100]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:.0f} %"))
    if legend:
        _above(ax)
    return ax


def known_when(
    ax: Axes,
    vintages: Vintages,
    stream: int = 0,
    *,
    last: int = 6,
    periods: int | None = None,
    legend: bool = True,
) -> Axes:
    """Counts of one stream as the last releases had them, the oldest palest; the newest in bars.

    Parameters
    ----------
    ax : Axes
    vintages : Vintages
    stream : int
    last : int
        Releases shown.
    periods : int, optional
        Periods shown, up to the last; all if not given.
    legend : bool
        Say above the axes what is what.
    """
    shown = list(vintages.series.items())[-last:]
    latest, hue = vintages.latest, colour(stream)
    first = max(0, len(latest) - (len(latest) if periods is None else periods))
    edges = days(latest.edges)[first:]
    ax.bar(
        edges[:-1], latest.counts[first:, stream], np.diff(edges), align="edge",
        color=tint(hue, 0.25), edgecolor="white", linewidth=0.4, label="as known now",
    )  # fmt: skip
    for place, (day, series) in enumerate(shown[:-1], start=1):
        if len(series) <= first:
            continue
        ax.stairs(
            series.counts[first:, stream], days(series.edges)[first:], baseline=None,
            color=tint(hue, 0.35 + 0.65 * place / len(shown)), linewidth=1.1,
            label=f"release of {day}" if place in (1, len(shown) - 1) else None,
        )  # fmt: skip
    whole(ax, float(latest.counts[first:, stream].max(initial=1)))
    calendar(ax, latest.edges[first], latest.edges[-1], ticks=6)
    if legend:
        ax.set_ylabel(f"incidents a {latest.period}", color=GREY)
        _above(ax)
    return ax


def _above(ax: Axes) -> None:
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=7.5,
        borderaxespad=0.1, handlelength=1.4, columnspacing=1.0,
    )  # fmt: skip
