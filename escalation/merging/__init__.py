"""One record of two: matches of two sources to review, and the union of both."""

from escalation.merging.matches import Matches
from escalation.merging.matching import Matching
from escalation.merging.union import Merged, merge

__all__ = ["Matches", "Matching", "Merged", "merge"]
