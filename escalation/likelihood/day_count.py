"""Probability of one day's count of a single stream, and the state after it."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_series import A1, A2, B1, A, B
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Below this mean the state counts as empty.
EMPTY = 1e-250

#: Rows of the working array: 1/q, B_s/q, its square, A_s B_s/q, the series of which mean and
#: second moment are averages, and the weights of those averages (q = 1 - spread B).
INVERSE, RATIO, SQUARE, CROSSED, FIRST, SECOND, WEIGHT = 0, 1, 2, 3, 4, 5, 6

#: Size at which the partial results of the series of a busy day are scaled down.
LARGE = 1e200


@njit(cache=True, nogil=True, error_model="numpy")
def _weights(
    n: int, mean: float, scale: float, work: FloatArray, at: int, whole: FloatArray
) -> float:
    """Log of the coefficient of degree n of exp(exponent), and the weights of the lower ones.

    The exponent is read from row SECOND of `work`. Row WEIGHT receives the coefficient of degree
    n - i over that of degree n, in powers of z / scale; `whole` is room for n + 1 numbers.
    """
    if n == 0:
        work[WEIGHT, at] = 1.0
        return float(work[SECOND, at])
    # Near its saddle point the series neither vanishes nor overflows.
    ratio = min(1.0, n / (mean * scale)) if mean * scale > n * 1e-250 else 1.0
    offset = 0.0
    whole[0] = 1.0
    power = 1.0
    for i in range(1, n + 1):
        power *= ratio
        work[WEIGHT, at + i] = i * work[SECOND, at + i] * power
        total = 0.0
        for j in range(1, i + 1):
            total += work[WEIGHT, at + j] * whole[i - j]
        whole[i] = total / i
        if whole[i] > LARGE:
            for j in range(i + 1):
                whole[j] /= LARGE
            offset += np.log(LARGE)
    last = whole[n]
    if not (last > 0.0 and last < np.inf):
        return -np.inf
    power = 1.0
    for i in range(n + 1):
        work[WEIGHT, at + i] = whole[n - i] / last * power
        power *= ratio
    return float(work[SECOND, at] + np.log(last) + offset - n * np.log(ratio * scale))


@njit(cache=True, nogil=True, error_model="numpy")
def log_term(x: float) -> tuple[float, float]:
    """-log(1 - x) / x and (1 / (1 - x) + log(1 - x) / x) / x, for x <= 0."""
    if x > -1e-2:
        value = 0.0
        slope = 0.0
        power = 1.0
        for i in range(9):
            value += power / (i + 1)
            slope += power * (i + 1) / (i + 2)
            power *= x
        return value, slope
    value = -np.log1p(-x) / x
    return value, (1.0 / (1.0 - x) - value) / x


@njit(cache=True, nogil=True, error_model="numpy")
def day_count(
    n: int,
    background: float,
    mean: float,
    variance: float,
    gain: float,
    scale: float,
    series: FloatArray,
    work: FloatArray,
    at: int,
    whole: FloatArray,
) -> tuple[float, float, float]:
    """Log-probability of a day's count, and the state's mean and variance at its end.

    Columns `at`, ..., `at` + n of `work` (7, ...) are filled with what the gradient needs.
    """
    spread = variance / mean if mean > EMPTY else 0.0
    free = 1.0 / (1.0 - spread * series[B, 0])
    work[INVERSE, at] = free
    work[SECOND, at] = background * series[A, 0]
    work[SECOND, at] += mean * series[B, 0] * log_term(spread * series[B, 0])[0]
    for i in range(1, n + 1):
        total = 0.0
        for j in range(1, i + 1):
            total += series[B, j] * work[INVERSE, at + i - j]
        work[INVERSE, at + i] = spread * total * free
        total = 0.0
        for j in range(1, i + 1):
            total += j * series[B, j] * work[INVERSE, at + i - j]
        work[SECOND, at + i] = background * series[A, i] + mean * total / i
    for i in range(n + 1):
        total = 0.0
        for j in range(i + 1):
            total += series[B1, j] * work[INVERSE, at + i - j]
        work[RATIO, at + i] = total
        work[FIRST, at + i] = background * series[A1, i] + mean * total
    value = _weights(n, background + mean * gain, scale, work, at, whole)
    one = 0.0
    two = 0.0
    three = 0.0
    for i in range(n + 1):
        square = 0.0
        crossed = 0.0
        second = 0.0
        for j in range(i + 1):
            square += work[RATIO, at + j] * work[RATIO, at + i - j]
            crossed += series[A1, j] * work[RATIO, at + i - j]
            second += work[FIRST, at + j] * work[FIRST, at + i - j]
        curve = background * series[A2, i] + mean * (gain * crossed + spread * square)
        one += work[WEIGHT, at + i] * work[FIRST, at + i]
        two += work[WEIGHT, at + i] * second
        three += work[WEIGHT, at + i] * curve
        work[SQUARE, at + i] = square
        work[CROSSED, at + i] = crossed
        work[SECOND, at + i] = second + curve
    shift = two - one * one if n > 0 else 0.0
    return value, -one, max(shift + three, 0.0)


@njit(cache=True, nogil=True, error_model="numpy")
def day_count_back(
    n: int,
    seeds: tuple[float, float, float],
    background: float,
    mean: float,
    variance: float,
    gain: float,
    series: FloatArray,
    work: FloatArray,
    at: int,
    room: FloatArray,
    by_series: FloatArray,
) -> tuple[float, float, float, float]:
    """Gradient of seeds @ (log-probability, mean, variance) of `day_count`.

    By the background rate, the mean, the variance and the gain; that by the series is added to
    `by_series`.
    """
    terms = n + 1
    spread = variance / mean if mean > EMPTY else 0.0
    one = 0.0
    two = 0.0
    for i in range(terms):
        one += work[WEIGHT, at + i] * work[FIRST, at + i]
        two += work[WEIGHT, at + i] * work[SECOND, at + i]
    on_second = seeds[2]
    on_first = -seeds[1] - 2.0 * on_second * one
    base = seeds[0] - on_first * one - on_second * two

    # Rows of `room`: adjoints of the exponent, of A_s + ..., of B_s / q and of 1 / q.
    by_background = 0.0
    by_mean = 0.0
    by_gain = 0.0
    by_spread = 0.0
    for i in range(terms):
        weight = work[WEIGHT, at + i]
        moved = 0.0
        shifted = 0.0
        for j in range(terms - i):
            later = work[WEIGHT, at + i + j]
            moved += later * work[FIRST, at + j]
            shifted += later * work[SECOND, at + j]
        by_exponent = base * weight + on_first * moved + on_second * shifted
        by_first = on_first * weight + 2.0 * on_second * moved
        room[0, i] = by_exponent
        room[1, i] = mean * by_first
        room[2, i] = 0.0
        curve = on_second * weight
        exponent_by_mean = 0.0
        by_background += by_exponent * series[A, i] + by_first * series[A1, i]
        by_background += curve * series[A2, i]
        if i == 0:
            exponent_by_mean = series[B, 0] * log_term(spread * series[B, 0])[0]
        else:
            for j in range(1, i + 1):
                exponent_by_mean += j * series[B, j] * work[INVERSE, at + i - j]
            exponent_by_mean /= i
        by_mean += by_exponent * exponent_by_mean + by_first * work[RATIO, at + i]
        by_mean += curve * (gain * work[CROSSED, at + i] + spread * work[SQUARE, at + i])
        by_gain += mean * curve * work[CROSSED, at + i]
        by_spread += mean * curve * work[SQUARE, at + i]
        by_series[A, i] += background * by_exponent
        by_series[A1, i] += background * by_first
        by_series[A2, i] += background * curve
    for i in range(terms):
        crossed = 0.0
        mixed = 0.0
        for j in range(terms - i):
            later = mean * on_second * work[WEIGHT, at + i + j]
            crossed += later * work[RATIO, at + j]
            mixed += later * series[A1, j]
        by_series[A1, i] += gain * crossed
        room[1, i] += gain * mixed + 2.0 * spread * crossed
    for i in range(terms):
        total = 0.0
        by_inverse = 0.0
        linear = 0.0
        for j in range(terms - i):
            total += room[1, i + j] * work[INVERSE, at + j]
            by_inverse += room[1, i + j] * series[B1, j]
            linear += room[0, i + j] * work[INVERSE, at + j]
        by_series[B1, i] += total
        by_series[B, i] += mean * linear
        room[2, i] = by_inverse
    # Rows 3 and 4: 1 / q^2 and B / q^2, the slopes of 1 / q by spread B and by the spread.
    for i in range(terms):
        total = 0.0
        for j in range(i + 1):
            total += work[INVERSE, at + j] * work[INVERSE, at + i - j]
        room[3, i] = total
    for i in range(terms):
        total = 0.0
        for j in range(i + 1):
            total += series[B, j] * room[3, i - j]
        room[4, i] = total
        by_spread += room[2, i] * total
        total = 0.0
        for j in range(terms - i):
            total += room[2, i + j] * room[3, j]
        by_series[B, i] += spread * total
    first = series[B, 0]
    by_spread += mean * room[0, 0] * first * first * log_term(spread * first)[1]
    for i in range(1, terms):
        total = 0.0
        for j in range(1, i + 1):
            total += j * series[B, j] * room[4, i - j]
        by_spread += mean * room[0, i] * total / i

    by_variance = 0.0
    if mean > EMPTY:
        by_variance = by_spread / mean
        by_mean -= by_spread * spread / mean
    return by_background, by_mean, by_variance, by_gain
