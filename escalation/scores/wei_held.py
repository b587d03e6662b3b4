"""Calibration tests of count forecasts, by what the forecasts expect of their own scores."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from escalation.scores.draws import (
    crps_draws,
    dawid_sebastiani,
    dawid_sebastiani_draws,
    log_score_draws,
    smoothing,
)
from escalation.scores.laws import (
    crps_negative_binomial,
    log_score_negative_binomial,
)
from escalation.scores.shapes import BLOCK, over_cells, paired
from escalation.window import FloatArray

SCORES = ("dss", "logs", "rps")


class CalibrationTest(NamedTuple):
    """The statistic, its two-sided p-value by the normal law, and the cells that counted.

    A statistic above zero says that scores were worse than the forecasts expected (too narrow, or
    in the wrong place), below zero that they were better (too wide).
    """

    statistic: float
    p_value: float
    cells: int


def calibration_test(
    observed: ArrayLike,
    mean: ArrayLike,
    size: ArrayLike = np.inf,
    *,
    score: str = "logs",
    method: str = "cells",
) -> CalibrationTest:
    r"""Calibration test of Poisson or negative binomial forecasts by Wei and Held.

    Under the forecasts, the score S_i of cell i has mean E_i and variance V_i, and

    .. math:: Z = \frac{1}{\sqrt n}\sum_i \frac{S_i - E_i}{\sqrt{V_i}}
              \quad\text{or}\quad
              Z = \frac{\sum_i (S_i - E_i)}{\sqrt{\sum_i V_i}}

    is standard normal for many independent cells.

    Parameters
    ----------
    observed, mean, size
        (...) counts, means and sizes (the variance is :math:`\mu + \mu^2/\text{size}`; infinite:
        Poisson). Unobserved cells (NaN) are left out.
    score : {"dss", "logs", "rps"}
        Dawid-Sebastiani, logarithmic or ranked probability score.
    method : {"cells", "mean"}
        The first statistic, which standardises each cell, or the second, of the mean score.

    Returns
    -------
    CalibrationTest

    Raises
    ------
    ValueError
        For another score or method, or when nothing was observed.

    References
    ----------
    Wei and Held (2014), TEST 23, equations 5 (``"mean"``) and the discussion (``"cells"``);
    `calibrationTest` of the R package surveillance, whose methods 1 and 2 they are.

    Examples
    --------
    >>> calibration_test([1, 3, 0, 2], [1.0, 2.0, 1.0, 2.0], score="dss").cells
    4
    """
    _known(score, method)
    arrays = np.broadcast_arrays(*(np.asarray(a, np.float64) for a in (observed, mean, size)))
    y, mu, r = (a[~np.isnan(arrays[0])] for a in arrays)
    if score == "dss":
        with np.errstate(divide="ignore"):
            variance = mu + mu**2 / r
            found = dawid_sebastiani(mu, variance, y)
            moments = 1 + np.log(variance), 2 + 6 / r + 1 / variance
    else:
        whole = {"logs": log_score_negative_binomial, "rps": crps_negative_binomial}[score]
        found, moments = whole(mu, r, y), _moments(mu, r, score)
    return _judged(found, *moments, method)


def calibration_test_draws(
    draws: ArrayLike, observed: ArrayLike, *, score: str = "rps", method: str = "cells"
) -> CalibrationTest:
    """Calibration test of forecasts made of draws.

    As `calibration_test`, with mean and variance of a cell's score over its own draws: each draw
    is scored by the others. Where the forecasts are right, observation and draws are exchangeable.
    Cells whose draws are all alike have no variance and are left out.

    Parameters
    ----------
    draws, observed
        (n, ...) finite draws, two or more, and (...) observations; NaN are left out.
    score : {"dss", "logs", "rps"}
    method : {"cells", "mean"}

    Returns
    -------
    CalibrationTest
    """
    _known(score, method)
    x, y = paired(draws, observed)
    if len(x) < 3 or not np.isfinite(x).all():
        raise ValueError("a calibration test needs three or more draws, all finite")
    x, y = x.reshape(len(x), -1)[:, ~np.isnan(y.ravel())], y[~np.isnan(y)]
    varied = x.min(axis=0) < x.max(axis=0)
    x, y = x[:, varied], y[varied]
    rules = {"dss": dawid_sebastiani_draws, "logs": log_score_draws, "rps": crps_draws}
    others = {"dss": _dss_by_others, "logs": _logs_by_others, "rps": _rps_by_others}[score]

    def moments(x: FloatArray) -> FloatArray:
        each = others(np.sort(x, axis=1))
        return np.asarray([each.mean(axis=1), each.var(axis=1)])

    expected, variance = over_cells(moments, x)
    return _judged(rules[score](x, y), expected, variance, method)


def _known(score: str, method: str) -> None:
    if score not in SCORES or method not in ("cells", "mean"):
        raise ValueError(
            f"score must be one of {SCORES} and method 'cells' or 'mean', "
            f"not {score!r} and {method!r}"
        )


def _judged(
    score: FloatArray, expected: FloatArray, variance: FloatArray, method: str
) -> CalibrationTest:
    from scipy.special import ndtr

    counts = (variance > 0) & np.isfinite(score)
    score, expected, variance = score[counts], expected[counts], variance[counts]
    if len(score) == 0:
        raise ValueError("a calibration test needs an observed cell whose score can vary")
    if method == "cells":
        z = float(((score - expected) / np.sqrt(variance)).sum() / np.sqrt(len(score)))
    else:
        z = float((score - expected).sum() / np.sqrt(variance.sum()))
    return CalibrationTest(z, float(2 * ndtr(-abs(z))), len(score))


def _moments(mu: FloatArray, r: FloatArray, score: str) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of a score under its own law, by sums over the counts."""
    moments = np.empty((2, len(mu)))
    for cells, support in _supports(mu, r):
        m, size = mu[cells, None], r[cells, None]
        logs = log_score_negative_binomial(m, size, support)
        p = np.exp(-logs)
        if score == "rps":
            reached = np.cumsum(p, axis=1)
            gain = np.cumsum((1 - 2 * reached)[:, ::-1], axis=1)[:, ::-1]
            each = (reached**2).sum(axis=1, keepdims=True) + gain
        else:
            each = np.where(p > 0, logs, 0.0)
        moments[0, cells] = (p * each).sum(axis=1)
        moments[1, cells] = (p * (each - moments[0, cells, None]) ** 2).sum(axis=1)
    return moments[0], moments[1]


def _supports(mu: FloatArray, r: FloatArray) -> Iterator[tuple[np.ndarray, FloatArray]]:
    """Cells of like reach, and the counts 0, 1, …, beyond which nothing matters."""
    # The tail of a negative binomial law falls off as exp(-y / (1 + mu / r)).
    reach = mu + 10 * np.sqrt(mu + mu**2 / r) + 35 * (1 + mu / r)
    order = np.argsort(reach)
    while len(order):
        # As many of the farthest-reaching cells that are left as fit into one block.
        support = np.arange(np.ceil(reach[order[-1]]) + 1)
        width = max(1, BLOCK // len(support))
        yield order[-width:], support
        order = order[:-width]


def _rps_by_others(x: FloatArray) -> FloatArray:
    """CRPS of each of (m, n) sorted draws under the n - 1 others of its cell."""
    n = x.shape[1]
    place, below = np.arange(n), np.cumsum(x, axis=1)
    total = below[:, -1:]
    # Sum over j of |x_i - x_j|: i + 1 draws up to it, whose sum is `below`, and the rest above.
    apart = x * (2 * place + 2 - n) + total - 2 * below
    whole = apart.sum(axis=1, keepdims=True)
    return np.asarray(apart / (n - 1) - (whole - 2 * apart) / (2 * (n - 1) ** 2))


def _dss_by_others(x: FloatArray) -> FloatArray:
    """Dawid-Sebastiani score of each of (m, n) draws under the others of its cell."""
    n = x.shape[1]
    mean, square = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    others = mean - (x - mean) / (n - 1)
    variance = n / (n - 1) * (square - (x - mean) ** 2 / (n - 1))
    # Where all others are alike, the one apart from them is left as if it had company.
    safe = np.where(variance > 1e-12 * square, variance, square)
    return np.asarray((x - others) ** 2 / safe + np.log(safe))


def _logs_by_others(x: FloatArray) -> FloatArray:
    """Logarithmic score of each of (m, n) sorted draws under the others of its cell."""
    n = x.shape[1]
    h, scale = smoothing(x)
    weight = 1 / (h[:, None] + np.minimum(x, h[:, None]) + 1)
    sums = np.concatenate([np.zeros((len(x), 1)), np.cumsum(weight, axis=1)], axis=1)
    near = np.empty_like(x)
    for row, (values, reach) in enumerate(zip(x, h, strict=True)):
        first = np.searchsorted(values, values - reach, side="left")
        last = np.searchsorted(values, values + reach, side="right")
        near[row] = sums[row, last] - sums[row, first]
    tail = scale[:, None] / ((scale[:, None] + x) * (scale[:, None] + x + 1))
    root = np.sqrt(n - 1)
    return np.asarray(-np.log((near - weight + root * tail) / (n - 1 + root)))
