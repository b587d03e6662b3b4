"""Drawings of panels: what pooling does to the estimates of units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from escalation.plots.style import GREY, HAIR, TOTAL_COLOUR, tint, wrapped

if TYPE_CHECKING:
    from escalation.counts import UnitEstimates

#: Above so many units the names are left out.
MANY = 40


def shrinkage(
    ax: Axes,
    pooled: UnitEstimates,
    apart: UnitEstimates,
    quantity: str = "R",
    *,
    level: float = 0.9,
    log: bool = False,
) -> Axes:
    """Estimates of one quantity by unit, without pooling (grey) and with (blue).

    Dots are medians and bars intervals; units with the fewest watched periods come last. The thin
    line is the median of the pooled estimates.
    """
    if pooled.units != apart.units:
        raise ValueError("shrinkage wants two fits of the same units")
    order = np.lexsort((-pooled.incidents, -pooled.periods))
    rows = np.arange(len(order))
    for estimates, hue, shift, label in (
        (apart, GREY, 0.17, "each by itself"),
        (pooled, TOTAL_COLOUR, -0.17, "partially pooled"),
    ):
        lower, middle, upper = estimates.interval(quantity, level)[:, order]
        ax.hlines(rows + shift, lower, upper, color=tint(hue, 0.6), linewidth=1.6)
        ax.plot(middle, rows + shift, "o", color=hue, markersize=3.2, label=label)
    centre = float(np.median(pooled.interval(quantity, level)[1]))
    ax.axvline(centre, color=HAIR, linewidth=0.8, zorder=0)
    if log:
        ax.set_xscale("log")
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    if len(order) <= MANY:
        names = [f"{wrapped(pooled.units[u], 26)} ({pooled.periods[u]:.0f})" for u in order]
        ax.set_yticks(rows, names, parse_math=False)
    else:
        ax.set_yticks([])
    ax.set_ylim(len(order) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)
    ax.grid(axis="x", color=HAIR, linewidth=0.4)
    ax.set_axisbelow(True)
    ax.set_xlabel(f"{quantity}, median and {level:.0%} interval".replace("%", " %"), color=GREY)
    ax.legend(
        frameon=False, fontsize=8, loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=2,
        borderaxespad=0.0, handletextpad=0.2, columnspacing=1.0,
    )  # fmt: skip
    return ax
