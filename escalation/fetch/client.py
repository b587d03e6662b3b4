"""One server, asked politely: paced, retried, with the credential in the request alone."""

import json
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin, urlsplit

from escalation.fetch.access import Access, OAuth
from escalation.fetch.addresses import checked_base
from escalation.fetch.bodies import UnfitError, body_of, parsed, tokens_of
from escalation.fetch.credentials import MASK, Credential, repeats
from escalation.fetch.errors import (
    AnswerError,
    FetchError,
    MissingError,
    RefusedError,
    UnreachableError,
)
from escalation.fetch.exchange import Exchange, Reply, Sink
from escalation.fetch.policy import Policy

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request is made again."""

REDIRECTS = 5


@dataclass(frozen=True)
class Answer:
    """What a server said.

    Parameters
    ----------
    url : str
        That was asked; it holds no credential.
    status : int
        200, or 304 where the caller's copy is still good.
    content : object
        What the sink made of the body, None with a 304.
    etag, modified : str
        Of the answer, "" if it has none.
    """

    url: str
    status: int
    content: Any
    etag: str = ""
    modified: str = ""


class Client:
    """Asks one provider.

    The credential goes to the origin of `base` alone (scheme, host and port); a redirect elsewhere
    is followed without it. URLs, messages and tracebacks hold no credential: exceptions of the
    HTTP library, whose frames hold headers, never leave this class.

    Parameters
    ----------
    base : str
        The provider's address, or a mirror's. A credential goes over ``https``, or to this machine.
    access : Access
        Who asks.
    policy : Policy
    sleep : callable
        Waits so many seconds.

    Raises
    ------
    FetchError
        If `base` is not an address to which the credential may go.
    """

    def __init__(
        self,
        base: str,
        access: Access | None = None,
        policy: Policy | None = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.access, self.policy = access or Access(), policy or Policy()
        self._exchange = Exchange(base, self.access, self.policy, sleep)
        self.base, self._sleep = self._exchange.base, sleep

    def __repr__(self) -> str:
        return f"Client({self.base!r}, {self.access!r})"

    @property
    def requests(self) -> int:
        """How many were made."""
        return self._exchange.requests

    def shown(self, url: str) -> str:
        """A URL as it may be shown."""
        return self._exchange.shown(url)

    def json(self, url: str, etag: str = "", also_passing: Collection[int] = ()) -> Answer:
        """Ask for JSON; ``content`` is the bytes and what they say, numbers as they are written.

        Raises
        ------
        FetchError
            One of its kinds; the message names the URL.
        """

        def sink(response: "BaseHTTPResponse") -> tuple[bytes, Any]:
            body = body_of(response)
            content = parsed(body)
            # What JSON may write in many ways is looked at as it is read, too.
            plain = json.dumps(content, ensure_ascii=False) if b"\\u" in body else ""
            if repeats(body + plain.encode("utf-8", "replace"), self.access.credentials):
                raise UnfitError("the answer repeats the credential, so it is not kept")
            return body, content

        return self.ask(url, sink, etag=etag, also_passing=also_passing)

    def ask(
        self,
        url: str,
        sink: Sink,
        etag: str = "",
        modified: str = "",
        encoding: str = "gzip",
        also_passing: Collection[int] = (),
    ) -> Answer:
        """Ask until there is an answer, and let a sink read its body.

        Raises
        ------
        FetchError
            One of its kinds.
        """
        conditions = {"If-None-Match": etag, "If-Modified-Since": modified}
        headers = {"Accept-Encoding": encoding} | {k: v for k, v in conditions.items() if v}
        passing = PASSING.union(also_passing)
        renewed = False
        self.access.prepare(self)
        for attempt in range(1, self.policy.attempts + 1):
            reply = self._followed(url, headers, sink)
            if reply.status == 401 and not renewed and self.access.renew(self):
                renewed = True
                reply = self._followed(url, headers, sink)
            if not reply.trouble and reply.status not in passing:
                break
            if attempt == self.policy.attempts:
                raise self._gave_up(url, reply)
            self._wait(url, reply, attempt)
        return self._answered(url, reply)

    def token(self, access: OAuth, fields: Mapping[str, str | Credential]) -> None:
        """Ask the token endpoint, and hand the tokens to whom they belong.

        Raises
        ------
        FetchError
            ``RefusedError`` if the account is not accepted.
        """
        checked_base(access.url, secret=True)
        for attempt in range(1, self.policy.attempts + 1):
            reply = self._exchange.once("POST", access.url, {}, tokens_of, fields)
            if not reply.trouble and reply.status not in PASSING:
                break
            if attempt == self.policy.attempts:
                raise self._gave_up(access.url, reply)
            self._wait(access.url, reply, attempt)
        if reply.status in (400, 401, 403):
            raise RefusedError(
                f"{self.shown(access.url)}: answered {reply.status}{reply.said}: the login was not "
                f"accepted; {access.hint}"
            )
        if 300 <= reply.status < 400:
            raise AnswerError(
                f"{self.shown(access.url)}: answered {reply.status}; a login follows no redirect"
            )
        self._answered(access.url, reply)
        token, refresh = reply.content
        if token is None:
            raise AnswerError(f"{self.shown(access.url)}: no token under the key 'access_token'")
        access.take(token, refresh)

    def _answered(self, url: str, reply: Reply) -> Answer:
        if reply.status in (200, 304):
            etag, modified = reply.headers.get("ETag", ""), reply.headers.get("Last-Modified", "")
            shown = self.shown(url)
            return Answer(shown, reply.status, reply.content, etag, modified)
        message = f"{self.shown(url)}: answered {reply.status}{reply.said}"
        if reply.status in (401, 403):
            raise RefusedError("; ".join(filter(None, (message, self.access.hint))))
        if reply.status in (404, 410):
            raise MissingError(message)
        raise AnswerError(message)

    def _gave_up(self, url: str, reply: Reply) -> FetchError:
        often = f"after {self.policy.attempts} attempts"
        if reply.trouble and reply.status:
            return AnswerError(f"{self.shown(url)}: {reply.trouble}, {often}")
        what = reply.trouble or f"answered {reply.status}{reply.said}"
        kept = "what is fetched is kept, run it again later"
        return UnreachableError(f"{self.shown(url)}: {what}, {often}; {kept}")

    def _wait(self, url: str, reply: Reply, attempt: int) -> None:
        wanted = _retry_after(reply.headers)
        if wanted is not None and wanted > self.policy.longest_wait:
            raise UnreachableError(
                f"{self.shown(url)}: answered {reply.status} and asks to wait {wanted:.0f} s; what "
                "is fetched is kept, run it again after that"
            )
        doubled = self.policy.backoff * (2 ** (attempt - 1) + random.random())
        self._sleep(min(doubled, self.policy.longest_wait) if wanted is None else wanted)

    def _followed(self, url: str, headers: Mapping[str, str], sink: Sink) -> Reply:
        """Exchange, and follow redirects; the credential stays with its origin."""
        at = url
        for _ in range(REDIRECTS + 1):
            reply = self._exchange.once("GET", at, headers, sink)
            if reply.status not in (301, 302, 303, 307, 308):
                return reply
            to = urljoin(at, reply.headers.get("Location", ""))
            if MASK in to:
                raise AnswerError(f"{self.shown(at)}: leads to an address that has the credential")
            if urlsplit(to).scheme not in ("http", "https") or (
                urlsplit(at).scheme == "https" and urlsplit(to).scheme == "http"
            ):
                raise AnswerError(f"{self.shown(at)}: leads to an address that is not https")
            at = to
        raise AnswerError(f"{self.shown(url)}: more than {REDIRECTS} redirects")


def _retry_after(headers: Mapping[str, str]) -> float | None:
    from urllib3.exceptions import HTTPError
    from urllib3.util import Retry

    text = headers.get("Retry-After")
    try:
        return None if text is None else max(0.0, Retry().parse_retry_after(text))
    except (HTTPError, ValueError):
        return None
