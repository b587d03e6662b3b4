"""Own-history models: forecasts of many units, each from its own past, with pooled parameters."""

from escalation.own_history.history import History
from escalation.own_history.hurdle import SmoothHurdle
from escalation.own_history.model import FittedHistory, OwnHistoryModel

__all__ = ["FittedHistory", "History", "OwnHistoryModel", "SmoothHurdle"]
