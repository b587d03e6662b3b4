"""Tables, JSON and CSV: text from data stays text."""

import json
import math
import os
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    import polars as pl

    from escalation.checks import Finding
    from escalation.incidents import Provenance

WIDTH = 120
"""Columns of a table that is not printed on a terminal."""

FORMULA = "^[=+\\-@\t\r]"
"""How a cell begins that a spreadsheet would compute."""


def plain(text: object) -> str:
    """Text without the control characters that a terminal would obey."""
    return "".join(
        each if each.isprintable() else "\N{REPLACEMENT CHARACTER}" for each in str(text)
    )


def say(text: str) -> None:
    """Print one line."""
    typer.echo(plain(text))


def rows_in_words(origin: "Provenance") -> str:
    """How many rows were read, and what became of them."""
    from escalation.series.counts import plural

    more = ((origin.rows_left_out, "left out"), (origin.rows_outside, "outside the window"))
    told = "".join(f", {number:,} {what}" for number, what in more if number)
    return (
        f"{plural(origin.rows_read, 'row')}: {origin.rows_taken:,} taken, "
        f"{origin.rows_rejected:,} rejected{told}"
    )


def show_findings(findings: "Iterable[Finding]") -> None:
    """Print the checks that did not pass, failed ones first; or that all passed."""
    noted = [each for each in findings if not each.passed]
    for each in sorted(noted, key=lambda each: each.status):
        say(f"{each.status}: {each.name}. {each.text}")
    if not noted:
        say("All checks passed.")


def show(frame: "pl.DataFrame", title: str | None = None) -> None:
    """Print a table; cells are text, never markup."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False)
    for name, kind in zip(frame.columns, frame.dtypes, strict=True):
        numeric = kind.is_numeric()
        table.add_column(Text(name.replace("_", " ")), justify="right" if numeric else "left")
    for row in zip(*(_cells(column) for column in frame), strict=True):
        table.add_row(*map(Text, row))
    if title:
        say(f"{title}:")
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False)
    # Rich would end the program by itself where nobody reads on.
    with console.capture() as text:
        console.print(table)
    typer.echo(text.get(), nl=False)


def _cells(column: "pl.Series") -> list[str]:
    from escalation.report.wording import count, rate

    if column.dtype.is_float():
        whole = column.drop_nulls().drop_nans()
        write = count if (whole == whole.floor()).all() else rate
        return ["" if value is None else write(value) for value in column]
    if column.dtype.is_integer():
        return ["" if value is None else str(value) for value in column]
    return ["" if value is None else plain(value) for value in column]


def print_json(content: dict[str, Any]) -> None:
    """Print JSON; infinities, which JSON lacks, become text, and missing numbers null."""
    typer.echo(json.dumps(_json(content), indent=1, ensure_ascii=False, allow_nan=False))


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    if hasattr(value, "to_dicts"):  # tables
        return _json(value.to_dicts())
    if hasattr(value, "tolist"):  # arrays and numbers of NumPy
        return _json(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    return str(value)


def write_csv(table: "pl.DataFrame", path: Path) -> None:
    """Write a CSV whose text no spreadsheet takes for a formula, whole or not at all."""
    import polars as pl

    text = pl.col(pl.String)
    guarded = table.with_columns(
        pl.when(text.str.contains(FORMULA)).then(pl.lit("'") + text).otherwise(text).name.keep()
    )
    folder = path.absolute().parent
    with tempfile.NamedTemporaryFile(dir=folder, prefix=f".{path.name}.", delete=False) as draft:
        try:
            guarded.write_csv(draft)
            draft.close()
            os.chmod(draft.name, 0o644)
            os.replace(draft.name, path)
        except BaseException:
            Path(draft.name).unlink(missing_ok=True)
            raise
