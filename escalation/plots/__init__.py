"""Axes-level drawings of every noun: each takes an axes, draws on it, and returns it.

They serve the notebook and the report alike. Draw inside `style` for the report's look; nothing
here touches pyplot.
"""

from escalation.plots.checks import autocorrelation, predictive
from escalation.plots.dynamics import (
    branching_by_background,
    reproduction,
    reproduction_by_background,
    reproduction_over_time,
    responses,
    shares,
)
from escalation.plots.early_warning import (
    decision_curve,
    precision_recall,
    ranking,
    reliability,
    roc,
)
from escalation.plots.ensembles import ensemble_weights
from escalation.plots.forecast import cumulative, fan
from escalation.plots.hawkes import (
    cascade,
    delays,
    intensity,
    network,
    residual_counts,
    residual_quantiles,
)
from escalation.plots.latent import latent_path
from escalation.plots.panel import shrinkage
from escalation.plots.places import places
from escalation.plots.regimes import phase_counts, phases
from escalation.plots.reporting import nowcast, reported_within
from escalation.plots.score_ratios import score_ratios
from escalation.plots.scores import calibration, pit, relative_skill, skill, wis_parts
from escalation.plots.series import counts, timeline
from escalation.plots.severity import deaths_quantiles, exceedance
from escalation.plots.signed import influence, response
from escalation.plots.style import figure, style, svg
from escalation.plots.vintages import known_when, reporting_delay
from escalation.plots.workflow import (
    calibration_ranks,
    power_scaling,
    prior_counts,
    ranks,
    score_differences,
    statistic,
    unrecorded,
)

__all__ = [
    "autocorrelation",
    "branching_by_background",
    "calibration",
    "calibration_ranks",
    "cascade",
    "counts",
    "cumulative",
    "deaths_quantiles",
    "decision_curve",
    "delays",
    "ensemble_weights",
    "exceedance",
    "fan",
    "figure",
    "influence",
    "intensity",
    "known_when",
    "latent_path",
    "network",
    "nowcast",
    "phase_counts",
    "phases",
    "pit",
    "places",
    "power_scaling",
    "precision_recall",
    "predictive",
    "prior_counts",
    "ranking",
    "ranks",
    "relative_skill",
    "reliability",
    "reported_within",
    "reporting_delay",
    "reproduction",
    "reproduction_by_background",
    "reproduction_over_time",
    "residual_counts",
    "residual_quantiles",
    "response",
    "responses",
    "roc",
    "score_differences",
    "score_ratios",
    "shares",
    "shrinkage",
    "skill",
    "statistic",
    "style",
    "svg",
    "timeline",
    "unrecorded",
    "wis_parts",
]
