r"""Coordinates in which a posterior is easy to sample.

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
from numpy.typing import NDArray

from escalation.engines.base import Problem
from escalation.engines.centring import Centring, to_deviations
from escalation.engines.mixing import (
    BETA,
    EXPONENTIAL,
    FLAT,
    HALF_NORMAL,
    LOG,
    LOG_NORMAL,
    LOGIT,
    NORMAL,
    REAL,
    to_parameters,
)
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
