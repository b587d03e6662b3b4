"""The API of the Uppsala Conflict Data Program: georeferenced events, yearly and candidate."""

import re
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlencode, urlsplit

from escalation.fetch.access import Access, TokenHeader
from escalation.fetch.client import Client
from escalation.fetch.errors import AnswerError, FetchError
from escalation.fetch.pages import Page, PagedRequest
from escalation.fetch.policy import Policy
from escalation.fetch.request import Estimate, checked_span
from escalation.fetch.shape import rows_under, value_under

VERSION = re.compile(r"\d{1,2}(\.\d{1,2}){1,5}")


@dataclass(frozen=True)
class UcdpRequest(PagedRequest):
    """Events of UCDP GED, or of its monthly candidate events, through the public API.

    The token is taken from the environment variable ``UCDP_TOKEN``. The first page is asked for
    without a number and each later one by the number in ``NextPageUrl``, so that it does not
    matter whether the server counts from 0 or from 1; of that URL only the number is used.

    Parameters
    ----------
    version : str
        Of the data: "25.1" is a yearly release, "26.0.9" the candidate events of September 2026.
    start, end : datetime.date, optional
        Events whose last day (``date_end``) lies from `start` up to, not including, `end`.
    countries : tuple of int
        Gleditsch–Ward numbers; all countries if empty.
    violence : tuple of int
        Types: 1 state-based, 2 non-state, 3 one-sided; all if empty.
    page_size : int
        Rows a page, 1 to 1000.
    base : str
        The server, or a mirror.

    Raises
    ------
    ValueError
        If one of them is not as it must be.

    References
    ----------
    UCDP, API documentation, https://ucdp.uu.se/apidocs/.
    """

    version: str
    start: date | None = None
    end: date | None = None
    countries: tuple[int, ...] = ()
    violence: tuple[int, ...] = ()
    page_size: int = 1000
    base: str = "https://ucdpapi.pcr.uu.se/api/"

    word: ClassVar[str] = "ucdp"
    provider: ClassVar[str] = "UCDP GED"
    identity: ClassVar[str] = "id"
    # One user of the API reports that it answers 400 after some forty requests in a row.
    also_passing: ClassVar[frozenset[int]] = frozenset({400})
    columns: ClassVar[tuple[str, ...]] = (
        "id", "relid", "year", "active_year", "code_status", "type_of_violence",
        "conflict_new_id", "conflict_name", "dyad_new_id", "dyad_name", "side_a_new_id", "side_a",
        "side_b_new_id", "side_b", "number_of_sources", "where_prec", "where_coordinates",
        "where_description", "adm_1", "adm_2", "latitude", "longitude", "priogrid_gid", "country",
        "country_id", "region", "event_clarity", "date_prec", "date_start", "date_end", "deaths_a",
        "deaths_b", "deaths_civilians", "deaths_unknown", "best", "high", "low", "gwnoa", "gwnob",
    )  # fmt: skip

    def __post_init__(self) -> None:
        if not VERSION.fullmatch(self.version):
            raise FetchError(f"version must be like 25.1 or 26.0.9, got {self.version!r}")
        checked_span(self.start, self.end)
        if not 1 <= self.page_size <= 1000:
            raise FetchError(f"page_size must be 1 to 1000, got {self.page_size}")
        for country in self.countries:
            if not 1 <= country <= 999:
                raise FetchError(f"countries must be Gleditsch–Ward numbers, got {country}")
        for kind in self.violence:
            if kind not in (1, 2, 3):
                raise FetchError(f"violence must be of 1, 2 and 3, got {kind}")

    def address(self) -> str:
        """The base URL."""
        return self.base

    def access(self) -> Access:
        """The token of the environment."""
        hint = "UCDP gives tokens on request, see https://ucdp.uu.se/apidocs/"
        return TokenHeader("x-ucdp-access-token", "UCDP_TOKEN", hint)

    def queries(self) -> tuple[str, ...]:
        """The one query."""
        return (self._url(self.page_size),)

    def _url(self, size: int) -> str:
        asked: dict[str, str] = {"pagesize": str(size)}
        if self.start is not None:
            asked["StartDate"] = self.start.isoformat()
        if self.end is not None:
            asked["EndDate"] = (self.end - timedelta(days=1)).isoformat()
        if self.countries:
            asked["Country"] = ",".join(map(str, self.countries))
        if self.violence:
            asked["TypeOfViolence"] = ",".join(map(str, self.violence))
        slash = "" if self.base.endswith("/") else "/"
        return f"{self.base}{slash}gedevents/{self.version}?{urlencode(asked, safe=',')}"

    def next_url(self, url: str, mark: str) -> str:
        """The page of this number."""
        return f"{url}&page={mark}"

    def page(self, url: str, mark: str, content: Any) -> Page:
        """Rows, how many there are in all, and the number of the next page."""
        rows = rows_under(url, content, "Result")
        total = value_under(url, content, "TotalCount", int)
        value_under(url, content, "TotalPages", int)
        link = value_under(url, content, "NextPageUrl", str, nullable=True) or ""
        if not link:
            return Page(rows, total, "")
        asked = {name.lower(): value for name, value in parse_qs(urlsplit(link).query).items()}
        number = asked.get("page", [""])[-1]
        if not number.isdecimal() or int(number) > 10**6:
            raise AnswerError(f"{url}: 'NextPageUrl' names no page")
        return Page(rows, total, number)

    def estimate(self, policy: Policy | None = None) -> Estimate:
        """Ask for one row, which says how many there are."""
        client = Client(self.base, self.access(), policy)
        answer = client.json(self._url(1))
        body, content = answer.content
        total = self.page(answer.url, "", content).total or 0
        requests = max(1, -(-total // self.page_size))
        return Estimate(self.queries(), total, requests, total * len(body) if total else 0)
