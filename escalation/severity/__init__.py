"""Deaths per incident: records, their heavy-tailed law, and forecasts of deaths."""

from escalation.severity.fitted import SeverityFit
from escalation.severity.later import exact_test, exceedances, known_by
from escalation.severity.model import Severity
from escalation.severity.records import DeathRecords

__all__ = [
    "DeathRecords",
    "Severity",
    "SeverityFit",
    "exact_test",
    "exceedances",
    "known_by",
]
