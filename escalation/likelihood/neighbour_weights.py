"""Weights of the neighbours of each stream, with their slopes."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.parameters import FloatArray

#: How the weights come about.
GIVEN, POWER_LAW, BY_ORDER = 0, 1, 2


@njit(cache=True, nogil=True, error_model="numpy")
def neighbour_weights(
    theta: FloatArray, order: FloatArray, kind: int, longest: int, normalised: bool
) -> tuple[FloatArray, FloatArray]:
    r"""Weights w (K, K), [receiving, setting off], and their slopes (q, K, K).

    .. math:: w_{kj} \propto o_{kj}^{-d} \quad\text{or}\quad w_{kj} \propto e^{\omega_{o_{kj}}},
              \ \omega_1 = 0, \qquad 1 \le o_{kj} \le o_{\max}

    Parameters
    ----------
    theta : ndarray (q,)
        The decay d, or the logs of the weights of the second order, the third and so on.
    order : ndarray (K, K)
        Neighbourhood orders, 0 on the diagonal; the weights themselves if they are given.
    kind : {0, 1, 2}
        Given, power law, by order.
    longest : int
        Highest order with a weight.
    normalised : bool
        Whether the weights of each source j sum to one over its receivers k.
    """
    streams = order.shape[0]
    weights = np.zeros((streams, streams))
    slopes = np.zeros((theta.size, streams, streams))
    for k in range(streams):
        for j in range(streams):
            o = order[k, j]
            if k == j:
                continue
            if kind == GIVEN:
                weights[k, j] = o
            elif o >= 1 and o <= longest:
                if kind == POWER_LAW:
                    weights[k, j] = np.exp(-theta[0] * np.log(o))
                    slopes[0, k, j] = -np.log(o) * weights[k, j]
                elif o == 1:
                    weights[k, j] = 1.0
                else:
                    weights[k, j] = np.exp(theta[int(o) - 2])
                    slopes[int(o) - 2, k, j] = weights[k, j]
    if normalised:
        for j in range(streams):
            total = 0.0
            for k in range(streams):
                total += weights[k, j]
            if total <= 0.0:
                continue
            for q in range(theta.size):
                change = 0.0
                for k in range(streams):
                    change += slopes[q, k, j]
                for k in range(streams):
                    slopes[q, k, j] = (slopes[q, k, j] - weights[k, j] / total * change) / total
            for k in range(streams):
                weights[k, j] /= total
    return weights, slopes
