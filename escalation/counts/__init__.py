"""Count models, one a file."""

from escalation.counts.endemic_epidemic import EndemicEpidemic

__all__ = ["EndemicEpidemic"]
