"""Files as they lie on disk: packed or not, text or a table of another format."""

import codecs
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath
from typing import IO, BinaryIO, Literal

from escalation.sources.faults import DataError
from escalation.sources.layout import Layout

LARGEST = 4 * 1024**3
"""How many bytes a packed file may hold."""

RATIO, AT_LEAST = 250, 64 * 1024**2
"""What has unpacked to ``AT_LEAST`` bytes and to ``RATIO`` times its size is no table.

Tables of incidents shrink to a fifth or a tenth of their size, at the utmost to a hundredth.
"""

CHUNK = 1024**2

TABLES = (".csv", ".tsv", ".tab", ".xlsx", ".parquet", ".arrow", ".feather")
"""How the names of tables inside an archive end; else a lone file there is taken as one."""

Kind = Literal["text", "workbook", "parquet", "arrow"]
Packing = Literal["gzip", "zip", "zstd"]

_MARKS: tuple[tuple[bytes, Kind], ...] = (
    (b"PAR1", "parquet"),
    (b"ARROW1", "arrow"),
    (b"\xff\xff\xff\xff", "arrow"),  # a stream of Arrow
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "workbook"),  # Excel before 2007
)
_BROKEN = (
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError, OSError, NotImplementedError,
    RuntimeError, ValueError,
)  # fmt: skip


def contents(label: str, raw: bytes) -> tuple[bytes, Kind]:
    """Unpack a file if it is packed, and tell by its first bytes what it is.

    Parameters
    ----------
    label : str
        How to call the file in a message.
    raw : bytes

    Raises
    ------
    DataError
        If it is damaged, holds several tables, or unpacks to more than a table could.
    """
    if packing(io.BytesIO(raw)) is not None:
        raw = b"".join(unpacked(label, io.BytesIO(raw), LARGEST))
        if packing(io.BytesIO(raw)) is not None:
            raise DataError(f"{label}: is packed twice; unpack it once")
    if _is_workbook(raw):
        return raw, "workbook"
    return raw, next((kind for mark, kind in _MARKS if raw.startswith(mark)), "text")


def packing(file: BinaryIO) -> Packing | None:
    """How a file is packed, None if it is not; a workbook is a zip, but not packed."""
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    if start.startswith(b"\x1f\x8b"):
        return "gzip"
    if start == b"\x28\xb5\x2f\xfd":
        return "zstd"
    if start.startswith((b"PK\x03\x04", b"PK\x05\x06")) and not _is_workbook(file):
        return "zip"
    return None


def unpacked(label: str, file: BinaryIO, largest: int | None = None) -> Iterator[bytes]:
    """The bytes of a file without its packing, in chunks of about a megabyte.

    Parameters
    ----------
    label : str
        How to call the file in a message.
    file : binary file
        That can be sought in.
    largest : int, optional
        How many bytes may come out of it.

    Raises
    ------
    DataError
        As ``contents``; the error comes when the fault is met, after the chunks before it.
    """
    how = packing(file)
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    came, openers = 0, _OPENERS
    try:
        with openers[how](label, file) if how is not None else file as opened:
            while chunk := opened.read(CHUNK):
                came += len(chunk)
                if how is not None and (
                    came > (largest or came) or came > max(AT_LEAST, RATIO * size)
                ):
                    raise DataError(
                        f"{label}: unpacks to more than {came // CHUNK:,} MB from "
                        f"{size / CHUNK:,.1f} MB: more than a table of incidents could"
                    )
                yield chunk
    except DataError:
        raise
    except _BROKEN as fault:
        words = " ".join(str(fault).split()) or type(fault).__name__
        raise DataError(f"{label}: a damaged {how or 'file'}: {words}") from None


def as_utf8(label: str, raw: bytes, layout: Layout, first_line: int = 1) -> bytes:
    """The text of a file, or of a part from that line on, in UTF-8, without a byte-order mark.

    UTF-8 and, by their mark, UTF-16 and UTF-32 are told from the file. Encodings of one byte a
    letter cannot be told from another, so that one must be said.

    Raises
    ------
    DataError
        If it is not text in that encoding.
    """
    encoding = layout.encoding or _marked(raw)
    if not encoding and b"\0" not in raw and _is_utf8(raw):
        return raw.removeprefix(b"\xef\xbb\xbf")
    try:
        text = raw.decode(encoding or "utf-8")
    except UnicodeDecodeError as fault:
        line = raw.count(b"\n", 0, fault.start) + first_line
        if encoding:
            raise DataError(f"{label}: not text in {encoding} (line {line})") from None
        raise DataError(
            f"{label}: not a table of text in UTF-8, no columns can be read (line {line}); if it "
            "is text in another encoding, say which, such as 'cp1252'"
        ) from None
    if "\0" in text:
        raise DataError(f"{label}: not a table of text, no columns can be read (it has null bytes)")
    text = text.removeprefix("\ufeff")
    return text.encode() if encoding else raw.removeprefix(b"\xef\xbb\xbf")


def _is_utf8(raw: bytes) -> bool:
    """Whether bytes are UTF-8; in pieces that fit the cache, eight times as fast as at once."""
    if raw.isascii():
        return True
    decoder, view = codecs.getincrementaldecoder("utf-8")(), memoryview(raw)
    try:
        for start in range(0, len(raw), CHUNK // 4):
            decoder.decode(view[start : start + CHUNK // 4])
        decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def has_lines(start: bytes, layout: Layout) -> bool:
    """Whether what begins so is text in an encoding that writes a line break in one byte."""
    wide = layout.encoding and len("\n".encode(layout.encoding)) > 1
    packed = (b"PK", b"\x1f\x8b", b"\x28\xb5\x2f\xfd")
    tables = tuple(mark for mark, _ in _MARKS)
    return bool(start.strip()) and not (
        wide or _marked(start) or start.startswith((*packed, *tables))
    )


def _marked(raw: bytes) -> str:
    """The encoding that a byte-order mark tells, "" if there is none."""
    if raw.startswith((b"\xff\xfe\x00\x00", b"\x00\x00\xfe\xff")):
        return "utf-32"
    return "utf-16" if raw.startswith((b"\xff\xfe", b"\xfe\xff")) else ""


def _is_workbook(given: bytes | BinaryIO) -> bool:
    """Whether a zip holds a workbook (Excel since 2007, or OpenDocument)."""
    if isinstance(given, bytes) and not given.startswith(b"PK"):
        return False
    try:
        with zipfile.ZipFile(io.BytesIO(given) if isinstance(given, bytes) else given) as archive:
            names = set(archive.namelist())
    except _BROKEN:
        return False
    finally:
        if not isinstance(given, bytes):
            given.seek(0)
    return bool({"xl/workbook.xml", "xl/workbook.bin"} & names) or {
        "mimetype", "content.xml",
    } <= names  # fmt: skip


def unpacked_size(raw: bytes) -> int:
    """How many bytes the members of a zip say they hold, 0 if it is none."""
    try:
        with zipfile.ZipFile(io.BytesIO(raw)) as archive:
            return sum(member.file_size for member in archive.infolist())
    except _BROKEN:
        return 0


def _only_table(label: str, file: BinaryIO) -> IO[bytes]:
    archive = zipfile.ZipFile(file)
    members = [
        each
        for each in archive.infolist()
        if not each.is_dir() and not PurePosixPath(each.filename).name.startswith(".")
        and not each.filename.startswith("__MACOSX/")
    ]  # fmt: skip
    tables = [each for each in members if each.filename.lower().endswith(TABLES)] or members
    if len(tables) != 1:
        names = ", ".join(repr(" ".join(each.filename.split())) for each in tables[:5])
        held = f"holds {len(tables)} files" + (f" ({names})" if tables else "")
        raise DataError(f"{label}: a zip must hold one table, this one {held}")
    if tables[0].flag_bits & 1:
        raise DataError(f"{label}: the zip is locked by a password")
    if tables[0].file_size > LARGEST:
        raise DataError(
            f"{label}: unpacks to {tables[0].file_size // CHUNK:,} MB: more than a table of "
            "incidents could"
        )
    return archive.open(tables[0])


def _zstd(label: str, file: BinaryIO) -> IO[bytes]:
    import pyarrow

    opened: IO[bytes] = pyarrow.CompressedInputStream(file, "zstd")
    return opened


_OPENERS: dict[Packing, Callable[[str, BinaryIO], IO[bytes]]] = {
    "gzip": lambda label, file: gzip.open(file),  # type: ignore[dict-item,return-value]
    "zip": _only_table,
    "zstd": _zstd,
}
