"""Log-likelihood and gradient of counts with a latent log-rate, alone or with contagion."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import add_scaled, lag_slopes, lagged_sums
from escalation.likelihood.count_terms import rising
from escalation.likelihood.endemic_epidemic import additive_row
from escalation.likelihood.latent_paths import (
    SMOOTH,
    add_path,
    moves_slopes,
    states_slopes,
    unit_states,
)
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def latent(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    used: FloatArray,
    scale: FloatArray,
    exceed: FloatArray,
    constant: FloatArray,
    design: FloatArray,
    first: IntArray,
    share: FloatArray,
    basis: FloatArray,
    frequency: FloatArray,
    column: IntArray,
    place: IntArray,
    given: FloatArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the lag weights.

    .. math:: \mu_{tk} = e_t\{\exp(x_t'b_k + \sigma f_{tk}) + \sum_j R_{kj} \sum_l w_l y_{t-l,j}\}

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; those of the kernel are not read.
    values : ndarray (1, L)
        Lag weights; not read without contagion.
    counts, used, scale, exceed, constant, design
        Of `escalation.likelihood.endemic_epidemic.endemic_epidemic`.
    first, share, basis, frequency
        Of `escalation.likelihood.latent_paths.unit_states`.
    column : ndarray of int (K, P)
        Place in `theta` of each background coefficient.
    place : ndarray of int (6 + 1 + K,)
        Kind of process; places of the first innovation, the scale and the shape (-1: given), and
        of R[0, 0] (-1: no contagion); number of innovations of a stream; number of dispersion
        parameters in force (0: Poisson), and the place of each stream's dispersion.
    given : ndarray (2,)
        Scale and shape where they are given.

    Returns
    -------
    value : float
        Constants (the factorials) included.
    by_theta : ndarray (p,)
    by_values : ndarray (1, L)
    """
    streams, periods = counts.shape
    kind, moved, contagion, size = place[0], place[1], place[4], place[5]
    lags = values.shape[1] if contagion >= 0 else 0
    length = periods - lags
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, values.shape[1]))
    width = given[0] if place[2] < 0 else theta[place[2]]
    shape = given[1] if place[3] < 0 else theta[place[3]]
    moves = theta[moved : moved + streams * size].reshape((streams, size))
    states = np.empty((streams, periods if kind == SMOOTH else first.size - 1))
    by_states = np.empty(states.shape)
    unit_states(kind, moves, shape, first, share, basis, frequency, states)
    past = np.zeros((streams, length))
    back = np.zeros((streams, length))
    if contagion >= 0:
        lagged_sums(values[0], counts, past)
    endemic = np.empty(length)
    scratch = np.empty((4, length))
    value = constant[0]
    if place[6] > 0:
        risen, by_psi = rising(exceed, theta, place[7:])
        value += risen
        for k in range(streams):
            by_theta[place[7 + k]] += by_psi[k]
    for k in range(streams):
        endemic[:] = 0.0
        for p in range(design.shape[0]):
            add_scaled(endemic, theta[column[k, p]], design[p, lags:])
        add_path(kind, states[k], width, first, endemic)
        value += additive_row(
            k, theta, endemic, past, counts[k, lags:], scale[lags:], used[lags:],
            design, column[k], contagion, place[6:], scratch, back, by_theta,
        )  # fmt: skip
        if not value > -np.inf:
            return -np.inf, np.zeros(theta.size), np.zeros((1, values.shape[1]))
        states_slopes(kind, endemic, first, by_states[k])
    by_moves = by_theta[moved : moved + streams * size].reshape((streams, size))
    by_width, by_shape = moves_slopes(
        kind, moves, shape, width, share, basis, frequency, states, by_states, by_moves
    )
    if place[2] >= 0:
        by_theta[place[2]] += by_width
    if place[3] >= 0:
        by_theta[place[3]] += by_shape
    if contagion >= 0:
        lag_slopes(back, counts, by_values[0])
    return value, by_theta, by_values
