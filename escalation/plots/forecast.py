"""Drawings of forecasts: the past, the fan, and what came."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from escalation.plots.style import (
    GREY,
    INK,
    PAST,
    TOTAL_COLOUR,
    calendar,
    colour,
    days,
    say,
    tint,
    whole,
)

if TYPE_CHECKING:
    from escalation.forecast import Forecast

LEVELS = (0.95, 0.8, 0.5)
STRENGTHS = (0.18, 0.38, 0.66)


def fan(
    ax: Axes,
    forecast: Forecast,
    stream: int | str = 0,
    *,
    past: int = 52,
    thresholds: Sequence[int] = (),
    observed: NDArray[np.int64] | None = None,
    ends: NDArray[np.int64] | None = None,
    labels: bool = True,
    top: float | None = None,
    hue: str | None = None,
    ticks: int = 8,
) -> Axes:
    """The last periods of one stream in grey, then its forecast as bands of 50, 80 and 95 %.

    Parameters
    ----------
    stream : int or str
        Place or name of the stream in the forecast.
    past : int
        Observed periods to show before the forecast.
    thresholds : sequence of int, optional
        Counts to draw as dotted, labelled lines.
    observed : array (H,), optional
        What came in the forecast's periods, as dots.
    ends : array (2, H), optional
        The lowest and highest figure of what came, as lines through the dots.
    labels : bool
        Write the levels beside the bands.
    top : float, optional
        End of the count axis, to share it between panels.
    """
    place = forecast.names.index(stream) if isinstance(stream, str) else stream
    hue = hue or (TOTAL_COLOUR if len(forecast.names) == 1 else colour(place))
    seen = forecast.recent[-past:, place]
    seen_edges = days(forecast.recent_edges[-len(seen) - 1 :])
    edges = days(forecast.edges)
    if len(seen):
        ax.stairs(seen, seen_edges, fill=True, color=PAST, linewidth=0)
    bands = [np.quantile(finite(forecast.draws[:, :, place]), _tails(x), axis=0) for x in LEVELS]
    for (low, high), strength in zip(bands, STRENGTHS, strict=True):
        ax.stairs(high, edges, baseline=low, fill=True, color=tint(hue, strength), linewidth=0)
    middle = np.quantile(finite(forecast.draws[:, :, place]), 0.5, axis=0)
    ax.stairs(middle, edges, baseline=None, color=hue, linewidth=1.3)
    highest = max(float(seen.max(initial=0)), float(bands[0][1].max()), 1.0)
    if observed is not None:
        middles = (edges[:-1] + edges[1:]) / 2
        ax.plot(
            middles,
            observed,
            "o",
            color=INK,
            markersize=3.6,
            markeredgecolor="white",
            markeredgewidth=0.6,
        )
        highest = max(highest, float(np.max(observed, initial=0)))
        if ends is not None:
            ax.vlines(middles, *ends, color=INK, linewidth=0.8)
            highest = max(highest, float(np.max(ends, initial=0)))
    whole(ax, highest if top is None else top)
    start = forecast.recent_edges[-len(seen) - 1] if len(seen) else forecast.edges[0]
    calendar(ax, start, forecast.edges[-1], ticks=ticks)
    _draw_thresholds(ax, [t for t in thresholds if t <= ax.get_ylim()[1]])
    if not seen.any() and not np.any(bands[0]):
        return say(ax, "no incidents in the window")
    if labels:
        _label_bands(ax, bands, float(middle[-1]), hue)
    return ax


def cumulative(
    ax: Axes,
    forecast: Forecast,
    stream: int | str = 0,
    *,
    thresholds: Sequence[int] = (),
    top: float | None = None,
    hue: str | None = None,
) -> Axes:
    """The forecast of one stream summed up since it was made, as bands of 50, 80 and 95 %.

    Parameters
    ----------
    stream : int or str
        Place or name of the stream in the forecast.
    thresholds : sequence of int, optional
        Sums to draw as dotted, labelled lines, where they lie inside the axes.
    top : float, optional
        End of the count axis, to share it between panels.
    """
    place = forecast.names.index(stream) if isinstance(stream, str) else stream
    hue = hue or (TOTAL_COLOUR if len(forecast.names) == 1 else colour(place))
    sums = finite(np.cumsum(forecast.draws[:, :, place], axis=1))
    edges = days(forecast.edges)
    for level, strength in zip(LEVELS, STRENGTHS, strict=True):
        low, high = np.quantile(sums, _tails(level), axis=0)
        ax.fill_between(edges, [0, *low], [0, *high], color=tint(hue, strength), linewidth=0)
    ax.plot(edges, [0, *np.quantile(sums, 0.5, axis=0)], color=hue, linewidth=1.3)
    highest = float(np.quantile(sums[:, -1], _tails(LEVELS[0])[1]))
    whole(ax, highest if top is None else top, ticks=3)
    calendar(ax, forecast.edges[0], forecast.edges[-1], ticks=3)
    _draw_thresholds(ax, [t for t in thresholds if t <= ax.get_ylim()[1]])
    return ax


def finite(draws: NDArray[np.float64]) -> NDArray[np.float64]:
    """Draws with the stopped (infinite) paths above every other, so that they can be drawn."""
    if np.isfinite(draws).all():
        return draws
    highest = np.max(draws, where=np.isfinite(draws), initial=1.0)
    return np.where(np.isfinite(draws), draws, highest * 2)


def _tails(level: float) -> list[float]:
    return [(1 - level) / 2, (1 + level) / 2]


def _draw_thresholds(ax: Axes, thresholds: Sequence[int]) -> None:
    # A line on the axis, or on the one below it, says nothing and its label cannot be read.
    apart, last = 0.09 * ax.get_ylim()[1], 0.0
    for threshold in sorted(thresholds):
        if threshold - last < apart:
            continue
        last = threshold
        ax.axhline(threshold, color=INK, linewidth=0.6, linestyle=(0, (1, 2.5)))
        ax.annotate(
            f"{threshold}", (0, threshold), xycoords=ax.get_yaxis_transform(), xytext=(2, 1),
            textcoords="offset points", fontsize=8, color=INK, va="bottom",
        )  # fmt: skip


def _label_bands(ax: Axes, bands: list[NDArray[np.float64]], middle: float, hue: str) -> None:
    """Write the levels beside the last period's bands, pushed apart where they would overlap."""
    step = ax.get_ylim()[1] * 0.105 * 1.3 / max(ax.get_position().height * _height(ax), 0.3)
    wanted = [("median", middle, tint(hue, 0.85, "black"))]
    for level, (_, high) in zip(reversed(LEVELS), reversed(bands), strict=True):
        wanted.append((f"{level * 100:.0f} %", float(high[-1]), GREY))
    floor = -np.inf
    for text, y, ink in wanted:
        y = max(y, floor)
        floor = y + step
        ax.annotate(
            text, (1, y), xycoords=ax.get_yaxis_transform(), xytext=(4, 0), va="center",
            textcoords="offset points", fontsize=8, color=ink, annotation_clip=False,
        )  # fmt: skip


def _height(ax: Axes) -> float:
    return float(ax.get_figure(root=True).get_size_inches()[1])  # type: ignore[union-attr]
