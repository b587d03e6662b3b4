"""Comparison of forecasters by their scores on the same cases."""

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from escalation.scores.shapes import probability_between
from escalation.window import FloatArray, IntArray


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


def block_length(cases: int, overlap: int = 1) -> int:
    """Length of a moving block: the cube root of the cases, at least twice those that overlap.

    Parameters
    ----------
    cases
        Number of cases in time order.
    overlap
        How many neighbouring cases share periods that are forecast; 1 where none do.

    Returns
    -------
    int
        At most half of the cases, at least 1.

    References
    ----------
    Bühlmann and Künsch (1999), Computational Statistics and Data Analysis 31, for the cube root.

    Examples
    --------
    >>> block_length(100, 1), block_length(100, 3), block_length(4, 12)
    (5, 6, 2)
    """
    least = 2 * overlap if overlap > 1 else 1
    return max(1, min(max(round(float(np.cbrt(cases))), least), cases // 2))


def block_interval(values: ArrayLike, level: float, blocks: float) -> FloatArray:
    r"""Expanded percentile interval of bootstrap values: wider where there are few blocks.

    The tail is :math:`\Phi\{\sqrt{b/(b-1)}\, t_{b-1}(\alpha/2)\}` in place of
    :math:`\alpha/2`, which makes the interval of a mean of b blocks that of Student.

    Parameters
    ----------
    values
        (R, ...) values of R resamples.
    level
        Probability of the interval.
    blocks
        How many blocks the cases hold, above 1: cases over block length.

    Returns
    -------
    numpy.ndarray
        (2, ...) lower and upper end.

    References
    ----------
    Hesterberg (2015), The American Statistician 69, section 5.3.

    Examples
    --------
    >>> block_interval(np.arange(101.0), 0.9, 1e9).round(3).tolist()
    [5.0, 95.0]
    """
    from scipy.special import ndtr, stdtrit

    if blocks <= 1:
        raise ValueError(f"an interval needs more than one block, not {blocks}")
    tail = (1 - probability_between(level)) / 2
    wider = ndtr(np.sqrt(blocks / (blocks - 1)) * stdtrit(blocks - 1, tail))
    return np.asarray(np.quantile(np.asarray(values), [wider, 1 - wider], axis=0))


class DieboldMariano(NamedTuple):
    """Mean difference of two scores, its statistic, and the two-sided p-value, (...) each."""

    difference: FloatArray
    statistic: FloatArray
    p_value: FloatArray


def diebold_mariano(scores: ArrayLike, reference: ArrayLike, horizon: int = 1) -> DieboldMariano:
    r"""Diebold-Mariano test of equal mean scores, with the small-sample correction of Harvey.

    The variance of the mean difference is that of a series whose autocovariances end after
    `horizon` - 1 cases, as those of forecasts that many steps ahead from every origin do. Where it
    is not positive, Bartlett's weights are put on the same autocovariances. The statistic is
    multiplied by :math:`\sqrt{\{n + 1 - 2h + h(h-1)/n\}/n}` and judged by Student's law with
    n - 1 degrees of freedom.

    Parameters
    ----------
    scores, reference
        (..., N) scores of the same N cases in time order; a case with NaN in either is left out,
        and its neighbours keep their distance in time.
    horizon
        Cases that overlap, 1 for none.

    Returns
    -------
    DieboldMariano
        A difference below 0 says that `scores` are better. Statistics are NaN where no case counts
        or all differences are the same.

    Raises
    ------
    ValueError
        When the horizon is below 1 or not below N.

    References
    ----------
    Diebold and Mariano (1995), Journal of Business and Economic Statistics 13; Harvey, Leybourne
    and Newbold (1997), International Journal of Forecasting 13, equations 6 to 9.

    Examples
    --------
    >>> found = diebold_mariano([1.0, 2.0, 1.0, 3.0], [2.0, 2.5, 3.0, 3.5])
    >>> [round(float(part), 4) for part in found]
    [-1.0, -2.8284, 0.0663]
    """
    from scipy.special import stdtr

    gap = np.asarray(scores, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    if not 1 <= horizon < gap.shape[-1]:
        raise ValueError(f"the horizon must lie between 1 and {gap.shape[-1] - 1}, not {horizon}")
    known = ~np.isnan(gap)
    n = known.sum(axis=-1)
    safe = np.maximum(n, 1)
    mean = np.where(known, gap, 0.0).sum(axis=-1) / safe
    apart = np.where(known, gap - mean[..., None], 0.0)
    steps = np.arange(horizon)
    cut = gap.shape[-1] - steps
    products = [
        (apart[..., :c] * apart[..., h:]).sum(axis=-1) for h, c in zip(steps, cut, strict=True)
    ]
    covariance = np.stack(products) / safe
    twice = np.where(steps == 0, 1.0, 2.0)
    flat = np.tensordot(twice, covariance, axes=1)
    falling = np.tensordot(twice * (1 - steps / horizon), covariance, axes=1)
    variance = np.where(flat > 0, flat, falling) / safe
    small = (n + 1 - 2 * horizon + horizon * (horizon - 1) / safe) / safe
    defined = (n > 1) & (variance > 0) & (small > 0)
    ratio = np.where(defined, small, np.nan) / np.where(defined, variance, 1.0)
    statistic = mean * np.sqrt(ratio)
    p = 2 * stdtr(np.maximum(n - 1, 1), -np.abs(statistic))
    return DieboldMariano(np.where(n > 0, mean, np.nan), statistic, np.asarray(p))


class PairwiseSkill(NamedTuple):
    """Relative skill of M forecasters.

    `ratios` (M, M) are mean scores over mean scores of cases that both have; `skill` (M,) their
    geometric means along each row; `scaled` (M,) the skill over that of the baseline, with the
    ends `lower` and `upper` (M,) of its interval. Below 1 is better. NaN where a pair shares no
    case.
    """

    ratios: FloatArray
    skill: FloatArray
    scaled: FloatArray
    lower: FloatArray
    upper: FloatArray


def pairwise_skill(
    scores: ArrayLike,
    baseline: int = 0,
    *,
    overlap: int = 1,
    level: float = 0.9,
    resamples: int = 1000,
    rng: np.random.Generator,
) -> PairwiseSkill:
    r"""Pairwise relative skill with intervals by a moving-block bootstrap over origins.

    .. math:: \theta_{ij} = \frac{\bar s_i}{\bar s_j} \text{ over the cases of both}, \qquad
              \theta_i = \Bigl(\prod_{j=1}^M \theta_{ij}\Bigr)^{1/M}, \qquad
              \theta_i / \theta_B

    Forecasters that took on different cases stay comparable, because each pair is compared on the
    cases that both have.

    Parameters
    ----------
    scores
        (M, N) or (M, N, ...) scores, above 0, of M forecasters at N origins in time order; NaN
        where one has no forecast or nothing was observed.
    baseline : int
        Place of the baseline B.
    overlap : int
        Neighbouring origins whose forecasts share periods; blocks are twice as long
        (`block_length`).
    level : float
        Probability of the intervals (`block_interval`); NaN with fewer than two origins. Resamples
        in which a forecaster's scaled skill is undefined, because a pair shares no case there,
        are left out of its interval, which then holds given that there are such cases.
    resamples : int
    rng : numpy.random.Generator

    Returns
    -------
    PairwiseSkill

    References
    ----------
    Cramer et al. (2022), Proceedings of the National Academy of Sciences 119, e2113561119,
    supplement section 1.2; Künsch (1989) for the blocks.

    Examples
    --------
    >>> found = pairwise_skill([[2.0, 2.0], [1.0, 1.0]], rng=np.random.default_rng(0))
    >>> found.scaled.round(4).tolist(), found.upper.round(4).tolist()
    ([1.0, 0.5], [1.0, 0.5])
    """
    s = np.asarray(scores, dtype=np.float64)
    if s.ndim < 2 or not 0 <= baseline < len(s):
        raise ValueError(f"scores must be (M, N, ...) with the baseline in M, not {s.shape}")
    s = s.reshape(*s.shape[:2], -1)
    known = ~np.isnan(s)
    # Sum over the cases of both i and j of the score of i, by origin: (N, M, M).
    sums = np.einsum("inc,jnc->nij", np.where(known, s, 0.0), known.astype(np.float64))
    length = block_length(s.shape[1], overlap)
    index = moving_blocks(s.shape[1], length, resamples, rng)
    ratios, skill = _skill(sums.sum(axis=0))
    # How often each origin was drawn; the sums of a resample are then one matrix product.
    drawn = np.zeros((resamples, s.shape[1]))
    np.add.at(drawn, (np.arange(resamples)[:, None], index), 1.0)
    again = _skill(np.tensordot(drawn, sums, axes=1))[1]
    ends = np.full((2, len(s)), np.nan)
    if s.shape[1] > 1:
        scaled = again / again[:, [baseline]]
        for place, column in enumerate(scaled.T):
            defined = column[~np.isnan(column)]
            if len(defined):
                ends[:, place] = block_interval(defined, level, s.shape[1] / length)
    return PairwiseSkill(ratios, skill, skill / skill[baseline], ends[0], ends[1])


def _skill(sums: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Ratios (..., M, M) and their geometric means (..., M) from sums over shared cases."""
    other = np.swapaxes(sums, -1, -2)
    undefined = (other == 0) | ~np.isfinite(other) & ~np.isfinite(sums)
    ratios = np.where(undefined, np.nan, sums / np.where(undefined, 1.0, other))
    with np.errstate(divide="ignore"):
        return ratios, np.exp(np.log(ratios).mean(axis=-1))
