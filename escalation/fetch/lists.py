"""GDELT's lists of files: which there are, with size and MD5."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from escalation.fetch.client import Client
from escalation.fetch.errors import AnswerError, MissingError
from escalation.fetch.files import BLOCK, Part, digest, now, whole

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

MD5 = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Listed:
    """A file as the provider's list names it."""

    name: str
    md5: str
    bytes: int | None


def listing_2(path: Path) -> Iterator[Listed | None]:
    """Read a master list: size, MD5 and URL in each line; None for a line that has not these."""
    # Line by line: the list has more than a million.
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            fields = line.split()
            if len(fields) == 3 and fields[0].isdecimal() and MD5.fullmatch(fields[1]):
                yield Listed(fields[2].rpartition("/")[2], fields[1], int(fields[0]))
            elif fields:
                yield None


def listing_1(sums: Path, sizes: Path) -> Iterator[Listed | None]:
    """Read the lists of generation 1: MD5 and name, size and name."""
    known: dict[str, int] = {}
    for line in sizes.read_text("utf-8", "replace").splitlines():
        fields = line.split()
        if len(fields) == 2 and fields[0].isdecimal():
            known[fields[1]] = int(fields[0])
    for line in sums.read_text("utf-8", "replace").splitlines():
        fields = line.split()
        if len(fields) == 2 and MD5.fullmatch(fields[0]):
            yield Listed(fields[1], fields[0], known.get(fields[1]))
        elif fields:
            yield None


def list_file(client: Client, folder: Path, name: str) -> Path:
    """The provider's list; asked for only if it has changed."""
    import msgspec

    path, about = folder / name, folder / f"{name}.json"
    try:
        known = msgspec.json.decode(about.read_bytes(), type=Part)
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError):
        known = None
    if known is None or not path.is_file() or digest(path) != known.sha256:
        known = None

    def sink(response: "BaseHTTPResponse") -> None:
        with whole(path) as file:
            for block in response.stream(BLOCK, decode_content=True):
                file.write(block)

    url = client.base + name
    etag, modified = ("", "") if known is None else (known.etag, known.modified)
    try:
        answer = client.ask(url, sink, etag=etag, modified=modified)
    except MissingError as fault:
        raise AnswerError(f"{fault}; is the base that of GDELT's files?") from None
    if answer.status == 200:
        size = path.stat().st_size
        part = Part(answer.url, name, digest(path), size, None, now(), answer.etag, answer.modified)
        with whole(about) as file:
            file.write(msgspec.json.encode(part))
    return path
