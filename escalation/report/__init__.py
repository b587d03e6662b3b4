"""The report: what a study found, page by page, as a PDF."""

from escalation.report.render import write_report

__all__ = ["write_report"]
