"""A check of count models: streams that move together within a period."""

from __future__ import annotations

import numpy as np
import polars as pl

from escalation.checks.counts import pearson
from escalation.checks.finding import WARN, Finding
from escalation.fit import Fit
from escalation.parameters import FloatArray


def shared_shock(fit: Fit, draws: int = 400, rng: np.random.Generator | None = None) -> Finding:
    """Whether the streams' Pearson residuals move together within a period.

    The statistic is the sum over pairs of the products of the residuals, which a shared
    multiplier makes positive; its law under independence comes from shifting the streams against
    each other in time, which leaves each one's own law and memory alone.

    Parameters
    ----------
    fit : Fit
        Of a count model of two streams or more.
    draws : int
        Number of shifted copies.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given.
    """
    name, period = "Shared shocks", fit.series.period
    values = pearson(fit)
    values = values[~np.isnan(values).any(axis=1)]
    if values.shape[1] < 2 or len(values) < 10:
        return Finding(name, "passed", "A single stream, or too few periods to compare several.")
    if getattr(fit.model, "shared_shock", False):
        variance = float(fit.estimate["shock"])
        text = f"The model has a factor that all streams share in a {period}; its variance is"
        return Finding(name, "passed", f"{text} {variance:.2g}.")
    rng = np.random.default_rng(0) if rng is None else rng
    spread = values.std(axis=0)
    scaled = (values - values.mean(axis=0)) / np.where(spread > 0, spread, 1.0)
    seen = _together(scaled)
    shifts = rng.integers(0, len(scaled), (draws, scaled.shape[1]))
    shifts[:, 0] = 0
    rows = np.arange(len(scaled))
    copies = [
        _together(np.stack([scaled[(rows + s) % len(rows), k] for k, s in enumerate(one)], axis=1))
        for one in shifts
    ]
    p = (1 + sum(copy >= seen for copy in copies)) / (draws + 1)
    correlation: FloatArray = scaled.T @ scaled / len(rows)
    upper = np.triu_indices(scaled.shape[1], 1)
    names = fit.series.names
    table = pl.DataFrame(
        {
            "stream": [names[i] for i in upper[0]],
            "other": [names[j] for j in upper[1]],
            "correlation": correlation[upper],
        }
    )
    text = (
        f"Mean correlation of the streams' residuals within a {period}: "
        f"{float(correlation[upper].mean()):.2f} (p {p:.2g})"
    )
    if p >= WARN:
        return Finding(name, "passed", f"{text}: they do not move together.", table)
    return Finding(
        name,
        "warned",
        f"{text}: they move together, which R cannot say, and intervals of sums are too narrow. "
        "Fit the model with shared_shock=True.",
        table,
    )


def _together(values: FloatArray) -> float:
    """Mean over periods of the sum over pairs of products of residuals (T, K)."""
    total = values.sum(axis=1)
    return float((total**2 - (values**2).sum(axis=1)).mean() / 2)
