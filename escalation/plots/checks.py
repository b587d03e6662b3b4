"""Drawings of what a fit misses: residuals with memory, and counts it would not make."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from numpy.typing import NDArray

from escalation.plots.style import GREY, HAIR, INK, TOTAL_COLOUR, say, tint, whole

BARS = 12


def autocorrelation(
    ax: Axes, residuals: NDArray[np.float64], *, lags: int = 12, hue: str = TOTAL_COLOUR
) -> Axes:
    """Autocorrelation of one stream's residuals (T,), with the band of 95 % under no memory.

    NaN (periods outside the likelihood) are left out of every product.
    """
    values = residuals - np.nanmean(residuals) if np.isfinite(residuals).any() else residuals
    known = int(np.isfinite(values).sum())
    lags = min(lags, max(known - 2, 0))
    spread = np.nanmean(values**2) if known else 0.0
    if lags < 1 or spread == 0:
        return say(ax, "too short to tell")
    strength = [np.nanmean(values[lag:] * values[:-lag]) / spread for lag in range(1, lags + 1)]
    band = 1.96 / np.sqrt(known)
    ax.axhspan(-band, band, color=HAIR, alpha=0.6, linewidth=0)
    ax.axhline(0, color=GREY, linewidth=0.6)
    ax.vlines(range(1, lags + 1), 0, strength, color=hue, linewidth=2.2)
    ax.set_xlim(0.2, lags + 0.8)
    ax.set_xticks(range(2, lags + 1, max(2, lags // 4)))
    reach = max(0.25, float(np.nanmax(np.abs(strength))) * 1.15)
    ax.set_ylim(-reach, reach)
    ax.locator_params(axis="y", nbins=5)
    return ax


def predictive(
    ax: Axes,
    observed: NDArray[np.int64],
    replicated: NDArray[np.float64],
    *,
    hue: str = TOTAL_COLOUR,
) -> Axes:
    """How many periods had 0, 1, 2, … incidents, and how many the fitted model would have.

    Parameters
    ----------
    observed : array (T,)
        Counts of one stream.
    replicated : array (draws, T)
        Series simulated from the fit. Bars are observed, lines hold 90 % of the simulated series.
    """
    last = min(int(observed.max(initial=0)) + 1, BARS)
    seen = _distribution(observed[None], last)[0]
    expected = np.quantile(_distribution(replicated, last), [0.05, 0.5, 0.95], axis=0)
    places = np.arange(last + 1)
    ax.bar(places, seen, color=tint(hue, 0.55), width=0.84, linewidth=0)
    ax.vlines(places, expected[0], expected[2], color=INK, linewidth=0.9)
    ax.plot(places, expected[1], "o", color=INK, markersize=2.4)
    step = max(1, -(-last // 5))
    shown = places[last % step :: step]
    ax.set_xticks(shown, [f"{n}+" if n == last else f"{n}" for n in shown])
    whole(ax, float(max(seen.max(), expected[2].max())))
    return ax


def _distribution(counts: NDArray[np.generic], last: int) -> NDArray[np.float64]:
    """Periods with 0, 1, …, ``last`` or more incidents: (draws, last + 1)."""
    capped = np.minimum(counts, last)
    return np.stack([(capped == n).sum(axis=1) for n in range(last + 1)], axis=1).astype(float)
