"""Drawings of a latent log-rate: the level that nobody sees, with its band."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from escalation.plots.style import GREY, HAIR, calendar, colour, days, tint

if TYPE_CHECKING:
    from escalation.counts import LatentPath
    from escalation.series import CountSeries


def latent_path(
    ax: Axes, told: LatentPath, stream: int, series: CountSeries | None = None, *, of: str = "rate"
) -> Axes:
    """Rate of one stream over time, or the factor of its path: median, bands of 50 and 90 %.

    Parameters
    ----------
    ax : Axes
    told : LatentPath
    stream : int
    series : CountSeries, optional
        Its counts are drawn as dots beside a rate, those above the axis at its upper edge.
    of : {"rate", "factor"}
        The factor is drawn on a log scale, about 1.
    """
    middles = days(told.edges[:-1]) + np.diff(days(told.edges)) / 2
    hue = colour(stream)
    bands = {level: told.band(level, of=of)[:, :, stream] for level in (0.9, 0.5)}
    for level, strength in ((0.9, 0.25), (0.5, 0.5)):
        low, _, high = bands[level]
        ax.fill_between(middles, low, high, color=tint(hue, strength), lw=0)
    ax.plot(middles, bands[0.5][1], color=hue, linewidth=1.1)
    calendar(ax, told.edges[0], told.edges[-1])
    ax.grid(axis="y", color=HAIR, linewidth=0.4)
    ax.set_axisbelow(True)
    if of == "factor":
        ax.set_yscale("log")
        ax.axhline(1.0, color=GREY, linewidth=0.6)
        ax.set_ylabel("factor", color=GREY)
        return ax
    top = float(bands[0.9][2].max())
    if series is not None:
        seen = series.counts[:, stream].astype(float)
        seen[series.scale <= 0] = np.nan
        top = max(1.15 * top, float(np.nanquantile(seen, 0.99)))
        ax.scatter(middles, np.minimum(seen, top), s=3, color=GREY, linewidths=0, zorder=0.5)
    ax.set_ylim(0, 1.05 * top)
    ax.set_ylabel(f"a {told.period}", color=GREY)
    return ax
