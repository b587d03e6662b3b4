"""Hawkes processes: events that set off further events, in continuous time."""

from escalation.hawkes.model import Hawkes

__all__ = ["Hawkes"]
