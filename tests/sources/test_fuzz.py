"""Mutated files of every source: an error in one line or incidents, and no row without a word.

``python tests/sources/test_fuzz.py 20000`` tries so many cases a source, and prints what became of
them.
"""

import csv
import io
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from escalation.incidents import REJECTED, SCHEMA
from escalation.sources import SOURCES, DataError, guess
from escalation.window import Window

EVER = Window(date(1900, 1, 1), date(2100, 1, 1))
CELLS = (
    "", " ", "NA", "NaN", "null", "None", "nan", "inf", "-inf", "-1", "0", "1", "2.5", "1e308",
    "-0", "1e-400", "9" * 30, "9" * 400, "0x10", "1_000", "1,000", "٣", "2020-13-45",
    "2020-02-30", "0000-00-00", "9999-12-31", "10000-01-01", "0001-01-01", "20200230", "2020",
    "2020-06", "31/12/2020", "2020-01-07T25:00:00", "2020-01-07 00:00:00", "=1+1", "@SUM(A1:A9)",
    "+cmd|' /C calc'!A0", "-2+3", '"', '""', '"open', 'clo"se', "it's", "a,b", "a;b", "a|b",
    "a\tb", "a\nb", "a\r\nb", "\r", "\n", "\0", "\ufeff", "\u2028", "\u202e", "\u00a0", "é",
    "漢字", "💥", "e\u0301", "<script>alert(1)</script>", "#eval(1)", "{{x}}", "$x$", "\\", "TRUE",
    "false", "Civilians", "#date", "x" * 5000,
)  # fmt: skip


@dataclass(frozen=True)
class Written:
    """A file as it is written: names of columns (none of a file without a header), and rows."""

    header: list[str] | None
    rows: list[list[str]]
    separator: str
    quoting: bool

    @property
    def records(self) -> list[list[str]]:
        return ([self.header] if self.header is not None else []) + self.rows

    def text(self) -> str:
        if not self.quoting:
            return "".join(self.separator.join(row) + "\n" for row in self.records)
        out = io.StringIO(newline="")
        csv.writer(out, delimiter=self.separator, lineterminator="\n").writerows(self.records)
        return out.getvalue()


def written(word: str) -> Written:
    """The specimen of a source, taken apart."""
    kind = SOURCES[word]
    separator = max(kind.separators, key=kind.specimen.split("\n", 1)[0].count)
    if kind.quoting:
        rows = list(csv.reader(io.StringIO(kind.specimen, newline=""), delimiter=separator))
    else:
        rows = [line.split(separator) for line in kind.specimen.splitlines()]
    header = None if kind.heads else rows.pop(0)
    return Written(header, [row for row in rows if row], separator, kind.quoting)


def changed(file: Written, draw) -> Written:
    """The file with one fault."""
    width = len(file.records[0])
    if not width:
        return file
    column, other = (draw(st.integers(0, width - 1)) for _ in "ab")
    row, later = (draw(st.integers(0, max(len(file.rows) - 1, 0))) for _ in "ab")
    rows = [list(each) for each in file.rows]
    header = None if file.header is None else list(file.header)
    everything = ([header] if header is not None else []) + rows
    kinds = "cell cell cell cell cell name drop swap double short long blank again order".split()
    match draw(st.sampled_from(kinds)):
        case "cell" if rows and column < len(rows[row]):
            rows[row][column] = draw(st.sampled_from(CELLS) | st.text(max_size=12))
        case "name" if header is not None and column < len(header):
            header[column] = draw(st.sampled_from((*CELLS, header[column].upper(), "x")))
        case "drop":
            for each in everything:
                del each[column : column + 1]
        case "swap":
            for each in everything:
                if max(column, other) < len(each):
                    each[column], each[other] = each[other], each[column]
        case "double":
            for each in everything:
                each.insert(other, each[min(column, len(each) - 1)] if each else "")
        case "short" if rows:
            del rows[row][column:]
        case "long" if rows:
            rows[row].append("more")
        case "blank" if rows:
            rows.insert(row, [""] * width)
        case "again" if rows:
            rows.append(list(rows[row]))
        case "order" if rows:
            rows[row], rows[later] = rows[later], rows[row]
    return replace(file, header=header, rows=rows)


@st.composite
def files(draw, word: str) -> tuple[bytes, Written | None]:
    """Bytes of a mutated file; with the records that it holds where these can be told."""
    file = written(word)
    for _ in range(draw(st.integers(1, 4))):
        file = changed(file, draw)
    text = file.text()
    if draw(st.booleans()):
        text = text.replace("\n", "\r\n") if "\r" not in text and draw(st.booleans()) else text
    encoding = draw(st.sampled_from(["utf-8"] * 6 + ["utf-8-sig", "utf-16", "cp1252", "latin-1"]))
    raw = text.encode(encoding, errors="replace")
    if draw(st.integers(0, 3)):
        # Without quotes, whatever is in a cell may begin a new row; another encoding may change it.
        plain = "\0" not in text and encoding.startswith("utf-8")
        return raw, file if plain and (file.quoting or _as_written(file)) else None
    place = draw(st.integers(0, len(raw)))
    noise = draw(st.binary(max_size=4) | st.sampled_from([b'"', b"\n", b"\xff\xfe", b"\r", b"\0"]))
    cut = draw(st.sampled_from([0, 0, 1, 10, 10**6]))
    return raw[:place] + noise + raw[place + cut :], None


def _as_written(file: Written) -> bool:
    return not any(mark in cell for row in file.records for cell in row for mark in "\r\n\t")


def count(file: Written) -> int:
    """The rows with any value in them."""
    return sum(any(row) for row in file.rows)


def outcome(word: str, raw: bytes, file: Written | None) -> str:
    """Read a file, and check all that must hold of what comes out."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "mutated.csv")
        path.write_bytes(raw)
        try:
            guess(path)
        except DataError as fault:
            check_words(str(fault))
        try:
            found = SOURCES[word]().read(path, EVER)
        except DataError as fault:
            check_words(str(fault))
            return "refused"
    came = found.provenance
    assert came.rows_taken == len(found.table)
    assert came.rows_rejected == len(found.rejected)
    parts = (came.rows_taken, came.rows_rejected, came.rows_outside, came.rows_left_out)
    assert came.rows_read == sum(parts)
    if file is not None:
        assert came.rows_read == count(file), f"{count(file)} rows are written"
    assert dict(found.table.schema) == SCHEMA
    assert dict(found.rejected.schema) == REJECTED
    assert found.rejected["line"].min() is None or found.rejected["line"].min() >= 1
    assert not found.rejected["reason"].is_in([""]).any()
    assert found.table["date"].null_count() == found.table["source"].null_count() == 0
    assert found.table["id"].n_unique() == len(found.table)
    assert "<script" not in found._repr_html_()
    return "rejected some" if came.rows_rejected else "taken"


def check_words(text: str) -> None:
    """A fault is one line that names the file."""
    assert len(text.splitlines()) == 1 and "mutated.csv" in text, text


def tried(word: str, number: int, **more) -> Counter[str]:
    """Try so many cases of a source: how many became what."""
    became: Counter[str] = Counter()

    @settings(max_examples=number, deadline=None, database=None, **more,
              suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(files(word))
    def try_one(case):
        became[outcome(word, *case)] += 1

    try_one()
    return became


@pytest.mark.parametrize("word", sorted(SOURCES))
def test_mutated_files_are_told_of(word):
    became = tried(word, 60, derandomize=True)
    assert min(became[each] for each in ("refused", "rejected some", "taken")) > 0


@pytest.mark.slow
@pytest.mark.parametrize("word", sorted(SOURCES))
def test_many_mutated_files_are_told_of(word):
    tried(word, 600)


if __name__ == "__main__":
    for name in sys.argv[2:] or sorted(SOURCES):
        outcomes = tried(name, int(sys.argv[1]), print_blob=False)
        print(f"{name}: {outcomes.total():,} cases, {dict(outcomes)}", flush=True)
