"""How far coders agree: Cohen's kappa and Krippendorff's alpha; arrays in, arrays out."""

from collections.abc import Callable, Iterator
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from escalation.window import FloatArray, IntArray

Level = Literal["nominal", "ordinal", "interval", "ratio"]
"""What may be said of two values: the same or not, which is more, how far apart, how many times."""

LEVELS = ("nominal", "ordinal", "interval", "ratio")

BLOCK = 2_000_000
"""Numbers held at once while samples are drawn and values compared."""


def krippendorff_alpha(ratings: ArrayLike, level: Level = "nominal") -> float:
    r"""Krippendorff's alpha of any number of coders, values missing or not.

    .. math:: \alpha = 1 - \frac{D_o}{D_e}

    The observed disagreement is the mean squared difference of the values that different coders
    gave to a unit, the expected one that of all values paired whatever their unit. A unit that
    fewer than two coders judged does not count. The squared difference of values c and k is
    1 if they differ (nominal); that of their mean ranks among all values (ordinal); (c − k)²
    (interval); ((c − k) / (c + k))² (ratio).

    Parameters
    ----------
    ratings : array_like, shape (coders, units)
        Numbers with NaN where a coder gave none; for nominal values also text or anything that
        can be sorted, with None where there is none.
    level : {"nominal", "ordinal", "interval", "ratio"}

    Returns
    -------
    float
        1 for perfect agreement, 0 for that of chance, negative for less. NaN if fewer than two
        values can be paired or all of them are the same: nothing then tells agreement from
        chance.

    Raises
    ------
    ValueError
        If the array has not two dimensions, the level is unknown, or a ratio is negative.

    References
    ----------
    Krippendorff (2011), *Computing Krippendorff's Alpha-Reliability*; Hayes & Krippendorff (2007),
    *Communication Methods and Measures* 1(1).

    Examples
    --------
    >>> first, second = [1, 2, 3, 3, 2], [1, 2, 3, 2, 2]
    >>> round(krippendorff_alpha([first, second]), 3)
    0.71
    >>> round(krippendorff_alpha([first, second], "interval"), 3)
    0.816
    """
    values, index = _pairable(ratings, level)
    units = index.shape[1]
    return float(_alphas(values, index, level, np.ones((1, units)))[0]) if units else np.nan


def cohen_kappa(
    first: ArrayLike, second: ArrayLike, weights: Literal["linear", "quadratic"] | None = None
) -> float:
    r"""Cohen's kappa of two coders.

    .. math:: \kappa = 1 - \frac{\sum_{ck} v_{ck}\, p_{ck}}{\sum_{ck} v_{ck}\, a_c\, b_k}

    with the share p of units that the first coder gave to c and the second to k, the shares a and
    b that each gave to a value, and the weight v of that disagreement: 1 for any, or the distance
    of c and k in the order of the values, or its square.

    Parameters
    ----------
    first, second : array_like, shape (units,)
        As `krippendorff_alpha` takes them. Units that one coder left out do not count.
    weights : {"linear", "quadratic"}, optional

    Returns
    -------
    float
        NaN if no unit is left, or both gave one and the same value to all.

    Raises
    ------
    ValueError
        If the two are not of one length, or the weights unknown.

    References
    ----------
    Cohen (1960), *Educational and Psychological Measurement* 20(1); with weights Cohen (1968),
    *Psychological Bulletin* 70(4).

    Examples
    --------
    >>> round(cohen_kappa(["a", "b", "b", "a"], ["a", "b", "a", "a"]), 3)
    0.5
    """
    values, index = _pairs(first, second, weights)
    units = index.shape[1]
    return float(_kappas(values, index, weights, np.ones((1, units)))[0]) if units else np.nan


def alpha_interval(
    ratings: ArrayLike,
    level: Level = "nominal",
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    coverage: float = 0.95,
) -> tuple[float, float]:
    """Bootstrap interval of `krippendorff_alpha`, by drawing units with replacement.

    Samples in which the coefficient is not defined are left out; the interval is NaN if they are
    more than half. Few units give a rough interval, and perfect agreement one without width: it
    tells nothing of the units that were not coded.

    Parameters
    ----------
    ratings, level
        As in `krippendorff_alpha`.
    rng : numpy.random.Generator
    draws : int
        Samples.
    coverage : float
        Between 0 and 1.

    Returns
    -------
    low, high : float
    """
    values, index = _pairable(ratings, level)

    def statistic(sample: FloatArray) -> FloatArray:
        return _alphas(values, index, level, sample)

    return _interval(statistic, index.shape[1], rng, draws, coverage)


def kappa_interval(
    first: ArrayLike,
    second: ArrayLike,
    weights: Literal["linear", "quadratic"] | None = None,
    *,
    rng: np.random.Generator,
    draws: int = 2000,
    coverage: float = 0.95,
) -> tuple[float, float]:
    """Bootstrap interval of `cohen_kappa`; as `alpha_interval` in all else."""
    values, index = _pairs(first, second, weights)

    def statistic(sample: FloatArray) -> FloatArray:
        return _kappas(values, index, weights, sample)

    return _interval(statistic, index.shape[1], rng, draws, coverage)


def _interval(
    statistic: Callable[[FloatArray], FloatArray],
    units: int,
    rng: np.random.Generator,
    draws: int,
    coverage: float,
) -> tuple[float, float]:
    if draws < 1 or not 0 < coverage < 1:
        raise ValueError(
            f"wanted a positive number of draws and a coverage between 0 and 1, got {draws} and "
            f"{coverage}"
        )
    if units < 2:
        return np.nan, np.nan
    found = np.concatenate([statistic(each) for each in _samples(units, rng, draws)])
    defined = found[~np.isnan(found)]
    if defined.size * 2 < draws:
        return np.nan, np.nan
    low, high = np.quantile(defined, [(1 - coverage) / 2, (1 + coverage) / 2])
    return float(low), float(high)


def _samples(units: int, rng: np.random.Generator, draws: int) -> Iterator[FloatArray]:
    """How often each unit was drawn, shape (some of the draws, units), block by block."""
    block = max(1, BLOCK // units)
    even = np.full(units, 1 / units)
    for begin in range(0, draws, block):
        size = min(block, draws - begin)
        yield rng.multinomial(units, even, size=size).astype(np.float64)


def _numbered(given: ArrayLike) -> tuple[NDArray[Any], IntArray]:
    """The different values in order, and the number of each in an array of them; −1 if missing."""
    array = np.asarray(given)
    if array.dtype.kind in "OUS":
        array = array.astype(object)
        blank = [value is None or value != value for value in array.ravel()]
        missing = np.array(blank, dtype=bool).reshape(array.shape)
    else:
        array = array.astype(np.float64)
        missing = np.isnan(array)
    index = np.full(array.shape, -1, dtype=np.int64)
    try:
        values, index[~missing] = np.unique(array[~missing], return_inverse=True)
    except TypeError:
        raise ValueError("values to compare must be of one kind, numbers or text") from None
    return values, index


def _pairable(ratings: ArrayLike, level: Level) -> tuple[FloatArray, IntArray]:
    if level not in LEVELS:
        raise ValueError(f"level must be one of {', '.join(LEVELS)}, got {level!r}")
    values, index = _numbered(ratings)
    if index.ndim != 2:
        raise ValueError(f"ratings must have shape (coders, units), got {index.shape}")
    index = index[:, (index >= 0).sum(axis=0) > 1]
    if level in ("nominal", "ordinal"):
        return np.arange(len(values), dtype=np.float64), index
    try:
        numbers = values.astype(np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"level {level!r} needs numbers, got {values[0]!r}") from None
    if level == "ratio" and (numbers < 0).any():
        raise ValueError(f"level 'ratio' needs numbers of at least 0, got {numbers.min()}")
    return numbers, index


def _pairs(first: ArrayLike, second: ArrayLike, weights: str | None) -> tuple[FloatArray, IntArray]:
    if weights not in (None, "linear", "quadratic"):
        raise ValueError(f"weights must be 'linear', 'quadratic' or None, got {weights!r}")
    one, other = np.shape(first), np.shape(second)
    if one != other or len(one) != 1:
        raise ValueError(f"two coders judge the same units, got shapes {one} and {other}")
    both = [np.asarray(each) for each in (first, second)]
    if {each.dtype.kind for each in both} & set("OUS"):
        both = [each.astype(object) for each in both]
    return _pairable(np.stack(both), "nominal")


def _tallies(index: IntArray, kinds: int) -> Any:
    """How often each value was given to each unit, sparse, shape (units, values)."""
    from scipy.sparse import csr_array

    coder, unit = np.nonzero(index >= 0)
    ones = np.ones(len(unit))
    return csr_array((ones, (unit, index[coder, unit])), shape=(index.shape[1], kinds))


def _alphas(values: FloatArray, index: IntArray, level: Level, sample: FloatArray) -> FloatArray:
    """Alpha of each sample of units, shape (samples,)."""
    given = (index >= 0).sum(axis=0)
    tallies = _tallies(index, len(values))
    totals = np.asarray(sample @ tallies)
    number = totals.sum(axis=1)
    if level == "nominal":
        alike = np.asarray((tallies**2).sum(axis=1))
        observed = sample @ ((given**2 - alike) / (given - 1))
        expected = number**2 - (totals**2).sum(axis=1)
    elif level == "interval":
        centred = values - values.mean()
        observed = sample @ _spread(centred[index], index >= 0)
        expected = _spread_of(totals, centred[None])
    elif level == "ordinal":
        observed, expected = _by_rank(index, totals, sample)
    else:
        observed = sample @ _ratios(values[index], index >= 0)
        expected = _expected(totals, totals, values, _ratio)
    varied = (totals > 0).sum(axis=1) > 1
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(varied, 1 - (number - 1) * observed / expected, np.nan)


def _spread(given: FloatArray, present: NDArray[np.bool_]) -> FloatArray:
    """Sum of squared differences over ordered pairs by the pairs' weight, over axis −2."""
    given = np.where(present, given, 0.0)
    number = present.sum(axis=-2)
    middle = given.sum(axis=-2, keepdims=True) / number[..., None, :]
    apart = np.where(present, given - middle, 0.0)
    return np.asarray(2 * number * (apart**2).sum(axis=-2) / (number - 1))


def _spread_of(totals: FloatArray, values: FloatArray) -> FloatArray:
    number = totals.sum(axis=1, keepdims=True)
    middle = (totals * values).sum(axis=1, keepdims=True) / number
    return np.asarray(2 * number[:, 0] * (totals * (values - middle) ** 2).sum(axis=1))


def _by_rank(
    index: IntArray, totals: FloatArray, sample: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Observed and expected disagreement in ranks, which differ from sample to sample."""
    ranks = np.cumsum(totals, axis=1) - totals / 2
    observed = np.empty(len(sample))
    block = max(1, BLOCK // index.size)
    for begin in range(0, len(sample), block):
        part = slice(begin, begin + block)
        apart = _spread(ranks[part][:, index], index >= 0)
        observed[part] = (sample[part] * apart).sum(axis=1)
    return observed, _spread_of(totals, ranks)


def _ratio(one: FloatArray, other: FloatArray) -> FloatArray:
    total = one + other
    return np.asarray(((one - other) / np.where(total > 0, total, 1.0)) ** 2)


def _ratios(given: FloatArray, present: NDArray[np.bool_]) -> FloatArray:
    out = np.zeros(given.shape[1])
    for coder in range(len(given)):
        for other in range(coder):
            both = present[coder] & present[other]
            out += 2 * np.where(both, _ratio(given[coder], given[other]), 0.0)
    return np.asarray(out / (present.sum(axis=0) - 1))


def _expected(
    rows: FloatArray,
    columns: FloatArray,
    values: FloatArray,
    difference: Callable[[FloatArray, FloatArray], FloatArray],
) -> FloatArray:
    """Sum over c and k of rows c, columns k and their difference, block by block of c."""
    out = np.zeros(len(rows))
    block = max(1, BLOCK // len(values))
    for begin in range(0, len(values), block):
        part = slice(begin, begin + block)
        between = difference(values[part, None], values[None])
        out += ((rows[:, part] @ between) * columns).sum(axis=1)
    return out


def _kappas(
    values: FloatArray, index: IntArray, weights: str | None, sample: FloatArray
) -> FloatArray:
    """Kappa of each sample of units, shape (samples,)."""
    rows, columns = (np.asarray(sample @ _tallies(each[None], len(values))) for each in index)
    if weights is None:
        observed = sample @ (index[0] != index[1]).astype(np.float64)
        expected = sample.sum(axis=1) ** 2 - (rows * columns).sum(axis=1)
    else:
        power = 1 if weights == "linear" else 2
        apart = np.abs(values[index[0]] - values[index[1]]) ** power
        observed = sample @ apart
        expected = _expected(rows, columns, values, lambda c, k: np.abs(c - k) ** power)
    with np.errstate(invalid="ignore", divide="ignore"):
        kappa = 1 - sample.sum(axis=1) * observed / expected
    return np.where(expected > 0, kappa, np.nan)
