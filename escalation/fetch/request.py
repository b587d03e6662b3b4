"""What is asked of a provider: what every request can tell and do."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import date
from pathlib import Path
from typing import Any, ClassVar

from escalation.fetch.errors import FetchError
from escalation.fetch.files import Fetched
from escalation.fetch.policy import Policy

Tell = Callable[[str, int, int], None]
"""How far the work is: what is done, how much of it, and of how much (0 of 1 if nobody knows)."""


@dataclass(frozen=True)
class Estimate:
    """What a fetch would ask for, and how large it is.

    Parameters
    ----------
    urls : tuple of str
        Of the first request of each query, or of each file.
    rows, requests, bytes : int or None
        None where the server does not say.
    notes : tuple of str
    """

    urls: tuple[str, ...]
    rows: int | None
    requests: int | None
    bytes: int | None
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Request(ABC):
    """What is asked of a provider. A provider is a subclass in its own file.

    Attributes
    ----------
    word : str
        The source that reads the result.
    provider : str
        How progress calls it.
    unsaid : frozenset of str
        Settings of which the manifest says nothing, since the result is the same with others.
    """

    word: ClassVar[str]
    provider: ClassVar[str]
    unsaid: ClassVar[frozenset[str]] = frozenset()

    @abstractmethod
    def address(self) -> str:
        """The base URL."""

    def described(self) -> dict[str, Any]:
        """What is asked for, for the manifest: the base, and all settings that are not empty."""
        said: dict[str, Any] = {"base": self.address()}
        for name in (each.name for each in fields(self)):
            if name != "base" and name not in self.unsaid:
                said[name] = _plain(getattr(self, name))
        return {name: value for name, value in said.items() if value}

    @abstractmethod
    def estimate(self, policy: Policy | None = None) -> Estimate:
        """Ask how large the result would be."""

    @abstractmethod
    def fetch(
        self,
        output: str | Path,
        *,
        policy: Policy | None = None,
        progress: Tell | None = None,
        fresh: bool = False,
    ) -> Fetched:
        """Fetch, and write a manifest; what an earlier fetch left is used unless `fresh`."""


def checked_span(start: date | None, end: date | None) -> None:
    """Fail if the first day is not before the day that is no longer wanted."""
    if start is not None and end is not None and not start < end:
        raise FetchError(f"start must be before end, got {start} and {end}")


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value
