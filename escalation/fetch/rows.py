"""Rows of JSON to a table of text: each value as the provider wrote it."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from escalation.fetch.files import whole

Rows = Callable[[], Iterator[dict[str, Any]]]


@dataclass(frozen=True)
class Written:
    """How many rows a file got, and what to know of them."""

    rows: int
    notes: tuple[str, ...]


def write_rows(path: Path, rows: Rows, columns: tuple[str, ...], identity: str) -> Written:
    """Write rows as CSV or Parquet of text, whole or not at all.

    A row that comes a second time with the same values is left out; one that comes a second time
    with other values is kept: both are told.

    Parameters
    ----------
    path : pathlib.Path
        Ends in ``.csv`` or ``.parquet``.
    rows : callable
        Gives the rows from the first one on; it is called twice, and no more than one page of them
        is in memory.
    columns : tuple of str
        If there are no rows.
    identity : str
        The column that names a row.
    """
    names = tuple(dict.fromkeys(name for row in rows() for name in row)) or columns
    seen: dict[str, set[int]] = {}
    count = twice = revised = 0
    if path.suffix.lower() == ".parquet":
        into = io.BytesIO()
    with whole(path) as file:
        target: IO[bytes] = into if path.suffix.lower() == ".parquet" else file
        text = io.TextIOWrapper(target, "utf-8", errors="replace", newline="", write_through=True)
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(names)
        for row in rows():
            cells = [_cell(row.get(name)) for name in names]
            key, mark = _cell(row.get(identity)), hash(tuple(cells))
            if key and key in seen:
                if mark in seen[key]:
                    twice += 1
                    continue
                revised += 1
            seen.setdefault(key, set()).add(mark)
            writer.writerow(cells)
            count += 1
        text.flush()
        if target is not file:
            _parquet(into, file)
        text.detach()
    notes = []
    if not count:
        notes.append("no rows: nothing matches the request")
    if twice:
        notes.append(f"{twice:,} rows came a second time, with the same {identity}; left out")
    if revised:
        notes.append(f"{revised:,} rows have the {identity} of another row and other values; kept")
    return Written(count, tuple(notes))


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return str(value).lower()
    return json.dumps(value, ensure_ascii=False)


def _parquet(text: io.BytesIO, file: IO[bytes]) -> None:
    import polars as pl

    text.seek(0)
    pl.read_csv(text, infer_schema=False).write_parquet(file)
