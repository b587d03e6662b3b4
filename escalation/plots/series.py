"""Drawings of what was recorded: incidents in time, and counts per period."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from escalation.plots.style import (
    GREY,
    HAIR,
    INK,
    calendar,
    colour,
    days,
    say,
    whole,
    wrapped,
)

if TYPE_CHECKING:
    from escalation.actors import Actors
    from escalation.incidents import Incidents
    from escalation.series import CountSeries
    from escalation.streams import Stream

GOLDEN = 0.6180339887498949
DEATHS_SHOWN = (1, 10, 100)
RASTER_ABOVE = 3000


def timeline(
    ax: Axes,
    incidents: Incidents,
    streams: Sequence[Stream],
    actors: Actors | None = None,
    hues: Sequence[str] | None = None,
) -> Axes:
    """Every incident as a dot at its day, a row a stream, the dot's area by deaths (best figure).

    Dots of a row are spread vertically, evenly and without meaning, so that they do not hide each
    other; an incident with no deaths, or an unknown number, is the smallest dot.
    """
    rows = len(streams)
    hues = hues or [colour(k) for k in range(rows)]
    for row, stream in enumerate(streams):
        table = stream.select(incidents, actors).table.sort("date")
        ax.axhline(row, color=HAIR, linewidth=0.5, zorder=0)
        if not len(table):
            ax.text(
                0.5, row, "no incidents in the window", transform=ax.get_yaxis_transform(),
                ha="center", va="center", color=GREY, style="italic", backgroundcolor="white",
            )  # fmt: skip
            continue
        deaths = table["deaths_best"].fill_null(0).to_numpy()
        spread = (np.arange(len(table)) * GOLDEN % 1 - 0.5) * 0.62
        ax.scatter(
            days(table["date"].to_numpy()), row + spread, s=dot(deaths), color=hues[row],
            alpha=0.55, linewidths=0, rasterized=len(table) > RASTER_ABOVE,
        )  # fmt: skip
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_yticks(range(rows), [wrapped(s.name) for s in streams], parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    calendar(ax, incidents.window.start, incidents.window.end)
    return ax


def deaths_key(ax: Axes) -> Axes:
    """The sizes of `timeline`'s dots, labelled, above the right end of its axes."""
    at = (0.78, 0.88, 0.94)
    for x, number in zip(at, DEATHS_SHOWN, strict=True):
        ax.scatter(
            [x], [1.05], s=dot(np.array([number])), color=GREY, alpha=0.7, linewidths=0,
            transform=ax.transAxes, clip_on=False,
        )  # fmt: skip
        label = f"{number} death{'' if number == 1 else 's'}" if number == 1 else f"{number}"
        ax.text(x + 0.013, 1.05, label, transform=ax.transAxes, va="center", fontsize=8, color=GREY)
    return ax


def dot(deaths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Area of an incident's dot in square points: grows with the square root of its deaths."""
    return 3.0 + 6.0 * np.sqrt(np.minimum(deaths, 1000))


def counts(
    ax: Axes,
    series: CountSeries,
    stream: int,
    *,
    eras: Sequence[tuple[str, date]] = (),
    top: float | None = None,
    hue: str | None = None,
) -> Axes:
    """Incidents per period of one stream; gaps hatched, eras marked, mean as a dotted line.

    Parameters
    ----------
    stream : int
        Place of the stream in the series.
    eras : sequence of (name, day), optional
        Days to mark; the names are written where there is room at the top.
    top : float, optional
        End of the count axis, to share it between panels.
    """
    values = series.counts[:, stream]
    edges = days(series.edges)
    if values.any():
        ax.stairs(values, edges, fill=True, color=hue or colour(stream), linewidth=0)
    else:
        say(ax, "no incidents in the window")
    whole(ax, float(values.max(initial=0)) if top is None else top)
    mark_gaps(ax, series.window.gaps)
    calendar(ax, series.edges[0], series.edges[-1])
    mark_eras(ax, [era for era in eras if series.window.start < era[1] < series.window.end])
    return ax


def mark_gaps(ax: Axes, gaps: Sequence[tuple[date, date]]) -> Axes:
    """Hatch the days that nobody watched."""
    for start, end in gaps:
        ax.axvspan(
            *days([start, end]), facecolor="white", edgecolor=GREY, hatch="////", linewidth=0
        )
    return ax


def mark_eras(ax: Axes, eras: Sequence[tuple[str, date]], named: bool = True) -> Axes:
    """Mark the days on which eras begin, with their names at the top."""
    for name, start in eras:
        at = float(days([start])[0])
        ax.axvline(at, color=INK, linewidth=0.6, linestyle=(0, (1, 2)))
        if named:
            ax.annotate(
                wrapped(name, 30, 1), (at, 1), xycoords=ax.get_xaxis_transform(), xytext=(3, -2),
                textcoords="offset points", va="top", fontsize=8, color=GREY, parse_math=False,
            )  # fmt: skip
    return ax
