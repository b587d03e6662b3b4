"""Checks: may the figures be trusted? Each finding says what it means for them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from escalation.counts import EndemicEpidemic
from escalation.dynamics import Dynamics
from escalation.engines import NUTS
from escalation.fit import Fit
from escalation.kernels import ContinuousKernel
from escalation.parameters import FloatArray

if TYPE_CHECKING:
    from escalation.backtest import Backtest
    from escalation.incidents import Incidents

STATUSES = ("passed", "warned", "failed")
#: Incidents below which a stream can say little.
FEW = 30
#: Two-sided p-values below which a finding warns, and fails.
WARN, FAIL = 0.01, 0.0001


@dataclass(frozen=True, eq=False)
class Finding:
    """One check: its name, how it ended, one sentence on what follows, and its figures.

    Attributes
    ----------
    name : str
    status : {"passed", "warned", "failed"}
    text : str
    table : polars.DataFrame or None
    """

    name: str
    status: str
    text: str
    table: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}, got {self.status!r}")

    @property
    def passed(self) -> bool:
        """Whether nothing was found against the figures."""
        return self.status == "passed"


@dataclass(frozen=True)
class Findings:
    """The findings of one run, in the order of the checks."""

    items: tuple[Finding, ...] = ()

    def __iter__(self) -> Iterator[Finding]:
        """Go through the findings."""
        return iter(self.items)

    def __len__(self) -> int:
        """Count the findings."""
        return len(self.items)

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that failed."""
        return tuple(one for one in self.items if one.status == "failed")

    def table(self) -> pl.DataFrame:
        """A row a finding: name, status, text; failed ones first."""
        ranked = sorted(self.items, key=lambda one: -STATUSES.index(one.status))
        return pl.DataFrame(
            [{"name": one.name, "status": one.status, "text": one.text} for one in ranked],
            schema={"name": pl.String, "status": pl.String, "text": pl.String},
        )

    def __repr__(self) -> str:
        """Say how many of each status."""
        tally = ", ".join(
            f"{sum(one.status == status for one in self.items)} {status}" for status in STATUSES
        )
        return f"Findings({tally})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{row['status']}</td><td>{escape(row['name'])}</td>"
            f"<td>{escape(row['text'])}</td></tr>"
            for row in self.table().iter_rows(named=True)
        )
        return f"<table><tbody>{rows}</tbody></table>"


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
    found = [convergence(fit), stability(fit.dynamics()), *amount(fit)]
    if isinstance(fit.model, EndemicEpidemic):
        found += [delay(fit), *residuals(fit), *predictive(fit, rng)]
    if alternatives is not None:
        found.append(apart_from_background(fit.dynamics(), alternatives))
    if incidents is not None:
        found += [rejected(incidents), imprecise(incidents)]
    if backtest is not None:
        found += [calibrated(backtest), skilful(backtest)]
    return Findings(tuple(found))


def convergence(fit: Fit) -> Finding:
    """Whether the engine found what it looked for."""
    told = fit.diagnostics
    if fit.engine == NUTS.name:
        text = (
            f"Largest R-hat {told['r_hat']:.3f} ({told['r_hat_of']}), smallest effective sample "
            f"{told['ess']:.0f} ({told['ess_of']}), divergences {told['divergences']}."
        )
        if told["r_hat"] > 1.01 or told["divergences"]:
            return Finding(
                "Convergence", "failed", f"{text} The chains disagree: trust no interval."
            )
        if told["ess"] < 400:
            return Finding("Convergence", "warned", f"{text} The ends of the intervals are rough.")
        return Finding("Convergence", "passed", f"{text} The chains agree.")
    stuck = [name for name in told["at_bound"] if not name.startswith("reproduction")]
    if not told["converged"]:
        text = "The optimiser did not reach a maximum: trust neither estimates nor intervals."
        return Finding("Convergence", "failed", text)
    if told["singular"]:
        text = "The data do not identify every parameter; intervals come from the bootstrap."
        return Finding("Convergence", "warned", text)
    if stuck:
        text = f"At a bound, its uncertainty not counted: {', '.join(stuck)}."
        return Finding("Convergence", "warned", text)
    return Finding("Convergence", "passed", "The optimiser reached a maximum of the likelihood.")


def stability(dynamics: Dynamics) -> Finding:
    """Whether the fitted process settles."""
    share = dynamics.supercritical
    text = f"{_percent(share)} of the draws have a branching ratio of 1 or more"
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


def delay(fit: Fit) -> Finding:
    """Whether the periods are short enough to see the delay."""
    kernel, period = _counted(fit).kernel, fit.series.period
    name = "Delay against period"
    if not isinstance(kernel, ContinuousKernel):
        return Finding(name, "passed", f"All offspring falls in the next {period} by definition.")
    own = len(kernel.parameters(period))
    theta = fit.theta[:, -own:]
    median = float(np.median(kernel.median(theta)))
    lost = float(np.median(kernel.same_period(theta)))
    text = f"The median delay is {median:.2g} {period}s"
    if median < 1:
        return Finding(
            name,
            "warned",
            f"{text}, shorter than the {period}: some {_percent(lost)} of the offspring falls in "
            f"the incident's own {period}, which R leaves out and the overdispersion takes up.",
        )
    return Finding(name, "passed", f"{text}, longer than the {period}.")


def pearson(fit: Fit) -> FloatArray:
    """Pearson residuals (T, K) at the estimate; NaN where the period is not in the likelihood."""
    series, model = fit.series, _counted(fit)
    mean = model.means(fit)[0]
    psi = fit.estimate.get("dispersion", np.zeros(()))
    used = model.used(series)
    # A period that nobody watched has a mean of zero.
    spread = np.where(used[:, None], np.sqrt(mean * (1 + psi * mean)), np.nan)
    out = (series.counts - mean) / spread
    return np.asarray(out, float)


def residuals(fit: Fit) -> list[Finding]:
    """Whether the one-step residuals are free of memory, and of each other."""
    from statsmodels.stats.diagnostic import acorr_ljungbox

    values = pearson(fit)
    values = values[~np.isnan(values).any(axis=1)]
    names = fit.series.names
    lags = min(10, len(values) // 5)
    if lags < 1:
        return [Finding("Memory left over", "warned", "The series is too short to tell.")]
    p = [
        1.0 if np.ptp(column) == 0 else float(acorr_ljungbox(column, [lags])["lb_pvalue"].iloc[0])
        for column in values.T
    ]
    worst = int(np.argmin(p))
    table = pl.DataFrame({"stream": list(names), "p_value": p})
    text = (
        f"Ljung–Box test of the residuals over {lags} {fit.series.period}s: "
        f"smallest p {p[worst]:.2g} ({names[worst]})"
    )
    status = _status(min(1.0, p[worst] * len(p)))
    meaning = {
        "passed": ": no memory is left over.",
        "warned": ": some memory is left over, R or its delay may be off.",
        "failed": ": the model misses memory in this stream; R and the forecast may be wrong.",
    }
    found = [Finding("Memory left over", status, text + meaning[status], table)]
    if len(names) > 1:
        found.append(_together(values, names, fit.series.period))
    return found


def _together(values: FloatArray, names: tuple[str, ...], period: str) -> Finding:
    with np.errstate(invalid="ignore"):
        correlation: FloatArray = np.nan_to_num(np.corrcoef(values.T))
    upper = np.triu_indices(len(names), 1)
    strength = np.abs(correlation[upper])
    at = int(strength.argmax())
    i, j = upper[0][at], upper[1][at]
    # Fisher's z, with a Bonferroni correction for the number of pairs.
    z = np.arctanh(min(strength[at], 1 - 1e-12)) * np.sqrt(max(len(values) - 3, 1))
    p = min(1.0, float(_normal_tail(z)) * len(strength))
    text = (
        f"Strongest correlation of the residuals within a {period}: {correlation[i, j]:.2f} "
        f"({names[i]}; {names[j]})"
    )
    status = "passed" if p >= WARN else "warned"
    meaning = {
        "passed": ": the streams do not move together beyond what R says.",
        "warned": (
            f": streams move together within the {period}, which R cannot say; intervals of sums "
            "are too narrow."
        ),
    }
    return Finding("Shared shocks", status, text + meaning[status])


def _normal_tail(z: float) -> float:
    from math import erfc, sqrt

    return erfc(z / sqrt(2))


def predictive(fit: Fit, rng: np.random.Generator, draws: int = 1000) -> list[Finding]:
    """Posterior predictive checks: quiet periods, largest count and spread of each stream."""
    series = fit.series
    used = _counted(fit).used(series)
    copies = fit.replicate(rng, draws)[:, used]
    copies = copies[np.isfinite(copies).all(axis=(1, 2))]
    rows = []
    for label, statistic in STATISTICS.items():
        seen, copied = statistic(series.counts[None, used])[0], statistic(copies)
        above, below = (copied >= seen).mean(axis=0), (copied <= seen).mean(axis=0)
        for k, name in enumerate(series.names):
            low, middle, high = np.quantile(copied[:, k], [0.05, 0.5, 0.95])
            rows.append(
                {
                    "stream": name,
                    "statistic": label,
                    "observed": float(seen[k]),
                    "replicated": float(middle),
                    "lower": float(low),
                    "upper": float(high),
                    "p_value": min(1.0, 2 * float(min(above[k], below[k])) + 1 / len(copies)),
                }
            )
    table = pl.DataFrame(rows)
    odd = table.filter(pl.col("p_value") * len(rows) < 0.05)
    name = "Replicated series"
    if odd.is_empty():
        text = "Series drawn from the fit have as many quiet periods, as high peaks and as much "
        return [Finding(name, "passed", f"{text}spread as the one observed.", table)]
    first = odd.sort("p_value").row(0, named=True)
    text = (
        f"{len(odd)} of {len(rows)} figures of the observed series are unusual for the fit; most "
        f"of all the {first['statistic']} of {first['stream']}: {first['observed']:.3g}, "
        f"replicated {first['lower']:.3g} to {first['upper']:.3g}. Forecasts share this fault."
    )
    return [Finding(name, "warned", text, table)]


STATISTICS: dict[str, Callable[[FloatArray], FloatArray]] = {
    "share of quiet periods": lambda counts: (counts == 0).mean(axis=1),
    "largest count": lambda counts: counts.max(axis=1),
    "standard deviation": lambda counts: counts.std(axis=1),
}


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
        f"{_percent(share)} of the incidents are dated to a span of days and stand at its first day"
    )
    if share > 0.1:
        meaning = ": responses within a few weeks are blurred."
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
        f"Of the past outcomes, the 90 % intervals held {_percent(min(seen['share']))} to "
        f"{_percent(max(seen['share']))} by stream"
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


def _counted(fit: Fit) -> EndemicEpidemic:
    if not isinstance(fit.model, EndemicEpidemic):
        raise ValueError(f"this check needs a count model, got {fit.model.name}")
    return fit.model


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"


def _status(p: float) -> str:
    return "failed" if p < FAIL else "warned" if p < WARN else "passed"
