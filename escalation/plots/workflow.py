"""Drawings of the workflow: predictive checks, calibration, comparison, sensitivities."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from escalation.plots.style import (
    GREY,
    HAIR,
    INK,
    RED,
    TOTAL_COLOUR,
    calendar,
    colour,
    days,
    say,
    tint,
    wrapped,
)

if TYPE_CHECKING:
    from escalation.checks import (
        Calibration,
        Comparison,
        PredictiveCheck,
        PriorPredictive,
        Sensitivity,
        Unrecorded,
    )

BINS = 24
MOST = 24
"""Quantities that a drawing of sensitivities names."""


def statistic(ax: Axes, check: PredictiveCheck, name: str, stream: str) -> Axes:
    """Histogram of one statistic of the replicated series, with the observed one as a line.

    Parameters
    ----------
    name : str
        Such as "largest count".
    stream : str
        A stream, or a pair as the check's table writes it.
    """
    pairs = list(zip(check.statistics, check.streams, strict=True))
    if (name, stream) not in pairs:
        raise ValueError(f"no statistic {name!r} of {stream!r}; there are {pairs}")
    at = pairs.index((name, stream))
    values, seen = check.replicated[:, at], float(check.observed[at])
    low, high = min(values.min(), seen), max(values.max(), seen)
    edges = np.linspace(low, high, BINS + 1) if high > low else np.array([low - 0.5, low + 0.5])
    if np.all(values == np.floor(values)) and high - low < 200:
        step = max(1, int(-(-(high - low + 1) // BINS)))
        edges = np.arange(low - 0.5, high + step + 0.5, step)
    heights, _ = np.histogram(values, edges)
    hue = colour(check.names.index(stream)) if stream in check.names else TOTAL_COLOUR
    ax.stairs(heights, edges, fill=True, color=tint(hue, 0.55))
    odd = check.p_values[at] * len(pairs) < 0.05
    ax.axvline(seen, color=RED if odd else INK, linewidth=1.4)
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(wrapped(name, 40, 1), parse_math=False)
    ax.set_title(wrapped(stream, 40, 1), parse_math=False)
    ax.locator_params(axis="x", nbins=5)
    return ax


def ranks(ax: Axes, check: PredictiveCheck, stream: str, *, bins: int = 10) -> Axes:
    """Rank histogram: where a stream's counts stand among the replicated ones; level is right."""
    heights = check.rank_histogram(stream, bins) * bins
    hue = colour(check.names.index(stream))
    ax.stairs(heights, np.linspace(0, 1, bins + 1), fill=True, color=tint(hue, 0.6))
    ax.axhline(1, color=INK, linewidth=0.7, linestyle=(0, (3, 2)))
    ax.set_xlim(0, 1)
    ax.set_ylim(0, max(2.0, float(heights.max()) * 1.05))
    ax.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    ax.set_yticks([])
    ax.spines["left"].set_visible(False)
    ax.set_title(wrapped(stream, 40, 1), parse_math=False)
    return ax


def prior_counts(ax: Axes, prior: PriorPredictive) -> Axes:
    """What the prior says of a period's count: 50 and 90 % of it and the 99th percentile."""
    levels = prior.LEVELS
    at = {level: prior.quantiles[levels.index(level)] for level in levels}
    for k, _ in enumerate(prior.check.names):
        hue = colour(k)
        ax.hlines(k, at[0.05][k] + 1, at[0.95][k] + 1, color=tint(hue, 0.45), linewidth=5)
        ax.hlines(k, at[0.25][k] + 1, at[0.75][k] + 1, color=hue, linewidth=5)
        ax.plot([at[0.5][k] + 1], [k], "o", color="white", markersize=3)
        if np.isfinite(at[0.99][k]):
            ax.plot([at[0.99][k] + 1], [k], "|", color=INK, markersize=8)
    ax.set_xscale("log")
    ticks = [0, 1, 3, 10, 30, 100, 300, 1000, 3000, 10_000]
    top = max(float(np.max(at[0.99], where=np.isfinite(at[0.99]), initial=1.0)), 1.0)
    shown = [tick for tick in ticks if tick <= 1.6 * top]
    ax.set_xticks([tick + 1 for tick in shown], [f"{tick:,}" for tick in shown])
    ax.set_xticks([], minor=True)
    names = [wrapped(name, 24, 2) for name in prior.check.names]
    ax.set_yticks(range(len(names)), names, parse_math=False)
    ax.set_ylim(len(names) - 0.5, -0.5)
    ax.set_xlabel(f"incidents a {prior.period}")
    return ax


def calibration_ranks(ax: Axes, calibration: Calibration) -> Axes:
    """ECDF of every quantity's ranks minus the uniform one, in the band of 1 % over all of them.

    A hump above zero: the truth lies lower than the draws; an S: draws too narrow or too wide.
    """
    n = calibration.draws
    places = np.concatenate([[0.0], np.arange(1, n + 1) / (n + 1), [1.0]])
    lower, upper = calibration.bands()
    inner = places[1:-1]
    ends = [np.concatenate([[0.0], one - inner, [0.0]]) for one in (lower, upper)]
    ax.fill_between(places, ends[0], ends[1], color=HAIR, linewidth=0, zorder=0)
    ax.axhline(0, color=GREY, linewidth=0.6)
    outside = calibration.p_values * len(calibration.names) < 0.01
    for q, line in enumerate(calibration.differences().T):
        path = np.concatenate([[0.0], line, [0.0]])
        hue = RED if outside[q] else tint(TOTAL_COLOUR, 0.75)
        ax.plot(places, path, color=hue, linewidth=1.4 if outside[q] else 0.7)
        if outside[q]:
            at = int(np.abs(path).argmax())
            ax.annotate(
                calibration.names[q], (places[at], path[at]), color=RED, fontsize=7,
                parse_math=False,
            )  # fmt: skip
    ax.set_xlim(0, 1)
    ax.set_xticks([0, 0.5, 1], ["0", "½", "1"])
    reach = 1.15 * max(float(np.abs(np.concatenate(ends)).max()),
                       float(np.abs(calibration.differences()).max()))  # fmt: skip
    ax.set_ylim(-reach, reach)
    ax.locator_params(axis="y", nbins=5)
    ax.set_xlabel("rank of the truth, as a share")
    return ax


def score_differences(ax: Axes, comparison: Comparison) -> Axes:
    """Cumulative log score of each model minus that of the best: who gains when."""
    if len(comparison.names) < 2:
        return say(ax, "one model only")
    best = comparison.scores[:, comparison.names.index(comparison.best)]
    when = days(comparison.starts)
    ax.axhline(0, color=INK, linewidth=0.8)
    for m, name in enumerate(comparison.names):
        if name == comparison.best:
            continue
        gain, error = comparison.difference(name, comparison.best)
        path = np.cumsum(comparison.scores[:, m] - best)
        hue = colour(m)
        ax.plot(when, path, color=hue, label=f"{name}: {gain:.1f} ± {error:.1f}")
    ax.set_ylabel("log score minus the best's")
    ax.set_title(f"best: {wrapped(comparison.best, 60, 1)}", parse_math=False)
    box = ax.legend(frameon=False, fontsize=8, loc="lower left")
    for text in box.get_texts():
        text.set_parse_math(False)
    calendar(ax, comparison.starts[0], comparison.starts[-1], 6)
    return ax


def power_scaling(ax: Axes, sensitivity: Sensitivity) -> Axes:
    """Sensitivity of each quantity to its prior and to the likelihood, the most sensitive first.

    The line is where a quantity begins to count, 0.05 or the noise. Filled: the prior; hollow: the
    likelihood.
    """
    order = np.argsort(-sensitivity.prior, kind="stable")[:MOST]
    said = sensitivity.diagnoses
    for place, q in enumerate(order):
        hue = RED if said[q] else TOTAL_COLOUR
        pair = [sensitivity.prior[q], sensitivity.likelihood[q]]
        ax.hlines(place, min(pair), max(pair), color=HAIR, linewidth=1.0)
        ax.plot(pair[1:], [place], "o", color=hue, markerfacecolor="white", markersize=4)
        ax.plot(pair[:1], [place], "o", color=hue, markersize=4)
    ax.axvline(sensitivity.threshold, color=GREY, linewidth=0.7, linestyle=(0, (3, 2)), zorder=0)
    names = [wrapped(sensitivity.names[q], 60, 1) for q in order]
    ax.set_yticks(range(len(order)), names, parse_math=False)
    ax.set_ylim(len(order) - 0.5, -0.5)
    ax.set_xlim(left=0)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("sensitivity to prior (filled) and likelihood (hollow)")
    return ax


def unrecorded(ax: Axes, found: Unrecorded, quantity: str = "branching ratio") -> Axes:
    """One quantity against the share of incidents taken out: mean and spread over thinnings.

    The interval is that of all thinnings together; crosses show what is said of all incidents, had
    that share gone unrecorded.
    """
    rows = [row for row in found.table().to_dicts() if row["quantity"] == quantity]
    if not rows:
        known = ", ".join(found.table()["quantity"].unique(maintain_order=True))
        raise ValueError(f"no quantity {quantity!r}; the quantities are {known}")

    def column(name: str) -> NDArray[np.float64]:
        return np.array([np.nan if row[name] is None else row[name] for row in rows], float)

    share, middle, between = column("share"), column("estimate"), column("between")
    ax.vlines(share, column("lower"), column("upper"), color=tint(TOTAL_COLOUR, 0.35), linewidth=5)
    ax.errorbar(
        share, middle, between, fmt="o", color=TOTAL_COLOUR, markersize=4, linewidth=1.2,
        label="refit after taking out",
    )  # fmt: skip
    if np.isfinite(column("all incidents")).any():
        ax.plot(
            share, column("all incidents"), "x", color=INK, markersize=5,
            label="of all incidents, had this share gone unrecorded",
        )  # fmt: skip
    ax.set_xticks(share, [f"{100 * one:g} %" for one in share])
    ax.set_ylim(bottom=0)
    ax.set_ylabel(quantity, parse_math=False)
    ax.set_xlabel("share of incidents taken out")
    ax.legend(frameon=False, fontsize=8)
    return ax
