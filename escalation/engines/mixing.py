r"""Coordinates in which a posterior is easy to sample, and the priors on them, compiled.

Positive entries are logs, entries between 0 and 1 are logits. Levels and reproduction matrix of an
additive model are mixed besides. With the streams' mean rates m, row k has
:math:`z_0 = b_k - \log m_k` for its level and :math:`z_j = \log R_{kj} + \log(m_j / m_k)` for each
allowed arrow. Effects of counts at several lags, and of the stream's own earlier means, are arrows
too. What the data know best is the mean :math:`u_k = \log\sum_i e^{z_i}`; the rest is how it splits
among background and sources, :math:`c_k = V'z` with V orthonormal contrasts. The Jacobian from
(u, c) to z is constant. The posterior is the same as that of the plain parameters; leapfrog steps
are longer.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.engines.base import Problem
from escalation.engines.centring import Centring, to_deviations
from escalation.parameters import FloatArray
from escalation.priors import (
    Beta,
    ExponentialPrior,
    HalfNormal,
    LogNormal,
    Normal,
    Prior,
    Stability,
)

IntArray = NDArray[np.int64]

#: How an entry follows from its coordinate.
REAL, LOG, LOGIT = 0, 1, 2
#: What the compiled code knows of an entry's prior; anything else is evaluated by its class.
FLAT, NORMAL, LOG_NORMAL, HALF_NORMAL, EXPONENTIAL, BETA = 0, 1, 2, 3, 4, 5
#: Parameters that add to a stream's mean as its level does: 2 by target and source in their last
#: axes, 1 by the stream alone.
ARROWS = {"reproduction": 2, "past_obs": 2, "past_mean": 1}
NO_GROUPS = np.zeros((0, 0), np.int64)
KINDS = {"real": REAL, "positive": LOG, "nonnegative": LOG, "unit": LOGIT}


@dataclass(frozen=True)
class Coordinates:
    """The map between coordinates and parameters of one problem.

    The coordinates are the means of the mixed rows, their contrasts, and the other free entries.

    Attributes
    ----------
    rows, splits : int
        Number of means, and of contrasts, the coordinates that come first.
    size, free : int
        Length of theta, and number of coordinates.
    arrays : tuple
        What the compiled functions take: first (rows + 1,), the first part of each mixed row;
        part (n, 2), place in theta and kind of each part; offset (n,), what is added to its log;
        contrasts (splits, most parts of a row); owner (splits,), the row of each contrast;
        other (f, 2), place and kind of the further coordinates; laws (size, 3), the prior of each
        entry and its two numbers; joint (4,), place, size and number of the matrices that must be
        stable, and the radius, 0 for none.
    slow : tuple of (Prior, places)
        Priors that only their class can evaluate.
    centred : Centring, optional
        Means, spreads and deviations in coordinates of their own.
    """

    rows: int
    splits: int
    size: int
    free: int
    arrays: tuple[Any, ...]
    slow: tuple[tuple[Prior, Any], ...] = ()
    centred: Centring | None = None

    def partly_centred(self, centring: Centring) -> Coordinates:
        """The same with means, spreads and deviations in coordinates of their own."""
        *first, other, laws, joint = self.arrays
        own = np.concatenate([centring.mean, centring.spread, centring.deviation.ravel()])
        # Their priors are evaluated with the change of coordinates.
        laws = np.array(laws)
        laws[own, 0] = FLAT
        other = np.array(other)
        other[np.isin(other[:, 0], own), 1] = REAL
        return replace(self, arrays=(*first, other, laws, joint), centred=centring)

    @classmethod
    def of(cls, problem: Problem) -> Coordinates:
        """The map for a problem; rows are mixed where it has levels and arrows of all streams."""
        layout = problem.layout
        kinds = np.zeros(layout.size, np.int64)
        kinds[layout.free] = [KINDS[support] for support in layout.supports]
        rows = _mixed_rows(problem)
        owner = [k for k, (places, _) in enumerate(rows) for _ in places[1:]]
        widest = max((len(places) for places, _ in rows), default=0)
        contrasts = np.zeros((len(owner), widest))
        found = 0
        for places, _ in rows:
            more = len(places) - 1
            contrasts[found : found + more, : more + 1] = _helmert(more + 1).T
            found += more
        mixed = np.array([place for places, _ in rows for place in places], np.int64)
        offsets = [offset for _, own in rows for offset in own]
        others = np.setdiff1d(layout.free, mixed)
        laws, slow = _laws(problem)
        return cls(
            rows=len(rows),
            splits=len(owner),
            size=layout.size,
            free=len(layout.free),
            arrays=(
                np.cumsum([0, *(len(places) for places, _ in rows)], dtype=np.int64),
                np.stack([mixed, kinds[mixed]], axis=1).astype(np.int64),
                np.array(offsets, float),
                contrasts,
                np.array(owner, np.int64),
                np.stack([others, kinds[others]], axis=1).astype(np.int64),
                laws,
                _joint(problem),
            ),
            slow=slow,
        )

    def back(self, x: FloatArray) -> FloatArray:
        """Parameters theta (..., size) of coordinates (..., f)."""
        flat = np.ascontiguousarray(x).reshape(-1, self.free)
        out = np.zeros((len(flat), self.size))
        centre, root, own = np.zeros(self.free), np.ones((1, self.free)), np.empty(self.free)
        mixture, inner = np.empty((2, self.arrays[2].size)), np.empty((0, 0))
        rest = mixture, inner, NO_GROUPS, *self.arrays[:6]
        for one, theta in zip(flat, out, strict=True):
            to_parameters(one, centre, root, own, theta, *rest)
            if self.centred is not None:
                to_deviations(theta, np.empty((len(theta), 2)), *self.centred.arrays)
        return out.reshape(*x.shape[:-1], self.size)

    def to(self, theta: FloatArray) -> FloatArray:
        """Coordinates (f,) of parameters theta (size,); a zero is taken as a small number."""
        if self.centred is not None:
            theta = self.centred.to(theta)
        first, part, offset, contrasts, owner, other = self.arrays[:6]
        z = _log_of(theta[part[:, 0]], part[:, 1]) - offset
        x = np.empty(self.free)
        for k in range(self.rows):
            x[k] = np.logaddexp.reduce(z[first[k] : first[k + 1]])
        for s, k in enumerate(owner):
            own = z[first[k] : first[k + 1]]
            x[self.rows + s] = contrasts[s, : own.size] @ own
        x[self.rows + self.splits :] = _log_of(theta[other[:, 0]], other[:, 1])
        return x

    def slow_priors(self, theta: FloatArray, by_theta: FloatArray) -> float:
        """Log-density of the priors that are not compiled; adds their slopes to `by_theta`."""
        value = 0.0
        for prior, places in self.slow:
            value += float(np.sum(prior.log_density(theta[places])))
            by_theta[places] += prior.slope(theta[places])
        return value


def _log_of(theta: FloatArray, kind: Any) -> FloatArray:
    small = np.clip(theta, 1e-3, None)
    share = np.clip(theta, 1e-3, 1 - 1e-3)
    logs = [theta, np.log(small), np.log(share / (1 - share))]
    return np.asarray(np.select([kind == REAL, kind == LOG, kind == LOGIT], logs), float)


def _mixed_rows(problem: Problem) -> list[tuple[list[int], list[float]]]:
    """Places in theta, and offsets of the logs, of the parts of each row; empty if none mixes."""
    layout, rates = problem.layout, problem.rates
    parameters = {p.name: p for p in layout.parameters}
    arrows = [parameters[name] for name in ARROWS if name in parameters]
    level, streams = parameters.get("level"), len(rates)
    fits = (
        bool(arrows)
        and level is not None
        and level.size == streams
        and level.mask.all()
        and level.support == "real"
        and all(one.shape[-ARROWS[one.name] :] == (streams,) * ARROWS[one.name] for one in arrows)
        and all(KINDS[one.support] == LOG for one in arrows)
        and bool((rates > 0).all())
    )
    if not fits:
        return []
    out = [([layout.start("level") + k], [float(np.log(rates[k]))]) for k in range(streams)]
    for one in arrows:
        first = layout.start(one.name)
        # An arrow of one era acts in a part of the time; one of a lag acts always.
        eras = one.size // streams**2 if one.name == "reproduction" else 1
        for place in zip(*np.nonzero(one.mask), strict=True):
            k, j = place[-ARROWS[one.name]], place[-1]
            places, offsets = out[k]
            places.append(first + int(np.ravel_multi_index(place, one.shape)))
            offsets.append(float(np.log(rates[k] / rates[j] * eras)))
    return out


def _laws(problem: Problem) -> tuple[FloatArray, tuple[tuple[Prior, Any], ...]]:
    """Prior of each entry, and the priors that are not compiled."""
    layout = problem.layout
    laws = np.ones((layout.size, 3))
    laws[:, 0] = FLAT
    slow = []
    position = 0
    for p in layout.parameters:
        places = position + np.flatnonzero(p.mask)
        position += p.size
        match p.prior.at(p.mask):
            case Normal(mean, sd):
                own: tuple[Any, ...] = NORMAL, mean, sd
            case LogNormal(median, sd_log):
                own = LOG_NORMAL, np.log(median), sd_log
            case HalfNormal(scale):
                own = HALF_NORMAL, scale, 1.0
            case ExponentialPrior(rate):
                own = EXPONENTIAL, rate, 1.0
            case Beta(a, b):
                own = BETA, a, b
            case other:
                own = FLAT, 1.0, 1.0
                slow.append((other, places))
        for column, number in enumerate(own):
            laws[places, column] = number
    return laws, tuple(slow)


def _joint(problem: Problem) -> FloatArray:
    layout = problem.layout
    if layout.joint is None:
        return np.zeros(4)
    if not isinstance(layout.joint, Stability):
        raise ValueError(f"no compiled form of the joint prior {type(layout.joint).__name__}")
    matrix = next(p for p in layout.parameters if p.name == layout.joint.name)
    streams = matrix.shape[-1]
    place = layout.start(matrix.name)
    return np.array([place, streams, matrix.size // streams**2, layout.joint.radius], float)


def _helmert(size: int) -> FloatArray:
    """Orthonormal contrasts (size, size - 1): columns of length one that sum to zero."""
    out = np.zeros((size, size - 1))
    for i in range(1, size):
        out[:i, i - 1] = 1 / i
        out[i, i - 1] = -1.0
        out[:, i - 1] /= np.sqrt(1 + 1 / i)
    return out


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
