"""Loops over the periods of count likelihoods, written so that the compiler vectorises them."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.likelihood.count_terms import dispersed_term
from escalation.likelihood.exponential import fade, logarithm
from escalation.parameters import FloatArray

#: Below this dispersion the terms are summed by their series, one by one.
SMALL = 1e-5
#: Means outside this range are no counts.
LOWEST, HIGHEST = 1e-300, 1e15
#: Exponents beyond this overflow.
STEEP = 690.0


# Sums alone may be taken in another order, the same one on every run: four at a time.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def lane_sum(a: FloatArray) -> float:
    """Sum of a vector."""
    out = 0.0
    for i in range(a.size):
        out += a[i]
    return out


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def dot(a: FloatArray, b: FloatArray) -> float:
    """Sum of the products of two vectors of one length."""
    out = 0.0
    for i in range(a.size):
        out += a[i] * b[i]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def assign(out: FloatArray, a: FloatArray) -> None:
    """Copy one vector to another; compiles in a fraction of the time of ``out[:] = a``."""
    for i in range(out.size):
        out[i] = a[i]


@njit(cache=True, nogil=True, error_model="numpy")
def add_scaled(out: FloatArray, factor: float, a: FloatArray) -> None:
    """Add a multiple of one vector to another, in place."""
    for i in range(out.size):
        out[i] += factor * a[i]


@njit(cache=True, nogil=True, error_model="numpy")
def exponentials(x: FloatArray) -> bool:
    """Exponentials in place; false where one would overflow."""
    steep = 0
    for i in range(x.size):
        steep += 0 if x[i] < STEEP else 1
    for i in range(x.size):
        x[i] = fade(x[i])
    return steep == 0


@njit(cache=True, nogil=True, error_model="numpy")
def lagged_sums(weights: FloatArray, counts: FloatArray, past: FloatArray) -> None:
    """Add the weighted counts (K, T) of the L periods before each of the last T - L, in place."""
    lags = weights.size
    periods = counts.shape[1]
    for j in range(counts.shape[0]):
        for lag in range(lags):
            if weights[lag] != 0.0:
                before = counts[j, lags - 1 - lag : periods - 1 - lag]
                add_scaled(past[j], weights[lag], before)


@njit(cache=True, nogil=True, error_model="numpy")
def lag_slopes(back: FloatArray, counts: FloatArray, out: FloatArray) -> None:
    """Add to `out` (L,) the products of slopes by the past (K, T - L) with each lag's counts."""
    lags = out.size
    periods = counts.shape[1]
    for j in range(counts.shape[0]):
        for lag in range(lags):
            out[lag] += dot(back[j], counts[j, lags - 1 - lag : periods - 1 - lag])


@njit(cache=True, nogil=True, error_model="numpy")
def poisson_row(
    y: FloatArray, mean: FloatArray, used: FloatArray, slope: FloatArray, scratch: FloatArray
) -> float:
    r"""Sum of :math:`y\log\mu - \mu` over used periods; the slopes by the means are written."""
    bad = 0
    for i in range(y.size):
        bad += 0 if (mean[i] > LOWEST) & (mean[i] < HIGHEST) else 1
    if bad > 0:
        return -np.inf
    for i in range(y.size):
        scratch[i] = used[i] * (y[i] * logarithm(mean[i]) - mean[i])
        slope[i] = used[i] * (y[i] / mean[i] - 1.0)
    value: float = lane_sum(scratch)
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def dispersed_row(
    y: FloatArray,
    mean: FloatArray,
    used: FloatArray,
    psi: float,
    slope: FloatArray,
    scratch: FloatArray,
) -> tuple[float, float]:
    r"""Sum of :math:`y\log\mu - (y + 1/\psi)\log(1 + \psi\mu)` over used periods.

    What depends on the counts and on psi alone is left to `rising`.

    Parameters
    ----------
    y, mean, used : ndarray (n,)
    psi : float
    slope : ndarray (n,)
        Slopes by the means are written here.
    scratch : ndarray (2, n)

    Returns
    -------
    value, by_psi : float
        Minus infinity where a mean is not one of counts.
    """
    bad = 0
    for i in range(y.size):
        inside = (mean[i] > LOWEST) & (mean[i] < HIGHEST) & (1.0 + psi * mean[i] > 0.0)
        bad += 0 if inside else 1
    if bad > 0:
        return -np.inf, 0.0
    if not psi > SMALL:
        value = 0.0
        by_psi = 0.0
        for i in range(y.size):
            if used[i] > 0.0:
                term, change = dispersed_term(y[i], mean[i], psi)
                value += y[i] * np.log(mean[i]) + term
                by_psi += change
            slope[i] = used[i] * (y[i] / mean[i] - (1.0 + psi * y[i]) / (1.0 + psi * mean[i]))
        return value, by_psi
    inverse = 1.0 / psi
    value_at, by_psi_at = scratch[0], scratch[1]
    for i in range(y.size):
        m = mean[i]
        x = psi * m
        u = 1.0 + x
        both = 1.0 / (m * u)
        over = m * both
        # The second part mends what the rounding of 1 + x has lost.
        log_u = logarithm(u) + (x - (u - 1.0)) * over
        value_at[i] = used[i] * (y[i] * logarithm(m) - (y[i] + inverse) * log_u)
        by_psi_at[i] = used[i] * ((log_u - x * over) * inverse * inverse - y[i] * m * over)
        slope[i] = used[i] * ((y[i] - m) * both)
    return lane_sum(value_at), lane_sum(by_psi_at)
