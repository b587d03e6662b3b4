from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from escalation.sources import DataError, Table, read
from escalation.window import Window

WINDOW = Window(date(2020, 1, 1), date(2021, 1, 1))


def test_columns_are_found_by_the_map_and_by_our_own_names(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("tag,source,whom,when,place\nx,A,B,2020-05-01,Mill\n")
    columns = {"id": "tag", "target": "whom", "date": "when"}
    row = read(path, WINDOW, columns=columns).table.to_dicts()[0]
    assert (row["id"], row["source"], row["target"], row["place"]) == ("x", "A", "B", "Mill")
    assert (row["certainty"], row["directed"]) == ("reported", True)
    assert row["date_latest"] == row["date"] == date(2020, 5, 1)
    assert row["deaths_best"] is None


def test_without_ids_the_line_is_the_id() -> None:
    frame = pl.DataFrame({"date": ["2020-05-01"] * 2, "source": ["A"] * 2, "target": ["B"] * 2})
    assert read(frame, WINDOW).table["id"].to_list() == ["2", "3"]


def test_a_file_may_have_a_column_called_line(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("line,date,source,target\nrail,2020-05-01,A,B\nroad,never,A,B\n")
    incidents = read(path, WINDOW, columns={"place": "line"})
    assert incidents.table["place"].to_list() == ["rail"]
    assert incidents.rejected["line"].to_list() == [3]


def test_a_mapped_column_that_is_not_there_is_named(tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    path.write_text("when,who,whom\n2020-05-01,A,B\n")
    columns = {"date": "when", "source": "who", "target": "hwom"}
    with pytest.raises(DataError) as fault:
        read(path, WINDOW, columns=columns)
    assert str(fault.value) == f"{path}: no column 'hwom' (the nearest is 'whom')"


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"window": None}, "say what was watched"),
        ({"source": "ucpd"}, "source must be one of table, .*, got 'ucpd'"),
        ({"source": "ucdp", "columns": {"date": "x"}}, "goes with source 'table'"),
        ({"columns": {"sorce": "x"}}, "no column 'sorce', the nearest is 'source'"),
    ],
)
def test_what_read_must_be_told(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read(pl.DataFrame(), **({"window": WINDOW} | given))


def test_contradicting_estimates_are_a_fault() -> None:
    rows = {
        "date": ["2020-05-01"] * 4,
        "source": ["A"] * 4,
        "target": ["B"] * 4,
        "deaths_low": [5, 3, 1, None],
        "deaths_best": [None, 2, 2, 4],
        "deaths_high": [4, 5, 3, None],
    }
    incidents = read(pl.DataFrame(rows), WINDOW)
    assert incidents.rejected.select("line", "column", "value").rows() == [
        (2, "deaths_low", "5"),
        (3, "deaths_best", "2"),
    ]
    assert len(incidents) == 2


@pytest.mark.parametrize("blank", ["", "NA", "nan", " "])
def test_no_value_is_unknown_not_zero(blank: str) -> None:
    frame = pl.DataFrame({"date": ["2020-05-01"], "source": ["A"], "target": ["B"]})
    table = read(frame.with_columns(deaths_best=pl.lit(blank)), WINDOW).table
    assert table["deaths_best"].to_list() == [None]


@pytest.mark.parametrize(("word", "value"), [("TRUE", True), ("0", False), ("no", False)])
def test_directed_is_read_in_words(word: str, value: bool) -> None:
    frame = pl.DataFrame({"date": ["2020-05-01"], "source": ["A"], "target": ["B"]})
    assert read(frame.with_columns(directed=pl.lit(word)), WINDOW).table["directed"][0] is value
    wrong = read(frame.with_columns(directed=pl.lit("perhaps")), WINDOW)
    assert wrong.rejected["reason"].to_list() == ["is neither true nor false"]


def test_the_specimen_says_what_the_columns_mean() -> None:
    rows = read(pl.read_csv(Table.specimen.encode(), infer_schema=False), WINDOW).table.to_dicts()
    assert [row["deaths_best"] for row in rows] == [1, None, 3]
    assert (rows[1]["date"], rows[1]["date_latest"]) == (date(2020, 1, 9), date(2020, 1, 12))
