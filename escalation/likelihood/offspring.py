"""Poisson numbers of offspring by one walk along the accumulated rate, compiled."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.waiting_times import Source, wait
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def segment_of(reached: FloatArray, place: float) -> int:
    """First entry of an increasing array that is above a value, or the last entry."""
    low, high = 0, reached.size - 1
    while low < high:
        middle = (low + high) // 2
        if place < reached[middle]:
            high = middle
        else:
            low = middle + 1
    return low


@njit(cache=True, nogil=True, error_model="numpy")
def _longer(array: IntArray) -> IntArray:
    out = np.empty(2 * array.size, np.int64)
    for i in range(array.size):
        out[i] = array[i]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def offspring(
    source: Source, mean: FloatArray, split: FloatArray, row: IntArray
) -> tuple[IntArray, IntArray]:
    """A Poisson number of offspring of each event, and the streams of these.

    Parameters
    ----------
    source
        From `source_of`.
    mean : ndarray (m,)
        Each event's effect, on the scale of `split`.
    split : ndarray (r, K)
        Mean number by target for an effect of one, accumulated over the targets.
    row : ndarray of int (m,)
        Which row of `split` holds for each event.

    Returns
    -------
    parent : ndarray of int (c,)
        Place of the event that set it off.
    target : ndarray of int (c,)
    """
    parent = np.empty(64 + mean.size, np.int64)
    target = np.empty(64 + mean.size, np.int64)
    total = 0
    last = split.shape[1] - 1
    to_come = wait(source)
    for i in range(mean.size):
        reached = split[row[i], last] * mean[i]
        while to_come < reached:
            if total == parent.size:
                parent, target = _longer(parent), _longer(target)
            parent[total] = i
            target[total] = segment_of(split[row[i]], to_come / mean[i])
            total += 1
            to_come += wait(source)
        to_come -= reached
    return parent[:total], target[:total]


@njit(cache=True, nogil=True, error_model="numpy")
def by_stream(stream: IntArray, streams: int) -> tuple[IntArray, IntArray]:
    """Places of the events of each stream, in order, and where each stream's begin."""
    first = np.zeros(streams + 1, np.int64)
    for i in range(stream.size):
        first[stream[i] + 1] += 1
    for k in range(streams):
        first[k + 1] += first[k]
    place = np.empty(stream.size, np.int64)
    to = first[:streams].copy()
    for i in range(stream.size):
        place[to[stream[i]]] = i
        to[stream[i]] += 1
    return place, first
