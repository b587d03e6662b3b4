"""Draws from the limit law of an estimate near which some entries may sit on zero."""

from __future__ import annotations

import numpy as np

from escalation.engines.base import Problem
from escalation.engines.objective import LIMITS
from escalation.engines.optimum import SINGULAR, Optimum, inverse
from escalation.parameters import BoolArray, FloatArray, WorkingScale

#: An entry this many standard errors above its bound at zero is drawn on the scale of its root.
FAR = 3.0
#: A fall of the log-likelihood, in standard deviations of the one that the normal law has, that is
#: none of its own; the share of such draws above which the law itself is given up.
BELOW, ASTRAY = 10.0, 0.1


def limit_law(
    best: Optimum, scale: WorkingScale, silent: BoolArray, draws: int, rng: np.random.Generator
) -> FloatArray:
    """Draws (draws, f) of the free entries on their own scale; silent entries stay.

    Normal with the observed information on the working scale. Entries that may be zero, but are
    three standard errors above it, are drawn on the scale of their square roots, where a number
    of offspring has the same error whatever its mean (Bartlett 1936, Supplement to the Journal of
    the Royal Statistical Society 3). Those nearer to zero are drawn on their own scale, projected
    in the metric of the information onto the half-space where they are not negative (Self & Liang
    1987, Journal of the American Statistical Association 82).
    """
    rooted = far_from_zero(best, scale, silent)
    out = drawn(best, scale, silent, rooted, rng.standard_normal((draws, best.x.size)), rng)
    return to_own_scale(out, scale, rooted)


def possible(
    problem: Problem, theta: FloatArray, highest: float, rng: np.random.Generator
) -> tuple[FloatArray, float]:
    """Draws theta (n, p) with those replaced by others that the likelihood finds impossible.

    Twice the fall of the log-likelihood from its maximum is chi-squared under the normal law; an
    impossible draw lies ten standard deviations lower. So it is where the mean of a recursion may
    run away: what is known of its feedback has an end that the law knows nothing of.

    Parameters
    ----------
    problem : Problem
    theta : ndarray (n, p)
    highest : float
        The log-likelihood at its maximum.
    rng : numpy.random.Generator

    Returns
    -------
    theta : ndarray (n, p)
        As they came where all are impossible.
    share : float
        How many were. Above `ASTRAY` the law is none.
    """
    entries = len(problem.layout.free)
    allowed = entries + BELOW * np.sqrt(2 * entries)
    values = np.array([problem.evaluate(one)[0] for one in theta])
    lower = ~(2 * (highest - values) < allowed)
    out = theta.copy()
    if lower.any() and not lower.all():
        out[lower] = theta[rng.choice(np.flatnonzero(~lower), int(lower.sum()))]
    return out, float(lower.mean())


def far_from_zero(best: Optimum, scale: WorkingScale, silent: BoolArray) -> BoolArray:
    """Entries (f,) that may be zero, but are so far above it that their roots are drawn."""
    keep, information = _informed(best, scale, silent)
    error = np.zeros(best.x.size)
    error[keep] = np.sqrt(np.diag(inverse(information[np.ix_(keep, keep)])))
    stays = np.ones(best.x.size, bool)
    stays[keep] = False
    return np.asarray(scale.nonnegative & (best.x > FAR * error) & ~stays)


def drawn(
    best: Optimum,
    scale: WorkingScale,
    silent: BoolArray,
    rooted: BoolArray,
    normal: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Draws (draws, f) on the working scale, with roots of the entries that `rooted` names.

    Parameters
    ----------
    normal : ndarray (draws, f)
        Standard normal; those of entries that stay are not used.
    """
    keep, information = _informed(best, scale, silent)
    covariance = inverse(information[np.ix_(keep, keep)])
    centre = np.where(rooted, np.sqrt(np.abs(best.x)), best.x)
    # Along a profile an entry may come near to zero, where its root has no slope.
    error = np.sqrt(np.diag(covariance))
    slope = np.where(rooted[keep], 2 * np.sqrt(np.maximum(best.x[keep], error)), 1.0)
    covariance = covariance / np.outer(slope, slope)
    near = scale.nonnegative[keep] & ~rooted[keep]
    moved = centre[keep] + normal[:, keep] @ root(covariance).T
    if near.any():
        moved = project(moved, covariance, near)
    out = np.tile(centre, (len(normal), 1))
    out[:, keep] = moved
    # The likelihood of a rate without an event falls exponentially in the rate.
    vanishing = best.vanishing & ~silent
    waiting = rng.standard_exponential((len(normal), int(vanishing.sum())))
    out[:, vanishing] = best.x[vanishing] + np.log(waiting / -best.gradient[vanishing])
    return out


def to_own_scale(out: FloatArray, scale: WorkingScale, rooted: BoolArray) -> FloatArray:
    """Entries (..., f) on their own scale of those that `drawn` gives, kept within their limits."""
    out = out.copy()
    lower, upper = np.array([LIMITS[support] for support in scale.supports]).T
    free = ~scale.nonnegative
    out[..., free] = np.clip(out[..., free], lower[free], upper[free])
    out[..., rooted] = np.maximum(out[..., rooted], 0.0) ** 2
    return scale.back(out)


def _informed(
    best: Optimum, scale: WorkingScale, silent: BoolArray
) -> tuple[np.ndarray[tuple[int], np.dtype[np.intp]], FloatArray]:
    """Places of the entries that move, and the information (f, f) that says how far.

    An entry stuck at a bound of the optimiser that is not one of the model stays where it is, and
    the diagnostics name it. At zero, an information that is small beside the squared slope is
    replaced by it, which bounds how far the entry can move.
    """
    zero = scale.nonnegative
    information = best.information.copy()
    for i in np.flatnonzero(best.bound & zero & ~silent):
        if information[i, i] < 0.05 * best.gradient[i] ** 2:
            information[i, :] = information[:, i] = 0.0
            information[i, i] = max(best.gradient[i] ** 2, 1e-8)
    keep = np.flatnonzero(~((best.bound & ~zero) | silent | best.vanishing))
    at_zero = best.bound & zero & ~silent
    if at_zero.any() and not _positive(information[np.ix_(keep, keep)]):
        # Where R is zero the data say nothing of its delays, whose penalty is not all there is.
        apart = at_zero[:, None] != at_zero
        information[apart] = 0.0
    return keep, information


def _positive(information: FloatArray) -> bool:
    """Whether a normal law can have this information."""
    diagonal = np.diag(information)
    if not np.all(diagonal > 0):
        return False
    scale = np.sqrt(diagonal)
    return bool(np.linalg.eigvalsh(information / np.outer(scale, scale))[0] > SINGULAR)


def root(covariance: FloatArray) -> FloatArray:
    """A matrix whose product with its transpose is the covariance."""
    try:
        return np.linalg.cholesky(covariance)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(covariance)
        return np.asarray(vectors * np.sqrt(np.maximum(values, 0.0)))


def project(points: FloatArray, covariance: FloatArray, near: BoolArray) -> FloatArray:
    """Nearest points, in the metric of the inverse covariance, with the near entries >= 0."""
    from escalation.engines.projection import nearest_nonnegative

    inside = np.flatnonzero(near)
    precision = np.linalg.inv(covariance[np.ix_(inside, inside)])
    target = np.ascontiguousarray(points[:, inside])
    solution = nearest_nonnegative(target, precision)
    out: FloatArray = points + (solution - target) @ (precision @ covariance[inside])
    out[:, inside] = solution
    return out
