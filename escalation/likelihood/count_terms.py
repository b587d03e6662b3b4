"""Terms of Poisson and negative binomial log-likelihoods, with their slopes."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


def count_tables(counts: FloatArray, used: FloatArray) -> dict[str, FloatArray]:
    r"""What the likelihood reads of the counts, once for all evaluations.

    Parameters
    ----------
    counts : ndarray (T, K)
    used : ndarray (T,)
        1 where the period is in the likelihood, else 0.

    Returns
    -------
    dict of arrays
        ``exceed`` (K, M): ``[k, i]`` is the number of used periods with more than i incidents of
        stream k; ``constant`` (1,): :math:`-\sum \log y!`.
    """
    from scipy.special import gammaln

    seen = counts[used > 0]
    most = int(seen.max(initial=1.0))
    out = np.zeros((counts.shape[1], max(most, 1)))
    for k, column in enumerate(seen.T):
        number = np.bincount(column.astype(np.int64), minlength=most + 1)
        out[k] = len(column) - np.cumsum(number)[:-1]
    return {"exceed": out, "constant": np.array([-float(gammaln(seen + 1).sum())])}


@njit(cache=True, nogil=True)
def rising(exceed: FloatArray, theta: FloatArray, place: IntArray) -> tuple[float, FloatArray]:
    r"""Sum over the counts of :math:`\sum_{i<y} \log(1 + i\psi)`, and its slopes (K,) by psi.

    Parameters
    ----------
    exceed : ndarray (K, M)
        Of `count_tables`.
    theta : ndarray (p,)
    place : ndarray of int (K,)
        Place of each stream's dispersion in `theta`.
    """
    streams, most = exceed.shape
    value = 0.0
    slope = np.zeros(streams)
    for k in range(streams):
        psi = theta[place[k]]
        for i in range(1, most):
            if exceed[k, i] == 0.0:
                break
            value += exceed[k, i] * np.log1p(i * psi)
            slope[k] += exceed[k, i] * i / (1.0 + i * psi)
    return value, slope


@njit(cache=True, nogil=True)
def dispersed_term(y: float, mean: float, psi: float) -> tuple[float, float]:
    r"""The rest of a negative binomial term, and its slope by psi.

    .. math:: -(y + 1/\psi) \log(1 + \psi\mu)

    which is :math:`-\mu` at :math:`\psi = 0`.
    """
    x = psi * mean
    log_one = np.log1p(x)
    share = mean / (1 + x)
    if abs(x) < 1e-2:
        # Series of log1p(x)/x and of (log1p(x) - x/(1+x))/x**2: no cancellation.
        ratio = 1.0
        curve = 0.5
        power = 1.0
        for i in range(1, 9):
            power *= -x
            ratio += power / (i + 1)
            curve += power * (i + 1) / (i + 2)
        return -mean * ratio - y * log_one, mean * mean * curve - y * share
    inverse = 1 / psi
    bend = (log_one * inverse - share) * inverse
    return -(y + inverse) * log_one, bend - y * share
