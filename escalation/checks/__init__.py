"""Checks: may the figures be trusted? Each finding says what it means for them."""

from escalation.checks.counts import pearson
from escalation.checks.finding import Finding, Findings
from escalation.checks.general import check, identified

__all__ = ["Finding", "Findings", "check", "identified", "pearson"]
