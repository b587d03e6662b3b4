"""Forecast: dated predictive draws, and what is read off them."""

from escalation.forecast.aggregation import ALL_STREAMS
from escalation.forecast.calendar import future_edges
from escalation.forecast.forecast import LEVELS, RECENT, Forecast
from escalation.forecast.readings import REACH

__all__ = ["ALL_STREAMS", "LEVELS", "REACH", "RECENT", "Forecast", "future_edges"]
