"""Calibration of count forecasts: the non-randomised PIT."""

import numpy as np
from numpy.typing import ArrayLike

from escalation.scores.shapes import over_cells, paired, probability_between
from escalation.window import FloatArray


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
    x, y = paired(draws, observed)

    def ends(x: FloatArray, y: FloatArray) -> FloatArray:
        found = [(x < y[:, None]).mean(axis=1), (x <= y[:, None]).mean(axis=1)]
        return np.where(np.isnan(y), np.nan, found)

    below, at_most = over_cells(ends, x, y)
    return below, at_most


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
    start, end = (1 - probability_between(level)) / 2, (1 + level) / 2
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
