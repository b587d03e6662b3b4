"""Drawings of who is followed by whom: reproduction matrix, responses, shares, backgrounds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from escalation.plots.style import GREY, HAIR, INK, TOTAL_COLOUR, colour, ink_on, say, tint, wrapped

if TYPE_CHECKING:
    from escalation.dynamics import Dynamics

CLEAR_OF_ZERO = 0.005
"""An interval whose lower end lies below this touches zero: it prints as 0.00."""
MANY = 5
"""With more streams the matrix has smaller letters and numbered columns."""
BACKGROUNDS = {"constant": "o", "seasonal": "s", "trend": "D"}
SHARE_PARTS = ("background", "its own past", "other streams")


def reproduction(
    ax: Axes,
    dynamics: Dynamics,
    *,
    level: float = 0.9,
    truth: NDArray[np.float64] | None = None,
) -> Axes:
    """The reproduction matrix as a table of cells: sources across, receivers down.

    Each cell holds the median and the interval of the expected further incidents in the row's
    stream after one incident in the column's. A cell is empty where the arrow is ruled out, and
    hollow where the interval touches zero. ``truth`` (K, K) adds a third line to every cell.
    """
    size = len(dynamics.names)
    low, high = dynamics.interval(level)
    middle = np.median(dynamics.reproduction, axis=0)
    strongest: float = max(float(middle.max(initial=0)), 0.2)
    scale: float = min(1.0, 6.5 / (size + 2))
    for row, column in np.ndindex(size, size):
        if not dynamics.arrows[row, column]:
            continue
        value, hollow = middle[row, column], low[row, column] < CLEAR_OF_ZERO
        strength = 0.12 + 0.7 * float(np.clip(value / strongest, 0, 1))
        face = "white" if hollow else tint(TOTAL_COLOUR, strength)
        ax.add_patch(
            Rectangle(
                (column - 0.47, row - 0.46), 0.94, 0.92, facecolor=face, linewidth=0.6,
                edgecolor=GREY if hollow else face,
            )
        )  # fmt: skip
        ink = ink_on(face)
        link, prefix = ("–", "") if size > MANY else (" to ", "truth ")
        interval = f"{low[row, column]:.2f}{link}{high[row, column]:.2f}"
        lines = [(f"{value:.2f}", 11.0, "bold"), (interval, 7.5, "normal")]
        if truth is not None:
            lines.append((f"{prefix}{truth[row, column]:.2f}", 7.5, "normal"))
        for n, (text, points, weight) in enumerate(lines):
            y = row + (n - (len(lines) - 1) / 2) * 0.27
            ax.text(
                column, y, text, ha="center", va="center", color=ink, weight=weight,
                fontsize=max(5.2, points * scale) if size > MANY else points,
            )  # fmt: skip
    ax.set_xlim(-0.5, size - 0.5)
    ax.set_ylim(size - 0.5, -0.5)
    numbered = size > MANY
    heads = [f"{n + 1}" if numbered else wrapped(s, 18) for n, s in enumerate(dynamics.names)]
    sides = [
        wrapped(f"{n + 1}  {s}" if numbered else s, 24, 2 if numbered else 3)
        for n, s in enumerate(dynamics.names)
    ]
    ax.set_xticks(range(size), heads, parse_math=False)
    ax.set_yticks(range(size), sides, parse_math=False)
    ax.xaxis.tick_top()
    ax.xaxis.set_label_position("top")
    ax.set_xlabel("after one incident in …", color=GREY)
    ax.set_ylabel("further incidents in …", color=GREY)
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def responses(
    ax: Axes, dynamics: Dynamics, source: int, target: int, *, top: float | None = None
) -> Axes:
    """Further incidents in one stream, day by day in sum, after one incident in another.

    The line is the median, the bands hold 50 and 90 % of the draws.
    """
    if not dynamics.arrows[target, source]:
        reached = dynamics.responses[:, -1, target, source]
        if not np.any(reached > 0):
            ax.set_xlim(0, dynamics.response_days[-1])
            ax.set_ylim(0, top)
            return say(ax, "ruled out")
    paths = dynamics.responses[:, :, target, source]
    horizon = np.concatenate([[0.0], dynamics.response_days])
    hue = colour(target)
    for level, strength in ((0.9, 0.25), (0.5, 0.5)):
        low, _, high = quantiles(paths, level)
        ax.fill_between(horizon, from_zero(low), from_zero(high), color=tint(hue, strength), lw=0)
    ax.plot(horizon, from_zero(np.median(paths, axis=0)), color=hue)
    ax.set_xlim(0, horizon[-1])
    ax.set_ylim(0, top)
    return ax


def shares(ax: Axes, dynamics: Dynamics) -> Axes:
    """Expected incidents of each stream by immediate cause: background, own past, other streams.

    Bars are the means of the draws; the parts are labelled above the first bar.
    """
    parts = np.mean(dynamics.shares, axis=0)
    for row in range(len(parts)):
        left = 0.0
        for n, strength in enumerate((0.25, 0.6, 1.0)):
            width = float(parts[row, n])
            ax.barh(row, width, left=left, height=0.62, color=tint(colour(row), strength), lw=0)
            if width >= 0.06:
                ax.text(
                    left + width / 2, row, f"{width * 100:.0f} %", ha="center", va="center",
                    fontsize=8.5, color=ink_on(tint(colour(row), strength)),
                )  # fmt: skip
            left += width
    # The names of the parts: left, over the middle part, right.
    middle = float(parts[0, 0] + parts[0, 1] / 2)
    for x, part, side in zip(
        (0.0, middle, 1.0), SHARE_PARTS, ("left", "center", "right"), strict=True
    ):
        x = min(max(x, 0.25), 0.75) if side == "center" else x
        ax.text(x, -0.42, part, ha=side, va="bottom", fontsize=8.5, color=GREY)
    ax.set_yticks(
        range(len(parts)), [wrapped(name, 28, 2) for name in dynamics.names], parse_math=False
    )
    ax.set_ylim(len(parts) - 0.5, -0.9)
    ax.set_xlim(0, 1)
    ax.set_xticks([])
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)
    return ax


def reproduction_over_time(
    ax: Axes,
    dynamics: Dynamics,
    pair: tuple[str, str] | None = None,
    *,
    level: float = 0.9,
) -> Axes:
    """How R moves: the branching ratio by period with its band, or one arrow of R.

    Parameters
    ----------
    ax : Axes
    dynamics : Dynamics
        Of a model whose R moves.
    pair : (str, str), optional
        Source and target of the arrow; the branching ratio if not given.
    level : float

    Raises
    ------
    ValueError
        If R does not move.
    """
    table = dynamics.branching_over_time(level, pair=pair)
    days = table["start"].to_numpy()
    hue = TOTAL_COLOUR if pair is None else colour(dynamics.names.index(pair[1]))
    ends = (table["lower"].to_numpy(), table["upper"].to_numpy())
    ax.fill_between(days, *ends, color=tint(hue, 0.25), lw=0, step="post")
    ax.step(days, table["estimate"].to_numpy(), color=hue, where="post")
    ax.axhline(1, color=INK, linewidth=0.6, linestyle=(0, (1, 2)))
    ax.set_xlim(days[0], days[-1])
    ax.set_ylim(0, max(1.05, ax.get_ylim()[1]))
    what = "branching ratio" if pair is None else f"R, {pair[0]} → {pair[1]}"
    ax.set_ylabel(what, color=GREY, parse_math=False)
    return ax


def branching_by_background(
    ax: Axes,
    alternatives: Mapping[str, Dynamics],
    headline: Dynamics | None = None,
    *,
    level: float = 0.9,
) -> Axes:
    """Branching ratio under each background, a row a background, with the interval."""
    rows = {name: dynamics.branching_ratio for name, dynamics in alternatives.items()}
    if headline is not None:
        rows = {"headline": headline.branching_ratio, **rows}
    for row, (name, draws) in enumerate(rows.items()):
        low, middle, high = (float(end) for end in quantiles(draws, level))
        _dot(ax, row, (low, middle, high), BACKGROUNDS.get(name, "o"), TOTAL_COLOUR)
    ax.set_yticks(range(len(rows)), list(rows), parse_math=False)
    ax.set_xlim(0, max(1.05, ax.get_xlim()[1]))
    ax.axvline(1, color=INK, linewidth=0.6, linestyle=(0, (1, 2)))
    return _rows(ax, len(rows))


def reproduction_by_background(
    ax: Axes,
    alternatives: Mapping[str, Dynamics],
    pairs: Sequence[tuple[int, int]],
    *,
    level: float = 0.9,
) -> Axes:
    """Entries (receiver, source) of R under each background, side by side in one row each."""
    offsets = np.linspace(-0.22, 0.22, len(alternatives))
    names = next(iter(alternatives.values())).names
    for row, (receiver, source) in enumerate(pairs):
        for offset, (name, dynamics) in zip(offsets, alternatives.items(), strict=True):
            low, high = (float(end[receiver, source]) for end in dynamics.interval(level))
            middle = float(np.median(dynamics.reproduction[:, receiver, source]))
            marker = BACKGROUNDS.get(name, "o")
            _dot(ax, row + offset, (low, middle, high), marker, colour(receiver))
    labels = [
        f"{wrapped(names[s], 34, 1)}\n→ {wrapped(names[r], 32, 1) if r != s else 'itself'}"
        for r, s in pairs
    ]
    ax.set_yticks(range(len(pairs)), labels, parse_math=False, fontsize=8, linespacing=0.95)
    ax.set_xlim(0, None)
    return _rows(ax, len(pairs))


def _dot(ax: Axes, row: float, ends: tuple[float, float, float], marker: str, hue: str) -> None:
    """A median with its interval, in one row."""
    low, middle, high = ends
    ax.hlines(row, low, high, color=hue, linewidth=1.0)
    ax.plot([middle], [row], marker, color=hue, markersize=4.2, markeredgewidth=0)


def quantiles(draws: NDArray[np.float64], level: float) -> NDArray[np.float64]:
    """Lower end, median and upper end of the central ``level`` of draws (n, ...): (3, ...)."""
    tail = (1 - level) / 2
    return np.quantile(draws, [tail, 0.5, 1 - tail], axis=0)


def from_zero(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Cumulative values with the zero they start from."""
    return np.concatenate([[0.0], values])


def _rows(ax: Axes, rows: int) -> Axes:
    ax.set_ylim(rows - 0.5, -0.5)
    ax.grid(axis="x", color=HAIR, linewidth=0.4)
    ax.set_axisbelow(True)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    return ax
