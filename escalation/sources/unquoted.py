"""Rows of delimited text without quotes: one line a row, checked line by line in one pass."""

from collections.abc import Collection, Sequence

import numpy as np
import polars as pl

from escalation.incidents import REJECTED
from escalation.window import BoolArray, IntArray

NEWLINE, RETURN = ord("\n"), ord("\r")
PIECE = 2**19
RUNS = 20_000
"""Up to so many runs of lines are copied one by one; of more, letter by letter is faster."""

NO_LINES = np.zeros(0, dtype=np.int64)

Letters = np.ndarray[tuple[int], np.dtype[np.uint8]]


def unquoted_rows(
    body: bytes,
    header: Sequence[str],
    separator: str,
    columns: Collection[str],
    first_line: int,
    line: str,
    others: Sequence[Sequence[str]] = (),
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read the rows of text in which a quote is a letter and a line break ends a row.

    Parameters
    ----------
    body : bytes
        UTF-8, rows only.
    header : sequence of str
        Names of all columns.
    separator : str
        Between the fields, one byte.
    columns : collection of str
        Those that are wanted.
    first_line : int
        The line of the file on which the body begins.
    line : str
        Name of the column with each row's line.
    others : sequence of sequence of str
        Further headers, for rows with another number of fields.

    Returns
    -------
    rows : polars.DataFrame
        ``line`` and the wanted columns, as text without blanks around it, null where there is
        none; a row without any separator or letter is left out.
    misfits : polars.DataFrame
        Rows that have not one field for each column, as in ``REJECTED``.
    """
    starts, ends, fields, bare = _lines(body, separator)
    blank = ends - starts == fields - 1
    unfit, parts = ~blank, []
    for head in {len(each): each for each in (*others, header)}.values():
        fit = ~blank & (fields == len(head))
        if fit.any():
            text = body if fit.all() else _kept(body, starts, fit)
            rows = _parsed(text, head, separator, columns)
            parts.append(rows.insert_column(0, pl.Series(line, np.flatnonzero(fit) + first_line)))
        unfit &= ~fit
    misfits = [
        _misfit(body[starts[at] : ends[at]].decode(), header, separator, first_line + int(at))
        for at in np.flatnonzero(unfit)
    ]
    schema = {line: pl.Int64(), **{name: pl.String() for name in header if name in columns}}
    rows = pl.concat([pl.DataFrame(schema=schema), *parts], how="diagonal").select(*schema)
    rows = rows.sort(line) if len(parts) > 1 else rows
    return rows if bare else stripped(rows), pl.DataFrame(misfits, schema=REJECTED, orient="row")


def _parsed(
    text: bytes, header: Sequence[str], separator: str, columns: Collection[str]
) -> pl.DataFrame:
    wanted = [index for index, name in enumerate(header) if name in columns]
    rows = pl.read_csv(
        text, separator=separator, has_header=False, infer_schema=False, quote_char=None,
        columns=wanted,
    )  # fmt: skip
    rows.columns = [header[index] for index in wanted]
    return rows


def stripped(rows: pl.DataFrame) -> pl.DataFrame:
    """Text without blanks around it, null where nothing is left."""
    words = pl.col(pl.String).str.strip_chars()
    return rows.with_columns(pl.when(words != "").then(words))


def _lines(body: bytes, separator: str) -> tuple[IntArray, IntArray, IntArray, bool]:
    """First letter of each line, the place after its last, and how many fields it has.

    Tells besides whether each field is known to have no blanks around it.
    """
    found, start, bare = [(NO_LINES,) * 3], 0, True
    while start < len(body):
        # Pieces that fit the cache.
        end = body.rfind(b"\n", start, start + PIECE) + 1 or body.find(b"\n", start) + 1
        piece = np.frombuffer(body, np.uint8, (end or len(body)) - start, start)
        between, breaks = piece == ord(separator), piece == NEWLINE
        starts, ends = _bounds(piece, np.flatnonzero(breaks))
        fields = _per_line(between, starts) + 1
        bare = bare and _bare(piece, between | breaks)
        found.append((starts + start, ends + start, fields))
        start += len(piece)
    starts, ends, fields = (np.concatenate(each) for each in zip(*found, strict=True))
    return starts, ends, fields, bare


def _bare(letters: Letters, edges: BoolArray) -> bool:
    """Whether all letters beside an edge of a field are printed ones of ASCII.

    Blanks are sought here, at a third of the cost of stripping each field.
    """
    # Codes 33 to 127; those below wrap around to more than 222.
    odd = letters - np.uint8(33) > 94
    odd &= ~edges
    if odd[:1].any() or odd[-1:].any():
        return False
    return not ((odd[1:] & edges[:-1]).any() or (odd[:-1] & edges[1:]).any())


def _bounds(letters: Letters, breaks: IntArray) -> tuple[IntArray, IntArray]:
    """First letter of each line, and the place after its last, without the line break."""
    starts = np.concatenate([[0], breaks + 1])
    ends = np.concatenate([breaks, [len(letters)]])
    if starts[-1] == len(letters):
        starts, ends = starts[:-1], ends[:-1]
    returned = (ends > starts) & (letters[np.maximum(ends - 1, 0)] == RETURN)
    return starts, ends - returned


def _per_line(found: BoolArray, starts: IntArray) -> IntArray:
    """How many letters are found in each line, shape ``(lines,)``."""
    # Sums of bytes are ten times as fast as those of integers, and right unless one overflows.
    letters = found.view(np.uint8)
    counts = np.add.reduceat(letters, starts, dtype=np.uint8).astype(np.int64)
    if counts.sum() != np.count_nonzero(found):
        counts = np.add.reduceat(letters, starts, dtype=np.int64)
    return counts


def _kept(body: bytes, starts: IntArray, fit: BoolArray) -> bytes:
    """The lines that fit, one after the other."""
    turns = np.flatnonzero(np.diff(fit, prepend=False, append=False))
    if len(turns) > RUNS:
        letters = np.frombuffer(body, np.uint8)
        return letters[np.repeat(fit, np.diff(starts, append=len(letters)))].tobytes()
    whole, places = memoryview(body), np.append(starts, len(body))[turns].tolist()
    return b"".join(whole[a:b] for a, b in zip(places[::2], places[1::2], strict=True))


def _misfit(text: str, header: Sequence[str], separator: str, line: int) -> tuple[object, ...]:
    wide, fields = len(header), text.count(separator) + 1
    reason = f"the row has {fields} fields, the header {wide}"
    return line, header[min(fields, wide) - 1], text[:80], reason
