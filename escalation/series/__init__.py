"""Series of K streams over one window: the times of events, and counts per period."""

from escalation.series.counts import CountSeries, stream_place
from escalation.series.events import EventSeries
from escalation.series.panel import PanelSeries
from escalation.series.reading import read_counts

__all__ = ["CountSeries", "EventSeries", "PanelSeries", "read_counts", "stream_place"]
