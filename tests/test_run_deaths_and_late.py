"""Studies that ask for deaths and for what is not reported yet."""

from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from escalation.checks import Finding
from escalation.checks.nowcast import agreeing, missing
from escalation.nowcast import ReportingTriangle
from escalation.report import write_report
from escalation.results import Results
from escalation.run import run
from escalation.run.cache import cache_key, run_info
from escalation.run.late import headline, last_periods
from escalation.run.reports import EVENT, REPORT, STREAM, report_files, reported
from escalation.series import CountSeries
from escalation.severity import DeathRecords, Severity
from escalation.sources import DataError, RowError, read
from escalation.study import NowcastSection, Release, SeveritySection, Study
from report.test_sections import outside
from small import END, late_study

OURS = (EVENT, REPORT, STREAM, "stream")
ROWS = (("attacks", "2021-05-01", "2021-05-01"), ("strikes", "2021-05-04", "2021-05-06"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return late_study(tmp_path_factory.mktemp("late")).parent


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    return Study.from_toml(folder / "study.toml")


@pytest.fixture(scope="module")
def found(folder: Path, study: Study) -> Results:
    return run(study, cache=folder / "cache")


def finding(results: Results, name: str) -> Finding:
    return next(one for one in results.findings if one.name == name)


# Deaths ----------------------------------------------------------------------------------------


def test_deaths_are_those_of_the_forecast_of_incidents(found: Results) -> None:
    deaths = found.severity
    assert deaths is not None
    assert deaths.forecast.draws.shape == found.forecast.draws.shape
    assert deaths.forecast.names == found.forecast.names
    assert (deaths.forecast.draws[found.forecast.draws == 0] == 0).all()
    assert deaths.last_forecast.made_on == found.last_forecast.made_on
    assert deaths.fit.records.window.days == 700
    np.testing.assert_array_equal(deaths.forecast.edges, found.forecast.edges)


def test_deaths_that_came_are_those_recorded(found: Results, study: Study) -> None:
    deaths = found.severity
    assert deaths is not None
    records = DeathRecords.from_incidents(found.incidents, study.streams, study.actors)
    for row, figure in zip(deaths.last_observed, ("low", "best", "high"), strict=True):
        np.testing.assert_array_equal(row, records.totals(deaths.last_forecast.edges, figure))


def test_the_reading_in_use_is_the_forecast_itself(found: Results) -> None:
    deaths = found.severity
    assert deaths is not None
    whole = deaths.forecast.total().blocks([4])
    row = deaths.readings.filter(pl.col("figures") == "interval").row(0, named=True)
    assert row["median"] == whole.quantile(0.5)[0, 0]
    assert (row["lower"], row["upper"]) == tuple(whole.interval(0.8)[:, 0, 0])
    recorded = deaths.readings["recorded"].to_list()
    assert recorded[0] is None and recorded[1] <= recorded[2] <= recorded[3]


def test_the_law_is_judged_by_incidents_after_the_first_origin(found: Results) -> None:
    deaths = found.severity
    assert deaths is not None
    days = found.incidents.table["date"]
    later = int((days >= found.backtest.table["origin"].min()).sum())
    ninety = deaths.exceedances.filter(pl.col("share") == 0.9)
    assert ninety["incidents"].sum() == later
    assert {"Deaths: convergence", "Deaths: later incidents", "Deaths: mean"} <= {
        one.name for one in found.findings
    }


def test_the_law_of_the_section_is_the_one_fitted(study: Study) -> None:
    section = SeveritySection(tail="none", deaths="high", draws=100, longest=3, memory=None)
    results = run(replace(study, severity=section, nowcast=None))
    assert results.severity is not None
    assert results.severity.fit.model == Severity(tail="none", deaths="high")
    assert "of more than 3 days" in results.severity.fit.records.dropped
    assert results.severity.fit.records.window == study.window
    assert results.nowcast is None


def no_work(label: str, *_: int) -> None:
    raise AssertionError(f"{label} before the fault was told")


@pytest.mark.parametrize(
    ("columns", "section", "wanted"),
    [
        (
            ("deaths_low", "deaths_best", "deaths_high"),
            SeveritySection(),
            "key 'severity': no incident of the streams has deaths that are known",
        ),
        ((), SeveritySection(memory=1), "key 'severity.memory': no incident of the last 1 days"),
    ],
)
def test_deaths_that_nobody_knows_are_told(
    study: Study, folder: Path, tmp_path: Path, columns: tuple[str, ...],
    section: SeveritySection, wanted: str,
) -> None:  # fmt: skip
    table = pl.read_csv(folder / "incidents.csv", infer_schema=False)
    quiet = table.filter(pl.col("date") < "2021-12-20").drop(columns)
    quiet.write_csv(tmp_path / "quiet.csv")
    asked = replace(study, severity=section, nowcast=None)
    with pytest.raises(ValueError, match=wanted):
        run(asked, incidents_path=tmp_path / "quiet.csv", progress=no_work)


# The last periods ------------------------------------------------------------------------------


def test_the_series_is_completed_by_what_is_not_reported(found: Results) -> None:
    late = found.nowcast
    assert late is not None
    added = found.series.counts - late.recorded.counts
    assert found.recorded == late.recorded
    assert (added[:-5] == 0).all() and (added >= 0).all() and added.sum() > 0
    np.testing.assert_array_equal(late.fit.triangle.reported[-5:], late.recorded.counts[-5:])
    assert late.totals.shape == (2000, 5, 2)
    assert (late.totals >= late.recorded.counts[-5:]).all()
    assert found.fit.diagnostics["fits over nowcasts"] == 2
    assert found.forecast.draws.shape == (300, 4, 2)
    assert finding(found, "Late reports").passed
    assert finding(found, "Reports against incidents").passed
    assert finding(found, "Convergence").text.startswith("Of 2 fits to completed series")


def test_past_forecasts_are_judged_by_closed_periods(found: Results) -> None:
    assert found.last_forecast.edges[-1] == found.series.edges[-6]
    assert found.backtest.table["date"].max() < found.series.edges[-6].item()


def test_results_with_both_come_back_from_the_cache(
    found: Results, folder: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a fit was asked for")

    monkeypatch.setattr("escalation.fit.Model.fit", refuse)
    again = run(study, cache=folder / "cache")
    assert again == found
    assert again.severity is not None and found.severity is not None
    assert again.severity.fit.table().equals(found.severity.fit.table())
    assert again.nowcast is not None and found.nowcast is not None
    assert again.nowcast.fit.table().equals(found.nowcast.fit.table())


def test_counts_as_reported_are_a_warning(found: Results, study: Study) -> None:
    late = found.nowcast
    assert late is not None and study.nowcast is not None
    section = replace(study.nowcast, complete=False, fits=NowcastSection.fits)
    plain = replace(study, nowcast=section)
    fit, forecast, fits = headline(plain, late.recorded, late)
    assert (fit.series, len(fits)) == (late.recorded, 1)
    np.testing.assert_array_equal(forecast.recent[-4:], late.recorded.counts[-4:])
    told = missing(late.fit, completed=False)
    assert told.status == "warned" and "nowcast.complete" in told.text


def test_one_wild_draw_does_not_change_what_is_probably_missing(
    found: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    late = found.nowcast
    assert late is not None
    wanted = missing(late.fit, completed=False).text
    draws = late.fit.totals()
    draws[0] = 1e9
    monkeypatch.setattr("escalation.nowcast.NowcastFit.totals", lambda *_: draws)
    assert missing(late.fit, completed=False).text == wanted


def triangle(
    study: Study,
    folder: Path,
    section: NowcastSection,
    file: str = "incidents.csv",
    strict: bool = True,
) -> ReportingTriangle:
    """What was reported when, by one section."""
    path = folder / file
    incidents = read(path, study.window, columns=study.data.columns)
    series = CountSeries.from_incidents(incidents, study.streams, "week", study.actors)
    return reported(study, section, incidents, path, series, strict)[0]


def test_a_column_and_a_table_of_reports_say_the_same(study: Study, folder: Path) -> None:
    own = triangle(study, folder, NowcastSection(report="reported", longest=5))
    rows = pl.read_csv(folder / "all.csv").select(
        pl.col("date").alias("event"),
        "reported",
        pl.when(pl.col("incident_class") == "attack")
        .then(pl.lit("attacks"))
        .otherwise(pl.lit("strikes"))
        .alias("stream"),
    )
    rows.write_csv(folder / "reports.csv")
    section = NowcastSection(reports="reports.csv", report="reported", longest=5)
    table = triangle(study, folder, section)
    np.testing.assert_array_equal(own.counts, table.counts)
    assert own.names == table.names == study.names
    assert own.edges[-1] == np.datetime64(END)
    assert len(own) == 52


def test_releases_tell_when_an_incident_was_reported(study: Study, folder: Path) -> None:
    every = pl.read_csv(folder / "all.csv", try_parse_dates=True)
    last = END - timedelta(days=1)
    days = [last - timedelta(days=7 * n) for n in reversed(range(12))]
    for day in days:
        every.filter(pl.col("reported") <= day).write_csv(folder / f"{day}.csv")
    releases = tuple(Release(day, f"{day}.csv") for day in days)
    found = triangle(study, folder, NowcastSection(releases=releases, longest=5))
    own = triangle(study, folder, NowcastSection(report="reported", longest=5))
    np.testing.assert_array_equal(found.counts, own.latest(len(found)).counts)
    assert len(found) == 11
    early = NowcastSection(releases=releases[:-1], longest=5)
    with pytest.raises(ValueError, match=r"data\.end should be the day after the last release"):
        triangle(study, folder, early)


@pytest.mark.parametrize("column", ["date", "line of report", *OURS])
def test_a_column_of_reports_may_have_any_name(study: Study, folder: Path, column: str) -> None:
    section = NowcastSection(report="reported", longest=5)
    wanted = triangle(study, folder, section).counts
    table = pl.read_csv(folder / "incidents.csv", infer_schema=False)
    table.rename({"date": "happened", "reported": column}).write_csv(folder / "named.csv")
    asked = replace(study, data=replace(study.data, columns={"date": "happened"}))
    found = triangle(asked, folder, replace(section, report=column), "named.csv")
    np.testing.assert_array_equal(found.counts, wanted)
    assert found.rejected.is_empty()


def test_ids_may_be_dates_of_reports(study: Study, folder: Path) -> None:
    """No sense, but a file may be asked for it: each row is told, by the file's own names."""
    section = NowcastSection(report="id", longest=5)
    told = triangle(study, folder, section, strict=False).rejected
    assert set(told["column"]) == {"id"} and set(told["reason"]) == {"is no date"}


def test_columns_of_a_table_may_have_our_names(study: Study, folder: Path) -> None:
    rows = ["stream of,happened on,reported on", *(",".join(row) for row in ROWS)]
    (folder / "ours.csv").write_text("\n".join(rows))
    section = NowcastSection(
        reports="ours.csv", event="happened on", report="reported on", stream="stream of"
    )
    assert triangle(study, folder, section).counts.sum() == len(ROWS)
    section = NowcastSection(
        reports="ours.csv", event="reported on", report="happened on", stream="stream of"
    )
    told = triangle(study, folder, section, strict=False).rejected
    assert told.rows() == [(3, "happened on", "2021-05-04", "is before the event")]


def test_an_id_that_stands_twice_is_that_of_its_first_row(study: Study, folder: Path) -> None:
    section = NowcastSection(report="reported", longest=5)
    wanted = triangle(study, folder, section).counts
    table = pl.read_csv(folder / "incidents.csv", infer_schema=False)
    again = table.head(1).with_columns(source=pl.lit("Elsewhere"), reported=pl.lit("2021-12-01"))
    pl.concat([table, again, again]).write_csv(folder / "twice.csv")
    found = triangle(study, folder, section, "twice.csv", strict=False)
    np.testing.assert_array_equal(found.counts, wanted)
    assert found.rejected["reason"].to_list() == ["stands in an earlier row too"] * 2


def test_rows_with_too_many_fields_are_told(study: Study, folder: Path) -> None:
    rows = ["stream,event,report", *(",".join(row) for row in ROWS), "attacks,2021-05-09"]
    (folder / "short.csv").write_text("\n".join(rows))
    section = NowcastSection(reports="short.csv")
    told = triangle(study, folder, section, strict=False).rejected
    assert told["line"].to_list() == [4] and "2 fields, the header 3" in told["reason"][0]
    with pytest.raises(RowError, match=r"short\.csv: line 4"):
        triangle(study, folder, section)


def released(study: Study, folder: Path, days: list[date], more: str = "") -> NowcastSection:
    """A section with releases of these days, each with the same further row."""
    every = pl.read_csv(folder / "all.csv", try_parse_dates=True)
    for day in days:
        text = every.filter(pl.col("reported") <= day).write_csv()
        (folder / f"{day}.csv").write_text(text + more)
    return NowcastSection(releases=tuple(Release(day, f"{day}.csv") for day in days), longest=5)


def test_a_bad_row_of_a_release_is_told(study: Study, folder: Path) -> None:
    header = (folder / "all.csv").read_text().splitlines()[0].split(",")
    row = ",".join("someday" if name == "date" else "" for name in header)
    last = END - timedelta(days=1)
    section = released(study, folder, [last - timedelta(days=70), last], f"{row}\n")
    told = triangle(study, folder, section, strict=False).rejected
    assert set(told["value"]) == {"someday"}
    assert [f"({one.path})" in reason for one, reason in
            zip(section.releases, told["reason"], strict=True)] == [True, True]  # fmt: skip
    with pytest.raises(RowError, match="someday"):
        triangle(study, folder, section)


def test_releases_from_the_first_days_begin_with_the_first_whole_week(
    study: Study, folder: Path
) -> None:
    start, last = date(2021, 9, 1), END - timedelta(days=1)  # a Wednesday
    asked = replace(
        study, data=replace(study.data, start=start, gaps=()),
        backtest=replace(study.backtest, start=None),
    )  # fmt: skip
    section = released(study, folder, [start + timedelta(days=1), last])
    found = triangle(asked, folder, section)
    assert found.edges[0] == np.datetime64("2021-09-06")
    assert found.counts.sum() > 0
    near = replace(asked, data=replace(asked.data, start=END - timedelta(days=12)))
    section = released(study, folder, [date(2021, 12, 23), date(2021, 12, 26)])
    with pytest.raises(ValueError, match=r"key 'nowcast\.releases': .*data\.start"):
        triangle(near, folder, section)


def test_a_nowcast_without_an_end_names_its_section(
    study: Study, found: Results, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(*_: object) -> None:
        raise ValueError("lam value too large")

    late = found.nowcast
    assert late is not None and study.nowcast is not None
    monkeypatch.setattr("escalation.nowcast.NowcastFit.totals", endless)
    monkeypatch.setattr("escalation.nowcast.Nowcast.fit", lambda *_: late.fit)
    with pytest.raises(ValueError, match="key 'nowcast': lam value too large"):
        last_periods(study, study.nowcast, late.fit.triangle, "", late.recorded)


def test_strict_asks_before_the_cache(
    study: Study, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = ["stream,event,report", *(",".join(row) for row in ROWS), "attacks,2021-05-09,someday"]
    (folder / "doubtful.csv").write_text("\n".join(rows))
    asked = replace(study, nowcast=NowcastSection(reports="doubtful.csv"))
    info = run_info(asked, read(folder / "incidents.csv", study.window).provenance.sha256, None)
    info = replace(info, files=report_files(asked))
    (tmp_path / f"{cache_key(info)}.zip").touch()

    def saved(*_: object) -> None:
        raise AssertionError("saved results were taken")

    monkeypatch.setattr("escalation.results.Results.load", saved)
    with pytest.raises(AssertionError, match="were taken"):
        run(asked, cache=tmp_path)
    with pytest.raises(RowError, match="someday"):
        run(asked, cache=tmp_path, strict=True)


FAULTS = {
    "no such column of the incidents": (
        NowcastSection(report="reporte"), DataError,
        r"incidents.csv: no column 'reporte' \(the nearest is 'reported'\).*key 'nowcast.report'",
    ),
    "no such table": (NowcastSection(reports="none.csv"), DataError, "none.csv: no such file"),
    "no such column of the table": (
        NowcastSection(reports="bad.csv", event="evnt"), DataError,
        "bad.csv: no column 'evnt'.*key 'nowcast.event'",
    ),
    "no column of streams": (
        NowcastSection(reports="bad.csv", stream="who"), DataError, "key 'nowcast.stream'",
    ),
    "a stream that is not there": (
        NowcastSection(reports="bad.csv"), DataError,
        "bad.csv: column 'stream': no stream is called 'strike' .the nearest is 'strikes'",
    ),
    "a report before its event": (
        NowcastSection(reports="before.csv"), RowError,
        "before.csv: line 3, column 'report': '2021-01-01' is before the event",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_of_the_reports_names_file_and_key(study: Study, folder: Path, name: str) -> None:
    section, kind, wanted = FAULTS[name]
    head = "event,report,stream\n2021-05-01,2021-05-03,attacks\n"
    (folder / "bad.csv").write_text(head + "2021-05-04,2021-05-04,strike\n")
    (folder / "before.csv").write_text(head + "2021-05-04,2021-01-01,strikes\n")
    with pytest.raises(kind, match=wanted):
        run(replace(study, nowcast=section), strict=True)


def test_reports_that_miss_incidents_are_a_warning(found: Results) -> None:
    late = found.nowcast
    assert late is not None
    told = agreeing(late.fit, found.series)
    assert told.status == "warned" and "is a date of report missing" in told.text
    assert agreeing(late.fit, late.recorded).passed


def test_files_of_reports_are_part_of_the_key(study: Study, folder: Path) -> None:
    (folder / "few.csv").write_text("event,report,stream\n2021-05-01,2021-05-03,attacks\n")
    asked = replace(study, nowcast=NowcastSection(reports="few.csv"))
    info = run_info(asked, "", None)
    keys = [cache_key(info)]
    for text in ("2021-05-01,2021-05-03,attacks\n", "2021-05-02,2021-05-03,attacks\n"):
        (folder / "few.csv").write_text("event,report,stream\n" + text)
        keys.append(cache_key(replace(info, files=report_files(asked))))
    assert len(set(keys)) == 3
    assert report_files(study) == {}


@pytest.mark.slow
def test_the_report_of_such_a_study_stays_in_its_pages(found: Results, tmp_path: Path) -> None:
    path = write_report(found, tmp_path / "one.pdf")
    assert outside(path) == []
    assert path.read_bytes() == write_report(found, tmp_path / "two.pdf").read_bytes()


@pytest.mark.slow
def test_partial_pooling_and_nuts_are_reached_from_a_study(study: Study) -> None:
    chosen = replace(study.specification, chains=2, tune=300)
    section = SeveritySection(streams="partial", engine="nuts", draws=300)
    results = run(replace(study, specification=chosen, severity=section, nowcast=None))
    assert results.severity is not None
    assert results.severity.fit.engine == "NUTS"
    assert results.severity.fit.model == Severity(streams="partial")
