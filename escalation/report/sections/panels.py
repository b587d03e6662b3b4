"""Small multiples: how many streams a figure holds, and when its panels share a scale."""

from typing import Any

from numpy.typing import NDArray

PER_FIGURE = 4
"""Streams a figure."""

SHARED = 4.0
"""Panels share the count axis while the busiest stream's peak is at most so many times the
quietest's."""


def groups(n_streams: int) -> list[list[int]]:
    """Places of the streams, `PER_FIGURE` a figure."""
    return [
        list(range(first, min(first + PER_FIGURE, n_streams)))
        for first in range(0, n_streams, PER_FIGURE)
    ]


def one_scale(peaks: NDArray[Any]) -> bool:
    """Whether panels with these highest counts (K,) share a count axis; below 1 counts as 1."""
    return bool(peaks.max() <= SHARED * max(float(peaks.min()), 1.0))
