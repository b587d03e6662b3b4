"""What was not reported yet: reporting triangles, their model, counts of the last periods."""

from escalation.nowcast.fitted import (
    NowcastFit,
    fit_over_nowcasts,
    fits_over_nowcasts,
    pooled_over_nowcasts,
)
from escalation.nowcast.model import Nowcast
from escalation.nowcast.triangle import ReportingTriangle

__all__ = [
    "Nowcast",
    "NowcastFit",
    "ReportingTriangle",
    "fit_over_nowcasts",
    "fits_over_nowcasts",
    "pooled_over_nowcasts",
]
