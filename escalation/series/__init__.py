"""Series of K streams over one window: the times of events, and counts per period."""

from escalation.series.counts import CountSeries
from escalation.series.events import EventSeries
from escalation.series.panel import PanelSeries

__all__ = ["CountSeries", "EventSeries", "PanelSeries"]
