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
    # Refits of the filter with fixed draws would take minutes; without them p is a little large.
    quick = fit.series.resolution == "day" and len(fit.series.names) > 1
    told = residuals(fit, rng, samples, refit=not quick)
    name = "Residuals"
    if not np.isfinite(told.p_value):
        return Finding(name, "warned", "Too few events to tell.", told.table())
    distances = np.fmin(told.p_kolmogorov_smirnov, told.p_anderson_darling)
    worst = int(np.nanargmin(distances))
    text = (
        f"Residuals by time rescaling, {told.samples} series simulated"
        f"{'' if quick else ' and refitted'}: p {told.p_value:.2g} for all streams, smallest of "
        f"one {distances[worst]:.2g} ({told.names[worst]})"
    )
    status = "passed" if told.p_value > 0.05 else "warned"
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
