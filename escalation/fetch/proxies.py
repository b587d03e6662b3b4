"""Connections as this machine makes them: straight, or through the proxy of the environment."""

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

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
        If the proxy is no http or https URL.
    """
    from urllib.request import getproxies, proxy_bypass

    from urllib3 import PoolManager, ProxyManager, make_headers

    parts = urlsplit(url)
    host = parts.hostname or ""
    address = getproxies().get(parts.scheme)
    if not address or local(host) or proxy_bypass(host):
        return PoolManager(num_pools=4, maxsize=1)
    proxy = urlsplit(address if "://" in address else f"http://{address}")
    if proxy.scheme not in ("http", "https") or not proxy.hostname:
        raise FetchError(f"the proxy for {parts.scheme} must be an http or https URL")
    headers = None
    if proxy.password:
        secret = Credential(unquote(proxy.password), "the proxy's URL")
        access.credentials.append(secret)
        login = f"{unquote(proxy.username or '')}:{secret.reveal()}"
        headers = make_headers(proxy_basic_auth=login)
    name = f"[{proxy.hostname}]" if ":" in proxy.hostname else proxy.hostname
    port = f":{proxy.port}" if proxy.port else ""
    to = f"{proxy.scheme}://{name}{port}"
    return ProxyManager(to, num_pools=4, maxsize=1, proxy_headers=headers)
