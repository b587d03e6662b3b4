"""Log-likelihood and gradient of the multivariate Hawkes process with exponential mixtures."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True)
def hawkes_exponential(
    theta: FloatArray,
    mixture: FloatArray,
    times: FloatArray,
    stream: IntArray,
    cell: IntArray,
    lengths: FloatArray,
    design: FloatArray,
    end: float,
    column: IntArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the mixture.

    .. math:: \lambda_k(t) = \exp(x(t)'b_k)
              + \sum_j R_{kj}\sum_{t_i < t, \kappa_i = j}\sum_m w_m \beta_m e^{-\beta_m (t - t_i)}

    Events of different streams at the very same time do not set one another off; within a stream
    a tie is a delay rounded to zero, and each event is set off by those before it in the group,
    which is the usual convention. Cost O(n K M).

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters but the kernel's.
    mixture : ndarray (2 M,)
        Weights, then rates, of the exponentials.
    times : ndarray (n,)
        Sorted, from the start of the window.
    stream, cell : ndarray of int (n,)
        Stream of each event and the row of `design` that holds at its time.
    lengths : ndarray (D,)
        Length of each stretch of time over which the background is constant.
    design : ndarray (D, P)
    end : float
        Length of the window.
    column : ndarray of int (K, P)
        Place in `theta` of each background coefficient.
    place : ndarray of int (1,)
        Place of R[0, 0].

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_mixture : ndarray (2 M,)

    References
    ----------
    Ozaki (1979), Annals of the Institute of Statistical Mathematics 31; the recursion for the
    gradient follows by differentiation.
    """
    n = times.size
    streams, columns = column.shape
    terms = mixture.size // 2
    first = place[0]
    cells = lengths.size
    by_theta = np.zeros(theta.size)
    by_mixture = np.zeros(2 * terms)

    rate = np.empty((cells, streams))
    pull = np.zeros((cells, streams))
    value = 0.0
    for d in range(cells):
        for k in range(streams):
            exponent = 0.0
            for p in range(columns):
                exponent += design[d, p] * theta[column[k, p]]
            rate[d, k] = np.exp(exponent)
            value -= rate[d, k] * lengths[d]
            pull[d, k] = -lengths[d]

    # excited[j, m]: sum over past events of j of exp(-rate_m * age); aged: the same times age.
    excited = np.zeros((streams, terms))
    aged = np.zeros((streams, terms))
    passed = np.zeros(streams)
    tied = np.zeros(streams)
    now = 0.0
    i = 0
    while i < n:
        step = times[i] - now
        now = times[i]
        for m in range(terms):
            fade = np.exp(-mixture[terms + m] * step)
            for j in range(streams):
                aged[j, m] = fade * (aged[j, m] + step * excited[j, m])
                excited[j, m] *= fade
        group = i
        tied[:] = 0.0
        while group < n and times[group] == now:
            k = stream[group]
            row = first + k * streams
            intensity = rate[cell[group], k]
            for j in range(streams):
                passed[j] = 0.0
                for m in range(terms):
                    before = excited[j, m] + (tied[j] if j == k else 0.0)
                    passed[j] += mixture[m] * mixture[terms + m] * before
                intensity += theta[row + j] * passed[j]
            if not (intensity > 0.0 and intensity < 1e15):
                return -np.inf, np.zeros(theta.size), np.zeros(2 * terms)
            value += np.log(intensity)
            inverse = 1.0 / intensity
            pull[cell[group], k] += inverse
            for j in range(streams):
                by_theta[row + j] += inverse * passed[j]
                effect = inverse * theta[row + j]
                for m in range(terms):
                    w, b = mixture[m], mixture[terms + m]
                    before = excited[j, m] + (tied[j] if j == k else 0.0)
                    by_mixture[m] += effect * b * before
                    by_mixture[terms + m] += effect * w * (before - b * aged[j, m])
            tied[k] += 1.0
            group += 1
        while i < group:
            for m in range(terms):
                excited[stream[i], m] += 1.0
            i += 1

    gone = np.zeros((streams, terms))
    gone_slope = np.zeros((streams, terms))
    for i in range(n):
        left = end - times[i]
        for m in range(terms):
            fade = np.exp(-mixture[terms + m] * left)
            gone[stream[i], m] += 1.0 - fade
            gone_slope[stream[i], m] += left * fade
    for k in range(streams):
        for j in range(streams):
            reach = theta[first + k * streams + j]
            for m in range(terms):
                value -= reach * mixture[m] * gone[j, m]
                by_theta[first + k * streams + j] -= mixture[m] * gone[j, m]
                by_mixture[m] -= reach * gone[j, m]
                by_mixture[terms + m] -= reach * mixture[m] * gone_slope[j, m]

    for d in range(cells):
        for k in range(streams):
            for p in range(columns):
                by_theta[column[k, p]] += pull[d, k] * rate[d, k] * design[d, p]
    return value, by_theta, by_mixture
