"""What became of rows: of one part of a file, and of all parts so far."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import polars as pl

from escalation.incidents import REJECTED
from escalation.sources.seen import Seen
from escalation.sources.stack import Stack


class Before:
    """What was in the rows so far: their ids, and the events of which they tell."""

    def __init__(self) -> None:
        self.ids, self.events = Seen(), Seen()


@dataclass(frozen=True)
class RowCounts:
    """How many rows were read, and what became of them; ``left_out`` by the reason."""

    read: int = 0
    taken: int = 0
    rejected: int = 0
    outside: int = 0
    left_out: Counter[str] = field(default_factory=Counter)

    def __add__(self, other: "RowCounts") -> "RowCounts":
        left_out = self.left_out.copy()
        left_out.update(other.left_out)
        return RowCounts(
            self.read + other.read,
            self.taken + other.taken,
            self.rejected + other.rejected,
            self.outside + other.outside,
            left_out,
        )


@dataclass(frozen=True)
class Part:
    """What became of rows.

    Parameters
    ----------
    rows : polars.DataFrame
        As ``parsed`` gives them.
    counts : RowCounts
    table : polars.DataFrame
        The incidents, in the order of the rows.
    rejected, amended : polars.DataFrame
        In the columns of ``REJECTED``.
    """

    rows: pl.DataFrame
    counts: RowCounts
    table: pl.DataFrame
    rejected: pl.DataFrame
    amended: pl.DataFrame


class Reading:
    """What is kept of the parts of files, besides their incidents.

    Attributes
    ----------
    before : Before
    counts : RowCounts
    remarks : list of str
    """

    def __init__(self) -> None:
        self.before, self.counts = Before(), RowCounts()
        self.remarks: list[str] = []
        self._rejected = [pl.DataFrame(schema=REJECTED)]
        self._amended = [pl.DataFrame(schema=REJECTED)]
        self._ends: list[pl.DataFrame] = []

    def add(self, stack: Stack, part: Part, versioned: Sequence[str] = ()) -> None:
        """Take note of one more part; of its rows, those that tell the version."""
        self.counts += part.counts
        self.remarks.extend(each for each in stack.remarks if each not in self.remarks)
        self._rejected.append(part.rejected)
        self._amended.append(part.amended)
        rows = pl.concat([*self._ends, part.rows])
        days = rows["date taken"]
        ends = [at for at in (days.arg_min(), days.arg_max()) if at is not None]
        self._ends = [rows[ends], *(rows.unique(name, keep="first") for name in versioned)]

    @property
    def rejected(self) -> pl.DataFrame:
        """All rows with a fault."""
        return pl.concat(self._rejected)

    @property
    def amended(self) -> pl.DataFrame:
        """All rows that were mended."""
        return pl.concat(self._amended)

    @property
    def ends(self) -> pl.DataFrame:
        """The earliest and the latest row, and one for each value that tells the version."""
        return pl.concat(self._ends)
