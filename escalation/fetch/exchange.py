"""Single requests: the one place where a credential and the HTTP library meet."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from escalation.fetch.access import Access
from escalation.fetch.addresses import checked_base, origin
from escalation.fetch.bodies import UnfitError
from escalation.fetch.credentials import Credential, scrub
from escalation.fetch.policy import Policy
from escalation.fetch.proxies import pool_to

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

SAID = 200
"""Characters of a server's own words in a message."""

Sink = Callable[["BaseHTTPResponse"], Any]
"""Reads the body of an answer with status 200."""


@dataclass(frozen=True)
class Reply:
    """One exchange: an answer, or why there is none."""

    status: int = 0
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    said: str = ""
    trouble: str = ""


class Exchange:
    """Makes one request after the other, each some time after the one before.

    What the HTTP library raises is put in words and dropped with its frames, which hold headers;
    an interruption goes on without them.

    Parameters
    ----------
    base : str
        The provider's address; the credential goes to its origin alone.
    access : Access
    policy : Policy
    sleep : callable

    Raises
    ------
    FetchError
        If `base` is not an address to which the credential may go.
    """

    def __init__(
        self, base: str, access: Access, policy: Policy, sleep: Callable[[float], None]
    ) -> None:
        self.access, self.policy, self.requests = access, policy, 0
        self.base = checked_base(base, secret=bool(access.credentials))
        self._origin = origin(self.base)
        self._sleep, self._next = sleep, 0.0
        self._pool = pool_to(self.base, access)

    def shown(self, url: str) -> str:
        """A URL as it may be shown: another server's without its query, which may be signed."""
        text = url if origin(url) == self._origin else url.partition("?")[0]
        return scrub(text, self.access.credentials)

    def once(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        sink: Sink,
        fields: Mapping[str, str | Credential] | None = None,
    ) -> Reply:
        """Make one request."""
        from urllib3 import Timeout
        from urllib3.exceptions import HTTPError

        self._pace()
        self.requests += 1
        interrupted: BaseException | None = None
        status = 0
        try:
            response = self._pool.request(
                method,
                url,
                headers=self._headers(url, headers, fields),
                body=None if fields is None else _form(fields),
                preload_content=False,
                redirect=False,
                retries=False,
                timeout=Timeout(connect=self.policy.timeout, read=self.policy.timeout),
            )
            try:
                status = response.status
                kept = self._kept(response.headers, method)
                if status == 200:
                    return Reply(200, sink(response), kept)
                words = "" if status == 304 else self._words(response)
                return Reply(status, None, kept, words)
            finally:
                response.close()
        except UnfitError as fault:
            trouble = str(fault)
        except HTTPError as fault:
            trouble = _trouble(fault, status)
        except BaseException as fault:
            interrupted = fault.with_traceback(None)
        if interrupted is not None:
            interrupted.__context__ = interrupted.__cause__ = None
            raise interrupted
        return Reply(status, trouble=scrub(trouble, self.access.credentials))

    def _headers(
        self, url: str, headers: Mapping[str, str], fields: Mapping[str, object] | None
    ) -> dict[str, str]:
        sent = {"User-Agent": "escalation", "Accept": "*/*", **headers}
        if fields is not None:
            return sent | {"Content-Type": "application/x-www-form-urlencoded"}
        return sent | self.access.headers() if origin(url) == self._origin else sent

    def _kept(self, headers: Mapping[str, str], method: str) -> dict[str, str]:
        """The headers that are looked at, should a server repeat a credential in one."""
        names = ["ETag", "Last-Modified", "Retry-After"] + ["Location"] * (method == "GET")
        found = {name: headers[name] for name in names if name in headers}
        return {name: scrub(value, self.access.credentials) for name, value in found.items()}

    def _words(self, response: "BaseHTTPResponse") -> str:
        """The server's own words, in one short line without a credential or a web page."""
        text = response.read(4096, decode_content=True).decode("utf-8", "replace").strip()
        if not text or text.startswith("<"):
            return ""
        plain = "".join(each if each.isprintable() else " " for each in text)
        short = " ".join(scrub(plain, self.access.credentials).split())
        return f" ({short[:SAID]}{'...' if len(short) > SAID else ''})"

    def _pace(self) -> None:
        wait = self._next - time.monotonic()
        if wait > 0:
            self._sleep(wait)
        self._next = time.monotonic() + self.policy.pause


def _form(fields: Mapping[str, str | Credential]) -> str:
    return urlencode({k: v.reveal() if isinstance(v, Credential) else v for k, v in fields.items()})


def _trouble(fault: BaseException, status: int) -> str:
    """What went wrong on the way, in words that hold nothing of the request."""
    from urllib3 import exceptions

    kinds = (
        (exceptions.IncompleteRead, "the answer was cut short"),
        (exceptions.ProtocolError, "the connection broke off"),
        (exceptions.DecodeError, "the answer's compression is broken"),
        (exceptions.ProxyError, "no connection through the proxy"),
        (exceptions.SSLError, "the server's certificate is not accepted"),
        (exceptions.NameResolutionError, "no such host, or no network"),
        (exceptions.NewConnectionError, "no connection"),
        (exceptions.TimeoutError, "no answer in time"),
    )
    inner = [fault, *(each for each in fault.args if isinstance(each, BaseException))]
    words = next(
        (said for kind, said in kinds if any(isinstance(each, kind) for each in inner)),
        type(fault).__name__,
    )
    return words if status == 0 or "answer" in words else f"{words} within the answer"
