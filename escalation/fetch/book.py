"""The pages of an answer on the disk: each kept as it comes, so that nothing is asked twice."""

import gzip
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from escalation.fetch.bodies import parsed
from escalation.fetch.errors import FetchError
from escalation.fetch.files import Part, whole


@dataclass(frozen=True)
class Kept:
    """A page that is on the disk."""

    query: int
    total: int | None
    following: str
    notes: tuple[str, ...]
    part: Part


@dataclass
class State:
    """The pages on the disk, and what they answer; written after each page."""

    request: dict[str, Any]
    pages: list[Kept] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    complete: bool = False


class Book:
    """The pages of one request in a folder.

    Raises
    ------
    FetchError
        If the folder holds pages of another request.
    """

    def __init__(self, folder: Path, request: dict[str, Any], *, fresh: bool) -> None:
        self.folder = folder
        self.state = State(request)
        self.earlier: dict[str, Kept] = {}
        if fresh:
            self.clear()
        found = self._read()
        if found is not None and found.request != request:
            other = [key for key in request if found.request.get(key) != request[key]]
            raise FetchError(
                f"{folder}: holds pages of another request, which differs in {', '.join(other)}; "
                "finish that one, or start anew with fresh"
            )
        if found is not None and found.complete:
            # All there: each page is asked for again, but only if it has changed.
            self.earlier = {each.part.url: each for each in found.pages if self._good(each)}
        elif found is not None:
            good = next((i for i, p in enumerate(found.pages) if not self._good(p)), None)
            self.state = replace(found, pages=found.pages[:good])

    def _path(self) -> Path:
        return self.folder / "state.json"

    def _read(self) -> State | None:
        import msgspec

        try:
            return msgspec.json.decode(self._path().read_bytes(), type=State)
        except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
            return None

    def _good(self, page: Kept) -> bool:
        try:
            return hashlib.sha256(self.body(page)).hexdigest() == page.part.sha256
        except (OSError, EOFError):
            return False

    def body(self, page: Kept) -> bytes:
        """What the server sent."""
        with gzip.open(self.folder / page.part.file) as file:
            return file.read()

    def rows(self, read: Callable[[str, Any], list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
        """All rows in order, one page in memory at a time; `read` takes a URL and its JSON."""
        for page in self.state.pages:
            yield from read(page.part.url, parsed(self.body(page)))

    def add(self, page: Kept, body: bytes | None) -> None:
        """Keep a page, and say so; a page without a new body is on the disk."""
        if body is not None:
            with whole(self.folder / page.part.file) as file:
                file.write(gzip.compress(body, 4, mtime=0))
        self.state.pages.append(page)
        self.save()

    def save(self) -> None:
        """Write down which pages there are."""
        import msgspec

        with whole(self._path()) as file:
            file.write(msgspec.json.encode(self.state))

    def clear(self) -> None:
        """Drop all pages."""
        self.state = State(self.state.request, notes=self.state.notes)
        self._path().unlink(missing_ok=True)
        self.tidy()

    def tidy(self) -> None:
        """Remove what is no page of this fetch."""
        own = {page.part.file for page in self.state.pages} | {".lock", self._path().name}
        for path in self.folder.iterdir():
            if path.name not in own:
                path.unlink()
