"""Findings on deaths: the law's fit, later incidents against it, and whether means exist."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from escalation.checks.finding import Finding, percent, status_of
from escalation.checks.general import convergence
from escalation.severity import SeverityFit

#: Probability of an infinite mean above which a stream is named.
INFINITE = 0.05


def deaths_findings(fit: SeverityFit, exceedances: pl.DataFrame) -> tuple[Finding, ...]:
    """Check a law of deaths.

    Parameters
    ----------
    fit : SeverityFit
    exceedances : polars.DataFrame
        Of later incidents, see `severity.exceedances`.
    """
    reached = convergence(fit)
    return (
        replace(reached, name=f"Deaths: {reached.name.lower()}"),
        exceeded(exceedances),
        finite_mean(fit),
    )


def exceeded(table: pl.DataFrame) -> Finding:
    """Whether later incidents exceed the law's points as often as it says (Bonferroni)."""
    name, judged = "Deaths: later incidents", table.drop_nulls("p")
    if judged.is_empty():
        return Finding(name, "warned", "No later incident could be compared with the law.", table)
    worst = judged.sort("p", maintain_order=True).row(0, named=True)
    p = min(1.0, worst["p"] * len(judged))
    if p >= 0.01:
        text = "Later incidents exceeded the law’s points about as often as it says."
        return Finding(name, "passed", text, table)
    side = "few, so deaths are forecast too high" if worst["beyond"] < worst["expected"] else (
        "many, so deaths are forecast too low"
    )  # fmt: skip
    text = (
        f"Of {worst['incidents']} later incidents of {worst['stream']}, {worst['beyond']} exceeded "
        f"the law’s {percent(worst['share'])} point where it expects {worst['expected']:.1f}: too "
        f"{side}; try a shorter severity.memory."
    )
    return Finding(name, status_of(p), text, table)


def finite_mean(fit: SeverityFit) -> Finding:
    """Whether the mean number of deaths exists."""
    table = fit.table()
    odd = table.filter(pl.col("infinite mean") > INFINITE)
    if odd.is_empty():
        text = "The mean number of deaths in an incident exists in every stream."
        return Finding("Deaths: mean", "passed", text, table)
    named = ", ".join(
        f"{row['stream']} ({percent(row['infinite mean'])})" for row in odd.iter_rows(named=True)
    )
    text = f"The tail may be so heavy that there is no mean: {named}. Read quantiles, not means."
    return Finding("Deaths: mean", "warned", text, table)
