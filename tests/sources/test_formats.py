"""The same incidents from files of every format, packed or not, one or many."""

import csv
import gzip
import io
import random
import zipfile
from collections.abc import Callable
from datetime import date
from pathlib import Path

import polars as pl
import pyarrow
import pytest
import xlsxwriter

from escalation.incidents import Incidents
from escalation.sources import SOURCES, DataError, Layout, RowError, Table, guess, read
from escalation.sources.delimited import LINE, Sheet
from escalation.sources.files import LARGEST, contents
from escalation.window import Window

WINDOW = Window(date(2020, 1, 1), date(2021, 1, 1))
HEADER = ["id", "date", "source", "target", "latitude", "deaths_best", "place"]
ROWS = [
    ["a1", "2020-01-07", "Nord", "Süd", "30.5", "1", "Mühle"],
    ["a2", "2020-02-30", "Nord", "Süd", "31", "2", "Furt"],
    ["a3", "2019-12-31", "Nord", "Süd", "31", "", "Furt"],
    ["a4", "2020-05-01", "Süd", "Nord", "-12.25", "", "Tor, am Fluß"],
]
"""Two good rows, one with a fault, one outside the window."""


def text(separator: str = ",", rows: list[list[str]] | None = None) -> str:
    made = io.StringIO()
    csv.writer(made, delimiter=separator, lineterminator="\n").writerows([HEADER, *(rows or ROWS)])
    return made.getvalue()


def frame() -> pl.DataFrame:
    return pl.read_csv(text().encode(), schema_overrides={"date": pl.String})


def workbook(path: Path, sheets: tuple[str, ...] = ("events",)) -> None:
    with xlsxwriter.Workbook(path) as book:
        day = book.add_format({"num_format": "dd/mm/yyyy"})
        for name in sheets:
            sheet = book.add_worksheet(name)
            sheet.write_row(0, 0, HEADER)
            for at, row in enumerate(ROWS, start=1):
                sheet.write_row(at, 0, row)
                if at != 2:  # the 30th of February is no date to a spreadsheet either
                    sheet.write_datetime(at, 1, date.fromisoformat(row[1]), day)
                sheet.write_number(at, 4, float(row[4]))
                if row[5]:
                    sheet.write_number(at, 5, int(row[5]))


def zipped(path: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def zstd(content: bytes) -> bytes:
    sink = pyarrow.BufferOutputStream()
    with pyarrow.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(content)
    return sink.getvalue().to_pybytes()


FORMATS: dict[str, Callable[[Path], object]] = {
    "events.csv": lambda path: path.write_text(text(), "utf-8"),
    "events.tsv": lambda path: path.write_text(text("\t"), "utf-8"),
    "events.tab": lambda path: path.write_text(text("|"), "utf-8"),
    "events.txt": lambda path: path.write_text(text(";"), "utf-8"),
    "mark.csv": lambda path: path.write_text(text(), "utf-8-sig"),
    "wide.csv": lambda path: path.write_text(text(), "utf-16"),
    "wider.csv": lambda path: path.write_text(text(), "utf-32"),
    "events.csv.gz": lambda path: path.write_bytes(gzip.compress(text().encode())),
    "events.csv.zst": lambda path: path.write_bytes(zstd(text().encode())),
    "events.zip": lambda path: zipped(path, {"a/events.csv": text().encode(), "README.txt": b"-"}),
    "odd.zip": lambda path: zipped(path, {"events.export": text().encode(), "__MACOSX/x": b"-"}),
    "events.xlsx": workbook,
    "events.parquet": lambda path: frame().write_parquet(path),
    "events.arrow": lambda path: frame().write_ipc(path),
    "events.feather": lambda path: frame().write_ipc_stream(path),
}


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> Incidents:
    path = tmp_path_factory.mktemp("plain") / "events.csv"
    path.write_text(text(), "utf-8")
    return read(path, WINDOW)


@pytest.mark.parametrize("name", FORMATS)
def test_a_format_gives_the_incidents_of_plain_text(
    name: str, tmp_path: Path, expected: Incidents
) -> None:
    path = tmp_path / name
    FORMATS[name](path)
    found = read(path, WINDOW)
    assert found.table.equals(expected.table)
    assert found.rejected.rows() == [(3, "date", "2020-02-30", "is not a date (YYYY-MM-DD)")]
    taken = found.provenance
    assert (taken.rows_read, taken.rows_taken) == (4, 2)
    assert (taken.rows_rejected, taken.rows_outside) == (1, 1)
    assert taken.file == name
    assert guess(path)[0] == "table"


def test_the_name_of_a_file_does_not_matter(tmp_path: Path, expected: Incidents) -> None:
    path = tmp_path / "workbook.csv"
    workbook(tmp_path / "made.xlsx")
    path.write_bytes((tmp_path / "made.xlsx").read_bytes())
    assert read(path, WINDOW).table.equals(expected.table)


def test_an_encoding_of_one_byte_is_never_guessed(tmp_path: Path, expected: Incidents) -> None:
    path = tmp_path / "events.csv"
    path.write_text(text(), "cp1252")
    with pytest.raises(DataError, match=r"not a table of text in UTF-8.*line 2.*say which"):
        read(path, WINDOW)
    assert read(path, WINDOW, encoding="cp1252").table.equals(expected.table)
    path.write_bytes(b"id,date\x81,source\n")
    with pytest.raises(DataError, match=r"not text in cp1252 \(line 1\)"):
        read(path, WINDOW, encoding="cp1252")


def test_decimal_commas_are_read_when_said(tmp_path: Path, expected: Incidents) -> None:
    rows = [[cell.replace(".", ",") if at == 4 else cell for at, cell in enumerate(row)]
            for row in ROWS]  # fmt: skip
    path = tmp_path / "events.csv"
    path.write_text(text(";", rows), "utf-8")
    assert read(path, WINDOW, decimal=",").table.equals(expected.table)
    assert read(path, WINDOW).rejected["value"].to_list() == ["30,5", "2020-02-30", "-12,25"]
    path.write_text(text(";", [["a1", "2020-01-07", "A", "B", "1.234", "1.234", ""]]), "utf-8")
    told = read(path, WINDOW, decimal=",").rejected.rows()
    assert told == [(2, "deaths_best", "1.234", "is not a whole number")]


@pytest.mark.parametrize(
    ("dates", "written"),
    [
        ("day first", "07/01/2020"),
        ("day first", "07.01.2020"),
        ("day first", "7-1-2020"),
        ("day first", "07/01/2020 00:00"),
        ("month first", "01/07/2020"),
        ("month first", "1/7/2020 1:30:00 PM"),
        ("%d %b %Y, %H:%M", "07 Jan 2020, 23:59"),
        ("%d %B %Y", "07 January 2020"),
        ("%d %B %Y", "2020-01-07"),
    ],
)
def test_other_dates_are_read_when_said(dates: str, written: str) -> None:
    rows = pl.DataFrame({"date": [written], "source": ["A"], "target": ["B"]})
    assert read(rows, WINDOW, dates=dates).table["date"].to_list() == [date(2020, 1, 7)]
    if not written.startswith("2020"):
        assert len(read(rows, WINDOW).rejected) == 1


def test_a_date_of_another_form_is_told_by_that_form() -> None:
    rows = pl.DataFrame({"date": ["31/02/2020"], "source": ["A"], "target": ["B"]})
    told = read(rows, WINDOW, dates="day first").rejected
    assert told.rows() == [
        (2, "date", "31/02/2020", "is not a date (day first, a year of four digits)")
    ]


@pytest.mark.parametrize(
    ("written", "dates"),
    [("05.06.23", "day first"), ("5/6/23", "month first"), ("0020-01-07", ""), ("0020", "")],
)
def test_a_year_of_two_digits_is_a_fault_not_the_first_century(written: str, dates: str) -> None:
    rows = pl.DataFrame({"date": [written], "source": ["A"], "target": ["B"]})
    told = read(rows, WINDOW, dates=dates)
    assert told.rejected["value"].to_list() == [written]
    assert told.provenance.rows_outside == 0


@pytest.mark.parametrize(
    ("written", "first", "last"),
    [
        ("2020", date(2020, 1, 1), date(2020, 12, 31)),
        ("2020-02", date(2020, 2, 1), date(2020, 2, 29)),
        ("20200229", date(2020, 2, 29), date(2020, 2, 29)),
        ("2020-02-29T23:59:59Z", date(2020, 2, 29), date(2020, 2, 29)),
        ("2020-02-29 01:00+05:30", date(2020, 2, 29), date(2020, 2, 29)),
    ],
)
def test_months_and_years_are_spans_of_days(written: str, first: date, last: date) -> None:
    rows = pl.DataFrame({"date": [written], "source": ["A"], "target": ["B"]})
    table = read(rows, WINDOW).table
    assert table.select("date", "date_latest").row(0) == (first, last)


@pytest.mark.parametrize(
    "given",
    [{"encoding": "utf-9"}, {"encoding": "hex"}, {"decimal": ";"}, {"separator": ",,"},
     {"dates": "%d/%m/%y"}, {"dates": "days first"}, {"dates": "%Y-%d"}],
)  # fmt: skip
def test_an_odd_layout_is_refused(given: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=f"{next(iter(given))} must be"):
        Layout(**given)


def test_a_workbook_of_several_sheets_wants_one_named(tmp_path: Path, expected: Incidents) -> None:
    path = tmp_path / "events.xlsx"
    workbook(path, ("notes", "events"))
    with pytest.raises(DataError, match="has 2 sheets, say which is meant: 'notes', 'events'"):
        read(path, WINDOW)
    assert read(path, WINDOW, sheet="events").table.equals(expected.table)
    with pytest.raises(DataError, match="no sheet 'event'; it has 'notes', 'events'"):
        read(path, WINDOW, sheet="event")


BOMB = b"0" * (200 * 1024**2)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("cut.csv.gz", gzip.compress(text().encode())[:-9], "a damaged gzip"),
        ("cut.csv.zst", zstd(text().encode() * 99)[:-9], "a damaged zstd"),
        ("cut.zip", b"PK\x03\x04 and no more", "a damaged zip"),
        ("cut.parquet", b"PAR1 and no more PAR1", "a damaged file of parquet"),
        ("cut.arrow", b"ARROW1 and no more", "a damaged file of arrow"),
        ("old.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "a workbook that cannot"),
        ("twice.gz", gzip.compress(gzip.compress(text().encode())), "packed twice"),
        ("none.csv.gz", gzip.compress(b" \n"), "is empty"),
        ("bomb.gz", lambda: gzip.compress(BOMB), "more than a table of incidents could"),
        ("bomb.zst", lambda: zstd(BOMB), "more than a table of incidents could"),
    ],
)
def test_a_damaged_file_or_a_bomb_is_one_line(
    tmp_path: Path, name: str, content: bytes | Callable[[], bytes], words: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content())
    for attempt in (lambda: read(path, WINDOW), lambda: guess(path)):
        with pytest.raises(DataError) as fault:
            attempt()
        assert str(fault.value).startswith(f"{path}: ")
        assert words in str(fault.value)
        assert "\n" not in str(fault.value)


def test_a_zip_holds_one_table_of_bounded_size(tmp_path: Path) -> None:
    path = tmp_path / "events.zip"
    zipped(path, {"a.csv": b"x", "b.csv": b"y"})
    with pytest.raises(DataError, match=r"must hold one table, this one holds 2 files"):
        read(path, WINDOW)
    zipped(path, {})
    with pytest.raises(DataError, match=r"holds 0 files"):
        read(path, WINDOW)
    zipped(path, {"bomb.csv": BOMB})
    with pytest.raises(DataError, match="more than a table of incidents could"):
        read(path, WINDOW)
    raw = bytearray(path.read_bytes())
    at = raw.index(b"PK\x01\x02") + 24  # the size that the list of members claims
    raw[at : at + 4] = (LARGEST - 1).to_bytes(4, "little")
    with pytest.raises(DataError):
        contents("bomb", bytes(raw))
    raw[at - 16 : at - 14] = (1).to_bytes(2, "little")  # says that it is encrypted
    with pytest.raises(DataError, match="locked by a password"):
        contents("locked", bytes(raw))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    first, second = tmp_path / "2020a.csv", tmp_path / "2020b.csv.gz"
    first.write_text(text(rows=ROWS[:2]), "utf-8")
    second.write_bytes(gzip.compress(text(";", rows=[ROWS[0], *ROWS[2:]]).encode()))
    return tmp_path


def test_many_files_are_one_record_whose_remarks_name_the_file(folder: Path) -> None:
    for given in ([folder / "2020a.csv", folder / "2020b.csv.gz"], str(folder / "2020*")):
        found = read(given, WINDOW)
        assert found.table["id"].to_list() == ["a1", "a4"]
        assert found.rejected.rows() == [
            (3, "date", "2020-02-30", "is not a date (YYYY-MM-DD) (2020a.csv)"),
            (2, "id", "a1", "stands in an earlier row too (2020b.csv.gz)"),
        ]
        taken = found.provenance
        assert taken.file == "2 files (2020a.csv, 2020b.csv.gz)"
        assert [name for name, _ in taken.files] == ["2020a.csv", "2020b.csv.gz"]
        assert len({taken.sha256, *(digest for _, digest in taken.files)}) == 3
        assert (taken.rows_read, taken.rows_taken, taken.rows_rejected) == (5, 2, 2)
    with pytest.raises(RowError, match=r"2 files: line 3, .*2020a.csv"):
        read(str(folder / "*"), WINDOW, strict=True)


def test_rows_without_ids_differ_from_file_to_file() -> None:
    rows = pl.DataFrame({"date": ["2020-05-01"], "source": ["A"], "target": ["B"]})
    assert read([rows, rows], WINDOW).table["id"].to_list() == ["1:2", "2:2"]


def test_no_file_is_a_fault(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no file fits this pattern"):
        read(tmp_path / "*.csv", WINDOW)
    with pytest.raises(DataError, match="no file of incidents is given"):
        read([], WINDOW)


def test_an_empty_file_without_a_header_is_no_rows_among_others(tmp_path: Path) -> None:
    kind, ever = SOURCES["gdelt"], Window(date(1900, 1, 1), date(2100, 1, 1))
    (tmp_path / "1.CSV").write_text("")
    (tmp_path / "2.CSV").write_text(kind.specimen)
    zipped(tmp_path / "3.zip", {"3.CSV": b""})
    found = read(tmp_path / "*", ever, source="gdelt")
    assert len(found) == len(read(tmp_path / "2.CSV", ever, source="gdelt"))
    assert len(found.provenance.files) == 3
    assert found.provenance.remarks[:2] == (
        "1.CSV: the file is empty", "3.zip: the file is empty"
    )  # fmt: skip
    assert guess(tmp_path / "*")[0] == "gdelt"
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path / "1.CSV", ever, source="gdelt")
    with pytest.raises(DataError, match="is empty"):
        read(tmp_path / "*", ever)


def test_files_of_two_sources_are_not_one(folder: Path) -> None:
    (folder / "ged.csv").write_text(SOURCES["ucdp"].specimen)
    with pytest.raises(DataError, match=r"is of source 'ucdp', but .* of 'table'"):
        guess([folder / "2020a.csv", folder / "ged.csv"])


def test_a_file_may_have_its_brackets(tmp_path: Path, expected: Incidents) -> None:
    path = tmp_path / "events [new].csv"
    path.write_text(text(), "utf-8")
    assert read(path, WINDOW).table.equals(expected.table)


@pytest.mark.parametrize("word", SOURCES)
def test_what_a_source_is_not_told(word: str) -> None:
    with pytest.raises(ValueError, match=f"source '{word}' has no option 'rooted'"):
        read(pl.DataFrame(), WINDOW, source=word, options={"rooted": True})


def test_a_source_of_ones_own_is_read_by(tmp_path: Path) -> None:
    rows = pl.DataFrame({"day": ["2020-05-01"], "source": ["A"], "target": ["B"]})
    assert len(read(rows, WINDOW, source=Table({"date": "day"}))) == 1
    with pytest.raises(ValueError, match="go with the name of a source"):
        read(rows, WINDOW, source=Table(), columns={"date": "day"})


CELLS = ["a", "b,c", 'd"e', "f\ng", "", '""', "x", "h,i,j", ' "k"']


def by_the_csv_module(body: str) -> list[list[str]] | None:
    try:
        return list(csv.reader(io.StringIO(body, newline=""), strict=True))
    except csv.Error:
        return None


def test_fields_in_quotes_are_those_of_the_csv_module() -> None:
    """Whole files and spoilt ones: separators, quotes and ends of lines added or taken away."""
    draw, compared = random.Random(5), 0
    for _ in range(600):
        header = [f"c{at}" for at in range(draw.randint(2, 4))]
        rows = [[draw.choice(CELLS) for _ in header] for _ in range(draw.randint(1, 6))]
        made = io.StringIO(newline="")
        csv.writer(made, lineterminator="\n").writerows([header, *rows])
        body, at = made.getvalue(), draw.randrange(6, len(made.getvalue()))
        if draw.random() < 0.4:
            body = body[:at] + draw.choice([",", '"', "", "\n"]) + body[at + draw.randint(0, 1) :]
        body = body.rstrip("\n")
        expected = by_the_csv_module(body)
        if expected is None or expected[0] != header:
            continue
        found, misfits = Sheet("x", "", tuple(header), body.encode()).rows()
        good = [row for row in expected[1:] if any(row) and len(row) == len(header)]
        words = [[cell.strip() for cell in row] for row in good]
        assert [[cell or "" for cell in row] for row in found.drop(LINE).rows()] == words
        assert len(misfits) + len(good) == sum(any(row) for row in expected[1:])
        compared += 1
    assert compared > 400
