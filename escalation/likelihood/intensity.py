"""Intensity, compensator and parents of additive Hawkes processes, event by event, compiled.

Everything is told for one pair of streams at a time: what the events of a source add to the rate
of a target. The loops cost O(n) for mixtures of exponentials.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True)
def pair_excitation(
    query: FloatArray,
    known: IntArray,
    source: FloatArray,
    jump: FloatArray,
    mixture: FloatArray,
) -> tuple[FloatArray, FloatArray]:
    r"""What the events of a source add to the rate of a target, at given times.

    .. math:: \sum_{i < c_q} a_i g(t_q - s_i)\quad\text{and}\quad\sum_{i < c_q} a_i G(t_q - s_i)

    Parameters
    ----------
    query : ndarray (q,)
        Times, sorted.
    known : ndarray of int (q,)
        How many events of the source count at each time, not falling.
    source : ndarray (s,)
        Times of the source's events, sorted.
    jump : ndarray (s,)
        Expected offspring of each in the target.
    mixture : ndarray (2 M,)
        Weights, then rates, of the exponentials.

    Returns
    -------
    rate : ndarray (q,)
        A day.
    passed : ndarray (q,)
        Expected offspring so far.
    """
    terms = mixture.size // 2
    rate = np.empty(query.size)
    passed = np.empty(query.size)
    state = np.zeros(terms)
    whole = 0.0
    for m in range(terms):
        whole += mixture[m]
    total = 0.0
    now = 0.0
    taken = 0
    for q in range(query.size):
        while taken < known[q]:
            step = source[taken] - now
            for m in range(terms):
                state[m] = state[m] * np.exp(-mixture[terms + m] * step) + jump[taken]
            total += jump[taken]
            now = source[taken]
            taken += 1
        step = query[q] - now
        rate[q] = 0.0
        passed[q] = whole * total
        for m in range(terms):
            state[m] *= np.exp(-mixture[terms + m] * step)
            rate[q] += mixture[m] * mixture[terms + m] * state[m]
            passed[q] -= mixture[m] * state[m]
        now = query[q]
    return rate, passed


@njit(cache=True, nogil=True)
def likely_parents(
    times: FloatArray,
    known: IntArray,
    source: FloatArray,
    jump: FloatArray,
    mixture: FloatArray,
    rate: FloatArray,
    intensity: FloatArray,
    threshold: float,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Events of the source that set an event of the target off with at least some probability.

    Goes back from each event through the source until what is left of the source's part of the
    rate is below the threshold, so that no pair is missed.

    Parameters
    ----------
    times : ndarray (q,)
        Events of the target.
    known, source, jump, mixture
        As in `pair_excitation`.
    rate : ndarray (q,)
        The source's part of the rate at each event, from `pair_excitation`.
    intensity : ndarray (q,)
        The whole rate at each event.
    threshold : float
        Least probability that is told.

    Returns
    -------
    child, parent : ndarray of int (p,)
        Places among the target's and the source's events.
    probability : ndarray (p,)
    """
    terms = mixture.size // 2
    size = 4 * times.size + 16
    child = np.empty(size, np.int64)
    parent = np.empty(size, np.int64)
    probability = np.empty(size)
    found = 0
    for q in range(times.size):
        left = rate[q] / intensity[q]
        i = known[q] - 1
        while i >= 0 and left >= threshold:
            share = 0.0
            for m in range(terms):
                fade = np.exp(-mixture[terms + m] * (times[q] - source[i]))
                share += mixture[m] * mixture[terms + m] * fade
            share *= jump[i] / intensity[q]
            left -= share
            if share >= threshold:
                if found == size:
                    size *= 2
                    grown_child = np.empty(size, np.int64)
                    grown_parent = np.empty(size, np.int64)
                    grown = np.empty(size)
                    grown_child[:found] = child[:found]
                    grown_parent[:found] = parent[:found]
                    grown[:found] = probability[:found]
                    child, parent, probability = grown_child, grown_parent, grown
                child[found] = q
                parent[found] = i
                probability[found] = share
                found += 1
            i -= 1
    return child[:found].copy(), parent[:found].copy(), probability[:found].copy()


@njit(cache=True, nogil=True)
def draw_parents(
    times: FloatArray,
    known: IntArray,
    source: FloatArray,
    jump: FloatArray,
    mixture: FloatArray,
    mark: FloatArray,
) -> IntArray:
    """One parent for each event of the target that the source set off.

    Parameters
    ----------
    times, known, source, jump, mixture
        As in `likely_parents`.
    mark : ndarray (q,)
        A point of the source's part of the rate, uniform between 0 and it; negative for the events
        that another source, or the background, brought about.

    Returns
    -------
    ndarray of int (q,)
        Place among the source's events, -1 where `mark` is negative.
    """
    terms = mixture.size // 2
    out = np.full(times.size, -1)
    for q in range(times.size):
        if mark[q] < 0.0:
            continue
        left = mark[q]
        last = -1
        i = known[q] - 1
        while i >= 0:
            share = 0.0
            for m in range(terms):
                fade = np.exp(-mixture[terms + m] * (times[q] - source[i]))
                share += mixture[m] * mixture[terms + m] * fade
            share *= jump[i]
            if share > 0.0:
                last = i
            left -= share
            if left <= 0.0:
                break
            i -= 1
        out[q] = last
    return out


@njit(cache=True, nogil=True)
def descend(parent: IntArray, order: IntArray) -> tuple[IntArray, IntArray]:
    """Cluster and generation of each event of a forest.

    Parameters
    ----------
    parent : ndarray of int (n,)
        -1 for an event of the background.
    order : ndarray of int (n,)
        The events, parents before their children.

    Returns
    -------
    root, generation : ndarray of int (n,)
        First ancestor of each event, itself in the background; its generation, 0 there.
    """
    root = np.empty(parent.size, np.int64)
    generation = np.zeros(parent.size, np.int64)
    for i in order:
        if parent[i] < 0:
            root[i] = i
        else:
            root[i] = root[parent[i]]
            generation[i] = generation[parent[i]] + 1
    return root, generation


@njit(cache=True, nogil=True)
def move_within_days(
    times: FloatArray,
    day: FloatArray,
    parent: IntArray,
    pair: IntArray,
    mixtures: FloatArray,
    uniform: FloatArray,
) -> None:
    """Move every event within its day, in place, by a Metropolis step given who set off whom.

    Given the parents the times of a process whose background is constant over the day depend on
    one another through the delays alone. What is lost beyond the end of the window is left out:
    it changes by less than the density at the last days.

    Parameters
    ----------
    times : ndarray (n,)
        Changed in place.
    day : ndarray (n,)
        Start of each event's day.
    parent : ndarray of int (n,)
        Number of each event's parent, -1 without one.
    pair : ndarray of int (n,)
        Row of `mixtures` of the pair of the event's stream and its parent's.
    mixtures : ndarray (P, 2 M)
        Weights, then rates, of each pair's exponentials.
    uniform : ndarray (n, 2)
        Random numbers in [0, 1).
    """
    n = times.size
    terms = mixtures.shape[1] // 2
    number = np.zeros(n + 1, np.int64)
    for i in range(n):
        if parent[i] >= 0:
            number[parent[i] + 1] += 1
    start = np.cumsum(number)
    fill = start.copy()
    child = np.empty(start[n], np.int64)
    for i in range(n):
        if parent[i] >= 0:
            child[fill[parent[i]]] = i
            fill[parent[i]] += 1
    for i in range(n):
        low, high = day[i], day[i] + 1.0
        if parent[i] >= 0:
            low = max(low, times[parent[i]])
        for c in range(start[i], start[i + 1]):
            high = min(high, times[child[c]])
        if not high > low:
            continue
        trial = low + uniform[i, 0] * (high - low)
        rise = 0.0
        for c in range(start[i] - 1, start[i + 1]):
            # The first turn is the event's own delay, the others those of its children.
            if c < start[i]:
                if parent[i] < 0:
                    continue
                row, old, new = pair[i], times[i] - times[parent[i]], trial - times[parent[i]]
            else:
                row, old, new = pair[child[c]], times[child[c]] - times[i], times[child[c]] - trial
            before, after = 0.0, 0.0
            for m in range(terms):
                w = mixtures[row, m] * mixtures[row, terms + m]
                before += w * np.exp(-mixtures[row, terms + m] * old)
                after += w * np.exp(-mixtures[row, terms + m] * new)
            rise += np.log(max(after, 1e-300)) - np.log(max(before, 1e-300))
        if np.log(uniform[i, 1] + 1e-300) < rise and trial < day[i] + 1.0:
            times[i] = trial
