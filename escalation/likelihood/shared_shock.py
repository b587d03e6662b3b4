r"""Likelihood of counts whose streams share one gamma multiplier a period.

.. math:: \epsilon_t \sim \mathrm{Gamma}(\text{mean } 1, \text{variance } \sigma^2), \qquad
          y_{tk} \mid \epsilon_t \sim \mathrm{Poisson}(\epsilon_t\mu_{tk})
          \text{ or } \mathrm{NB}(\epsilon_t\mu_{tk}, \psi_k)

With Poisson counts the integral is the negative multinomial law. With negative binomial counts it
is taken over :math:`u = \log\epsilon`, in which the integrand is log-concave, by the trapezoidal
rule around its mode: its error falls exponentially in one over the step (Trefethen & Weideman
2014, SIAM Review 56(3)).
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import (
    HIGHEST,
    LOWEST,
    assign,
    dispersed_row,
    dot,
    lane_sum,
)
from escalation.likelihood.exponential import fade, logarithm
from escalation.parameters import FloatArray

#: Variances below this are taken for it: the law is then that without a shock, to 1e-6.
STILL = 1e-7
#: Dispersions below this are taken for it inside the integral.
PLAIN = 1e-6
#: Step in standard deviations of the mode's normal law, and at most: the gamma law's transform
#: falls like exp(-pi^2 / step).
STEP, WIDEST = 0.7, 0.33
#: The integrand is followed until it has fallen by so much on the log scale.
FALL = 30.0
NODES = 400
#: Where the integrand is narrower than this on the log scale, differences are taken with care.
NARROW = 0.03


@njit(cache=True, nogil=True, error_model="numpy")
def shocked_poisson(
    y: FloatArray, mean: FloatArray, used: FloatArray, variance: float, slope: FloatArray
) -> tuple[float, float]:
    r"""Sum of :math:`\sum_k y_k\log\mu_k - (Y + 1/\sigma^2)\log(1 + \sigma^2 M)` over periods.

    Parameters
    ----------
    y, mean, slope : ndarray (K, n)
        The slopes by the means are written.
    used : ndarray (n,)
    variance : float
        Of the shock.

    Returns
    -------
    value, by_variance : float
        Without what depends on the counts and the variance alone (`rising` of the totals).
    """
    streams, size = y.shape
    total = np.zeros(size)
    together = np.zeros(size)
    for k in range(streams):
        for i in range(size):
            total[i] += y[k, i]
            together[i] += mean[k, i]
    common = np.empty(size)
    scratch = np.empty((2, size))
    value, by_variance = dispersed_row(total, together, used, variance, common, scratch)
    if not value > -np.inf:
        return value, 0.0
    for i in range(size):
        scratch[0, i] = -used[i] * total[i] * logarithm(together[i])
        common[i] -= used[i] * total[i] / together[i]
    value += lane_sum(scratch[0])
    for k in range(streams):
        for i in range(size):
            m = mean[k, i]
            if not m > LOWEST:
                return -np.inf, 0.0
            scratch[0, i] = used[i] * y[k, i] * logarithm(m)
            slope[k, i] = common[i] + used[i] * y[k, i] / m
        value += lane_sum(scratch[0])
    return value, by_variance


@njit(cache=True, nogil=True, error_model="numpy")
def _slopes_at(
    u: float, y: FloatArray, mean: FloatArray, psi: FloatArray, shape: float
) -> tuple[float, float]:
    """First and second derivative of the log-integrand at u."""
    epsilon = np.exp(u)
    first = shape - shape * epsilon
    second = -shape * epsilon
    for k in range(y.size):
        x = psi[k] * mean[k] * epsilon
        fraction = x / (1 + x)
        weight = y[k] + 1 / psi[k]
        first += y[k] - weight * fraction
        second -= weight * fraction / (1 + x)
    return first, second


@njit(cache=True, nogil=True, error_model="numpy")
def _integrand(u: float, y: FloatArray, mean: FloatArray, psi: FloatArray, shape: float) -> float:
    """Log-integrand at u, without what does not depend on it."""
    epsilon = np.exp(u)
    out: float = shape * (u - np.expm1(u))
    for k in range(y.size):
        out += y[k] * u - (y[k] + 1 / psi[k]) * np.log1p(psi[k] * mean[k] * epsilon)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _mode(y: FloatArray, mean: FloatArray, psi: FloatArray, shape: float) -> tuple[float, float]:
    """Mode of the integrand by Newton steps of at most one, and minus the curvature there."""
    u = np.log((y.sum() + shape) / (mean.sum() + shape))
    first, second = _slopes_at(u, y, mean, psi, shape)
    for _ in range(60):
        step = min(max(-first / second, -1.0), 1.0)
        u += step
        first, second = _slopes_at(u, y, mean, psi, shape)
        if abs(step) < 1e-6:
            break
    return u, -second


@njit(cache=True, nogil=True, error_model="numpy")
def _end(
    u: float, away: float, y: FloatArray, mean: FloatArray, psi: FloatArray, shape: float
) -> float:
    """Where the integrand has fallen by `FALL`, going away from its mode by doubling steps."""
    top = _integrand(u, y, mean, psi, shape)
    near, far = u, u + away
    while top - _integrand(far, y, mean, psi, shape) < FALL and abs(far - u) < 500.0:
        near, far = far, u + 2 * (far - u)
    for _ in range(5):
        middle = (near + far) / 2
        if top - _integrand(middle, y, mean, psi, shape) < FALL:
            near = middle
        else:
            far = middle
    return far


@njit(cache=True, nogil=True, error_model="numpy")
def _period(
    y: FloatArray,
    mean: FloatArray,
    psi: FloatArray,
    shape: float,
    slope: FloatArray,
    by_psi: FloatArray,
    nodes: FloatArray,
) -> tuple[float, float]:
    """Log of the integral of one period, and E(u - e^u + 1); slopes are written or added.

    The integrand is without the normaliser of the gamma law, and without the `rising` part.
    """
    streams = y.size
    mode, curvature = _mode(y, mean, psi, shape)
    spread = 1 / np.sqrt(curvature)
    left = _end(mode, -5 * spread, y, mean, psi, shape)
    right = _end(mode, 5 * spread, y, mean, psi, shape)
    step = min(STEP * spread, WIDEST)
    number = int((right - left) / step) + 1
    if number > NODES:
        number = NODES
        step = (right - left) / (NODES - 1)
    log_f, epsilon, excess = nodes[0], nodes[1], nodes[2]
    logs, fractions = nodes[3 : 3 + streams], nodes[3 + streams :]
    for n in range(number):
        epsilon[n] = fade(left + n * step)
        excess[n] = left + n * step - epsilon[n] + 1.0
    if spread < NARROW:
        # Near one the difference cancels; there are few such fits.
        for n in range(number):
            u = left + n * step
            excess[n] = u - np.expm1(u)
    for n in range(number):
        log_f[n] = shape * excess[n]
    for k in range(streams):
        factor = psi[k] * mean[k]
        weight = y[k] + 1 / psi[k]
        for n in range(number):
            x = factor * epsilon[n]
            one = 1.0 + x
            over = 1.0 / one
            # The second part mends what the rounding of 1 + x has lost.
            log_one = logarithm(one) + (x - (one - 1.0)) * over
            logs[k, n] = log_one
            fractions[k, n] = x * over
            log_f[n] += y[k] * (left + n * step) - weight * log_one
    highest = log_f[0]
    for n in range(1, number):
        highest = max(highest, log_f[n])
    total = 0.0
    by_shape = 0.0
    for n in range(number):
        log_f[n] = fade(log_f[n] - highest)
        total += log_f[n]
        by_shape += log_f[n] * excess[n]
    value = highest + np.log(total * step)
    for k in range(streams):
        weight = y[k] + 1 / psi[k]
        fraction = dot(log_f[:number], fractions[k, :number]) / total
        log_mean = dot(log_f[:number], logs[k, :number]) / total
        value += y[k] * np.log(mean[k])
        slope[k] = (y[k] - weight * fraction) / mean[k]
        by_psi[k] += log_mean / psi[k] ** 2 - weight * fraction / psi[k]
    return value, by_shape / total


@njit(cache=True, nogil=True, error_model="numpy")
def _normaliser(a: float) -> tuple[float, float]:
    r"""Value and slope of :math:`a\log a - a - \log\Gamma(a)`, by Stirling's series from 12 on."""
    value = 0.0
    slope = 0.0
    below = a
    while below < 12.0:
        value += np.log(below)
        slope += 1 / below
        below += 1.0
    f = 1 / (below * below)
    tail = (1 / 12 - f * (1 / 360 - f * (1 / 1260 - f / 1680))) / below
    steep = f * (1 / 12 - f * (1 / 120 - f * (1 / 252 - f * (1 / 240 - f / 132))))
    if below == a:
        # log a - 1/2a - ... taken off at once: nothing cancels where a is large.
        return 0.5 * np.log(a / (2 * np.pi)) - tail, 0.5 / a + steep
    log_gamma = (below - 0.5) * np.log(below) - below + 0.5 * np.log(2 * np.pi) + tail - value
    digamma = np.log(below) - 0.5 / below - steep - slope
    return a * np.log(a) - a - log_gamma, np.log(a) - digamma


@njit(cache=True, nogil=True, error_model="numpy")
def shocked_dispersed(
    y: FloatArray,
    mean: FloatArray,
    used: FloatArray,
    variance: float,
    psi: FloatArray,
    slope: FloatArray,
    by_psi: FloatArray,
) -> tuple[float, float]:
    """Sum of the logs of the integrals over used periods, without the `rising` parts.

    Parameters
    ----------
    y, mean, slope : ndarray (K, n)
        The slopes by the means are written.
    used : ndarray (n,)
    variance : float
    psi, by_psi : ndarray (K,)
        The slopes by the dispersions are added.

    Returns
    -------
    value, by_variance : float
    """
    streams, size = y.shape
    shape = 1 / max(variance, STILL)
    own = np.maximum(psi, PLAIN)
    nodes = np.empty((3 + 2 * streams, NODES))
    count, average, change = np.empty(streams), np.empty(streams), np.empty(streams)
    normaliser, bend = _normaliser(shape)
    value = 0.0
    by_shape = 0.0
    for i in range(size):
        if used[i] == 0.0:
            slope[:, i] = 0.0
            continue
        for k in range(streams):
            count[k], average[k] = y[k, i], mean[k, i]
            if not (average[k] > LOWEST and average[k] < HIGHEST):
                return -np.inf, 0.0
        term, moved = _period(count, average, own, shape, change, by_psi, nodes)
        value += term + normaliser
        by_shape += moved + bend
        assign(slope[:, i], change)
    return value, -by_shape * shape * shape


def shocked_log_pmf(
    counts: NDArray[np.int64], mean: FloatArray, dispersion: FloatArray | None, shock: FloatArray
) -> FloatArray:
    """Log-probability of all counts of a period together.

    Parameters
    ----------
    counts : ndarray of int (T, K)
    mean : ndarray (n, T, K)
        NaN in any stream gives NaN.
    dispersion : ndarray (n, K), optional
        Poisson if not given.
    shock : ndarray (n,)
        Variance of what the streams share.

    Returns
    -------
    ndarray (n, T, 1)
    """
    found = _log_pmf(
        np.ascontiguousarray(counts, float),
        np.ascontiguousarray(mean, float),
        np.zeros((len(mean), counts.shape[1])) if dispersion is None else dispersion,
        np.asarray(shock, float),
        dispersion is None,
    )
    return np.asarray(found[:, :, None])


@njit(cache=True, nogil=True, error_model="numpy")
def _rising_of(y: float, psi: float) -> float:
    out = 0.0
    for i in range(1, int(y)):
        out += np.log1p(i * psi)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _log_pmf(
    counts: FloatArray, mean: FloatArray, psi: FloatArray, shock: FloatArray, poisson: bool
) -> FloatArray:
    draws, periods, streams = mean.shape
    out = np.full((draws, periods), np.nan)
    one = np.ones(1)
    slope = np.empty((streams, 1))
    spare = np.zeros(streams)
    for n in range(draws):
        for t in range(periods):
            if np.isnan(mean[n, t].sum()):
                continue
            y = counts[t].copy().reshape((streams, 1))
            m = mean[n, t].copy().reshape((streams, 1))
            if poisson:
                value = shocked_poisson(y, m, one, shock[n], slope)[0]
                value += _rising_of(counts[t].sum(), shock[n])
            else:
                value = shocked_dispersed(y, m, one, shock[n], psi[n], slope, spare)[0]
            for k in range(streams):
                if not poisson:
                    value += _rising_of(counts[t, k], psi[n, k])
                for i in range(2, int(counts[t, k]) + 1):
                    value -= np.log(float(i))
            out[n, t] = value
    return out
