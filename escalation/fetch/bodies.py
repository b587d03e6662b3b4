"""The bodies of answers: read up to a limit, and taken for JSON."""

import json
from typing import TYPE_CHECKING, Any

from escalation.fetch.credentials import SHORTEST, Credential

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

LARGEST = 256 * 2**20
"""Bytes of an answer that is held in memory, after decompression."""


class UnfitError(Exception):
    """The body is not what it must be; another attempt may bring a good one."""


def parsed(body: bytes) -> Any:
    """What JSON says, its numbers as text: as many digits as the provider wrote.

    Raises
    ------
    UnfitError
        If it is no JSON.
    """
    try:
        return json.loads(body, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        pass
    kind = "a web page" if body.lstrip()[:1] == b"<" else "no JSON, or a part of it"
    raise UnfitError(f"the answer is {kind}")


def body_of(response: "BaseHTTPResponse", largest: int = LARGEST) -> bytes:
    """The bytes of an answer; ``UnfitError`` if they are more than `largest`."""
    parts, size = [], 0
    for part in response.stream(65536, decode_content=True):
        size += len(part)
        if size > largest:
            raise UnfitError(f"the answer has more than {largest:,} bytes")
        parts.append(part)
    return b"".join(parts)


def tokens_of(response: "BaseHTTPResponse") -> list[Credential | None]:
    """The access and the refresh token of an answer, at once as what they are."""
    content = parsed(body_of(response))
    found = content if isinstance(content, dict) else {}
    return [
        Credential(found[key], f"{key} of the token endpoint", header=True)
        if isinstance(found.get(key), str) and len(found[key]) >= SHORTEST
        else None
        for key in ("access_token", "refresh_token")
    ]
