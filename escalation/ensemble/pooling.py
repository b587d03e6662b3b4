"""One forecast from several: linear pool and quantile average of draws."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from escalation.window import FloatArray, IntArray

METHODS = ("linear pool", "quantile average")


def linear_pool(
    members: Sequence[ArrayLike], weights: ArrayLike, draws: int, rng: np.random.Generator
) -> FloatArray:
    """Draws of the mixture of several forecasts.

    Each member gives its share of whole paths, so that the dependence within a path stays: the
    nearest whole numbers to weight times `draws` that sum to it, without replacement where it has
    enough paths, all of them and a few again where it has not. The paths come in random order.

    Parameters
    ----------
    members : sequence of array_like
        (n_m, ...) draws of each of M members, of the same cells.
    weights : array_like, shape (M,)
        At least 0, summing to 1.
    draws : int
        Draws wanted.
    rng : numpy.random.Generator

    Returns
    -------
    numpy.ndarray
        (draws, ...).

    Raises
    ------
    ValueError
        For members of different cells, or weights that are none.

    References
    ----------
    Stone (1961), Annals of Mathematical Statistics 32; Gneiting and Ranjan (2013), Electronic
    Journal of Statistics 7: a linear pool is wider than its members are on average.
    """
    arrays, weight = _same_cells(members, weights)
    pool, start = np.empty((draws, *arrays[0].shape[1:])), 0
    order = rng.permutation(draws)
    for array, share in zip(arrays, shares(weight, draws).tolist(), strict=True):
        pool[order[start : start + share]] = array[_some(len(array), share, rng)]
        start += share
    return pool


def shares(weights: ArrayLike, draws: int) -> IntArray:
    """How many of the draws each member gives: nearest whole numbers by largest remainder.

    Examples
    --------
    >>> shares([0.5, 0.25, 0.25], 10).tolist()
    [5, 3, 2]
    """
    wanted = np.asarray(weights, dtype=np.float64) * draws
    # A hair is added so that 0.7 * 10 = 6.999999999999999 is 7.
    given = np.floor(wanted + 1e-9).astype(np.int64)
    rest = np.argsort(-(wanted - given), kind="stable")[: draws - given.sum()]
    given[rest] += 1
    return given


def quantile_average(
    members: Sequence[ArrayLike],
    weights: ArrayLike,
    rng: np.random.Generator,
    draws: int | None = None,
) -> FloatArray:
    """Draws whose quantiles are the weighted means of the members' quantiles, in each cell.

    The average of shapes that differ in place alone is of that shape, where a linear pool would
    have as many humps as members. A mean of counts that is no count is rounded up with the
    probability of its fraction, once a draw, so that the mean of the cell stays. Which draws of
    the cells belong together is taken from a linear pool of the members (their empirical copula;
    ties are broken by chance).

    Parameters
    ----------
    members : sequence of array_like
        (n_m, ...) counts as draws of each of M members, of the same cells.
    weights : array_like, shape (M,)
        At least 0, summing to 1.
    rng : numpy.random.Generator
    draws : int, optional
        Draws wanted; as many as the first member has unless given.

    Returns
    -------
    numpy.ndarray
        (draws, ...) whole numbers.

    References
    ----------
    Vincent (1912); Ratcliff (1979), Psychological Bulletin 86; Lichtendahl, Grushka-Cockayne and
    Winkler (2013), Management Science 59, on which average to take; Schefzik, Thorarinsdottir and
    Gneiting (2013), Statistical Science 28, for the copula.
    """
    arrays, weight = _same_cells(members, weights)
    n = draws or len(arrays[0])
    # The middle of each of n equal parts of [0, 1].
    levels = (np.arange(n) + 0.5) / n
    mean = np.zeros((n, *arrays[0].shape[1:]))
    for array, share in zip(arrays, weight, strict=True):
        if share > 0:
            place = np.minimum((levels * len(array)).astype(np.int64), len(array) - 1)
            mean += share * np.sort(array, axis=0)[place]
    counts = np.floor(mean + rng.uniform(size=mean.shape) * (1 - 1e-9))
    return ordered_like(counts, linear_pool(arrays, weight, n, rng), rng)


def ordered_like(values: FloatArray, template: FloatArray, rng: np.random.Generator) -> FloatArray:
    """Sort the values of each cell, (n, ...), in the order that the template's have.

    Draws of the template that are equal are ordered by chance.
    """
    chance = rng.permuted(
        np.broadcast_to(
            np.arange(len(template)).reshape(-1, *(1,) * (template.ndim - 1)), template.shape
        ),
        axis=0,
    )
    order = np.lexsort((chance, template), axis=0)
    placed = np.empty_like(values)
    np.put_along_axis(placed, order, np.sort(values, axis=0), axis=0)
    return placed


def _same_cells(
    members: Sequence[ArrayLike], weights: ArrayLike
) -> tuple[list[FloatArray], FloatArray]:
    arrays = [np.asarray(member, dtype=np.float64) for member in members]
    weight = np.asarray(weights, dtype=np.float64)
    cells = {array.shape[1:] for array in arrays}
    if len(cells) != 1 or any(len(array) == 0 for array in arrays):
        raise ValueError(f"members must have draws of the same cells, not of {sorted(cells)}")
    if weight.shape != (len(arrays),) or (weight < 0).any() or abs(weight.sum() - 1) > 1e-6:
        raise ValueError(
            f"{len(arrays)} members need as many weights that sum to 1, not {weight.tolist()}"
        )
    return arrays, weight / weight.sum()


def _some(n: int, wanted: int, rng: np.random.Generator) -> IntArray:
    """Places of as many of n paths, each as often as the next, but for one."""
    whole = [np.arange(n)] * (wanted // n)
    return np.concatenate([*whole, rng.permutation(n)[: wanted % n]])
