"""The last periods of a study: when incidents were reported, and what is still to come."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import numpy as np
import polars as pl

from escalation.fit import Fit
from escalation.forecast import Forecast
from escalation.incidents import Incidents, nearest
from escalation.nowcast import (
    Nowcast,
    ReportingTriangle,
    fits_over_nowcasts,
    pooled_over_nowcasts,
)
from escalation.results import NowcastResults
from escalation.run.tasks import generator
from escalation.series import CountSeries
from escalation.sources import DataError, RowError, read
from escalation.sources.base import lacking
from escalation.sources.delimited import Sheet, open_sheet
from escalation.study import NowcastSection, Study

DRAWS = 2000
"""Of the totals of the last periods."""


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
    path: Path,
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
        Whether the first bad row of the reports is an error.

    Raises
    ------
    DataError
        If a file cannot be read, or lacks a column or a stream.
    ValueError
        If what is known of reports ends at another period than the series.
    """
    if section.releases:
        triangle, origin = _released(study, section)
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


def last_periods(
    study: Study,
    section: NowcastSection,
    triangle: ReportingTriangle,
    origin: str,
    series: CountSeries,
) -> NowcastResults:
    """Learn how late reports come, and what the last periods will have.

    Parameters
    ----------
    study, section : Study, NowcastSection
    triangle, origin : ReportingTriangle, str
        See `reported`.
    series : CountSeries
        The counts as recorded.

    Raises
    ------
    ValueError
        If the triangle is too small.
    """
    model = Nowcast(
        delays=section.delays, pace=section.pace, momentum=section.momentum,
        weekday=section.weekday,
    )  # fmt: skip
    rng = generator(study, "nowcast")
    try:
        fit = model.fit(triangle, study.engine(section), rng)
    except ValueError as fault:
        raise ValueError(f"key 'nowcast': {fault}") from None
    totals = fit.totals(rng, DRAWS)[:, -triangle.longest :].astype(np.int64)
    return NowcastResults(fit, totals, origin, series)


def headline(
    study: Study, series: CountSeries, nowcast: NowcastResults | None
) -> tuple[Fit, Forecast, tuple[Fit, ...]]:
    """The headline fit, its forecast, and the fits that it pools (itself if it is one).

    Where the study asks for it, the model is fitted to several series that the nowcast completes,
    and the forecast is of all of them.
    """
    rng, asked, chosen = generator(study, "fit"), study.forecast, study.nowcast
    if nowcast is None or chosen is None or not chosen.complete:
        fits: tuple[Fit, ...] = (study.model().fit(series, engine=study.engine(), rng=rng),)
        fit = fits[0]
    else:
        fits = fits_over_nowcasts(
            study.model(), nowcast.fit, engine=study.engine(), fits=chosen.fits, rng=rng,
            series=series,
        )  # fmt: skip
        fit = pooled_over_nowcasts(fits, nowcast.fit, generator(study, "nowcast"), series)
    rng = generator(study, "forecast")
    sizes = [len(part) for part in np.array_split(np.arange(asked.draws), len(fits))]
    told = [
        one.forecast(asked.horizon, rng, draws=size)
        for one, size in zip(fits, sizes, strict=True)
        if size
    ]
    draws = np.concatenate([one.draws for one in told])
    after = Forecast.after(fit.series, draws, told[0].model) if len(fits) > 1 else told[0]
    return fit, after, fits


def closed(series: CountSeries, nowcast: NowcastResults | None) -> CountSeries:
    """The periods of which no report is to come, by which past forecasts are judged."""
    if nowcast is None:
        return series
    triangle = nowcast.fit.triangle
    first = triangle.edges[max(len(triangle) - triangle.longest, 1)].item()
    return nowcast.recorded.split(first)[0]


def _released(study: Study, section: NowcastSection) -> tuple[ReportingTriangle, str]:
    """By successive releases of the incidents."""
    window, columns = study.window, study.data.columns or None
    releases = {
        each.day: read(
            study.beside(each.path),
            window.narrow(window.start, each.day + timedelta(days=1)),
            source=study.data.source,
            columns=columns,
        )
        for each in section.releases
    }
    try:
        found = ReportingTriangle.from_vintages(
            releases, study.streams, period=study.specification.period, longest=section.longest,
            actors=study.actors,
        )  # fmt: skip
    except ValueError as fault:
        raise ValueError(f"key 'nowcast.releases': {fault}") from None
    # The releases say what was reported when, the study what nobody watched.
    watched = window.narrow(found.window.start, found.window.end)
    first, last = section.releases[0].day, section.releases[-1].day
    origin = f"{len(releases)} releases of the incidents, of {first} to {last}"
    return replace(found, window=watched), origin


def _tabled(study: Study, section: NowcastSection, strict: bool) -> tuple[ReportingTriangle, str]:
    """By a table of reports, a row an incident."""
    sheet = open_sheet(study.beside(str(section.reports)))
    wanted = {"event": section.event, "report": section.report, "stream": section.stream}
    if len(study.names) == 1 and section.stream not in sheet.header:
        del wanted["stream"]
    rows = _rows(study, sheet, wanted)
    if "stream" not in wanted:
        rows = rows.with_columns(pl.lit(study.names[0]).alias(section.stream))
    for name in rows[section.stream].drop_nulls().unique().sort():
        if name not in study.names:
            near = nearest(name, study.names)
            raise DataError(
                f"{sheet.label}: column {section.stream!r}: no stream is called {name!r} "
                + (f"(the nearest is {near!r})" if near else f"({', '.join(study.names)})")
            )
    found = _counted(study, section, rows, sheet.label, section.event, section.report, strict)
    return found, f"the dates of events and reports in {Path(sheet.label).name}"


def _own(
    study: Study, section: NowcastSection, incidents: Incidents, path: Path, strict: bool
) -> tuple[ReportingTriangle, str]:
    """By a column of the incidents file itself."""
    sheet = open_sheet(path)
    key = study.data.columns.get("id", "id")
    wanted = {"report": section.report}
    if key in sheet.header or "id" in study.data.columns:
        wanted["id"] = key
    rows = _rows(study, sheet, wanted)
    # As the source reads them: without blanks around them, and the line where there are none.
    ids = pl.col(key).str.strip_chars() if "id" in wanted else pl.col("line").cast(pl.String)
    told = rows.select("line", ids.alias("id"), section.report)
    if told["id"].drop_nulls().is_duplicated().any():
        raise DataError(f"{sheet.label}: column {key!r}: ids must differ to find dates of reports")
    parts = []
    for name, stream in zip(study.names, study.streams, strict=True):
        own = stream.select(incidents, study.actors).table.select("id", "date")
        if own["id"].has_nulls():
            raise DataError(f"{sheet.label}: column {key!r}: an incident of {name!r} has no id")
        parts.append(own.with_columns(pl.lit(name).alias(section.stream)))
    every = pl.concat(parts).join(told, on="id", how="left", maintain_order="left")
    found = _counted(study, section, every, sheet.label, "date", section.report, strict)
    return found, f"the column “{section.report}” of {Path(sheet.label).name}"


def _rows(study: Study, sheet: Sheet, wanted: dict[str, str]) -> pl.DataFrame:
    """The rows of a file, or which column is missing and which key asks for it."""
    for key, column in wanted.items():
        if column not in sheet.header:
            asked = "data.columns.id" if key == "id" else f"nowcast.{key}"
            raise DataError(
                f"{sheet.label}: {lacking([column], sheet.header)} (key '{asked}' of {study.path})"
            )
    return sheet.rows()[0]


def _counted(
    study: Study,
    section: NowcastSection,
    rows: pl.DataFrame,
    label: str,
    event: str,
    report: str,
    strict: bool,
) -> ReportingTriangle:
    """The triangle of rows, its streams those of the study."""
    found = ReportingTriangle.from_table(
        rows, study.data.start, study.data.end, event=event, report=report,
        stream=section.stream, period=study.specification.period, longest=section.longest,
        gaps=study.data.gaps,
    )  # fmt: skip
    lines = rows["line"].to_numpy()[found.rejected["line"].to_numpy() - 2]
    rejected = found.rejected.with_columns(pl.Series("line", lines, pl.Int64))
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
