"""Scores of forecasts made of draws: arrays in, arrays out.

Everywhere the draws are the **first** axis: ``draws`` has shape (n, ...), ``observed`` the shape
(...) of the cells, and a score comes back cell by cell, never averaged. Lower is better. A cell
whose observation is NaN (nobody watched) scores NaN. A draw of infinity is a path that was stopped
above its cap: it counts as larger than every number.
"""

import numpy as np
from numpy.typing import ArrayLike

from escalation.window import FloatArray, IntArray


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
    array, level = _checked(draws), np.asarray(q, dtype=np.float64)
    if not np.all((level >= 0) & (level <= 1)):
        raise ValueError(f"quantile levels must lie in [0, 1], not {level.tolist()}")
    n = len(array)
    # A hair is taken off so that 0.07 * 100 = 7.000000000000001 is the 7th draw, not the 8th.
    rank = np.ceil(n * level * (1 - 1e-12)).astype(np.int64) - 1
    return np.asarray(np.sort(array, axis=0)[np.clip(rank, 0, n - 1)])


def crps_draws(draws: ArrayLike, observed: ArrayLike, cap: ArrayLike = np.inf) -> FloatArray:
    r"""Continuous ranked probability score of the empirical distribution of draws, exactly.

    .. math:: \frac1n\sum_i |x_i - y| - \frac1{2n^2}\sum_{i,j} |x_i - x_j|

    The double sum is taken over sorted draws, in O(n log n). The unit is that of the observation.
    A cell with an infinite draw scores infinity, which is the exact value: some probability lies
    beyond every number. With a `cap`, draws and observation above it count as at it: this is the
    threshold-weighted CRPS, which looks at the numbers up to the cap alone. It is proper, and
    finite, when the cap was fixed before the observation was known.

    Parameters
    ----------
    draws, observed
        (n, ...) draws and (...) observations.
    cap
        A number, or (...) one a cell; infinity for the plain score.

    Returns
    -------
    numpy.ndarray
        (...) scores.

    References
    ----------
    Gneiting and Raftery (2007), Journal of the American Statistical Association 102, section 4.2;
    Gneiting and Ranjan (2011), Journal of Business and Economic Statistics 29, for the threshold.

    Examples
    --------
    >>> float(crps_draws([0, 1, 1, 5], 2)), float(crps_draws([0, 1, 1, float("inf")], 2, cap=5))
    (0.8125, 0.8125)
    """
    x, y = _paired(draws, observed)
    n = len(x)
    x, y = np.sort(np.minimum(x, cap), axis=0), np.minimum(y, cap)
    endless = np.isinf(x[-1])
    x = np.where(np.isinf(x), 0.0, x)
    weights = (2.0 * np.arange(1, n + 1) - n - 1) / n**2
    score = np.abs(x - y).mean(axis=0) - np.tensordot(weights, x, axes=1)
    return np.where(endless & ~np.isnan(y), np.inf, score)


def smoothed_pmf(draws: ArrayLike, values: ArrayLike) -> FloatArray:
    r"""Probability of a count under draws of counts, smoothed so that none is impossible.

    .. math::
        p(y) = \frac{n}{n + \sqrt n}\,\frac1n\sum_{i=1}^n \frac{1\{|x_i - y| \le h\}}
               {h + \min(x_i, h) + 1}
             + \frac{\sqrt n}{n + \sqrt n}\,\frac{s}{(s + y)(s + y + 1)}

    The first part spreads each draw evenly over the counts within h of it (and not below zero),
    where h is the interquartile range times n^(-1/3), rounded down: half the bin width of Freedman
    and Diaconis. For small counts h = 0 and this is the plain share of draws. The second part is a
    heavy-tailed law, P(Y >= y) = s / (s + y), with s = 1 + the median of the draws; it sums to one
    and falls off as 1/y². Its weight is that of √n draws, the total of the minimax pseudo-counts of
    a multinomial (Steinhaus 1957): 3 % for 1,000 draws.

    The whole sums to one over 0, 1, 2, …, less the probability of infinite draws. **Every log
    score of a forecast made of draws in this package uses this one law**, so that models and
    baselines are compared on the same terms.

    Parameters
    ----------
    draws
        (n, ...) counts as draws; infinity allowed.
    values
        (...) counts at which the probability is wanted, one a cell; NaN gives NaN.

    Returns
    -------
    numpy.ndarray
        (...) probabilities, above 0.

    Raises
    ------
    ValueError
        For draws or values that are not counts, or shapes that do not fit.

    Examples
    --------
    >>> float(smoothed_pmf([0, 0, 0, 0], 0).round(4)), float(smoothed_pmf([0, 0, 0, 0], 9).round(4))
    (0.8333, 0.003)
    """
    x, y = _paired(draws, values)
    for what, array in (("draws", x[np.isfinite(x)]), ("values", y[~np.isnan(y)])):
        if not np.all((array >= 0) & (array == np.floor(array))):
            raise ValueError(f"{what} must be counts (0, 1, 2, …) for the log score of counts")
    n = len(x)
    low, median, high = quantile_draws(x, (0.25, 0.5, 0.75))
    spread = np.where(np.isfinite(high), high, 0.0) - np.where(np.isfinite(high), low, 0.0)
    h = np.floor(spread * n ** (-1 / 3))
    near = (np.abs(x - y) <= h) / (h + np.minimum(x, h) + 1)
    scale = 1 + np.where(np.isfinite(median), median, 0.0)
    tail = scale / ((scale + y) * (scale + y + 1))
    return np.asarray((near.sum(axis=0) + np.sqrt(n) * tail) / (n + np.sqrt(n)))


def log_score_draws(draws: ArrayLike, observed: ArrayLike) -> FloatArray:
    """Logarithmic score -log p(observed) of draws of counts, in nats.

    p is `smoothed_pmf`, the same for all forecasts made of draws.

    Parameters
    ----------
    draws, observed
        (n, ...) counts as draws and (...) observed counts.

    Returns
    -------
    numpy.ndarray
        (...) scores, finite.

    Examples
    --------
    >>> float(log_score_draws([0, 1, 1, 5], 1).round(3))
    0.944
    """
    return np.asarray(-np.log(smoothed_pmf(draws, observed)))


def squared_error(draws: ArrayLike, observed: ArrayLike) -> FloatArray:
    """Squared error of the mean of the draws.

    Parameters
    ----------
    draws, observed
        (n, ...) draws and (...) observations.

    Returns
    -------
    numpy.ndarray
        (...) scores; infinite where a draw is.

    Examples
    --------
    >>> float(squared_error([1, 2, 3], 4))
    4.0
    """
    x, y = _paired(draws, observed)
    return np.asarray((x.mean(axis=0) - y) ** 2)


def pit_bounds(draws: ArrayLike, observed: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """P(Y < observed) and P(Y <= observed) under the draws: the ends of a count's PIT.

    Parameters
    ----------
    draws, observed
        (n, ...) draws and (...) observations.

    Returns
    -------
    lower, upper : numpy.ndarray
        (...) each; equal where no draw met the observation.

    Examples
    --------
    >>> low, high = pit_bounds([0, 1, 1, 5], 1)
    >>> float(low), float(high)
    (0.25, 0.75)
    """
    x, y = _paired(draws, observed)
    unknown = np.isnan(y)
    below, at_most = (x < y).mean(axis=0), (x <= y).mean(axis=0)
    return np.where(unknown, np.nan, below), np.where(unknown, np.nan, at_most)


def pit_share(lower: ArrayLike, upper: ArrayLike, level: float) -> FloatArray:
    """Mass of the non-randomised PIT in the central interval of probability `level`.

    The PIT of a count is spread evenly over [P(Y < y), P(Y <= y)]; this is the part of it in
    [(1 - level) / 2, (1 + level) / 2]. A calibrated forecast has the mean `level`.

    Parameters
    ----------
    lower, upper
        (...) the ends, from `pit_bounds`.
    level
        Probability of the central interval, between 0 and 1.

    Returns
    -------
    numpy.ndarray
        (...) masses in [0, 1].

    References
    ----------
    Czado, Gneiting and Held (2009), Biometrics 65, section 2.1.

    Examples
    --------
    >>> float(pit_share(0.0, 0.5, 0.5))
    0.5
    """
    low, high = np.asarray(lower, dtype=np.float64), np.asarray(upper, dtype=np.float64)
    start, end = (1 - _level(level)) / 2, (1 + level) / 2
    point = low == high
    width = np.where(point, 1.0, high - low)
    overlap = np.clip(np.minimum(high, end) - np.maximum(low, start), 0, None) / width
    inside = ((low >= start) & (low <= end)).astype(np.float64)
    return np.where(np.isnan(low), np.nan, np.where(point, inside, overlap))


def pit_histogram(lower: ArrayLike, upper: ArrayLike, bins: int = 10) -> FloatArray:
    """Non-randomised PIT histogram of count forecasts: the share of PIT mass in equal bins.

    Parameters
    ----------
    lower, upper
        The ends, from `pit_bounds`, any shape; NaN are left out.
    bins
        Number of equal bins of [0, 1].

    Returns
    -------
    numpy.ndarray
        (bins,) shares that sum to one; each 1 / bins where the forecast is calibrated.

    Raises
    ------
    ValueError
        When there is nothing to count.

    References
    ----------
    Czado, Gneiting and Held (2009), Biometrics 65, equation 2.

    Examples
    --------
    >>> pit_histogram([0.0, 0.5], [0.5, 0.5], bins=2).tolist()
    [0.5, 0.5]
    """
    low, high = np.ravel(np.asarray(lower, float)), np.ravel(np.asarray(upper, float))
    low, high = low[~np.isnan(low)], high[~np.isnan(low)]
    if len(low) == 0 or bins < 1:
        raise ValueError(f"a PIT histogram needs observations and bins, not {len(low)} and {bins}")
    edges = np.linspace(0, 1, bins + 1)[:, None]
    point = low == high
    width = np.where(point, 1.0, high - low)
    reached = np.where(point, edges > low, np.clip(edges - low, 0, width) / width)
    # A point at 1 (above all draws) belongs to the last bin.
    reached[-1] = 1.0
    return np.asarray(np.diff(reached.mean(axis=1)))


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
        (...) scores.

    References
    ----------
    Gneiting and Raftery (2007), section 6.2.

    Examples
    --------
    >>> float(interval_score(2, 5, 6, 0.5))
    7.0
    """
    low, high, y = (np.asarray(a, dtype=np.float64) for a in (lower, upper, observed))
    outside = np.clip(low - y, 0, None) + np.clip(y - high, 0, None)
    return np.asarray(high - low + 2 / (1 - _level(level)) * outside)


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
    x, low = _paired(draws, lower)
    x, high = _paired(draws, upper)
    return np.asarray(((low <= x) & (x <= high)).mean(axis=0))


def brier(probability: ArrayLike, outcome: ArrayLike) -> FloatArray:
    """Brier score of the probability of an event that happened (1) or not (0).

    Parameters
    ----------
    probability, outcome
        (...) probabilities in [0, 1] and outcomes, 0 or 1.

    Returns
    -------
    numpy.ndarray
        (...) squared differences.

    Raises
    ------
    ValueError
        For a probability outside [0, 1].

    Examples
    --------
    >>> float(brier(0.5, 1))
    0.25
    """
    p, y = np.asarray(probability, dtype=np.float64), np.asarray(outcome, dtype=np.float64)
    if not np.all((p >= 0) & (p <= 1)):
        raise ValueError(f"probabilities must lie in [0, 1], not {p.min()} to {p.max()}")
    return np.asarray((p - y) ** 2)


def relative_skill(scores: ArrayLike, reference: ArrayLike) -> FloatArray:
    """Mean score over the mean score of a reference, along the last axis; below 1 is better.

    Parameters
    ----------
    scores, reference
        (..., N) scores of the same N cases.

    Returns
    -------
    numpy.ndarray
        (...) ratios; NaN where the reference's mean is zero or both are infinite.

    Examples
    --------
    >>> float(relative_skill([1.0, 2.0], [2.0, 4.0]))
    0.5
    """
    above, below = np.mean(np.asarray(scores), axis=-1), np.mean(np.asarray(reference), axis=-1)
    undefined = (below == 0) | (np.isinf(above) & np.isinf(below))
    return np.where(undefined, np.nan, above / np.where(undefined, 1.0, below))


def moving_blocks(cases: int, length: int, resamples: int, rng: np.random.Generator) -> IntArray:
    """Indices of a moving-block bootstrap: cases drawn in runs, since neighbours are alike.

    Parameters
    ----------
    cases
        Number of cases in time order.
    length
        Cases in a block; limited to `cases`.
    resamples
        Number of resamples.
    rng
        Source of randomness.

    Returns
    -------
    numpy.ndarray
        (resamples, cases) indices.

    References
    ----------
    Künsch (1989), Annals of Statistics 17.

    Examples
    --------
    >>> moving_blocks(3, 3, 1, np.random.default_rng(0)).tolist()
    [[0, 1, 2]]
    """
    if cases < 1 or length < 1:
        raise ValueError(f"cases and block length must be at least 1, not {cases} and {length}")
    length = min(length, cases)
    starts = rng.integers(0, cases - length + 1, size=(resamples, -(-cases // length)))
    blocks = starts[:, :, None] + np.arange(length)
    return blocks.reshape(resamples, -1)[:, :cases]


def _checked(draws: ArrayLike) -> FloatArray:
    array = np.asarray(draws, dtype=np.float64)
    if array.ndim == 0 or len(array) == 0:
        raise ValueError(f"draws must be an array (n, ...) with n >= 1, not of shape {array.shape}")
    return array


def _paired(draws: ArrayLike, observed: ArrayLike) -> tuple[FloatArray, FloatArray]:
    array, values = _checked(draws), np.asarray(observed, dtype=np.float64)
    if array.shape[1:] != values.shape:
        raise ValueError(
            f"draws of shape {array.shape} need observations of shape {array.shape[1:]}, "
            f"not {values.shape}"
        )
    return array, values


def _level(level: float) -> float:
    if not 0 < level < 1:
        raise ValueError(f"a level must lie between 0 and 1, not {level}")
    return level
