"""One server, asked politely: paced, retried, with the credential in the request alone."""

import json
import random
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode, urljoin, urlsplit

from escalation.fetch.access import Access, OAuth
from escalation.fetch.credentials import MASK, SHORTEST, Credential, repeats, scrub
from escalation.fetch.errors import (
    AnswerError,
    FetchError,
    MissingError,
    RefusedError,
    UnreachableError,
)

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses after which the same request is made again."""

REDIRECTS = 5
LARGEST_ANSWER = 256 * 2**20
"""Bytes of an answer that is held in memory, after decompression."""

SAID = 200
"""Characters of a server's own words in a message."""

Sink = Callable[["BaseHTTPResponse"], Any]


@dataclass(frozen=True)
class Policy:
    """How politely and how patiently a server is asked.

    Parameters
    ----------
    pause : float
        Seconds from the start of one request to the start of the next.
    attempts : int
        How often one request is made at most.
    backoff : float
        Seconds of the first wait; each later one is twice as long, and up to `backoff` more by
        chance.
    longest_wait : float
        Seconds. A server that asks for more (``Retry-After``) ends the fetch.
    timeout : float
        Seconds without a byte.

    Raises
    ------
    ValueError
        If a number is out of range.
    """

    pause: float = 1.0
    attempts: int = 6
    backoff: float = 1.0
    longest_wait: float = 120.0
    timeout: float = 60.0

    def __post_init__(self) -> None:
        if self.attempts < 1:
            raise ValueError(f"attempts must be at least 1, got {self.attempts}")
        for name in ("pause", "backoff", "longest_wait"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, got {getattr(self, name)}")
        if not self.timeout > 0:
            raise ValueError(f"timeout must be positive, got {self.timeout}")


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


@dataclass(frozen=True)
class _Reply:
    """One exchange: an answer, or why there is none."""

    status: int = 0
    content: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    said: str = ""
    trouble: str = ""


class UnfitError(Exception):
    """The body is not what it must be; another attempt may bring a good one."""


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
        from urllib3 import PoolManager

        self.access, self.policy = access or Access(), policy or Policy()
        self.base = checked_base(base, secret=bool(self.access.credentials))
        self.requests = 0
        self._origin = origin(self.base)
        self._sleep, self._next = sleep, 0.0
        self._pool = PoolManager(num_pools=4, maxsize=1)

    def __repr__(self) -> str:
        return f"Client({self.base!r}, {self.access!r})"

    def shown(self, url: str) -> str:
        """A URL as it may be shown: another server's without its query, which may be signed."""
        text = url if origin(url) == self._origin else url.partition("?")[0]
        return scrub(text, self.access.credentials)

    def json(self, url: str, etag: str = "", also_passing: Collection[int] = ()) -> Answer:
        """Ask for JSON; ``content`` is the bytes and what they say, numbers as they are written.

        Raises
        ------
        FetchError
            One of its kinds; the message names the URL.
        """

        def sink(response: "BaseHTTPResponse") -> tuple[bytes, Any]:
            body = _body(response)
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
            reply = self._exchange("POST", access.url, {}, _tokens, fields)
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

    def _answered(self, url: str, reply: _Reply) -> Answer:
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

    def _gave_up(self, url: str, reply: _Reply) -> FetchError:
        often = f"after {self.policy.attempts} attempts"
        if reply.trouble and reply.status:
            return AnswerError(f"{self.shown(url)}: {reply.trouble}, {often}")
        what = reply.trouble or f"answered {reply.status}{reply.said}"
        kept = "what is fetched is kept, run it again later"
        return UnreachableError(f"{self.shown(url)}: {what}, {often}; {kept}")

    def _wait(self, url: str, reply: _Reply, attempt: int) -> None:
        wanted = _retry_after(reply.headers)
        if wanted is not None and wanted > self.policy.longest_wait:
            raise UnreachableError(
                f"{self.shown(url)}: answered {reply.status} and asks to wait {wanted:.0f} s; what "
                "is fetched is kept, run it again after that"
            )
        doubled = self.policy.backoff * (2 ** (attempt - 1) + random.random())
        self._sleep(min(doubled, self.policy.longest_wait) if wanted is None else wanted)

    def _followed(self, url: str, headers: Mapping[str, str], sink: Sink) -> _Reply:
        """Exchange, and follow redirects; the credential stays with its origin."""
        at = url
        for _ in range(REDIRECTS + 1):
            reply = self._exchange("GET", at, headers, sink)
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

    def _exchange(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        sink: Sink,
        fields: Mapping[str, str | Credential] | None = None,
    ) -> _Reply:
        """One request. What the HTTP library raises is put in words and dropped with its frames."""
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
                    return _Reply(200, sink(response), kept)
                words = "" if status == 304 else self._words(response)
                return _Reply(status, None, kept, words)
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
        return _Reply(status, trouble=scrub(trouble, self.access.credentials))

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


def parsed(body: bytes) -> Any:
    """What JSON says, its numbers as text: as many digits as the provider wrote.

    Raises
    ------
    AnswerError, or an internal fault that asks for another attempt.
    """
    try:
        return json.loads(body, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        pass
    kind = "a web page" if body.lstrip()[:1] == b"<" else "no JSON, or a part of it"
    raise UnfitError(f"the answer is {kind}")


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    standard = 443 if parts.scheme == "https" else 80
    return parts.scheme, (parts.hostname or "").lower(), parts.port or standard


def checked_base(url: str, *, secret: bool) -> str:
    """An address as a base: ``http`` or ``https``, without user, query or fragment, "/" at its end.

    Raises
    ------
    FetchError
        If it is not, or is plain ``http`` to another machine and a credential has to go there.
    """
    try:
        parts = urlsplit(url)
        parts.port  # noqa: B018  # a bad port is a ValueError here
    except ValueError:
        parts = None
    if parts is None or parts.scheme not in ("http", "https") or not parts.hostname:
        raise FetchError("the base must be an http or https URL")
    if parts.username is not None or parts.password is not None:
        raise FetchError(f"the base at {parts.hostname}: a URL must hold no user or password")
    if parts.query or parts.fragment:
        raise FetchError(f"the base {url.partition('?')[0]!r}: must have no query and no fragment")
    local = parts.hostname == "localhost" or parts.hostname in ("127.0.0.1", "::1")
    if secret and parts.scheme == "http" and not local:
        raise FetchError(f"{url}: a credential goes over https only")
    return url if url.endswith("/") else url + "/"


def _tokens(response: "BaseHTTPResponse") -> list[Credential | None]:
    """The access and the refresh token of an answer, at once as what they are."""
    content = parsed(_body(response))
    found = content if isinstance(content, dict) else {}
    return [
        Credential(found[key], f"{key} of the token endpoint")
        if isinstance(found.get(key), str) and len(found[key]) >= SHORTEST
        else None
        for key in ("access_token", "refresh_token")
    ]


def _form(fields: Mapping[str, str | Credential]) -> str:
    return urlencode({k: v.reveal() if isinstance(v, Credential) else v for k, v in fields.items()})


def _body(response: "BaseHTTPResponse", largest: int = LARGEST_ANSWER) -> bytes:
    parts, size = [], 0
    for part in response.stream(65536, decode_content=True):
        size += len(part)
        if size > largest:
            raise UnfitError(f"the answer has more than {largest:,} bytes")
        parts.append(part)
    return b"".join(parts)


def _retry_after(headers: Mapping[str, str]) -> float | None:
    from urllib3.exceptions import HTTPError
    from urllib3.util import Retry

    text = headers.get("Retry-After")
    try:
        return None if text is None else max(0.0, Retry().parse_retry_after(text))
    except (HTTPError, ValueError):
        return None


def _trouble(fault: BaseException, status: int) -> str:
    """What went wrong on the way, in words that hold nothing of the request."""
    from urllib3 import exceptions

    kinds = (
        (exceptions.IncompleteRead, "the answer was cut short"),
        (exceptions.ProtocolError, "the connection broke off"),
        (exceptions.DecodeError, "the answer's compression is broken"),
        (exceptions.TimeoutError, "no answer in time"),
        (exceptions.SSLError, "the server's certificate is not accepted"),
        (exceptions.NameResolutionError, "no such host, or no network"),
        (exceptions.NewConnectionError, "no connection"),
    )
    inner = [fault, *(each for each in fault.args if isinstance(each, BaseException))]
    words = next(
        (said for kind, said in kinds if any(isinstance(each, kind) for each in inner)),
        type(fault).__name__,
    )
    return words if status == 0 or "answer" in words else f"{words} within the answer"
