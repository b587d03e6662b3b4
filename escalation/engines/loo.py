"""Importance weights: Pareto-smoothed, for leaving out and for power-scaling. ArviZ does the work.

Every function takes and gives plain arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def smoothed_weights(log_ratios: FloatArray) -> tuple[FloatArray, float]:
    """Normalised log weights (n,) of draws, their tail smoothed, and the Pareto shape k.

    The shape tells whether the weights can be trusted: below 0.7 for usual numbers of draws. Equal
    ratios have equal weights and a k of minus infinity.

    Parameters
    ----------
    log_ratios : ndarray (n,)
        Log of target over proposal density, up to a constant.

    References
    ----------
    Vehtari, Simpson, Gelman, Yao & Gabry (2024), Journal of Machine Learning Research 25.
    """
    ratios = np.asarray(log_ratios, float)
    if np.ptp(ratios) < 1e-12:
        return np.full(ratios.size, -np.log(ratios.size)), -np.inf
    weights, shape = _arrays().psislw(-ratios)
    return np.asarray(weights, float), float(shape)


def importance_weights(log_ratios: FloatArray) -> tuple[FloatArray, float]:
    """Smoothed weights (n,) that sum to one, and the Pareto shape; not finite weighs nothing."""
    ratios = np.where(np.isfinite(log_ratios), log_ratios, -1e300)
    logs, shape = smoothed_weights(ratios - ratios.max())
    weights = np.exp(logs)
    return weights / weights.sum(), shape


def leave_one_out(log_likelihood: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Expected log predictive density of each of m cases, left out one at a time.

    Parameters
    ----------
    log_likelihood : ndarray (n, m)
        Of each draw and case.

    Returns
    -------
    elpd, shape, effective : ndarray (m,)
        The density, the Pareto shape k of its weights, and the effective number of parameters that
        the case takes up.

    References
    ----------
    Vehtari, Gelman & Gabry (2017), Statistics and Computing 27.
    """
    arrays = _arrays()
    values = np.ascontiguousarray(np.asarray(log_likelihood, float).T[:, None, :])
    found = np.array([arrays.loo(one)[:3] for one in values], float)
    return found[:, 0], found[:, 1], found[:, 2]


def power_weights(log_density: FloatArray, alpha: float) -> tuple[FloatArray, float]:
    """Normalised log weights (n,) that raise a component of the posterior to a power, and k.

    Parameters
    ----------
    log_density : ndarray (n,)
        Of the component (prior or likelihood) at each draw.
    alpha : float
    """
    return smoothed_weights((alpha - 1) * np.asarray(log_density, float))


def jensen_shannon(draws: FloatArray, log_weights: FloatArray) -> float:
    """Cumulative Jensen–Shannon distance of a scalar's law with and without weights, in [0, 1].

    Parameters
    ----------
    draws : ndarray (n,)
    log_weights : ndarray (n,)
        Normalised.

    References
    ----------
    Nguyen & Vreeken (2015), ECML PKDD, for the divergence; Kallioinen, Paananen, Bürkner & Vehtari
    (2023), Statistics and Computing 34, section 2.4, for its use.
    """
    values, weights = np.asarray(draws, float), np.exp(log_weights)
    if np.ptp(values) == 0:
        return 0.0
    # The mean of the distances over |log2 alpha|, at alphas of 1/2 and 2: the distance itself.
    chain, weights = values[None], weights[None]
    return float(_arrays().power_scale_sense(chain, weights, weights, 0.5, 2.0))


def _arrays() -> Any:
    from arviz_stats.base.array import array_stats

    return array_stats
