"""Log-likelihood and gradient of counts that switch between phases."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import (
    LOWEST,
    SMALL,
    add_scaled,
    assign,
    dot,
    exponentials,
    lag_slopes,
    lagged_sums,
    lane_sum,
)
from escalation.likelihood.count_terms import dispersed_term, rising
from escalation.likelihood.exponential import fade, log_one_plus, logarithm
from escalation.likelihood.phase_chain import (
    both_ways,
    chain_back,
    smoothed_slopes,
    stationary,
    transitions,
)
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Entries of `place`; from HEAD on come the places of the dispersions.
RISE, DEPARTURE, INFLUENCE, STAY, UP, JUMP, PHASES, DISPERSED, HEAD = range(9)
#: Log-means above this are no counts.
HIGHEST = 34.0


@njit(cache=True, nogil=True, error_model="numpy")
def phase_row(
    y: FloatArray,
    base: FloatArray,
    step: float,
    dispersed: bool,
    psi: float,
    term: FloatArray,
    slope: FloatArray,
    bend: FloatArray,
) -> None:
    r"""Add one stream's log-probabilities in one phase: the part that its phase changes.

    .. math:: y d - (y + 1/\psi)\log(1 + \psi\mu), \qquad \mu = b e^d

    Parameters
    ----------
    y, base : ndarray (n,)
        Counts, and means without the phase.
    step : float
        d: what the phase adds to the log-mean.
    dispersed : bool
        False for the Poisson law.
    psi : float
    term : ndarray (n,)
        Is added to.
    slope, bend : ndarray (n,)
        Slopes by the log-mean, and what `by_dispersion` reads, are written.
    """
    factor = np.exp(step)
    if not dispersed:
        for i in range(y.size):
            mean = base[i] * factor
            term[i] += y[i] * step - mean
            slope[i] = y[i] - mean
            bend[i] = 0.0
    elif psi > SMALL:
        rise = psi * factor
        inverse = 1.0 / psi
        for i in range(y.size):
            x = rise * base[i]
            over = 1.0 / (1.0 + x)
            bend[i] = log_one_plus(x)
            term[i] += y[i] * step - (y[i] + inverse) * bend[i]
            slope[i] = (y[i] - inverse * x) * over
    else:
        for i in range(y.size):
            mean = base[i] * factor
            value, bend[i] = dispersed_term(y[i], mean, psi)
            term[i] += y[i] * step + value
            slope[i] = (y[i] - mean) / (1.0 + psi * mean)


# The sum alone may be taken in another order, the same one on every run: four at a time.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def _weigh(
    weight: FloatArray, slope: FloatArray, bend: FloatArray, total: FloatArray, bent: FloatArray
) -> float:
    """Add one phase's weighted slopes and bends (n,) to those of all; the sum of the slopes."""
    out = 0.0
    for i in range(weight.size):
        one = weight[i] * slope[i]
        total[i] += one
        bent[i] += weight[i] * bend[i]
        out += one
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def by_dispersion(
    y: FloatArray, counted: FloatArray, total: FloatArray, bent: FloatArray, psi: float
) -> float:
    r"""Slope by psi of one stream's terms, over all its phases.

    With :math:`\mu / (1 + \psi\mu) = (y - s) / (1 + \psi y)`, where s is the slope by the
    log-mean, that of a phase needs no more than its logarithm.

    Parameters
    ----------
    y, counted : ndarray (n,)
    total : ndarray (n,)
        Slopes by the log-mean, weighted by the phases' probabilities.
    bent : ndarray (n,)
        What `phase_row` left for this, weighted in the same way; overwritten.
    psi : float
    """
    if psi > SMALL:
        inverse = 1.0 / psi
        for i in range(y.size):
            shrunk = (counted[i] * y[i] - total[i]) / (1.0 + psi * y[i])
            bent[i] = (bent[i] * inverse - shrunk) * inverse - y[i] * shrunk
    out: float = lane_sum(bent)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def steps_of(theta: FloatArray, mix: FloatArray, place: IntArray) -> FloatArray:
    """What each phase adds to the log-mean of each stream, (S, K); nothing in the first.

    Parameters
    ----------
    theta : ndarray (p,)
    mix : ndarray (K, K)
        From the rise and the K - 1 departures of a phase to the streams' increments.
    place : ndarray of int
    """
    streams = len(mix)
    out = np.zeros((place[PHASES], streams))
    for s in range(1, place[PHASES]):
        for k in range(streams):
            out[s, k] = out[s - 1, k] + mix[k, 0] * theta[place[RISE] + s - 1]
            for q in range(1, streams):
                at = place[DEPARTURE] + (s - 1) * (streams - 1) + q - 1
                out[s, k] += mix[k, q] * theta[at]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _steps_back(
    by_steps: FloatArray, mix: FloatArray, place: IntArray, by_theta: FloatArray
) -> None:
    """Add the slopes by rises and departures, given those by `steps_of`."""
    phases, streams = by_steps.shape
    for k in range(streams):
        later = 0.0
        for s in range(phases - 1, 0, -1):
            later += by_steps[s, k]
            by_theta[place[RISE] + s - 1] += mix[k, 0] * later
            for q in range(1, streams):
                at = place[DEPARTURE] + (s - 1) * (streams - 1) + q - 1
                by_theta[at] += mix[k, q] * later


@njit(cache=True, nogil=True, error_model="numpy")
def _coefficient(theta: FloatArray, column: int, multiplier: int) -> float:
    out: float = theta[column] * (theta[multiplier] if multiplier >= 0 else 1.0)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def regimes(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    logs: FloatArray,
    exceed: FloatArray,
    constant: FloatArray,
    used: FloatArray,
    offset: FloatArray,
    design: FloatArray,
    column: IntArray,
    multiplier: IntArray,
    mix: FloatArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the lag weights.

    .. math:: \log p(y) = \log \sum_{s_1 \ldots s_T} \pi_{s_1} \prod_t P_{s_{t-1} s_t}
              \prod_k p(y_{tk} \mid s_t)

    by the forward algorithm; its gradient is the mean slope under the phases' law given all counts
    (Fisher's identity), by forward and backward passes.

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; those of the kernel are not read.
    values : ndarray (1, L)
        Lag weights.
    counts, logs : ndarray (K, T)
        Counts, and log(1 + y) of `log_counts`.
    exceed, constant : ndarray (K, M), (1,)
        Of `count_tables`.
    used : ndarray (T,)
        1 where the period is in the likelihood, else 0: the phases go on, nothing is seen.
    offset : ndarray (K, T)
        Of the predictor, with the log of the exposure.
    design : ndarray (K, P, T)
    column, multiplier : ndarray of int (K, P)
        Place in `theta` of each coefficient, and of its multiplier (-1: none).
    mix : ndarray (K, K)
        Of `steps_of`.
    place : ndarray of int (8 + K,)
        By the names above: first rise, departure, influence (-1: none, and then no period is
        conditioned on), stay, up, jump (-1: none), the numbers of phases and of dispersions
        (0: Poisson), then the place of each stream's dispersion.

    Returns
    -------
    value : float
        Constants (the factorials) included.
    by_theta : ndarray (p,)
    by_values : ndarray (1, L)

    References
    ----------
    Zucchini, MacDonald & Langrock (2016), Hidden Markov Models for Time Series, chapters 2 and 3.
    """
    streams, periods = counts.shape
    phases, first, dispersed = place[PHASES], place[INFLUENCE], place[DISPERSED] > 0
    lags = values.shape[1] if first >= 0 else 0
    size = periods - lags
    nothing = -np.inf, np.zeros(theta.size), np.zeros(values.shape)
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    past = np.zeros((streams, size))
    if first >= 0:
        lagged_sums(values[0], logs, past)
    steps = steps_of(theta, mix, place)
    counted = used[lags:]
    exponent = np.empty(size)
    base = np.empty(size)
    whole = np.zeros(size)
    term = np.zeros((phases, size))
    slope = np.empty((phases, streams, size))
    bend = np.empty((phases, streams, size))
    for k in range(streams):
        y = counts[k, lags:]
        assign(exponent, offset[k, lags:])
        for p in range(column.shape[1]):
            factor = _coefficient(theta, column[k, p], multiplier[k, p])
            add_scaled(exponent, factor, design[k, p, lags:])
        if first >= 0:
            for j in range(streams):
                if theta[first + k * streams + j] != 0.0:
                    add_scaled(exponent, theta[first + k * streams + j], past[j])
        psi = theta[place[HEAD + k]] if dispersed else 0.0
        most = steps[0, k]
        for s in range(1, phases):
            most = max(most, steps[s, k])
        limit = HIGHEST if not psi < 0.0 else min(HIGHEST, np.log(-1.0 / psi))
        steep = 0
        for i in range(size):
            steep += 0 if exponent[i] + most < limit else 1
            whole[i] += y[i] * exponent[i]
        if steep > 0:
            return nothing
        assign(base, exponent)
        exponentials(base)
        for s in range(phases):
            phase_row(y, base, steps[s, k], dispersed, psi, term[s], slope[s, k], bend[s, k])
    top = np.full(size, -np.inf)
    for s in range(phases):
        for i in range(size):
            term[s, i] *= counted[i]
            top[i] = max(top[i], term[s, i])
    for s in range(phases):
        for i in range(size):
            term[s, i] = fade(term[s, i] - top[i])
    matrix = transitions(theta, place[STAY], place[UP], place[JUMP], phases)
    begin = stationary(matrix)
    ahead, later, scale = both_ways(begin, matrix, term)
    bad = 0
    for i in range(size):
        bad += 0 if scale[i] > LOWEST else 1
    if bad > 0:
        return nothing
    for i in range(size):
        top[i] += counted[i] * whole[i] + logarithm(scale[i])
    value = constant[0] + lane_sum(top)
    if not abs(value) < np.inf:
        return nothing
    weight, by_matrix = smoothed_slopes(begin, matrix, term, ahead, later, scale)
    chain_back(theta, place[STAY], place[UP], place[JUMP], matrix, by_matrix, by_theta)
    if dispersed:
        risen, by_psi = rising(exceed, theta, place[HEAD:])
        value += risen
        for k in range(streams):
            by_theta[place[HEAD + k]] += by_psi[k]
    for s in range(phases):
        for i in range(size):
            weight[s, i] *= counted[i]
    by_steps = np.zeros((phases, streams))
    back = np.zeros((streams, size))
    for k in range(streams):
        total, bent = exponent, base
        total[:] = 0.0
        bent[:] = 0.0
        for s in range(phases):
            by_steps[s, k] = _weigh(weight[s], slope[s, k], bend[s, k], total, bent)
        if dispersed:
            at = place[HEAD + k]
            by_theta[at] += by_dispersion(counts[k, lags:], counted, total, bent, theta[at])
        for p in range(column.shape[1]):
            change = dot(total, design[k, p, lags:])
            if multiplier[k, p] >= 0:
                by_theta[multiplier[k, p]] += change * theta[column[k, p]]
                change *= theta[multiplier[k, p]]
            by_theta[column[k, p]] += change
        if first >= 0:
            for j in range(streams):
                at = first + k * streams + j
                by_theta[at] += dot(total, past[j])
                if theta[at] != 0.0:
                    add_scaled(back[j], theta[at], total)
    _steps_back(by_steps, mix, place, by_theta)
    if first >= 0:
        lag_slopes(back, logs, by_values[0])
    return value, by_theta, by_values
