"""How far a backtest is, and how long it will still take."""

import sys
import time
from typing import TextIO


class TimeLeft:
    """A callback (label, done, total) that writes a line now and then, with the time left.

    The time left goes by what was done since the first call, so that forecasts kept from an
    earlier run do not count.

    Parameters
    ----------
    every : float
        Seconds between lines; the first and the last are always written.
    out : text stream, optional
        Standard error unless given.
    """

    def __init__(self, every: float = 10.0, out: TextIO | None = None) -> None:
        self.every, self.out = every, out
        self._started: tuple[float, int] | None = None
        self._told = -float("inf")

    def __call__(self, label: str, done: int, total: int) -> None:
        """Take note of what is done; write a line where one is due."""
        now = time.monotonic()
        if self._started is None:
            self._started = (now, done)
        if done < total and now - self._told < self.every:
            return
        self._told = now
        left = self.left(done, total, now)
        words = "" if left is None else f", {duration(left)} left"
        out = sys.stderr if self.out is None else self.out
        print(f"{done:,} of {total:,} forecasts{words} ({label})", file=out, flush=True)

    def left(self, done: int, total: int, now: float | None = None) -> float | None:
        """Seconds left; None before anything was done."""
        if self._started is None or done <= self._started[1]:
            return None
        spent = (time.monotonic() if now is None else now) - self._started[0]
        return spent * (total - done) / (done - self._started[1])


def duration(seconds: float) -> str:
    """Seconds in words.

    Examples
    --------
    >>> duration(40), duration(3_000), duration(9_000)
    ('40 s', '50 min', '2 h 30 min')
    """
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
