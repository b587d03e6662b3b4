"""Log-likelihood and gradient of the multivariate Hawkes process with exponential mixtures.

The work is done row by row, a row being a receiving stream, and in blocks of its events: for each
source the decayed sums at the events of the block are found first, then all intensities at once.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.exponential import MANTISSA, ONE, _bits_of, _double_of, fade
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Events of a receiving stream that are worked on together; they stay in the fastest cache.
BLOCK = 256
#: The same where one stream is by itself, with fewer arrays.
LINE = 128
LOG2 = 0.6931471805599453
#: Beyond so many mean delays an exponential counts as gone: exp(-45) is 3e-20.
GONE = 45.0


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _dot(a, b, size):  # type: ignore[no-untyped-def]
    """Sum of products, in an order of the compiler's choice."""
    total = 0.0
    for i in range(size):
        total += a[i] * b[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc", "contract"})
def _sum(a, size):  # type: ignore[no-untyped-def]
    """Sum, in an order of the compiler's choice."""
    total = 0.0
    for i in range(size):
        total += a[i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def log_of_lanes(product, power):  # type: ignore[no-untyped-def]
    """Logarithm of the product of all lanes, from their mantissas and exponents.

    Parameters
    ----------
    product : ndarray (BLOCK,)
        From 1 up to 2; overwritten.
    power : ndarray of int (BLOCK,)
    """
    width = BLOCK
    while width > 8:
        width //= 2
        for i in range(width):
            product[i] *= product[width + i]
    value, exponents = 0.0, 0
    for i in range(width):
        value += np.log(product[i])
    for i in range(BLOCK):
        exponents += power[i]
    return value + exponents * LOG2


@njit(cache=True, nogil=True, error_model="numpy")
def _one_line(times, level, factor, decay, lanes, product, power):  # type: ignore[no-untyped-def]
    """Score a stream by itself, with a constant background and one exponential, at one go.

    Parameters
    ----------
    times : ndarray (n,)
    level, factor, decay : float
        Background rate, what a unit of the decayed sum adds, and how it decays.
    lanes : ndarray (3, BLOCK)
        Added to, lane by lane: reciprocals of the intensities, times the sums, times the ages.
    product, power : ndarray (BLOCK,)
        Mantissas and exponents of the products of intensities.

    Returns
    -------
    bool
        False where an intensity is out of range.
    """
    gaps, fading = np.zeros(LINE), np.empty(LINE)
    sums, ages = np.empty(LINE), np.empty(LINE)
    ones, hits, olds = lanes[0], lanes[1], lanes[2]
    total, age = -1.0, 0.0
    wrong = 0
    for start in range(0, times.size, LINE):
        size = min(LINE, times.size - start)
        now = times[start : start + size]
        gaps[0] = now[0] - times[max(start - 1, 0)]
        for i in range(size - 1):
            gaps[i + 1] = now[i + 1] - now[i]
        for i in range(size):
            fading[i] = fade(-decay * gaps[i])
        for i in range(size):
            total = fading[i] * total + fading[i]
            age = fading[i] * age + gaps[i] * total
            sums[i] = total
            ages[i] = age
        for i in range(size):
            rate = level + factor * sums[i]
            wrong += 0 if (rate > 1e-250) & (rate < 1e15) else 1
            inverse = 1.0 / rate
            ones[i] += inverse
            hits[i] += sums[i] * inverse
            olds[i] += ages[i] * inverse
            bits = _bits_of(product[i] * rate)
            power[i] += (bits >> 52) - 1023
            product[i] = _double_of((bits & MANTISSA) | ONE)
    return wrong == 0


@njit(cache=True, nogil=True, error_model="numpy")
def mark_weights(theta, sizes, first, mark_place):  # type: ignore[no-untyped-def]
    """Effect of each event relative to the mean of its stream, and its slope by the exponent.

    Parameters
    ----------
    theta : ndarray (p,)
    sizes : ndarray (n,) or (0,)
        Marks, or their log(1 + m), stream after stream; the effect is exp(exponent * size) divided
        by its mean over the stream. Empty: every effect is one.
    first : ndarray of int (K + 1,)
    mark_place : ndarray of int (K,)
        Place in `theta` of each stream's exponent.

    Returns
    -------
    weight, slope : ndarray (n,) or (0,)
    """
    weight = np.empty(sizes.size)
    slope = np.empty(sizes.size)
    if sizes.size == 0:
        return weight, slope
    for j in range(first.size - 1):
        begin, end = first[j], first[j + 1]
        exponent = theta[mark_place[j]]
        highest = 0.0
        for i in range(begin, end):
            highest = max(highest, exponent * sizes[i])
        total, moment = 0.0, 0.0
        for i in range(begin, end):
            weight[i] = np.exp(exponent * sizes[i] - highest)
            total += weight[i]
            moment += weight[i] * sizes[i]
        for i in range(begin, end):
            slope[i] = (end - begin) * weight[i] / total * (sizes[i] - moment / total)
            weight[i] *= (end - begin) / total
    return weight, slope


@njit(cache=True, nogil=True, error_model="numpy")
def background_rates(theta, design, column):  # type: ignore[no-untyped-def]
    """Rates (D, K) of each cell and stream."""
    cells, columns = design.shape
    streams = column.shape[0]
    out = np.empty((cells, streams))
    for k in range(streams):
        for d in range(cells):
            exponent = 0.0
            for p in range(columns):
                exponent += design[d, p] * theta[column[k, p]]
            out[d, k] = np.exp(min(exponent, 500.0))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_block(  # type: ignore[no-untyped-def]
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
def _gone(  # type: ignore[no-untyped-def]
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


@njit(cache=True, nogil=True, error_model="numpy")
def hawkes_exponential(
    theta: FloatArray,
    values: FloatArray,
    times: FloatArray,
    first: IntArray,
    cell: IntArray,
    era: IntArray,
    sizes: FloatArray,
    lengths: FloatArray,
    design: FloatArray,
    spans: FloatArray,
    column: IntArray,
    place: IntArray,
    group: IntArray,
    allowed: IntArray,
    mark_place: IntArray,
    vary: IntArray,
    targets: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the kernels' values.

    .. math:: \lambda_k(t) = \exp(x(t)'b_k)
              + \sum_j \sum_{t_i < t, \kappa_i = j} R^{e_i}_{kj} y_i
                \sum_m w^{kj}_m \beta^{kj}_m e^{-\beta^{kj}_m (t - t_i)}

    Events of different streams at the very same time do not set one another off; within a stream
    a tie is a delay rounded to zero, and each event is set off by those before it in the group,
    which is the usual convention. Cost O(n K E M).

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; those of the kernel are not read.
    values : ndarray (G, 2 M)
        Weights, then rates, of the exponentials of each kernel.
    times : ndarray (n,)
        Stream after stream, each sorted, from the start of the window.
    first : ndarray of int (K + 1,)
        Where each stream begins.
    cell : ndarray of int (n,)
        Row of `design` that holds at each event's time.
    era : ndarray of int (n,)
        Era of each event, 0 to E - 1; not read where there is one.
    sizes : ndarray (n,) or (0,)
        Marks on the scale that the effect is exponential in; empty for none.
    lengths : ndarray (D,)
        Watched length of each stretch of time over which the background is constant.
    design : ndarray (D, P)
    spans : ndarray (I, 2)
        The watched spans; events before the first are history, which sets off and is not scored.
    column : ndarray of int (K, P)
        Place in `theta` of each background coefficient.
    place : ndarray of int (E,)
        Place of R[0, 0] of each era.
    group : ndarray of int (K, K)
        Row of `values` for each pair [receiving, setting off].
    allowed : ndarray of int (K, K)
        0 where R is fixed at zero.
    mark_place : ndarray of int (K,)
        Place of each source's mark exponent.
    vary : ndarray of int (2,)
        First: 0 where the rates do not depend on the parameters, their gradient is left out.
        Second: 1 where events of one stream at the same time do not set one another off.
    targets : ndarray of int (r,)
        The receiving streams whose part of the sum is wanted.

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (G, 2 M)

    References
    ----------
    Ozaki (1979), Annals of the Institute of Statistical Mathematics 31; the recursion for the
    gradient follows by differentiation.
    """
    streams, terms, eras = column.shape[0], values.shape[1] // 2, place.size
    marked, moving, apart = sizes.size > 0, vary[0] > 0, vary[1] > 0
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    rate = background_rates(theta, design, column)
    pull = np.empty(lengths.size)
    weight, slope = mark_weights(theta, sizes, first, mark_place)
    lines = streams * eras * terms
    state = np.empty((4, lines))
    pointer = np.empty(streams, np.int64)
    sums = np.empty((lines, BLOCK))
    ages = np.empty((lines if moving else 1, BLOCK))
    marks = np.empty((lines if marked else 1, BLOCK))
    none = np.empty((1, BLOCK))
    scratch = np.empty((4 + terms, BLOCK))
    intensity = np.empty(BLOCK)
    inverse = np.empty(BLOCK)
    gone = np.empty((4, eras, terms))
    product, power = np.ones(BLOCK), np.zeros(BLOCK, np.int64)
    value = 0.0
    lanes = np.zeros((3, BLOCK))
    simple = lines == 1 and lengths.size == 1 and not marked and not apart and allowed[0, 0] > 0
    simple = simple and moving and (times.size == 0 or times[0] >= spans[0, 0])
    for k in targets:
        for d in range(lengths.size):
            value -= rate[d, k] * lengths[d]
            pull[d] = -lengths[d]
        state[:] = 0.0
        for j in range(streams):
            pointer[j] = first[j]
        scored = first[k] + np.searchsorted(times[first[k] : first[k + 1]], spans[0, 0])
        for start in range(first[k], first[k] if simple else first[k + 1], BLOCK):
            stop = min(start + BLOCK, first[k + 1])
            size = stop - start
            _fill_block(
                k, start, stop, times, era, marked, weight, slope, first, eras, values, group,
                allowed, int(moving), apart, state, pointer, sums, ages, none, marks, scratch,
            )  # fmt: skip
            if stop <= scored:
                continue
            here = cell[start:stop]
            if lengths.size == 1:
                for i in range(size):
                    intensity[i] = rate[0, k]
            else:
                for i in range(size):
                    intensity[i] = rate[here[i], k]
            for j in range(streams):
                for e in range(eras):
                    reach = theta[place[e] + k * streams + j]
                    if not allowed[k, j] or reach == 0.0:
                        continue
                    g, line = group[k, j], (j * eras + e) * terms
                    for m in range(terms):
                        factor = reach * values[g, m] * values[g, terms + m]
                        row = sums[line + m]
                        for i in range(size):
                            intensity[i] += factor * row[i]
            early = max(scored - start, 0)
            for i in range(early):
                intensity[i] = 1.0
            # A count of what is out of range vectorises, a smallest and a largest do not. Mantissas
            # are multiplied and exponents added, so that one logarithm a lane is left at the end.
            wrong = 0
            for i in range(size):
                here_rate = intensity[i]
                wrong += 0 if (here_rate > 1e-250) & (here_rate < 1e15) else 1
                inverse[i] = 1.0 / here_rate
                bits = _bits_of(product[i] * here_rate)
                power[i] += (bits >> 52) - 1023
                product[i] = _double_of((bits & MANTISSA) | ONE)
            if wrong > 0:
                return -np.inf, np.zeros(theta.size), np.zeros(values.shape)
            for i in range(early):
                inverse[i] = 0.0
            if lengths.size == 1:
                pull[0] += _sum(inverse, size)
            else:
                for i in range(size):
                    pull[here[i]] += inverse[i]
            for j in range(streams):
                if not allowed[k, j]:
                    continue
                g = group[k, j]
                for e in range(eras):
                    at, line = place[e] + k * streams + j, (j * eras + e) * terms
                    reach = theta[at]
                    for m in range(terms):
                        w, b = values[g, m], values[g, terms + m]
                        hit = _dot(inverse, sums[line + m], size)
                        by_theta[at] += w * b * hit
                        by_values[g, m] += reach * b * hit
                        if moving:
                            aged = _dot(inverse, ages[line + m], size)
                            by_values[g, terms + m] += reach * w * (hit - b * aged)
                        if marked:
                            by_theta[mark_place[j]] += (
                                reach * w * b * _dot(inverse, marks[line + m], size)
                            )
        if simple:
            reach, w, b = theta[place[0]], values[0, 0], values[0, 1]
            if not _one_line(times, rate[0, 0], reach * w * b, b, lanes, product, power):
                return -np.inf, np.zeros(theta.size), np.zeros(values.shape)
            hit = _sum(lanes[1], BLOCK)
            pull[0] += _sum(lanes[0], BLOCK)
            by_theta[place[0]] += w * b * hit
            by_values[0, 0] += reach * b * hit
            by_values[0, 1] += reach * w * (hit - b * _sum(lanes[2], BLOCK))
        for j in range(streams):
            if not allowed[k, j]:
                continue
            g = group[k, j]
            rates = values[g, terms:]
            _gone(first[j], first[j + 1], times, era, marked, weight, slope, spans, rates, gone)
            for e in range(eras):
                at = place[e] + k * streams + j
                for m in range(terms):
                    value -= theta[at] * values[g, m] * gone[0, e, m]
                    by_theta[at] -= values[g, m] * gone[0, e, m]
                    by_values[g, m] -= theta[at] * gone[0, e, m]
                    by_values[g, terms + m] -= theta[at] * values[g, m] * gone[1, e, m]
                    if marked:
                        by_theta[mark_place[j]] -= theta[at] * values[g, m] * gone[2, e, m]
        for d in range(lengths.size):
            for p in range(column.shape[1]):
                by_theta[column[k, p]] += pull[d] * rate[d, k] * design[d, p]
    return value + log_of_lanes(product, power), by_theta, by_values


@njit(cache=True, nogil=True, error_model="numpy")
def hawkes_scores(
    theta: FloatArray,
    values: FloatArray,
    jacobians: FloatArray,
    groups: IntArray,
    times: FloatArray,
    first: IntArray,
    cell: IntArray,
    era: IntArray,
    sizes: FloatArray,
    lengths: FloatArray,
    design: FloatArray,
    spans: FloatArray,
    column: IntArray,
    place: IntArray,
    group: IntArray,
    allowed: IntArray,
    mark_place: IntArray,
    vary: IntArray,
    targets: IntArray,
) -> FloatArray:
    r"""Sum over events of the outer products of :math:`\nabla\log\lambda`, ndarray (p, p).

    Its expectation is the information; at fixed kernels and a constant background it is the
    observed information itself. Arguments as for `hawkes_exponential`, and `jacobians` (G, 2 M, q)
    and `groups` (G, q) of the kernels' parameters.
    """
    streams, terms, eras = column.shape[0], values.shape[1] // 2, place.size
    marked, moving, apart = sizes.size > 0, vary[0] > 0, vary[1] > 0
    out = np.zeros((theta.size, theta.size))
    rate = background_rates(theta, design, column)
    weight, slope = mark_weights(theta, sizes, first, mark_place)
    lines, own, columns = streams * eras * terms, groups.shape[1], column.shape[1]
    state = np.empty((4, lines))
    pointer = np.empty(streams, np.int64)
    sums = np.empty((lines, BLOCK))
    ages = np.empty((lines if moving else 1, BLOCK))
    marks = np.empty((lines if marked else 1, BLOCK))
    none = np.empty((1, BLOCK))
    scratch = np.empty((4 + terms, BLOCK))
    intensity = np.empty(BLOCK)
    for k in targets:
        # Local features: background columns, R of each source and era, mark exponents, kernels.
        where = np.full(theta.size, -1, np.int64)
        member = np.empty(theta.size, np.int64)
        local = 0
        for p in range(columns):
            if where[column[k, p]] < 0:
                where[column[k, p]] = local
                member[local] = column[k, p]
                local += 1
        for j in range(streams):
            if not allowed[k, j]:
                continue
            for e in range(eras):
                at = place[e] + k * streams + j
                where[at] = local
                member[local] = at
                local += 1
            if marked and where[mark_place[j]] < 0:
                where[mark_place[j]] = local
                member[local] = mark_place[j]
                local += 1
            for q in range(own):
                at = groups[group[k, j], q]
                if where[at] < 0:
                    where[at] = local
                    member[local] = at
                    local += 1
        features = np.empty((local, BLOCK))
        inner = np.zeros((local, local))
        state[:] = 0.0
        for j in range(streams):
            pointer[j] = first[j]
        scored = first[k] + np.searchsorted(times[first[k] : first[k + 1]], spans[0, 0])
        for start in range(first[k], first[k + 1], BLOCK):
            stop = min(start + BLOCK, first[k + 1])
            size = stop - start
            _fill_block(
                k, start, stop, times, era, marked, weight, slope, first, eras, values, group,
                allowed, int(moving), apart, state, pointer, sums, ages, none, marks, scratch,
            )  # fmt: skip
            features[:, :] = 0.0
            for i in range(size):
                d = cell[start + i]
                intensity[i] = rate[d, k]
                for p in range(columns):
                    features[where[column[k, p]], i] += rate[d, k] * design[d, p]
            for j in range(streams):
                if not allowed[k, j]:
                    continue
                g = group[k, j]
                for e in range(eras):
                    at, line = place[e] + k * streams + j, (j * eras + e) * terms
                    reach = theta[at]
                    effect = features[where[at]]
                    for m in range(terms):
                        w, b = values[g, m], values[g, terms + m]
                        row = sums[line + m]
                        for i in range(size):
                            effect[i] += w * b * row[i]
                        for q in range(own):
                            by_weight = reach * b * jacobians[g, m, q]
                            by_rate = reach * w * jacobians[g, terms + m, q]
                            feature = features[where[groups[g, q]]]
                            if by_weight != 0.0:
                                for i in range(size):
                                    feature[i] += by_weight * row[i]
                            if moving and by_rate != 0.0:
                                aged = ages[line + m]
                                for i in range(size):
                                    feature[i] += by_rate * (row[i] - b * aged[i])
                        if marked:
                            feature = features[where[mark_place[j]]]
                            for i in range(size):
                                feature[i] += reach * w * b * marks[line + m, i]
                    for i in range(size):
                        intensity[i] += reach * effect[i]
            for i in range(max(scored - start, 0)):
                intensity[i] = np.inf
            for i in range(size):
                intensity[i] = 1.0 / intensity[i]
            for a in range(local):
                feature = features[a]
                for i in range(size):
                    feature[i] *= intensity[i]
            for a in range(local):
                for b in range(a + 1):
                    inner[a, b] += _dot(features[a], features[b], size)
        for a in range(local):
            for b in range(a + 1):
                out[member[a], member[b]] += inner[a, b]
                if a != b:
                    out[member[b], member[a]] += inner[a, b]
    return out
