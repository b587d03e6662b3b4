"""Checks of a count model: delay and residuals."""

from __future__ import annotations

from typing import Any

import numpy as np
import polars as pl

from escalation.checks.finding import Finding, percent, status_of
from escalation.checks.predictive import likelihood_periods
from escalation.counts import EndemicEpidemic
from escalation.fit import Fit
from escalation.kernels import ContinuousKernel, OneLag
from escalation.parameters import FloatArray
from escalation.series import CountSeries


def delay(fit: Fit) -> Finding:
    """Whether the periods are short enough to see the delay."""
    period = fit.series.period
    if not isinstance(fit.model, EndemicEpidemic):
        raise ValueError(f"this check needs a model with a kernel of delays, got {fit.model.name}")
    kernel = fit.model.kernel
    kernel = kernel.within(float(len(fit.series.counts)))
    name = "Delay against period"
    if not isinstance(kernel, ContinuousKernel):
        text = f"All offspring falls in the next {period} by definition."
        if not isinstance(kernel, OneLag):
            text = f"A delay is a whole number of {period}s, at least one, by definition."
        return Finding(name, "passed", text)
    own = kernel.parameters(period)
    theta = np.column_stack([fit.draws[p.name].reshape(len(fit.theta), -1) for p in own])
    median = float(np.median(kernel.median(theta)))
    lost = float(np.median(kernel.same_period(theta)))
    text = f"The median delay is {median:.2g} {period}s"
    if median < 1:
        return Finding(
            name,
            "warned",
            f"{text}, shorter than the {period}: some {percent(lost)} of the offspring falls in "
            f"the incident's own {period}, which R leaves out and the overdispersion takes up.",
        )
    return Finding(name, "passed", f"{text}, longer than the {period}.")


def pearson(fit: Fit) -> FloatArray:
    """Pearson residuals (T, K) at the estimate; NaN where the period is not in the likelihood."""
    series = fit.series
    if not isinstance(series, CountSeries):
        raise ValueError(f"this check needs a count model, got {fit.model.name}")
    model: Any = fit.model
    used = likelihood_periods(fit)[:, None]
    # A period that nobody watched has a mean of zero.
    spread = np.sqrt(np.where(used, model.variances(fit)[0], np.nan))
    out = (series.counts - model.means(fit)[0]) / spread
    return np.asarray(out, float)


def explosive(fit: Fit, rng: np.random.Generator | None = None) -> Finding:
    """Whether paths onward stay within reason, for models without a branching ratio.

    A path counts as explosive where a period of the next twelve holds more than ten times the
    largest count of its stream, and more than a hundred.
    """
    series, name = fit.series, "Explosive paths"
    rng = np.random.default_rng(0) if rng is None else rng
    ahead = fit.forecast(12, rng, draws=400).draws
    limit = 10 * np.maximum(series.counts.max(axis=0), 10)
    share = float((ahead > limit).any(axis=(1, 2)).mean())
    text = (
        f"{percent(share)} of the paths over the next 12 {series.period}s hold more than ten "
        "times the largest count of their stream"
    )
    if share > 0.5:
        return Finding(name, "failed", f"{text}: the fitted process grows without bound.")
    if share > 0.05:
        return Finding(name, "warned", f"{text}: the upper ends of its forecasts mean little.")
    return Finding(name, "passed", f"{text}.")


def residuals(fit: Fit) -> Finding:
    """Whether the one-step residuals are free of memory."""
    from statsmodels.stats.diagnostic import acorr_ljungbox

    values = pearson(fit)
    values = values[~np.isnan(values).any(axis=1)]
    name, names = "Memory left over", fit.series.names
    lags = min(10, len(values) // 5)
    if lags < 1:
        return Finding(name, "warned", "The series is too short to tell.")
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
    status = status_of(min(1.0, p[worst] * len(p)))
    meaning = {
        "passed": ": no memory is left over.",
        "warned": ": some memory is left over, R or its delay may be off.",
        "failed": ": the model misses memory in this stream; R and the forecast may be wrong.",
    }
    return Finding(name, status, text + meaning[status], table)
