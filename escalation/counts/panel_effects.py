"""What differs from unit to unit of a panel, and how it is pooled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from escalation.background import TERMS, Background
from escalation.parameters import FloatArray, Layout, Parameter
from escalation.priors import HalfNormal, Normal
from escalation.series import CountSeries, PanelSeries

IntArray = NDArray[np.int64]

POOLINGS = ("partial", "none", "complete")
#: Names of the effects beside those of the background.
LEVEL, LOGIT, LOG_DISPERSION = "level", "logit_reproduction", "log_dispersion"
#: Spread of the units' coefficients of a term of the background, in standard deviations of its own.
PART = 0.5


@dataclass(frozen=True, eq=False)
class Watch:
    """Units of a series: one stream each, unless it is a `PanelSeries` that says otherwise.

    Attributes
    ----------
    units, kinds : tuple of str
    scale : ndarray (T, U)
        Exposure of each unit, in periods.
    """

    units: tuple[str, ...]
    kinds: tuple[str, ...]
    scale: FloatArray

    @classmethod
    def of(cls, series: CountSeries) -> Watch:
        """The units of a series and how they were watched."""
        scale = series.scale[:, None]
        if isinstance(series, PanelSeries):
            return cls(series.units, series.kinds, scale * series.shares)
        return cls(series.names, ("incidents",), np.repeat(scale, series.n_streams, axis=1))


@dataclass(frozen=True)
class Effect:
    """One quantity that units have, of every kind of stream.

    Attributes
    ----------
    name : str
    shape : tuple of int
        In one unit; the kind of stream comes first.
    prior : Normal
        Of the population's mean, and of the value that all units share.
    spread : float
        Scale of the half-normal prior of the units' standard deviation.
    meaning, unit : str
    dims : tuple of str
    """

    name: str
    shape: tuple[int, ...]
    prior: Normal
    spread: float
    meaning: str
    unit: str
    dims: tuple[str, ...]

    @property
    def size(self) -> int:
        """Number of entries in one unit."""
        return prod(self.shape)

    def parameters(self, pooling: str, units: int, axis: str) -> tuple[Parameter, ...]:
        """Mean, spread and deviations; or one value for all units, or one for each by itself."""
        common = Parameter(
            self.name, self.shape, "real", self.prior, self.meaning, self.unit, self.dims
        )
        if pooling == "complete":
            return (common,)
        shape, dims = (units, *self.shape), (axis, *self.dims)
        if pooling == "none":
            # As wide as the law of one unit beforehand, its population unknown.
            wide = Normal(self.prior.mean, float(np.hypot(self.prior.sd, self.spread)))
            return (replace(common, prior=wide, shape=shape, dims=dims),)
        return (
            replace(common, name=f"{self.name}_mean", meaning=f"population mean: {self.meaning}"),
            Parameter(
                f"{self.name}_spread", self.shape, "nonnegative", HalfNormal(self.spread),
                "standard deviation between units", self.unit, self.dims,
            ),
            Parameter(
                f"{self.name}_deviation", shape, "real", Normal(0.0, 1.0),
                "a unit's distance from the mean, in standard deviations", "", dims,
            ),
        )  # fmt: skip


@dataclass(frozen=True)
class Effects:
    """Effects of a panel model on a series of U units with S kinds of streams.

    The m effects of a unit stand in one row: level, terms of the background that vary, logits of
    R, log-dispersion.

    Attributes
    ----------
    background : Background
    varying : tuple of str
    dispersed : bool
    pooling : str
    spreads : tuple of float
        Of level, logits of R, log-dispersion.
    units, kinds : int
    days : float
    period : str
    """

    background: Background
    varying: tuple[str, ...]
    dispersed: bool
    pooling: str
    spreads: tuple[float, float, float]
    units: int
    kinds: int
    days: float
    period: str

    @cached_property
    def terms(self) -> tuple[Parameter, ...]:
        """Parameters of the background, the level first, without an axis of kinds if it is one."""
        unit = f"incidents per {self.period}"
        out = []
        for p in self.background.parameters(self.kinds, self.days, unit):
            alone = self.kinds == 1
            shape = p.shape[1:] if alone else p.shape
            dims = p.dims[1:] if alone else ("kind", *p.dims[1:])
            free = None if p.free is None else p.free.reshape(shape)
            out.append(replace(p, shape=shape, dims=dims, free=free))
        return tuple(out)

    @cached_property
    def listed(self) -> tuple[Effect, ...]:
        """The effects, in order."""
        one = self.kinds == 1
        kind: tuple[int, ...] = () if one else (self.kinds,)
        dims: tuple[str, ...] = () if one else ("kind",)
        out = []
        for p in self.terms:
            if p.name == LEVEL or p.name in self.varying:
                prior = p.prior if isinstance(p.prior, Normal) else Normal()
                spread = self.spreads[0] if p.name == LEVEL else PART * prior.sd
                out.append(Effect(p.name, p.shape, prior, spread, p.meaning, p.unit, p.dims))
        out.append(
            Effect(
                LOGIT, (*kind, *kind), Normal(-1.4, 1.0), self.spreads[1],
                "log odds of a further incident directly following one", "log odds",
                () if one else ("to kind", "from kind"),
            )
        )  # fmt: skip
        if self.dispersed:
            out.append(
                Effect(
                    LOG_DISPERSION, kind, Normal(-0.7, 1.0), self.spreads[2],
                    "log of the overdispersion: the variance is mean (1 + dispersion × mean)",
                    "log", dims,
                )
            )  # fmt: skip
        return tuple(out)

    @cached_property
    def size(self) -> int:
        """Number of effects of a unit, m."""
        return sum(one.size for one in self.listed)

    @cached_property
    def first(self) -> dict[str, int]:
        """Place of the first entry of each effect in a unit's row."""
        ends = np.cumsum([0, *(one.size for one in self.listed)])
        return {one.name: int(at) for one, at in zip(self.listed, ends, strict=False)}

    @property
    def axis(self) -> str:
        """What the axis of units is called: where each is one stream, by the streams' names."""
        return "stream" if self.kinds == 1 else "unit"

    def parameters(self) -> tuple[Parameter, ...]:
        """Effects, then the terms of the background that all units share."""
        own = {one.name for one in self.listed}
        out: list[Parameter] = []
        for one in self.listed:
            out += one.parameters(self.pooling, self.units, self.axis)
        return (*out, *(p for p in self.terms if p.name not in own))

    def places(self, layout: Layout) -> tuple[IntArray, ...]:
        """Structure of `escalation.likelihood.panel.panel`, from `mean` on."""
        mean, spread = np.full(self.size, -1), np.full(self.size, -1)
        deviation = np.full((self.units, self.size), -1)
        shared = np.full((self.kinds, self.columns), -1)
        effect = np.full((self.kinds, self.columns), -1)
        for one in self.listed:
            own = slice(self.first[one.name], self.first[one.name] + one.size)
            entries = np.arange(one.size)
            rows = np.arange(self.units * one.size).reshape(self.units, one.size)
            if self.pooling == "complete":
                mean[own] = layout.start(one.name) + entries
            elif self.pooling == "none":
                deviation[:, own] = layout.start(one.name) + rows
            else:
                mean[own] = layout.start(f"{one.name}_mean") + entries
                spread[own] = layout.start(f"{one.name}_spread") + entries
                deviation[:, own] = layout.start(f"{one.name}_deviation") + rows
        column = 0
        for p in self.terms:
            width = p.size // self.kinds
            block = np.arange(p.size).reshape(self.kinds, width)
            if p.name in self.first:
                effect[:, column : column + width] = self.first[p.name] + block
            else:
                shared[:, column : column + width] = layout.start(p.name) + block
            column += width
        first = np.array([self.first[LOGIT], self.first.get(LOG_DISPERSION, -1)])
        return mean, spread, deviation, shared, effect, first

    @property
    def columns(self) -> int:
        """Number of columns of the design matrix."""
        return sum(p.size // self.kinds for p in self.terms)

    def of(self, layout: Layout, theta: FloatArray) -> FloatArray:
        """Effects (n, U, m) of draws theta (n, p)."""
        mean, spread, deviation = self.places(layout)[:3]
        # A column of zeros and one of ones stand for what is not there.
        wide = np.column_stack([theta, np.zeros(len(theta)), np.ones(len(theta))])
        zero, unity = theta.shape[1], theta.shape[1] + 1
        values = wide[:, np.where(deviation < 0, zero, deviation)]
        values = values * wide[:, None, np.where(spread < 0, unity, spread)]
        return np.asarray(values + wide[:, None, np.where(mean < 0, zero, mean)])

    def new(self, layout: Layout, theta: FloatArray, rng: np.random.Generator) -> FloatArray:
        """Effects (n, 1, m) of a unit drawn from the population of each of some draws (n, p)."""
        mean, spread, _ = self.places(layout)[:3]
        out = theta[:, mean]
        if self.pooling == "partial":
            out = out + theta[:, spread] * rng.standard_normal(out.shape)
        return np.asarray(out[:, None])

    def coefficients(self, layout: Layout, theta: FloatArray, effects: FloatArray) -> FloatArray:
        """Coefficients (n, V, S, P) of the background of V units with effects (n, V, m)."""
        shared, effect = self.places(layout)[3:5]
        own = effects[:, :, np.maximum(effect, 0)]
        common = theta[:, np.maximum(shared, 0)][:, None]
        return np.where(effect < 0, common, own)

    def reproduction(self, effects: FloatArray) -> FloatArray:
        r"""Reproduction matrices (..., S, S) of effects (..., m), target first.

        With the logits x it is :math:`R_{sj} = e^{x_{sj}} / (1 + \sum_a e^{x_{aj}})`.
        """
        at = self.first[LOGIT]
        logits = effects[..., at : at + self.kinds**2]
        logits = logits.reshape(*effects.shape[:-1], self.kinds, self.kinds)
        highest = np.maximum(logits.max(axis=-2, keepdims=True), 0.0)
        raised = np.exp(logits - highest)
        return np.asarray(raised / (np.exp(-highest) + raised.sum(axis=-2, keepdims=True)))

    def dispersion(self, effects: FloatArray) -> FloatArray | None:
        """Overdispersion (..., S) of effects (..., m); None of a Poisson model."""
        if not self.dispersed:
            return None
        at = self.first[LOG_DISPERSION]
        return np.asarray(np.exp(effects[..., at : at + self.kinds]))

    def rows(self, layout: Layout) -> IntArray:
        """Unit (size,) that each parameter belongs to, -1 for all of them."""
        out = np.full(layout.size, -1)
        deviation = self.places(layout)[2]
        seen = deviation >= 0
        out[deviation[seen]] = np.nonzero(seen)[0]
        return out


def check_varying(varying: tuple[str, ...], background: Background) -> None:
    """``ValueError`` for terms that a background does not know, or cannot have by unit."""
    known = TERMS[1:]
    for term in varying:
        if term not in known:
            raise ValueError(f"varying names {', '.join(known)}, got {term!r}")
    if isinstance(background.harmonics, tuple):
        raise ValueError("a panel wants one number of harmonics")
