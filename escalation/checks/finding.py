"""What a check found."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

import polars as pl

STATUSES = ("passed", "warned", "failed")
#: Two-sided p-values below which a finding warns, and fails.
WARN, FAIL = 0.01, 0.0001


@dataclass(frozen=True, eq=False)
class Finding:
    """One check: its name, how it ended, one sentence on what follows, and its figures.

    Attributes
    ----------
    name : str
    status : {"passed", "warned", "failed"}
    text : str
    table : polars.DataFrame or None
    """

    name: str
    status: str
    text: str
    table: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        if self.status not in STATUSES:
            raise ValueError(f"status must be one of {', '.join(STATUSES)}, got {self.status!r}")

    @property
    def passed(self) -> bool:
        """Whether nothing was found against the figures."""
        return self.status == "passed"


@dataclass(frozen=True)
class Findings:
    """The findings of one run, in the order of the checks."""

    items: tuple[Finding, ...] = ()

    def __iter__(self) -> Iterator[Finding]:
        """Go through the findings."""
        return iter(self.items)

    def __len__(self) -> int:
        """Count the findings."""
        return len(self.items)

    @property
    def failed(self) -> tuple[Finding, ...]:
        """The findings that failed."""
        return tuple(one for one in self.items if one.status == "failed")

    def table(self) -> pl.DataFrame:
        """A row a finding: name, status, text; failed ones first."""
        ranked = sorted(self.items, key=lambda one: -STATUSES.index(one.status))
        return pl.DataFrame(
            [{"name": one.name, "status": one.status, "text": one.text} for one in ranked],
            schema={"name": pl.String, "status": pl.String, "text": pl.String},
        )

    def __repr__(self) -> str:
        """Say how many of each status."""
        tally = ", ".join(
            f"{sum(one.status == status for one in self.items)} {status}" for status in STATUSES
        )
        return f"Findings({tally})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{row['status']}</td><td>{escape(row['name'])}</td>"
            f"<td>{escape(row['text'])}</td></tr>"
            for row in self.table().iter_rows(named=True)
        )
        return f"<table><tbody>{rows}</tbody></table>"


def percent(share: float) -> str:
    """A share in words."""
    return f"{100 * share:.0f} %"


def status_of(p: float) -> str:
    """Status of a p-value."""
    return "failed" if p < FAIL else "warned" if p < WARN else "passed"
