"""Cleaning of incidents before they are counted: every step optional, every row accounted for."""

from escalation.cleaning.outlines import Outlines
from escalation.cleaning.specification import Cleaned, Cleaning

__all__ = ["Cleaned", "Cleaning", "Outlines"]
