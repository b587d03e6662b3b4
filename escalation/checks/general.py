"""Checks: may the figures be trusted? Each finding says what it means for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from escalation.checks.counts import delay, explosive, residuals
from escalation.checks.deterrence import deterrence
from escalation.checks.events import event_findings
from escalation.checks.finding import Finding, Findings, percent
from escalation.checks.predictive import RanAway, predictive_check
from escalation.checks.shared_shock import shared_shock
from escalation.counts import EndemicEpidemic
from escalation.dynamics import Dynamics
from escalation.engines import NUTS, Laplace
from escalation.fit import Fit
from escalation.hawkes import Hawkes
from escalation.series import CountSeries

if TYPE_CHECKING:
    from escalation.backtest import Backtest
    from escalation.incidents import Incidents

#: Incidents below which a stream can say little.
FEW = 30
#: E-BFMI below which a sampler is slow in the tails.
LOW_ENERGY = 0.3
#: Effective draws of every scalar that the ends of 90 % intervals want.
ENOUGH = 400
#: Pareto shape of importance weights above which they are doubtful (Vehtari et al. 2024).
DOUBTFUL = 0.7


def check(
    fit: Fit,
    rng: np.random.Generator | None = None,
    *,
    incidents: Incidents | None = None,
    alternatives: Mapping[str, Dynamics] | None = None,
    backtest: Backtest | None = None,
) -> Findings:
    """Check a fit, and what else of a study is at hand.

    Parameters
    ----------
    fit : Fit
    rng : numpy.random.Generator, optional
        For the replicated series of the predictive checks; seeded with 0 if not given.
    incidents : Incidents, optional
        Adds what was rejected or imprecise.
    alternatives : mapping of str to Dynamics, optional
        The model under other backgrounds; adds whether R is identified apart from them.
    backtest : Backtest, optional
        Adds calibration and skill; its first model is the one judged, the others its rivals.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    found = [convergence(fit), *amount(fit)]
    if getattr(fit.model, "additive", True):
        found.insert(1, stability(fit.dynamics()))
    elif isinstance(fit.series, CountSeries):
        found.insert(1, explosive(fit))
    if isinstance(fit.model, EndemicEpidemic):
        found += [delay(fit), deterrence(fit)]
    if isinstance(fit.series, CountSeries):
        found.append(residuals(fit))
        if fit.series.n_streams > 1:
            found.append(shared_shock(fit, rng=rng))
        found.append(_replicated(fit, rng))
    if isinstance(fit.model, Hawkes):
        found += event_findings(fit, rng)
    if alternatives is not None:
        found.append(apart_from_background(fit.dynamics(), alternatives))
    if incidents is not None:
        found += [rejected(incidents), imprecise(incidents)]
    if backtest is not None:
        found += [calibrated(backtest), skilful(backtest)]
    return Findings(tuple(found))


def _replicated(fit: Fit, rng: np.random.Generator) -> Finding:
    """Whether the fit simulates series like the one it has seen."""
    try:
        return predictive_check(fit, rng).finding()
    except RanAway:
        text = "Every series simulated from the fit runs away: it describes no such series."
        return Finding("Replicated series", "failed", text)


def convergence(fit: Fit) -> Finding:
    """Whether the engine found what it looked for."""
    told = fit.diagnostics
    if fit.engine == NUTS.name:
        return mixing(fit)
    stuck = [name for name in told["at_bound"] if not name.startswith("reproduction")]
    if not told["converged"]:
        text = "The optimiser did not reach a maximum: trust neither estimates nor intervals."
        return Finding("Convergence", "failed", text)
    if told["singular"]:
        text = f"The data do not identify every parameter; intervals: {told['intervals']}."
        return Finding("Convergence", "warned", text)
    if (doubt := _doubts(told)) is not None:
        return Finding("Convergence", "warned", doubt)
    unknown = [*told.get("silent", ()), *told.get("vanishing", ())]
    if unknown:
        text = f"The data say nothing of, or only bound: {', '.join(unknown)}."
        return Finding("Convergence", "warned", text)
    if stuck:
        text = f"At a bound, its uncertainty not counted: {', '.join(stuck)}."
        return Finding("Convergence", "warned", text)
    of = "posterior" if fit.engine == Laplace.name else "likelihood"
    return Finding("Convergence", "passed", f"The optimiser reached a maximum of the {of}.")


def _doubts(told: Mapping[str, Any]) -> str | None:
    """What speaks against the weights of a nested approximation, if it has any."""
    shapes = [told[name] for name in ("pareto_shape", "path_shape") if name in told]
    bad = [shape for shape in shapes if not shape <= DOUBTFUL]
    if bad:
        return (
            f"The weights of the approximation are doubtful (Pareto shape {max(bad):.2f}): compare "
            "a fit by NUTS."
        )
    if min(told.get("weights_power", 1.0), told.get("path_power", 1.0)) < 1:
        return (
            "Too few points of the approximation count, so their weights were evened out: the "
            "intervals are rough; compare a fit by NUTS."
        )
    return None


def mixing(fit: Fit) -> Finding:
    """Whether the sampler's chains agree, and whether it saw the whole of the posterior.

    The limits of R-hat and of effective draws are those of Vehtari et al. (2021), Bayesian
    Analysis 16(2); that of E-BFMI, the share of the energy's spread that a step renews, is
    Betancourt's (2016), arXiv:1604.00695.
    """
    told, name = fit.diagnostics, "Convergence"
    text = (
        f"Largest R-hat {told['r_hat']:.3f} ({told['r_hat_of']}), smallest effective sample "
        f"{told['ess']:.0f} ({told['ess_of']}), divergences {told['divergences']}"
    )
    energy = float(np.min(told.get("e_bfmi", np.inf)))
    text += f", E-BFMI {energy:.2f}." if np.isfinite(energy) else "."
    table = None
    if "labels" in told:
        columns = {"parameter": "labels", "r_hat": "r_hats", "ess_bulk": "ess_bulk",
                   "ess_tail": "ess_tail"}  # fmt: skip
        table = pl.DataFrame({name: list(told[key]) for name, key in columns.items()})
        table = table.sort("r_hat", descending=True)
    if told["r_hat"] > 1.01 or told["divergences"]:
        meaning = "The chains disagree: trust no interval."
        if told["r_hat"] <= 1.01:
            meaning = "Divergences: a corner of the posterior may be missing from every interval."
        return Finding(name, "failed", f"{text} {meaning}", table)
    if energy < LOW_ENERGY:
        return Finding(name, "warned", f"{text} The sampler moves slowly in the tails.", table)
    if told["ess"] < ENOUGH:
        return Finding(name, "warned", f"{text} The ends of the intervals are rough.", table)
    return Finding(name, "passed", f"{text} The chains agree.", table)


def stability(dynamics: Dynamics) -> Finding:
    """Whether the fitted process settles."""
    share = dynamics.supercritical
    text = f"{percent(share)} of the draws have a branching ratio of 1 or more"
    if share > 0.5:
        return Finding("Stability", "failed", f"{text}: the fitted process grows without bound.")
    if share > 0.05:
        return Finding(
            "Stability", "warned", f"{text}: long forecasts and total effects are unbounded there."
        )
    return Finding("Stability", "passed", f"{text}: the fitted process settles.")


def amount(fit: Fit) -> list[Finding]:
    """Whether each stream has enough incidents to speak."""
    series = fit.series
    totals = (
        series.counts.sum(axis=0)
        if hasattr(series, "counts") and not callable(series.counts)
        else np.array([len(times) for times in series.times])
    )
    table = pl.DataFrame({"stream": list(series.names), "incidents": totals})
    empty = [name for name, n in zip(series.names, totals, strict=True) if n == 0]
    few = [name for name, n in zip(series.names, totals, strict=True) if 0 < n < FEW]
    if empty:
        text = f"No incidents in the window: {'; '.join(empty)}. Nothing can be said of them."
        return [Finding("Amount of data", "failed", text, table)]
    if few:
        text = f"Fewer than {FEW} incidents: {'; '.join(few)}. Their arrows are mostly prior."
        return [Finding("Amount of data", "warned", text, table)]
    text = f"Every stream has at least {int(totals.min())} incidents."
    return [Finding("Amount of data", "passed", text, table)]


def apart_from_background(headline: Dynamics, alternatives: Mapping[str, Dynamics]) -> Finding:
    """Whether R stands whatever the background: see `identified`."""
    middle = {key: float(np.median(one.branching_ratio)) for key, one in alternatives.items()}
    table = pl.DataFrame(
        {"background": list(middle), "branching_ratio": list(middle.values())},
    )
    told = ", ".join(f"{value:.2f} ({key})" for key, value in middle.items())
    name = "Apart from the background"
    if identified(headline, alternatives):
        text = f"The branching ratio stands whatever the background: {told}."
        return Finding(name, "passed", text, table)
    text = (
        f"The branching ratio depends on the background: {told}. Slow change of the rate and what "
        "incidents set off look alike here; the figure is not identified."
    )
    return Finding(name, "warned", text, table)


def identified(
    headline: Dynamics, alternatives: Mapping[str, Dynamics], level: float = 0.9
) -> bool:
    """Whether the branching ratio stands apart from the background.

    False where its median moves between backgrounds by more than half the width of the headline's
    interval.
    """
    ends = np.quantile(headline.branching_ratio, [(1 - level) / 2, (1 + level) / 2])
    points = [float(np.median(one.branching_ratio)) for one in alternatives.values()]
    return bool(max(points) - min(points) <= (ends[1] - ends[0]) / 2)


def rejected(incidents: Incidents) -> Finding:
    """How many rows of the file were not taken."""
    told = incidents.provenance
    share = told.rows_rejected / max(told.rows_read, 1)
    text = f"{told.rows_rejected} of {told.rows_read} rows were rejected"
    if share > 0.05:
        return Finding(
            "Rejected rows", "failed", f"{text}: the counts are too low.", incidents.rejected
        )
    status = "warned" if told.rows_rejected else "passed"
    listed = "; the data page lists them" if told.rows_rejected else ""
    return Finding("Rejected rows", status, f"{text}{listed}.", incidents.rejected)


def imprecise(incidents: Incidents) -> Finding:
    """How many dates are known only to a span of days."""
    table = incidents.table
    late = (table["date_latest"] > table["date"]).sum()
    share = float(late) / max(len(table), 1)
    text = (
        f"{percent(share)} of the incidents are dated to a span of days and stand at its first day"
    )
    if share > 0.1:
        meaning = (
            ": responses within a few weeks are blurred; fit_over_dates says how much hangs on it."
        )
        return Finding("Imprecise dates", "warned", text + meaning)
    return Finding("Imprecise dates", "passed", f"{text}.")


def calibrated(backtest: Backtest) -> Finding:
    """Whether nine in ten of the past outcomes lay in the 90 % intervals."""
    model = backtest.models[0]
    table = backtest.calibration().filter(pl.col("model") == model, pl.col("level") == 0.9)
    seen = table.drop_nulls("share")
    if seen.is_empty():
        return Finding("Calibration", "warned", "No past forecast could be scored.", table)
    worst = seen.sort((pl.col("share") - 0.9).abs(), descending=True).row(0, named=True)
    text = (
        f"Of the past outcomes, the 90 % intervals held {percent(min(seen['share']))} to "
        f"{percent(max(seen['share']))} by stream"
    )
    off = abs(worst["share"] - 0.9)
    sure = worst["lower"] is None or not worst["lower"] <= 0.9 <= worst["upper"]
    if off > 0.04 and sure:
        side = "narrow" if worst["share"] < 0.9 else "wide"
        status = "failed" if off > 0.15 and side == "narrow" else "warned"
        return Finding("Calibration", status, f"{text}: too {side} for {worst['stream']}.", table)
    return Finding("Calibration", "passed", f"{text}.", table)


def skilful(backtest: Backtest) -> Finding:
    """Whether the model's past forecasts beat the best baseline, for all streams together."""
    model, whole = backtest.models[0], f"1–{backtest.horizon}"
    rows = []
    for rival in backtest.models[1:]:
        table = backtest.skill(rival)
        rows.append(
            table.filter(
                pl.col("model") == model,
                pl.col("stream") == backtest.streams[-1],
                pl.col("block") == whole,
            ).with_columns(pl.lit(rival).alias("rival"))
        )
    table = pl.concat(rows).drop_nulls("relative_crps") if rows else pl.DataFrame()
    name = "Skill"
    if table.is_empty():
        return Finding(name, "warned", "No past forecast could be compared with a baseline.")
    worst = table.sort("relative_crps", descending=True).row(0, named=True)
    text = (
        f"Against the best baseline ({worst['rival']}) the CRPS of the sum of all streams is "
        f"{worst['relative_crps']:.2f} times as large"
    )
    if worst["relative_crps"] > 1:
        lower = worst["relative_crps_lower"]
        status = "failed" if lower is not None and lower > 1 else "warned"
        return Finding(name, status, f"{text}: prefer the baseline's forecast.", table)
    return Finding(name, "passed", f"{text}: the model's forecasts were better.", table)
