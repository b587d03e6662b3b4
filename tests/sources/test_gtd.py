"""GTD's columns against what its codebook says; every row is invented."""

import csv
import io
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from escalation import Window, read
from escalation.codes import INCIDENT_CLASSES
from escalation.incidents import Incidents
from escalation.sources import DataError, Gtd

WINDOW = Window(date(1960, 1, 1), date(2030, 1, 1))
FIRST = next(csv.DictReader(io.StringIO(Gtd.specimen)))


def gtd(*rows: dict[str, str], doubtful: bool = True) -> Incidents:
    """Rows like the first of the specimen, each with changes."""
    usual = [{**FIRST, "eventid": f"20120503000{n}", **row} for n, row in enumerate(rows)]
    return read(pl.DataFrame(usual), WINDOW, source=Gtd(doubtful))


def test_the_columns_are_those_of_the_data_base(shared: Path) -> None:
    """The list goes on after ``related`` with columns of other files, several of them twice."""
    names = (shared / "data" / "samples" / "gtd_columns.txt").read_text().strip().split(",")
    own = names[: names.index("related") + 1]
    assert len(own) == len(set(own)) == 131
    assert len(set(names)) < len(names)
    wanted = {**Gtd.columns, **Gtd.more, **Gtd.used}
    assert {theirs[0] for theirs in wanted.values()} <= set(own)
    header = [*own, "INT_LOG", "INT_IDEO", "INT_MISC", "INT_ANY"]
    frame = pl.DataFrame([{**dict.fromkeys(header, ""), **FIRST}]).select(header)
    assert len(read(frame, WINDOW, source="gtd")) == 1


@pytest.mark.parametrize(
    ("year", "month", "day", "words", "first", "last"),
    [
        ("2012", "5", "3", "", date(2012, 5, 3), date(2012, 5, 3)),
        ("2012", "05", "03", "", date(2012, 5, 3), date(2012, 5, 3)),
        ("2012.0", "5.0", "3.0", "", date(2012, 5, 3), date(2012, 5, 3)),
        ("2012", "2", "0", "", date(2012, 2, 1), date(2012, 2, 29)),
        ("2012", "2", "", "", date(2012, 2, 1), date(2012, 2, 29)),
        ("2012", "0", "0", "", date(2012, 1, 1), date(2012, 12, 31)),
        ("2012", "0", "9", "", date(2012, 1, 1), date(2012, 12, 31)),
        ("2012", "6", "0", "June 3-5, 2012", date(2012, 6, 3), date(2012, 6, 5)),
        ("2012", "6", "0", "June 3–5 2012", date(2012, 6, 3), date(2012, 6, 5)),
        ("2012", "6", "0", "May 3-5, 2012", date(2012, 6, 1), date(2012, 6, 30)),
        ("2012", "6", "0", "June 3-5, 2011", date(2012, 6, 1), date(2012, 6, 30)),
        ("2012", "6", "0", "June 25-31, 2012", date(2012, 6, 1), date(2012, 6, 30)),
        ("2012", "6", "0", "June 9-5, 2012", date(2012, 6, 1), date(2012, 6, 30)),
        ("2012", "6", "0", "early June 2012", date(2012, 6, 1), date(2012, 6, 30)),
        ("2012", "6", "4", "June 3-5, 2012", date(2012, 6, 4), date(2012, 6, 4)),
    ],
)
def test_unknown_days_and_months_are_spans(
    year: str, month: str, day: str, words: str, first: date, last: date
) -> None:
    found = gtd({"iyear": year, "imonth": month, "iday": day, "approxdate": words})
    assert found.table.select("date", "date_latest").rows() == [(first, last)]


NO_MONTH = "is not a month (1 to 12, 0 if unknown)"
NO_DAY = "is not a day of that month (0 if unknown)"


@pytest.mark.parametrize(
    ("change", "column", "reason"),
    [
        ({"imonth": "13"}, "imonth", NO_MONTH),
        ({"imonth": "May"}, "imonth", NO_MONTH),
        ({"iday": "32"}, "iday", NO_DAY),
        ({"iday": "30", "imonth": "2"}, "iday", NO_DAY),
        ({"iyear": "12"}, "iyear", "is not a date (YYYY-MM-DD)"),
        ({"iyear": ""}, "iyear", "is missing"),
        ({"gname": ""}, "gname", "is missing"),
        ({"nkill": "-9"}, "nkill", "is negative"),
        ({"nkill": "several"}, "nkill", "is not a whole number"),
        ({"nkill": "1e400"}, "nkill", "is not a whole number"),
        ({"specificity": "7"}, "specificity", "is not one of place, near, district, province"),
    ],
)
def test_what_does_not_exist_is_a_fault(change: dict[str, str], column: str, reason: str) -> None:
    found = gtd(change, {})
    ((line, name, value, said),) = found.rejected.rows()
    assert (line, name, value) == (2, column, change[column])
    assert said.startswith(reason)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("killed", "figures"),
    [
        ("4", (None, 4, None)),
        ("4.0", (None, 4, None)),
        ("", (None, None, None)),
        ("2.5", (2, 3, 3)),
        ("0.33", (0, 0, 1)),
        ("1.67", (1, 2, 2)),
    ],
)
def test_fractions_of_deaths_are_bounds(killed: str, figures: tuple[int | None, ...]) -> None:
    table = gtd({"nkill": killed}).table
    assert table.select("deaths_low", "deaths_best", "deaths_high").rows() == [figures]


def test_certainty_and_claims() -> None:
    rows = [
        {"guncertain1": "0", "claimed": "1"},
        {"guncertain1": "1", "claimed": "0"},
        {"guncertain1": "", "claimed": "-9"},
    ]
    table = gtd(*rows).table
    assert table["certainty"].to_list() == ["reported", "alleged", "reported"]
    assert table["claimed_by"].to_list() == ["Blue Army", None, None]


def test_attacks_in_doubt_are_left_out_where_they_are_not_wanted() -> None:
    rows = [{"doubtterr": code} for code in ("0", "1", "-9", "", "1.0")]
    assert len(gtd(*rows)) == 5
    found = gtd(*rows, doubtful=False)
    assert len(found) == 3
    assert found.provenance.rows_left_out == 2
    assert any("doubtterr" in remark for remark in found.provenance.remarks)


def test_every_type_of_attack_has_a_class() -> None:
    table = gtd(*({"attacktype1": str(code)} for code in range(1, 10))).table
    assert set(table["incident_class"]) <= set(INCIDENT_CLASSES)
    assert gtd({"attacktype1": "10"}).table["incident_class"].to_list() == [None]


def test_places() -> None:
    rows = [{"specificity": grade, "vicinity": "0"} for grade in "12345"]
    near = {"specificity": "1", "vicinity": "1"}
    nowhere = {"city": "Unknown", "provstate": "Unknown", "latitude": "", "longitude": ""}
    table = gtd(*rows, near, nowhere).table
    assert table["place_precision"].to_list() == [
        "place", "district", "district", "province", "country", "near", "place",
    ]  # fmt: skip
    assert table.row(6, named=True)["place"] is None
    assert table.row(6, named=True)["province"] is None
    assert table["target_country"].unique().to_list() == ["Alpha"]


def test_a_point_stands_for_a_missing_word_in_files_before_2017() -> None:
    row = gtd({"natlty1_txt": ".", "provstate": ".", "city": "."}).table.row(0, named=True)
    assert (row["target_country"], row["province"], row["place"]) == (None, None, None)


def test_the_csv_file_that_circulates_is_latin_1(tmp_path: Path) -> None:
    path = tmp_path / "gtd.csv"
    path.write_bytes(Gtd.specimen.replace("Ford", "Communiqué").encode("latin-1"))
    with pytest.raises(DataError, match=r"line 3.*encoding"):
        read(path, WINDOW, source="gtd")
    table = read(path, WINDOW, source="gtd", encoding="latin-1").table
    assert table["place"].to_list()[1] == "Communiqué"


def test_sources_cited_are_counted() -> None:
    table = gtd({}, {"scite2": ""}, {"scite1": "", "scite2": ""}).table
    assert table["reports"].to_list() == [2, 1, None]


def test_months_and_days_must_be_there() -> None:
    frame = pl.DataFrame([FIRST])
    with pytest.raises(DataError, match="no column 'iday'"):
        read(frame.drop("iday"), WINDOW, source="gtd")
    optional = ("approxdate", "doubtterr", "guncertain1", "claimed", "scite1", "vicinity")
    assert len(read(frame.drop(optional), WINDOW, source="gtd")) == 1


def test_a_workbook(tmp_path: Path) -> None:
    xlsxwriter = pytest.importorskip("xlsxwriter")
    path = tmp_path / "gtd.xlsx"
    with xlsxwriter.Workbook(path) as book:
        sheet = book.add_worksheet()
        for at, row in enumerate(csv.reader(io.StringIO(Gtd.specimen))):
            for column, cell in enumerate(row):
                number = cell.replace(".", "", 1).replace("-", "", 1).isdigit()
                sheet.write(at, column, float(cell) if number else cell)
    found = read(path, WINDOW, source="gtd")
    text = read(pl.read_csv(Gtd.specimen.encode(), infer_schema=False), WINDOW, source="gtd")
    assert found.table.equals(text.table)
