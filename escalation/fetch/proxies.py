"""Connections as this machine makes them: straight, or through the proxy of the environment."""

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

from escalation.fetch.access import Access
from escalation.fetch.addresses import local
from escalation.fetch.credentials import Credential
from escalation.fetch.errors import FetchError

if TYPE_CHECKING:
    from urllib3 import PoolManager


def pool_to(url: str, access: Access) -> "PoolManager":
    """Connections to the host of a URL.

    The proxy is that of ``https_proxy`` and ``http_proxy``, or of the system's settings, unless
    ``no_proxy`` names the host; this machine is asked straight. A proxy's password is a credential
    as any other: it is added to those of `access`, and goes to the proxy alone.

    Raises
    ------
    FetchError
        If the proxy is no http or https URL, or its password is not ASCII.
    """
    from urllib3 import PoolManager, ProxyManager, make_headers

    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme not in getproxies() or local(host) or proxy_bypass(host):
        return PoolManager(num_pools=4, maxsize=1)
    # A function of its own, so that no variable here holds the password.
    to, user, password = _proxy_for(parts.scheme)
    if not to:
        raise FetchError(f"the proxy for {parts.scheme} must be an http or https URL in ASCII")
    if password is None:
        return ProxyManager(to, num_pools=4, maxsize=1)
    access.credentials.append(password)
    return ProxyManager(
        to,
        num_pools=4,
        maxsize=1,
        proxy_headers=make_headers(proxy_basic_auth=f"{user}:{password.reveal()}"),
    )


def _proxy_for(scheme: str) -> tuple[str, str, Credential | None]:
    """Address, user and password of the proxy; the address is empty if it is none."""
    address = getproxies()[scheme]
    proxy = urlsplit(address if "://" in address else f"http://{address}")
    if proxy.scheme not in ("http", "https") or not proxy.hostname:
        return "", "", None
    name = f"[{proxy.hostname}]" if ":" in proxy.hostname else proxy.hostname
    port = f":{proxy.port}" if proxy.port else ""
    text = unquote(proxy.password or "")
    if text and not text.isascii():
        return "", "", None
    password = Credential(text, "the proxy's URL") if text else None
    return f"{proxy.scheme}://{name}{port}", unquote(proxy.username or ""), password
