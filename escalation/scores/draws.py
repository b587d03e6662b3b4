"""Scores of forecasts made of draws."""

import numpy as np
from numpy.typing import ArrayLike

from escalation.scores.quantiles import ranks
from escalation.scores.shapes import checked, over_cells, paired
from escalation.window import FloatArray


def crps_draws(draws: ArrayLike, observed: ArrayLike, cap: ArrayLike = np.inf) -> FloatArray:
    r"""Continuous ranked probability score of the empirical distribution of draws, exactly.

    .. math:: \frac1n\sum_i |x_i - y| - \frac1{2n^2}\sum_{i,j} |x_i - x_j|

    For counts this is the ranked probability score (RPS), the sum over all k of
    :math:`\{F(k) - 1(y \le k)\}^2`. The double sum is taken over sorted draws, in O(n log n).
    The unit is that of the observation.
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
    x, y = paired(draws, observed)
    weights = gini_weights(len(x))

    def score(x: FloatArray, y: FloatArray, cap: FloatArray) -> FloatArray:
        np.minimum(x, cap[:, None], out=x)
        x.sort(axis=1)
        endless = np.isinf(x[:, -1])
        x[np.isinf(x)] = 0.0
        y = np.minimum(y, cap)
        spread = x @ weights
        found = np.abs(np.subtract(x, y[:, None], out=x), out=x).mean(axis=1) - spread
        return np.where(endless & ~np.isnan(y), np.inf, found)

    return over_cells(score, x, y, cap)


def mean_difference(draws: ArrayLike) -> FloatArray:
    r"""Gini's mean difference of draws, :math:`\frac1{n^2}\sum_{i,j} |x_i - x_j|`.

    Parameters
    ----------
    draws
        (n, ...) finite draws.

    Returns
    -------
    numpy.ndarray
        (...), twice the second part of the CRPS.

    Examples
    --------
    >>> float(mean_difference([0, 1, 1, 5]))
    1.875
    """
    x = checked(draws)
    weights = 2 * gini_weights(len(x))
    return over_cells(lambda x: np.sort(x, axis=1) @ weights, x)


def gini_weights(n: int) -> FloatArray:
    """Weights of n sorted draws whose sum is half their mean difference."""
    return (2.0 * np.arange(1, n + 1) - n - 1) / n**2


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
    x, y = paired(draws, values)
    _counts("values", y[~np.isnan(y)])

    def probability(x: FloatArray, y: FloatArray) -> FloatArray:
        _counts("draws", x[np.isfinite(x)])
        h, scale = smoothing(x)
        reach = h[:, None]
        near = (np.abs(x - y[:, None]) <= reach) / (reach + np.minimum(x, reach) + 1)
        n = x.shape[1]
        tail = scale / ((scale + y) * (scale + y + 1))
        return np.asarray((near.sum(axis=1) + np.sqrt(n) * tail) / (n + np.sqrt(n)))

    return over_cells(probability, x, y)


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
    x, y = paired(draws, observed)
    return np.asarray((x.mean(axis=0) - y) ** 2)


def dawid_sebastiani_draws(draws: ArrayLike, observed: ArrayLike) -> FloatArray:
    r"""Dawid-Sebastiani score of draws, :math:`(y - m)^2/v + \log v`.

    m and v are mean and variance of the draws (divided by n). Draws that are all alike claim a
    variance of zero: the score is then minus infinity where they meet the observation, infinity
    where they do not, and a mean over cells says nothing. Forecasts of quiet streams are often so;
    the CRPS has no such trouble.

    Parameters
    ----------
    draws, observed
        (n, ...) draws and (...) observations.

    Returns
    -------
    numpy.ndarray
        (...) scores; infinity where a draw is infinite.

    References
    ----------
    Dawid and Sebastiani (1999), Annals of Statistics 27; Gneiting and Raftery (2007), equation 25.

    Examples
    --------
    >>> float(dawid_sebastiani_draws([1, 3], 4))
    4.0
    """
    x, y = paired(draws, observed)

    def score(x: FloatArray, y: FloatArray) -> FloatArray:
        endless = np.isinf(x).any(axis=1)
        x[endless] = 0.0
        found = dawid_sebastiani(x.mean(axis=1), x.var(axis=1), y)
        return np.where(endless & ~np.isnan(y), np.inf, found)

    return over_cells(score, x, y)


def dawid_sebastiani(mean: ArrayLike, variance: ArrayLike, observed: ArrayLike) -> FloatArray:
    r"""Dawid-Sebastiani score of a mean and variance.

    .. math:: (y - \mu)^2/\sigma^2 + \log\sigma^2

    Parameters
    ----------
    mean, variance, observed
        (...) each.

    Returns
    -------
    numpy.ndarray
        (...) scores; of a variance of zero minus infinity where mean and observation are equal,
        infinity elsewhere.

    Examples
    --------
    >>> float(dawid_sebastiani(2.0, 1.0, 4.0))
    4.0
    """
    m, v, y = (np.asarray(a, dtype=np.float64) for a in (mean, variance, observed))
    certain = v == 0
    safe = np.where(certain, 1.0, v)
    spread = (y - m) ** 2 / safe + np.log(safe)
    exact = np.where(y == m, -np.inf, np.where(np.isnan(y), np.nan, np.inf))
    return np.where(certain, exact, spread)


def _counts(what: str, array: FloatArray) -> None:
    if not np.all((array >= 0) & (array == np.floor(array))):
        raise ValueError(f"{what} must be counts (0, 1, 2, …) for the log score of counts")


def smoothing(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """The reach h of each draw and the scale s of the tail, (m,) each, for (m, n) draws."""
    places = ranks(x.shape[1], np.array([0.25, 0.5, 0.75]))
    low, median, high = np.sort(x, axis=1)[:, places].T
    spread = np.where(np.isfinite(high), high, 0.0) - np.where(np.isfinite(high), low, 0.0)
    h = np.floor(spread * x.shape[1] ** (-1 / 3))
    return h, 1 + np.where(np.isfinite(median), median, 0.0)
