"""Decayed sums at the events of a receiving stream, for every source and exponential."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.likelihood.exponential import fade

#: Events of a receiving stream that are worked on together; they stay in the fastest cache.
BLOCK = 256
#: Beyond so many mean delays an exponential counts as gone: exp(-45) is 3e-20.
GONE = 45.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def dot(a, b, size):  # type: ignore[no-untyped-def]
    """Sum of products, in an order of the compiler's choice."""
    total = 0.0
    for i in range(size):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def total_of(a, size):  # type: ignore[no-untyped-def]
    """Sum, in an order of the compiler's choice."""
    total = 0.0
    for i in range(size):
        total += a[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def fill_block(  # type: ignore[no-untyped-def]
    k, start, stop, times, era, marked, weight, slope, first, eras, values, group, allowed, order,
    apart, state, pointer, sums, ages, squares, marks, scratch,
):  # fmt: skip
    """Decayed sums at the events `start` to `stop` of stream k, for every source and exponential.

    Parameters
    ----------
    order : int
        Derivatives by the rates that are prepared: none, the first, or the second too.
    state : ndarray (4, K E M)
        Sum, sum times age, sum of the mark slopes, and sum times the square of the age, at the
        event before `start`; moved on.
    pointer : ndarray of int (K,)
        First event of each source that has not arrived yet; moved on.
    sums, ages, squares, marks : ndarray (K E M, BLOCK)
        Filled; `ages` and `squares` as `order` asks, `marks` only if `marked`.
    scratch : ndarray (4 + 3 M, BLOCK)
        Work space.
    """
    streams, terms = group.shape[1], values.shape[1] // 2
    size = stop - start
    gaps, waits = scratch[0], scratch[1]
    gaps[0] = times[start] - times[start - 1] if start > first[k] else 0.0
    now, before_now = times[start + 1 : stop], times[start : stop - 1]
    later = gaps[1:]
    for i in range(size - 1):
        later[i] = now[i] - before_now[i]
    known = -1
    for j in range(streams):
        if not allowed[k, j]:
            continue
        g = group[k, j]
        if g != known:
            for m in range(terms):
                rate = values[g, terms + m]
                fading = scratch[4 + m]
                for i in range(size):
                    fading[i] = fade(-rate * gaps[i])
            known = g
        if j != k:
            for e in range(eras):
                row = (j * eras + e) * terms
                for m in range(terms):
                    for i in range(size):
                        sums[row + m, i] = 0.0
                    if order > 0:
                        for i in range(size):
                            ages[row + m, i] = 0.0
                    if order > 1:
                        for i in range(size):
                            squares[row + m, i] = 0.0
                    if marked:
                        for i in range(size):
                            marks[row + m, i] = 0.0
            last = times[stop - 1]
            at = pointer[j]
            end = first[j + 1]
            place = 0
            while at < end and times[at] < last:
                # The events of the source that arrive before the last of the block, in batches.
                batch = 0
                origin = at
                while at < end and batch < BLOCK and times[at] < last:
                    while times[start + place] <= times[at]:
                        place += 1
                    waits[batch] = times[start + place] - times[at]
                    scratch[2, batch] = place
                    at += 1
                    batch += 1
                for m in range(terms):
                    rate = values[g, terms + m]
                    faded = scratch[3]
                    for b in range(batch):
                        faded[b] = fade(-rate * waits[b])
                    for b in range(batch):
                        where = int(scratch[2, b])
                        row = (
                            (j * eras + era[origin + b]) * terms + m if eras > 1 else j * terms + m
                        )
                        effect = weight[origin + b] * faded[b] if marked else faded[b]
                        sums[row, where] += effect
                        if order > 0:
                            ages[row, where] += waits[b] * effect
                        if order > 1:
                            squares[row, where] += waits[b] * waits[b] * effect
                        if marked:
                            marks[row, where] += slope[origin + b] * faded[b]
            pointer[j] = at
        for e in range(eras):
            for m in range(terms):
                row = (j * eras + e) * terms + m
                fading = scratch[4 + m]
                total, age, mark = state[0, row], state[1, row], state[2, row]
                square = state[3, row]
                if j != k:
                    for i in range(size):
                        if order > 1:
                            moved = square + gaps[i] * (2.0 * age + gaps[i] * total)
                            square = fading[i] * moved + squares[row, i]
                            squares[row, i] = square
                        if order > 0:
                            age = fading[i] * (age + gaps[i] * total) + ages[row, i]
                            ages[row, i] = age
                        total = fading[i] * total + sums[row, i]
                        sums[row, i] = total
                        if marked:
                            mark = fading[i] * mark + marks[row, i]
                            marks[row, i] = mark
                elif marked or eras > 1 or apart:
                    for i in range(size):
                        before = start + i - 1
                        # Kept apart, a group of ties arrives when time moves on.
                        if apart and times[start + i] == times[before]:
                            before = first[k] - 1
                        while before >= first[k]:
                            if eras == 1 or era[before] == e:
                                total += weight[before] if marked else 1.0
                                if marked:
                                    mark += slope[before]
                            before -= 1
                            if not (apart and times[before] == times[start + i - 1]):
                                break
                        if order > 1:
                            moved = square + gaps[i] * (2.0 * age + gaps[i] * total)
                            square = fading[i] * moved
                            squares[row, i] = square
                        if order > 0:
                            age = fading[i] * (age + gaps[i] * total)
                            ages[row, i] = age
                        total *= fading[i]
                        sums[row, i] = total
                        if marked:
                            mark *= fading[i]
                            marks[row, i] = mark
                else:
                    total = -1.0 if start == first[k] else total
                    into = sums[row]
                    if order > 0:
                        aged = ages[row]
                        for i in range(size):
                            total = fading[i] * (total + 1.0)
                            into[i] = total
                            age = fading[i] * age + gaps[i] * total
                            aged[i] = age
                        if order > 1:
                            squared = squares[row]
                            for i in range(size):
                                later_part = gaps[i] * (2.0 * aged[i] - gaps[i] * into[i])
                                square = fading[i] * square + later_part
                                squared[i] = square
                    else:
                        for i in range(size):
                            total = fading[i] * (total + 1.0)
                            into[i] = total
                state[0, row], state[1, row], state[2, row] = total, age, mark
                state[3, row] = square


@njit(cache=True, nogil=True, error_model="numpy")
def gone_mass(  # type: ignore[no-untyped-def]
    begin, end, times, era, marked, weight, slope, spans, rates, out
):
    """Mass of the exponentials within the watch, summed over the events of one source.

    Parameters
    ----------
    begin, end : int
        The source's events.
    rates : ndarray (M,)
    out : ndarray (4, E, M)
        Filled: the mass, its slope by the rate, its slope by the mark exponent, its second
        derivative by the rate.
    """
    out[:] = 0.0
    single = spans.shape[0] == 1
    scored = begin + np.searchsorted(times[begin:end], spans[0, 0])
    plain = out.shape[1] == 1 and not marked
    for m in range(rates.size):
        rate = rates[m]
        i = end - 1
        while i >= begin:
            t = times[i]
            e = era[i] if out.shape[1] > 1 else 0
            effect = weight[i] if marked else 1.0
            if single and i >= scored and rate * (spans[0, 1] - t) > GONE:
                if plain:
                    out[0, 0, m] += i + 1 - scored
                    i = scored - 1
                    continue
                mass, moment, bend = 1.0, 0.0, 0.0
            else:
                mass, moment, bend = 0.0, 0.0, 0.0
                for s in range(spans.shape[0]):
                    if spans[s, 1] <= t:
                        continue
                    since = max(spans[s, 0] - t, 0.0)
                    until = spans[s, 1] - t
                    late = fade(-rate * until)
                    early = 1.0 if since == 0.0 else fade(-rate * since)
                    if since == 0.0 and rate * until < 0.5:
                        # Close to the end of the watch the difference loses digits.
                        mass -= np.expm1(-rate * until)
                    else:
                        mass += early - late
                    moment += until * late - since * early
                    bend += since * since * early - until * until * late
            out[0, e, m] += effect * mass
            out[1, e, m] += effect * moment
            out[3, e, m] += effect * bend
            if marked:
                out[2, e, m] += slope[i] * mass
            i -= 1
