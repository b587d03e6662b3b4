"""The API of ACLED: events by country and day."""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, ClassVar
from urllib.parse import quote, urlencode

from escalation.fetch.access import Access, OAuth
from escalation.fetch.client import Client
from escalation.fetch.errors import AnswerError, FetchError, RefusedError
from escalation.fetch.pages import Page, PagedRequest
from escalation.fetch.policy import Policy
from escalation.fetch.request import Estimate, checked_span
from escalation.fetch.shape import rows_under, value_under

LONGEST = 1000
"""Characters that a cursor may have."""


@dataclass(frozen=True)
class AcledRequest(PagedRequest):
    """Events of ACLED through its API.

    The account is taken from the environment: ``ACLED_USERNAME`` and ``ACLED_PASSWORD``, or
    ``ACLED_REFRESH_TOKEN``, or an access token in ``ACLED_TOKEN``. A token that ends on the way is
    renewed. Each country is a query of its own, which goes from ``cursor=0`` along the
    ``next_cursor`` of each answer until that is null. (Numbered pages are deprecated.)

    Parameters
    ----------
    start, end : datetime.date
        Events whose day lies from `start` up to, not including, `end`.
    countries : tuple of str
        Names as ACLED writes them; all countries if empty.
    page_size : int
        Rows a page, 1 to 5000.
    base : str
        The server, or a mirror: ``oauth/token`` and ``api/acled/read`` stand below it.

    Raises
    ------
    ValueError
        If one of them is not as it must be.

    References
    ----------
    ACLED, API documentation, https://acleddata.com/api-documentation/getting-started and
    https://acleddata.com/api-documentation/elements-acleds-api (cursors, totals).
    """

    start: date
    end: date
    countries: tuple[str, ...] = ()
    page_size: int = 5000
    base: str = "https://acleddata.com/"

    word: ClassVar[str] = "acled"
    provider: ClassVar[str] = "ACLED"
    identity: ClassVar[str] = "event_id_cnty"
    columns: ClassVar[tuple[str, ...]] = (
        "event_id_cnty", "event_date", "year", "time_precision", "disorder_type", "event_type",
        "sub_event_type", "actor1", "assoc_actor_1", "inter1", "actor2", "assoc_actor_2", "inter2",
        "interaction", "civilian_targeting", "iso", "region", "country", "admin1", "admin2",
        "admin3", "location", "latitude", "longitude", "geo_precision", "source", "source_scale",
        "notes", "fatalities", "tags", "timestamp",
    )  # fmt: skip

    def __post_init__(self) -> None:
        checked_span(self.start, self.end)
        if not 1 <= self.page_size <= 5000:
            raise FetchError(f"page_size must be 1 to 5000, got {self.page_size}")
        for name in self.countries:
            if not name.strip() or not name.isprintable() or any(each in name for each in "|:&="):
                raise FetchError(f"countries must be names as ACLED writes them, got {name!r}")

    def address(self) -> str:
        """The base URL."""
        return self.base

    def _below(self, path: str) -> str:
        return f"{self.base.rstrip('/')}/{path}"

    def access(self) -> Access:
        """The account of the environment."""
        hint = "an account is made at https://acleddata.com; it must have access to the API"
        return OAuth(self._below("oauth/token"), "ACLED", "acled", "authenticated", hint)

    def queries(self) -> tuple[str, ...]:
        """One a country."""
        last = (self.end - timedelta(days=1)).isoformat()
        asked = {
            "_format": "json",
            "event_date": f"{self.start.isoformat()}|{last}",
            "event_date_where": "BETWEEN",
            "limit": str(self.page_size),
            "with_total": "true",
        }
        each = [{"country": name} for name in self.countries] or [{}]
        read = self._below("api/acled/read")
        return tuple(f"{read}?{urlencode(asked | country)}&cursor=0" for country in each)

    def next_url(self, url: str, mark: str) -> str:
        """The page behind this cursor."""
        return f"{url.rpartition('=')[0]}={quote(mark, safe='')}"

    def page(self, url: str, mark: str, content: Any) -> Page:
        """Rows, and what the account may not read."""
        if isinstance(content, dict) and (
            content.get("success") is False or str(content.get("status", 200)) not in ("200", "0")
        ):
            words = content.get("messages") or content.get("error") or content.get("message") or ""
            said = f"{url}: 'status' is {content.get('status')}, 'success' {content.get('success')}"
            kind = RefusedError if str(content.get("status")) in ("401", "403") else AnswerError
            raise kind(f"{said} ({str(words)[:200]})" if words else said)
        rows = rows_under(url, content, "data")
        if len(rows) > self.page_size:
            raise AnswerError(f"{url}: {len(rows)} rows on a page of {self.page_size}")
        following = self._following(url, content, len(rows))
        return Page(rows, _total(url, content, len(rows)), following, self._limits(content))

    def _following(self, url: str, content: dict[str, Any], rows: int) -> str:
        """The next cursor as text; "" where it is null."""
        if "next_cursor" not in content and rows == self.page_size:
            raise AnswerError(f"{url}: a full page without 'next_cursor': more rows may follow")
        cursor = content.get("next_cursor")
        if cursor is None:
            return ""
        text = str(cursor) if isinstance(cursor, int | str) else ""
        if isinstance(cursor, bool) or not 0 < len(text) <= LONGEST or not text.isprintable():
            raise AnswerError(f"{url}: 'next_cursor' must be a number, text or null")
        return text

    def _limits(self, content: dict[str, Any]) -> tuple[str, ...]:
        """Say up to which day the account reads, if that ends before the days asked for."""
        found = content.get("data_query_restrictions")
        recency = found.get("date_recency") if isinstance(found, dict) else None
        day = recency.get("date") if isinstance(recency, dict) else None
        try:
            last = date.fromisoformat(str(day)[:10])
        except ValueError:
            return ()
        if last >= self.end - timedelta(days=1):
            return ()
        return (
            f"the account may read events up to {last} only: the days after it are not quiet, "
            "they are not shown",
        )

    def estimate(self, policy: Policy | None = None) -> Estimate:
        """Ask for one row a query, which says how many there are unless ACLED leaves it out."""
        client = Client(self.base, self.access(), policy)
        rows = requests = size = 0
        for url in replace(self, page_size=1).queries():
            answer = client.json(url)
            body, content = answer.content
            total = self.page(answer.url, "", content).total
            if total is None:
                note = "the server does not say how many rows there are"
                return Estimate(self.queries(), None, None, None, (note,))
            rows += total
            requests += max(1, -(-total // self.page_size))
            size += total * len(body) if total else 0
        return Estimate(self.queries(), rows, requests, size)


def _total(url: str, content: dict[str, Any], rows: int) -> int | None:
    """How many rows all pages have: ``total_count``, or a count that cannot be this page's."""
    count = value_under(url, content, "count", int, optional=True)
    if count is not None and count < rows:
        raise AnswerError(f"{url}: 'count' is {count}, 'data' has {rows} rows")
    total: int | None = value_under(url, content, "total_count", int, optional=True)
    if total is not None and total < rows:
        raise AnswerError(f"{url}: 'total_count' is {total}, 'data' has {rows} rows")
    return count if total is None and count is not None and count > rows else total
