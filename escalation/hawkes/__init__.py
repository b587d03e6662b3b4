"""Hawkes processes: events that set off further events, in continuous time."""

from escalation.hawkes.marks import Marks
from escalation.hawkes.model import Hawkes, Shrinkage

__all__ = ["Hawkes", "Marks", "Shrinkage"]
