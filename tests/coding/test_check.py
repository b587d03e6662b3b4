"""The check of a hand-coded file: every fault of every row, and each thing that is odd."""

import csv
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalation import check_coding, read
from escalation.coding import COLUMNS
from escalation.coding.columns import BY_NAME
from escalation.sources import DataError
from escalation.window import Window

GOOD = {
    "id": "a", "date": "2031-05-04", "date_latest": "2031-05-05", "source": "North",
    "target": "South", "code": "195", "plover": "ASSAULT", "plover_mode": "heavy-weapons",
    "incident_class": "air or drone strike", "country": "South", "province": "Hills",
    "place": "Ford", "place_precision": "place", "latitude": "31.5", "longitude": "-71.25",
    "deaths_low": "0", "deaths_best": "2", "deaths_high": "3", "certainty": "alleged",
    "claimed_by": "South", "directed": "true", "clarity": "1", "reports": "2",
    "reported_on": "2031-05-06", "note": "why",
}  # fmt: skip


def coded(*changes: dict[str, Any]) -> pl.DataFrame:
    """Rows like the good one but for the changes, each with an id of its own."""
    rows = [GOOD | {"id": f"r{place}"} | change for place, change in enumerate(changes)]
    return pl.DataFrame(rows, schema=dict.fromkeys(GOOD, pl.String))


def test_a_good_row_has_neither_faults_nor_warnings() -> None:
    check = check_coding(coded({}))
    assert check.passed
    assert (check.rows, len(check.faults), len(check.warnings)) == (1, 0, 0)
    assert str(check) == "the table: 1 row, 0 faults, 0 warnings"


FAULTS = [
    ("date", "2031-02-30", "is not a date"),
    ("date", "", "is missing"),
    ("date", "4 May", "is not a date"),
    ("date_latest", "2031-05-03", "ends before it starts"),
    ("date_latest", "later", "is not a date"),
    ("source", "", "is missing"),
    ("target", " ", "is missing"),
    ("id", "", "is missing"),
    ("code", "1095", "is no CAMEO code"),
    ("plover", "ASAULT", "is no PLOVER event type"),
    ("plover", "ASSAULT/abduct", "is no PLOVER event type"),
    ("plover", "", "is blank, though there is a mode"),
    ("plover_mode", "rocket", "is no mode of ASSAULT"),
    ("place_precision", "exact", "is not one of place, near"),
    ("latitude", "91", "is not within 90 degrees"),
    ("longitude", "west", "is not a number"),
    ("deaths_low", "dozens", "is not a whole number"),
    ("deaths_low", "-1", "is negative"),
    ("deaths_low", "4", "is more than the high estimate"),
    ("deaths_best", "9", "is not between low and high estimate"),
    ("deaths_high", "2.5", "is not a whole number"),
    ("certainty", "sure", "is not one of confirmed"),
    ("directed", "perhaps", "is neither true nor false"),
    ("clarity", "one", "is not a whole number"),
    ("reports", "many", "is not a whole number"),
    ("reported_on", "soon", "is not a date"),
]


@pytest.mark.parametrize(("column", "value", "reason"), FAULTS)
def test_a_fault_is_told_with_line_column_and_what_is_expected(
    column: str, value: str, reason: str
) -> None:
    check = check_coding(coded({}, {column: value}))
    found = [row for row in check.faults.rows() if row[1] == column]
    assert len(found) == 1
    line, _, told, why, expected = found[0]
    assert (line, told) == (3, value.strip())
    assert reason in why
    assert expected
    assert not check.passed


def test_every_fault_of_a_row_is_told() -> None:
    """A reader tells the first; a coder mends them all at once."""
    wrong = {"date": "x", "deaths_low": "y", "certainty": "z", "code": "q", "directed": "w"}
    found = check_coding(coded(wrong)).faults
    assert found["column"].to_list() == ["date", "code", "deaths_low", "certainty", "directed"]
    assert found["line"].unique().to_list() == [2]


def test_an_id_that_stands_twice() -> None:
    check = check_coding(coded({"id": "same"}, {"id": "same", "place": "Mill"}))
    assert check.faults.select("line", "column", "reason").rows() == [
        (3, "id", "stands in an earlier row too")
    ]


WARNINGS = [
    ({"claimed_by": ""}, "claimed_by", "who says so is missing"),
    ({"certainty": "denied", "claimed_by": ""}, "claimed_by", "though it is denied"),
    ({"claimed_by": "north"}, "claimed_by", "the source says so itself"),
    ({"certainty": "confirmed"}, "claimed_by", "somebody claims it"),
    ({"plover": "COERCE", "plover_mode": ""}, "plover", "which is ASSAULT in PLOVER"),
    ({"plover_mode": "firearms"}, "plover_mode", "whose mode is heavy-weapons"),
    (
        {"code": "010", "plover": "ACCUSE", "plover_mode": "", "incident_class": "",
         "deaths_best": "0"},
        "plover",
        "PLOVER has no event for CAMEO 010",
    ),
    ({"incident_class": "Shelling"}, "incident_class", "of the class 'air or drone strike'"),
    (
        {"code": "112", "plover": "", "plover_mode": "", "incident_class": "accusation"},
        "deaths_best",
        "deaths in an act of words",
    ),
    ({"target": " NORTH"}, "target", "is the source too"),
    ({"place": ""}, "place_precision", "the place is blank"),
    ({"place_precision": "province", "province": ""}, "place_precision", "the province is blank"),
    ({"latitude": ""}, "latitude", "go together"),
    ({"date_latest": "2031-07-04"}, "date_latest", "spans 62 days"),
    ({"reported_on": "2031-05-03"}, "reported_on", "before it happened"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "column", "reason"), WARNINGS)
def test_what_is_odd_is_told(change: dict[str, str], column: str, reason: str) -> None:
    check = check_coding(coded({"date": "2030-01-01", "date_latest": ""}, change))
    assert check.passed, check.faults
    assert [row[:2] for row in check.warnings.rows()] == [(3, column)]
    assert reason in check.warnings["reason"][0]


def test_the_same_day_place_and_actors_twice() -> None:
    check = check_coding(coded({}, {"place": "Mill"}, {"source": "NORTH "}, {"code": "1952"}))
    assert check.warnings.select("line", "column", "value").rows() == [
        (4, "id", "r2"),
        (5, "id", "r3"),
    ]
    assert set(check.warnings["reason"]) == {
        "same days, actors, place and kind of act as line 2"
    }  # fmt: skip


def test_an_actor_under_two_names() -> None:
    rows = coded({}, {"place": "Mill"}, {"place": "Hill", "source": "Norht"},
                 {"place": "Dell", "claimed_by": "SOUTH."})  # fmt: skip
    names = {"source": "Northland", "target": "Southland", "claimed_by": "Southland"}
    rows = rows.with_columns(
        pl.col(name).replace(
            {"North": full, "South": full, "Norht": "Northlnd", "SOUTH.": "Southland."}
        )
        for name, full in names.items()
    )
    check = check_coding(rows)
    assert [row[:3] for row in check.warnings.rows()] == [
        (4, "source", "Northlnd"),
        (5, "claimed_by", "Southland."),
    ]
    assert "may be 'Northland' under another name" in check.warnings["reason"][0]


def test_a_word_of_the_study_is_no_class_to_doubt() -> None:
    assert check_coding(coded({"incident_class": "raid"})).warnings.is_empty()


def test_zeros_that_a_spreadsheet_dropped() -> None:
    words = {"plover": "", "plover_mode": "", "incident_class": "", "deaths_best": "0"}
    check = check_coding(coded(words | {"code": "42"}, words | {"code": "12"}))
    assert check.faults.select("line", "value", "expected").rows() == [(2, "42", "perhaps 042")]
    assert check.warnings.select("line", "column").rows() == [(3, "code")]
    assert "dropped the zero of 012" in check.warnings["reason"][0]


def test_a_later_mode_for_the_same_class_is_no_doubt() -> None:
    """POLECAT tells drones from other weapons; the conversion of 2021 does not."""
    check = check_coding(coded({"plover_mode": "drone"}))
    assert check.passed and check.warnings.is_empty()
    asked = {"code": "101", "plover": "DEMAND", "plover_mode": "assist", "incident_class": "demand",
             "deaths_best": "0"}  # fmt: skip
    assert check_coding(coded(asked)).warnings.is_empty()


def test_a_column_that_is_none_of_ours() -> None:
    check = check_coding(coded({}).rename({"deaths_high": "deaths_hgih"}))
    assert check.warnings.rows()[0][:2] == (1, "deaths_hgih")
    assert "the nearest is 'deaths_high'" in check.warnings["reason"][0]


def test_a_row_without_a_cell_for_each_column(tmp_path: Path) -> None:
    path = tmp_path / "short.csv"
    path.write_text("id,date,source,target\na,2031-05-04,North,South\nb,2031-05-04,North\n")
    check = check_coding(path)
    assert check.faults.rows()[0][0] == 3
    assert check.faults["expected"][0] == "4 fields"
    assert check.rows == 1


def test_a_file_that_is_no_coding(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("when,who\n2031-05-04,North\n")
    with pytest.raises(DataError, match=r"other\.csv: no column 'date'"):
        check_coding(tmp_path / "other.csv")
    with pytest.raises(DataError, match="no such file"):
        check_coding(tmp_path / "none.csv")


def test_it_shows_in_a_notebook() -> None:
    text = check_coding(coded({"code": "<b>"}, {"claimed_by": ""}))._repr_html_()
    assert "Faults" in text and "Warnings" in text
    assert "&lt;b&gt;" in text and "<b>" not in text.replace("<b>Check of a coding</b>", "")


CELLS = st.sampled_from(
    ["", " ", "NA", "2031-05-04", "2031-13-40", "195", "-1", "1e400", "nan", "=1+1", '"', "a,b",
     "two\nlines", "ASSAULT", "alleged", "true", "0", "999999999999999999999", "é", "\u202e"]
)  # fmt: skip


@settings(max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(st.dictionaries(st.sampled_from([c.name for c in COLUMNS]), CELLS), min_size=1,
             max_size=4)
)  # fmt: skip
def test_any_cells_are_checked_and_agree_with_the_reader(
    tmp_path: Path, changes: list[dict[str, str]]
) -> None:
    """Never a traceback, and no row that a reader rejects passes."""
    from datetime import date

    path = tmp_path / "any.csv"
    rows = [GOOD | {"id": f"r{place}"} | change for place, change in enumerate(changes)]
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(BY_NAME))
        writer.writeheader()
        writer.writerows(rows)
    check = check_coding(path)
    assert check.rows == len(rows)
    assert set(check.faults["column"]) | set(check.warnings["column"]) <= set(BY_NAME)
    taken = read(path, Window(date(2000, 1, 1), date(2100, 1, 1)), source="table")
    rejected = set(taken.rejected["line"])
    assert rejected <= set(check.faults["line"])
    beyond = check.faults.filter(~pl.col("line").is_in(list(rejected)))
    assert set(beyond["column"]) <= {"code", "plover", "plover_mode"}
