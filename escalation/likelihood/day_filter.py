"""Log-likelihood of one exponential Hawkes stream whose times are known to the day."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Slack of 1 - R below which the stationary start leaves the formula that diverges at R = 1.
SLACK = 0.05
#: Below this mean the state counts as empty.
EMPTY = 1e-250
#: Rows of the series of a day: A, B and their derivatives A_s, B_s, A_ss.
A, B, A1, B1, A2 = 0, 1, 2, 3, 4
#: Rows of the working array: 1/q, B_s/q, its square, A_s B_s/q, the series of which mean and
#: second moment are averages, and the weights of those averages (q = 1 - spread B).
INVERSE, RATIO, SQUARE, CROSSED, FIRST, SECOND, WEIGHT = 0, 1, 2, 3, 4, 5, 6
#: Size at which the partial results of the series of a busy day are scaled down.
LARGE = 1e200


def time_grid(largest: int) -> tuple[FloatArray, FloatArray]:
    """Chebyshev nodes on [0, 1] and the matrix that integrates from 0 to each of them.

    Parameters
    ----------
    largest : int
        Largest count of a day, the degree up to which the series are wanted.

    Returns
    -------
    nodes : ndarray (N,)
        Increasing, the first 0 and the last 1.
    integral : ndarray (N, N)
        ``integral @ f(nodes)`` is the integral of `f` from 0 to each node.

    References
    ----------
    Trefethen (2000), Spectral Methods in MATLAB, chapters 6 and 12.
    """
    # A coefficient of degree n rises at most like t**n, whose Chebyshev coefficients k fall like
    # exp(-k**2 / n); 40 nodes carry the decay of the kernel itself.
    order = max(40, int(np.ceil(5.2 * np.sqrt(largest))))
    angle = np.pi * np.arange(order, -1, -1) / order
    node = np.cos(angle)
    degree = np.arange(order + 1)
    values = np.cos(np.outer(angle, degree))
    # Antiderivatives of the Chebyshev polynomials, zero at -1.
    rising = np.cos(np.outer(angle, np.arange(order + 2)))
    primitive = np.empty((order + 1, order + 1))
    primitive[:, 0] = rising[:, 1]
    primitive[:, 1] = rising[:, 2] / 4
    for k in range(2, order + 1):
        primitive[:, k] = rising[:, k + 1] / (2 * (k + 1)) - rising[:, k - 1] / (2 * (k - 1))
    primitive -= primitive[0]
    integral = np.linalg.solve(values.T, primitive.T).T / 2
    integral[0] = 0.0
    return (node + 1) / 2, np.ascontiguousarray(integral)


@njit(cache=True, nogil=True, error_model="numpy")
def solve(a: FloatArray, b: FloatArray) -> None:
    """Solution of a x = b (n, m), left in `b`, by elimination with pivots; `a` is overwritten."""
    size, columns = b.shape
    for i in range(size):
        pivot = i
        for r in range(i + 1, size):
            if abs(a[r, i]) > abs(a[pivot, i]):
                pivot = r
        if pivot != i:
            for c in range(i, size):
                a[i, c], a[pivot, c] = a[pivot, c], a[i, c]
            for c in range(columns):
                b[i, c], b[pivot, c] = b[pivot, c], b[i, c]
        inverse = 1.0 / a[i, i]
        for r in range(i + 1, size):
            factor = a[r, i] * inverse
            for c in range(i + 1, size):
                a[r, c] -= factor * a[i, c]
            for c in range(columns):
                b[r, c] -= factor * b[i, c]
    for i in range(size - 1, -1, -1):
        inverse = 1.0 / a[i, i]
        for c in range(columns):
            b[i, c] *= inverse
        for r in range(i):
            for c in range(columns):
                b[r, c] -= a[r, i] * b[i, c]


@njit(cache=True, nogil=True, error_model="numpy")
def _product(a: FloatArray, b: FloatArray, out: FloatArray) -> None:
    """Power series of a b, to the degree of `out`."""
    for i in range(out.size):
        total = 0.0
        for j in range(i + 1):
            total += a[j] * b[i - j]
        out[i] = total


@njit(cache=True, nogil=True, error_model="numpy")
def day_series(
    reach: float, decay: float, degree: int, nodes: FloatArray, integral: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    r"""Power series, in the count of a day, of the transform of the day's count and last state.

    With :math:`g = z e^B`, :math:`\tau = \beta u` and :math:`B = \eta C`,

    .. math:: C' = -C + g - 1, \quad B_s = -e^{-\tau + \eta \int g}, \quad
              \beta A_s = \int g B_s, \quad \beta A = \int (g - 1)

    The coefficient of :math:`z^i` in g needs those of C below i only, so each is a quadrature,
    not the solution of a non-linear equation; nothing but the end of the integrals depends on
    the decay. Coefficients are those of powers of z / scale, so that they stay near one.

    Parameters
    ----------
    reach, decay : float
        R and the rate of the exponential, a day.
    degree : int
    nodes, integral : ndarray (N,), (N, N)
        From `time_grid`.

    Returns
    -------
    scale : float
    series : ndarray (5, degree + 1)
        Of A, B, A_s, B_s and A_ss at the end of the day, at s = 0.
    slopes : ndarray (2, 5, degree + 1)
        Their derivatives by `reach` and by `decay`.
    """
    size = nodes.size
    terms = degree + 1
    # The generating function of a whole cluster has its singularity at 1 / (R exp(1 - R)).
    share = min(max(reach * -np.expm1(-decay), 1e-16), 1.0)
    scale = 1.0 / (share * np.exp(1.0 - share))

    # Nodes crowd at small ages when the kernel is short: age = 4 (exp(span * node) - 1).
    span = np.log1p(decay / 4.0)
    weight = np.empty((size, size))
    system = np.empty((size, size))
    age = np.empty(size)
    for i in range(size):
        age[i] = 4.0 * np.expm1(span * nodes[i])
    for i in range(size):
        for j in range(size):
            weight[i, j] = integral[i, j] * span * (4.0 + age[j])
            system[i, j] = weight[i, j] + (1.0 if i == j else 0.0)
    solver = weight.copy()
    solve(system, solver)

    # Series are (terms, size): one row a coefficient, so that operators act on whole rows.
    c = np.zeros((terms, size))
    c_slope = np.zeros((terms, size))
    e = np.zeros((terms, size))  # exp(eta C)
    e_slope = np.zeros((terms, size))
    x = np.zeros((terms, size))  # -B_s
    x_slope = np.zeros((terms, size))
    g_sum = np.zeros((terms, size))  # integral of g, and eta times it with its slope
    g_slope = np.zeros((terms, size))
    for t in range(size):
        c[0, t] = np.expm1(-age[t])
        e[0, t] = np.exp(reach * c[0, t])
        e_slope[0, t] = e[0, t] * c[0, t]
        x[0, t] = np.exp(-age[t])
    for i in range(1, terms):
        for t in range(size):
            total = 0.0
            slope = 0.0
            gathered = 0.0
            gathered_slope = 0.0
            for s in range(size):
                g = scale * e[i - 1, s]
                g_ = scale * e_slope[i - 1, s]
                total += solver[t, s] * g
                slope += solver[t, s] * g_
                gathered += weight[t, s] * g
                gathered_slope += weight[t, s] * g_
            c[i, t] = total
            c_slope[i, t] = slope
            g_sum[i, t] = gathered
            g_slope[i, t] = gathered_slope
        for j in range(1, i + 1):
            for t in range(size):
                b = j * reach * c[j, t]
                b_ = j * (c[j, t] + reach * c_slope[j, t])
                h = j * reach * g_sum[j, t]
                h_ = j * (g_sum[j, t] + reach * g_slope[j, t])
                e[i, t] += b * e[i - j, t]
                e_slope[i, t] += b_ * e[i - j, t] + b * e_slope[i - j, t]
                x[i, t] += h * x[i - j, t]
                x_slope[i, t] += h_ * x[i - j, t] + h * x_slope[i - j, t]
        for t in range(size):
            e[i, t] /= i
            e_slope[i, t] /= i
            x[i, t] /= i
            x_slope[i, t] /= i

    # Ages' integrals of g B_s and g B_s^2, and the integrands at the end of the day.
    series = np.zeros((5, terms))
    slopes = np.zeros((2, 5, terms))
    end = size - 1
    p = np.zeros(terms)
    p_slope = np.zeros(terms)
    w = np.zeros(terms)
    w_slope = np.zeros(terms)
    p_end = np.zeros(terms)
    w_end = np.zeros(terms)
    gx = np.zeros(terms)
    gx_ = np.zeros(terms)
    for t in range(size):
        share = weight[end, t]
        for i in range(1, terms):
            total = 0.0
            slope = 0.0
            for j in range(i):
                total += e[j, t] * x[i - 1 - j, t]
                slope += e_slope[j, t] * x[i - 1 - j, t] + e[j, t] * x_slope[i - 1 - j, t]
            gx[i] = scale * total
            gx_[i] = scale * slope
            p[i] -= share * gx[i]
            p_slope[i] -= share * gx_[i]
        for i in range(1, terms):
            total = 0.0
            slope = 0.0
            for j in range(1, i + 1):
                total += gx[j] * x[i - j, t]
                slope += gx_[j] * x[i - j, t] + gx[j] * x_slope[i - j, t]
            w[i] += share * total
            w_slope[i] += share * slope
            if t == end:
                w_end[i] = total
                p_end[i] = -gx[i]
    pp = np.zeros(terms)
    pp_ = np.zeros(terms)
    p_day = np.zeros(terms)
    _product(p, p, pp)
    _product(p, p_slope, pp_)
    _product(p, p_end, p_day)
    for i in range(terms):
        one = 1.0 if i == 0 else 0.0
        g = scale * e[i - 1, end] if i > 0 else 0.0
        a = g_sum[i, end] / decay - one
        series[0, i] = a
        slopes[0, 0, i] = g_slope[i, end] / decay
        slopes[1, 0, i] = (g - one - a) / decay
        series[1, i] = reach * c[i, end]
        slopes[0, 1, i] = c[i, end] + reach * c_slope[i, end]
        slopes[1, 1, i] = reach * (g - one - c[i, end])
        series[2, i] = p[i] / decay
        slopes[0, 2, i] = p_slope[i] / decay
        slopes[1, 2, i] = (p_end[i] - series[2, i]) / decay
        series[3, i] = -x[i, end]
        slopes[0, 3, i] = -x_slope[i, end]
        gain = -x[i, end]
        for j in range(1, i + 1):
            gain += reach * scale * e[j - 1, end] * x[i - j, end]
        slopes[1, 3, i] = -gain
        series[4, i] = (w[i] + 0.5 * reach * pp[i]) / decay
        slopes[0, 4, i] = (w_slope[i] + 0.5 * pp[i] + reach * pp_[i]) / decay
        slopes[1, 4, i] = (w_end[i] + reach * p_day[i] - series[4, i]) / decay
    return scale, series, slopes


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
def fade(rate: float) -> tuple[float, float, float]:
    """exp(-rate), its mean over [0, 1] of the exponent, and the derivative of that mean."""
    e = np.exp(-rate)
    if abs(rate) < 1e-3:
        mean = 1.0 - rate / 2.0 + rate * rate / 6.0 - rate * rate * rate / 24.0
        slope = -0.5 + rate / 3.0 - rate * rate / 8.0 + rate * rate * rate / 30.0
    else:
        mean = -np.expm1(-rate) / rate
        slope = (e - mean) / rate
    return e, mean, slope


@njit(cache=True, nogil=True, error_model="numpy")
def slack(reach: float) -> tuple[float, float]:
    """1 - R with its derivative, kept positive at R near and above 1."""
    gap = 1.0 - reach
    if gap >= SLACK:
        return gap, -1.0
    ratio = SLACK / (2.0 * SLACK - gap)
    return SLACK * ratio, -ratio * ratio


@njit(cache=True, nogil=True, error_model="numpy")
def _day(
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
def _day_back(
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
    """Gradient of seeds @ (log-probability, mean, variance) of `_day`.

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


@njit(cache=True, nogil=True, error_model="numpy")
def day_filter(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    watched: FloatArray,
    design: FloatArray,
    nodes: FloatArray,
    integral: FloatArray,
    start: IntArray,
    column: IntArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood of daily counts with its gradients by the parameters and by the kernel.

    .. math:: \lambda(t) = \exp(x_d'b) + R \beta S(t), \quad dS = -\beta S dt + dN

    The times within the day are integrated out. Given the past, S at the start of a day is taken
    to be gamma distributed; its mean and variance given the day's count are then exact, and are
    all that is carried to the next day. Cost O(n + sum of squared counts).

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; the kernel's places are not read.
    values : ndarray (1, 2)
        Weight and rate (a day) of the exponential. Offspring a parent: R times the weight.
    counts : ndarray (D,)
        Incidents of each day.
    watched : ndarray (D,)
        1 where the day was watched, 0 in a gap, whose count is not read.
    design : ndarray (D, P)
    nodes, integral : ndarray (N,), (N, N)
        From `time_grid` of the largest count.
    start : ndarray of int (1,)
        1: the process is as if it had run for ever at the first day's background; 0: no
        incident before the window.
    column : ndarray of int (1, P)
        Place in `theta` of each background coefficient.
    place : ndarray of int (1,)
        Place of R.

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (1, 2)

    Notes
    -----
    The stationary start has mean rate background / (1 - R); at R above 0.95 the divisor is bent
    (with a continuous slope) so that it stays positive. Near or above 1 no stationary law exists:
    start empty.

    The gradient is the adjoint of the recursion, swept from the last day to the first.
    """
    days = counts.size
    columns = column.shape[1]
    decay = values[0, 1]
    reach = theta[place[0]] * values[0, 0]
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, 2))
    failed = -np.inf, by_theta, by_values
    if not (reach >= 0.0 and reach < 1e6 and decay > 0.0 and decay < 1e6):
        return failed

    largest = 0
    offset = np.zeros(days + 1, np.int64)
    for d in range(days):
        n = int(counts[d]) if watched[d] > 0.0 else 0
        largest = max(largest, n)
        offset[d + 1] = offset[d] + n + 1
    scale, series, slopes = day_series(reach, decay, largest, nodes, integral)
    gain = reach * decay
    loss = decay - gain
    e, e_mean, e_slope = fade(loss)

    rate = np.empty(days)
    for d in range(days):
        exponent = 0.0
        for p in range(columns):
            exponent += design[d, p] * theta[column[0, p]]
        rate[d] = np.exp(exponent)
        if not (rate[d] > 0.0 and rate[d] < 1e15):
            return failed

    mean = np.zeros(days + 1)
    variance = np.zeros(days + 1)
    gap, gap_slope = slack(reach)
    if start[0] == 1:
        mean[0] = rate[0] / (gap * decay)
        variance[0] = mean[0] / (2.0 * gap)
    work = np.empty((7, offset[days]))
    whole = np.empty(largest + 1)
    value = 0.0
    for d in range(days):
        m, v = mean[d], variance[d]
        if watched[d] > 0.0:
            n = offset[d + 1] - offset[d] - 1
            gained, mean[d + 1], variance[d + 1] = _day(
                n, rate[d], m, v, gain, scale, series, work, offset[d], whole
            )
            value += gained
        else:
            mean[d + 1] = e * m + rate[d] * e_mean
            variance[d + 1] = (
                e * e * v
                + gain * e * e_mean * m
                + rate[d] * e_mean * 0.5 * (1.0 + e + gain * e_mean)
            )
        if not (value > -np.inf and mean[d + 1] < 1e100 and variance[d + 1] < 1e100):
            return failed

    by_series = np.zeros((5, largest + 1))
    room = np.empty((5, largest + 1))
    to_mean = 0.0
    to_variance = 0.0
    by_gain = 0.0
    by_loss = 0.0
    by_reach = 0.0
    by_decay = 0.0
    for d in range(days - 1, -1, -1):
        m, v = mean[d], variance[d]
        by_mean, by_variance = to_mean, to_variance
        if watched[d] > 0.0:
            n = offset[d + 1] - offset[d] - 1
            by_rate, to_mean, to_variance, gained = _day_back(
                n, (1.0, to_mean, to_variance), rate[d], m, v, gain, series, work, offset[d], room,
                by_series,
            )  # fmt: skip
            by_gain += gained
        else:
            by_rate = by_mean * e_mean
            by_rate += by_variance * e_mean * 0.5 * (1.0 + e + gain * e_mean)
            by_gain += by_variance * e_mean * (e * m + 0.5 * rate[d] * e_mean)
            by_e = by_mean * m + by_variance * (2.0 * e * v + gain * e_mean * m)
            by_e += by_variance * rate[d] * e_mean * 0.5
            by_e_mean = by_mean * rate[d] + by_variance * gain * e * m
            by_e_mean += by_variance * rate[d] * (0.5 * (1.0 + e) + gain * e_mean)
            by_loss += by_e_mean * e_slope - by_e * e
            to_mean = by_mean * e + by_variance * gain * e * e_mean
            to_variance = by_variance * e * e
        if d == 0 and start[0] == 1:
            by_mean = to_mean + to_variance / (2.0 * gap)
            by_rate += by_mean / (gap * decay)
            by_decay -= by_mean * m / decay
            by_reach -= (by_mean * m / gap + to_variance * variance[0] / gap) * gap_slope
        for p in range(columns):
            by_theta[column[0, p]] += by_rate * rate[d] * design[d, p]

    for q in range(5):
        for i in range(largest + 1):
            by_reach += by_series[q, i] * slopes[0, q, i]
            by_decay += by_series[q, i] * slopes[1, q, i]
    by_gain -= by_loss
    by_reach += by_gain * decay
    by_decay += by_gain * reach + by_loss
    by_theta[place[0]] += by_reach * values[0, 0]
    by_values[0, 0] = by_reach * theta[place[0]]
    by_values[0, 1] = by_decay
    return value, by_theta, by_values


@njit(cache=True, nogil=True, error_model="numpy")
def day_probabilities(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    watched: FloatArray,
    design: FloatArray,
    nodes: FloatArray,
    integral: FloatArray,
    start: IntArray,
    column: IntArray,
    place: IntArray,
) -> FloatArray:
    """Probability of a lower count, and of this or a lower one, of each day given earlier days.

    Arguments as for `day_filter`.

    Returns
    -------
    ndarray (D, 2)
        NaN on days that were not watched. A uniform number between the two is uniformly
        distributed if the model holds.
    """
    days = counts.size
    decay = values[0, 1]
    reach = theta[place[0]] * values[0, 0]
    gain = reach * decay
    largest = 0
    for d in range(days):
        if watched[d] > 0.0:
            largest = max(largest, int(counts[d]))
    scale, series, _ = day_series(reach, decay, largest, nodes, integral)
    e, e_mean, _ = fade(decay - gain)
    out = np.full((days, 2), np.nan)
    work = np.empty((7, largest + 1))
    whole = np.empty(largest + 1)
    mean, variance = 0.0, 0.0
    for d in range(days):
        exponent = 0.0
        for p in range(column.shape[1]):
            exponent += design[d, p] * theta[column[0, p]]
        rate = np.exp(exponent)
        if d == 0 and start[0] == 1:
            gap = slack(reach)[0]
            mean = rate / (gap * decay)
            variance = mean / (2.0 * gap)
        if watched[d] > 0.0:
            n = int(counts[d])
            value, mean, variance = _day(
                n, rate, mean, variance, gain, scale, series, work, 0, whole
            )
            below = 0.0
            for i in range(1, n + 1):
                if work[WEIGHT, i] > 0.0:
                    below += np.exp(value + np.log(work[WEIGHT, i]) + i * np.log(scale))
            out[d, 0] = min(below, 1.0)
            out[d, 1] = min(below + np.exp(value), 1.0)
        else:
            variance = e * e * variance + e_mean * (
                gain * e * mean + 0.5 * rate * (1.0 + e + gain * e_mean)
            )
            mean = e * mean + rate * e_mean
    return out


def filter_data(
    counts: FloatArray, watched: FloatArray, design: FloatArray
) -> dict[str, FloatArray]:
    """The arrays that `day_filter` takes after the kernel's values, in its order.

    Parameters
    ----------
    counts : ndarray (D,)
        Whole numbers; what stands in a gap is not read.
    watched : ndarray (D,)
        1 where the day was watched, else 0.
    design : ndarray (D, P)
        Rows at the days' middles.
    """
    seen = np.where(watched > 0, counts, 0.0).astype(float)
    nodes, integral = time_grid(int(seen.max(initial=0.0)))
    return {
        "counts": seen,
        "watched": np.asarray(watched, float),
        "design": np.ascontiguousarray(design, float),
        "nodes": nodes,
        "integral": integral,
    }
