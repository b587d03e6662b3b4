"""Secrets: from the environment to the server's header, and nowhere else."""

import os
from collections.abc import Iterable
from typing import NoReturn
from urllib.parse import quote, quote_plus

from escalation.fetch.errors import FetchError

MASK = "***"

SHORTEST = 8
"""Characters of a token; what is shorter may stand in any text by chance."""


class Credential:
    """A secret that shows itself only to whom it is revealed.

    ``repr``, ``str`` and formatting give a mask, so that neither a log nor a traceback with the
    values of its variables can hold it; it is not pickled.

    Parameters
    ----------
    value : str
        The secret.
    origin : str
        Where it came from, for messages: the name of the environment variable.
    header : bool
        Whether it goes into a header, which takes ASCII only.

    Raises
    ------
    FetchError
        If it is empty, or has a line break or another character that it cannot have.
    """

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str, *, header: bool = False) -> None:
        good = bool(value) and value.isprintable() and (value.isascii() or not header)
        self._value = value if good else ""
        self.origin = origin
        del value  # else a traceback with the values of variables holds it
        if not good:
            raise FetchError(f"{origin}: is empty or has characters that no credential has")

    def reveal(self) -> str:
        """The secret itself, for the request and nothing else."""
        return self._value

    def forms(self) -> set[str]:
        """How the secret may stand in a text: as it is, or as a URL or JSON writes it."""
        value = self._value
        escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("/", "\\/")
        return {value, quote(value), quote(value, safe=""), quote_plus(value), escaped}

    def __repr__(self) -> str:
        return f"Credential({MASK}, {self.origin})"

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __reduce__(self) -> NoReturn:
        raise TypeError("a credential is not copied or pickled")


def from_environment(name: str, *, header: bool = False) -> Credential | None:
    """The credential in an environment variable, None if there is none."""
    if not os.environ.get(name, "").strip():
        return None
    # Not by a variable, which a traceback could show.
    return Credential(os.environ[name].strip(), name, header=header)


def scrub(text: str, credentials: Iterable[Credential]) -> str:
    """A text without any of the credentials, should a server repeat them."""
    for form in sorted(
        {form for each in credentials for form in each.forms()}, key=len, reverse=True
    ):
        text = text.replace(form, MASK)
    return text


def repeats(body: bytes, credentials: Iterable[Credential]) -> bool:
    """Whether an answer holds a credential."""
    forms = {form for each in credentials for form in each.forms() if len(form) >= SHORTEST}
    return any(form.encode() in body for form in forms)
