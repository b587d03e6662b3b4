"""Draws along the profile of a delay's parameter, where the likelihood bends away from normal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from escalation.engines.ascent import polish
from escalation.engines.limit_law import drawn, far_from_zero, to_own_scale
from escalation.engines.objective import Objective
from escalation.engines.optimum import Optimum, inverse
from escalation.engines.silence import drawn_over_silent, settled
from escalation.parameters import BoolArray, FloatArray

IntArray = NDArray[np.intp]

#: The normal law is checked so many standard errors from the estimate: a 90 % interval's ends.
REACH = 1.645
#: Factor by which the square root of twice the fall there may miss `REACH`, as the slope tells.
BENT = 1.15
#: An entry known better than this on the working scale is not checked: bends fall with the error.
KNOWN = 0.05
#: Square root of twice the fall between nodes that is aimed at, and at the outermost node.
APART, OUTER = 0.8, 2.3
#: Of more entries than this no profile is followed: it would cost a hundred times the fit.
MANY = 60
#: Most nodes on either side, steps to each, and largest step of one, on the working scale.
NODES, STEPS, STRIDE = 6, 8, 2.0
#: A profile that falls by less from one node to the next is flat, up to the outermost node.
FLAT = 0.1
#: Where an entry's error grows by more from one node to the next, the information is not one.
WIDER = 4.0
#: A rise of the log-likelihood above its maximum that calls for another climb.
HIGHER = 0.01


@dataclass(frozen=True)
class RidgeDraws:
    """What following the profiles gave.

    Attributes
    ----------
    best : Optimum
        The maximum, a higher one than before if the profile met it.
    values : ndarray (draws, f)
        Free entries on their own scale.
    followed : tuple of int
        Entries whose profile was followed.
    evaluations : int
        Of the likelihood with its gradient.
    """

    best: Optimum
    values: FloatArray
    followed: tuple[int, ...]
    evaluations: int


def ridge_draws(
    objective: Objective, best: Optimum, draws: int, rng: np.random.Generator
) -> RidgeDraws:
    r"""Draws that are those of the limit law where the likelihood is normal, and bend where not.

    Parameters of delays bend the likelihood: the longer a power law's tail may be, the less is
    known of the background, so that an estimate with a short tail comes with a standard error that
    is too small. Each of them is moved to both ends of its 90 % interval, the other entries as the
    information has them follow. Where the likelihood does not fall there as it should, the profile
    of the worst entry is followed: at nodes some 0.8 apart in the signed root
    :math:`r = \sqrt{2(\ell_{max} - \ell)}` the others are maximised and the information is taken. A
    draw has a standard normal r, the entry that has it on the profile, and the others from the
    limit law given the entry, by monotone cubics through the places that one draw has at the
    nodes. The interval of the entry is then that of its profile likelihood. Beyond a bound of the
    optimiser there is nothing: such draws stay at it. Parts of the likelihood that share no
    parameter are treated each by itself. Of more than 60 entries all are drawn from the limit law.
    Silent entries are drawn from their prior, and the law of the others is that given the silent.

    See also Barndorff-Nielsen & Cox (1994), "Inference and Asymptotics", chapter 3, for the signed
    root; Geweke (1989), Econometrica 57, for laws whose sides differ.
    """
    found, silent = best, bool(best.silent.any())
    best = settled(objective, best) if silent else best
    ridge = _Ridge(objective, best)
    normal = rng.standard_normal((draws, best.x.size))
    state = rng.bit_generator.state
    worst = ridge.worst() if best.x.size <= MANY else []
    rooted = ridge.rooted
    out = drawn(best, objective.scale, best.silent, rooted, normal, rng)
    plain = out.copy()
    for entry, sides in worst:
        path = ridge.follow(entry, sides)
        top = max(path, key=lambda node: node.optimum.value)
        if top.optimum.value > best.value + HIGHER:
            # The profile met a higher maximum: begin there, where it will find none.
            higher = polish(objective, top.optimum.x)
            if higher.value > best.value + HIGHER:
                rng.bit_generator.state = state
                again = ridge_draws(objective, higher, draws, rng)
                return replace(again, evaluations=again.evaluations + ridge.evaluations)
        path = [node for node in path if node.optimum.value <= best.value + HIGHER]
        if len(path) < 2:
            continue
        along = ridge.draw(path, entry, normal, rng)
        part = ridge.part(entry)
        out[:, part] = along[:, part]
    if silent:
        # What the profile moved beside the limit law stays moved.
        out = drawn_over_silent(objective, best, rooted, normal, rng) + (out - plain)
        near = objective.scale.nonnegative & ~rooted
        out[:, near] = np.maximum(out[:, near], 0.0)
    return RidgeDraws(
        found,
        to_own_scale(out, objective.scale, rooted),
        tuple(entry for entry, _ in worst),
        ridge.evaluations,
    )


@dataclass(frozen=True)
class _Node:
    """A point of the profile: the signed root of twice the fall, and the others at their best."""

    root: float
    optimum: Optimum
    open: bool = False


@dataclass(eq=False)
class _Ridge:
    """Profiles of the delay's parameters, and what they have cost so far."""

    objective: Objective
    best: Optimum
    evaluations: int = 0

    @cached_property
    def rooted(self) -> BoolArray:
        return far_from_zero(self.best, self.objective.scale, self.best.silent)

    @cached_property
    def keep(self) -> BoolArray:
        return ~(self.best.bound | self.best.silent | self.best.vanishing)

    @cached_property
    def centre(self) -> FloatArray:
        return self._working(self.best.x)

    @cached_property
    def covariance(self) -> FloatArray:
        """Of the working entries (f, f), those at bounds held."""
        x, keep = self.best.x, np.flatnonzero(self.keep)
        out = np.zeros((x.size, x.size))
        out[np.ix_(keep, keep)] = inverse(self.best.information[np.ix_(keep, keep)])
        slope = np.where(self.rooted, 2 * np.sqrt(np.abs(x)), 1.0)
        return np.asarray(out / np.outer(slope, slope))

    def _working(self, x: FloatArray) -> FloatArray:
        return np.where(self.rooted, np.sqrt(np.where(self.rooted, x, 1.0)), x)

    def _inside(self, working: FloatArray) -> FloatArray:
        """The optimiser's vector (f,) within its limits, of a working one."""
        own = np.where(self.rooted, np.maximum(working, 1e-6) ** 2, working)
        return np.asarray(np.clip(own, *self.objective.limits))

    def _value(self, x: FloatArray) -> tuple[float, FloatArray]:
        self.evaluations += 1
        return self.objective(x)

    def _information(self, x: FloatArray) -> FloatArray:
        objective = self.objective
        outer = objective.problem.outer_information and not objective.exact
        self.evaluations += 1 if outer or objective.newton else 2 * len(objective.steps)
        return self.objective.information(x)

    @property
    def separate(self) -> bool:
        """Whether the likelihood is a sum of parts that share no parameter."""
        return bool((self.objective.rows >= 0).all())

    def part(self, entry: int) -> BoolArray:
        """Entries (f,) of the same part of the likelihood, all where parts are not separate."""
        rows = self.objective.rows
        return np.asarray(rows == rows[entry] if self.separate else np.ones(rows.size, bool))

    def worst(self) -> list[tuple[int, tuple[int, ...]]]:
        """In each separate part the entry that bends most, with the sides it can go to."""
        objective, best = self.objective, self.best
        delays = np.isin(objective.free, objective.problem.groups)
        delays &= ~objective.scale.nonnegative & ~best.silent & ~best.vanishing
        error = np.sqrt(np.diag(self.covariance))
        lower = objective.limits[0]
        found: list[tuple[float, int, tuple[int, ...]]] = [
            (np.inf, int(i), (1,) if best.x[i] <= lower[i] + 1e-10 else (-1,))
            for i in np.flatnonzero(delays & best.bound)
        ]
        known = (error > KNOWN) & (error < np.inf)
        for together in self._slots(delays & ~best.bound & known):
            bends = np.max([self._bends(together, side, error) for side in (-1, 1)], axis=0)
            found += [
                (float(bend), int(i), (-1, 1)) for bend, i in zip(bends, together, strict=True)
            ]
        worst: dict[int, tuple[float, int, tuple[int, ...]]] = {}
        for one in found:
            part = int(objective.rows[one[1]]) if self.separate else -1
            if one[0] > np.log(BENT) and one[0] > worst.get(part, (0.0,))[0]:
                worst[part] = one
        return [(entry, sides) for _, entry, sides in worst.values()]

    def _slots(self, which: BoolArray) -> list[IntArray]:
        """Entries that may be moved at once: one of each separate part."""
        if not self.separate:
            return [np.array([i]) for i in np.flatnonzero(which)]
        rows = self.objective.rows
        members = [np.flatnonzero(which & (rows == row)) for row in np.unique(rows[which])]
        longest = max((len(one) for one in members), default=0)
        return [
            np.array([one[slot] for one in members if slot < len(one)]) for slot in range(longest)
        ]

    def _bends(self, entries: IntArray, side: int, error: FloatArray) -> FloatArray:
        """Log of the factor by which the slope at one end of an interval is not the normal law's.

        A third of it: the slope shows a bend three times as large as the root of the fall does.
        """
        turns = np.array([self.covariance[:, i] / error[i] * self.part(i) for i in entries])
        wanted = self.centre + side * REACH * turns.sum(axis=0)
        x = self._inside(wanted)
        here = self._working(x)
        slope = self._value(x)[1] * np.where(self.rooted, 2 * np.sqrt(np.maximum(x, 0.0)), 1.0)
        slope[np.abs(here - wanted) > 1e-12] = 0.0
        found = -side * turns @ slope / REACH
        found = np.where(np.isfinite(found) & (found > 1e-6), found, np.inf)
        return np.asarray(np.abs(np.log(found)) / 3)

    def follow(self, entry: int, sides: tuple[int, ...]) -> list[_Node]:
        """Nodes of the profile of an entry, by rising root."""
        error = float(np.sqrt(self.covariance[entry, entry]))
        if self.best.bound[entry]:
            slope, bend = self.best.gradient[entry], self.best.information[entry, entry]
            error = 1 / max(np.sqrt(max(bend, 0.0)), 2 * abs(slope), 1.0)
        start = _Node(0.0, self._pinned(self.best.x, entry, self.best))
        out = [start]
        for side in sides:
            out += self._side(start, entry, side, error)
        return sorted(out, key=lambda node: node.root)

    def _side(self, start: _Node, entry: int, side: int, error: float) -> list[_Node]:
        lower, upper = self.objective.limits
        bound = upper[entry] if side > 0 else lower[entry]
        turn = np.zeros(self.centre.size)
        turn[entry] = 1.0
        if not self.best.bound[entry]:
            turn = self.covariance[:, entry] / error**2
        out: list[_Node] = []
        before, step = start, APART * error
        for _ in range(2 * NODES):
            here = self._working(before.optimum.x)
            moved = min(step, STRIDE, abs(bound - here[entry]))
            trial = self._inside(here + side * moved * turn)
            optimum = self._climb(trial, entry, before.optimum)
            fall = self.best.value - optimum.value
            if fall < -HIGHER:
                return [*out, _Node(before.root + side * 1e-6, optimum)]
            root, last = float(np.sqrt(max(2 * fall, 0.0))), abs(before.root)
            if self._broken(optimum, before.optimum):
                optimum = replace(optimum, information=before.optimum.information)
            if root > last + 1.5 * APART and moved > 1e-3 * error and root > 0.5:
                # Too far for a line between the nodes: nearer.
                step = moved * APART / (root - last)
                continue
            ends = abs(optimum.x[entry] - bound) < 1e-9
            if root <= last + FLAT and not ends:
                # The profile falls no further on this side.
                if out:
                    out[-1] = replace(out[-1], open=True)
                break
            if root <= last + 1e-6:
                break
            node = _Node(side * root, optimum, open=ends)
            out.append(node)
            if ends or root > OUTER or len(out) == NODES:
                break
            change = self._working(optimum.x) - here
            turn = change / change[entry]
            step = moved * float(np.clip(APART / (root - last), 0.3, 3.0))
            before = node
        return out

    def _broken(self, here: Optimum, before: Optimum) -> bool:
        """Whether the information is none that a normal law could have."""
        errors = []
        for one in (here, before):
            held = one.bound | one.silent | one.vanishing | ~self.keep
            inner = np.flatnonzero(~held)
            error = np.full(held.size, np.nan)
            error[inner] = np.sqrt(np.diag(inverse(one.information[np.ix_(inner, inner)])))
            errors.append(error)
        both = np.isfinite(errors[0]) & np.isfinite(errors[1])
        return bool((errors[0][both] > WIDER * errors[1][both]).any())

    def _climb(self, x: FloatArray, entry: int, near: Optimum) -> Optimum:
        """The best point with one entry pinned, by Newton steps that begin with an information."""
        objective = self.objective
        value, gradient = self._value(x)
        information = near.information
        fresh = False
        for _ in range(STEPS):
            pull, metric = self._pin(gradient, information, entry)
            step = objective.step(x, pull, metric)
            rise = float(pull @ step)
            if fresh and rise < 0.01:
                break
            if rise < 0.02:
                # Settled by an information from elsewhere: take that of this place.
                information, fresh = self._information(x), True
                continue
            moved = self._rise(x, value, step)
            if moved is None:
                if fresh:
                    break
                information, fresh = self._information(x), True
                continue
            x, value, gradient = moved
            fresh = False
        if not fresh:
            information = self._information(x)
        lower, upper = objective.limits
        low = (x <= lower + 1e-10) & (gradient <= 0)
        bound = low | ((x >= upper - 1e-10) & (gradient >= 0))
        silent = np.zeros(x.size, bool)
        optimum = Optimum(x, value, gradient, information, bound, silent, True)
        return self._pinned(x, entry, optimum)

    def _pin(
        self, gradient: FloatArray, information: FloatArray, entry: int
    ) -> tuple[FloatArray, FloatArray]:
        """Gradient and information with which an entry stays, and those without a say."""
        held = self.best.silent | self.best.vanishing
        held[entry] = True
        information = np.where(held[:, None] | held, 0.0, information)
        information[held, held] = 1.0
        return np.where(held, 0.0, gradient), information

    def _pinned(self, x: FloatArray, entry: int, optimum: Optimum) -> Optimum:
        """An optimum whose pinned entry counts as one that stays."""
        silent = self.best.silent.copy()
        silent[entry] = True
        bound = optimum.bound & ~silent
        return replace(optimum, x=x, silent=silent, bound=bound)

    def _rise(
        self, x: FloatArray, value: float, step: FloatArray
    ) -> tuple[FloatArray, float, FloatArray] | None:
        for shrink in (1.0, 0.3, 0.1, 0.03):
            trial = np.clip(x + shrink * step, *self.objective.limits)
            new, gradient = self._value(trial)
            if np.isfinite(new) and new > value:
                return trial, new, gradient
        return None

    def draw(
        self, path: list[_Node], entry: int, normal: FloatArray, rng: np.random.Generator
    ) -> FloatArray:
        """Working draws (draws, f) along the profile."""
        from scipy.interpolate import PchipInterpolator

        scale = self.objective.scale
        state = rng.bit_generator.state
        places = []
        for node in path:
            # The same random numbers at each node, so that a draw moves as the profile does.
            rng.bit_generator.state = state
            places.append(drawn(node.optimum, scale, node.optimum.silent, self.rooted, normal, rng))
        roots = np.array([node.root for node in path])
        curves = PchipInterpolator(roots, np.array(places), axis=0)
        wanted = np.clip(normal[:, entry], roots[0], roots[-1])
        left = np.clip(np.searchsorted(roots, wanted) - 1, 0, len(roots) - 2)
        third, second, first, place = curves.c[:, left, np.arange(len(normal))]
        step = (wanted - roots[left])[:, None]
        out = place + step * (first + step * (second + step * third))
        # Beyond an outermost node the line goes on for a while, but for a bound and where
        # nothing falls.
        slope = first + step * (2 * second + 3 * step * third)
        rest = np.clip(normal[:, entry] - wanted, -APART, APART)
        stays = np.where(rest < 0, _ends(path[0]), _ends(path[-1]))
        out += slope * np.where(stays, 0.0, rest)[:, None]
        near = scale.nonnegative & ~self.rooted
        out[:, near] = np.maximum(out[:, near], 0.0)
        return np.asarray(out)


def _ends(node: _Node) -> bool:
    """Whether draws beyond an outermost node stay at it."""
    return node.open or abs(node.root) < REACH
