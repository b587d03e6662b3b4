"""Log-probabilities of single counts."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray


def count_log_pmf(
    counts: NDArray[np.int64], mean: FloatArray, dispersion: FloatArray | None = None
) -> FloatArray:
    r"""Log-probability of each count under a Poisson or negative binomial law.

    .. math:: \mathrm{var} = \mu(1 + \psi\mu)

    The law at :math:`\psi = 0` is the Poisson law, without a jump.

    Parameters
    ----------
    counts : ndarray of int (T, K)
    mean : ndarray (n, T, K)
        NaN gives NaN.
    dispersion : ndarray (n, K), optional
        Poisson if not given.

    Returns
    -------
    ndarray (n, T, K)
    """
    streams = mean.shape[2]
    psi = np.zeros((len(mean), streams)) if dispersion is None else dispersion
    found: FloatArray = _log_pmf(
        np.ascontiguousarray(counts, np.int64),
        np.ascontiguousarray(mean, float),
        np.ascontiguousarray(psi, float),
    )
    return found


@njit(cache=True, nogil=True)
def _log_pmf(counts: NDArray[np.int64], mean: FloatArray, psi: FloatArray) -> FloatArray:
    draws, periods, streams = mean.shape
    out = np.empty(mean.shape)
    largest = 0
    for t in range(periods):
        for k in range(streams):
            largest = max(largest, counts[t, k])
    factorial = np.zeros(largest + 1)
    rising = np.zeros(largest + 1)
    for i in range(1, largest + 1):
        factorial[i] = factorial[i - 1] + np.log(float(i))
    for n in range(draws):
        for k in range(streams):
            spread = psi[n, k]
            top = 0
            for t in range(periods):
                top = max(top, counts[t, k])
            # log Gamma(y + 1/psi) - log Gamma(1/psi) + y log psi, without cancellation.
            for i in range(1, top + 1):
                rising[i] = rising[i - 1] + np.log1p((i - 1) * spread)
            for t in range(periods):
                mu = mean[n, t, k]
                y = counts[t, k]
                if np.isnan(mu):
                    out[n, t, k] = np.nan
                elif mu <= 0.0:
                    out[n, t, k] = 0.0 if y == 0 else -np.inf
                else:
                    value = -factorial[y]
                    if y > 0:
                        value += y * np.log(mu)
                    if spread > 1e-100:
                        x = spread * mu
                        value += rising[y] - (y + 1 / spread) * np.log1p(x)
                    else:
                        value -= mu
                    out[n, t, k] = value
    return out
