"""Counts per period of K streams, from files larger than memory."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import polars as pl

from escalation.actors import Actors
from escalation.incidents import SCHEMA, Provenance
from escalation.series import CountSeries
from escalation.series.counts import checked_names, plural, sum_days
from escalation.sources import Source, source_of
from escalation.sources.batches import BLOCK, Batches
from escalation.sources.layout import Layout
from escalation.sources.parts import Reading
from escalation.sources.reasons import reasons
from escalation.streams import Stream
from escalation.streams.borders import Columns
from escalation.window import IntArray, Window

ROWS = 400_000
"""How many rows wait before streams look at them."""

_LOOKED_AT = {
    name: kind for name, kind in SCHEMA.items() if kind in (pl.String, pl.Date) and name != "id"
}


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
        """How many rows of all files were rejected, by column and reason, the most first."""
        return reasons(self.rejected, self.provenance)

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
        A path may be a pattern (``"gdelt/*.export.CSV.zip"``).
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
    needless = _needless(reader, streams)
    batches = Batches(reader, given, layout or Layout(), progress, batch or BLOCK, needless)
    known, reading = Actors() if actors is None else actors, Reading()
    daily = np.zeros((window.days, len(streams)), dtype=np.int64)
    waiting = pl.DataFrame(schema=_LOOKED_AT)
    for stack in batches:
        part = reader.judged(stack, window, reading.before)
        reading.add(stack, part, reader.versioned)
        waiting = pl.concat([waiting, part.table.select(*_LOOKED_AT)])
        # Names are looked at once for all rows that wait.
        if len(waiting) > ROWS:
            daily += _days(waiting, window, streams, known)
            waiting = waiting.clear()
    daily += _days(waiting, window, streams, known)
    provenance = reader.provenance(batches.labels, batches.hashes, reading)
    series = _series(daily, window, period, streams)
    return Tally(series, provenance, reading.rejected, reading.amended)


def _needless(reader: Source, streams: Sequence[Stream]) -> set[str]:
    """Columns of text that cannot be wrong and that neither streams nor the reader ask for."""
    event = reader.event()
    asked = set() if event is None else {*event.meta.root_names()}
    if any(stream.source_homes or stream.target_homes for stream in streams):
        asked |= {"source_country", "target_country"}
    return {"place", "province", "claimed_by", "source_country", "target_country"} - asked


def _days(
    table: pl.DataFrame, window: Window, streams: Sequence[Stream], actors: Actors
) -> IntArray:
    """Incidents of each stream on each day, shape (days, K)."""
    days, columns = window.day_index(table["date"]), Columns(table, actors)
    chosen = (stream.matches(columns) for stream in streams)
    mine = (days if each is None else days[each.to_numpy()] for each in chosen)
    return np.stack([np.bincount(each, minlength=window.days) for each in mine], axis=1)


def _series(daily: IntArray, window: Window, period: str, streams: Sequence[Stream]) -> CountSeries:
    """The counts in whole periods; what lies in a gap is told."""
    watched, names = window.mask(), tuple(stream.name for stream in streams)
    lost = int(daily[~watched].sum())
    told = f"{plural(lost, 'incident')} in a gap not counted" if lost else ""
    series = sum_days(np.where(watched[:, None], daily, 0), window, period, names)
    return replace(series, dropped="; ".join(filter(None, (told, series.dropped))))
