"""The sections of the report, in their order. A new one is one file and one line here."""

from escalation.report.sections.base import Section
from escalation.report.sections.checks import Checks
from escalation.report.sections.data import Data
from escalation.report.sections.deaths import DeathsSection
from escalation.report.sections.dynamics import DynamicsSection
from escalation.report.sections.forecast import ForecastSection
from escalation.report.sections.late import LateReports
from escalation.report.sections.method import Method
from escalation.report.sections.series import SeriesSection
from escalation.report.sections.summary import Summary
from escalation.report.sections.track_record import TrackRecord

__all__ = [
    "Checks",
    "Data",
    "DeathsSection",
    "DynamicsSection",
    "ForecastSection",
    "LateReports",
    "Method",
    "SeriesSection",
    "Summary",
    "TrackRecord",
]

SECTIONS: tuple[Section, ...] = (
    Summary(),
    Data(),
    SeriesSection(),
    LateReports(),
    DynamicsSection(),
    ForecastSection(),
    DeathsSection(),
    TrackRecord(),
    Checks(),
    Method(),
)
