"""Quantiles and intervals of forecasts, and their scores."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from escalation.scores.shapes import checked, over_cells, paired, probability_between
from escalation.window import FloatArray

HUB_LEVELS = (0.01, 0.025, *(k / 20 for k in range(1, 20)), 0.975, 0.99)
"""The 23 quantile levels that forecast hubs collect (Cramer et al. 2022)."""


def quantile_draws(draws: ArrayLike, q: ArrayLike) -> FloatArray:
    """Quantiles of draws by the inverse of their distribution function.

    The smallest draw whose share of draws at or below it reaches q, so that the quantile of counts
    is a count. Infinite draws are the largest; there is no interpolation and hence no NaN.

    Parameters
    ----------
    draws
        (n, ...) draws.
    q
        Levels in [0, 1], a number or an array.

    Returns
    -------
    numpy.ndarray
        Shape of ``q`` followed by (...).

    Raises
    ------
    ValueError
        For a level outside [0, 1] or no draws.

    Examples
    --------
    >>> float(quantile_draws([0, 1, 1, 5], 0.5))
    1.0
    """
    array, level = checked(draws), np.asarray(q, dtype=np.float64)
    if not np.all((level >= 0) & (level <= 1)):
        raise ValueError(f"quantile levels must lie in [0, 1], not {level.tolist()}")
    place = ranks(len(array), level)

    def chosen(x: FloatArray) -> FloatArray:
        x.sort(axis=1)
        return np.moveaxis(x[:, place], 0, -1)

    return over_cells(chosen, array)


def ranks(n: int, level: FloatArray) -> np.ndarray:
    """Places, from 0, of quantiles among n sorted draws."""
    # A hair is taken off so that 0.07 * 100 = 7.000000000000001 is the 7th draw, not the 8th.
    return np.asarray(np.clip(np.ceil(n * level * (1 - 1e-12)).astype(np.int64) - 1, 0, n - 1))


def quantile_score(quantiles: ArrayLike, levels: ArrayLike, observed: ArrayLike) -> FloatArray:
    r"""Quantile score (pinball loss), :math:`2\,(1\{y \le q\} - \tau)(q - y)`.

    Parameters
    ----------
    quantiles
        (L, ...) quantiles.
    levels
        (L,) their levels.
    observed
        (...) observations.

    Returns
    -------
    numpy.ndarray
        (L, ...) scores; their mean over many even levels is the CRPS.

    References
    ----------
    Gneiting and Raftery (2007), section 6.1; Bracher et al. (2021), equation 3, for the factor 2.

    Examples
    --------
    >>> quantile_score([2.0, 5.0], [0.25, 0.75], 6.0).tolist()
    [2.0, 1.5]
    """
    q, y = np.asarray(quantiles, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    tau = np.asarray(levels, dtype=np.float64).reshape(-1, *(1,) * (q.ndim - 1))
    return np.asarray(2 * np.where(y <= q, 1 - tau, -tau) * (q - y))


def absolute_error(draws: ArrayLike, observed: ArrayLike) -> FloatArray:
    """Absolute error of the median of the draws.

    Parameters
    ----------
    draws, observed
        (n, ...) draws and (...) observations.

    Returns
    -------
    numpy.ndarray
        (...) scores; infinite where the median is.

    Examples
    --------
    >>> float(absolute_error([1, 2, 9], 4))
    2.0
    """
    x, y = paired(draws, observed)
    return np.asarray(np.abs(quantile_draws(x, 0.5) - y))


def interval_score(
    lower: ArrayLike, upper: ArrayLike, observed: ArrayLike, level: float
) -> FloatArray:
    r"""Interval score: width, plus a penalty for each unit by which the observation lies outside.

    .. math:: (u - l) + \frac{2}{\alpha}(l - y)_+ + \frac{2}{\alpha}(y - u)_+, \quad
              \alpha = 1 - \text{level}

    Parameters
    ----------
    lower, upper, observed
        (...) ends of the central interval and observations.
    level
        Probability of the interval, between 0 and 1.

    Returns
    -------
    numpy.ndarray
        (...) scores. Infinity counts as larger than every number: between two infinite ends there
        is no width, and a finite observation lies infinitely far below them.

    References
    ----------
    Gneiting and Raftery (2007), section 6.2.

    Examples
    --------
    >>> float(interval_score(2, 5, 6, 0.5))
    7.0
    """
    low, high, y = (np.asarray(a, dtype=np.float64) for a in (lower, upper, observed))
    outside = _excess(low, y) + _excess(y, high)
    return _width(low, high) + 2 / (1 - probability_between(level)) * outside


def _excess(value: FloatArray, bound: FloatArray) -> FloatArray:
    """By how much a value lies above a bound, 0 where it does not; infinity is not above itself."""
    value, bound = np.broadcast_arrays(value, bound)
    return np.subtract(value, bound, out=np.zeros(value.shape), where=~(value <= bound))


def _width(low: FloatArray, high: FloatArray) -> FloatArray:
    """Width of intervals; one between two infinite ends has none."""
    low, high = np.broadcast_arrays(low, high)
    return np.subtract(high, low, out=np.zeros(low.shape), where=high != low)


class WeightedIntervalScore(NamedTuple):
    """A weighted interval score and its three parts, (...) each, which sum to it."""

    score: FloatArray
    dispersion: FloatArray
    overprediction: FloatArray
    underprediction: FloatArray


def weighted_interval_score(
    quantiles: ArrayLike, levels: ArrayLike, observed: ArrayLike
) -> WeightedIntervalScore:
    r"""Weighted interval score of quantiles, with its parts.

    .. math:: \frac{1}{K + 1/2} \Bigl\{\tfrac12 |y - m|
              + \sum_{k=1}^K \tfrac{\alpha_k}{2}\, \text{IS}_{\alpha_k}(l_k, u_k, y)\Bigr\}

    Dispersion is what the widths cost, overprediction what it costs that the observation lies
    below, underprediction above. With many levels it is close to the CRPS.

    Parameters
    ----------
    quantiles
        (L, ...) quantiles.
    levels
        (L,) rising levels, symmetric about one half, which is among them.
    observed
        (...) observations; NaN scores NaN.

    Returns
    -------
    WeightedIntervalScore

    Raises
    ------
    ValueError
        For levels that are not rising and symmetric about one half.

    References
    ----------
    Bracher, Ray, Gneiting and Reich (2021), PLoS Computational Biology 17, e1008618.

    Examples
    --------
    >>> found = weighted_interval_score([2.0, 3.0, 5.0], [0.25, 0.5, 0.75], 6.0)
    >>> [round(float(part), 4) for part in found]
    [2.1667, 0.5, 0.0, 1.6667]
    """
    q, y = np.asarray(quantiles, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    tau = np.asarray(levels, dtype=np.float64)
    symmetric = tau.ndim == 1 and len(tau) % 2 == 1 and np.allclose(tau + tau[::-1], 1)
    if not symmetric or not np.all(np.diff(tau) > 0) or not 0 < tau[0]:
        raise ValueError(f"levels must rise and be symmetric about 0.5, not {tau.tolist()}")
    if q.shape != tau.shape + y.shape:
        raise ValueError(f"quantiles must have shape {tau.shape + y.shape}, not {q.shape}")
    middle = len(tau) // 2
    low, high = q[:middle], q[:middle:-1]
    alpha = 2 * tau[:middle].reshape(-1, *(1,) * y.ndim)
    unknown = np.where(np.isnan(y), np.nan, 0.0)
    over = _excess(low, y).sum(axis=0) + _excess(q[middle], y) / 2
    under = _excess(y, high).sum(axis=0) + _excess(y, q[middle]) / 2
    parts = [(alpha / 2 * _width(low, high)).sum(axis=0) + unknown, over, under]
    parts = [np.asarray(part / (middle + 0.5)) for part in parts]
    return WeightedIntervalScore(np.asarray(sum(parts)), *parts)


def weighted_interval_score_draws(
    draws: ArrayLike, observed: ArrayLike, levels: ArrayLike = HUB_LEVELS
) -> WeightedIntervalScore:
    """Weighted interval score of the quantiles of draws.

    Parameters
    ----------
    draws, observed
        (n, ...) draws and (...) observations.
    levels
        (L,) levels of the quantiles; those of the hubs unless given.

    Returns
    -------
    WeightedIntervalScore
    """
    x, y = paired(draws, observed)
    return weighted_interval_score(quantile_draws(x, levels), levels, y)


def bias_quantiles(quantiles: ArrayLike, levels: ArrayLike, observed: ArrayLike) -> FloatArray:
    """Bias of quantiles between -1 (all below the observation) and 1 (all above).

    Where the median is above the observation, one less twice the highest level whose quantile is
    at most the observation (0 where none is); where it is below, one less twice the lowest level
    whose quantile is at least the observation (1 where none is). The mean of a calibrated forecast
    is 0. No proper score.

    Parameters
    ----------
    quantiles, levels, observed
        (L, ...), (L,) and (...), as in `weighted_interval_score`.

    Returns
    -------
    numpy.ndarray
        (...) of [-1, 1]; NaN where unobserved.

    References
    ----------
    Bosse et al. (2022), scoringutils, arXiv 2205.07090, section 3.

    Examples
    --------
    >>> float(bias_quantiles([2.0, 3.0, 5.0], [0.25, 0.5, 0.75], 6.0))
    -1.0
    """
    q, y = np.asarray(quantiles, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    tau = np.asarray(levels, dtype=np.float64).reshape(-1, *(1,) * (q.ndim - 1))
    median = q[len(q) // 2]
    highest = np.where(q <= y, tau, 0.0).max(axis=0)
    lowest = np.where(q >= y, tau, 1.0).min(axis=0)
    found = np.where(median > y, 1 - 2 * highest, np.where(median < y, 1 - 2 * lowest, 0.0))
    return np.where(np.isnan(y), np.nan, found)


def coverage(lower: ArrayLike, upper: ArrayLike, observed: ArrayLike) -> FloatArray:
    """Whether the observation lies in the closed interval: 1 or 0, NaN where unobserved.

    An interval of counts holds more than its nominal level; compare the mean with
    `implied_coverage`, or use `pit_share`.

    Parameters
    ----------
    lower, upper, observed
        (...) ends and observations.

    Returns
    -------
    numpy.ndarray
        (...) of 0.0, 1.0 and NaN.

    Examples
    --------
    >>> coverage([1, 1], [3, 3], [3, 4]).tolist()
    [1.0, 0.0]
    """
    low, high, y = (np.asarray(a, dtype=np.float64) for a in (lower, upper, observed))
    return np.where(np.isnan(y), np.nan, (low <= y) & (y <= high))


def implied_coverage(draws: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> FloatArray:
    """Probability that the draws themselves give to a closed interval of counts.

    Parameters
    ----------
    draws
        (n, ...) draws.
    lower, upper
        (...) ends.

    Returns
    -------
    numpy.ndarray
        (...) probabilities, at least the nominal level for a central interval.

    Examples
    --------
    >>> float(implied_coverage([0, 1, 1, 5], 1, 1))
    0.5
    """
    x, low = paired(draws, lower)
    x, high = paired(draws, upper)
    return np.asarray(((low <= x) & (x <= high)).mean(axis=0))
