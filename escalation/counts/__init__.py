"""Count models, one a file."""

from escalation.counts.endemic_epidemic import EndemicEpidemic
from escalation.counts.ingarch import Ingarch
from escalation.counts.log_linear import LogLinear

__all__ = ["EndemicEpidemic", "Ingarch", "LogLinear"]
