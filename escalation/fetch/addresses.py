"""Which addresses a credential may go to."""

from urllib.parse import urlsplit

from escalation.fetch.errors import FetchError


def origin(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL."""
    parts = urlsplit(url)
    standard = 443 if parts.scheme == "https" else 80
    return parts.scheme, (parts.hostname or "").lower(), parts.port or standard


def local(host: str) -> bool:
    """Whether a host is this machine."""
    return host in ("localhost", "127.0.0.1", "::1")


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
    if secret and parts.scheme == "http" and not local(parts.hostname):
        raise FetchError(f"{url}: a credential goes over https only")
    return url if url.endswith("/") else url + "/"
