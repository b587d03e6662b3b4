"""GDELT's lists of files: which there are, with size and MD5."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from escalation.fetch.client import Client
from escalation.fetch.errors import AnswerError, MissingError
from escalation.fetch.files import BLOCK, Part, digest, now, whole

if TYPE_CHECKING:
    from urllib3 import BaseHTTPResponse

MD5 = re.compile(r"[0-9a-f]{32}")

Wants = Callable[[str], bool]
"""Whether a file of this name is wanted."""


@dataclass(frozen=True)
class Listed:
    """A file as the provider's list names it."""

    name: str
    md5: str
    bytes: int | None


def listing_2(paths: Sequence[Path], wants: Wants) -> tuple[dict[str, Listed], int]:
    """Read a master list: size, MD5 and URL in each line.

    Returns
    -------
    files : dict
        Those that are wanted, by name; of a name that stands twice, the last.
    odd : int
        Lines that name no file.
    """
    found: dict[str, Listed] = {}
    odd = 0
    # Line by line: the list has more than a million.
    with paths[0].open(encoding="utf-8", errors="replace") as file:
        for line in file:
            fields = line.split()
            if len(fields) != 3:
                odd += bool(fields)
            elif wants(name := fields[2].rpartition("/")[2]):
                if fields[0].isdecimal() and MD5.fullmatch(fields[1]):
                    found[name] = Listed(name, fields[1], int(fields[0]))
                else:
                    odd += 1
    return found, odd


def listing_1(paths: Sequence[Path], wants: Wants) -> tuple[dict[str, Listed], int]:
    """Read the lists of generation 1, MD5 and name, size and name: as ``listing_2`` does."""
    sums, sizes = ([line.split() for line in _lines(path)] for path in paths)
    known = {each[1]: int(each[0]) for each in sizes if len(each) == 2 and each[0].isdecimal()}
    good = [each for each in sums if len(each) == 2 and MD5.fullmatch(each[0])]
    odd = sum(bool(each) for each in sums) - len(good)
    found = {name: Listed(name, md5, known.get(name)) for md5, name in good if wants(name)}
    return found, odd


def _lines(path: Path) -> list[str]:
    return path.read_text("utf-8", "replace").splitlines()


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
