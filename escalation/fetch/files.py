"""Files that are whole or not there, and the manifest that says where they came from."""

import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from escalation.fetch.errors import FetchError

BLOCK = 2**20


@dataclass(frozen=True)
class Part:
    """One page or file that was fetched.

    Parameters
    ----------
    url : str
        Without any credential.
    file : str
        Its name beside the manifest, "" where it went into the result.
    sha256 : str
        Of the bytes that the provider sent.
    bytes : int
    rows : int or None
        None where the rows are not counted.
    fetched_at : str
        UTC, ISO 8601.
    etag, modified : str
        As the server gave them, "" if it did not.
    """

    url: str
    file: str
    sha256: str
    bytes: int
    rows: int | None
    fetched_at: str
    etag: str = ""
    modified: str = ""


@dataclass(frozen=True)
class Manifest:
    """What was asked of whom and when, and what came; written beside the result as JSON.

    Parameters
    ----------
    provider, licence, citation : str
        As the provider wants them named.
    request : dict
        What was asked for: never a credential.
    fetched_at : str
        UTC, ISO 8601, of the end of the fetch.
    file, sha256 : str
        The result, "" for a folder of files.
    bytes : int
        Of the result, or of all files.
    rows : int or None
    notes : list of str
        What a reader of the data must know: changes while paging, gaps, limits of the account.
    parts : list of Part
    """

    provider: str
    licence: str
    citation: str
    request: dict[str, Any]
    fetched_at: str
    file: str
    sha256: str
    bytes: int
    rows: int | None
    notes: list[str] = field(default_factory=list)
    parts: list[Part] = field(default_factory=list)

    def write(self, path: Path) -> None:
        """Write it, whole or not at all."""
        import msgspec

        with whole(path) as file:
            file.write(msgspec.json.format(msgspec.json.encode(self), indent=1))

    @classmethod
    def read(cls, path: Path) -> "Manifest | None":
        """Read one; None if there is none, or it is not one."""
        import msgspec

        try:
            return msgspec.json.decode(path.read_bytes(), type=cls)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None


@dataclass(frozen=True)
class Fetched:
    """The end of a fetch.

    Parameters
    ----------
    path : pathlib.Path
        The file, or the folder of files, that ``escalation.read`` reads.
    manifest : pathlib.Path
    source : str
        The word for ``escalation.read(path, source=...)``.
    rows : int or None
        None where the rows are not counted.
    files, bytes : int
        Pages or files, and the bytes of the result.
    requests : int
        That were made now.
    kept : int
        Pages or files of an earlier run that were not asked for again.
    missing : tuple of str
        Listed files that could not be had, with the reason: the result has gaps.
    notes : tuple of str
        What a reader of the data must know.
    """

    path: Path
    manifest: Path
    source: str
    rows: int | None
    files: int
    bytes: int
    requests: int
    kept: int
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def terms(word: str) -> tuple[str, str, str]:
    """Name, licence and citation of a source, as its reader has them."""
    from escalation.sources import SOURCES

    source = SOURCES[word]
    return source.name, source.licence, source.citation


def now() -> str:
    """The time in UTC."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def draft_of(path: Path) -> Path:
    """Where a file is written until it is whole."""
    return path.with_name(f".{path.name}.part")


@contextmanager
def whole(path: Path) -> Iterator[IO[bytes]]:
    """Write a file under another name, and give it its own when all of it is on the disk."""
    draft = draft_of(path)
    try:
        with draft.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def digest(path: Path, kind: str = "sha256") -> str:
    """The checksum of a file."""
    sums = hashlib.new(kind, usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(BLOCK):
            sums.update(block)
    return sums.hexdigest()


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Let one process at a time work in a folder; the lock ends with the process.

    Raises
    ------
    FetchError
        If another process works there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / ".lock"
    with path.open("a") as file:
        try:
            import fcntl
        except ImportError:  # Windows has another kind of lock; there, two at once are not noticed
            yield
            return
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise FetchError(f"{folder}: another fetch is at work there") from None
        yield


def checked_output(path: Path, kinds: tuple[str, ...]) -> None:
    """Fail before the first request where the result cannot be written.

    Raises
    ------
    FetchError
        If the name has not one of the kinds, or there is no folder for it.
    """
    if path.suffix.lower() not in kinds:
        raise FetchError(f"{path}: wanted a name that ends in {' or '.join(kinds)}")
    if path.is_dir():
        raise FetchError(f"{path}: is a directory, wanted a file to write")
    if not path.absolute().parent.is_dir():
        raise FetchError(f"{path}: there is no folder {path.parent} to write into")
