"""Counts per period of K streams, from files larger than memory."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from html import escape
from typing import Any

import numpy as np
import polars as pl

from escalation.actors import Actors
from escalation.incidents import REJECTED, Provenance
from escalation.series import CountSeries
from escalation.series.counts import checked_names, plural, sum_days
from escalation.sources import Source, source_of
from escalation.sources.base import Before, RowCounts
from escalation.sources.batches import BLOCK, Batches
from escalation.sources.layout import Layout
from escalation.sources.stack import Stack
from escalation.streams import Stream
from escalation.streams.borders import Columns
from escalation.window import IntArray, Window


@dataclass(frozen=True, eq=False)
class Tally:
    """Counts of files that were read batch by batch, and what became of their rows.

    Parameters
    ----------
    series : CountSeries
    provenance : Provenance
        Of all files; its rows are those of the files, whether or not a stream counts them.
    rejected, amended : polars.DataFrame
        As in `Incidents`: every row with a fault, and every one that was mended.
    """

    series: CountSeries
    provenance: Provenance
    rejected: pl.DataFrame
    amended: pl.DataFrame

    def reasons(self) -> pl.DataFrame:
        """How many rows were rejected, by column and reason, the most frequent first."""
        counted = self.rejected.group_by("column", "reason").agg(pl.len().alias("rows"))
        return counted.sort("rows", "column", "reason", descending=[True, False, False])

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same counts, provenance and remarks on rows."""
        if not isinstance(other, Tally):
            return NotImplemented
        return (
            (self.series, self.provenance) == (other.series, other.provenance)
            and self.rejected.equals(other.rejected)
            and self.amended.equals(other.amended)
        )

    __hash__ = None  # type: ignore[assignment]  # holds tables

    def __repr__(self) -> str:
        return f"Tally({self.series!r}; {self.provenance})"

    def _repr_html_(self) -> str:
        text = self.series._repr_html_() + f"<p><small>{escape(str(self.provenance))}</small></p>"
        return text + (self.reasons()._repr_html_() if len(self.rejected) else "")


def count_streams(
    given: Any,
    window: Window,
    streams: Sequence[Stream],
    period: str,
    source: str | Source = "gdelt",
    actors: Actors | None = None,
    *,
    options: Mapping[str, Any] | None = None,
    layout: Layout | None = None,
    progress: Callable[[str, int, int], None] | None = None,
    batch: int | None = None,
) -> Tally:
    """Count the incidents of streams in files of any size, in the memory of a few batches.

    The counts, the rows that are not taken and the reasons are those of reading the files whole
    (`read`) and counting then (`CountSeries.from_incidents`); ids that stand twice are found
    across batches and files. Delimited text is read in parts, packed or not; Excel, Parquet and
    Arrow files are held whole, one at a time.

    Parameters
    ----------
    given : path, or polars, pandas or Arrow table, or a sequence of these
        A path may be a pattern ("gdelt/*.export.CSV.zip").
    window : Window
        What was watched.
    streams : sequence of Stream
        In the order of the K columns.
    period : {"day", "week", "month"}
    source : str or Source
        Its word, a key of ``SOURCES``, or a reader with settings of its own.
    actors : Actors, optional
        Aliases to resolve before actors are compared.
    options : mapping, optional
        What else the source can be told, such as ``root_only`` for "gdelt".
    layout : Layout, optional
        What a file does not say of itself.
    progress : callable, optional
        Called with the name of the file at work, the bytes read so far and those of all files.
    batch : int, optional
        Bytes of text in a batch, 16 MB if not given; about ten times as much memory is used.

    Raises
    ------
    DataError
        If a file cannot be read.
    ValueError
        If window, streams, period or source are not such.

    Examples
    --------
    >>> from datetime import date
    >>> import polars as pl
    >>> from escalation.sources import Table
    >>> rows = pl.DataFrame({"date": ["2020-01-07"], "source": ["A"], "target": ["B"]})
    >>> window = Window(date(2020, 1, 6), date(2020, 1, 20))
    >>> count_streams(rows, window, [Stream("attacks", ("A",))], "week", Table())
    Tally(CountSeries(1 stream, 2 weeks from 2020-01-06, 1 incident); the table: 1 rows read, \
1 taken, 0 rejected, 0 outside the window)
    """
    reader = source if isinstance(source, Source) else source_of(source, {}, options or {})
    if not isinstance(window, Window):
        raise ValueError(f"say what was watched: window must be a Window, got {window!r}")
    if not streams:
        raise ValueError("a series needs at least one stream")
    checked_names([stream.name for stream in streams], len(streams))
    window.edges(period)
    tell = progress or (lambda label, done, total: None)
    batches = Batches(
        reader, given, layout or Layout(), tell, batch or BLOCK, _needless(reader, streams)
    )
    count = _Count(reader, window, tuple(streams), Actors() if actors is None else actors)
    for stack in _ahead(batches):
        count.add(stack)
    provenance = reader.provenance(
        batches.labels, batches.hashes, count.rows, count.version(), tuple(count.remarks)
    )
    return Tally(
        count.series(period), provenance, pl.concat(count.rejected), pl.concat(count.amended)
    )


def _needless(reader: Source, streams: Sequence[Stream]) -> set[str]:
    """Columns of text that cannot be wrong and that neither streams nor the reader ask for."""
    event = reader.event()
    asked = set() if event is None else {*event.meta.root_names()}
    if any(stream.source_homes or stream.target_homes for stream in streams):
        asked |= {"source_country", "target_country"}
    return {"place", "province", "claimed_by", "source_country", "target_country"} - asked


def _ahead(batches: Batches) -> Iterator[Stack]:
    """The stacks, the next one made by a second thread while one is worked on."""
    stacks = iter(batches)
    with ThreadPoolExecutor(1) as thread:
        coming = thread.submit(next, stacks, None)
        while (stack := coming.result()) is not None:
            coming = thread.submit(next, stacks, None)
            yield stack


@dataclass
class _Count:
    """What is kept of the batches so far."""

    reader: Source
    window: Window
    streams: tuple[Stream, ...]
    actors: Actors
    rows: RowCounts = field(default_factory=RowCounts)
    before: Before = field(default_factory=Before)
    remarks: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.daily = np.zeros((self.window.days, len(self.streams)), dtype=np.int64)
        self.rejected = [pl.DataFrame(schema=REJECTED)]
        self.amended = [pl.DataFrame(schema=REJECTED)]
        self.extremes: list[pl.DataFrame] = []

    def add(self, stack: Stack) -> None:
        """Count the rows of one more stack."""
        part = self.reader.judged(stack, self.window, self.before)
        self.rows += part.counts
        self.rejected.append(part.rejected)
        self.amended.append(part.amended)
        self.remarks.extend(stack.remarks)
        days = part.rows["date taken"]
        ends = [at for at in (days.arg_min(), days.arg_max()) if at is not None]
        self.extremes.append(part.rows[ends])
        self.daily += self._days(part.table)

    def _days(self, table: pl.DataFrame) -> IntArray:
        """Incidents of each stream on each day, shape (days, K)."""
        days = self.window.day_index(table["date"])
        columns = Columns(table, self.actors)
        chosen = [stream.matches(columns) for stream in self.streams]
        daily = [
            np.bincount(days if mine is None else days[mine.to_numpy()], minlength=self.window.days)
            for mine in chosen
        ]
        return np.stack(daily, axis=1)

    def version(self) -> str:
        """The version, by the earliest and the latest rows of each batch."""
        return self.reader.version(pl.concat(self.extremes))

    def series(self, period: str) -> CountSeries:
        """The counts in whole periods."""
        watched = self.window.mask()
        lost = int(self.daily[~watched].sum())
        told = f"{plural(lost, 'incident')} in a gap not counted" if lost else ""
        daily = np.where(watched[:, None], self.daily, 0)
        names = tuple(stream.name for stream in self.streams)
        series = sum_days(daily, self.window, period, names)
        return replace(series, dropped="; ".join(filter(None, (told, series.dropped))))
