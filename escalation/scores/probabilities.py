"""Scores of probabilities of events, and what they are made of."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from escalation.window import FloatArray


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


class BrierDecomposition(NamedTuple):
    """A mean Brier score and its parts: score = miscalibration - discrimination + uncertainty.

    Miscalibration (reliability) is what recalibration would gain, discrimination (resolution) what
    the recalibrated probabilities gain over the plain rate, and uncertainty the score of that
    rate.
    """

    score: float
    miscalibration: float
    discrimination: float
    uncertainty: float


def brier_murphy(
    probability: ArrayLike, outcome: ArrayLike, bins: int | None = 10
) -> BrierDecomposition:
    r"""Murphy's decomposition of the mean Brier score, over bins of the probability.

    .. math:: \frac1N\sum_b n_b(\bar p_b - \bar y_b)^2 - \frac1N\sum_b n_b(\bar y_b - \bar y)^2
              + \bar y(1 - \bar y)

    The parts sum to the score only where all probabilities of a bin are equal; what lies within
    the bins (Stephenson, Coelho and Jolliffe 2008) is counted to the discrimination, so that they
    do.

    Parameters
    ----------
    probability, outcome
        (...) probabilities in [0, 1] and outcomes, 0 or 1; cells with NaN in either are left out.
    bins : int or None
        Equal bins of [0, 1], each with its lower edge (the last with both); None makes each value
        of the probability a bin.

    Returns
    -------
    BrierDecomposition

    Raises
    ------
    ValueError
        For a probability outside [0, 1], or nothing to score.

    References
    ----------
    Murphy (1973), Journal of Applied Meteorology 12; Stephenson et al. (2008), Weather and
    Forecasting 23.

    Examples
    --------
    >>> found = brier_murphy([0.2, 0.2, 0.8, 0.8], [0, 1, 1, 1])
    >>> [round(part, 4) for part in found]
    [0.19, 0.065, 0.0625, 0.1875]
    """
    p, y = _events(probability, outcome)
    # A hair is added so that 0.29 * 100 = 28.999999999999996 lies in the bin of 29.
    key = p if bins is None else np.minimum(np.floor(p * bins + 1e-9), bins - 1)
    _, group, size = np.unique(key, return_inverse=True, return_counts=True)
    forecast, rate = (np.bincount(group, v) / size for v in (p, y))
    reliability = float((size * (forecast - rate) ** 2).sum() / len(y))
    return _decomposed(float(((p - y) ** 2).mean()), reliability, y)


def brier_corp(probability: ArrayLike, outcome: ArrayLike) -> BrierDecomposition:
    """CORP decomposition of the mean Brier score: recalibrated by isotonic regression.

    No bins are chosen, and all parts are at least zero.

    Parameters
    ----------
    probability, outcome
        (...) probabilities in [0, 1] and outcomes, 0 or 1; cells with NaN in either are left out.

    Returns
    -------
    BrierDecomposition

    References
    ----------
    Dimitriadis, Gneiting and Jordan (2021), Proceedings of the National Academy of Sciences 118,
    e2016191118.

    Examples
    --------
    >>> found = brier_corp([0.1, 0.4, 0.3, 0.9], [0, 0, 1, 1])
    >>> [round(part, 4) for part in found]
    [0.1675, 0.0425, 0.125, 0.25]
    """
    p, y = _events(probability, outcome)
    score = float(((p - y) ** 2).mean())
    recalibrated = float(((isotonic_probability(p, y) - y) ** 2).mean())
    return _decomposed(score, score - recalibrated, y)


def isotonic_probability(probability: ArrayLike, outcome: ArrayLike) -> FloatArray:
    """Probabilities recalibrated by isotonic regression of the outcomes on them.

    Plotted against the probabilities they are the CORP reliability diagram.

    Parameters
    ----------
    probability, outcome
        (N,) probabilities and outcomes, 0 or 1, without NaN.

    Returns
    -------
    numpy.ndarray
        (N,) rates that rise with the probability.

    Examples
    --------
    >>> isotonic_probability([0.1, 0.4, 0.3, 0.9], [0, 0, 1, 1]).tolist()
    [0.0, 0.5, 0.5, 1.0]
    """
    from scipy.optimize import isotonic_regression

    p, y = _events(probability, outcome)
    _, group, size = np.unique(p, return_inverse=True, return_counts=True)
    fitted = isotonic_regression(np.bincount(group, y) / size, weights=size)
    return np.asarray(fitted.x[group])


def _events(probability: ArrayLike, outcome: ArrayLike) -> tuple[FloatArray, FloatArray]:
    p, y = np.broadcast_arrays(np.asarray(probability, float), np.asarray(outcome, float))
    known = ~(np.isnan(p) | np.isnan(y))
    p, y = p[known], y[known]
    if len(y) == 0 or not np.all((p >= 0) & (p <= 1)) or not np.all((y == 0) | (y == 1)):
        raise ValueError("probabilities in [0, 1] and outcomes, 0 or 1, are wanted, one or more")
    return p, y


def _decomposed(score: float, miscalibration: float, y: FloatArray) -> BrierDecomposition:
    uncertainty = float(y.mean() * (1 - y.mean()))
    return BrierDecomposition(
        score, miscalibration, uncertainty + miscalibration - score, uncertainty
    )
