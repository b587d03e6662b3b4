"""A compiled source of exponential waiting times."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.exponential import logarithm
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]
#: Exponential waiting times are made so many at once.
BLOCK = 512
#: State of a generator (4,), waiting times in stock (BLOCK,), and how many of them are used (1,).
Source = tuple[NDArray[np.uint64], FloatArray, IntArray]


@njit(cache=True, nogil=True, error_model="numpy")
def source_of(seed: NDArray[np.uint64]) -> Source:
    """A source of waiting times from four random words."""
    return seed.copy(), np.empty(BLOCK), np.full(1, BLOCK)


@njit(cache=True, nogil=True, error_model="numpy")
def refill(source: Source) -> None:
    """New waiting times of mean one.

    References
    ----------
    Blackman & Vigna (2021), ACM Transactions on Mathematical Software 47(4): xoshiro256++.
    """
    state, waits, used = source
    a, b, c, d = state[0], state[1], state[2], state[3]
    for i in range(waits.size):
        word = a + d
        word = ((word << np.uint64(23)) | (word >> np.uint64(41))) + a
        kept = b << np.uint64(17)
        c ^= a
        d ^= b
        b ^= c
        a ^= d
        c ^= kept
        d = (d << np.uint64(45)) | (d >> np.uint64(19))
        # Uniform on the open interval: neither end is met.
        waits[i] = (np.int64(word >> np.uint64(11)) + 0.5) * 2.0**-53
    state[0], state[1], state[2], state[3] = a, b, c, d
    for i in range(waits.size):
        waits[i] = -logarithm(waits[i])
    used[0] = 0


@njit(cache=True, nogil=True, error_model="numpy")
def wait(source: Source) -> float:
    """An exponential waiting time of mean one; ``exp(-wait)`` is uniform."""
    _, waits, used = source
    if used[0] == waits.size:
        refill(source)
    used[0] += 1
    out: float = waits[used[0] - 1]
    return out
