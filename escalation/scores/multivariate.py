"""Scores of whole vectors of draws: several streams, or a path, at once."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from escalation.scores.shapes import checked
from escalation.window import FloatArray


def energy_score(draws: ArrayLike, observed: ArrayLike, *, pairs: int | None = None) -> FloatArray:
    r"""Energy score of vectors of draws, the CRPS of several dimensions.

    .. math:: \frac1n\sum_i \lVert x_i - y\rVert - \frac1{2n^2}\sum_{i,j}\lVert x_i - x_j\rVert

    Parameters
    ----------
    draws
        (n, ..., d) draws of vectors.
    observed
        (..., d) observations; a vector with a NaN scores NaN.
    pairs : int, optional
        Compare each draw with this many of its successors only, in place of all others: n * pairs
        distances in place of n²/2. The draws must come in no order. With it the second part is
        that of n - 1 draws without the draw itself, an unbiased estimate.

    Returns
    -------
    numpy.ndarray
        (...) scores; infinite where a draw is.

    References
    ----------
    Gneiting and Raftery (2007), section 4.3; Ziel and Berk (2019), arXiv 1910.07325, for pairs.

    Examples
    --------
    >>> float(energy_score([[0.0, 0.0], [3.0, 4.0]], [0.0, 0.0]))
    1.25
    """
    x, y, cells = _vectors(draws, observed)
    n = x.shape[1]
    if pairs is not None and not 1 <= pairs < n:
        raise ValueError(f"pairs must lie between 1 and {n - 1}, not {pairs}")
    from scipy.spatial.distance import pdist

    scores = np.empty(len(x))
    for cell, (own, came) in enumerate(zip(x, y, strict=True)):
        near = np.sqrt(((own - came) ** 2).sum(axis=1)).mean()
        if pairs is None:
            spread = pdist(own).sum() / n**2
        else:
            shifts = (np.roll(own, lag, axis=0) for lag in range(1, pairs + 1))
            spread = sum(np.sqrt(((own - s) ** 2).sum(axis=1)).mean() for s in shifts) / pairs / 2
        scores[cell] = near - spread
    return _finished(scores, draws, observed, cells)


def variogram_score(
    draws: ArrayLike, observed: ArrayLike, *, power: float = 0.5, weights: ArrayLike | None = None
) -> FloatArray:
    r"""Variogram score: are the differences between the components right? Blind to their level.

    .. math:: \sum_{j,k} w_{jk} \Bigl(|y_j - y_k|^p - \frac1n\sum_i |x_{ij} - x_{ik}|^p\Bigr)^2

    Parameters
    ----------
    draws, observed
        (n, ..., d) draws and (..., d) observations; a vector with a NaN scores NaN.
    power : float
        p, above 0; one half unless given.
    weights
        (d, d) weights w; 1 unless given. Each pair counts twice, as (j, k) and as (k, j).

    Returns
    -------
    numpy.ndarray
        (...) scores; infinite where a draw is.

    References
    ----------
    Scheuerer and Hamill (2015), Monthly Weather Review 143.

    Examples
    --------
    >>> float(variogram_score([[0.0, 1.0], [0.0, 1.0]], [0.0, 4.0]))
    2.0
    """
    if power <= 0:
        raise ValueError(f"the power must be above 0, not {power}")
    x, y, cells = _vectors(draws, observed)
    d = x.shape[2]
    weight = np.ones((d, d)) if weights is None else np.asarray(weights, dtype=np.float64)
    if weight.shape != (d, d):
        raise ValueError(f"weights must have shape {(d, d)}, not {weight.shape}")
    scores = np.zeros(len(x))
    for j in range(d):
        for k in range(j):
            expected = (np.abs(x[:, :, j] - x[:, :, k]) ** power).mean(axis=1)
            scores += (weight[j, k] + weight[k, j]) * (
                np.abs(y[:, j] - y[:, k]) ** power - expected
            ) ** 2
    return _finished(scores, draws, observed, cells)


def _vectors(
    draws: ArrayLike, observed: ArrayLike
) -> tuple[FloatArray, FloatArray, tuple[int, ...]]:
    """Draws (m, n, d) and observations (m, d) of m cells, infinity as 0, and the cells' shape."""
    x, y = checked(draws), np.asarray(observed, dtype=np.float64)
    if x.ndim < 2 or x.shape[1:] != y.shape:
        raise ValueError(
            f"draws (n, ..., d) need observations (..., d), not shapes {x.shape} and {y.shape}"
        )
    d = y.shape[-1]
    cells = np.moveaxis(x.reshape(len(x), -1, d).astype(np.float64), 0, 1)
    return np.where(np.isinf(cells), 0.0, cells), y.reshape(-1, d), y.shape[:-1]


def _finished(
    scores: NDArray[np.float64], draws: ArrayLike, observed: ArrayLike, cells: tuple[int, ...]
) -> FloatArray:
    endless = np.isinf(np.asarray(draws)).any(axis=(0, -1)).ravel()
    unknown = np.isnan(np.asarray(observed, dtype=np.float64)).any(axis=-1).ravel()
    scores = np.where(endless, np.inf, scores)
    return np.asarray(np.where(unknown, np.nan, scores).reshape(cells))
