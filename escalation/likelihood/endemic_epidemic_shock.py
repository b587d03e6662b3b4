"""Log-likelihood and gradient of the endemic-epidemic model with a shock shared by all streams."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_terms import rising
from escalation.likelihood.endemic_epidemic_terms import (
    DISPERSED,
    HEAD,
    SHOCK,
    backward,
    forward,
)
from escalation.likelihood.shared_shock import shocked_dispersed, shocked_poisson
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def endemic_epidemic_shock(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    used: FloatArray,
    scale: FloatArray,
    exceed: FloatArray,
    constant: FloatArray,
    offset: FloatArray,
    design: FloatArray,
    begins: IntArray,
    column: IntArray,
    multiplier: IntArray,
    bounds: IntArray,
    order: FloatArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the lag weights.

    .. math:: y_{tk} \mid \epsilon_t \sim \mathrm{NB}(\epsilon_t\mu_{tk}, \psi_k), \qquad
              \epsilon_t \sim \mathrm{Gamma}(\text{mean } 1, \text{variance } \sigma^2)

    with the means and the arguments of `endemic_epidemic_terms`.
    """
    streams, periods = counts.shape
    lags = values.shape[1]
    by_theta = np.zeros(theta.size)
    by_values = np.zeros((1, lags))
    ok, mean, past, parts, reach, matrix, changes, spans = forward(
        theta, values[0], counts, scale, offset, design, begins, column, multiplier, bounds,
        order, place,
    )  # fmt: skip
    value = constant[0] if ok else -np.inf
    slope = np.empty((streams, periods - lags))
    shock = place[SHOCK]
    y, seen = counts[:, lags:], used[lags:]
    if place[DISPERSED] > 0:
        places = place[HEAD : HEAD + streams]
        risen, by_psi = rising(exceed[:streams], theta, places)
        psi = np.empty(streams)
        for k in range(streams):
            psi[k] = theta[places[k]]
        term, change = shocked_dispersed(y, mean, seen, theta[shock], psi, slope, by_psi)
        for k in range(streams):
            by_theta[places[k]] += by_psi[k]
        value += term + risen
        by_theta[shock] += change
    else:
        risen, steep = rising(exceed[streams:], theta, place[SHOCK : SHOCK + 1])
        term, change = shocked_poisson(y, mean, seen, theta[shock], slope)
        value += term + risen
        by_theta[shock] += change + steep[0]
    if not value > -np.inf:
        return -np.inf, np.zeros(theta.size), np.zeros((1, lags))
    backward(
        theta, slope, counts, scale, design, column, multiplier, bounds, place, past, parts,
        reach, matrix, changes, spans, by_theta, by_values[0],
    )  # fmt: skip
    return value, by_theta, by_values
