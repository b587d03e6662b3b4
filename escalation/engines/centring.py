r"""Deviations of a hierarchical model in coordinates between centred and not.

The declared deviation z has a standard normal prior and acts as :math:`\mu + \tau z`. Where the
data know this effect well, z moves with every :math:`\tau`; where they do not, the effect itself
does. The coordinate

.. math:: y = \tau^c z + c\mu

is z for c = 0 and the effect for c = 1; with c the share of the effect's variance that the data
take away, population and deviations are nearly independent. Source: Papaspiliopoulos, Roberts &
Sköld (2007), Statistical Science 22(1), section 4.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def to_deviations(theta: FloatArray, place: IntArray, share: FloatArray) -> float:
    r"""Put deviations in the place of their coordinates.

    Parameters
    ----------
    theta : ndarray (p,)
        Changed at the deviations.
    place : ndarray of int (n, 3)
        Places of deviation, mean and spread.
    share : ndarray (n,)
        c.

    Returns
    -------
    float
        Log of the Jacobian from coordinates to deviations.
    """
    volume = 0.0
    for i in range(share.size):
        mean, spread = theta[place[i, 1]], theta[place[i, 2]]
        log = np.log(spread)
        theta[place[i, 0]] = (theta[place[i, 0]] - share[i] * mean) * np.exp(-share[i] * log)
        volume -= share[i] * log
    return volume


@njit(cache=True, nogil=True, error_model="numpy")
def to_slopes(theta: FloatArray, by_theta: FloatArray, place: IntArray, share: FloatArray) -> float:
    """Log-prior of the deviations; their slopes become those of their coordinates.

    Parameters
    ----------
    theta : ndarray (p,)
        With deviations.
    by_theta : ndarray (p,)
        Slopes of the log-likelihood; changed: prior and Jacobian are added.
    place, share
        Of `to_deviations`.
    """
    value = 0.0
    for i in range(share.size):
        z, spread, c = theta[place[i, 0]], theta[place[i, 2]], share[i]
        value -= 0.5 * z * z
        slope = by_theta[place[i, 0]] - z
        along = slope * np.exp(-c * np.log(spread))
        by_theta[place[i, 0]] = along
        by_theta[place[i, 1]] -= c * along
        by_theta[place[i, 2]] -= c * (slope * z + 1.0) / spread
    return value


def to_coordinates(theta: FloatArray, place: IntArray, share: FloatArray) -> FloatArray:
    """Inverse of `to_deviations`: a copy of theta (p,) with coordinates."""
    out = np.array(theta, float)
    deviation, mean, spread = place.T
    out[deviation] = theta[deviation] * theta[spread] ** share + share * theta[mean]
    return out
