"""Drawings of models in which one stream may lower another: influence matrix, response."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from escalation.plots.style import GREY, HAIR, TOTAL_COLOUR, colour, ink_on, say, tint, wrapped

if TYPE_CHECKING:
    from escalation.counts import Response, Signs

#: Raises, and lowers.
RAISES, LOWERS = TOTAL_COLOUR, "#B5651D"
#: A sign less sure than this is drawn hollow.
SURE = 0.95
MANY = 5


def influence(ax: Axes, signs: Signs, *, level: float = 0.9) -> Axes:
    """The signed influence matrix as a table of cells: sources across, receivers down.

    Each cell holds the median, the interval and the probability of its sign; blue raises, brown
    lowers, and a cell is hollow where neither sign has a probability above 0.95. Empty: no arrow.
    """
    size = len(signs.names)
    tails = [(1 - level) / 2, 0.5, (1 + level) / 2]
    low, middle, high = np.quantile(signs.influence, tails, axis=0)
    strongest = max(float(np.abs(middle).max(initial=0.0)), 0.2)
    points: float = min(1.0, 6.5 / (size + 2)) if size > MANY else 1.0
    for row, column in np.ndindex(size, size):
        if not signs.arrows[row, column]:
            continue
        value = float(middle[row, column])
        probability = float((signs.below if value < 0 else signs.above)[row, column])
        hue = LOWERS if value < 0 else RAISES
        hollow = probability <= SURE
        face = "white" if hollow else tint(hue, 0.15 + 0.65 * min(1.0, abs(value) / strongest))
        ax.add_patch(
            Rectangle(
                (column - 0.47, row - 0.46), 0.94, 0.92, facecolor=face, linewidth=0.6,
                edgecolor=GREY if hollow else face,
            )
        )  # fmt: skip
        sign = "< 0" if value < 0 else "> 0"
        lines = (
            (f"{value:+.2f}", 11.0, "bold"),
            (f"{low[row, column]:+.2f} to {high[row, column]:+.2f}", 7.5, "normal"),
            (f"P({sign}) {probability:.2f}", 7.5, "normal"),
        )
        for n, (text, letters, weight) in enumerate(lines):
            ax.text(
                column, row + (n - 1) * 0.27, text, ha="center", va="center", color=ink_on(face),
                weight=weight, fontsize=max(5.2, letters * points),
            )  # fmt: skip
    ax.set_xlim(-0.5, size - 0.5)
    ax.set_ylim(size - 0.5, -0.5)
    heads = [f"{n + 1}" if size > MANY else wrapped(s, 18) for n, s in enumerate(signs.names)]
    sides = [wrapped(f"{n + 1}  {s}" if size > MANY else s, 24) for n, s in enumerate(signs.names)]
    ax.set_xticks(range(size), heads, parse_math=False)
    ax.set_yticks(range(size), sides, parse_math=False)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("acts of …", color=GREY)
    ax.set_ylabel("change the log-mean of …", color=GREY)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def response(ax: Axes, told: Response, target: str, *, total: bool = True) -> Axes:
    """Further incidents of one stream after one more in another, in sum or by period.

    The line is the median, the bands hold 50 and 90 % of the draws; below zero there are fewer.
    """
    at = told.names.index(target)
    horizon = told.further.shape[1]
    steps = np.arange(1, horizon + 1)
    ends = {level: told.interval(level, total=total)[:, :, at] for level in (0.9, 0.5)}
    if not np.isfinite(ends[0.9]).all():
        return say(ax, "paths run away")
    hue = colour(at)
    for level, strength in ((0.9, 0.25), (0.5, 0.5)):
        low, _, high = ends[level]
        ax.fill_between(steps, low, high, color=tint(hue, strength), lw=0)
    ax.plot(steps, ends[0.5][1], color=hue)
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.grid(axis="y", color=HAIR, linewidth=0.4)
    ax.set_axisbelow(True)
    ax.set_xlim(1, max(horizon, 2))
    ax.set_xlabel(f"{told.period}s after one more in {wrapped(told.stream, 24, 1)}", color=GREY)
    return ax
