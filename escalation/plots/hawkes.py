"""Drawings of fitted Hawkes processes: rate, delays, network, cascades, residuals."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.patches import FancyArrowPatch
from matplotlib.path import Path
from numpy.typing import NDArray

from escalation.plots.dynamics import CLEAR_OF_ZERO
from escalation.plots.style import (
    GREY,
    HAIR,
    INK,
    PAST,
    TOTAL_COLOUR,
    calendar,
    colour,
    days,
    ink_on,
    say,
    tint,
    wrapped,
)

if TYPE_CHECKING:
    from escalation.dynamics import Dynamics
    from escalation.fit import Fit
    from escalation.hawkes.cascade import Cascade
    from escalation.hawkes.residuals import Residuals
    from escalation.window import Window

UNDATED = date(1970, 1, 1)
"""Plain times have a window that starts here: their axis counts days."""
SHORT = 75
"""Days below which ticks are days of a month, not months."""
POINTS = 1500
"""Least number of points that a curve in time is drawn with."""
RADIUS = 0.16
"""Of a node of the network, in the units of its axes."""
BACK = {"facecolor": "white", "linewidth": 0, "pad": 0.6, "alpha": 0.8}
"""Behind letters over arrows; a halo would turn letters into outlines."""


def intensity(
    ax: Axes, fit: Fit, stream: int, *, start: float = 0.0, end: float | None = None
) -> Axes:
    """Fitted rate of one stream, a day: background, and on top what earlier incidents set off.

    Incidents stand below the axis. Of times known to the day the rate is drawn as if each incident
    were in the middle of its day.

    Parameters
    ----------
    stream : int
        Place of the stream in the series.
    start, end : float
        Span to draw, days since the start of the window; the whole of it if not given.

    Raises
    ------
    ValueError
        If the model is not additive.
    """
    from escalation.hawkes.intensity import Intensity, require_additive

    require_additive(fit.model)
    series = fit.model.prepared(fit.series)  # type: ignore[attr-defined]
    if series.resolution == "day":
        middle = tuple(times + 0.5 for times in series.times)
        series = replace(series, times=middle, resolution="exact")
    end = series.duration if end is None else end
    parts = Intensity.of(fit.model, series, fit.estimate)  # type: ignore[arg-type]
    events = np.concatenate(series.times)
    events = events[(events >= start) & (events < end)]
    # On either side of each event, where the rate jumps.
    query = np.sort(
        np.concatenate([np.linspace(start, end, POINTS), events, events + 1e-6 * (end - start)])
    )
    rate = parts.rate(query, stream)
    origin = _origin(series.window)
    hue = colour(stream)
    whole = rate.sum(axis=1)
    ax.fill_between(origin + query, rate[:, 0], whole, color=tint(hue, 0.45), linewidth=0)
    ax.fill_between(origin + query, 0, rate[:, 0], color=HAIR, linewidth=0)
    ax.plot(origin + query, whole, color=hue, linewidth=0.4 if len(events) > 300 else 0.7)
    ax.plot(origin + query, rate[:, 0], color=GREY, linewidth=0.7)
    own = series.times[stream]
    own = own[(own >= start) & (own < end)]
    top = float(whole.max(initial=0.0)) or 1.0
    strength = float(np.clip(60 / max(len(own), 1), 0.15, 0.8))
    ax.vlines(
        origin + own, -0.09 * top, -0.02 * top, color=hue, linewidth=0.7, alpha=strength,
    )  # fmt: skip
    ax.set_ylim(-0.11 * top, 1.06 * top)
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= 1.06 * top])
    ax.set_ylabel("incidents a day")
    ax.spines["bottom"].set_visible(False)
    return _time_axis(ax, series.window, start, end)


def delays(
    ax: Axes,
    fit: Fit,
    *,
    source: int = 0,
    target: int = 0,
    reach: float | None = None,
    level: float = 0.9,
    draws: int = 300,
) -> Axes:
    """Density of the delay from an incident to one that it sets off: median and band of draws.

    Parameters
    ----------
    source, target : int
        The pair, where kernels differ by pair or target.
    reach : float, optional
        Days to draw; nine in ten delays of the estimate if not given.
    level : float
        Of the band at each age.
    draws : int
        Draws of the parameters to use, at most.
    """
    from escalation.hawkes.intensity import require_additive
    from escalation.parameters import Layout

    require_additive(fit.model)
    model, series = fit.model, fit.series
    streams = len(series.names)
    layout = Layout(fit.parameters)
    group = model.kernel_groups(streams)[target, source]  # type: ignore[attr-defined]
    theta = model.kernel_draws(layout, fit.theta, streams)[:, group]  # type: ignore[attr-defined]
    theta = theta[:: max(1, len(theta) // draws)]
    kernel = model.bound_kernel(series)  # type: ignore[attr-defined]
    if reach is None:
        reach = float(np.median(kernel.quantile(np.asarray(0.9), theta)))
    ages = np.linspace(0, reach, 400)[1:]
    edges = getattr(kernel, "edges", None)
    if edges is not None:
        # Both ends of every step, so that steps are drawn upright.
        inner = np.array(edges, float)[1:]
        inner = inner[inner < reach]
        ages = np.sort(np.concatenate([[1e-9 * reach], inner * (1 - 1e-9), inner, [reach]]))
    density = np.array([kernel.density(ages, one) for one in theta])
    tail = (1 - level) / 2
    low, middle, high = np.quantile(density, [tail, 0.5, 1 - tail], axis=0)
    hue = colour(target) if streams > 1 else TOTAL_COLOUR
    ax.fill_between(ages, low, high, color=tint(hue, 0.25), linewidth=0)
    ax.plot(ages, middle, color=hue)
    top = min(float(high.max()), 2.5 * float(middle[len(middle) // 50 :].max()))
    ax.set_ylim(0, 1.05 * top)
    half = float(np.median(kernel.median(theta)))
    if half < reach:
        at = float(np.interp(half, ages, middle))
        ax.vlines(half, 0, at, color=INK, linewidth=0.7, linestyle=(0, (1, 2)))
        ax.annotate(
            f"median {_days(half)}", (half, at), xytext=(6, 5), textcoords="offset points",
            fontsize=8, color=INK,
        )  # fmt: skip
    ax.set_xlim(0, reach)
    ax.set_xlabel("days after the incident")
    ax.set_ylabel("share of offspring a day")
    return ax


def network(ax: Axes, dynamics: Dynamics, *, level: float = 0.9) -> Axes:
    """Streams in a circle with an arrow for each entry of R, its width by the median of R.

    Arrows have the colour of their source; grey, dashed and without a number where the interval
    touches zero. Those that are ruled out are not drawn. Give it a figure's whole width.
    """
    size = len(dynamics.names)
    lower, upper = dynamics.interval(level)
    middle = np.median(dynamics.reproduction, axis=0)
    strongest = max(float(middle.max(initial=0.0)), 0.1)
    turn = np.pi / 2 - 2 * np.pi * np.arange(size) / max(size, 1) + (np.pi / 2 if size == 2 else 0)
    # A diamond would put nodes under the loops of others: a square does not.
    turn = turn + (np.pi / 4 if size == 4 else 0)
    place = (0.0 if size == 1 else 1.0) * np.column_stack([1.25 * np.cos(turn), np.sin(turn)])
    for j, k in np.ndindex(size, size):
        if not dynamics.arrows[k, j]:
            continue
        clear = lower[k, j] >= CLEAR_OF_ZERO
        hue = colour(j) if clear else PAST
        width = 0.6 + 4.0 * middle[k, j] / strongest if clear else 0.6
        label = f"{middle[k, j]:.2f}\n({lower[k, j]:.2f}–{upper[k, j]:.2f})"
        path, at = _loop(place[j]) if j == k else _bow(place[j], place[k])
        head = f"-|>,head_width={2 + 0.8 * width},head_length={3.5 + width}"
        ax.add_patch(
            FancyArrowPatch(
                path=path, arrowstyle=head, linewidth=width, color=hue,
                linestyle="-" if clear else (0, (3, 3)), shrinkA=0, shrinkB=0,
                zorder=2 if clear else 1, mutation_scale=1, capstyle="butt",
            )
        )  # fmt: skip
        if clear:
            ax.text(
                at[0], at[1], label, ha="center", va="center", fontsize=7.5, linespacing=0.95,
                color=INK, zorder=4, bbox=BACK,
            )  # fmt: skip
    for k, name in enumerate(dynamics.names):
        ax.plot(*place[k], "o", markersize=16, color=colour(k), markeredgewidth=0, zorder=5)
        ax.text(
            place[k, 0], place[k, 1], f"{k + 1}", ha="center", va="center_baseline", zorder=6,
            fontsize=9, color=ink_on(colour(k)), weight="bold",
        )  # fmt: skip
        below = place[k, 1] < 0.3
        ax.text(
            place[k, 0], place[k, 1] + (-0.3 if below else 0.2),
            wrapped(name, 24 if size > 2 else 16, 3),
            ha="center", va="top" if below else "bottom", fontsize=8.5, zorder=6, parse_math=False,
            bbox=BACK,
        )  # fmt: skip
    ax.set_xlim(-2.35, 2.35)
    ax.set_ylim(*((-0.75, 0.75) if size <= 2 else (-1.55, 1.5)))
    ax.set_aspect("equal")
    ax.set_axis_off()
    return ax


def cascade(
    ax: Axes, found: Cascade, window: Window, *, start: float = 0.0, end: float | None = None
) -> Axes:
    """Incidents as dots in a row a stream, with a line to the most likely parent.

    Lines have the colour of the parent, stronger the more probable the pair. The area of a dot
    grows with the size of its cluster in the most likely forest; incidents that stand alone in it
    are small and grey.

    Parameters
    ----------
    found : Cascade
    window : Window
        Of the series, for the dates.
    start, end : float
        Span to draw, days since the start of the window.
    """
    end = float(window.days) if end is None else end
    parent = found.most_likely
    root, _ = found.clusters(parent)
    size = np.bincount(root, minlength=len(root))[root]
    origin = _origin(window)
    # Events of one day are spread, evenly and without meaning, so that they do not hide each other.
    spread = (np.arange(len(root)) * 0.6180339887498949 % 1 - 0.5) * 0.56
    height = found.stream + spread
    shown = (found.times >= start) & (found.times <= end)
    linked = np.flatnonzero(shown & (parent >= 0))
    linked = linked[found.times[parent[linked]] >= start]
    segments = [
        _arc(origin + found.times[p], height[p], origin + found.times[i], height[i])
        for i, p in zip(linked, parent[linked], strict=True)
    ]
    # The more probable the pair, the stronger its line.
    pair = {(c, p): s for c, p, s in zip(found.child, found.parent, found.probability, strict=True)}
    share = [pair.get((i, p), 0.0) + pair.get((p, i), 0.0) for i, p in
             zip(linked, parent[linked], strict=True)]  # fmt: skip
    hues = [
        tint(colour(int(found.stream[p])), float(np.clip(0.25 + s, 0, 1)))
        for p, s in zip(parent[linked], share, strict=True)
    ]
    width = float(np.clip(300 / max(len(linked), 1), 0.4, 1.0))
    ax.add_collection(LineCollection(segments, colors=hues, linewidths=width, zorder=1))
    alone = shown & (size == 1)
    ax.scatter(origin + found.times[alone], height[alone], s=4, color=PAST, linewidths=0, zorder=2)
    crowd = float(np.clip(250 / max(int(shown.sum()), 1), 0.3, 1.0))
    for k in range(len(found.names)):
        own = shown & (size > 1) & (found.stream == k)
        ax.scatter(
            origin + found.times[own], height[own], s=(4 + 1.2 * np.minimum(size[own], 60)) * crowd,
            color=colour(k), linewidths=0.3, edgecolors="white", zorder=3,
        )  # fmt: skip
    rows = len(found.names)
    ax.set_ylim(rows - 0.5, -0.5)
    ax.set_yticks(range(rows), [wrapped(name) for name in found.names], parse_math=False)
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    if not shown.any():
        say(ax, "no incidents in the window")
    return _time_axis(ax, window, start, end)


def residual_quantiles(ax: Axes, found: Residuals, stream: int, *, level: float = 0.9) -> Axes:
    """QQ plot of one stream's residuals against the exponential law, with a pointwise band."""
    expected, seen, low, high = found.quantiles(stream, level)
    if len(expected) < 2:
        return say(ax, "too short to tell")
    hue = colour(stream)
    ax.fill_between(expected, low, high, color=tint(hue, 0.22), linewidth=0)
    reach = float(expected[-1]) * 1.04
    ax.plot([0, reach], [0, reach], color=GREY, linewidth=0.7)
    ax.plot(expected, seen, "o", color=hue, markersize=2.2, markeredgewidth=0)
    ax.set_xlim(0, reach)
    ax.set_ylim(0, max(reach, float(seen[-1]) * 1.04))
    ax.set_xlabel("expected waiting time, rescaled")
    ax.set_ylabel("observed")
    p = found.p_anderson_darling[stream]
    if np.isfinite(p):
        ax.text(
            0.04, 0.96, f"Anderson–Darling p {p:.2f}", transform=ax.transAxes, va="top",
            fontsize=8, color=INK,
        )  # fmt: skip
    return ax


def residual_counts(ax: Axes, found: Residuals, stream: int, window: Window) -> Axes:
    """Observed less expected incidents by blocks of time, in standard errors.

    The shaded band holds 95 % of the blocks if the model is right; blocks beyond it are dark.
    """
    values = found.standardised[:, stream]
    if not np.isfinite(values).any():
        return say(ax, "nothing is expected")
    edges = _origin(window) + found.edges
    ax.axhspan(-1.96, 1.96, color=HAIR, alpha=0.6, linewidth=0)
    ax.axhline(0, color=GREY, linewidth=0.6)
    hue = colour(stream)
    far = np.abs(np.nan_to_num(values)) > 1.96
    ax.bar(
        edges[:-1], np.nan_to_num(values), np.diff(edges) * 0.86, align="edge", linewidth=0,
        color=[hue if one else tint(hue, 0.5) for one in far],
    )  # fmt: skip
    reach = max(3.0, float(np.nanmax(np.abs(values))) * 1.1)
    ax.set_ylim(-reach, reach)
    ax.set_ylabel("standard errors")
    return _time_axis(ax, window, float(found.edges[0]), float(found.edges[-1]))


def _origin(window: Window) -> float:
    return 0.0 if window.start == UNDATED else float(days([window.start])[0])


def _time_axis(ax: Axes, window: Window, start: float, end: float) -> Axes:
    """Calendar months, days of a month for a short span, or days where there are no dates."""
    if window.start == UNDATED:
        ax.set_xlim(start, end)
        ax.set_xlabel("days")
        return ax
    first, last = window.start + timedelta(days=start), window.start + timedelta(days=end)
    if end - start >= SHORT:
        calendar(ax, first, last)
        return ax
    step = max(1, int(np.ceil((end - start) / 6)))
    at = [window.start + timedelta(days=int(np.ceil(start)) + n * step) for n in range(7)]
    at = [day for day in at if day <= last]
    labels = [
        f"{day.day} {day:%b}" + (f"\n{day.year}" if n == 0 else "\n ") for n, day in enumerate(at)
    ]
    ax.set_xticks(days(at), labels)
    low = _origin(window)
    ax.set_xlim(low + start, low + end)
    return ax


def _days(number: float) -> str:
    if number < 1 / 24:
        return f"{number * 1440:.0f} min"
    return f"{number * 24:.1f} h" if number < 1 else f"{number:.1f} days"


def _bow(start: NDArray[np.float64], end: NDArray[np.float64]) -> tuple[Path, tuple[float, float]]:
    """A bowed path between two nodes, short of both, and the place of its label."""
    along = end - start
    across = np.array([along[1], -along[0]])
    middle = (start + end) / 2 + 0.2 * across
    a = start + RADIUS * (middle - start) / np.linalg.norm(middle - start)
    b = end + 1.2 * RADIUS * (middle - end) / np.linalg.norm(middle - end)
    bow = Path(np.array([a, middle, b]), [Path.MOVETO, Path.CURVE3, Path.CURVE3])
    # Nearer to the source: where arrows cross, their labels then do not.
    t = 0.4
    x, y = (1 - t) ** 2 * a + 2 * t * (1 - t) * middle + t**2 * b
    x, y = np.array([x, y]) + 0.17 * across / np.linalg.norm(across)
    return bow, (float(x), float(y))


def _loop(node: NDArray[np.float64]) -> tuple[Path, tuple[float, float]]:
    """A loop from a node to itself, to the outer side, and the place of its label."""
    side = 1.0 if node[0] >= -1e-9 else -1.0
    steps = np.array([[0.75, 0.6], [3.1, 2.2], [3.1, -2.2], [0.95, -0.75]])
    loop = Path(
        node + RADIUS * steps * [side, 1.0], [Path.MOVETO, Path.CURVE4, Path.CURVE4, Path.CURVE4]
    )
    return loop, (float(node[0] + 4.1 * RADIUS * side), float(node[1]))


def _arc(x0: float, y0: float, x1: float, y1: float) -> NDArray[np.float64]:
    """A line from parent to child that leaves level, for overlapping pairs to be told apart."""
    t = np.linspace(0, 1, 14)
    return np.column_stack([x0 + (x1 - x0) * t, y0 + (y1 - y0) * t**2 * (3 - 2 * t)])
