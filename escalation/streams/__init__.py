"""Which incidents count as "A acts on B", and whether that crosses a border."""

from escalation.streams.borders import Columns, crosses_border, home_countries
from escalation.streams.stream import Stream, select_each

__all__ = ["Columns", "Stream", "crosses_border", "home_countries", "select_each"]
