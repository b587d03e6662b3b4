"""Intervals from the profile likelihood: of an entry, or of the branching ratio."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from html import escape
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from escalation.engines.ascent import climb, polish
from escalation.engines.objective import Objective
from escalation.engines.optimum import inverse
from escalation.parameters import FloatArray

if TYPE_CHECKING:
    from escalation.fit import Fit

IntArray = NDArray[np.intp]

#: Steps away from the estimate before the search gives an end up, and their growth.
STEPS, GROWTH = 40, 1.6
#: A branching ratio this small stands for zero.
NOTHING = 1e-9


@dataclass(frozen=True, eq=False)
class ProfileInterval:
    """An interval of all values that the likelihood does not speak against.

    Attributes
    ----------
    name : str
    estimate : float
        Maximum of the likelihood.
    lower, upper : float
        Zero, or infinite, where the profile does not fall far enough on that side.
    level : float
    open_below, open_above : bool
        Whether the end is where it is because the profile never falls so far.
    points, values : ndarray (m,)
        Values that were tried, rising, and the log-likelihood there less its maximum, the other
        parameters at their best.
    """

    name: str
    estimate: float
    lower: float
    upper: float
    level: float
    open_below: bool
    open_above: bool
    points: FloatArray
    values: FloatArray

    @property
    def text(self) -> str:
        """The interval in a sentence."""
        share = f"{100 * self.level:.0f} %"
        told = f"{self.name}: {self.estimate:.3g}, {share} interval by the profile likelihood "
        if self.open_above and self.open_below:
            return told + "open at both ends: the data say nothing of it."
        if self.open_above:
            return told + f"from {self.lower:.3g} on, without an upper end."
        end = f"from {self.lower:.3g} to {self.upper:.3g}"
        return told + end + (", its lower end at the bound." if self.open_below else ".")

    def __repr__(self) -> str:
        """Say the interval."""
        return f"ProfileInterval({self.text})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.text)}</p>"


def profile_interval(
    fit: Fit, name: str, level: float = 0.9, tolerance: float = 1e-3
) -> ProfileInterval:
    r"""Interval of a scalar by the profile likelihood, bounds respected.

    All values whose profile lies less than half the quantile of :math:`\chi^2_1` below the
    maximum; the other parameters are at their best for each. Unlike an interval from the curvature
    it follows a skewed likelihood, stops at zero, and has no end where the likelihood never falls,
    as for a decay that is too fast for times known to the day.

    Parameters
    ----------
    fit : Fit
        By any engine; the likelihood is climbed from its estimate.
    name : str
        ``"branching_ratio"`` (``"branching_ratio[1]"`` of the second era), or an entry as
        `Layout.labels` names it: ``"reproduction[0, 1]"`` (the first stream set off by the
        second), ``"decay"``, ``"level[0]"``.
    level : float
    tolerance : float
        Of the ends, relative to their distance from the estimate.

    Raises
    ------
    ValueError
        For a name that the model does not have, or a level outside 0 to 1.

    References
    ----------
    Venzon & Moolgavkar (1988), Applied Statistics 37(1).
    """
    from scipy.special import gammaincinv

    if not 0 < level < 1:
        raise ValueError(f"level must lie between 0 and 1, got {level}")
    curve = _curve(fit, name)
    drop = float(gammaincinv(0.5, level))
    lower, open_below = _end(curve, -1, drop, tolerance)
    upper, open_above = _end(curve, +1, drop, tolerance)
    points = np.array(sorted(curve.known))
    values = np.array([curve.known[p] for p in points])
    return ProfileInterval(
        name, curve.value(curve.best), curve.value(lower), curve.value(upper), level, open_below,
        open_above, np.array([curve.value(p) for p in points]), values,
    )  # fmt: skip


@dataclass(eq=False)
class _Curve:
    """The profile over one coordinate z, and what it has cost so far.

    `place` pins one entry of the working vector; otherwise the spectral radius of the entries at
    `matrix` is pinned.
    """

    objective: Objective
    top: FloatArray
    place: int | None = None
    matrix: tuple[IntArray, IntArray, int] | None = None
    known: dict[float, float] = field(default_factory=dict)
    solutions: dict[float, FloatArray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.known[self.best] = 0.0
        self.solutions[self.best] = self.top

    @cached_property
    def peak(self) -> float:
        return self.objective(self.top)[0]

    @cached_property
    def information(self) -> FloatArray:
        return self.objective.information(self.top)

    @cached_property
    def unit(self) -> FloatArray:
        return np.asarray(1 / np.sqrt(np.clip(np.abs(np.diag(self.information)), 1e-2, 1e12)))

    @cached_property
    def best(self) -> float:
        if self.place is not None:
            return float(self.top[self.place])
        return self.radius(self.top)[0]

    @property
    def log_scale(self) -> bool:
        return self.place is not None and bool(self.objective.scale.positive[self.place])

    @property
    def limits(self) -> tuple[float, float]:
        if self.place is None:
            return NOTHING, np.inf
        lower, upper = self.objective.limits
        return float(lower[self.place]), float(upper[self.place])

    @property
    def error(self) -> float:
        """A first guess at the standard error."""
        if self.place is None:
            return max(0.05, 0.1 * self.best)
        spread = np.sqrt(inverse(self.information)[self.place, self.place])
        return float(np.clip(spread, 1e-4, 1.0 if self.log_scale else 10.0))

    def value(self, z: float) -> float:
        """What the user is told of a coordinate."""
        if not np.isfinite(z):
            return float(z) if z > 0 or not self.log_scale else 0.0
        if self.place is None:
            return 0.0 if z <= NOTHING else z
        whole = self.top.copy()
        whole[self.place] = z
        return float(self.objective.scale.back(whole)[self.place])

    def radius(self, x: FloatArray) -> tuple[float, FloatArray]:
        """Spectral radius of the matrix in a working vector, and its gradient by the entries."""
        assert self.matrix is not None
        places, cells, size = self.matrix
        full = np.zeros(size * size)
        full[cells] = x[places]
        values, right = np.linalg.eig(full.reshape(size, size))
        lead = int(np.argmax(np.abs(values)))
        values_left, left = np.linalg.eig(full.reshape(size, size).T)
        mate = int(np.argmin(np.abs(values_left - values[lead])))
        u, v = left[:, mate].real, right[:, lead].real
        both = u @ v
        slope = np.outer(u, v) / both if abs(both) > 1e-12 else np.eye(size)
        return float(abs(values[lead])), slope.ravel()[cells]

    def __call__(self, z: float) -> float:
        """Profile at a coordinate, less the maximum."""
        if z not in self.known:
            near = min(self.solutions, key=lambda other: abs(other - z))
            x, value = self._constrained(z, self.solutions[near])
            self.known[z], self.solutions[z] = value - self.peak, x
        return self.known[z]

    def _constrained(self, z: float, start: FloatArray) -> tuple[FloatArray, float]:
        """The best vector with the coordinate pinned, and its value."""
        from scipy.optimize import minimize

        lower, upper = self.objective.limits
        free = np.ones(start.size, bool)
        begin = start.copy()
        pinned: Callable[[FloatArray], tuple[FloatArray, FloatArray]] | None = None
        if self.place is not None:
            free[self.place] = False
            begin[self.place] = z
        else:
            pinned = self._pin(z)

        def loss(short: FloatArray) -> tuple[float, FloatArray]:
            x = begin.copy()
            x[free] = short * self.unit[free]
            if pinned is not None:
                x, turn = pinned(x)
            value, gradient = self.objective(x)
            if not np.isfinite(value):
                return 1e12, np.zeros(short.size)
            if pinned is not None:
                gradient = turn @ gradient
            return -value, -gradient[free] * self.unit[free]

        ends = list(zip((lower / self.unit)[free], (upper / self.unit)[free], strict=True))
        short = np.clip(begin / self.unit, lower / self.unit, upper / self.unit)[free]
        if not short.size:
            return begin, -loss(short)[0]
        found = minimize(
            loss, short, jac=True, method="L-BFGS-B", bounds=ends,
            options={"maxiter": 300, "ftol": 1e-11, "gtol": 1e-5, "maxcor": 20},
        )  # fmt: skip
        x = begin.copy()
        x[free] = found.x * self.unit[free]
        if pinned is not None:
            x = pinned(x)[0]
        return x, -float(found.fun)

    def _pin(self, z: float) -> Callable[[FloatArray], tuple[FloatArray, FloatArray]]:
        """Scale the matrix to the spectral radius z; with the transposed Jacobian of doing so."""
        assert self.matrix is not None
        places = self.matrix[0]

        def scaled(x: FloatArray) -> tuple[FloatArray, FloatArray]:
            own = x[places]
            if not np.any(own > 0):
                own = np.full(own.size, 1e-3)
            whole = x.copy()
            whole[places] = own
            size, slope = self.radius(whole)
            # A matrix that sets off in one direction only has no radius: lift it a little.
            if size < 1e-12:
                whole[places] = own = own + 1e-6
                size, slope = self.radius(whole)
            whole[places] = own * z / size
            turn = np.eye(x.size)
            turn[np.ix_(places, places)] = (
                z / size * (np.eye(places.size) - np.outer(slope, own) / size)
            )
            return whole, turn

        return scaled


def _curve(fit: Fit, name: str) -> _Curve:
    objective = Objective(fit.model.problem(fit.series))
    layout = objective.problem.layout
    # Climbing leaves entries at zero that the peak keeps there; draws' means would not.
    top = polish(objective, climb(objective, objective.start(layout.pack(fit.estimate)))[0]).x
    labels = layout.labels
    if name in labels:
        return _Curve(objective, top, place=labels.index(name))
    streams = len(fit.series.names)
    sizes = [p.size // streams**2 for p in layout.parameters if p.name == "reproduction"]
    eras = sizes[0] if sizes else 0
    wanted = ["branching_ratio"] if eras == 1 else [f"branching_ratio[{e}]" for e in range(eras)]
    if name not in wanted:
        known = ", ".join([*wanted, *labels])
        raise ValueError(f"no scalar {name!r}; there are {known}")
    first = layout.start("reproduction") + wanted.index(name) * streams**2
    cells = layout.free - first
    places = np.flatnonzero((cells >= 0) & (cells < streams**2))
    if not places.size:
        raise ValueError("the model has no arrows: its branching ratio is zero")
    return _Curve(objective, top, matrix=(places, cells[places], streams))


def _end(curve: _Curve, side: int, drop: float, tolerance: float) -> tuple[float, bool]:
    """One end of the interval, and whether the profile never falls so far on that side."""
    from scipy.optimize import brentq

    bound = curve.limits[0 if side < 0 else 1]
    inside, step = curve.best, curve.error * np.sqrt(2 * drop)
    if side * (bound - inside) <= 0:
        return _open(curve, side), True
    for _ in range(STEPS):
        outside = inside + side * step
        if side * (outside - bound) >= 0:
            outside = bound
        if curve(outside) < -drop:
            break
        if outside == bound:
            return _open(curve, side), True
        inside, step = outside, step * GROWTH
    else:
        return _open(curve, side), True
    width = max(abs(outside - curve.best), 1e-12)

    # The root of the fall is nearly straight in the coordinate.
    def gap(z: float) -> float:
        return float(np.sqrt(max(-curve(z), 0.0)) - np.sqrt(drop))

    return float(brentq(gap, inside, outside, xtol=tolerance * width, rtol=1e-8)), False


def _open(curve: _Curve, side: int) -> float:
    if side > 0:
        return np.inf
    bounded = curve.place is None or curve.objective.scale.nonnegative[curve.place]
    return curve.limits[0] if bounded else -np.inf
