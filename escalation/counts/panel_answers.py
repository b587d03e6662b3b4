"""What a fitted panel answers: its units, their population, and the dynamics of one unit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from escalation.counts.panel_effects import LEVEL, LOG_DISPERSION, LOGIT, Effects, Watch
from escalation.counts.periods import design_matrix, lagged_past
from escalation.dynamics import Dynamics, count_responses
from escalation.fit import Fit
from escalation.parameters import FloatArray, Layout
from escalation.window import PERIOD_DAYS

if TYPE_CHECKING:
    from escalation.counts.panel import Panel

#: Periods that responses reach.
REACH = 26
#: Draws of units that stand for the population.
MANY = 4000


@dataclass(frozen=True, eq=False)
class UnitEstimates:
    """What a panel says of each unit: background level, R and dispersion.

    Attributes
    ----------
    draws : ndarray (n, U, Q)
    quantities : tuple of str
        The Q quantities: "level" in incidents a period, "R", "dispersion", by kind of stream where
        there are several; further coefficients that vary.
    units : tuple of str
    periods : ndarray (U,)
        Watched periods of each unit, as far as the likelihood uses them.
    incidents : ndarray (U,)
    """

    draws: FloatArray
    quantities: tuple[str, ...]
    units: tuple[str, ...]
    periods: FloatArray
    incidents: FloatArray

    def interval(self, quantity: str, level: float = 0.9) -> FloatArray:
        """Lower end, median and upper end (3, U) of one quantity.

        Raises
        ------
        ValueError
            For an unknown quantity.
        """
        if quantity not in self.quantities:
            raise ValueError(f"no quantity {quantity!r}; there are {', '.join(self.quantities)}")
        tails = [(1 - level) / 2, 0.5, (1 + level) / 2]
        return np.quantile(self.draws[:, :, self.quantities.index(quantity)], tails, axis=0)

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """A row a unit and quantity: periods, incidents, estimate (the median), lower, upper."""
        return pl.concat([self._one(quantity, level) for quantity in self.quantities])

    def _one(self, quantity: str, level: float) -> pl.DataFrame:
        lower, middle, upper = self.interval(quantity, level)
        return pl.DataFrame(
            {
                "unit": list(self.units),
                "quantity": [quantity] * len(self.units),
                "periods": self.periods,
                "incidents": self.incidents,
                "estimate": middle,
                "lower": lower,
                "upper": upper,
            }
        )

    def shrinkage(self, apart: UnitEstimates, level: float = 0.9) -> pl.DataFrame:
        """These estimates beside those without pooling.

        Parameters
        ----------
        apart : UnitEstimates
            Of the same units, from a fit with ``pooling="none"``.
        level : float

        Returns
        -------
        polars.DataFrame
            As `table`, with ``apart``, ``apart_lower``, ``apart_upper``, and ``width``: the
            pooled interval's width over that without pooling.

        Raises
        ------
        ValueError
            If units or quantities differ.
        """
        if (self.units, self.quantities) != (apart.units, apart.quantities):
            raise ValueError("shrinkage wants two fits of the same units and quantities")
        other = apart.table(level)
        return self.table(level).with_columns(
            other["estimate"].alias("apart"),
            other["lower"].alias("apart_lower"),
            other["upper"].alias("apart_upper"),
            width=(pl.col("upper") - pl.col("lower")) / (other["upper"] - other["lower"]),
        )

    def __repr__(self) -> str:
        """Say how many units, and of what."""
        return f"UnitEstimates({len(self.units)} units: {', '.join(self.quantities)})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table()._repr_html_()}"


def quantities_of(
    effects: Effects, kinds: tuple[str, ...], units: FloatArray
) -> Iterator[tuple[str, FloatArray, str]]:
    """Name, values (n, U) and unit of each quantity of effects (n, U, m)."""
    alone = len(kinds) == 1
    matrix, psi = effects.reproduction(units), effects.dispersion(units)
    for one in effects.listed:
        block = units[:, :, effects.first[one.name] : effects.first[one.name] + one.size]
        if one.name == LEVEL:
            for s, kind in enumerate(kinds):
                name = "level" if alone else f"level of {kind}"
                yield name, np.exp(block[:, :, s]), f"incidents per {effects.period}"
        elif one.name == LOGIT:
            for s, target in enumerate(kinds):
                for j, source in enumerate(kinds):
                    name = "R" if alone else f"R, {source} → {target}"
                    yield name, matrix[:, :, s, j], f"offspring in later {effects.period}s"
        elif one.name == LOG_DISPERSION and psi is not None:
            for s, kind in enumerate(kinds):
                yield "dispersion" if alone else f"dispersion of {kind}", psi[:, :, s], ""
        else:
            for i, place in enumerate(np.ndindex(one.shape)):
                where = ", ".join(str(at + 1) for at in place)
                yield f"{one.name}[{where}]", block[:, :, i], one.unit


def units_of(model: Panel, fit: Fit) -> UnitEstimates:
    """Each unit's quantities by the draws of a fit."""
    series, watch = fit.series, Watch.of(fit.series)
    effects = model.effects(series)
    found = list(quantities_of(effects, watch.kinds, effects.of(Layout(fit.parameters), fit.theta)))
    used = model.used_by_unit(series)
    counts = series.counts.reshape(len(series), len(watch.units), -1).sum(axis=2)
    return UnitEstimates(
        np.stack([values for _, values, _ in found], axis=2),
        tuple(name for name, _, _ in found),
        watch.units,
        (watch.scale * used).sum(axis=0),
        (counts * used).sum(axis=0),
    )


def population_of(model: Panel, fit: Fit, level: float, rng: np.random.Generator) -> pl.DataFrame:
    """Typical unit, spread and a new unit's interval of each quantity."""
    series = fit.series
    effects, layout = model.effects(series), Layout(fit.parameters)
    theta, kinds = fit.theta, Watch.of(series).kinds
    typical = theta[:, effects.places(layout)[0]][:, None]
    spread = theta[:, effects.places(layout)[1]]
    new = effects.new(layout, np.repeat(theta, -(-MANY // len(theta)), axis=0), rng)
    tails = [(1 - level) / 2, 0.5, (1 + level) / 2]
    rows = []
    both = zip(
        quantities_of(effects, kinds, typical), quantities_of(effects, kinds, new), strict=True
    )
    for i, ((name, middle, unit), (_, of_new, _)) in enumerate(both):
        low, mid, high = np.quantile(middle[:, 0], tails)
        least, between, most = np.quantile(spread[:, i], tails)
        new_low, _, new_high = np.quantile(of_new[:, 0], tails)
        rows.append(
            {
                "quantity": name, "unit": unit, "typical": mid, "lower": low, "upper": high,
                "spread": between, "spread_lower": least, "spread_upper": most,
                "new_lower": new_low, "new_upper": new_high,
            }
        )  # fmt: skip
    return pl.DataFrame(rows)


def dynamics_of_unit(model: Panel, fit: Fit, unit: str | None) -> Dynamics:
    """Reproduction, shares and responses of one unit."""
    series, theta, watch = fit.series, fit.theta, Watch.of(fit.series)
    if unit is None and len(watch.units) == 1:
        unit = watch.units[0]
    if unit is None or unit not in watch.units:
        raise ValueError(f"say which unit: {', '.join(watch.units)}; got {unit!r}")
    u, kinds = watch.units.index(unit), len(watch.kinds)
    effects, layout = model.effects(series), Layout(fit.parameters)
    own = effects.of(layout, theta)[:, u : u + 1]
    matrix = effects.reproduction(own)[:, 0]
    weights = model.lag_draws(theta, series)
    used = model.used_by_unit(series)[:, u]
    scale = watch.scale[used, u]
    design = design_matrix(model.background, series, series.edges)[used]
    rate = np.exp(design @ effects.coefficients(layout, theta, own)[:, 0].swapaxes(1, 2))
    streams = slice(u * kinds, (u + 1) * kinds)
    past = lagged_past(series.counts[:, streams].astype(float), weights)[:, used]
    endemic = np.einsum("ntk,t->nk", rate, scale)
    set_off = matrix * np.einsum("ntk,t->nk", past, scale)[:, None]
    itself = np.einsum("nkk->nk", set_off)
    parts = np.stack([endemic, itself, set_off.sum(axis=2) - itself], axis=2)
    days = PERIOD_DAYS[series.period]
    median = 1 + (np.cumsum(weights, axis=1) < 0.5 - 1e-12).sum(axis=1)
    whole = model.kernel.within(float(len(series.counts)))
    kernel = theta[:, theta.shape[1] - model.kernel_size(series) :]
    return Dynamics(
        reproduction=matrix,
        shares=parts / parts.sum(axis=2, keepdims=True),
        responses=count_responses(matrix, weights, REACH),
        response_days=days * np.arange(1.0, REACH + 1),
        names=series.names[streams],
        unit=f"offspring in later {series.period}s",
        arrows=np.ones((kinds, kinds), bool),
        delay_median=days * median.astype(float),
        same_period=np.broadcast_to(whole.same_period(kernel), (len(kernel),)).copy(),
    )
