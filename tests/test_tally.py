"""Counts in batches are those of files that are read whole."""

import csv
import gzip
import io
import random
import zipfile
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation import Actor, Actors, CountSeries, Stream, Tally, Window, count_streams
from escalation.sources import DataError, Gdelt, Source, Table, UcdpGed
from escalation.sources.batches import whole_rows
from escalation.sources.delimited import LINE
from escalation.sources.gdelt import HEADS
from escalation.sources.layout import Layout
from escalation.sources.seen import Seen
from escalation.sources.unquoted import unquoted_rows

WINDOW = Window(date(2020, 1, 6), date(2020, 7, 1), ((date(2020, 2, 3), date(2020, 2, 20)),))
KNOWN = Actors((Actor("Pakistan", ("PAK", "PAKMIL"), home="Pakistan"),))
STREAMS = (
    Stream("all"),
    Stream("by Pakistan", ("Pakistan",)),
    Stream("on AFG", target=("AFG",)),
    Stream("between", ("PAK",), ("AFG",), directed=False),
    Stream("in Pakistan", countries=("Pakistan",), codes=("19*",)),
    Stream("from Pakistan's soil", source_homes=("Pakistan",)),
)


def event(rng: random.Random, number: int) -> dict[str, str]:
    """One row of GDELT, now and then with a fault."""
    return {
        "GlobalEventID": str(number if rng.random() < 0.97 else rng.randrange(1, number + 1)),
        "SQLDATE": rng.choice(["20200107", "20200210", "20200331", "20200501", "20210101"])
        if rng.random() < 0.98
        else rng.choice(["", "never", "20201399"]),
        "Actor1Code": rng.choice(["PAK", "PAKMIL", "AFG", "", "USA"]),
        "Actor1CountryCode": rng.choice(["PAK", "AFG", ""]),
        "Actor2Code": rng.choice(["PAK", "AFG", "", "IND"]),
        "EventCode": rng.choice(["190", "195", "042", "999", ""]),
        "IsRootEvent": rng.choice("01"),
        "NumMentions": rng.choice(["1", "7", "x"]) if rng.random() < 0.1 else "2",
        "ActionGeo_Type": rng.choice(["4", "1", "0", "", "9"]) if rng.random() < 0.1 else "4",
        "ActionGeo_FullName": rng.choice(["Mill, Märjamaa", 'Ford "new"', ""]),
        "ActionGeo_CountryCode": rng.choice(["PK", "AF", "??", ""]),
        "ActionGeo_FeatureID": rng.choice(["-1", "-2", ""]),
        "ActionGeo_Lat": "30.5" if rng.random() < 0.97 else "north",
        "ActionGeo_Long": "70",
        "DATEADDED": "20200108121500",
    }


def gdelt_text(seed: int, rows: int) -> str:
    """An export file with faults, blank lines and rows of other lengths."""
    rng, lines = random.Random(seed), []
    for number in range(1, rows + 1):
        head = rng.choice(HEADS[1:])
        fields = event(rng, number)
        line = "\t".join(fields.get(name, "") for name in head)
        odd = rng.random()
        lines.append(
            line if odd > 0.03 else rng.choice(["", line + "\tmore\tyet", line[:30], "\t"])
        )
    return "".join(line + rng.choice(["\n", "\r\n"]) for line in lines)


def ged_text(seed: int, rows: int) -> str:
    """A UCDP file with line breaks in quotes, and figures that contradict each other."""
    rng, text = random.Random(seed), io.StringIO()
    header, *_ = csv.reader(io.StringIO(UcdpGed.specimen))
    writer = csv.DictWriter(text, header, restval="1", lineterminator="\n")
    writer.writeheader()
    for number in range(1, rows + 1):
        day = rng.choice(["2020-01-07", "2020-03-31", "2020-02-10", "never", "2020-05-01"])
        writer.writerow(
            {
                "id": str(number if rng.random() < 0.95 else 1), "type_of_violence": "1",
                "side_a": "PAK", "side_b": rng.choice(["AFG", ""]), "dyad_name": "PAK - AFG",
                "where_coordinates": rng.choice(['Mill, "old"', "Ford\nnear\n\nit", "Inn"]),
                "latitude": "30", "longitude": rng.choice(["70", "x"]), "country": "Pakistan",
                "date_start": day, "date_end": day, "best": "3", "low": rng.choice("15"),
                "high": "4",
            }
        )  # fmt: skip
    return text.getvalue()


def same_as_whole(files: Any, source: Source, batch: int, layout: Layout | None = None) -> Tally:
    """Count in batches, and compare everything with reading the files whole."""
    tally = count_streams(files, WINDOW, STREAMS, "week", source, KNOWN, layout=layout, batch=batch)
    incidents = source.read(files, WINDOW, layout=layout)
    assert tally.series == CountSeries.from_incidents(incidents, STREAMS, "week", KNOWN)
    assert tally.provenance == incidents.provenance
    assert tally.rejected.equals(incidents.rejected)
    assert tally.amended.equals(incidents.amended)
    assert tally.reasons()["rows"].sum() == tally.provenance.rows_rejected
    return tally


@pytest.mark.parametrize(
    ("source", "batch"),
    [
        (Gdelt(), 700),
        (Gdelt(), 10**6),
        (Gdelt(root_only=True, once=True), 3_000),
        *(
            pytest.param(Gdelt(root, once), batch, marks=pytest.mark.slow)
            for root in (True, False)
            for once in (True, False)
            for batch in (1, 700, 5_000)
        ),
    ],
    ids=str,
)
def test_gdelt_in_batches_is_gdelt_whole(tmp_path: Path, source: Gdelt, batch: int) -> None:
    for name in "abc":
        (tmp_path / f"{name}.export.CSV").write_bytes(gdelt_text(ord(name), 20).encode())
    tally = same_as_whole(tmp_path / "*.CSV", source, batch)
    assert tally.provenance.rows_rejected > 2
    assert "in a gap not counted" in tally.series.dropped
    assert {"stands in an earlier row too (b.export.CSV)"} < set(tally.rejected["reason"])


@pytest.mark.parametrize("batch", [300, 4_000])
def test_a_quoted_file_is_cut_between_rows_only(tmp_path: Path, batch: int) -> None:
    (tmp_path / "ged.csv").write_text(ged_text(1, 80))
    tally = same_as_whole(tmp_path / "ged.csv", UcdpGed(), batch)
    assert len(tally.amended) > 5
    assert tally.rejected["line"].max() > 81


def test_packed_files_and_other_tables(tmp_path: Path) -> None:
    text = gdelt_text(5, 30).encode()
    with zipfile.ZipFile(tmp_path / "1.zip", "w") as archive:
        archive.writestr("1.export.CSV", text)
    (tmp_path / "2.gz").write_bytes(gzip.compress(gdelt_text(6, 20).encode()))
    same_as_whole([tmp_path / "1.zip", tmp_path / "2.gz"], Gdelt(), 2_000)
    frame = pl.read_csv(ged_text(2, 50).encode(), infer_schema=False)
    frame.write_parquet(tmp_path / "ged.parquet")
    same_as_whole([tmp_path / "ged.parquet", frame], UcdpGed(), 900)


def test_other_encodings_are_read_in_batches_or_whole(tmp_path: Path) -> None:
    text = "date;source;target\n" + "2020-01-07;Märjamaa;B\n" * 30
    for encoding in ("cp1252", "utf-16"):
        path = tmp_path / f"{encoding}.csv"
        path.write_bytes(text.encode(encoding))
        tally = same_as_whole(path, Table(), 100, Layout(encoding=encoding))
        assert tally.series.counts[0, 0] == 30


def test_tables_without_ids_are_not_taken_for_repeated(tmp_path: Path) -> None:
    rows = "date,source,target\n" + "2020-01-07,A,B\n" * 20
    for name in "ab":
        (tmp_path / f"{name}.csv").write_text(rows)
    assert same_as_whole(tmp_path / "*.csv", Table(), 50).provenance.rows_taken == 40


@pytest.mark.parametrize(
    ("content", "words"),
    [(None, "no such file"), (b"", "empty"), (b"\n\n", "empty"), (b"a,b\n1,2\n", "column"),
     (b"PK\x03\x04xxxx", "zip")],
)  # fmt: skip
def test_a_fault_of_a_file_is_the_same_line(
    tmp_path: Path, content: bytes | None, words: str
) -> None:
    path = tmp_path / "x.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(DataError, match=words) as whole:
        UcdpGed().read(path, WINDOW)
    with pytest.raises(DataError) as fault:
        count_streams(path, WINDOW, STREAMS, "week", UcdpGed())
    assert str(fault.value) == str(whole.value)


def test_text_that_is_no_utf8_names_the_line_of_the_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b"date,source,target\n" + b"2020-01-07,A,B\n" * 50 + b"2020-01-07,\xff,B\n")
    for batch in (100, 10**6):
        with pytest.raises(DataError, match="line 52"):
            count_streams(path, WINDOW, STREAMS, "week", Table(), batch=batch)


def test_how_far_it_is_is_told(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    for name in "ab":
        (tmp_path / f"{name}.CSV").write_text(gdelt_text(1, 50))
    total = sum(path.stat().st_size for path in tmp_path.iterdir())
    count_streams(
        tmp_path / "*.CSV", WINDOW, STREAMS, "day", batch=4_000,
        progress=lambda *args: told.append(args),
    )  # fmt: skip
    assert [name for name, *_ in told] == sorted(name for name, *_ in told)
    done = [at for _, at, _ in told]
    assert done == sorted(done)
    assert (done[-1], {whole for *_, whole in told}) == (total, {total})


def test_what_is_asked_for_must_be_there() -> None:
    frame = pl.DataFrame({"date": ["2020-01-07"], "source": ["A"], "target": ["B"]})
    with pytest.raises(ValueError, match="at least one stream"):
        count_streams(frame, WINDOW, (), "week", Table())
    with pytest.raises(ValueError, match="source must be one of"):
        count_streams(frame, WINDOW, STREAMS, "week", "gdlet")
    with pytest.raises(ValueError, match="period must be"):
        count_streams(frame, WINDOW, STREAMS, "year", Table())
    with pytest.raises(ValueError, match="what was watched"):
        count_streams(frame, None, STREAMS, "week", Table())  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="different names"):
        count_streams(frame, WINDOW, [Stream("a"), Stream("a")], "week", Table())


def test_a_tally_shows_its_counts_and_why_rows_were_rejected(tmp_path: Path) -> None:
    (tmp_path / "<a>.CSV").write_text(gdelt_text(3, 60))
    tally = count_streams(tmp_path / "<a>.CSV", WINDOW, STREAMS, "week")
    assert "60 rows read" in repr(tally) or "rows read" in repr(tally)
    assert "&lt;a&gt;" in tally._repr_html_()
    assert tally == count_streams(tmp_path / "<a>.CSV", WINDOW, STREAMS, "week", batch=500)
    assert tally != 1


words = st.one_of(st.none(), st.integers(-3, 40).map(str), st.sampled_from(["a", "07", "1.0", ""]))


@given(st.lists(st.lists(words, max_size=20), max_size=6))
def test_ids_seen_are_those_of_a_set(batches: list[list[str | None]]) -> None:
    seen, known = Seen(), set[str | None]()
    for batch in batches:
        expected = []
        for each in batch:
            expected.append(each is not None and each in known)
            known.add(each)
        assert seen.repeated(pl.Series(batch, dtype=pl.String)).to_list() == expected


def test_ids_of_a_counting_source_cost_little() -> None:
    seen = Seen()
    for start in range(0, 10**6, 10**5):
        ids = np.random.default_rng(start).permutation(10**5) + start
        assert not seen.repeated(pl.Series(ids).cast(pl.String)).any()
    assert sum(len(starts) for starts, _ in seen._numbers._levels) == 1
    assert seen.repeated(pl.Series(["999999", "1000000"])).to_list() == [True, False]


cells = st.text("ab\t\"' é\u00a0\u3000\x0b", max_size=4)


@given(st.lists(cells, max_size=30), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_lines_without_quotes_are_what_the_csv_module_finds(
    lines: list[str], ending: str, ended: bool
) -> None:
    text = ending.join(lines) + (ending if ended else "")
    rows, misfits = unquoted_rows(text.encode(), ("x", "y", "z"), "\t", ("x", "z"), 5, LINE)
    found = enumerate(csv.reader(io.StringIO(text, newline=""), delimiter="\t", quoting=3), 5)
    full = [(at, fields) for at, fields in found if any(fields)]
    whole = [(at, *(each.strip() or None for each in row)) for at, row in full if len(row) == 3]
    assert rows.rows() == [(at, x, z) for at, x, _, z in whole]
    assert misfits["line"].to_list() == [at for at, fields in full if len(fields) != 3]


def test_a_long_line_is_counted_rightly() -> None:
    long = b"\t" * 256 + b"x\tb\tc\n"
    rows, misfits = unquoted_rows(b"a\tb\tc\n" + long, "xyz", "\t", "xyz", 1, LINE)
    assert rows["x"].to_list() == ["a"]
    assert misfits["reason"].to_list() == ["the row has 259 fields, the header 3"]


@settings(max_examples=200)
@given(st.lists(st.lists(st.text('a,"\n', max_size=5), min_size=2, max_size=2), min_size=1),
       st.integers(1, 9))  # fmt: skip
def test_rows_are_never_cut(table: list[list[str]], size: int) -> None:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    raw = text.getvalue().encode()
    parts = list(whole_rows((raw[at : at + size] for at in range(0, len(raw), size)), True))
    assert b"".join(parts) == raw
    read = [row for part in parts for row in csv.reader(io.StringIO(part.decode(), newline=""))]
    assert read == table


def test_reasons_are_those_of_all_files(tmp_path: Path) -> None:
    for name in ("a (1).csv", "b.csv"):
        (tmp_path / name).write_text(
            "date,source,target\nnever,A,B\n2020-01-07,A,B\n2020-01-07,,B\n"
        )
    tally = count_streams(tmp_path / "*.csv", WINDOW, [Stream("all")], "week", Table())
    assert "is not a date (YYYY-MM-DD) (a (1).csv)" in tally.rejected["reason"].to_list()
    assert tally.reasons().rows() == [
        ("date", "is not a date (YYYY-MM-DD)", 2),
        ("source", "is missing", 2),
    ]
