"""Compiled steps of the sampler of times within days."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Parents older than this many mean delays are out of the question: exp(-40) is 4e-18.
OLDEST = 40.0


@njit(cache=True, nogil=True, error_model="numpy")
def exact_likelihood(
    times: FloatArray,
    stream: IntArray,
    rate: FloatArray,
    reach: FloatArray,
    decay: float,
) -> float:
    """Log-likelihood of sorted times `(n,)` with exponential delays and an empty start.

    Parameters
    ----------
    times, stream : ndarray (n,)
    rate : ndarray (D, K)
        Background of each day.
    reach : ndarray (K, K)
    decay : float
    """
    days, streams = rate.shape
    value = 0.0
    for d in range(days):
        for k in range(streams):
            value -= rate[d, k]
    state = np.zeros(streams)
    now = 0.0
    for i in range(times.size):
        fade = np.exp(-decay * (times[i] - now))
        now = times[i]
        k = stream[i]
        intensity = rate[int(now), k]
        for j in range(streams):
            state[j] *= fade
            intensity += reach[k, j] * decay * state[j]
        value += np.log(intensity)
        state[k] += 1.0
        left = -np.expm1(-decay * (days - now))
        for j in range(streams):
            value -= reach[j, k] * left
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _draw_parents(
    times: FloatArray,
    stream: IntArray,
    order: IntArray,
    rate: FloatArray,
    reach: FloatArray,
    decay: float,
    parent: IntArray,
    rng: np.random.Generator,
) -> None:
    """Who set off each event, -1 for nobody, given all times; `order` sorts them."""
    weight = np.empty(times.size)
    for place in range(times.size):
        i = order[place]
        now, k = times[i], stream[i]
        total = rate[int(now), k]
        oldest = place
        while oldest > 0:
            j = order[oldest - 1]
            age = now - times[j]
            if decay * age > OLDEST:
                break
            oldest -= 1
            weight[oldest] = reach[k, stream[j]] * decay * np.exp(-decay * age)
            total += weight[oldest]
        aim = rng.random() * total
        parent[i] = -1
        for other in range(place - 1, oldest - 1, -1):
            aim -= weight[other]
            if aim < 0.0:
                parent[i] = order[other]
                break


@njit(cache=True, nogil=True, error_model="numpy")
def _draw_times(
    times: FloatArray,
    parent: IntArray,
    stream: IntArray,
    reach: FloatArray,
    decay: float,
    end: float,
    rng: np.random.Generator,
) -> None:
    """Each time given the parents and the other times, within its day.

    The density is that of an exponential with rate decay * (children - [has a parent]), times
    exp(-expected offspring in the window), which matters near the end only and is met by
    acceptance.
    """
    number = times.size
    children = np.zeros(number)
    youngest = np.full(number, np.inf)
    for i in range(number):
        if parent[i] >= 0:
            children[parent[i]] += 1.0
    # Children's times change as the sweep goes on: list them by parent.
    first = np.zeros(number + 1, np.int64)
    for i in range(number):
        first[i + 1] = first[i] + int(children[i])
    listed = np.empty(first[number], np.int64)
    filled = np.zeros(number, np.int64)
    for i in range(number):
        if parent[i] >= 0:
            listed[first[parent[i]] + filled[parent[i]]] = i
            filled[parent[i]] += 1
    for i in range(number):
        low = np.floor(times[i])
        high = low + 1.0
        for place in range(first[i], first[i + 1]):
            youngest[i] = min(youngest[i], times[listed[place]])
        high = min(high, youngest[i])
        if parent[i] >= 0:
            low = max(low, times[parent[i]])
        slope = decay * (children[i] - (1.0 if parent[i] >= 0 else 0.0))
        width = high - low
        u = rng.random()
        x = slope * width
        if abs(x) < 1e-8:
            new = low + u * width
        elif x > 0.0:
            new = high + np.log(u + (1.0 - u) * np.exp(-x)) / slope
        else:
            new = low + np.log1p(u * np.expm1(x)) / slope
        new = min(max(new, low), np.nextafter(high, low))
        out = 0.0
        for k in range(reach.shape[0]):
            out += reach[k, stream[i]]
        change = np.exp(-decay * (end - new)) - np.exp(-decay * (end - times[i]))
        if np.log(1.0 - rng.random()) < out * change:
            times[i] = new


@njit(cache=True, nogil=True, error_model="numpy")
def sweep_times(
    times: FloatArray,
    stream: IntArray,
    rate: FloatArray,
    reach: FloatArray,
    decay: float,
    rng: np.random.Generator,
) -> None:
    """One sweep over parents and times within days; `times` and `stream` are sorted anew."""
    order = np.argsort(times)
    parent = np.empty(times.size, np.int64)
    _draw_parents(times, stream, order, rate, reach, decay, parent, rng)
    _draw_times(times, parent, stream, reach, decay, float(rate.shape[0]), rng)
    order = np.argsort(times)
    old_times, old_stream = times.copy(), stream.copy()
    for i in range(times.size):
        times[i] = old_times[order[i]]
        stream[i] = old_stream[order[i]]
