"""A component's predictor for a series: its parameters, design and coefficients."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import cast

import numpy as np
from numpy.typing import NDArray

from escalation.background import TERMS, Background, Covariates
from escalation.counts.component import Component, RandomIntercepts, RandomWalk
from escalation.parameters import FloatArray, Layout, Parameter
from escalation.priors import HalfNormal, Normal
from escalation.series import CountSeries
from escalation.window import DateArray

IntArray = NDArray[np.int64]
#: Prior of a background's level.
LEVEL = Normal(0.0, 2.0)


@dataclass(frozen=True)
class Predictor:
    """One component as a linear predictor of K streams.

    Attributes
    ----------
    component : Background
    prefix : str
        Before the names of its parameters: "", "own_", "cross_".
    level : Normal or None
        Prior of the level; None leaves it out, where a reproduction matrix holds it.
    """

    component: Background
    prefix: str = ""
    level: Normal | None = LEVEL

    @property
    def extended(self) -> Component:
        """The component with all settings that a plain background lacks."""
        if isinstance(self.component, Component):
            return self.component
        own = {name: getattr(self.component, name) for name in Background.__dataclass_fields__}
        return Component(**own)

    @property
    def plain(self) -> bool:
        """Whether the component is a background without sharing, offsets and random terms."""
        one = self.component
        if isinstance(one, Component) and not one.bare:
            return False
        return one.covariates is None or not one.covariates.by_stream

    def parameters(self, streams: int, days: float, unit: str) -> tuple[Parameter, ...]:
        """Parameters for K streams over a window of so many days."""
        one = self.extended
        out = []
        for p in Background.parameters(one, streams, days, unit):
            if p.name == "level":
                out += self._level(p, streams)
                continue
            if one.is_shared(p.name):
                p = replace(p, shape=p.shape[1:], dims=p.dims[1:], free=None)
            out.append(replace(p, name=self.prefix + p.name))
        return (*out, *self._walk(streams, days))

    def _level(self, level: Parameter, streams: int) -> list[Parameter]:
        if self.level is None:
            return []
        one = self.extended
        name = f"{self.prefix}level"
        level = replace(level, name=name, prior=self.level)
        if self.prefix:
            level = replace(
                level, unit="log offspring",
                meaning="log of the reproduction number, what moves it at its mean",
            )  # fmt: skip
        if one.is_shared("level") or one.intercepts is not None:
            level = replace(level, shape=(), dims=())
        if one.intercepts is None:
            return [level]
        return [
            level,
            Parameter(
                f"{name}_deviation", (streams,), "real", Normal(0.0, 1.0),
                "how far each stream's level lies from the common one, in spreads", "",
                ("stream",), penalised=True,
            ),
            *_scale(f"{name}_spread", one.intercepts, "standard deviation of the levels"),
        ]  # fmt: skip

    def _walk(self, streams: int, days: float) -> list[Parameter]:
        one = self.extended
        if one.walk is None:
            return []
        moves = walk_moves(one.walk, days)
        lone = one.is_shared("level") and one.intercepts is None
        shape, dims = ((moves,), ("move",)) if lone else ((streams, moves), ("stream", "move"))
        name = f"{self.prefix}walk"
        return [
            Parameter(
                name, shape, "real", Normal(0.0, 1.0),
                "moves of the level's random walk, in units of their scale", "", dims,
                penalised=True,
            ),
            *_scale(f"{name}_scale", one.walk, "standard deviation of a move of the log rate"),
        ]  # fmt: skip

    def design(self, fitted: CountSeries, edges: DateArray) -> FloatArray:
        """Design (K, P, T) of the periods between edges (T + 1,), anchored at a fitted series."""
        one = self.extended
        streams, days = fitted.n_streams, fitted.window.days
        times = (edges - fitted.edges[0]).astype(np.float64)
        start = fitted.window.start
        own = one.covariates if one.covariates is not None and one.covariates.by_stream else None
        shared = replace(one, covariates=None) if own is not None else one
        common = Background.design(shared, times[:-1], days, start, times[1:])
        out = np.repeat(common.T[None], streams, axis=0)
        if own is not None:
            if own.values.shape[1] != streams:
                raise ValueError(
                    f"covariates are of {own.values.shape[1]} streams, the series has {streams}"
                )
            values = own.at(start, times[:-1], times[1:])
            place = self._columns_before("covariate", days)
            out = np.insert(out, [place] * values.shape[2], values.transpose(1, 2, 0), axis=1)
        if self.level is None:
            out = out[:, 1:]
        elif one.intercepts is not None:
            out = np.insert(out, 1, 1.0, axis=1)
        if one.walk is not None:
            out = np.concatenate(
                [out, np.repeat(_walk_design(one.walk, times[:-1], days).T[None], streams, axis=0)],
                axis=1,
            )
        return np.ascontiguousarray(out)

    def _columns_before(self, term: str, days: float) -> int:
        bare = replace(self.extended, covariates=None, walk=None, intercepts=None, shared=())
        before = TERMS[: TERMS.index(term)]
        return sum(p.size for p in Background.parameters(bare, 1, days, "") if p.name in before)

    def offset(self, fitted: CountSeries, edges: DateArray) -> FloatArray:
        """Offset (K, T) of the periods between edges."""
        one = self.extended
        out = np.zeros((fitted.n_streams, len(edges) - 1))
        if isinstance(one.offset, Covariates):
            times = (edges - fitted.edges[0]).astype(np.float64)
            values = one.offset.at(fitted.window.start, times[:-1], times[1:])[..., 0]
            return np.asarray(out + (values.T if values.ndim == 2 else values))
        if one.offset is not None:
            if len(one.offset) != fitted.n_streams:
                raise ValueError(
                    f"offset names {len(one.offset)} streams, the series has {fitted.n_streams}"
                )
            return np.asarray(out + np.array(one.offset, float)[:, None])
        return out

    def places(self, layout: Layout, streams: int) -> tuple[IntArray, IntArray, FloatArray]:
        """Places (K, P) of the coefficients, of their multipliers (-1: none), and fixed factors.

        A multiplier that is given, not estimated, is a fixed factor (P,) of its column.
        """
        one = self.extended
        columns, multipliers, factors = [], [], []
        names = {p.name: p for p in layout.parameters}
        walked = ("level", "level_deviation", *TERMS[1:], "walk")
        for term in walked:
            parameter = names.get(self.prefix + term)
            if parameter is None:
                continue
            first = layout.start(parameter.name)
            if "stream" in parameter.dims:
                width = parameter.size // streams
                block = first + np.arange(streams * width).reshape(streams, width)
            else:
                width = parameter.size
                block = np.repeat(first + np.arange(width)[None], streams, axis=0)
            columns.append(block)
            spread, given = -1, 1.0
            if term in ("level_deviation", "walk"):
                scale = f"{self.prefix}{'level_spread' if term != 'walk' else 'walk_scale'}"
                random = cast(
                    RandomIntercepts | RandomWalk, one.intercepts if term != "walk" else one.walk
                )
                given = 1.0 if random.scale is None else random.scale
                spread = layout.start(scale) if scale in names else -1
            multipliers.append(np.full((streams, width), spread))
            factors.append(np.full(width, given))
        if not columns:
            empty = np.zeros((streams, 0), np.int64)
            return empty, empty, np.zeros(0)
        return (
            np.concatenate(columns, axis=1).astype(np.int64),
            np.concatenate(multipliers, axis=1).astype(np.int64),
            np.concatenate(factors),
        )

    def coefficients(self, layout: Layout, theta: FloatArray, streams: int) -> FloatArray:
        """Coefficients (n, K, P) of draws theta (n, p), multipliers and factors included."""
        column, multiplier, factor = self.places(layout, streams)
        out: FloatArray = theta[:, column] * factor
        return np.where(multiplier < 0, out, out * theta[:, np.maximum(multiplier, 0)])

    def log_rates(
        self, layout: Layout, theta: FloatArray, fitted: CountSeries, edges: DateArray
    ) -> FloatArray:
        """The predictor (n, T, K) of draws theta (n, p) in the periods between edges."""
        coefficients = self.coefficients(layout, theta, fitted.n_streams)
        design = self.design(fitted, edges)
        out = np.einsum("kpt,nkp->ntk", design, coefficients)
        return np.asarray(out + self.offset(fitted, edges).T, float)

    @property
    def dated(self) -> bool:
        """Whether it reads values that are known for some days alone."""
        one = self.extended
        return one.covariates is not None or isinstance(one.offset, Covariates)

    @cached_property
    def active(self) -> bool:
        """Whether there is anything in it beside a level."""
        one = self.extended
        return not one.flat or one.offset is not None or one.walk is not None


def _scale(name: str, term: RandomIntercepts | RandomWalk, meaning: str) -> list[Parameter]:
    if term.scale is not None:
        return []
    return [Parameter(name, (), "nonnegative", HalfNormal(term.prior_scale), meaning, "log ratio")]


def walk_moves(walk: RandomWalk, days: float) -> int:
    """Number of moves of a random walk within a window of so many days."""
    return max(1, int(np.ceil(days / walk.step)) - 1)


def _walk_design(walk: RandomWalk, times: FloatArray, days: float) -> FloatArray:
    """Columns (T, S) that sum the moves up to each time, centred over the window."""
    begins = walk.step * np.arange(1, walk_moves(walk, days) + 1)
    grid = np.linspace(0.0, days, 400, endpoint=False)
    centre = (grid[:, None] >= begins).mean(axis=0)
    return np.asarray((times[:, None] >= begins) - centre, float)


def later_moves(
    predictor: Predictor,
    layout: Layout,
    theta: FloatArray,
    fitted: CountSeries,
    edges: DateArray,
    rng: np.random.Generator,
) -> FloatArray | None:
    """How far the walk of each stream goes after the fitted window (n, T, K); None without one.

    Parameters
    ----------
    predictor : Predictor
    layout : Layout
    theta : ndarray (n, p)
    fitted : CountSeries
    edges : ndarray of datetime64[D] (T + 1,)
        Of the periods after the window.
    rng : numpy.random.Generator
    """
    one = predictor.extended
    if one.walk is None:
        return None
    times = (edges[:-1] - fitted.edges[0]).astype(np.float64)
    # The first move that the window no longer holds.
    first = walk_moves(one.walk, fitted.window.days) + 1
    number = np.floor(times / one.walk.step).astype(int) - first + 1
    number = np.maximum(number, 0)
    scale = np.full(len(theta), one.walk.scale or 0.0)
    if one.walk.scale is None:
        scale = theta[:, layout.start(f"{predictor.prefix}walk_scale")]
    alone = not (one.is_shared("level") and one.intercepts is None)
    paths = fitted.n_streams if alone else 1
    moves = rng.standard_normal((len(theta), int(number.max(initial=0)), paths))
    walk = np.concatenate([np.zeros((len(theta), 1, paths)), np.cumsum(moves, axis=1)], axis=1)
    out: FloatArray = scale[:, None, None] * walk[:, number]
    return np.repeat(out, fitted.n_streams // paths, axis=2)
