"""How politely and how patiently a server is asked."""

from dataclasses import dataclass


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
