"""An empty file for coding by hand, with its codebook."""

from pathlib import Path

import polars as pl

from escalation.coding.codebook import codebook
from escalation.coding.columns import COLUMNS

FORMATS = (".csv", ".xlsx")

LAST_ROW = 10_000
"""As far as a workbook offers the words that a column may hold."""

WORDS = {"directed": ("true", "false"), "clarity": ("1", "2")}
"""What a workbook offers besides the words of `COLUMNS`."""


def write_coding_template(path: str | Path, *, example: bool = True) -> tuple[Path, Path]:
    """Write an empty file for coding by hand, and a codebook in Markdown beside it.

    Parameters
    ----------
    path : str or Path
        Ends in ``.csv`` or ``.xlsx``. The codebook gets the same name and ``.md``.
    example : bool
        Whether the file holds one invented row, to be overwritten.

    Returns
    -------
    template, codebook : Path

    Raises
    ------
    ValueError
        If the ending is another, or one of the two files exists.

    Examples
    --------
    >>> from tempfile import TemporaryDirectory
    >>> with TemporaryDirectory() as folder:
    ...     template, book = write_coding_template(f"{folder}/border.csv")
    ...     template.name, book.name, template.read_text().split(",")[:3]
    ('border.csv', 'border.md', ['id', 'date', 'date_latest'])
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise ValueError(f"{path}: a template ends in {' or '.join(FORMATS)}")
    book = path.with_suffix(".md")
    for each in (path, book):
        if each.exists():
            raise ValueError(f"{each}: is there already, and is not overwritten")
    cells = {each.name: [each.example] if example else [] for each in COLUMNS}
    frame = pl.DataFrame(cells, schema=dict.fromkeys(cells, pl.String))
    if path.suffix.lower() == ".csv":
        frame.write_csv(path)
    else:
        _write_workbook(frame, path)
    book.write_text(codebook(), encoding="utf-8")
    return path, book


def _write_workbook(frame: pl.DataFrame, path: Path) -> None:
    """Write all cells as text, so that no spreadsheet makes 42 of 042 or a number of a date."""
    from xlsxwriter import Workbook

    with Workbook(str(path), {"strings_to_numbers": False, "strings_to_formulas": False}) as book:
        sheet = book.add_worksheet("incidents")
        text, head = book.add_format({"num_format": "@"}), book.add_format({"bold": True})
        sheet.freeze_panes(1, 1)
        for place, column in enumerate(COLUMNS):
            sheet.set_column(place, place, max(12, len(column.name) + 2), text)
            sheet.write_string(0, place, column.name, head)
            sheet.write_comment(0, place, f"{column.meaning} {column.expected.capitalize()}.")
            if words := WORDS.get(column.name, column.order):
                rule = {"validate": "list", "source": list(words)}
                sheet.data_validation(1, place, LAST_ROW, place, rule)
            for row, cell in enumerate(frame[column.name], start=1):
                sheet.write_string(row, place, cell, text)
