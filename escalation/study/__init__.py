"""The study file: its tables, how it is read, and the study it describes."""

from escalation.study.parsing import StudyError
from escalation.study.sections import (
    BacktestSection,
    DataSection,
    Era,
    ForecastSection,
    ModelSection,
    ReportSection,
    Truth,
)
from escalation.study.study import Study

__all__ = [
    "BacktestSection",
    "DataSection",
    "Era",
    "ForecastSection",
    "ModelSection",
    "ReportSection",
    "Study",
    "StudyError",
    "Truth",
]
