"""Log-likelihood and gradient of the Hawkes process with a link, by quadrature between events."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.quadrature import integrate, link_inverse, link_log_rate
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True)
def hawkes_nonlinear(
    theta: FloatArray,
    values: FloatArray,
    times: FloatArray,
    stream: IntArray,
    edges: FloatArray,
    watched: FloatArray,
    design: FloatArray,
    scale: FloatArray,
    column: IntArray,
    place: IntArray,
    group: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the kernels' exponentials.

    .. math:: \lambda_k(t) = f_k\Bigl(f_k^{-1}(e^{x(t)'b_k}) + \sum_j A_{kj}
              \sum_{t_i < t,\ \kappa_i = j}\sum_m w_m \beta_m e^{-\beta_m (t - t_i)}\Bigr)

    Within a stream a tie is a delay rounded to zero; events of different streams at the very same
    time do not affect one another. The compensator is a quadrature (`integrate`) from each event
    or edge to the next. Under softplus its error is at most ``10 * TOLERANCE`` times the sum over
    streams of scale x length, or for one exponential of the absolute influence of all events;
    under exp, ``100 * TOLERANCE`` times the expected number of events. The panels depend on the
    parameters, but a change of panels moves the value by no more than that error, which is of the
    order of rounding, so that an optimiser sees a smooth function.
    Cost O((n + D) K (K + nodes) M).

    Parameters
    ----------
    theta : ndarray (p,)
    values : ndarray (G, 2 M)
        Weights, then rates, of the exponentials of each group.
    times : ndarray (n,)
        All events in the order of time, from the start of the window.
    stream : ndarray of int (n,)
    edges : ndarray (D + 1,)
        Of the stretches of constant background, from 0 to the end of the window.
    watched : ndarray (D,)
        0 where nobody watched, else 1.
    design : ndarray (D, P)
    scale : ndarray (K,)
        Of softplus, per day.
    column : ndarray of int (K, P)
        Place in `theta` of each background coefficient.
    place : ndarray of int (3,)
        Place of the influence's first entry; the link; how often to cut each panel in two (0, or
        1 for an estimate of the error).
    group : ndarray of int (1, 1), (K, 1) or (K, K)
        Group of the kernel by target and by source.

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (G, 2 M)
    """
    streams, columns = column.shape
    first, link, halvings = place[0], place[1], place[2]
    rows, sources = group.shape
    terms = values.shape[1] // 2
    cells = edges.size - 1
    n = times.size
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    none = (-np.inf, np.zeros(theta.size), np.zeros(values.shape))

    level = np.empty((cells, streams))
    level_slope = np.empty((cells, streams))
    for d in range(cells):
        for k in range(streams):
            log_rate = 0.0
            for p in range(columns):
                log_rate += design[d, p] * theta[column[k, p]]
            level[d, k], level_slope[d, k] = link_inverse(log_rate, scale[k], link)
            if not abs(level[d, k]) < 1e15:
                return none
    pull = np.zeros((cells, streams))  # derivative by level

    # excited: sum over past events of exp(-rate * age); aged: the same times age.
    excited = np.zeros((rows, streams, terms))
    aged = np.zeros((rows, streams, terms))
    tied = np.zeros(streams)
    amplitude = np.zeros(sources * terms)
    decay = np.zeros(sources * terms)
    by_amplitude = np.zeros(sources * terms)
    by_decay = np.zeros(sources * terms)
    work = np.empty((3 + sources * terms, 16))
    value = 0.0
    now = 0.0
    d = 0
    i = 0
    while True:
        at_edge = i == n or (times[i] >= edges[d + 1] and d < cells - 1)
        step = (edges[d + 1] if at_edge else times[i]) - now
        if step > 0.0 and watched[d] > 0.0:
            for k in range(streams):
                h = k if rows > 1 else 0
                amplitude[:] = 0.0
                by_amplitude[:] = 0.0
                by_decay[:] = 0.0
                for j in range(streams):
                    c = j if sources > 1 else 0
                    g = group[h, c]
                    effect = theta[first + k * streams + j]
                    for m in range(terms):
                        w, b = values[g, m], values[g, terms + m]
                        amplitude[c * terms + m] += effect * w * b * excited[h, j, m]
                        decay[c * terms + m] = b
                area, by_level = integrate(
                    level[d, k], amplitude, decay, step, scale[k], link, halvings,
                    by_amplitude, by_decay, work,
                )  # fmt: skip
                if not area < 1e15:
                    return none
                value -= area
                pull[d, k] -= by_level
                for j in range(streams):
                    c = j if sources > 1 else 0
                    g = group[h, c]
                    effect = theta[first + k * streams + j]
                    for m in range(terms):
                        w, b = values[g, m], values[g, terms + m]
                        q = c * terms + m
                        reach = excited[h, j, m] * by_amplitude[q]
                        later = aged[h, j, m] * by_amplitude[q]
                        by_theta[first + k * streams + j] -= w * b * reach
                        by_values[g, m] -= effect * b * reach
                        by_values[g, terms + m] -= effect * w * (reach - b * later)
                for c in range(sources):
                    for m in range(terms):
                        by_values[group[h, c], terms + m] -= by_decay[c * terms + m]
        if step > 0.0:
            now += step
            for h in range(rows):
                for j in range(streams):
                    g = group[h, j if sources > 1 else 0]
                    for m in range(terms):
                        fade = np.exp(-values[g, terms + m] * step)
                        aged[h, j, m] = fade * (aged[h, j, m] + step * excited[h, j, m])
                        excited[h, j, m] *= fade
        if at_edge:
            d += 1
            if d == cells:
                break
            now = edges[d]
            continue
        now = times[i]
        end = i
        tied[:] = 0.0
        while end < n and times[end] == now:
            k = stream[end]
            h = k if rows > 1 else 0
            x = level[d, k]
            for j in range(streams):
                g = group[h, j if sources > 1 else 0]
                effect = theta[first + k * streams + j]
                for m in range(terms):
                    before = excited[h, j, m] + (tied[j] if j == k else 0.0)
                    x += effect * values[g, m] * values[g, terms + m] * before
            log_rate, slope = link_log_rate(x, scale[k], link)
            if not abs(log_rate) < 1e15:
                return none
            value += log_rate
            pull[d, k] += slope
            for j in range(streams):
                g = group[h, j if sources > 1 else 0]
                effect = slope * theta[first + k * streams + j]
                for m in range(terms):
                    w, b = values[g, m], values[g, terms + m]
                    before = excited[h, j, m] + (tied[j] if j == k else 0.0)
                    by_theta[first + k * streams + j] += slope * w * b * before
                    by_values[g, m] += effect * b * before
                    by_values[g, terms + m] += effect * w * (before - b * aged[h, j, m])
            tied[k] += 1.0
            end += 1
        while i < end:
            for h in range(rows):
                for m in range(terms):
                    excited[h, stream[i], m] += 1.0
            i += 1

    for d in range(cells):
        for k in range(streams):
            for p in range(columns):
                pulled = pull[d, k] * level_slope[d, k]
                by_theta[column[k, p]] += pulled * design[d, p]
    return value, by_theta, by_values
