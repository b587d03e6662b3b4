"""The template and its codebook: every column explained, every word known, both readable."""

from pathlib import Path

import polars as pl
import pytest

from escalation import read, write_coding_template
from escalation.agreement import LEVELS
from escalation.codes import CAMEO, CERTAINTIES, INCIDENT_CLASSES, PLOVER
from escalation.coding import COLUMNS, check_coding, codebook
from escalation.coding.columns import BY_NAME, CERTAINTY_MEANS, PRECISION_MEANS
from escalation.incidents import PLACE_PRECISIONS, SCHEMA
from escalation.window import Window


def window() -> Window:
    from datetime import date

    return Window(date(2031, 1, 1), date(2032, 1, 1))


def test_the_columns_are_those_of_incidents_and_three_more() -> None:
    names = [column.name for column in COLUMNS]
    assert [name for name in names if name in SCHEMA] == list(SCHEMA)
    assert set(names) - set(SCHEMA) == {"plover", "plover_mode", "note"}
    assert {column.level for column in COLUMNS} <= {*LEVELS, None}
    assert set(CERTAINTY_MEANS) == set(CERTAINTIES) == set(BY_NAME["certainty"].order)
    assert BY_NAME["place_precision"].order == PLACE_PRECISIONS == tuple(PRECISION_MEANS)


def test_the_codebook_explains_each_column_and_word() -> None:
    text = codebook()
    rows = [line for line in text.splitlines() if line.startswith("|")]
    for column in COLUMNS:
        line = next(row for row in rows if row.startswith(f"| `{column.name}` "))
        assert column.meaning in line and column.expected in line
    for word in (*CERTAINTIES, *INCIDENT_CLASSES, *PLACE_PRECISIONS):
        assert word in text
    for code in CAMEO.roots:
        assert any(row.startswith(f"| {code.code} ") for row in rows), code.code
    for code in PLOVER.roots:
        assert any(row.startswith(f"| {code.code} ") for row in rows), code.code


def test_tables_of_the_codebook_have_as_many_cells_as_their_heads() -> None:
    width = None
    for line in codebook().splitlines():
        if not line.startswith("|"):
            width = None
            continue
        width = width or line.count("|")
        assert line.count("|") == width, line


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_a_template_passes_its_own_check_and_is_read(tmp_path: Path, ending: str) -> None:
    path, book = write_coding_template(tmp_path / f"new{ending}")
    assert book.read_text("utf-8") == codebook()
    check = check_coding(path)
    assert check.passed, check.faults
    assert (check.rows, len(check.warnings)) == (1, 0)
    incidents = read(path, window(), source="table")
    assert (len(incidents), len(incidents.rejected)) == (1, 0)
    row = incidents.table.row(0, named=True)
    assert (row["code"], row["deaths_best"], row["certainty"]) == ("195", 2, "alleged")


@pytest.mark.parametrize("ending", [".csv", ".xlsx"])
def test_an_empty_template_has_the_columns_alone(tmp_path: Path, ending: str) -> None:
    path, _ = write_coding_template(tmp_path / f"new{ending}", example=False)
    frame = pl.read_csv(path) if ending == ".csv" else pl.read_excel(path, raise_if_empty=False)
    assert len(frame) == 0
    if ending == ".csv":
        assert frame.columns == [column.name for column in COLUMNS]


def test_cells_of_a_workbook_are_text(tmp_path: Path) -> None:
    """A spreadsheet would make 42 of 042, and a number of a date."""
    path, _ = write_coding_template(tmp_path / "new.xlsx")
    cells = pl.read_excel(path, drop_empty_cols=False).row(0, named=True)
    filled = {name: value for name, value in cells.items() if value is not None}
    assert all(isinstance(value, str) for value in filled.values())
    assert (filled["date"], filled["reports"]) == ("2031-05-04", "1")


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    path, book = write_coding_template(tmp_path / "new.csv")
    with pytest.raises(ValueError, match=r"new\.csv: is there already"):
        write_coding_template(path)
    path.unlink()
    with pytest.raises(ValueError, match=r"new\.md: is there already"):
        write_coding_template(path)
    assert book.exists() and not path.exists()
    with pytest.raises(ValueError, match=r"ends in \.csv or \.xlsx"):
        write_coding_template(tmp_path / "new.ods")
