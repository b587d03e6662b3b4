"""What every source must do, applied to each that the package exports."""

import csv
import gzip
import io
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any, cast

import numpy as np
import polars as pl
import pytest

from discover import concrete
from escalation import sources
from escalation.codes import CERTAINTIES
from escalation.incidents import SCHEMA, Incidents
from escalation.sources import SOURCES, DataError, RowError, Source, guess
from escalation.window import Window

KINDS = concrete(Source, sources)
WINDOW = Window(date(1900, 1, 1), date(2100, 1, 1))

BAD_VALUES = [
    ("date", "2020-13-01", "is not a date (YYYY-MM-DD)"),
    ("date", "05/03/2020", "is not a date (YYYY-MM-DD)"),
    ("date", "", "is missing"),
    ("date_latest", "soon", "is not a date (YYYY-MM-DD)"),
    ("date_latest", "1901-01-01", "ends before it starts"),
    ("source", "  ", "is missing"),
    ("target", "", "is missing"),
    ("id", "", "is missing"),
    ("deaths_best", "-1", "is negative"),
    ("deaths_best", "many", "is not a whole number"),
    ("deaths_low", "2.5", "is not a whole number"),
    ("deaths_high", "1e999", "is not a whole number"),
    ("latitude", "north", "is not a number"),
    ("latitude", "91", "is not within 90 degrees"),
    ("longitude", "-180.5", "is not within 180 degrees"),
    ("certainty", "rumoured", "is not one of confirmed, reported, alleged, denied"),
]


class Specimen:
    """The specimen of a source in a file, to be spoilt in one place."""

    def __init__(self, kind: type[Source], folder: Path) -> None:
        self.source = kind()
        self.path = folder / "incidents.csv"
        self.path.write_text(kind.specimen, newline="")
        sheet = self.source.opened(self.path)
        self.separator, self.quoting, self.headless = sheet.separator, sheet.quoting, sheet.headless
        self.header, self.names = list(sheet.header), self.source.matched(sheet)
        rows = list(csv.reader(io.StringIO(kind.specimen), **self.style))
        self.rows = rows if self.headless else rows[1:]

    @property
    def style(self) -> dict[str, Any]:
        quoting = csv.QUOTE_MINIMAL if self.quoting else csv.QUOTE_NONE
        return {"delimiter": self.separator, "quoting": quoting}

    def write(self) -> Path:
        lines = self.rows if self.headless else [self.header, *self.rows]
        with self.path.open("w", newline="") as file:
            if self.quoting:
                csv.writer(file, lineterminator="\n", delimiter=self.separator).writerows(lines)
            else:
                file.writelines(self.separator.join(line) + "\n" for line in lines)
        return self.path

    def read(self, window: Window = WINDOW, strict: bool = False) -> Incidents:
        return self.source.read(self.write(), window, strict=strict)

    def put(self, column: str, row: int, value: str) -> None:
        self.rows[row][self.header.index(self.names[column])] = value

    def line(self, row: int) -> int:
        return row + (1 if self.headless else 2)

    @property
    def words(self) -> str:
        """A column of ours that may hold any text."""
        return next(name for name in ("place", "province", "source") if name in self.names)

    def needs(self, quoting: bool = False, header: bool = False, column: str = "") -> None:
        if quoting and not self.quoting:
            pytest.skip("a quote is a letter in files of this source")
        if header and self.headless:
            pytest.skip("files of this source have no header")
        if column and column not in self.names:
            pytest.skip(f"files of this source have no column for {column}")


def known(kind: type[Source]) -> dict[str, str]:
    """Our columns that the specimen of a source has, and its names for them."""
    with tempfile.TemporaryDirectory() as folder:
        return Specimen(kind, Path(folder)).names


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def specimen(request: pytest.FixtureRequest, tmp_path: Path) -> Specimen:
    return Specimen(request.param, tmp_path)


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_states_what_it_is(kind: type[Source]) -> None:
    assert kind in SOURCES.values(), f"add it to SOURCES in {sources.__name__}/__init__.py"
    assert kind.name
    assert kind.licence
    assert kind.citation
    assert set(kind.columns) <= set(SCHEMA)
    assert kind.__doc__


@pytest.mark.parametrize("kind", KINDS)
def test_a_source_names_its_columns_apart(kind: type[Source]) -> None:
    assert set(kind.more) <= set(SCHEMA)
    assert not set(kind.used) & set(SCHEMA)
    assert not set(kind.more) & set(kind.columns)
    assert all(not isinstance(names, str) and names for names in kind.columns.values())


def test_the_specimen_parses(specimen: Specimen) -> None:
    incidents = specimen.read()
    assert len(incidents) == len(specimen.rows) >= 3
    assert incidents.rejected.is_empty()
    assert dict(incidents.table.schema) == SCHEMA
    assert incidents.table["date"].is_between(WINDOW.start, WINDOW.end, closed="left").all()
    assert (incidents.table["date_latest"] >= incidents.table["date"]).all()
    assert set(incidents.table["certainty"]) <= set(CERTAINTIES)
    assert incidents.summary()["incidents"][-1] == len(specimen.rows)
    taken = incidents.provenance
    assert (taken.file, taken.rows_read) == ("incidents.csv", len(specimen.rows))
    assert guess(specimen.path)[0] == next(
        word for word, kind in SOURCES.items() if kind is type(specimen.source)
    )


def test_what_is_packed_or_in_two_files_is_the_same(specimen: Specimen) -> None:
    expected = specimen.read()
    packed = specimen.path.with_suffix(".csv.gz")
    packed.write_bytes(gzip.compress(specimen.path.read_bytes()))
    assert specimen.source.read(packed, WINDOW).table.equals(expected.table)
    both = specimen.source.read([specimen.path, packed], WINDOW)
    taken = both.provenance
    assert taken.rows_read == 2 * len(specimen.rows)
    assert taken.rows_read == taken.rows_taken + taken.rows_rejected + taken.rows_left_out
    assert guess([specimen.path, packed]) == guess(specimen.path)
    if "id" in specimen.names:
        assert both.table.equals(expected.table)
        assert both.rejected["reason"].str.ends_with("(incidents.csv.gz)").all()


def test_rows_outside_the_window_are_counted_apart(specimen: Specimen) -> None:
    first = specimen.read().table["date"][0]
    window = Window(date(1900, 1, 1), first)
    incidents = specimen.read(window)
    assert len(incidents) == 0
    assert incidents.provenance.rows_outside == len(specimen.rows)


@pytest.mark.parametrize(
    ("kind", "column", "value", "reason"),
    [(kind, *bad) for kind in KINDS for bad in BAD_VALUES if bad[0] in known(kind)],
)
def test_a_bad_row_is_kept_apart_with_line_column_and_reason(
    tmp_path: Path, kind: type[Source], column: str, value: str, reason: str
) -> None:
    specimen = Specimen(kind, tmp_path)
    specimen.put(column, 1, value)
    incidents = specimen.read()
    shown = value.strip()
    line = specimen.line(1)
    if not shown and column in ("source", "target") and incidents.rejected.is_empty():
        assert not incidents.table[column].has_nulls()  # the source has a word for nobody
        return
    assert incidents.rejected.rows() == [(line, specimen.names[column], shown, reason)]
    assert len(incidents) == len(specimen.rows) - 1
    taken = incidents.provenance
    assert taken.rows_read == taken.rows_taken + taken.rows_rejected + taken.rows_outside
    with pytest.raises(RowError) as fault:
        specimen.read(strict=True)
    assert "\n" not in str(fault.value)
    for part in (str(specimen.path), f"line {line}", repr(specimen.names[column]), reason):
        assert part in str(fault.value)


def test_an_id_that_stands_twice_is_taken_once(specimen: Specimen) -> None:
    specimen.needs(column="id")
    name = specimen.names["id"]
    first = specimen.rows[0][specimen.header.index(name)]
    specimen.put("id", 2, first)
    rejected = specimen.read().rejected
    assert rejected.rows() == [(specimen.line(2), name, first, "stands in an earlier row too")]


def test_the_first_bad_line_is_the_strict_error(specimen: Specimen) -> None:
    specimen.put("date", 2, "never")
    specimen.put("date", 1, "soon")
    with pytest.raises(RowError, match=f"line {specimen.line(1)}"):
        specimen.read(strict=True)
    assert specimen.read().rejected["line"].to_list() == [specimen.line(1), specimen.line(2)]


def test_lines_are_those_of_the_file_past_line_breaks_in_quotes(specimen: Specimen) -> None:
    specimen.needs(quoting=True)
    specimen.put(specimen.words, 0, 'Mill,\n"the\r\nold"')
    specimen.put("date", 2, "never")
    rejected = specimen.read().rejected
    text = specimen.path.read_bytes().decode().split("\n")
    assert "never" in text[rejected["line"][0] - 1]
    assert rejected["line"].to_list() == [6]


def test_a_row_without_its_fields_is_kept_apart(specimen: Specimen) -> None:
    specimen.needs(quoting=True)
    specimen.put(specimen.words, 0, "Mill,\nthe old")
    specimen.rows[1] = specimen.rows[1][:4]
    specimen.rows[2] = [*specimen.rows[2], "more"]
    incidents = specimen.read()
    wide = len(specimen.header)
    assert incidents.rejected["line"].to_list() == [4, 5]
    assert incidents.rejected["reason"].to_list() == [
        f"the row has 4 fields, the header {wide}",
        f"the row has {wide + 1} fields, the header {wide}",
    ]
    assert incidents.provenance.rows_read == len(specimen.rows)
    with pytest.raises(RowError, match="line 4"):
        specimen.read(strict=True)


def test_blank_lines_are_no_rows_but_count_as_lines(specimen: Specimen) -> None:
    specimen.put("date", 2, "never")
    lines = specimen.write().read_text().splitlines()
    empty = specimen.separator * (len(specimen.header) - 1)
    specimen.path.write_text("\r\n".join([*lines[:2], "", empty, *lines[2:], "", ""]))
    incidents = specimen.source.read(specimen.path, WINDOW)
    assert incidents.rejected["line"].to_list() == [specimen.line(2) + 2]
    assert incidents.provenance.rows_read == len(specimen.rows)


def test_a_missing_or_misspelt_column_is_named_with_the_nearest(specimen: Specimen) -> None:
    specimen.needs(header=True)
    good = list(specimen.header)
    for ours in specimen.source.columns:
        at = good.index(specimen.names[ours])
        specimen.header = [*good[:at], good[at] + "_x", *good[at + 1 :]]
        with pytest.raises(DataError) as fault:
            specimen.read()
        message = str(fault.value)
        assert message.startswith(f"{specimen.path}: ")
        assert f"no column {good[at]!r}" in message
        assert f"nearest is {good[at] + '_x'!r}" in message
        assert "\n" not in message


def test_a_file_of_another_source_is_refused_and_its_source_named(specimen: Specimen) -> None:
    words = {kind: word for word, kind in SOURCES.items()}
    for other in KINDS:
        if other is type(specimen.source):
            continue
        specimen.path.write_text(other.specimen)
        with pytest.raises(DataError) as fault:
            specimen.source.read(specimen.path, WINDOW)
        message = str(fault.value)
        assert str(specimen.path) in message
        if words.get(other, "table") == "table":
            assert any(name in message for name in specimen.names.values())
        else:
            assert f"it looks like {other.name} (it has " in message
            assert f'say source = "{words[other]}"' in message
        assert "\n" not in message


@pytest.mark.parametrize("change", [str.upper, str.title, "  {} ".format])
def test_case_and_blanks_around_names_of_columns_do_not_count(
    specimen: Specimen, change: Callable[[str], str]
) -> None:
    specimen.needs(header=True)
    expected = specimen.read()
    specimen.header = [change(name) for name in specimen.header]
    incidents = specimen.read()
    assert incidents.table.equals(expected.table)
    assert incidents.provenance.rows_rejected == expected.provenance.rows_rejected
    assert SOURCES[guess(specimen.path)[0]] is type(specimen.source)


def test_columns_that_differ_in_blanks_alone_are_refused(specimen: Specimen) -> None:
    specimen.needs(header=True)
    name = specimen.names["date"]
    specimen.header = [*specimen.header, f" {name}"]
    specimen.rows = [[*row, "2020-01-01"] for row in specimen.rows]
    with pytest.raises(DataError) as fault:
        specimen.read()
    assert f"columns {name!r} and {' ' + name!r} have one name but for blanks" in str(fault.value)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "no such file"),
        (b"", "is empty"),
        (b"\n \r\n\n", "is empty"),
        (np.random.default_rng(1).bytes(4096), "not a table of text"),
        ("a,b\n1,2\n".encode("utf-16"), "column"),
        (b"a\0b,c\n1,2\n", "not a table of text"),
        (b'"a,b\n1,2\n', "column"),
        (b"PK\x03\x04\x14\x00\x00\x00", "a damaged zip"),
    ],
)
def test_what_is_no_table_is_one_line(
    specimen: Specimen, content: bytes | None, words: str
) -> None:
    path = specimen.path.parent / "other.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError) as fault:
        specimen.source.read(path, WINDOW)
    assert str(path) in str(fault.value)
    assert words in str(fault.value)
    assert "\n" not in str(fault.value)
    with pytest.raises(DataError):
        guess(path)


def test_a_quote_that_is_never_closed_names_its_line(specimen: Specimen) -> None:
    specimen.needs(quoting=True, header=True)
    lines = specimen.write().read_text().splitlines()
    lines[2] = lines[2].replace(specimen.separator, specimen.separator + '"', 1)
    specimen.path.write_text("\n".join(lines))
    with pytest.raises(DataError, match="line 3"):
        specimen.source.read(specimen.path, WINDOW)


def test_a_column_that_stands_twice_is_refused(specimen: Specimen) -> None:
    specimen.needs(header=True)
    specimen.header.append(specimen.header[0])
    specimen.rows = [[*row, "x"] for row in specimen.rows]
    with pytest.raises(DataError, match=f"column '{specimen.header[0]}' stands twice"):
        specimen.read()


def test_a_directory_is_no_file(specimen: Specimen) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        specimen.source.read(specimen.path.parent, WINDOW)


def typed(column: pl.Series) -> pl.Series:
    """The column as numbers or dates, if their text is that of the file."""
    filled = column.set(column == "", None)
    for values in (filled.cast(pl.Int64, strict=False), filled.str.to_date(strict=False)):
        if filled.count() and values.cast(pl.String).eq_missing(filled).all():
            return values
    return filled


def test_frames_are_read_like_files(specimen: Specimen) -> None:
    expected = specimen.read().table
    frame = pl.DataFrame(specimen.rows, schema=specimen.header, orient="row")
    frame = frame.select(typed(column) for column in frame)
    for given in (frame, frame.to_pandas(), frame.to_arrow()):
        incidents = specimen.source.read(given, WINDOW)
        assert incidents.rejected.is_empty()
        assert incidents.table.equals(expected)
        assert incidents.provenance.file == "the table"
    with pytest.raises(DataError, match="polars, pandas or Arrow table, got int"):
        specimen.source.read(5, WINDOW)


def test_text_is_never_interpreted(specimen: Specimen) -> None:
    specimen.needs(column="source")
    other = "place" if "place" in specimen.names else "target"
    specimen.put(other, 0, '=HYPERLINK("x")')
    specimen.put("source", 0, "<script>alert(1)</script>")
    specimen.put("date", 1, "<script>")
    incidents = specimen.read()
    assert '=HYPERLINK("x")' in incidents.table[other].to_list()
    assert "<script>" not in incidents._repr_html_()


def test_the_window_must_be_given(specimen: Specimen) -> None:
    with pytest.raises(ValueError, match="say what was watched"):
        specimen.source.read(specimen.path, cast(Any, None))


def test_other_separators_and_a_byte_order_mark(specimen: Specimen) -> None:
    expected = specimen.read().table
    specimen.needs(header=True)
    for separator in specimen.source.separators:
        specimen.separator = separator
        text = specimen.write().read_text()
        specimen.path.write_text(text, encoding="utf-8-sig")
        assert specimen.source.read(specimen.path, WINDOW).table.equals(expected)
