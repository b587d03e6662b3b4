"""Laws of a period in the hurdle model: whether it is empty, and zero-truncated counts."""

from __future__ import annotations

import numpy as np

from escalation.parameters import FloatArray


def log_probabilities(odds: FloatArray, share: FloatArray) -> tuple[FloatArray, FloatArray]:
    r"""Logs of the probabilities that a period is empty and that it is not.

    Parameters
    ----------
    odds : ndarray
        Log-odds of an incident in a period that is watched throughout.
    share : ndarray
        Watched share e of the period, in the shape of `odds`; it is empty with probability
        :math:`(1 + e^\eta)^{-e}`.
    """
    empty = -share * np.logaddexp(0.0, odds)
    with np.errstate(divide="ignore"):
        # Where almost nothing happens: the first term of the series, which does not round to zero.
        rare = np.log(share) + odds
        small = np.log(-np.expm1(np.clip(empty, -1.0, -1e-300)))
        some = np.where(empty < -1, np.log1p(-np.exp(np.minimum(empty, -1.0))), small)
        some = np.where(empty > -1e-12, rare, some)
    return empty, np.asarray(some, float)


def minus_log_empty(mean: FloatArray, psi: FloatArray | float) -> FloatArray:
    r""":math:`\log(1 + \psi\mu)/\psi`: minus the log-probability of zero, :math:`\mu` at psi 0."""
    spread = np.broadcast_to(np.asarray(psi, float), mean.shape)
    large = spread * mean > 1e-8
    safe = np.where(large, spread, 1.0)
    return np.where(large, np.log1p(safe * mean) / safe, mean * (1 - spread * mean / 2))


def truncated_mean(mean: FloatArray, psi: FloatArray | float) -> FloatArray:
    """Mean of a count that is not zero; `mean` is that of the law that is not truncated."""
    safe = np.maximum(mean, 1e-300)
    return np.asarray(safe / -np.expm1(-minus_log_empty(safe, psi)), float)


def draw_truncated(
    mean: FloatArray, psi: FloatArray | float, rng: np.random.Generator
) -> FloatArray:
    r"""Counts (c, n, K) of at least one, the c copies as alike as their means allow.

    A negative binomial count is that of a mixed Poisson process of rate G over (0, mu): its first
    point is drawn from its law before mu, then G given that point, then the number of points
    after it. The copies share the uniform and the gamma variates, and the later points that the
    copy with the fewest has.

    Parameters
    ----------
    mean : ndarray (c, n, K)
        Of the law that is not truncated.
    psi : ndarray (n, K), or 0 for Poisson
    rng : numpy.random.Generator
    """
    spread = np.broadcast_to(np.asarray(psi, float), mean.shape[1:])
    uniform = rng.random(mean.shape[1:])
    # Minus the log-probability of no point before the first one.
    depth = -np.log1p(uniform * np.expm1(-minus_log_empty(mean, spread)))
    curved = spread > 1e-9
    safe = np.where(curved, spread, 1.0)
    first = np.minimum(np.where(curved, np.expm1(np.minimum(safe * depth, 700.0)) / safe, depth),
                       mean)  # fmt: skip
    rate = np.ones(mean.shape)
    if curved.any():
        gamma = rng.standard_gamma(1 / safe + 1)
        rate = np.where(curved, gamma * safe / (1 + safe * first), 1.0)
    later = rate * (mean - first)
    if len(later) == 1:
        return np.asarray(1.0 + rng.poisson(later), float)
    common = later.min(axis=0)
    return np.asarray(1.0 + rng.poisson(common) + rng.poisson(later - common), float)
