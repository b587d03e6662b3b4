"""The parts of an endemic-epidemic specification: parameters, places, data, means of draws."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from escalation.background import Background
from escalation.counts.component import Component, Neighbours
from escalation.counts.periods import dispersion_parameter, dispersion_places
from escalation.counts.predictor import LEVEL, Predictor
from escalation.dynamics import STABLE, arrow_mask, reproduction_parameter
from escalation.engines.base import Arrays
from escalation.parameters import BoolArray, FloatArray, Layout, Parameter
from escalation.priors import HalfNormal, LogNormal, Normal, Stability
from escalation.series import CountSeries
from escalation.window import DateArray

IntArray = NDArray[np.int64]

#: Priors of the log reproduction numbers of streams with neighbours: explosive draws are rare.
OWN_LEVEL = Normal(-2.0, 0.5)
CROSS_LEVEL = Normal(-2.4, 0.5)
KINDS = {"given": 0, "adjacency": 2, "power law": 1, "order": 2}


@dataclass(frozen=True)
class Structure:
    """What an endemic-epidemic model is made of, apart from kernel and lags.

    Attributes
    ----------
    background, own, cross : Background or None
    neighbours : Neighbours or None
    arrows : tuple of tuples of bool or None
    eras : tuple of date
    distribution, dispersion : str
    shared_shock : bool
    """

    background: Background
    own: Component | None
    cross: Component | None
    neighbours: Neighbours | None
    arrows: tuple[tuple[bool, ...], ...] | None
    eras: tuple[date, ...]
    distribution: str
    dispersion: str
    shared_shock: bool

    @property
    def predictors(self) -> tuple[Predictor, Predictor | None, Predictor | None]:
        """Predictors of the background, the own and the cross component."""
        out: list[Predictor | None] = []
        for name, one, level in (
            ("own_", self.own, OWN_LEVEL),
            ("cross_", self.cross, CROSS_LEVEL),
        ):
            if self.neighbours is not None:
                if one is not None and one.intercepts is not None:
                    # Room for the streams that lie above the common level.
                    level = Normal(level.mean - 0.4, level.sd)
                out.append(Predictor(one or Component(), name, level))
            else:
                found = None if one is None else Predictor(one, name, None)
                out.append(found if found is not None and found.active else None)
        return Predictor(self.background, "", LEVEL), out[0], out[1]

    @property
    def simple(self) -> bool:
        """Whether the plain likelihood serves: one matrix, a plain background, no shock."""
        background, own, cross = self.predictors
        still = own is None and cross is None and not self.eras and not self.shared_shock
        return still and background.plain

    @property
    def joint(self) -> Stability | None:
        """The joint prior of R, where it is a parameter."""
        return STABLE if self.neighbours is None else None

    @property
    def number_of_eras(self) -> int:
        """Number of reproduction matrices."""
        return len(self.eras) + 1

    def mask(self, streams: int) -> BoolArray:
        """Which entries (K, K) of R are allowed."""
        if self.neighbours is None:
            return arrow_mask(self.arrows, streams)
        order = self.order(streams)
        near = order > 0
        if self.neighbours.weights != "given":
            near &= order <= self.longest
        return np.asarray(near | np.eye(streams, dtype=bool))

    @property
    def longest(self) -> int:
        """Highest neighbourhood order with a weight."""
        if self.neighbours is None:
            return 1
        return 1 if self.neighbours.weights == "adjacency" else self.neighbours.max_order

    def order(self, streams: int) -> FloatArray:
        """Neighbourhood orders (K, K), or given weights."""
        if self.neighbours is None:
            return np.zeros((streams, streams))
        order = np.array(self.neighbours.order, float)
        if len(order) != streams:
            raise ValueError(f"order names {len(order)} streams, the series has {streams}")
        return order

    def parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """Background, own, reproduction, cross, neighbours, dispersion, shock."""
        streams, days = series.n_streams, series.window.days
        background, own, cross = self.predictors
        out = [*background.parameters(streams, days, f"incidents per {series.period}")]
        if own is not None:
            out += own.parameters(streams, days, "")
        if self.neighbours is None:
            out.append(self._reproduction(series))
        if cross is not None:
            out += cross.parameters(streams, days, "")
        out += self._weights()
        if self.distribution == "negative binomial":
            out.append(dispersion_parameter(self.dispersion, streams))
        if self.shared_shock:
            out.append(
                Parameter(
                    "shock", (), "nonnegative", HalfNormal(0.5),
                    "variance of the factor that all streams share in a period", "",
                )
            )  # fmt: skip
        return tuple(out)

    def _reproduction(self, series: CountSeries) -> Parameter:
        mask = self.mask(series.n_streams)
        found = reproduction_parameter(mask, f"offspring in later {series.period}s")
        if not self.eras:
            return found
        assert isinstance(found.prior, HalfNormal)
        eras = self.number_of_eras
        scale = np.broadcast_to(found.prior.scale, (eras, *mask.shape))
        return replace(
            found,
            shape=(eras, *mask.shape),
            prior=HalfNormal(np.array(scale)),
            dims=("era", "target", "source"),
            free=None if mask.all() else np.array([mask] * eras),
        )

    def _weights(self) -> list[Parameter]:
        if self.neighbours is None:
            return []
        if self.neighbours.weights == "power law":
            return [
                Parameter(
                    "distance_decay", (), "positive", LogNormal(1.5, 0.7),
                    "power by which weights fall with the neighbourhood's order", "",
                )
            ]  # fmt: skip
        if self.neighbours.weights == "order":
            return [
                Parameter(
                    "order_weight", (self.longest - 1,), "real", Normal(-1.5, 1.0),
                    "log weights of the second order and on, against the first", "log ratio",
                    ("order",),
                )
            ]  # fmt: skip
        return []

    def era_of(self, edges: DateArray) -> IntArray:
        """Era (T,) of each period between edges: that of its first day."""
        dates = np.array(self.eras, "datetime64[D]")
        return np.searchsorted(dates, edges[:-1], side="right").astype(np.int64)

    def places(self, layout: Layout, streams: int) -> IntArray:
        """`place` of the likelihood of `escalation.likelihood.endemic_epidemic_terms`."""
        _, own, cross = self.predictors
        names = {p.name: p for p in layout.parameters}
        inner = [name for name in ("distance_decay", "order_weight") if name in names]
        near = self.neighbours
        number, *dispersions = dispersion_places(layout, streams)
        first = [layout.start(name) for name in inner] or [0]
        return np.array(
            [
                layout.start("reproduction") if near is None else -1,
                self.number_of_eras,
                number,
                layout.start("shock") if self.shared_shock else -1,
                near is not None,
                0 if near is None else KINDS[near.weights],
                self.longest,
                near is not None and near.normalise,
                own is not None,
                cross is not None,
                first[0],
                names[inner[0]].size if inner and near is not None else 0,
                *dispersions,
            ],
            np.int64,
        )

    def arrays(self, layout: Layout, series: CountSeries) -> tuple[dict[str, Any], Arrays]:
        """Data and structure of that likelihood that do not change with the counts."""
        streams, edges = series.n_streams, series.edges
        designs, columns, multipliers, offsets, bounds = [], [], [], [], [0]
        for one in self.predictors:
            if one is None:
                offsets.append(np.zeros((streams, len(series))))
                bounds.append(bounds[-1])
                continue
            column, multiplier, factor = one.places(layout, streams)
            designs.append(one.design(series, edges) * factor[:, None])
            offsets.append(one.offset(series, edges))
            columns.append(column)
            multipliers.append(multiplier)
            bounds.append(bounds[-1] + column.shape[1])
        era = self.era_of(edges)
        begins = np.searchsorted(era, np.arange(self.number_of_eras + 1))
        data = {
            "offset": np.stack(offsets),
            "design": np.ascontiguousarray(np.concatenate(designs, axis=1)),
            "begins": begins.astype(np.int64),
        }
        return data, (
            np.ascontiguousarray(np.concatenate(columns, axis=1)),
            np.ascontiguousarray(np.concatenate(multipliers, axis=1)),
            np.array(bounds, np.int64),
            self.order(streams),
            self.places(layout, streams),
        )

    def base(self, layout: Layout, theta: FloatArray, streams: int) -> FloatArray:
        """Reproduction matrices (n, E, K, K) where the predictors are zero."""
        values = layout.unpack(theta)
        if self.neighbours is None:
            shape = (len(theta), self.number_of_eras, streams, streams)
            return values["reproduction"].reshape(shape)
        from escalation.likelihood.neighbour_weights import neighbour_weights

        order, near = self.order(streams), self.neighbours
        inner = np.zeros((len(theta), 0))
        for name in ("distance_decay", "order_weight"):
            if name in values:
                inner = values[name].reshape(len(theta), -1)
        weigh = (KINDS[near.weights], self.longest, near.normalise)
        distinct = inner if inner.shape[1] else inner[:1]
        weights = np.array([neighbour_weights(one, order, *weigh)[0] for one in distinct])
        out: FloatArray = np.broadcast_to(weights, (len(theta), streams, streams))
        return (out + np.eye(streams))[:, None]
