"""Checks: may the figures be trusted? Each finding says what it means for them."""

from escalation.checks.calibration import Calibration, calibrate, ecdf_bands, uniformity
from escalation.checks.comparison import Comparison, compare, compare_leave_one_out
from escalation.checks.counts import pearson
from escalation.checks.deterrence import deterrence
from escalation.checks.finding import STATUSES, Finding, Findings
from escalation.checks.general import check, convergence, identified
from escalation.checks.nowcast import late_findings
from escalation.checks.predictive import (
    PredictiveCheck,
    PriorPredictive,
    predictive_check,
    prior_fit,
    prior_predictive,
)
from escalation.checks.sensitivity import Sensitivity, power_scaling, sensitivity
from escalation.checks.severity import deaths_findings
from escalation.checks.shared_shock import shared_shock
from escalation.checks.unrecorded import Unrecorded, unrecorded

__all__ = [
    "STATUSES",
    "Calibration",
    "Comparison",
    "Finding",
    "Findings",
    "PredictiveCheck",
    "PriorPredictive",
    "Sensitivity",
    "Unrecorded",
    "calibrate",
    "check",
    "compare",
    "compare_leave_one_out",
    "convergence",
    "deaths_findings",
    "deterrence",
    "ecdf_bands",
    "identified",
    "late_findings",
    "pearson",
    "power_scaling",
    "predictive_check",
    "prior_fit",
    "prior_predictive",
    "sensitivity",
    "shared_shock",
    "uniformity",
    "unrecorded",
]
