"""Power series of the count of a day and of the state that it leaves."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Rows of the series of a day: A, B and their derivatives A_s, B_s, A_ss.
A, B, A1, B1, A2 = 0, 1, 2, 3, 4


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
