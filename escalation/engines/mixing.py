"""The compiled maps between coordinates and parameters, and the priors on them."""

import numpy as np
from numba import njit

#: How an entry follows from its coordinate.
REAL, LOG, LOGIT = 0, 1, 2
#: What the compiled code knows of an entry's prior; anything else is evaluated by its class.
FLAT, NORMAL, LOG_NORMAL, HALF_NORMAL, EXPONENTIAL, BETA = 0, 1, 2, 3, 4, 5


@njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)
def to_parameters(  # type: ignore[no-untyped-def]
    z, centre, root, x, theta, mixture, inner, groups, first, part, offset, contrasts, owner, other
):  # fmt: skip
    """Coordinates and parameters of a standardised position.

    Parameters
    ----------
    z : ndarray (f,)
    centre : ndarray (f,)
    root : ndarray (f, f) or (1, f)
        Lower triangular, or a diagonal: x = centre + root z.
    x : ndarray (f,)
        Filled, the coordinates.
    theta : ndarray (size,)
        Filled but for the fixed entries.
    mixture : ndarray (2, n)
        Filled, the logs of the parts of the mixed rows and their shares.
    inner : ndarray (G, q)
        Filled, the entries of theta at `groups`.
    groups : ndarray of int (G, q)
    first, part, offset, contrasts, owner, other
        Of `Coordinates`.
    """
    rows, splits, size = first.size - 1, owner.size, x.size
    diagonal = root.shape[0] < size
    for i in range(size):
        at = centre[i]
        if diagonal:
            at += root[0, i] * z[i]
        else:
            for j in range(i + 1):
                at += root[i, j] * z[j]
        x[i] = at
    for i in range(offset.size):
        mixture[0, i] = 0.0
    for s in range(splits):
        begin = first[owner[s]]
        for i in range(first[owner[s] + 1] - begin):
            mixture[0, begin + i] += contrasts[s, i] * x[rows + s]
    for k in range(rows):
        highest, total = -np.inf, 0.0
        for i in range(first[k], first[k + 1]):
            highest = max(highest, mixture[0, i])
        for i in range(first[k], first[k + 1]):
            mixture[1, i] = np.exp(mixture[0, i] - highest)
            total += mixture[1, i]
        shift = x[k] - highest - np.log(total)
        for i in range(first[k], first[k + 1]):
            mixture[1, i] /= total
            mixture[0, i] += shift + offset[i]
            at = mixture[0, i]
            theta[part[i, 0]] = np.exp(at) if part[i, 1] == LOG else at
    for i in range(other.shape[0]):
        at = x[rows + splits + i]
        if other[i, 1] == LOG:
            at = np.exp(at)
        elif other[i, 1] == LOGIT:
            at = 1.0 / (1.0 + np.exp(-at))
        theta[other[i, 0]] = at
    for g in range(groups.shape[0]):
        for i in range(groups.shape[1]):
            inner[g, i] = theta[groups[g, i]]


@njit(cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _add_priors(theta, by_theta, laws):  # type: ignore[no-untyped-def]
    """Log-density of the compiled priors, constants left out; adds the slopes to `by_theta`."""
    value = 0.0
    for i in range(theta.size):
        law, first, second = laws[i, 0], laws[i, 1], laws[i, 2]
        at = theta[i]
        if law == NORMAL:
            gap = (at - first) / second
            value -= 0.5 * gap * gap
            by_theta[i] -= gap / second
        elif law == LOG_NORMAL:
            # An underflow to zero has no density, and stays a number.
            at = max(at, 1e-300)
            log = np.log(at)
            gap = (log - first) / second
            value -= 0.5 * gap * gap + log
            by_theta[i] -= (1.0 + gap / second) / at
        elif law == HALF_NORMAL:
            gap = at / first
            value -= 0.5 * gap * gap
            by_theta[i] -= gap / first
        elif law == EXPONENTIAL:
            value -= first * at
            by_theta[i] -= first
        elif law == BETA:
            at = min(max(at, 1e-300), 1.0 - 1e-16)
            value += (first - 1.0) * np.log(at) + (second - 1.0) * np.log1p(-at)
            by_theta[i] += (first - 1.0) / at - (second - 1.0) / (1.0 - at)
    return value


@njit(cache=True, nogil=True, error_model="numpy", no_cpython_wrapper=True, no_cfunc_wrapper=True)
def _add_stability(theta, by_theta, joint, powers):  # type: ignore[no-untyped-def]
    """The same for the prior that keeps reproduction matrices stable, -tr (R / radius)**8.

    Powers of R / radius are made by multiplying with it: the seventh and the eighth are wanted.
    `powers` (2, K, K) is work space.
    """
    place, streams, radius, value = int(joint[0]), int(joint[1]), joint[3], 0.0
    for era in range(int(joint[2])):
        start = place + era * streams * streams
        for i in range(streams):
            for j in range(streams):
                powers[0, i, j] = theta[start + i * streams + j] / radius
        for more in range(7):
            for i in range(streams):
                for j in range(streams):
                    total = 0.0
                    for m in range(streams):
                        total += powers[0, i, m] * theta[start + m * streams + j]
                    powers[1, i, j] = total / radius
            if more == 6:
                break
            for i in range(streams):
                for j in range(streams):
                    powers[0, i, j] = powers[1, i, j]
        for i in range(streams):
            value -= powers[1, i, i]
            for j in range(streams):
                by_theta[start + i * streams + j] -= 8.0 / radius * powers[0, j, i]
    return value


@njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)
def to_coordinates(  # type: ignore[no-untyped-def]
    value, by_theta, by_values, jacobians, groups, x, theta, mixture, root, by_x, by_z, first, part,
    contrasts, owner, other, laws, joint, powers,
):  # fmt: skip
    """Log-density and its gradient by the standardised position, from those of the likelihood.

    Parameters
    ----------
    value : float
        Log-likelihood.
    by_theta : ndarray (size,)
        Its gradient by theta, the kernels apart; used up.
    by_values, jacobians, groups : ndarray (G, m), (G, m, q), (G, q)
        Its gradient by the kernels' values, theirs by their parameters, and the places of these.
    x, theta, mixture, root
        As `to_parameters` left them.
    by_x, by_z : ndarray (f,)
        Filled: the gradients by the coordinates and by the standardised position.
    first, part, contrasts, owner, other, laws, joint
        Of `Coordinates`.
    powers : ndarray (2, K, K)
        Work space.

    Returns
    -------
    float
        Log-likelihood plus priors and Jacobian, up to a constant.
    """
    rows, splits, size = first.size - 1, owner.size, x.size
    for g in range(groups.shape[0]):
        for i in range(groups.shape[1]):
            total = 0.0
            for j in range(by_values.shape[1]):
                total += by_values[g, j] * jacobians[g, j, i]
            by_theta[groups[g, i]] += total
    value += _add_priors(theta, by_theta, laws)
    if joint[3] > 0:
        value += _add_stability(theta, by_theta, joint, powers)
    for k in range(rows):
        total = 0.0
        for i in range(first[k], first[k + 1]):
            place = part[i, 0]
            if part[i, 1] == LOG:
                value += mixture[0, i]
                by_theta[place] = by_theta[place] * theta[place] + 1.0
            total += by_theta[place]
        by_x[k] = total
    for s in range(splits):
        begin, whole, total = first[owner[s]], by_x[owner[s]], 0.0
        for i in range(first[owner[s] + 1] - begin):
            total += contrasts[s, i] * (
                by_theta[part[begin + i, 0]] - mixture[1, begin + i] * whole
            )
        by_x[rows + s] = total
    for i in range(other.shape[0]):
        at, inside = x[rows + splits + i], theta[other[i, 0]]
        slope = by_theta[other[i, 0]]
        if other[i, 1] == LOG:
            value += at
            slope = slope * inside + 1.0
        elif other[i, 1] == LOGIT:
            value -= abs(at) + 2.0 * np.log1p(np.exp(-abs(at)))
            slope = slope * inside * (1.0 - inside) + 1.0 - 2.0 * inside
        by_x[rows + splits + i] = slope
    diagonal = root.shape[0] < size
    for i in range(size):
        by_z[i] = root[0, i] * by_x[i] if diagonal else 0.0
    if not diagonal:
        for i in range(size):
            for j in range(i + 1):
                by_z[j] += root[i, j] * by_x[i]
    return value
