"""Zip files from elsewhere: looked through, never unpacked on trust."""

import zipfile
import zlib
from pathlib import Path, PurePosixPath

LARGEST = 4 * 2**30
"""Bytes that a file of events may have when it is unpacked."""

RATIO, FLOOR = 100, 2**26
"""A file may unpack to so many times its size (text comes to some ten times), or to the floor."""

BLOCK = 2**20


class ArchiveError(ValueError):
    """A zip file that is broken or not what it should be."""


def check_zip(path: Path, largest: int = LARGEST) -> tuple[int, int]:
    """Read a zip file through: one table inside, of a plain name, not too large, its sum right.

    Nothing is written. The bytes are counted as they are unpacked, whatever the file says of them.

    Parameters
    ----------
    path : pathlib.Path
    largest : int
        Bytes after unpacking; no more than `RATIO` times the zip's own size are let through.

    Returns
    -------
    bytes, lines : int
        After unpacking.

    Raises
    ------
    ArchiveError
        In words, without the path.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) != 1:
                raise ArchiveError(f"wanted one file inside the zip, got {len(members)}")
            allowed = min(largest, max(FLOOR, RATIO * path.stat().st_size))
            return _read(archive, members[0], allowed)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as fault:
        reason = " ".join(str(fault).split())[:100]
        raise ArchiveError(f"not a good zip file ({reason})") from None


def _read(archive: zipfile.ZipFile, member: zipfile.ZipInfo, largest: int) -> tuple[int, int]:
    name = member.filename
    # As it stands in the file: zipfile mends some names when it reads them.
    raw = member.orig_filename
    plain = PurePosixPath(raw)
    if plain.name != raw or raw in ("", ".", "..") or any(each in raw for each in "\\:\0"):
        raise ArchiveError(f"the name {raw[:60]!r} inside the zip leads elsewhere")
    if (member.external_attr >> 16) & 0o170000 == 0o120000:
        raise ArchiveError(f"{name[:60]!r} inside the zip is a link")
    if member.file_size > largest:
        raise ArchiveError(f"would unpack to {member.file_size:,} bytes, more than {largest:,}")
    size = lines = 0
    with archive.open(member) as file:
        while block := file.read(BLOCK):
            size += len(block)
            lines += block.count(b"\n")
            if size > largest:
                raise ArchiveError(f"unpacks to more than {largest:,} bytes")
    return size, lines
