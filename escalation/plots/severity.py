"""Drawings of the law of deaths per incident."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, NullFormatter

from escalation.plots.style import GREY, HAIR, INK, RED, colour, say, tint
from escalation.severity.law import deaths_at, survival

if TYPE_CHECKING:
    from escalation.severity import SeverityFit


def exceedance(
    ax: Axes,
    fit: SeverityFit,
    stream: int = 0,
    *,
    level: float = 0.9,
    reach: float | None = None,
    remark: bool = True,
) -> Axes:
    """Probability of at least so many deaths in an incident, on log-log axes.

    The line is the law with its parameters uncertain, the band its interval; dots are the best
    figures, ticks beside them the low and high ones; the dashed line is the threshold.

    Parameters
    ----------
    ax : Axes
    fit : SeverityFit
    stream : int
    level : float
        Of the band.
    reach : float, optional
        Most deaths shown; three times the highest figure of the stream if not given.
    remark : bool
        Write the probability of an infinite mean where it is above 1 in 20.
    """
    records, law = fit.records, fit.law()[:, stream]
    own = records.stream == stream
    best = records.best[own]
    if not (best > 0).any():
        return say(ax, "no deaths in the records")
    reach = max(20.0, 3.0 * float(records.high[own].max())) if reach is None else reach
    grid = np.unique(np.round(np.geomspace(1.0, reach, 160)))
    each = survival(grid[:, None] - 1, law[None], fit.threshold)
    low, high = np.quantile(each, [(1 - level) / 2, (1 + level) / 2], axis=1)
    hue = colour(stream)
    ax.fill_between(grid, low, high, color=tint(hue, 0.25), linewidth=0)
    ax.plot(grid, each.mean(axis=1), color=hue)
    for figure, mark, ink in (("low", "1", GREY), ("high", "2", GREY), ("best", "o", INK)):
        at, share = _observed(getattr(records, figure)[own])
        ax.plot(at, share, mark, color=ink, markersize=2.6, markeredgewidth=0.5, linestyle="")
    if np.isfinite(fit.threshold):
        ax.axvline(fit.threshold, color=GREY, linestyle="--", linewidth=0.7)
    _log_axes(ax, 1.0, reach)
    ax.set_ylim(0.2 / max(len(best), 5), 1.3)
    ax.set_xlabel("deaths in an incident")
    ax.set_ylabel("share with at least so many")
    infinite = float((law[:, 4] >= 1).mean())
    if remark and infinite > 0.05:
        ax.text(0.97, 0.96, f"infinite mean: probability {infinite:.2f}", color=RED, ha="right",
                va="top", transform=ax.transAxes, fontsize=8)  # fmt: skip
    return ax


def deaths_quantiles(ax: Axes, fit: SeverityFit, stream: int = 0, *, level: float = 0.9) -> Axes:
    """QQ plot of best figures against those that the law expects, on log-log axes.

    The band holds, for each rank, that share of the samples as large as the records, parameters
    uncertain. Records without deaths lie below the axes.
    """
    records, law = fit.records, fit.law()[:, stream]
    own = records.stream == stream
    best = np.sort(records.best[own])
    if len(best) < 2 or not (best > 0).any():
        return say(ax, "too few deaths to compare")
    size = len(best)
    ranks = np.unique(np.round(np.geomspace(1, size, 150)).astype(int))
    # One incident less than so many exceed it: the share of the largest is size / (size + 1).
    share = 1 - ranks / (size + 1)
    each = np.sort(_drawn(law, size, fit.threshold), axis=1)[:, size - ranks]
    low, high = np.quantile(each, [(1 - level) / 2, (1 + level) / 2], axis=0)
    middle = np.median(deaths_at(share[None], law[:, None], fit.threshold), axis=0)
    shown = middle >= 1
    hue = colour(stream)
    top = 2.0 * max(float(best[-1]), float(middle.max()))
    ax.fill_between(
        middle[shown], np.maximum(low[shown], 0.7), np.maximum(high[shown], 0.7),
        color=tint(hue, 0.25), linewidth=0,
    )  # fmt: skip
    ax.plot([1, top], [1, top], color=GREY, linewidth=0.7)
    ax.plot(middle[shown], best[size - ranks][shown], "o", color=hue, markersize=2.4,
            markeredgewidth=0)  # fmt: skip
    _log_axes(ax, 1.0, top)
    ax.set_ylim(0.8, max(top, float(high.max())))
    ax.set_xlabel("expected deaths")
    ax.set_ylabel("recorded deaths")
    return ax


def _drawn(law: np.ndarray, size: int, threshold: float) -> np.ndarray:
    rng = np.random.default_rng(0)
    chosen = law[rng.integers(len(law), size=400)]
    return deaths_at(rng.random((400, size)), chosen[:, None], threshold)


def _observed(deaths: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Each number of deaths from one on, and the share of incidents with at least so many."""
    at = np.unique(deaths[deaths > 0])
    return at, 1 - np.searchsorted(np.sort(deaths), at) / len(deaths)


def _log_axes(ax: Axes, low: float, high: float) -> None:
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlim(low * 0.9, high)
    ax.grid(color=HAIR, linewidth=0.4)
    ax.set_axisbelow(True)
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.10g}"))
        axis.set_minor_formatter(NullFormatter())
