"""Drawing of a forecast's scores against a benchmark's, window by window."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullFormatter, NullLocator
from numpy.typing import ArrayLike

from escalation.plots.style import GREY, INK, TOTAL_COLOUR


def score_ratios(ax: Axes, windows: Sequence[int], ratios: ArrayLike, label: str) -> Axes:
    """Ratio of a score to a benchmark's in each window with its interval; below 1 is better.

    Parameters
    ----------
    ax : matplotlib.axes.Axes
    windows : sequence of int
    ratios : array_like, shape (W, 3)
        The ratio and the ends of its interval.
    label : str
        The score.
    """
    one, low, high = np.asarray(ratios, dtype=np.float64).T
    places = np.arange(len(windows))
    ax.axhline(1.0, color=INK, linewidth=0.8)
    mean = float(np.exp(np.log(one).mean()))
    ax.axhline(mean, color=TOTAL_COLOUR, linewidth=0.8, linestyle=(0, (4, 3)))
    ax.vlines(places, low, high, color=TOTAL_COLOUR, linewidth=1.2, alpha=0.55)
    ax.plot(places, one, "o", color=TOTAL_COLOUR, markersize=4.5)
    ax.set_yscale("log")
    ax.yaxis.set_major_locator(FixedLocator([0.25, 0.5, 0.75, 1.0, 1.5, 2.0]))
    ax.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.yaxis.set_minor_locator(NullLocator())
    ax.yaxis.set_minor_formatter(NullFormatter())
    every = -(-len(windows) // 8)
    ax.set_xticks(places[::every], [str(window) for window in windows][::every])
    ax.set_xlim(-0.6, len(windows) - 0.4)
    ax.set_title(label, loc="left", color=INK)
    ax.text(
        1.0, 1.02, f"geometric mean {mean:.3f}", transform=ax.transAxes, ha="right", va="bottom",
        color=GREY, fontsize=8.5,
    )  # fmt: skip
    return ax
