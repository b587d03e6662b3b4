"""Hawkes processes: events that set off further events, in continuous time."""

from escalation.hawkes.answers import era_table
from escalation.hawkes.branching import BranchingEstimate, branching_estimate
from escalation.hawkes.cascade import Cascade, cascade
from escalation.hawkes.inference import ExcitationTest, excitation_test
from escalation.hawkes.influence import Influence
from escalation.hawkes.marks import Marks
from escalation.hawkes.model import Hawkes
from escalation.hawkes.nonlinear import NonlinearHawkes
from escalation.hawkes.profile import ProfileInterval, profile_interval
from escalation.hawkes.residuals import Residuals, residuals
from escalation.hawkes.same_day import SameDayTest, same_day_test
from escalation.hawkes.shrinkage import Shrinkage
from escalation.hawkes.trend_test import TrendTest, trend_test

__all__ = [
    "BranchingEstimate",
    "Cascade",
    "ExcitationTest",
    "Hawkes",
    "Influence",
    "Marks",
    "NonlinearHawkes",
    "ProfileInterval",
    "Residuals",
    "SameDayTest",
    "Shrinkage",
    "TrendTest",
    "branching_estimate",
    "cascade",
    "era_table",
    "excitation_test",
    "profile_interval",
    "residuals",
    "same_day_test",
    "trend_test",
]
