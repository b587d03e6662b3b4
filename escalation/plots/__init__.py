"""Axes-level drawings of every noun: each takes an axes, draws on it, and returns it.

They serve the notebook and the report alike. Draw inside `style` for the report's look; nothing
here touches pyplot.
"""

from escalation.plots.checks import autocorrelation, predictive
from escalation.plots.dynamics import (
    branching_by_background,
    reproduction,
    reproduction_by_background,
    responses,
    shares,
)
from escalation.plots.forecast import cumulative, fan
from escalation.plots.hawkes import (
    cascade,
    delays,
    intensity,
    network,
    residual_counts,
    residual_quantiles,
)
from escalation.plots.scores import calibration, pit, skill
from escalation.plots.series import counts, timeline
from escalation.plots.signed import influence, response
from escalation.plots.style import figure, style, svg

__all__ = [
    "autocorrelation",
    "branching_by_background",
    "calibration",
    "cascade",
    "counts",
    "cumulative",
    "delays",
    "fan",
    "figure",
    "influence",
    "intensity",
    "network",
    "pit",
    "predictive",
    "reproduction",
    "reproduction_by_background",
    "residual_counts",
    "residual_quantiles",
    "response",
    "responses",
    "shares",
    "skill",
    "style",
    "svg",
    "timeline",
]
