"""Data: where the incidents come from, what was not taken, where the record is thin."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl

from escalation.codes import DISPUTED
from escalation.plots.series import deaths_key, timeline
from escalation.plots.style import colour, figure
from escalation.report.sections.base import Block, Figure, Section, Table, Text
from escalation.report.wording import (
    count,
    counts_between,
    day,
    joined,
    last_day,
    portion,
    sentence,
    short_day,
    some,
)

if TYPE_CHECKING:
    from escalation.incidents import Incidents
    from escalation.results import Results
    from escalation.series import CountSeries
    from escalation.streams import Stream

PER_FIGURE = 6
REASONS = 8

UNSTATED = "not stated"
"""Licence and citation of a table whose maker is not known."""


class Data(Section):
    """Coverage of the record: a table a stream, every incident in time, what was rejected."""

    title: ClassVar[str] = "Data"
    place: ClassVar[int] = 2

    def blocks(self, results: Results) -> list[Block]:
        """Provenance, streams, rejections, timelines."""
        selected = {
            stream.name: stream.select(results.incidents, results.study.actors)
            for stream in results.study.streams
        }
        return [
            provenance(results),
            *cleaning(results),
            streams_table(results, selected),
            *rejections(results.incidents),
            *timelines(results),
        ]


def provenance(results: Results) -> Text:
    """Where the rows come from and what became of them."""
    origin, incidents = results.incidents.provenance, results.incidents
    version = f" (version {origin.version})" if origin.version else ""
    one = "" if origin.files else "file "
    read = (
        f"{origin.source}{version}, {one}{origin.file}: of {some(origin.rows_read, 'row')} read, "
        f"{count(origin.rows_taken)} were taken, {count(origin.rows_outside)} lay outside the "
        f"window and {count(origin.rows_rejected)} were rejected."
    )
    if origin.rows_left_out:
        read += f" {some(origin.rows_left_out, 'row')} more were left out, as was asked."
    if len(incidents.amended):
        read += f" In {some(len(incidents.amended), 'row')} a figure was mended."
    window = results.study.window
    watched = f"{day(window.start)} to {day(last_day(window.end))}"
    if window.gaps:
        spans = joined([f"{short_day(a)} to {short_day(last_day(b))}" for a, b in window.gaps])
        watched += f", without {spans}, when nobody watched"
    thin = thinnest(results.recorded)
    paragraphs = [("Source", read)]
    if origin.citation != UNSTATED:
        paragraphs.append(("Citation", origin.citation))
    if origin.licence != UNSTATED:
        paragraphs.append(("Licence", sentence(f"{origin.licence}.")))
    paragraphs += [("Watched", watched + "."), ("Thin", thin)]
    if origin.remarks:
        paragraphs.append(("Remarks", "; ".join(origin.remarks) + "."))
    if results.series.dropped:
        paragraphs.append(("Not counted", results.series.dropped + "."))
    return Text(tuple(paragraphs))


def cleaning(results: Results) -> list[Block]:
    """What each step of cleaning left out and changed; nothing where none was asked for."""
    report = results.cleaning
    if report is None or not len(report):
        return []
    first, last = int(report["before"][0]), int(report["after"][-1])
    return [
        Table(
            caption=sentence(
                f"Cleaning left {count(last)} of {count(first)} incidents, in "
                f"{some(len(report), 'step')}."
            ),
            header=("Step", "Before", "Dropped", "Changed", "Added", "After", "Why"),
            rows=tuple(
                (
                    row["step"].replace("_", " "),
                    *(count(row[name]) for name in ("before", "dropped", "changed", "added")),
                    count(row["after"]),
                    row["why"],
                )
                for row in report.iter_rows(named=True)
            ),
            widths=(0, 0, 0, 0, 0, 0, 1),
            align="lrrrrrl",
            source="What is counted and modelled are the incidents after the last step.",
        )
    ]


def thinnest(series: CountSeries) -> str:
    """The longest run of watched periods without any incident."""
    quiet = (series.counts.sum(axis=1) == 0) & (series.exposure > 0)
    ends = np.flatnonzero(np.diff(np.concatenate([[0], quiet.astype(int), [0]])))
    runs = ends.reshape(-1, 2)
    if not len(runs):
        return f"No {series.period} passed without a recorded incident in at least one stream."
    first, last = runs[np.argmax(runs[:, 1] - runs[:, 0])]
    return sentence(
        f"{some(int(quiet.sum()), series.period)} passed without a recorded incident in any "
        f"stream, at most {some(int(last - first), series.period)} on end (from "
        f"{day(series.edges[first])}). A quiet record is not always a quiet border."
    )


def streams_table(results: Results, selected: dict[str, Incidents]) -> Table:
    """A row a stream: incidents, deaths, first and last, and how sure the record is."""
    rows, totals = [], []
    for place, (name, incidents) in enumerate(selected.items()):
        table = incidents.table
        totals.append(len(table))
        zero = (results.recorded.counts[:, place] == 0) & (results.series.exposure > 0)
        empty = not len(table)
        rows.append(
            (
                name,
                count(len(table)),
                "–" if empty else deaths(table),
                "–" if empty else short_day(table["date"].min()),  # type: ignore[arg-type]
                "–" if empty else short_day(table["date"].max()),  # type: ignore[arg-type]
                "–" if empty else portion((table["date_latest"] > table["date"]).mean()),  # type: ignore[arg-type]
                "–" if empty else count(table["certainty"].is_in(DISPUTED).sum()),
                f"{count(zero.sum())} of {count((results.series.exposure > 0).sum())}",
            )
        )
    period = results.series.period
    return Table(
        caption=sentence(
            f"{some(sum(totals), 'incident')} in {some(len(rows), 'stream')}: "
            f"{counts_between(min(totals), max(totals))} a stream."
        ),
        header=(
            "Stream",
            "Incidents",
            "Deaths, best\n(low to high)",
            "First",
            "Last",
            "Imprecise\ndates",
            "Disputed",
            f"{period.capitalize()}s\nwithout",
        ),
        rows=tuple(rows),
        widths=(1, 0, 0, 0, 0, 0, 0, 0),
        align="lrrrrrrr",
        source="Imprecise: only a span of days is known, the first of which is used. Disputed: the "
        "author is alleged, or denies it. An incident may belong to more than one stream.",
    )


def deaths(table: pl.DataFrame) -> str:
    """Deaths by the best, the low and the high figure, as far as they are known."""
    best = table["deaths_best"]
    if best.null_count() == len(best):
        return "unknown"
    low = table.select(pl.coalesce("deaths_low", "deaths_best").sum()).item()
    high = table.select(pl.coalesce("deaths_high", "deaths_best").sum()).item()
    if low == high:
        return count(best.sum())
    return f"{count(best.sum())} ({count(low)} to {count(high)})"


def timelines(results: Results) -> list[Figure]:
    """Every incident in time, six streams a figure."""
    streams, made = results.study.streams, []
    for first in range(0, len(streams), PER_FIGURE):
        part = streams[first : first + PER_FIGURE]
        drawing, axes = figure(0.55 + 0.62 * len(part))
        hues = [colour(first + n) for n in range(len(part))]
        timeline(axes[0, 0], results.incidents, part, results.study.actors, hues)
        deaths_key(axes[0, 0])
        made.append(
            Figure(
                caption=busiest_year(results, part),
                drawing=drawing,
                alternative="Timeline of all incidents, one row a stream: "
                + joined([stream.name for stream in part]),
                source="A dot an incident, its area by deaths (best figure). Within a row the "
                "height has no meaning; it keeps dots apart.",
            )
        )
    return made


def busiest_year(results: Results, part: tuple[Stream, ...]) -> str:
    """The caption: the year with most incidents of these streams."""
    dates = pl.concat(
        [s.select(results.incidents, results.study.actors).table["date"] for s in part]
    )
    if not len(dates):
        return "No incidents were recorded in these streams."
    years = dates.dt.year().value_counts(sort=True).sort("count", "date", descending=[True, False])
    year, number = years.row(0)
    if len(years) == 1:
        return f"All {some(number, 'incident')} fell in {year}."
    return (
        f"Most incidents were recorded in {year} ({count(number)} of {count(len(dates))}), fewest "
        f"in {years['date'][-1]} ({count(years['count'][-1])})."
    )


def rejections(incidents: Incidents) -> list[Block]:
    """Rows that were not taken, by column and reason, with the first line of each."""
    if not len(incidents.rejected):
        return [Text.of("No row was rejected.")]
    grouped = (
        incidents.rejected.group_by("column", "reason")
        .agg(pl.len().alias("rows"), pl.col("line").min(), pl.col("value").sort_by("line").first())
        .sort("rows", "column", "reason", descending=[True, False, False])
    )
    shown = grouped.head(REASONS)
    rest = int(grouped["rows"].sum()) - int(shown["rows"].sum())
    return [
        Table(
            caption=f"Rejected: {some(len(incidents.rejected), 'row')}, by reason.",
            header=("Column", "Reason", "Rows", "First line", "Its value"),
            rows=tuple(
                (
                    r["column"] or "–",
                    r["reason"],
                    count(r["rows"]),
                    str(r["line"]),
                    _short(r["value"]),
                )
                for r in shown.iter_rows(named=True)
            ),
            widths=(0, 1, 0, 0, 0.5),
            align="llrrl",
            source=f"{some(rest, 'more row')} for other reasons." if rest else "",
        )
    ]


def _short(value: str | None) -> str:
    text = value or ""
    return text if len(text) <= 40 else text[:39] + "…"
