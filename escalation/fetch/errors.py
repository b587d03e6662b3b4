"""What can go wrong when a server is asked; no message ever holds a credential."""

from typing import ClassVar


class FetchError(ValueError):
    """A fetch that did not end well; one line that names the URL, and the key where there is one.

    Attributes
    ----------
    exit_status : int
        With which ``escalation fetch`` ends.
    """

    exit_status: ClassVar[int] = 2


class RefusedError(FetchError):
    """The server knows us not, or does not let us read: 401, 403, a login that is not accepted."""

    exit_status: ClassVar[int] = 3


class UnreachableError(FetchError):
    """No answer for now: no connection, 429, 5xx. What is fetched is kept: run it again later."""

    exit_status: ClassVar[int] = 4


class AnswerError(FetchError):
    """An answer that cannot be used: cut short, of another form, of a wrong checksum."""

    exit_status: ClassVar[int] = 5


class MissingError(AnswerError):
    """The server has no such page or file: 404 or 410."""
