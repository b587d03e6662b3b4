"""Compiled simulation of Hawkes processes by clusters: background events, then their offspring.

Points of a Poisson process are found by one walk along its accumulated rate: exponential steps
are taken across segments (a background cell, an event's offspring), and where a step ends within
a segment tells, without another random number, which part of that segment the point belongs to.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.exponential import fade
from escalation.likelihood.offspring import segment_of
from escalation.likelihood.waiting_times import Source, refill, wait
from escalation.parameters import BoolArray, FloatArray

IntArray = NDArray[np.int64]
#: Exponents (K,), logarithms of mean effects (K,), sizes to draw from, by stream, and where each
#: stream's begin (K + 1,). The first two are empty without marks.
Marking = tuple[FloatArray, FloatArray, FloatArray, IntArray]
#: Room for times, streams and sizes of events, filled from the front; the sizes are empty without
#: marks.
Room = tuple[FloatArray, IntArray, FloatArray]


@njit(cache=True, nogil=True, error_model="numpy")
def wider(room: Room) -> Room:
    """The same events with room for twice as many."""
    times, streams, sizes = room
    more = 2 * times.size + 64
    wider = np.empty(more)
    of = np.empty(more, np.int64)
    own = np.empty(more if sizes.size > 0 else 0)
    for i in range(times.size):
        wider[i] = times[i]
        of[i] = streams[i]
    for i in range(sizes.size):
        own[i] = sizes[i]
    return wider, of, own


@njit(cache=True, nogil=True, error_model="numpy")
def _segments(
    reproduction: FloatArray, values: FloatArray, group: IntArray
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Offspring of an event, split by target and exponential.

    Returns
    -------
    reached : ndarray (E, K, S)
        Mean number, accumulated over the S segments, by era and source.
    target : ndarray of int (S,)
    rate : ndarray (K, S)
    """
    eras, streams, _ = reproduction.shape
    terms = values.shape[1] // 2
    reached = np.zeros((eras, streams, streams * terms))
    rate = np.empty((streams, streams * terms))
    target = np.empty(streams * terms, np.int64)
    for j in range(streams):
        for k in range(streams):
            for m in range(terms):
                s = k * terms + m
                target[s] = k
                rate[j, s] = values[group[k, j], terms + m]
                for e in range(eras):
                    before = reached[e, j, s - 1] if s > 0 else 0.0
                    reached[e, j, s] = before + reproduction[e, k, j] * values[group[k, j], m]
    return reached, target, rate


@njit(cache=True, nogil=True, error_model="numpy")
def _background(
    source: Source,
    rates: FloatArray,
    days: FloatArray,
    room: Room,
    total: int,
    state: tuple[int, float],
    limit: int,
) -> tuple[int, int, float]:
    """Background events, stretch by stretch of constant rates (D, K), until the room is full."""
    times, streams, _ = room
    count = rates.shape[1]
    cell, to_come = state
    while cell < rates.size:
        d, k = cell // count, cell % count
        width = days[d + 1] - days[d]
        mean = rates[d, k] * width
        while to_come < mean:
            if total == times.size or total > limit:
                return total, cell, to_come
            time = days[d] + width * (to_come / mean)
            # Rounding may put the last one of a stretch on its end.
            times[total] = time if time < days[d + 1] else days[d]
            streams[total] = k
            total += 1
            to_come += wait(source)
        to_come -= mean
        cell += 1
    return total, cell, to_come


@njit(cache=True, nogil=True, error_model="numpy")
def _late(
    source: Source,
    past: FloatArray,
    effects: FloatArray,
    reached: FloatArray,
    eras: FloatArray,
    target: IntArray,
    rate: FloatArray,
    stretch: tuple[float, float, float],
    room: Room,
    total: int,
    limit: int,
) -> tuple[Room, int]:
    """What is left of the offspring of one stream's past events.

    Delays are drawn from the slowest exponential's survivors and thinned to the others'.
    """
    times, streams, _ = room
    start, end, reach = stretch
    slowest = np.inf
    for one in rate:
        slowest = min(slowest, one)
    era = eras.size
    to_come = wait(source)
    for i in range(past.size - 1, -1, -1):
        while era > 0 and past[i] < eras[era - 1]:
            era -= 1
        age = start - past[i]
        left = fade(-slowest * age)
        if left == 0.0 or age >= reach:
            break
        if effects.size > 0:
            left *= effects[i]
        mean = reached[era, -1] * left
        while to_come < mean:
            s = segment_of(reached[era], to_come / left)
            to_come += wait(source)
            if rate[s] > slowest and fade(-wait(source)) >= fade((slowest - rate[s]) * age):
                continue
            delay = wait(source) / rate[s]
            if age + delay > reach or start + delay >= end:
                continue
            if total == times.size:
                room = wider(room)
                times, streams, _ = room
            times[total] = start + delay
            streams[total] = target[s]
            total += 1
            if total > limit:
                return room, total
        to_come -= mean
    return room, total


@njit(cache=True, nogil=True, error_model="numpy")
def new_sizes(source: Source, room: Room, begin: int, total: int, marking: Marking) -> None:
    """Sizes of new events, drawn from their stream's; NaN where it has none."""
    _, streams, sizes = room
    _, _, pool, first = marking
    for i in range(begin, total):
        own = first[streams[i] + 1] - first[streams[i]]
        sizes[i] = np.nan
        if own > 0:
            place = min(int(fade(-wait(source)) * own), own - 1)
            sizes[i] = pool[first[streams[i]] + place]


@njit(cache=True, nogil=True, error_model="numpy")
def _generations(
    source: Source,
    segments: tuple[FloatArray, IntArray, FloatArray],
    eras: FloatArray,
    stretch: tuple[float, float, float],
    marking: Marking,
    room: Room,
    total: int,
    state: tuple[int, float],
    limit: int,
) -> tuple[int, int, float]:
    """Every event, in the order in which it came, sets off its own, until the room is full."""
    reached, target, rate = segments
    _, end, reach = stretch
    times, streams, sizes = room
    exponent, log_mean, _, _ = marking
    _, waits, used = source
    at = used[0]
    last = target.size - 1
    i, to_come = state
    while i < total:
        here, j = times[i], streams[i]
        effect = 1.0
        if sizes.size > 0 and not np.isnan(sizes[i]):
            effect = np.exp(exponent[j] * sizes[i] - log_mean[j])
        era = 0
        while era < eras.size and here >= eras[era]:
            era += 1
        mean = reached[era, j, last] * effect
        while to_come < mean:
            if total == times.size or total > limit:
                used[0] = at
                return total, i, to_come
            s, high = 0, last
            while s < high:
                middle = (s + high) // 2
                if to_come < reached[era, j, middle] * effect:
                    high = middle
                else:
                    s = middle + 1
            # As `wait`, twice, without a detour by the memory.
            if at > waits.size - 2:
                refill(source)
                at = 0
            delay = waits[at] / rate[j, s]
            to_come += waits[at + 1]
            at += 2
            if here + delay < end and delay <= reach:
                times[total] = here + delay
                streams[total] = target[s]
                if sizes.size > 0:
                    used[0] = at
                    new_sizes(source, room, total, total + 1, marking)
                    at = used[0]
                total += 1
        to_come -= mean
        i += 1
    used[0] = at
    return total, i, to_come


@njit(cache=True, nogil=True, error_model="numpy")
def _plain_generations(
    source: Source,
    segments: tuple[FloatArray, IntArray, FloatArray],
    eras: FloatArray,
    stretch: tuple[float, float, float],
    room: Room,
    total: int,
    state: tuple[int, float],
    limit: int,
) -> tuple[int, int, float]:
    """The same without marks, three times as fast.

    Candidates come along the line of events at the rate of the most fertile ones; where between
    two events a candidate falls tells its segment, or that there is none.
    """
    reached, target, rate = segments
    _, end, reach = stretch
    times, streams, _ = room
    _, waits, used = source
    at = used[0]
    last = target.size - 1
    most = 0.0
    for e in range(reached.shape[0]):
        for j in range(reached.shape[1]):
            most = max(most, reached[e, j, last])
    if most == 0.0:
        return total, total, 0.0
    i, to_come = state
    scale = 1.0 / most
    while True:
        steps = to_come * scale
        # Compared before it is cut to an integer, which it need not fit where R is next to zero.
        if not steps < total - i:
            i = total
            break
        i += int(steps)
        to_come -= int(steps) * most
        if total == times.size or total > limit:
            break
        if at > waits.size - 2:
            refill(source)
            at = 0
        here, j = times[i], streams[i]
        era = 0
        while era < eras.size and here >= eras[era]:
            era += 1
        s = 0
        for m in range(last):
            s += 1 if to_come >= reached[era, j, m] else 0
        delay = waits[at] / rate[j, s]
        if to_come < reached[era, j, last] and here + delay < end and delay <= reach:
            times[total] = here + delay
            streams[total] = target[s]
            total += 1
        to_come += waits[at + 1]
        at += 2
    used[0] = at
    return total, i, to_come


@njit(cache=True, nogil=True, error_model="numpy")
def _path(
    source: Source,
    background: FloatArray,
    days: FloatArray,
    segments: tuple[FloatArray, IntArray, FloatArray],
    eras: FloatArray,
    reach: float,
    past: tuple[FloatArray, FloatArray, IntArray],
    marking: Marking,
    room: Room,
    begin: int,
    cap: int,
) -> tuple[Room, int]:
    """One path, added to the events of those before it."""
    limit = begin + cap
    stretch = (days[0], days[-1], reach)
    exponent, log_mean = marking[:2]
    reached, target, rate = segments
    total, cell, to_come = begin, 0, wait(source)
    while True:
        total, cell, to_come = _background(
            source, background, days, room, total, (cell, to_come), limit
        )
        if cell == background.size or total > limit:
            break
        room = wider(room)
    past_times, past_sizes, first = past
    for j in range(first.size - 1):
        own = slice(first[j], first[j + 1])
        effects = past_sizes[:0]
        if past_sizes.size > 0:
            effects = np.empty(first[j + 1] - first[j])
            for i in range(effects.size):
                effects[i] = np.exp(exponent[j] * past_sizes[first[j] + i] - log_mean[j])
        room, total = _late(
            source, past_times[own], effects, reached[:, j], eras, target, rate[j], stretch, room,
            total, limit,
        )  # fmt: skip
    if room[2].size > 0:
        new_sizes(source, room, begin, total, marking)
    i, to_come = begin, wait(source)
    while total <= limit:
        if room[2].size > 0:
            total, i, to_come = _generations(
                source, segments, eras, stretch, marking, room, total, (i, to_come), limit
            )
        else:
            total, i, to_come = _plain_generations(
                source, segments, eras, stretch, room, total, (i, to_come), limit
            )
        # A path that ends at its cap wants no more room: the room would double with each of them.
        if i == total or total > limit:
            break
        room = wider(room)
    return room, total


@njit(cache=True, nogil=True, error_model="numpy")
def exponential_paths(
    source: Source,
    background: FloatArray,
    days: FloatArray,
    reproduction: FloatArray,
    eras: FloatArray,
    values: FloatArray,
    group: IntArray,
    reach: float,
    past: tuple[FloatArray, FloatArray, IntArray],
    exponent: FloatArray,
    log_mean: FloatArray,
    pool: FloatArray,
    pool_first: IntArray,
    room: int,
    cap: int,
    most: int,
) -> tuple[IntArray, IntArray, FloatArray, FloatArray, BoolArray]:
    """Events of many paths whose delays are positive mixtures of exponentials.

    Parameters
    ----------
    source
        From `source_of`.
    background : ndarray (n, D, K)
        Rate of each path, stretch and stream.
    days : ndarray (D + 1,)
        Edges of the stretches, and so the ends of the span.
    reproduction : ndarray (n, E, K, K)
        By the era of the parent, target, source.
    eras : ndarray (E - 1,)
        Where one era ends and the next begins.
    values : ndarray (n, G, 2 M)
        Weights, then rates, of each group's exponentials.
    group : ndarray of int (K, K)
        Group of each pair (target, source).
    reach : float
        Longest delay.
    past : tuple
        Times of the events before the span (h,), by stream, in order; their sizes (h,), or (0,)
        without marks; where each stream begins (K + 1,).
    exponent, log_mean : ndarray (n, K), or (n, 0) without marks
        An event of size z has ``exp(exponent z - log_mean)`` times the offspring.
    pool : ndarray (m,)
        Sizes to draw those of new events from, by stream.
    pool_first : ndarray of int (K + 1,)
    room : int
        How many events are expected: more fit.
    cap : int
        A path with more events is left unfinished.
    most : int
        With more events than this in all, no further path is begun: at most `most + cap + 1`
        events are held. The same source goes on with the paths left as if there were no break.

    Returns
    -------
    count : ndarray of int (b,)
        Events of each path that was begun; the events follow path by path.
    stream : ndarray of int (m,)
    time : ndarray (m,)
    size : ndarray (m,), or (0,) without marks
    stopped : ndarray of bool (b,)
    """
    marked = exponent.shape[1] > 0
    held = (np.empty(room), np.empty(room, np.int64), np.empty(room if marked else 0))
    count = np.zeros(len(background), np.int64)
    total, begun = 0, 0
    for p in range(len(background)):
        if total > most:
            break
        begin = total
        marking = (exponent[p], log_mean[p], pool, pool_first)
        segments = _segments(reproduction[p], values[p], group)
        held, total = _path(
            source, background[p], days, segments, eras, reach, past, marking, held, begin, cap
        )
        count[p] = total - begin
        begun += 1
    times, of, sizes = held
    count = count[:begun]
    return count, of[:total], times[:total], sizes[: total if marked else 0], count > cap
