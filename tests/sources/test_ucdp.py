"""The Pakistan file of the reference data, whose counts are in the README beside it."""

import csv
from collections import Counter
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from escalation.incidents import Incidents
from escalation.series import CountSeries, EventSeries
from escalation.sources import DataError, UcdpGed, read
from escalation.streams import Stream
from escalation.window import Window

WINDOW = Window(date(1989, 1, 1), date(2022, 1, 1))

# Events by dyad and year, as the README of the reference data counts them (year of `date_start`).
STATE_TTP = dict(
    zip(
        range(2007, 2022),
        [53, 435, 674, 680, 427, 358, 206, 293, 204, 96, 80, 40, 51, 64, 112],
        strict=True,
    )
)


@pytest.fixture(scope="module")
def path(shared: Path) -> Path:
    return shared / "data" / "ucdp_ged_pakistan_1989_2021.csv"


@pytest.fixture(scope="module")
def pakistan(path: Path) -> Incidents:
    return read(path, WINDOW, source="ucdp")


def years(incidents: Incidents) -> dict[int, int]:
    counted = incidents.table.group_by(pl.col("date").dt.year()).len().sort("date")
    return dict(counted.iter_rows())


def dyad(incidents: Incidents, *names: str) -> Incidents:
    return Stream("s", dyad=names, directed=False).select(incidents)


def test_every_row_is_taken(pakistan: Incidents) -> None:
    taken = pakistan.provenance
    assert (taken.rows_read, taken.rows_taken) == (6416, 6416)
    assert taken.version == "events of 1989 to 2021"
    assert taken.licence == "CC BY 4.0"
    assert pakistan.rejected.is_empty()


def test_state_and_ttp_by_year(pakistan: Incidents) -> None:
    """The README's years hold also the 3 events of "Government of Pakistan - TTP - TA"."""
    assert len(dyad(pakistan, "Government of Pakistan - TTP")) == 3770
    with_splinters = pakistan.where(pl.col("dyad").str.starts_with("Government of Pakistan - TTP"))
    assert years(with_splinters) == STATE_TTP
    assert not with_splinters.table["directed"].any()
    assert set(with_splinters.table["incident_class"]) == {"state-based"}


def test_strikes_by_the_united_states(pakistan: Incidents) -> None:
    stream = Stream("strikes", source=("Government of United States of America",))
    strikes = stream.select(pakistan)
    assert len(strikes) == 411
    assert years(strikes)[2010] == 107
    assert max(years(strikes)) == 2017
    assert set(strikes.table["country"]) == {"Pakistan"}


def test_ttp_against_civilians(pakistan: Incidents) -> None:
    stream = Stream("s", source=("TTP",), target=("civilians",), classes=("one-sided",))
    chosen = stream.select(pakistan)
    assert len(chosen) == 380
    assert chosen.table["directed"].all()
    assert set(chosen.table["dyad"]) == {"TTP - Civilians"}


def test_india_and_pakistan(pakistan: Incidents) -> None:
    chosen = dyad(pakistan, "Government of India - Government of Pakistan")
    assert len(chosen) == 429
    assert not set(years(chosen)) & set(range(2004, 2010))


def test_afghan_fighting_that_spills_over(pakistan: Incidents) -> None:
    stream = Stream("s", source=("Government of Afghanistan",), directed=False)
    assert len(stream.select(pakistan)) == 91


def test_dates_and_deaths(pakistan: Incidents) -> None:
    table = pakistan.table
    assert (table["date_latest"] > table["date"]).sum() == 348
    assert table.group_by("date").len()["len"].max() == 12
    assert (table["deaths_best"] == 0).sum() == 527
    row = pakistan.summary().to_dicts()[-1]
    assert row["imprecise"] == pytest.approx(348 / 6416)
    assert row["deaths best"] == 43_225
    assert row["disputed"] == 0


def test_contradicting_estimates_are_mended_and_told(pakistan: Incidents, path: Path) -> None:
    raw = pl.read_csv(path)
    odd = raw.filter(
        (pl.col("low") > pl.col("high")) | ~pl.col("best").is_between(pl.col("low"), pl.col("high"))
    )
    assert len(pakistan.amended) == len(odd) == 200
    table = pakistan.table
    assert table["deaths_best"].is_between(table["deaths_low"], table["deaths_high"]).all()
    line, column, value, reason = pakistan.amended.row(0)
    text = path.read_text().splitlines()
    assert column == "low"
    assert text[line - 1].split(",")[-3] == value
    assert "bounds were widened" in reason
    kept = table.filter(~pl.col("id").is_in(odd["id"].cast(str).implode()))
    original = raw.select(pl.col("id").cast(str), "low", "high")
    joined = kept.join(original, on="id")
    assert (joined["deaths_low"] == joined["low"]).all()
    assert (joined["deaths_high"] == joined["high"]).all()


def test_series_of_the_border(pakistan: Incidents) -> None:
    streams = (
        Stream("strikes", source=("Government of United States of America",)),
        Stream("fighting", dyad=("Government of Pakistan - TTP",), directed=False),
    )
    weekly = CountSeries.from_incidents(pakistan, streams, "week")
    lost = dyad(pakistan, "Government of Pakistan - TTP").where(pl.col("date") > date(2021, 12, 26))
    assert weekly.counts.sum(axis=0).tolist() == [411, 3770 - len(lost)]
    assert f"({len(lost)} incidents)" in weekly.dropped
    assert str(weekly.edges[0]) == "1989-01-02"
    assert "1989-01-01 to 1989-01-01 and 2021-12-27 to 2021-12-31" in weekly.dropped
    days = EventSeries.from_incidents(pakistan, streams)
    assert days.counts("week") == weekly


def test_rows_outside_the_window_are_counted(path: Path) -> None:
    incidents = read(path, Window(date(2007, 1, 1), date(2017, 1, 1)), source="ucdp")
    taken = incidents.provenance
    assert taken.rows_rejected == 0
    assert taken.rows_taken + taken.rows_outside == 6416
    assert taken.version == "events of 1989 to 2021"
    assert len(dyad(incidents, "Government of Pakistan - TTP")) == 3423


def test_candidate_events_are_read_too(shared: Path) -> None:
    path = shared / "data" / "samples" / "ucdp_candidate_23_0_10.csv"
    incidents = read(path, Window(date(2023, 1, 1), date(2024, 1, 1)), source="ucdp")
    assert len(incidents) == 2391
    assert len(incidents.amended) == 15


@pytest.mark.parametrize(
    "name", ["gdelt1_export.tsv", "gdelt2_export.tsv", "icews_2018_sample.tab"]
)
def test_files_of_other_sources_are_refused(shared: Path, name: str) -> None:
    path = shared / "data" / "samples" / name
    with pytest.raises(DataError) as fault:
        read(path, WINDOW, source="ucdp")
    message = str(fault.value)
    word = "icews" if name.startswith("icews") else "gdelt"
    assert message.startswith(f"{path}: not a file of UCDP GED; it looks like {word.upper()}")
    assert message.endswith(f'say source = "{word}"')
    assert "\n" not in message


def specimen(**changes: str) -> pl.DataFrame:
    frame = pl.read_csv(UcdpGed.specimen.encode(), infer_schema=False)
    return frame.with_columns(
        pl.when(pl.int_range(pl.len()) == 1).then(pl.lit(value)).otherwise(pl.col(name)).alias(name)
        for name, value in changes.items()
    )


def test_only_one_sided_violence_has_a_direction() -> None:
    table = read(specimen(), WINDOW, source="ucdp").table
    assert table["incident_class"].to_list() == ["state-based", "one-sided", "non-state"]
    assert table["directed"].to_list() == [False, True, False]
    assert table["certainty"].unique().to_list() == ["reported"]
    assert table["date"].to_list() == [date(2008, 1, 1), date(2008, 2, 3), date(2008, 3, 1)]
    assert table["date_latest"].to_list() == [date(2008, 1, 1), date(2008, 2, 6), date(2008, 5, 31)]


def test_an_unknown_type_of_violence_is_a_fault() -> None:
    incidents = read(specimen(type_of_violence="4"), WINDOW, source="ucdp")
    assert incidents.rejected.rows() == [(3, "type_of_violence", "4", "is not one of 1, 2, 3")]


def test_columns_of_older_and_newer_versions() -> None:
    older = specimen().rename({"best": "best_est", "high": "high_est", "low": "low_est"})
    newer = specimen().rename({"dyad_new_id": "dyad_id", "side_a_new_id": "side_a_id"})
    expected = read(specimen(), WINDOW, source="ucdp").table
    for frame in (older, newer):
        assert read(frame, WINDOW, source="ucdp").table.equals(expected)


def counted(path: Path) -> dict[str, Any]:
    """What the csv module counts in a file, by itself."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    figures = [[int(row[name]) for name in ("low", "best", "high")] for row in rows]
    return {
        "rows": len(rows),
        "best": sum(best for _, best, _ in figures),
        "low": sum(map(min, figures)),
        "high": sum(map(max, figures)),
        "classes": Counter(CLASSES[row["type_of_violence"]] for row in rows),
        "dyads and years": Counter((row["dyad_name"], int(row["date_start"][:4])) for row in rows),
        "spans": sum(row["date_start"][:10] != row["date_end"][:10] for row in rows),
        "clarity": Counter(int(row["event_clarity"]) for row in rows),
        "precision": Counter(PRECISIONS[row["where_prec"]] for row in rows),
        "provinces": Counter(row["adm_1"].strip() or None for row in rows),
        "sources": sum(max(int(row["number_of_sources"]), 0) for row in rows),
        "uncounted": sum(row["number_of_sources"] == "-1" for row in rows),
    }


CLASSES = {"1": "state-based", "2": "non-state", "3": "one-sided"}
PRECISIONS = {"1": "place", "2": "near", "3": "district", "4": "province", "6": "country"} | {
    "5": None, "7": None,
}  # fmt: skip


@pytest.mark.parametrize(
    "name", ["ucdp_ged_pakistan_1989_2021.csv", "samples/ucdp_candidate_23_0_10.csv"]
)
def test_counts_are_those_of_the_csv_module(shared: Path, name: str) -> None:
    path = shared / "data" / name
    expected = counted(path)
    incidents = read(path, Window(date(1989, 1, 1), date(2024, 1, 1)), source="ucdp")
    table = incidents.table
    years = table.select("dyad", pl.col("date").dt.year()).rows()
    assert expected == {
        "rows": len(incidents),
        "best": table["deaths_best"].sum(),
        "low": table["deaths_low"].sum(),
        "high": table["deaths_high"].sum(),
        "classes": Counter(table["incident_class"]),
        "dyads and years": Counter(years),
        "spans": (table["date_latest"] > table["date"]).sum(),
        "clarity": Counter(table["clarity"]),
        "precision": Counter(table["place_precision"]),
        "provinces": Counter(table["province"]),
        "sources": table["reports"].sum(),
        "uncounted": table["reports"].null_count(),
    }


def test_the_row_of_hxl_tags_is_told_and_no_incident(tmp_path: Path) -> None:
    header, *rows = UcdpGed.specimen.splitlines()
    tags = ",".join(["#event+id", "#event+type", *["#meta"] * (header.count(",") - 2), ""])
    path = tmp_path / "conflict_data.csv"
    path.write_text("\n".join([header, tags, *rows]))
    incidents = read(path, WINDOW, source="ucdp")
    assert incidents.table.equals(read(specimen(), WINDOW, source="ucdp").table)
    assert incidents.provenance.rows_read == 3
    assert incidents.provenance.remarks == (
        "conflict_data.csv: the row of HXL tags is no incident",
    )
    path.write_text("\n".join([header, tags, rows[0].replace("2008-01-01", "never", 1)]))
    assert read(path, WINDOW, source="ucdp").rejected["line"].to_list() == [3]


def test_the_oldest_columns_and_the_fewest(tmp_path: Path) -> None:
    """Files of before 2013 have other names, and none for sources, clarity and precision."""
    older = specimen().rename(
        {"best": "best_est", "high": "high_est", "low": "low_est", "dyad_new_id": "dyad_dset_id"}
    )
    older = older.drop("number_of_sources", "where_prec", "event_clarity", "adm_1", "date_prec")
    table = read(older, WINDOW, source="ucdp").table
    known = read(specimen(), WINDOW, source="ucdp").table
    absent = ["reports", "place_precision", "clarity", "province"]
    assert table.drop(absent).equals(known.drop(absent))
    assert table.select(absent).null_count().row(0) == (3, 3, 3, 3)


def test_sources_that_were_not_counted_are_unknown() -> None:
    table = read(specimen(), WINDOW, source="ucdp").table
    assert table["reports"].to_list() == [None, 3, 1]
    assert table["place_precision"].to_list() == ["place", "near", "country"]
    assert table["clarity"].to_list() == [1, 1, 2]
    told = read(specimen(where_prec="9"), WINDOW, source="ucdp").rejected
    assert told["value"].to_list() == ["9"]
    assert told["reason"][0].startswith("is not one of place, near,")
