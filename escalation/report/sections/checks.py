"""Checks: may the figures be trusted? Failed ones first, in red."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

from escalation.report.sections.base import Block, Section, Table, Text
from escalation.report.wording import count, sentence, some

if TYPE_CHECKING:
    from escalation.results import Results

ORDER = ("failed", "warned", "passed")


class Checks(Section):
    """A table of findings, and drawings of what failed."""

    title: ClassVar[str] = "Checks"
    place: ClassVar[int] = 7

    def blocks(self, results: Results) -> list[Block]:
        """Findings by severity."""
        findings = sorted(results.findings, key=lambda finding: ORDER.index(finding.status))
        if not findings:
            return [Text.of("No check was run.")]
        tally = {status: sum(f.status == status for f in findings) for status in ORDER}
        caption = (
            f"{some(tally['failed'], 'check')} failed, {count(tally['warned'])} warned, "
            f"{count(tally['passed'])} passed."
        )
        return [
            Table(
                caption=sentence(caption),
                header=("Result", "Check", "What it means for the figures before"),
                rows=tuple((f.status, f.name, f.text) for f in findings),
                widths=(0, 0.42, 1),
                align="lll",
                marks=tuple("failed" if f.status == "failed" else "" for f in findings),
            )
        ]
