"""Weights of a linear pool by stacking: those with the best score over past cases."""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from escalation.scores import crps_draws, mean_difference
from escalation.window import BoolArray, DateArray, FloatArray

RIDGE = 1e-9
"""Pull towards equal weights, as a share of the mean curvature: alike members share alike."""


def stack_log_scores(probabilities: ArrayLike) -> FloatArray:
    r"""Weights that give a linear pool the best mean log score.

    .. math:: \max_w \frac1N\sum_i \log\sum_m w_m p_{im}, \quad w_m \ge 0, \ \sum_m w_m = 1

    The problem is concave; it is solved by Newton steps, each a quadratic programme on the
    simplex (`best_on_simplex`), with the step halved where it does not gain.

    Parameters
    ----------
    probabilities : array_like, shape (N, M)
        What each member gave to what came, above 0: `scores.smoothed_pmf`, say. Rows with NaN are
        left out.

    Returns
    -------
    numpy.ndarray
        (M,) weights; equal ones where no row is left.

    References
    ----------
    Hall and Mitchell (2007), International Journal of Forecasting 23; Yao, Vehtari, Simpson and
    Gelman (2018), Bayesian Analysis 13.

    Examples
    --------
    >>> stack_log_scores([[0.5, 0.1], [0.5, 0.1], [0.1, 0.5]]).round(3).tolist()
    [0.75, 0.25]
    """
    p = np.asarray(probabilities, dtype=np.float64)
    p = p[~np.isnan(p).any(axis=1)]
    if (p <= 0).any():
        raise ValueError("stacking log scores needs probabilities above 0")
    weights = np.full(p.shape[1], 1 / p.shape[1])
    if len(p) == 0:
        return weights
    p = p / p.max(axis=1, keepdims=True)
    value = np.log(p @ weights).mean()
    for _ in range(100):
        ratio = p / (p @ weights)[:, None]
        gradient, hessian = -ratio.mean(axis=0), ratio.T @ ratio / len(p)
        step = best_on_simplex(hessian, gradient - hessian @ weights) - weights
        slope, size = -float(gradient @ step), 1.0
        if slope < 1e-13:
            break
        while np.log(p @ (weights + size * step)).mean() < value + 1e-4 * size * slope:
            size /= 2
            if size < 1e-10:
                return weights
        weights = np.clip(weights + size * step, 0, None)
        weights /= weights.sum()
        value = np.log(p @ weights).mean()
    return weights


def crps_parts(
    members: Sequence[ArrayLike], observed: ArrayLike, cap: ArrayLike = np.inf
) -> tuple[FloatArray, FloatArray]:
    r"""What the CRPS of any linear pool of these members is made of, cell by cell.

    .. math:: \text{CRPS}\Bigl(\sum_m w_m F_m, y\Bigr) = \sum_m w_m E|X_m - y|
              - \tfrac12 \sum_{m,l} w_m w_l E|X_m - X_l|

    Parameters
    ----------
    members : sequence of array_like
        (n_m, ...) draws of each of M members.
    observed : array_like
        (...) observations.
    cap : array_like
        As in `scores.crps_draws`: needed where draws are infinite.

    Returns
    -------
    error, distance : numpy.ndarray
        (M, ...) mean distances to the observation, NaN where unobserved, and (M, M, ...) between
        members; the latter know nothing of the observation.
    """
    y = np.asarray(observed, dtype=np.float64)
    capped = [np.minimum(np.asarray(member, dtype=np.float64), cap) for member in members]
    if any(np.isinf(member).any() for member in capped):
        raise ValueError("draws must be finite, or a cap be given")
    own = np.stack([mean_difference(member) for member in capped])
    distance = np.empty((len(own), *own.shape))
    for m, first in enumerate(capped):
        distance[m, m] = own[m]
        for k, second in enumerate(capped[:m]):
            n, o = len(first), len(second)
            # The mean difference of both together counts pairs within and across.
            whole = (n + o) ** 2 * mean_difference(np.concatenate([first, second]))
            across = (whole - n**2 * own[m] - o**2 * own[k]) / (2 * n * o)
            distance[m, k] = distance[k, m] = across
    single = [crps_draws(member, np.minimum(y, cap)) for member in capped]
    return np.stack(single) + own / 2, distance


def stack_crps(error: ArrayLike, distance: ArrayLike) -> FloatArray:
    r"""Weights that give a linear pool the best mean CRPS.

    With :math:`a_m` and :math:`D_{ml}` the means of `crps_parts`, a quadratic programme on the
    simplex: the matrix :math:`D_{m1} + D_{1l} - D_{ml}` is positive semi-definite, since a
    difference of distributions has no negative energy.

    Parameters
    ----------
    error : array_like, shape (M, N)
    distance : array_like, shape (M, M, N)
        From `crps_parts`; cases with NaN are left out.

    Returns
    -------
    numpy.ndarray
        (M,) weights; equal ones where no case is left.

    References
    ----------
    Székely and Rizzo (2005), Journal of Multivariate Analysis 93, for the kernel; Thorey, Mallet
    and Baudin (2017), Quarterly Journal of the Royal Meteorological Society 143, for weights by
    the CRPS.
    """
    a, d = np.asarray(error, dtype=np.float64), np.asarray(distance, dtype=np.float64)
    known = ~np.isnan(a).any(axis=0)
    if not known.any():
        return np.full(len(a), 1 / len(a))
    a, d = a[:, known].mean(axis=1), d[:, :, known].mean(axis=2)
    return best_on_simplex(d[:, :1] + d[:1] - d, a - d[0])


def best_on_simplex(matrix: ArrayLike, linear: ArrayLike) -> FloatArray:
    r"""Minimise :math:`\tfrac12 w'Aw + b'w` over :math:`w \ge 0, \sum w = 1`, by active sets.

    A ridge of `RIDGE` makes the minimum one; among equals the most even weights are taken.

    Parameters
    ----------
    matrix : array_like, shape (M, M)
        A, positive semi-definite.
    linear : array_like, shape (M,)
        b.

    Returns
    -------
    numpy.ndarray
        (M,) weights.

    Examples
    --------
    >>> best_on_simplex([[2.0, 0.0], [0.0, 1.0]], [0.0, 0.0]).round(4).tolist()
    [0.3333, 0.6667]
    """
    b = np.asarray(linear, dtype=np.float64)
    a = np.asarray(matrix, dtype=np.float64)
    scale = max(float(np.abs(a).max()), float(np.ptp(b)), 1e-300)
    a, b = a / scale + RIDGE * np.eye(len(b)), (b - b.min()) / scale
    weights, free = np.full(len(b), 1 / len(b)), np.ones(len(b), dtype=bool)
    for _ in range(50 * len(b)):
        target = _level_solution(a, b, free)
        if (target >= 0).all():
            weights = target
            pull = a @ weights + b
            gain = pull - pull[free].mean()
            gain[free] = 0.0
            if gain.min() > -1e-12:
                break
            free[np.argmin(gain)] = True
            continue
        falling = np.flatnonzero(free & (target < 0))
        reach = weights[falling] / (weights[falling] - target[falling])
        first = falling[np.argmin(reach)]
        weights = weights + reach.min() * (target - weights)
        weights[first], free[first] = 0.0, False
    weights = np.clip(weights, 0, None)
    return np.asarray(weights / weights.sum())


def _level_solution(a: FloatArray, b: FloatArray, free: BoolArray) -> FloatArray:
    """The minimum over the free weights with sum one, whatever their signs; the others zero."""
    m = int(free.sum())
    system = np.zeros((m + 1, m + 1))
    system[:m, :m], system[m, :m], system[:m, m] = a[np.ix_(free, free)], 1.0, 1.0
    solution = np.linalg.solve(system, np.append(-b[free], 1.0))
    target = np.zeros(len(b))
    target[free] = solution[:m]
    return target


def weights_over_time(
    made_on: DateArray,
    known_on: DateArray,
    learn: Callable[[BoolArray], FloatArray],
    members: int,
    *,
    fewest: int = 1,
) -> FloatArray:
    """Weights for one origin after another, each learned from what was known then.

    Parameters
    ----------
    made_on : array of datetime64[D], shape (O,)
        The first day that was not known at each origin.
    known_on : array of datetime64[D], shape (N,)
        The day from which the outcome of each case is known: the day after its period. An origin
        learns from the cases with `known_on` at or before its `made_on`.
    learn : callable
        Takes (N,) of bool, the cases to learn from, and gives (M,) weights.
    members : int
        M.
    fewest : int
        Equal weights where fewer cases than that are known.

    Returns
    -------
    numpy.ndarray
        (O, M).
    """
    weights = np.full((len(made_on), members), 1 / members)
    for place, day in enumerate(made_on):
        usable = known_on <= day
        if usable.sum() >= max(fewest, 1):
            weights[place] = learn(usable)
    return weights
