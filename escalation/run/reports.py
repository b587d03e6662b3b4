"""When the incidents of a study were reported: by releases, a table of reports, or a column."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from escalation.incidents import Incidents, nearest
from escalation.nowcast import ReportingTriangle
from escalation.run.reading import incidents_of
from escalation.series import CountSeries
from escalation.sources import DataError, RowError
from escalation.sources.base import lacking
from escalation.sources.delimited import LINE, Sheet, open_sheet
from escalation.sources.stack import dated
from escalation.study import NowcastSection, Study

EVENT, REPORT, STREAM = "happened on", "reported on", "stream of"
"""Our own names of what a nowcast reads: those of a file may be any, also the same twice."""


def report_files(study: Study) -> dict[str, str]:
    """SHA-256 of each file that the nowcast reads beside the incidents."""
    section = study.nowcast
    if section is None:
        return {}
    paths = [each.path for each in section.releases]
    if section.reports is not None:
        paths.append(section.reports)
    return {path: open_sheet(study.beside(path)).sha256 for path in paths}


def reported(
    study: Study,
    section: NowcastSection,
    incidents: Incidents,
    path: Path | tuple[Path, ...],
    series: CountSeries,
    strict: bool,
) -> tuple[ReportingTriangle, str]:
    """What was reported when, of the periods that the nowcast looks at; and where it is known from.

    Parameters
    ----------
    study, section : Study, NowcastSection
    incidents : Incidents
    path : Path
        Their file.
    series : CountSeries
        The counts as recorded.
    strict : bool
        Whether the first bad row of the reports or releases is an error.

    Raises
    ------
    DataError
        If a file cannot be read, or lacks a column or a stream; `RowError` for a row, if strict.
    ValueError
        If what is known of reports ends at another period than the series, or is of no whole one.
    """
    if section.releases:
        triangle, origin = _released(study, section, strict)
    elif section.reports is not None:
        triangle, origin = _tabled(study, section, strict)
    else:
        triangle, origin = _own(study, section, incidents, path, strict)
    if triangle.edges[-1] != series.edges[-1]:
        raise ValueError(
            f"key 'nowcast.releases': the last one tells of the {series.period}s to "
            f"{triangle.edges[-1]}, the incidents of those to {series.edges[-1]}: data.end should "
            "be the day after the last release"
        )
    return triangle.latest(section.periods), origin


def _released(study: Study, section: NowcastSection, strict: bool) -> tuple[ReportingTriangle, str]:
    """By successive releases of the incidents."""
    window = study.window
    releases = {
        each.day: incidents_of(
            study,
            study.beside(each.path),
            window=window.narrow(window.start, each.day + timedelta(days=1)),
            strict=strict,
        ).incidents
        for each in section.releases
    }
    try:
        found = ReportingTriangle.from_vintages(
            releases, study.streams, period=study.specification.period, longest=section.longest,
            actors=study.actors,
        )  # fmt: skip
        # A period that begins before the window was not watched wholly; the series has it neither.
        inside = int((found.edges[:-1] >= np.datetime64(window.start)).sum())
        if not inside:
            raise ValueError(
                f"they tell of the {found.period} from {found.edges[0]} alone, which begins before "
                f"data.start ({window.start})"
            )
        found = found.latest(inside)
    except ValueError as fault:
        raise ValueError(f"key 'nowcast.releases': {fault}") from None
    # The releases say what was reported when, the study what nobody watched.
    watched = window.narrow(found.window.start, found.window.end)
    first, last = section.releases[0].day, section.releases[-1].day
    origin = f"{len(releases)} releases of the incidents, of {first} to {last}"
    told = [
        releases[each.day].rejected.with_columns(
            pl.concat_str("reason", pl.lit(f" ({Path(each.path).name})"))
        )
        for each in section.releases
    ]
    return replace(found, window=watched, rejected=pl.concat(told)), origin


def _tabled(study: Study, section: NowcastSection, strict: bool) -> tuple[ReportingTriangle, str]:
    """By a table of reports, a row an incident."""
    sheet = open_sheet(study.beside(str(section.reports)), study.data.layout)
    wanted = {"event": section.event, "report": section.report, "stream": section.stream}
    if len(study.names) == 1 and section.stream not in sheet.header:
        del wanted["stream"]
    read_rows, misfits = _rows(study, sheet, wanted)
    named = pl.col(section.stream) if "stream" in wanted else pl.lit(study.names[0])
    rows = read_rows.select(
        "line",
        pl.col(section.event).alias(EVENT),
        pl.col(section.report).alias(REPORT),
        named.alias(STREAM),
    )
    for name in rows[STREAM].drop_nulls().unique().sort():
        if name not in study.names:
            near = nearest(name, study.names)
            raise DataError(
                f"{sheet.label}: column {section.stream!r}: no stream is called {name!r} "
                + (f"(the nearest is {near!r})" if near else f"({', '.join(study.names)})")
            )
    names = {EVENT: section.event, REPORT: section.report, STREAM: section.stream}
    found = _counted(study, section, rows, sheet.label, names, misfits, strict)
    return found, f"the dates of events and reports in {Path(sheet.label).name}"


def _own(
    study: Study,
    section: NowcastSection,
    incidents: Incidents,
    path: Path | tuple[Path, ...],
    strict: bool,
) -> tuple[ReportingTriangle, str]:
    """By a column of the incidents file itself."""
    sheet = open_sheet(path, study.data.layout)
    key = study.data.columns.get("id", "id")
    wanted = {"report": section.report}
    if key in sheet.header or "id" in study.data.columns:
        wanted["id"] = key
    rows, _ = _rows(study, sheet, wanted)
    # As the source reads them: without blanks around them, and the line where there are none.
    ids = pl.col(key) if "id" in wanted else pl.col("line").cast(pl.String)
    told = rows.select("line", ids.alias("id"), pl.col(section.report).alias(REPORT))
    # Of rows with one id the source takes the first and rejects the others.
    told = told.unique("id", keep="first", maintain_order=True)
    parts = []
    for name, stream in zip(study.names, study.streams, strict=True):
        own = stream.select(incidents, study.actors).table.select("id", pl.col("date").alias(EVENT))
        if own["id"].has_nulls():
            raise DataError(f"{sheet.label}: column {key!r}: an incident of {name!r} has no id")
        parts.append(own.with_columns(pl.lit(name).alias(STREAM)))
    every = pl.concat(parts).join(told, on="id", how="left", maintain_order="left")
    names = {EVENT: study.data.columns.get("date", "date"), REPORT: section.report}
    found = _counted(study, section, every, sheet.label, names, incidents.rejected, strict)
    return found, f"the column “{section.report}” of {Path(sheet.label).name}"


def _rows(study: Study, sheet: Sheet, wanted: dict[str, str]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The rows of a file and those that do not fit, or which column a key asks for in vain."""
    for key, column in wanted.items():
        if column not in sheet.header:
            asked = "data.columns.id" if key == "id" else f"nowcast.{key}"
            raise DataError(
                f"{sheet.label}: {lacking([column], sheet.header)} (key '{asked}' of {study.path})"
            )
    if "line" in wanted.values():
        raise DataError(f"{sheet.label}: the column 'line' cannot hold dates of reports")
    rows, misfits = sheet.rows()
    days = {column for key, column in wanted.items() if key in ("event", "report")}
    forms = study.data.layout.date_forms
    rows = rows.with_columns(dated(pl.col(name), forms) for name in days)
    return rows.drop("line", strict=False).rename({LINE: "line"}), misfits


def _counted(
    study: Study,
    section: NowcastSection,
    rows: pl.DataFrame,
    label: str,
    names: dict[str, str],
    misfits: pl.DataFrame,
    strict: bool,
) -> ReportingTriangle:
    """The triangle of rows, its streams those of the study.

    Rows with a fault are told by the file's ``names`` of our columns, beside the misfits.
    """
    found = ReportingTriangle.from_table(
        rows, study.data.start, study.data.end, event=EVENT, report=REPORT, stream=STREAM,
        period=study.specification.period, longest=section.longest, gaps=study.data.gaps,
    )  # fmt: skip
    lines = rows["line"].to_numpy()[found.rejected["line"].to_numpy() - 2]
    rejected = found.rejected.with_columns(
        pl.Series("line", lines, pl.Int64), pl.col("column").replace(names)
    )
    rejected = pl.concat([rejected, misfits]).sort("line", maintain_order=True)
    if strict and len(rejected):
        line, column, value, reason = rejected.row(0)
        raise RowError(f"{label}: line {line}, column {column!r}: {value!r} {reason}")
    return replace(
        found, counts=_in_order(found, study.names), names=study.names, rejected=rejected
    )


def _in_order(triangle: ReportingTriangle, names: Sequence[str]) -> np.ndarray:
    """Counts of the streams in this order; nothing of those without a report."""
    nothing = np.zeros(triangle.counts.shape[:2], np.int64)
    return np.stack(
        [
            triangle.counts[:, :, triangle.names.index(name)] if name in triangle.names else nothing
            for name in names
        ],
        axis=2,
    )
