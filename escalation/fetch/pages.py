"""Answers that come in pages: asked in order, each kept as it comes, put together at the end."""

import hashlib
import shutil
from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from escalation.fetch.access import Access
from escalation.fetch.book import Book, Kept
from escalation.fetch.client import Answer, Client
from escalation.fetch.errors import AnswerError
from escalation.fetch.files import (
    Fetched,
    Manifest,
    Part,
    checked_output,
    digest,
    locked,
    now,
    terms,
)
from escalation.fetch.policy import Policy
from escalation.fetch.request import Request, Tell
from escalation.fetch.rows import write_rows


@dataclass(frozen=True)
class Page:
    """What one page says.

    Parameters
    ----------
    rows : list of dict
    total : int or None
        Rows of all pages, where the server says how many.
    following : str
        The mark of the next page, "" after the last.
    notes : tuple of str
        What the server says besides that a reader of the data must know.
    """

    rows: list[dict[str, Any]]
    total: int | None
    following: str
    notes: tuple[str, ...] = ()


class _ChangedError(Exception):
    """The data changed between two pages."""


@dataclass(frozen=True)
class PagedRequest(Request):
    """A request whose answer comes in pages.

    Attributes
    ----------
    identity : str
        The column that names a row.
    columns : tuple of str
        The columns that a result without rows has.
    also_passing : frozenset of int
        Further statuses after which a later page is asked for again.
    """

    identity: ClassVar[str]
    columns: ClassVar[tuple[str, ...]]
    also_passing: ClassVar[frozenset[int]] = frozenset()

    @abstractmethod
    def access(self) -> Access:
        """Who asks, from the environment."""

    @abstractmethod
    def queries(self) -> tuple[str, ...]:
        """URLs of the first page of each query; their answers are put one after the other."""

    @abstractmethod
    def next_url(self, url: str, mark: str) -> str:
        """The URL of the page with this mark."""

    @abstractmethod
    def page(self, url: str, mark: str, content: Any) -> Page:
        """Read a page; ``AnswerError`` names the URL and the key that is not as it must be."""

    def fetch(
        self,
        output: str | Path,
        *,
        policy: Policy | None = None,
        progress: Tell | None = None,
        fresh: bool = False,
    ) -> Fetched:
        """Fetch into a file, and write a manifest beside it.

        A fetch that was ended, by whatever, goes on where it was: pages that came are kept in the
        folder ``<output>.fetch``, which goes when the file is whole (it stays where the server
        gives ETags: the next fetch then asks whether each page has changed).

        Parameters
        ----------
        output : path
            Ends in ``.csv`` or ``.parquet``.
        policy : Policy, optional
        progress : callable, optional
            Is told what is done, how many rows, and of how many (0 of 1 where nobody knows).
        fresh : bool
            Whether to drop the pages of an earlier fetch.

        Raises
        ------
        FetchError
            One of its kinds: ``RefusedError``, ``UnreachableError``, ``AnswerError``.
        """
        output = Path(output)
        checked_output(output, (".csv", ".parquet"))
        client = Client(self.address(), self.access(), policy)
        folder = output.with_name(f"{output.name}.fetch")
        with locked(folder):
            book = Book(folder, self.described(), fresh=fresh)
            kept = _paged(self, client, book, progress or _silent)
            return _finished(self, client, book, output, kept)


def _silent(label: str, done: int, total: int) -> None:
    pass


def _paged(request: PagedRequest, client: Client, book: Book, tell: Tell) -> int:
    """Get all pages; begin anew, once, if the data change meanwhile."""
    kept = len(book.state.pages)
    if kept and not book.state.complete:
        book.state.notes.append(
            f"{kept} pages are of an earlier run, the first of "
            f"{book.state.pages[0].part.fetched_at}"
        )
    try:
        return kept + _all_pages(request, client, book, tell)
    except _ChangedError as fault:
        said = str(fault)
    book.state.notes.append(f"{said}: the data changed while paging, all pages were asked anew")
    book.clear()
    book.earlier = {}
    try:
        return _all_pages(request, client, book, tell)
    except _ChangedError as fault:
        said = str(fault)
    book.clear()
    raise AnswerError(f"{said}: the data changed while paging, twice; run it again later")


def _all_pages(request: PagedRequest, client: Client, book: Book, tell: Tell) -> int:
    queries, unchanged = request.queries(), 0
    for number, first in enumerate(queries):
        done = [page for page in book.state.pages if page.query == number]
        total = done[-1].total if done else None
        mark = done[-1].following if done else ""
        url = request.next_url(first, mark) if mark else first
        rows = sum(page.part.rows or 0 for page in done)
        seen = {page.part.url for page in done}
        while not done or mark:
            label = request.provider if len(queries) == 1 else f"{request.provider} {number + 1}"
            tell(label, rows if total else 0, total or 1)
            if url in seen:
                raise AnswerError(f"{client.shown(url)}: the pages lead in a circle")
            seen.add(url)
            page, body = _one_page(request, client, book, number, (url, mark))
            if page.total is None:  # said on an earlier page, or never
                page = replace(page, total=total)
            if total is not None and page.total != total:
                raise _ChangedError(
                    f"{client.shown(url)}: {page.total} rows in all, {total} on the page before"
                )
            unchanged += body is None
            book.add(page, body)
            done.append(page)
            total, mark = page.total, page.following
            rows += page.part.rows or 0
            url = request.next_url(first, mark)
            if total or not mark:
                tell(label, rows if total else 1, total or 1)
    return unchanged


def _one_page(
    request: PagedRequest, client: Client, book: Book, query: int, at: tuple[str, str]
) -> tuple[Kept, bytes | None]:
    url, mark = at
    earlier = book.earlier.get(url)
    passing = request.also_passing if mark else frozenset[int]()
    answer = client.json(url, earlier.part.etag if earlier else "", passing)
    if answer.status == 304:
        if earlier is None:
            raise AnswerError(f"{answer.url}: answered 304 to a question without a condition")
        return replace(earlier, query=query), None
    body, content = answer.content
    found = request.page(url, mark, content)
    name = hashlib.sha256(url.encode()).hexdigest()[:16]
    part = _part(answer, body, f"page-{name}.json.gz", len(found.rows))
    return Kept(query, found.total, found.following, found.notes, part), body


def _part(answer: Answer, body: bytes, file: str, rows: int) -> Part:
    sha256 = hashlib.sha256(body).hexdigest()
    return Part(answer.url, file, sha256, len(body), rows, now(), answer.etag, answer.modified)


def _finished(
    request: PagedRequest, client: Client, book: Book, output: Path, kept: int
) -> Fetched:
    """Put the pages together, write the manifest, and clear up."""

    def read(url: str, content: Any) -> list[dict[str, Any]]:
        return request.page(url, "", content).rows

    written = write_rows(output, lambda: book.rows(read), request.columns, request.identity)
    notes = [*book.state.notes, *written.notes]
    notes += dict.fromkeys(note for page in book.state.pages for note in page.notes)
    notes += _counted(book.state.pages)
    size = output.stat().st_size
    manifest = output.with_name(f"{output.name}.manifest.json")
    Manifest(
        *terms(request.word), request.described(), now(),
        output.name, digest(output), size, written.rows, notes,
        [replace(page.part, file="") for page in book.state.pages],
    ).write(manifest)  # fmt: skip
    files = len(book.state.pages)
    if any(page.part.etag for page in book.state.pages):
        book.state.complete = True
        book.state.notes = []
        book.save()
        book.tidy()
    else:
        book.clear()
        # Windows does not let go of the lock yet; a folder without pages does no harm.
        shutil.rmtree(book.folder, ignore_errors=True)
    return Fetched(
        output, manifest, request.word, written.rows, files, size, client.requests, kept,
        notes=tuple(notes),
    )  # fmt: skip


def _counted(pages: list[Kept]) -> list[str]:
    """Say where the rows that came are not as many as the server said."""
    notes = []
    for query in sorted({page.query for page in pages}):
        own = [page for page in pages if page.query == query]
        came, said = sum(page.part.rows or 0 for page in own), own[-1].total
        if said is not None and said != came:
            notes.append(f"the server says {said:,} rows in all, its pages hold {came:,}")
    return notes
