"""Results: everything a study found, saved in one file and loaded back equal."""

from escalation.results.results import NowcastResults, Results, RunInfo, SeverityResults

__all__ = ["NowcastResults", "Results", "RunInfo", "SeverityResults"]
