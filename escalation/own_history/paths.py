"""From the law of each period to draws of whole paths."""

from __future__ import annotations

import numpy as np

from escalation.window import FloatArray


def middle_levels(n: int) -> FloatArray:
    """Middles of n equal parts of [0, 1], at which laws are drawn without Monte Carlo noise."""
    return (np.arange(n) + 0.5) / n


def whole(values: FloatArray) -> FloatArray:
    """Round draws to counts: zero stays zero, and all above it is at least one."""
    return np.where(values > 0, np.maximum(np.rint(values), 1.0), 0.0)


def as_paths(
    marginal: FloatArray, rng: np.random.Generator, persistence: float, lasting: float
) -> FloatArray:
    r"""Order the draws of each period so that a draw is a path.

    The draws of a period stay the same; their ranks follow a Gaussian copula with correlation
    :math:`a \phi^{|h - h'|}` between the periods h and h' of a unit. Units are drawn independently
    of one another.

    Parameters
    ----------
    marginal : array, shape (n, H, K)
        Draws of each period and unit, in any order.
    rng : numpy.random.Generator
    persistence : float
        phi, from 0 to 1.
    lasting : float
        a, from 0 to 1: the part of the variation of a period that fades by phi, not at once.

    References
    ----------
    Clark et al. (2004), Journal of Hydrometeorology 5, the Schaake shuffle, with a parametric
    copula in place of past rank structure.
    """
    n, horizon, units = marginal.shape
    state = rng.standard_normal((n, units))
    ordered = np.sort(marginal, axis=0)
    for h in range(horizon):
        if h:
            fresh = rng.standard_normal((n, units))
            state = persistence * state + np.sqrt(1 - persistence**2) * fresh
        own = rng.standard_normal((n, units))
        latent = np.sqrt(lasting) * state + np.sqrt(1 - lasting) * own
        ranks = np.argsort(np.argsort(latent, axis=0), axis=0)
        ordered[:, h] = np.take_along_axis(ordered[:, h], ranks, axis=0)
    return ordered
