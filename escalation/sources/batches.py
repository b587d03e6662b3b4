"""Files of any size as stacks of rows, one after the other, in little memory."""

import hashlib
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from escalation.sources.delimited import Sheet, text_sheet
from escalation.sources.faults import EmptyFileError
from escalation.sources.files import as_utf8, has_lines, packing, unpacked
from escalation.sources.layout import Layout
from escalation.sources.stack import Stack, each_file

if TYPE_CHECKING:
    from escalation.sources.base import Source

BLOCK = 16 * 1024**2
"""How many bytes of text make a stack."""

QUOTE, NEWLINE = b'"', ord("\n")

AHEAD = 2
"""How many stacks are made while one is worked on."""

ROWS = 200_000
"""How many rows of a table that is no text make one."""


class Batches:
    """Files of one source, read as stacks of rows of about ``block`` bytes of text.

    Delimited text is never held whole, packed or not; other tables are, one at a time.

    Parameters
    ----------
    source : Source
    given : path, or polars, pandas or Arrow table, or a sequence of these
    layout : Layout
    tell : callable, optional
        Called with the name of the file at work, the bytes that were read of all files, and how
        many there are.
    block : int
    without : collection of str
        Columns of ours that are not read.

    Attributes
    ----------
    labels, hashes : list of str
        Of the files that were read to their end: how to call them, and their SHA-256.
    """

    def __init__(
        self,
        source: "Source",
        given: Any,
        layout: Layout,
        tell: Callable[[str, int, int], None] | None = None,
        block: int = BLOCK,
        without: Collection[str] = (),
    ) -> None:
        self.source, self.layout, self.block = source, layout, block
        self.tell = tell or (lambda label, done, total: None)
        self.without = without
        self.files = each_file(given)
        self.labels: list[str] = []
        self.hashes: list[str] = []
        self._done, self._total = 0, sum(map(_size, self.files))

    @property
    def label(self) -> str:
        """How to call the files in a message."""
        if len(self.files) > 1:
            return f"{len(self.files)} files"
        given = self.files[0]
        return " ".join(str(given).splitlines()) if _is_path(given) else "the table"

    def __iter__(self) -> Iterator[Stack]:
        """Stacks in the order of the rows; other threads read and parse the next ones."""
        groups = self._groups()
        with ThreadPoolExecutor(1) as reader, ThreadPoolExecutor(AHEAD) as parser:

            def one_more() -> Future[Stack | None]:
                return parser.submit(self._stack, reader.submit(next, groups, None))

            coming = deque(one_more() for _ in range(AHEAD))
            while (stack := coming.popleft().result()) is not None:
                coming.append(one_more())
                yield stack

    def _groups(self) -> Iterator[tuple[list[Sheet], int]]:
        """Sheets for one stack, and the index of the first; several small files make one."""
        waiting: list[Sheet] = []
        size = first = 0
        for index, sheet in self._sheets():
            if waiting and (first + len(waiting) > index or size >= self.block):
                yield waiting, first
                waiting, size = [], 0
            first = first if waiting else index
            waiting.append(sheet)
            size += _weight(sheet)
        yield waiting, first

    def _stack(self, group: "Future[tuple[list[Sheet], int] | None]") -> Stack | None:
        found = group.result()
        if found is None:
            return None
        match, used, several = self.source.matched, self.source.used, len(self.files) > 1
        return Stack.of(found[0], match, self.layout, used, found[1], several, self.without)

    def _sheets(self) -> Iterator[tuple[int, Sheet]]:
        for index, given in enumerate(self.files):
            sheets = self._of_text(Path(given)) if _is_path(given) else None
            for sheet in sheets or self._whole(given):
                yield index, sheet
            self._done += _size(given)

    def _whole(self, given: Any) -> Iterator[Sheet]:
        """The parts of a file that must be held whole, or of a table."""
        try:
            sheet = self.source.opened(given, self.layout)
        except EmptyFileError:
            # Of sources without a header, one may be empty among others.
            if not self.source.heads or len(self.files) == 1:
                raise
            sheet = Sheet.without_rows(given, self.source.heads[0])
        self.labels.append(sheet.label)
        self.hashes.append(sheet.sha256)
        body = sheet.body
        if not isinstance(body, pl.DataFrame):
            yield sheet
            return
        for start in range(0, max(len(body), 1), ROWS):
            yield replace(sheet, body=body.slice(start, ROWS), first_line=sheet.first_line + start)

    def _of_text(self, path: Path) -> Iterator[Sheet] | None:
        """The parts of a file of lines, None if it is none."""
        label = " ".join(str(path).splitlines())
        try:
            with path.open("rb") as file:
                start = next(unpacked(label, file), b"")
        except OSError:
            return None
        return self._parts(label, path) if has_lines(start[:4096], self.layout) else None

    def _parts(self, label: str, path: Path) -> Iterator[Sheet]:
        line, first, source = 1, None, self.source
        for rows in whole_rows(self._blocks(label, path), source.quoting):
            if first is None:
                whole = text_sheet(
                    label, "", rows, self.layout, source.separators, source.quoting, source.heads
                )
                sheet = first = source.mended(whole)
            else:
                text = as_utf8(label, rows, self.layout, line)
                sheet = replace(first, body=text, headless=True, first_line=line, remarks=())
            line += _breaks(rows)
            yield sheet

    def _blocks(self, label: str, path: Path) -> Iterator[bytes]:
        """The bytes of a file without its packing, block by block; tells how far it is."""
        with path.open("rb") as file:
            packed = packing(file) is not None
            digest = hashlib.file_digest(file, "sha256") if packed else hashlib.sha256()
            chunks = unpacked(label, file) if packed else iter(lambda: file.read(self.block), b"")
            for block in _joined(chunks, self.block):
                if not packed:
                    digest.update(block)
                # pyarrow closes what it has unpacked to the end.
                at = _size(path) if file.closed else file.tell()
                self.tell(path.name, self._done + at, self._total)
                yield block
        self.labels.append(label)
        self.hashes.append(digest.hexdigest())


def whole_rows(blocks: Iterable[bytes], quoting: bool) -> Iterator[bytes]:
    """Cut text after a row's end near the end of each block; the last part may lack its end.

    Parameters
    ----------
    blocks : iterable of bytes
    quoting : bool
        Whether a line break in quotes, which follows an odd number of them, ends no row.
    """
    rest: list[bytes] = []
    for block in blocks:
        end = block.rfind(b"\n") + 1
        if not end:
            rest.append(block)
            continue
        text = b"".join([*rest, memoryview(block)[:end]])
        rest = [block[end:]]
        if quoting and QUOTE in text:
            end = _end_of_rows(text)
            text, rest = text[:end], [text[end:], *rest]
        if text:
            yield text
    if any(rest):
        yield b"".join(rest)


def _end_of_rows(text: bytes) -> int:
    """The place after the last line break that stands outside quotes, 0 if there is none."""
    end = text.rfind(b"\n")
    outside = text.count(QUOTE, 0, end) % 2 == 0
    while end >= 0 and not outside:
        before = text.rfind(b"\n", 0, end)
        outside = text.count(QUOTE, max(before, 0), end) % 2 == 1
        end = before
    return end + 1


def _joined(chunks: Iterable[bytes], size: int) -> Iterator[bytes]:
    """Chunks put together to blocks of at least that size."""
    waiting: list[bytes] = []
    for chunk in chunks:
        waiting.append(chunk)
        if sum(map(len, waiting)) >= size:
            yield b"".join(waiting)
            waiting = []
    if waiting:
        yield b"".join(waiting)


def _breaks(text: bytes) -> int:
    letters = np.frombuffer(text, np.uint8)
    # Pieces that fit the cache.
    pieces = (letters[at : at + 2**18] for at in range(0, len(letters), 2**18))
    return sum(int(np.count_nonzero(piece == NEWLINE)) for piece in pieces)


def _is_path(given: Any) -> bool:
    return isinstance(given, str | Path)


def _size(given: Any) -> int:
    """Bytes of a file as it lies on disk, 0 of anything else."""
    try:
        return Path(given).stat().st_size if _is_path(given) else 0
    except OSError:
        return 0


def _weight(sheet: Sheet) -> int:
    body = sheet.body
    return len(body) if isinstance(body, bytes) else int(body.estimated_size())
