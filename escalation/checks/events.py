"""Checks of a Hawkes process: time rescaling, a trend, incidents on the same day, slow delays."""

from __future__ import annotations

import numpy as np

from escalation.checks.finding import Finding, status_of
from escalation.fit import Fit
from escalation.hawkes.residuals import residuals
from escalation.hawkes.same_day import same_day_test
from escalation.hawkes.trend_test import trend_test

#: Series simulated for the p-values of the residuals.
SAMPLES = 99
#: A median delay below this many days cannot be told from one on the same day.
FAST = 0.07


def event_findings(fit: Fit, rng: np.random.Generator) -> list[Finding]:
    """The findings of a fitted `Hawkes` model, in their order."""
    found = [rescaled(fit, rng), trended(fit)]
    if fit.series.resolution == "day":
        found += [same_day(fit), fast(fit)]
    return found


def rescaled(fit: Fit, rng: np.random.Generator, samples: int = SAMPLES) -> Finding:
    """Whether the events, once the fitted rate is taken out, come like those of a Poisson process.

    p-values are corrected for the estimated parameters by simulation and refits.
    """
    told = residuals(fit, rng, samples)
    p = np.fmin(told.p_kolmogorov_smirnov, told.p_anderson_darling)
    name = "Residuals"
    if np.isnan(p).all():
        return Finding(name, "warned", "Too few events to tell.", told.table())
    worst = int(np.nanargmin(p))
    # Two tests a stream; a bootstrap of this size cannot tell smaller p-values than 1 in 100.
    corrected = min(1.0, 2 * np.isfinite(p).sum() * float(p[worst]))
    text = (
        f"Residuals by time rescaling, {told.samples} series simulated and refitted: smallest p "
        f"{p[worst]:.2g} ({told.names[worst]})"
    )
    status = "passed" if corrected > 0.05 else "warned"
    meaning = {
        "passed": ": the events come as the model says.",
        "warned": ": the model misses something in this stream; see the residual counts in time.",
    }
    return Finding(name, status, text + meaning[status], told.table())


def trended(fit: Fit) -> Finding:
    """Whether a more flexible background would take over what looks like excitation."""
    told = trend_test(fit)
    return Finding(
        "Trend of the background", "warned" if told.flagged else "passed", told.text, told.table()
    )


def same_day(fit: Fit) -> Finding:
    """Whether more incidents share a day than the model allows."""
    told = same_day_test(fit)
    status = status_of(told.p_value) if told.flagged else "passed"
    if told.flagged and status == "passed":
        status = "warned"
    return Finding("Incidents on the same day", status, told.text, told.table())


def fast(fit: Fit) -> Finding:
    """Whether the delay is one that the day can show."""
    median = np.median(fit.dynamics().delay_median)
    text = f"The median delay is {median:.2g} days"
    if median < FAST:
        text += (
            ", too short for times known to the day: R stands, but the delay is known only to be "
            "short; profile_interval shows its open end."
        )
        return Finding("Delay against the day", "warned", text)
    return Finding("Delay against the day", "passed", f"{text}: the day can show it.")
