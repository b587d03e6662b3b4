"""Own-history models: forecasts of many units, each from its own past, with pooled parameters."""

from escalation.own_history.analogues import PooledAnalogues
from escalation.own_history.history import History
from escalation.own_history.hurdle import SmoothHurdle
from escalation.own_history.model import FittedHistory, OwnHistoryModel
from escalation.own_history.pool import OwnHistoryPool
from escalation.own_history.resampling import SmoothedResampling

__all__ = [
    "FittedHistory",
    "History",
    "OwnHistoryModel",
    "OwnHistoryPool",
    "PooledAnalogues",
    "SmoothHurdle",
    "SmoothedResampling",
]
