"""Scores of Poisson and negative binomial forecasts in closed form, and of probabilities."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from escalation.window import FloatArray


def log_score_poisson(mean: ArrayLike, observed: ArrayLike) -> FloatArray:
    r"""Logarithmic score of a Poisson forecast, :math:`\mu - y\log\mu + \log y!`, in nats.

    Parameters
    ----------
    mean, observed
        (...) means, at least 0, and counts.

    Returns
    -------
    numpy.ndarray
        (...) scores.

    Examples
    --------
    >>> float(log_score_poisson(2.0, 0))
    2.0
    """
    from scipy.special import gammaln, xlogy

    mu, y = _numbers(mean, observed)
    return np.asarray(mu - xlogy(y, mu) + gammaln(y + 1))


def log_score_negative_binomial(
    mean: ArrayLike, size: ArrayLike, observed: ArrayLike
) -> FloatArray:
    r"""Logarithmic score of a negative binomial forecast, in nats.

    Parameters
    ----------
    mean, size, observed
        (...) means, sizes (the variance is :math:`\mu + \mu^2/\text{size}`; infinite: Poisson) and
        counts.

    Returns
    -------
    numpy.ndarray
        (...) scores.

    Examples
    --------
    >>> float(log_score_negative_binomial(1.0, 1.0, 0).round(4))
    0.6931
    """
    from scipy.special import betaln, xlog1py, xlogy

    mu, r, y = _numbers(mean, size, observed)
    endless = np.isinf(r)
    r = np.where(endless, 1.0, r)
    ways = -np.log(r + y) - betaln(r, y + 1)
    score = -ways + xlog1py(r, mu / r) - xlogy(y, mu / (mu + r))
    return np.where(endless, log_score_poisson(mu, y), score)


def crps_poisson(mean: ArrayLike, observed: ArrayLike) -> FloatArray:
    r"""CRPS of a Poisson forecast, which is its RPS.

    .. math:: (y - \mu)\{2F(y) - 1\} + 2\mu f(y) - \mu e^{-2\mu}\{I_0(2\mu) + I_1(2\mu)\}

    Parameters
    ----------
    mean, observed
        (...) means, at least 0, and counts.

    Returns
    -------
    numpy.ndarray
        (...) scores.

    References
    ----------
    Wei and Held (2014), Test 23, appendix A; Jordan, Krüger and Lerch (2019), Journal of
    Statistical Software 90(12).

    Examples
    --------
    >>> float(crps_poisson(2.0, 2).round(4))
    0.3112
    """
    from scipy.special import ive, pdtr

    mu, y = _numbers(mean, observed)
    f = np.exp(-log_score_poisson(mu, y))
    spread = mu * (ive(0, 2 * mu) + ive(1, 2 * mu))
    return np.asarray((y - mu) * (2 * pdtr(y, mu) - 1) + 2 * mu * f - spread)


def crps_negative_binomial(mean: ArrayLike, size: ArrayLike, observed: ArrayLike) -> FloatArray:
    r"""CRPS of a negative binomial forecast, which is its RPS.

    .. math:: y\{2F_{r}(y) - 1\} - \mu\{2F_{r+1}(y - 1) - 1\} - \tfrac12 E|X - X'|

    with :math:`E|X - X'| = 2\mu\,{}_2F_1(r + 1, \tfrac12; 2; -4(1 - p)/p^2)/p`, where
    :math:`p = r/(r + \mu)`. The hypergeometric function is taken as an integral of a
    positive function (`_half_difference`), which loses no digits for large means or small sizes.

    Parameters
    ----------
    mean, size, observed
        (...) means, sizes (the variance is :math:`\mu + \mu^2/\text{size}`; infinite: Poisson) and
        counts.

    Returns
    -------
    numpy.ndarray
        (...) scores.

    References
    ----------
    Wei and Held (2014), appendix A.

    Examples
    --------
    >>> float(crps_negative_binomial(1.0, 1.0, 0).round(4))
    0.3333
    """
    from scipy.special import betaincc

    mu, r, y = _numbers(mean, size, observed)
    endless = np.isinf(r)
    r = np.where(endless, 1.0, r)
    rest = mu / (r + mu)
    at_most = betaincc(y + 1, r, rest)
    # P(X < y) of size r + 1; the incomplete beta function wants a positive first argument.
    below = np.where(y > 0, betaincc(np.maximum(y, 1.0), r + 1, rest), 0.0)
    score = y * (2 * at_most - 1) - mu * (2 * below - 1) - _half_difference(mu, r)
    return np.where(endless, crps_poisson(mu, y), score)


def _half_difference(mu: FloatArray, r: FloatArray) -> FloatArray:
    r"""Half of E|X - X'| for two independent negative binomial counts.

    By Euler's integral and Pfaff's transformation it is

    .. math:: \frac{4\mu k}{\pi p} \int_0^{\pi/2} \cos^2\phi\,
              (\cos^2\phi + k^2\sin^2\phi)^{r - 1}\,d\phi, \quad k = p/(2 - p),

    taken by the tanh-sinh rule, whose nodes crowd at both ends where the peaks are.
    """
    step = 1 / 32
    t = np.arange(-120, 121) * step
    inner = np.pi / 2 * np.sinh(t)
    # Distances of the nodes from 0 and from π/2, each without cancellation.
    from_end, from_start = (np.pi / 2 / (1 + np.exp(sign * 2 * inner)) for sign in (1, -1))
    weight = step * np.pi / 4 * np.pi / 2 * np.cosh(t) / np.cosh(inner) ** 2
    cos2, sin2 = np.sin(from_end) ** 2, np.sin(from_start) ** 2
    shape = np.broadcast_shapes(mu.shape, r.shape)
    mu, r = (np.broadcast_to(a, shape).ravel() for a in (mu, r))
    found = np.empty(mu.size)
    for start in range(0, mu.size, 4096):
        here = slice(start, start + 4096)
        m, size = mu[here], r[here]
        p, rest = size / (size + m), m / (size + m)
        k = p / (2 - p)
        # 1 - k² without cancellation, for the sizes so large that the law is nearly Poisson.
        gone = np.multiply.outer(4 * rest / (2 - p) ** 2, sin2)
        base = np.where(
            gone < 0.5,
            np.log1p(-np.minimum(gone, 0.5)),
            np.log(cos2 + np.multiply.outer(k**2, sin2)),
        )
        integral = (cos2 * np.exp((size[:, None] - 1) * base)) @ weight
        found[here] = 4 * m * k / (np.pi * p) * integral
    return found.reshape(shape)


def log_score_pmf(pmf: ArrayLike, observed: ArrayLike) -> FloatArray:
    """Logarithmic score of probabilities of the counts 0, 1, 2, …, in nats.

    Parameters
    ----------
    pmf
        (S, ...) probabilities of the counts 0 to S - 1.
    observed
        (...) counts; NaN scores NaN.

    Returns
    -------
    numpy.ndarray
        (...) scores; infinite where the probability is zero or the count beyond S - 1.

    Raises
    ------
    ValueError
        For shapes that do not fit, or an observation that is no count.

    Examples
    --------
    >>> log_score_pmf([[0.5], [0.5]], [2]).tolist()
    [inf]
    """
    p, y = _probabilities(pmf, observed)
    place = np.where(np.isnan(y), 0, np.minimum(y, len(p) - 1)).astype(np.int64)
    chosen = np.take_along_axis(p, place[None], axis=0)[0]
    with np.errstate(divide="ignore"):
        score = -np.log(np.where(y > len(p) - 1, 0.0, chosen))
    return np.where(np.isnan(y), np.nan, score)


def rps_pmf(pmf: ArrayLike, observed: ArrayLike) -> FloatArray:
    """Ranked probability score of probabilities of the counts 0, 1, 2, ….

    Parameters
    ----------
    pmf
        (S, ...) probabilities of the counts 0 to S - 1; what is missing from one lies beyond.
    observed
        (...) counts, at most S - 1; NaN scores NaN.

    Returns
    -------
    numpy.ndarray
        (...) sums over 0 to S - 1 of the squared differences of the distribution functions.

    Raises
    ------
    ValueError
        For shapes that do not fit, or an observation that is no count or beyond S - 1.

    References
    ----------
    Epstein (1969), Journal of Applied Meteorology 8; Czado, Gneiting and Held (2009).

    Examples
    --------
    >>> rps_pmf([[0.5], [0.5]], [0]).tolist()
    [0.25]
    """
    p, y = _probabilities(pmf, observed)
    if np.any(y > len(p) - 1):
        raise ValueError(f"counts must be below {len(p)}, where the probabilities end")
    step = np.arange(len(p)).reshape(-1, *(1,) * y.ndim)
    apart = np.where(np.isnan(y), np.nan, np.cumsum(p, axis=0) - (y <= step))
    return np.asarray((apart**2).sum(axis=0))


def _numbers(*values: ArrayLike) -> list[NDArray[Any]]:
    arrays = [np.asarray(a, dtype=np.float64) for a in values]
    if any(np.any(a < 0) for a in arrays):
        raise ValueError("means, sizes and counts must not be negative")
    return arrays


def _probabilities(pmf: ArrayLike, observed: ArrayLike) -> tuple[FloatArray, FloatArray]:
    p, y = np.asarray(pmf, dtype=np.float64), np.asarray(observed, dtype=np.float64)
    if p.shape[1:] != y.shape:
        raise ValueError(f"a pmf of shape {p.shape} needs counts of shape {p.shape[1:]}")
    wrong = (y < 0) | (y != np.floor(y)) & ~np.isnan(y)
    if wrong.any():
        raise ValueError(f"counts must be whole numbers from 0 on, not {y[wrong][0]:g}")
    return p, y
