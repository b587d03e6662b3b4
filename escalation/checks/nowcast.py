"""Findings on late reports: whether a nowcast may be trusted, and who has it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import polars as pl

from escalation.checks.finding import Finding, percent
from escalation.checks.general import convergence
from escalation.nowcast import NowcastFit
from escalation.series import CountSeries

#: Of the incidents of the last periods, the share that may be missing without a warning.
MISSING = 0.05


def late_findings(fit: NowcastFit, recorded: CountSeries, completed: bool) -> tuple[Finding, ...]:
    """Check a nowcast, and whether the headline model was fitted to what it completes.

    Parameters
    ----------
    fit : NowcastFit
    recorded : CountSeries
        The counts that the nowcast is to complete, of the same streams up to the same day.
    completed : bool
    """
    return (weighed(fit), agreeing(fit, recorded), missing(fit, completed))


def agreeing(fit: NowcastFit, recorded: CountSeries) -> Finding:
    """Whether reports and incidents tell of the same last periods."""
    triangle = fit.triangle
    told = triangle.reported[-triangle.longest :].sum(axis=0)
    counted = recorded.counts[-triangle.longest :].sum(axis=0)
    table = pl.DataFrame({"stream": triangle.names, "reports": told, "incidents": counted})
    odd = table.filter(pl.col("reports") != pl.col("incidents"))
    if odd.is_empty():
        text = "Reports and incidents tell of the same numbers in the last periods."
        return Finding("Reports against incidents", "passed", text, table)
    row = odd.row(0, named=True)
    text = (
        f"In the last {triangle.longest} {triangle.period}s the reports tell of {row['reports']} "
        f"incidents of {row['stream']}, the incidents file of {row['incidents']}: is a date of "
        f"report missing, or after the last {triangle.period}?"
    )
    return Finding("Reports against incidents", "warned", text, table)


def weighed(fit: NowcastFit) -> Finding:
    """Whether the engine found what it looked for."""
    found = convergence(fit)
    return replace(found, name=f"Nowcast: {found.name.lower()}")


def missing(fit: NowcastFit, completed: bool) -> Finding:
    """How much of the last periods is probably not reported yet, and who knows of it."""
    triangle = fit.triangle
    totals = fit.totals()[:, -triangle.longest :].sum(axis=(1, 2))
    reported = float(triangle.reported[-triangle.longest :].sum())
    probable = float(np.quantile(totals, 0.5, method="inverted_cdf"))
    share = 1 - reported / probable if probable else 0.0
    text = (
        f"Of the incidents of the last {triangle.longest} {triangle.period}s {percent(share)} are "
        "probably not reported yet"
    )
    if completed:
        return Finding(
            "Late reports", "passed", f"{text}; the model is fitted to completed series."
        )
    if share <= MISSING:
        return Finding("Late reports", "passed", f"{text}.")
    text += (
        ", and the model takes the counts as they are: its forecasts are too low. With "
        "nowcast.complete = true it is fitted to completed series."
    )
    return Finding("Late reports", "warned", text)
