"""What every source of incidents does: read a file, keep the good rows, tell of the others."""

from abc import ABC
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import polars as pl

from escalation.incidents import SCHEMA, Incidents, Provenance, nearest
from escalation.sources.batches import Batches
from escalation.sources.delimited import SEPARATORS, Sheet, open_sheet
from escalation.sources.faults import DataError, Fault, RowError, faults, parsed, taken
from escalation.sources.layout import Layout
from escalation.sources.likeness import hint
from escalation.sources.parts import Before, Part, Reading, RowCounts
from escalation.sources.stack import Stack, found_in, in_words, joint_hash
from escalation.window import Window

__all__ = ["DataError", "RowError", "Source"]

DEFAULTS = {"certainty": "reported", "directed": "true"}
"""What a row says where its source has no word on it."""


TOLD_AGAIN = "the event stands in an earlier row too"


class Source(ABC):
    """A provider of coded incidents: which columns its files have, and what they mean.

    A new one is a subclass in its own file: the class variables, and ``translate`` where columns
    need more than a new name. What is wrong with a file ends in a ``DataError``; what is wrong
    with a row is kept in ``Incidents.rejected``.

    Attributes
    ----------
    name, licence, citation : str
        As the provider wants them named.
    columns : mapping
        The columns that a file must have: ours = the file's name or names, the newest first.
    more : mapping
        Columns that are read if the file has them, in the same form.
    used : mapping
        Further columns of the file that ``translate`` needs, in the same form: their text arrives
        under these names, which are none of ours, and is null where the file lacks them.
    heads : sequence of sequence of str
        For files without a header, the names of their columns, by how many there are.
    separators : str
        Those that may stand between the fields of a text file.
    quoting : bool
        Whether a field may stand in quotes; a quote is a letter otherwise.
    versioned : sequence of str
        Columns of which ``version`` must see every value.
    caution : str
        What whoever counts the rows must know; it stands among the remarks.
    specimen : str
        A few lines of such a file, invented ones where the licence asks for it.
    """

    name: ClassVar[str]
    licence: ClassVar[str]
    citation: ClassVar[str]
    columns: ClassVar[Mapping[str, Sequence[str]]]
    more: ClassVar[Mapping[str, Sequence[str]]] = {}
    used: ClassVar[Mapping[str, Sequence[str]]] = {}
    heads: ClassVar[Sequence[Sequence[str]]] = ()
    separators: ClassVar[str] = SEPARATORS
    quoting: ClassVar[bool] = True
    versioned: ClassVar[Sequence[str]] = ()
    caution: ClassVar[str] = ""
    specimen: ClassVar[str]

    def read(
        self, given: Any, window: Window, *, strict: bool = False, layout: Layout | None = None
    ) -> Incidents:
        """Read the incidents inside the window.

        An incident of several days, or of an unknown day, is placed on its first possible day,
        and lies in the window if that day does. Cells without text are missing values. Rows
        outside the window are counted, not judged, unless their date cannot be read.

        Parameters
        ----------
        given : path, or polars, pandas or Arrow table, or a sequence of these
            A file with a header, or a table with the same columns. A path may be a pattern
            (``"events/*.csv"``). Of several files, remarks on a row name the file after the reason.
        window : Window
            What was watched: never read off the data.
        strict : bool
            Whether the first row with a fault is an error.
        layout : Layout
            What a file does not say of itself: encoding, decimal mark, form of dates.

        Raises
        ------
        DataError
            If a file is missing, empty, no table, of another source, or lacks a column: one
            line that names file and column. ``RowError`` for a row, if ``strict``.
        """
        if not isinstance(window, Window):
            raise ValueError(f"say what was watched: window must be a Window, got {window!r}")
        batches, reading = Batches(self, given, layout or Layout()), Reading()
        tables = []
        for stack in batches:
            part = self.judged(stack, window, reading.before)
            if strict and len(part.rejected):
                line, column, value, reason = part.rejected.row(0)
                where = f"{batches.label}: line {line}, column {column!r}"
                raise RowError(f"{where}: {value!r} {reason}")
            tables.append(part.table)
            reading.add(stack, part, self.versioned)
        table = pl.concat(tables).sort("date", maintain_order=True)
        provenance = self.provenance(batches.labels, batches.hashes, reading)
        return Incidents(table, window, provenance, reading.rejected, reading.amended)

    def provenance(
        self, labels: Sequence[str], hashes: Sequence[str], reading: Reading
    ) -> Provenance:
        """Say where incidents come from, and what became of the rows of those files."""
        names, counts = [Path(label).name for label in labels], reading.counts
        left_out = (f"{n:,} rows left out: {why}" for why, n in counts.left_out.items())
        return Provenance(
            file=in_words(labels),
            sha256=joint_hash(hashes),
            source=self.name,
            version=self.version(reading.ends),
            licence=self.licence,
            citation=self.citation,
            rows_read=counts.read,
            rows_taken=counts.taken,
            rows_rejected=counts.rejected,
            rows_outside=counts.outside,
            files=tuple(zip(names, hashes, strict=True)) if len(names) > 1 else (),
            remarks=(*reading.remarks, *left_out, *filter(None, [self.caution])),
            rows_left_out=counts.left_out.total(),
        )

    def judged(self, stack: Stack, window: Window, before: Before) -> Part:
        """Tell the rows that are taken from those that are not.

        Parameters
        ----------
        stack : Stack
            All rows, or the next ones of many.
        window : Window
        before : Before
            What was in earlier rows; those of the stack are added to it.
        """
        text = self.translate(stack.text.with_columns(_defaults(stack)))
        inside = taken("date").is_between(window.start, window.end, closed="left")
        rows = parsed(text, before.ids).with_columns(inside.fill_null(True).alias("inside"))
        listing = self.faults()
        wrong = _first(rows, listing)
        good, left_out = wrong.is_null() & rows["inside"], Counter[str]()
        for reason, unwanted in self.left_out().items():
            found = good & rows.select(unwanted.fill_null(False)).to_series()
            good, left_out[reason] = good & ~found, int(found.sum())
        if (event := self.event()) is not None:
            keys = rows.filter(good).select(event).to_series()
            again = pl.repeat(False, len(rows), eager=True)
            again = again.scatter(good.arg_true(), before.events.repeated(keys))
            good, left_out[TOLD_AGAIN] = good & ~again, int(again.sum())
        odd = _first(rows, self.mends())
        kept = rows if self.mends() else rows.select(taken(name) for name in SCHEMA)
        table = self.amend(kept.filter(good)).select(taken(name).alias(name) for name in SCHEMA)
        rejected = stack.told(rows, wrong, listing, stack.misfits)
        counts = RowCounts(
            read=len(rows) + sum(map(len, stack.misfits)),
            taken=len(table),
            rejected=len(rejected),
            outside=int((~rows["inside"]).sum()),
            left_out=left_out,
        )
        amended = stack.told(rows, odd.set(~good, None), self.mends())
        return Part(rows, counts, table, rejected, amended)

    def opened(self, given: Any, layout: Layout | None = None) -> Sheet:
        """Open one file, or one table, as files of this source are written."""
        sheet = open_sheet(
            given, layout, separators=self.separators, quoting=self.quoting, heads=self.heads
        )
        return self.mended(sheet)

    def mended(self, sheet: Sheet) -> Sheet:
        """The sheet, or what its provider must have meant; it may be the beginning of a file."""
        return sheet

    def matched(self, sheet: Sheet) -> dict[str, str]:
        """Find the column of the file for each of ours; ``DataError`` if one is missing."""
        names = found_in(sheet, self.columns)
        missing = [theirs[0] for ours, theirs in self.columns.items() if ours not in names]
        if missing and (other := hint(sheet, type(self))):
            raise DataError(f"{sheet.label}: not a file of {self.name}; {other}")
        if len(missing) > len(self.columns) / 2:
            wanted = ", ".join(repr(name) for name in missing)
            raise DataError(f"{sheet.label}: not a file of {self.name}, it lacks columns {wanted}")
        if missing:
            spare = [name for name in sheet.header if name not in names.values()]
            raise DataError(f"{sheet.label}: {lacking(missing, spare)}")
        return names | found_in(sheet, self.more)

    def translate(self, text: pl.DataFrame) -> pl.DataFrame:
        """Say in our words what the columns of text, named as ours, say in the source's."""
        return text

    def faults(self) -> list[Fault]:
        """What makes a row unfit to be taken, in the order in which it is told."""
        return faults()

    def mends(self) -> list[Fault]:
        """What is wrong with a row that is taken all the same, after ``amend``."""
        return []

    def amend(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Mend the rows that ``mends`` lists, in the columns that ``taken`` names."""
        return rows

    def left_out(self) -> Mapping[str, pl.Expr]:
        """Rows in which nothing is wrong, but which are not wanted: why = which."""
        return {}

    def event(self) -> pl.Expr | None:
        """What is the same text in all rows that tell of one event, if it is to be taken once."""
        return None

    def version(self, rows: pl.DataFrame) -> str:
        """The version of the data, by some rows, the earliest and the latest among them.

        "" if the file does not tell.
        """
        return ""


def lacking(missing: Sequence[str], spare: Sequence[str]) -> str:
    """Say which columns are missing, and which of those not used each may be meant by."""
    near = {name: nearest(name, spare) for name in missing}
    words = [
        f"{name!r}" + (f" (the nearest is {near[name]!r})" if near[name] else "")
        for name in missing
    ]
    more = ", ..." if len(spare) > 12 else ""
    others = f"; the others are {', '.join(map(repr, spare[:12]))}{more}"
    return f"no column {', '.join(words)}{others if spare and None in near.values() else ''}"


def _defaults(stack: Stack) -> list[pl.Expr]:
    given = [pl.col(name).fill_null(word) for name, word in DEFAULTS.items()]
    given.append(pl.col("date_latest").fill_null(pl.col("date")))
    # Without ids the place in the files is one.
    place = pl.col("line").cast(pl.String)
    if stack.several:
        place = pl.concat_str(pl.col("sheet") + 1, place, separator=":")
    own = [at for at, names in enumerate(stack.names, start=stack.first) if "id" not in names]
    given.append(pl.when(pl.col("sheet").is_in(own)).then(place).otherwise("id").alias("id"))
    return given


def _first(rows: pl.DataFrame, listing: Sequence[Fault]) -> pl.Series:
    """Index of the first fault of each row, null if it has none or lies outside the window."""
    wrong = rows.select(
        (fault.wrong.fill_null(False) & pl.col("inside")).alias(str(index))
        for index, fault in enumerate(listing)
    )
    found = [pl.when(each).then(pl.lit(int(each.name), pl.Int32)) for each in wrong if each.any()]
    nothing = pl.repeat(None, len(rows), dtype=pl.Int32)
    return rows.select(pl.coalesce(*found, nothing).alias("fault")).to_series()
