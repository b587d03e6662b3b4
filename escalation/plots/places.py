"""A drawing of where incidents were, and of the line that a filter of distance is about."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection

from escalation.plots.style import GREY, HAIR, INK, PAST, colour

if TYPE_CHECKING:
    from escalation.cleaning import Outlines


def places(
    ax: Axes,
    kept: pl.DataFrame,
    dropped: pl.DataFrame | None = None,
    outlines: Outlines | None = None,
    *,
    names: Sequence[str] = (),
    border: Sequence[str] = (),
) -> Axes:
    """Incidents at their coordinates, those that were dropped in grey, over outlines.

    Degrees are drawn so that a km is as long to the north as to the east in the middle of the map.

    Parameters
    ----------
    ax : Axes
    kept, dropped : polars.DataFrame
        With longitude and latitude, as in ``Cleaned.incidents.table`` and ``Cleaned.dropped``.
    outlines : Outlines, optional
    names : sequence of str
        Outlines to draw; those of ``border`` if not given.
    border : sequence of str
        Two neighbours whose common line is drawn heavily.
    """
    shown = kept if dropped is None else pl.concat([kept, dropped], how="diagonal")
    spots = shown.select("longitude", "latitude").drop_nulls()
    for table, hue, size, label in (
        (dropped, PAST, 3.0, "dropped"),
        (kept, colour(0), 5.0, "kept"),
    ):
        if table is not None:
            ax.scatter(table["longitude"], table["latitude"], s=size, color=hue, linewidths=0,
                       alpha=0.6, label=f"{label}: {len(table):,}")  # fmt: skip
    if outlines is not None:
        for name in names or border:
            for ring in outlines.rings(name):
                ax.plot(*np.concatenate([ring, ring[:1]]).T, color=GREY, linewidth=0.7)
        if border:
            line = LineCollection(list(outlines.border(*border)), colors=INK, linewidths=1.6)
            ax.add_collection(line, autolim=False)
    if len(spots):
        low, high = spots.min().row(0), spots.max().row(0)
        ax.set_xlim(low[0] - 1, high[0] + 1)
        ax.set_ylim(low[1] - 1, high[1] + 1)
        ax.set_aspect(1 / np.cos(np.radians((low[1] + high[1]) / 2)))
    ax.grid(color=HAIR, linewidth=0.4)
    ax.set_axisbelow(True)
    ax.tick_params(length=0)
    ax.xaxis.set_major_formatter(lambda x, _: f"{abs(x):g}° {'E' if x >= 0 else 'W'}")
    ax.yaxis.set_major_formatter(lambda y, _: f"{abs(y):g}° {'N' if y >= 0 else 'S'}")
    ax.legend(
        loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, fontsize=7.5,
        borderaxespad=0.1, handlelength=0.8, columnspacing=1.0, markerscale=1.6,
    )  # fmt: skip
    return ax
