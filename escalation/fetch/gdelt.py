"""The file lists of GDELT: a zip each day or each quarter of an hour, with size and MD5."""

import os
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from escalation.fetch.archives import LARGEST, ArchiveError, check_zip
from escalation.fetch.bodies import UnfitError
from escalation.fetch.client import Client
from escalation.fetch.errors import AnswerError, FetchError
from escalation.fetch.files import (
    BLOCK,
    Fetched,
    Manifest,
    Part,
    digest,
    draft_of,
    locked,
    now,
    terms,
)
from escalation.fetch.lists import Listed, list_file, listing_1, listing_2
from escalation.fetch.policy import Policy
from escalation.fetch.request import Estimate, Request, Tell, checked_span

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

BASES = {
    1: "https://data.gdeltproject.org/events/",
    2: "https://data.gdeltproject.org/gdeltv2/",
}
FILE_1 = re.compile(r"(\d{4}|\d{6})\.zip|(\d{8})\.export\.CSV\.zip")
FILE_2 = re.compile(r"(\d{14})\.export\.CSV\.zip")
FILE_2_OTHER = re.compile(r"(\d{14})\.translation\.export\.CSV\.zip")
FIRST = 64
"""After how many files the manifest is written first, then after twice as many, and so on."""


@dataclass(frozen=True)
class GdeltRequest(Request):
    """Files of GDELT's events, each checked against the size and MD5 of the provider's list.

    Files are chosen by the day on which their events were added: the event itself may be older.

    Parameters
    ----------
    start, end : datetime.date
        Files of the days from `start` up to, not including, `end` (UTC).
    generation : {2, 1}
        2: a file each quarter of an hour from 2015-02-18 on. 1: a file each day from 2013-04-01
        on, before that by month (2006 to March 2013) and year (1979 to 2005).
    translated : bool
        Of generation 2, the files of news in other languages than English instead.
    largest : int
        Bytes that a file may have when it is unpacked.
    base : str
        The server, or a mirror: the list and the files stand below it. Of the URLs in the list
        only the names are used.

    Raises
    ------
    ValueError
        If one of them is not as it must be.

    References
    ----------
    GDELT, http://data.gdeltproject.org/gdeltv2/masterfilelist.txt and
    http://data.gdeltproject.org/events/md5sums.
    """

    start: date
    end: date
    generation: int = 2
    translated: bool = False
    largest: int = LARGEST
    base: str = ""

    word: ClassVar[str] = "gdelt"
    provider: ClassVar[str] = "GDELT"
    unsaid: ClassVar[frozenset[str]] = frozenset({"largest"})

    def __post_init__(self) -> None:
        checked_span(self.start, self.end)
        if self.generation not in BASES:
            raise FetchError(f"generation must be 1 or 2, got {self.generation}")
        if self.translated and self.generation == 1:
            raise FetchError("translated goes with generation 2")
        if self.largest < 1:
            raise FetchError(f"largest must be positive, got {self.largest}")

    def address(self) -> str:
        """The base URL."""
        return self.base or BASES[self.generation]

    def lists(self) -> tuple[str, ...]:
        """Names of the provider's lists."""
        if self.generation == 1:
            return ("md5sums", "filesizes")
        return ("masterfilelist-translation.txt" if self.translated else "masterfilelist.txt",)

    def estimate(self, policy: Policy | None = None, folder: Path | None = None) -> Estimate:
        """Read the lists: which files, and how large. They are kept in the folder, if there is one.

        Raises
        ------
        FetchError
            One of its kinds.
        """
        import tempfile

        client = Client(self.address(), None, policy)
        with tempfile.TemporaryDirectory() as spare:
            files, notes = self._chosen(client, folder or Path(spare))
        sizes = [each.bytes for each in files]
        size = None if None in sizes else sum(each or 0 for each in sizes)
        urls = tuple(client.base + each.name for each in files)
        return Estimate(urls, None, len(files), size, tuple(notes))

    def fetch(
        self,
        output: str | Path,
        *,
        policy: Policy | None = None,
        progress: Tell | None = None,
        fresh: bool = False,
    ) -> Fetched:
        """Fetch into a folder, and write a manifest there.

        A file has its name only when it is whole and its MD5 is that of the list. Files that are
        there are checked, and not asked for again. What the server lacks, or what does not fit its
        own list after several attempts, is told in ``missing``: the result then has gaps.

        Parameters
        ----------
        output : path
            The folder.
        policy : Policy, optional
        progress : callable, optional
            Is told what is done, how many files, and of how many.
        fresh : bool
            Whether to fetch again what is there.

        Raises
        ------
        FetchError
            One of its kinds.
        """
        folder = Path(output)
        if folder.exists() and not folder.is_dir():
            raise FetchError(f"{folder}: is a file, wanted a folder for the files of GDELT")
        if not folder.absolute().parent.is_dir():
            raise FetchError(f"{folder}: there is no folder {folder.parent} to make it in")
        client = Client(self.address(), None, policy or Policy(pause=0.2))
        with locked(folder):
            files, notes = self._chosen(client, folder)
            return _Folder(self, client, folder, notes).fill(files, progress, fresh)

    def _chosen(self, client: Client, folder: Path) -> tuple[list[Listed], list[str]]:
        folder = folder / ".lists"
        folder.mkdir(parents=True, exist_ok=True)
        paths = [list_file(client, folder, name) for name in self.lists()]
        listing = listing_1 if self.generation == 1 else listing_2
        wanted, odd = listing(paths, self._wants())
        files = sorted(wanted.values(), key=lambda each: each.name)
        notes = [f"{odd} lines of the list name no file and are left out"] if odd else []
        if not files:
            notes.append("the list has no files of these days")
        return files, notes

    def _wants(self) -> Callable[[str], bool]:
        """Whether a file of this name is of the events, and of one of the days."""
        first = self.start.isoformat().replace("-", "")
        last = (self.end - timedelta(days=1)).isoformat().replace("-", "")
        form = FILE_1 if self.generation == 1 else FILE_2 if not self.translated else FILE_2_OTHER

        def wants(name: str) -> bool:
            found = form.fullmatch(name)
            if found is None:
                return False
            # A year, a month or a day: it is compared with as much of the days as it has digits.
            stamp = (found[1] or found[2])[:8]
            return first[: len(stamp)] <= stamp <= last[: len(stamp)]

        return wants


@dataclass
class _Folder:
    """A folder while it is filled."""

    request: GdeltRequest
    client: Client
    folder: Path
    notes: list[str]

    def fill(self, files: list[Listed], progress: Tell | None, fresh: bool) -> Fetched:
        manifest = self.folder / "manifest.json"
        before = None if fresh else Manifest.read(manifest)
        known = {} if before is None else {part.file: part for part in before.parts}
        parts: list[Part] = []
        missing: list[str] = []
        kept, due = 0, FIRST
        for draft in self.folder.glob(".*.zip.part"):  # of a process that was killed
            draft.unlink()
        try:
            for number, listed in enumerate(files):
                if progress is not None:
                    progress(self.request.provider, number, len(files))
                part = None if fresh else self._there(listed, known)
                kept += part is not None
                try:
                    parts.append(part or self._file(listed))
                except AnswerError as fault:
                    missing.append(str(fault))
                if number + 1 == due:
                    due *= 2
                    self._manifest(parts, missing).write(manifest)
        finally:
            self._manifest(parts, missing).write(manifest)
        if progress is not None:
            progress(self.request.provider, len(files), len(files))
        size = sum(part.bytes for part in parts)
        return Fetched(
            self.folder, manifest, self.request.word, None, len(parts), size,
            self.client.requests, kept, tuple(missing), tuple(self.notes),
        )  # fmt: skip

    def _there(self, listed: Listed, known: dict[str, Part]) -> Part | None:
        path = self.folder / listed.name
        if not path.is_file() or digest(path, "md5") != listed.md5:
            return None
        sha256, size = digest(path), path.stat().st_size
        if (part := known.get(listed.name)) is not None and part.sha256 == sha256:
            return part
        # Whole, but of a process that was killed before it wrote the manifest.
        time = datetime.fromtimestamp(path.stat().st_mtime, UTC).isoformat(timespec="seconds")
        return Part(self.client.base + listed.name, listed.name, sha256, size, None, time)

    def _file(self, listed: Listed) -> Part:
        url, path = self.client.base + listed.name, self.folder / listed.name
        draft = draft_of(path)

        def sink(response: "BaseHTTPResponse") -> None:
            size = 0
            with draft.open("wb") as file:
                for block in response.stream(BLOCK, decode_content=False):
                    size += len(block)
                    if listed.bytes is not None and size > listed.bytes:
                        raise UnfitError(f"more than the {listed.bytes:,} bytes of the list")
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
            if listed.bytes is not None and size != listed.bytes:
                raise UnfitError(f"{size:,} bytes, the list says {listed.bytes:,}")
            if (found := digest(draft, "md5")) != listed.md5:
                raise UnfitError(f"the MD5 is {found}, the list says {listed.md5}")

        try:
            answer = self.client.ask(url, sink, encoding="identity")
            try:
                _, rows = check_zip(draft, self.request.largest)
            except ArchiveError as fault:
                raise AnswerError(f"{answer.url}: {fault}") from None
            sha256, size = digest(draft), draft.stat().st_size
            draft.replace(path)
        finally:
            draft.unlink(missing_ok=True)
        return Part(
            answer.url, listed.name, sha256, size, rows, now(), answer.etag, answer.modified
        )

    def _manifest(self, parts: list[Part], missing: list[str]) -> Manifest:
        request = self.request
        notes = [*self.notes, *(f"missing: {each}" for each in missing)]
        return Manifest(
            *terms(request.word), request.described(), now(), "", "",
            sum(part.bytes for part in parts), None, notes, parts,
        )  # fmt: skip
