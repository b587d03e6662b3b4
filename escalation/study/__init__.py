"""The study file: its tables, how it is read, and the study it describes."""

from escalation.study.parsing import StudyError
from escalation.study.sections import (
    BacktestSection,
    DataSection,
    Era,
    ForecastSection,
    ModelSection,
    NowcastSection,
    Release,
    ReportSection,
    SeveritySection,
    Truth,
)
from escalation.study.study import Study

__all__ = [
    "BacktestSection",
    "DataSection",
    "Era",
    "ForecastSection",
    "ModelSection",
    "NowcastSection",
    "Release",
    "ReportSection",
    "SeveritySection",
    "Study",
    "StudyError",
    "Truth",
]
