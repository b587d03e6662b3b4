"""Checks: may the figures be trusted? Each finding says what it means for them."""

from escalation.checks.calibration import Calibration, calibrate, ecdf_bands, uniformity
from escalation.checks.comparison import Comparison, compare, compare_leave_one_out
from escalation.checks.counts import pearson
from escalation.checks.deterrence import deterrence
from escalation.checks.finding import Finding, Findings
from escalation.checks.general import check, identified
from escalation.checks.predictive import (
    PredictiveCheck,
    PriorPredictive,
    predictive_check,
    prior_fit,
    prior_predictive,
)
from escalation.checks.sensitivity import Sensitivity, power_scaling, sensitivity
from escalation.checks.shared_shock import shared_shock
from escalation.checks.unrecorded import Unrecorded, unrecorded

__all__ = [
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
    "deterrence",
    "ecdf_bands",
    "identified",
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
