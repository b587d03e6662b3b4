"""The panel model: many units at once, their parameters partially pooled."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, override

import numpy as np
import polars as pl

from escalation.background import Background
from escalation.counts.model import LaggedModel
from escalation.counts.panel_answers import (
    UnitEstimates,
    dynamics_of_unit,
    population_of,
    units_of,
)
from escalation.counts.panel_effects import (
    LEVEL,
    LOG_DISPERSION,
    LOGIT,
    POOLINGS,
    Effects,
    Watch,
    check_varying,
)
from escalation.counts.panel_paths import anew, begun, of_new_unit, onward
from escalation.counts.periods import (
    DISTRIBUTIONS,
    after_watched,
    check_choice,
    design_matrix,
    lagged_past,
    vectors,
)
from escalation.counts.response import Response
from escalation.dynamics import Dynamics, count_responses
from escalation.engines import Engine, Laplace, MaximumLikelihood, Problem
from escalation.engines.threads import one_thread
from escalation.fit import Fit, pick
from escalation.forecast import Forecast, future_edges
from escalation.kernels import Exponential, Kernel
from escalation.parameters import BoolArray, FloatArray, Layout, Parameter
from escalation.series import CountSeries, stream_place


@dataclass(frozen=True)
class Panel(LaggedModel):
    r"""Counts of many units (dyads, provinces, borders) that learn from each other.

    For stream s of unit u, each unit with S kinds of streams (one, unless the series is a
    `PanelSeries` with more),

    .. math::
        y_{ts} \mid \text{past} &\sim \mathrm{NB}(\mu_{ts},\ \mathrm{var} = \mu_{ts}
        (1 + \psi_{us}\mu_{ts})), \qquad
        \mu_{ts} = e_{tu} \Big\{ b_{us}(t) + \sum_j R_{u,sj} \sum_{l=1}^{L} w_l\, y_{t-l,j} \Big\}

        R_{u,sj} &= \frac{e^{x_{u,sj}}}{1 + \sum_a e^{x_{u,aj}}}

    The log level of the background, the logits x and :math:`\log\psi` of a unit are normal around
    a population mean with a population spread; so are the terms of the background that `varying`
    names. The others, and the lag weights :math:`w`, are the same for all units. Incidents of one
    unit are not followed by those of another. All direct offspring of an incident within its unit
    are fewer than one on average: no unit explodes.

    A unit is used from its own watch alone: the first L periods of it are conditioned on, and so
    is every period whose past L periods were not watched throughout.

    Maximum likelihood takes the population that makes the counts most probable with the units
    integrated out (Laplace's approximation, as in Rue, Martino & Chopin 2009); the joint maximum
    over spreads and deviations is never taken.

    Attributes
    ----------
    kernel : Kernel
    background : Background
    distribution : {"negative binomial", "poisson"}
    pooling : {"partial", "none", "complete"}
        Units around a population; each unit with a wide prior of its own; or one level, one R and
        one dispersion for all.
    varying : tuple of str
        Terms of the background that differ from unit to unit as the level does: "season", say.
    spreads : tuple of float
        Scales of the half-normal priors of the population's spread, of log level, logit of R and
        log dispersion.
    lags : int
        L.

    References
    ----------
    Gelman & Hill (2007), "Data Analysis Using Regression and Multilevel/Hierarchical Models",
    chapters 12 and 13; Rue, Martino & Chopin (2009), Journal of the Royal Statistical Society B
    71(2); Held, Höhle & Hofmann (2005), Statistical Modelling 5(3), for the law of a unit.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> counts = np.random.default_rng(1).poisson([1.0, 2.0, 3.0, 4.0], (80, 4))
    >>> series = CountSeries.from_counts(counts, date(2024, 1, 1), "week", list("abcd"))
    >>> model = Panel(background=Background(harmonics=0), lags=2)
    >>> fit = model.fit(series)
    >>> model.forecast_new(fit, 8, np.random.default_rng(2)).names
    ('a new unit',)
    """

    kernel: Kernel = field(default_factory=Exponential)
    background: Background = field(default_factory=Background)
    distribution: str = "negative binomial"
    pooling: str = "partial"
    varying: tuple[str, ...] = ()
    spreads: tuple[float, float, float] = (1.0, 0.7, 0.7)
    lags: int = 12

    name = "panel"
    settles = "are level and season within reason"
    #: R has one block a unit and is zero elsewhere: it is asked for by unit.
    additive: ClassVar[bool] = False
    uneven: ClassVar[bool] = True

    def __post_init__(self) -> None:
        check_choice("distribution", self.distribution, DISTRIBUTIONS)
        check_choice("pooling", self.pooling, POOLINGS)
        check_varying(self.varying, self.background)
        if self.lags < 1:
            raise ValueError(f"lags must be at least 1, got {self.lags}")
        if not min(self.spreads) > 0:
            raise ValueError(f"spreads must be three positive numbers, got {self.spreads}")

    # What the specification declares -----------------------------------------------------------

    def effects(self, series: CountSeries) -> Effects:
        """What differs from unit to unit."""
        watch = Watch.of(series)
        return Effects(
            self.background, self.varying, self.distribution == DISTRIBUTIONS[0], self.pooling,
            self.spreads, len(watch.units), len(watch.kinds), series.window.days, series.period,
        )  # fmt: skip

    def parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """Mean, spread and deviations of each effect, shared terms, kernel, in this order."""
        return (*self.effects(series).parameters(), *self.kernel_parameters(series))

    @override
    def used(self, series: CountSeries) -> BoolArray:
        """Which periods (T,) the likelihood uses of at least one unit."""
        return np.asarray(self.used_by_unit(series).any(axis=1))

    def used_by_unit(self, series: CountSeries) -> BoolArray:
        """Which periods (T, U) of each unit the likelihood uses."""
        scale = Watch.of(series).scale
        return np.column_stack([after_watched(column, self.lags) for column in scale.T])

    # Fitting -----------------------------------------------------------------------------------

    def problem(self, series: CountSeries) -> Problem:
        """The likelihood of the periods that each unit's own watch allows."""
        from escalation.likelihood.panel import panel

        self._accepted(series)
        effects = self.effects(series)
        layout = Layout(self.parameters(series))
        own = self.kernel_size(series)
        structure = effects.places(layout)
        problem = Problem(
            layout=layout,
            core=panel,
            shape=self.kernel.lag_weights(),
            constants=self.kernel.lag_constants(self.lags),
            groups=np.arange(layout.size - own, layout.size)[None],
            data=self._data(series, series.counts.astype(float)),
            structure=structure,
            rates=self._unit_rates(series).ravel(),
            starts=self._starts(effects, layout, series),
            resample=lambda theta, rng: self._data(series, self._again(theta, series, rng)),
            rows=effects.rows(layout),
        )
        if self.pooling != "partial":
            return problem
        from escalation.counts.panel_fit import normal_law

        return replace(problem, normal=lambda: normal_law(problem))

    @override
    def fit(
        self, series: Any, engine: Engine | None = None, rng: np.random.Generator | None = None
    ) -> Fit:
        """Learn the parameters from a series.

        With partial pooling, maximum likelihood and Laplace integrate the units out.
        """
        from escalation.counts.panel_fit import fit_units

        engine = engine or MaximumLikelihood()
        if self.pooling != "partial" or engine.name not in (Laplace.name, MaximumLikelihood.name):
            return super().fit(series, engine, rng)
        with one_thread():
            return fit_units(self, series, engine, np.random.default_rng(0) if rng is None else rng)

    def _data(self, series: CountSeries, counts: FloatArray) -> dict[str, Any]:
        from escalation.likelihood.count_terms import count_tables

        watch = Watch.of(series)
        used = self.used_by_unit(series)
        kinds = len(watch.kinds)
        tables = [
            count_tables(counts[:, u * kinds : (u + 1) * kinds], used[:, u].astype(float))
            for u in range(len(watch.units))
        ]
        most = max(one["exceed"].shape[1] for one in tables)
        exceed = [np.pad(one["exceed"], ((0, 0), (0, most)))[:, :most] for one in tables]
        places = [np.flatnonzero(column) for column in used.T]
        span = [[at[0], at[-1] + 1] if at.size else [0, 0] for at in places]
        design = design_matrix(self.background, series, series.edges)
        return {
            "counts": np.ascontiguousarray(counts.T),
            "used": np.ascontiguousarray(used.T, float),
            "scale": np.ascontiguousarray(np.where(used, watch.scale, 1.0).T),
            "span": np.array(span, np.int64),
            "exceed": np.concatenate(exceed),
            "constant": np.sum([one["constant"] for one in tables], axis=0),
            "design": np.ascontiguousarray(design.T),
        }

    def _unit_rates(self, series: CountSeries) -> FloatArray:
        """Mean counts (U, S) of a watched period, half an incident added to each unit."""
        watch = Watch.of(series)
        used = self.used_by_unit(series)
        counts = series.counts.reshape(len(series), len(watch.units), -1)
        seen = (counts * used[:, :, None]).sum(axis=0) + 0.5
        return np.asarray(seen / ((watch.scale * used).sum(axis=0) + 1.0)[:, None])

    def _starts(
        self, effects: Effects, layout: Layout, series: CountSeries
    ) -> tuple[FloatArray, ...]:
        rate = np.log(self._unit_rates(series))
        out = []
        for own, delay in ((0.2, 1.0), (0.05, 3.0), (0.4, 0.5)):
            values: dict[str, FloatArray] = {p.name: np.zeros(p.shape) for p in layout.parameters}
            logit = np.full((effects.kinds, effects.kinds), np.log(0.02))
            np.fill_diagonal(logit, np.log(own / (1 - own)))
            level = rate + np.log(1 - own)
            wanted = {LEVEL: level, LOGIT: np.broadcast_to(logit, (effects.units, *logit.shape)),
                      LOG_DISPERSION: np.full_like(level, -0.7)}  # fmt: skip
            for one in effects.listed:
                each = wanted.get(one.name, np.zeros((effects.units, one.size)))
                each = each.reshape(effects.units, *one.shape)
                middle, spread = each.mean(axis=0), np.maximum(each.std(axis=0), 0.3)
                if self.pooling == "partial":
                    values[f"{one.name}_mean"] = middle
                    values[f"{one.name}_spread"] = spread
                    values[f"{one.name}_deviation"] = (each - middle) / spread
                else:
                    values[one.name] = middle if self.pooling == "complete" else each
            theta = layout.pack(values)
            theta[layout.size - self.kernel_size(series) :] = self.kernel.start(delay)
            out.append(theta)
        return tuple(out)

    # Answers -----------------------------------------------------------------------------------

    @override
    def means(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Expected counts (n, T, K) given the past, for draws theta (n, p); the estimate's if None.

        NaN where the likelihood leaves a period of a unit out. Of another series of the same
        units, as `pointwise` takes it, where given.
        """
        seen, rows = series or fit.series, vectors(fit, theta)
        effects, layout = self.effects(fit.series), Layout(fit.parameters)
        watch = Watch.of(seen)
        units = effects.of(layout, rows)
        shape = (len(rows), len(seen), effects.units, effects.kinds)
        past = lagged_past(seen.counts.astype(float), self.lag_draws(rows, fit.series))
        out = np.einsum("nusj,ntuj->ntus", effects.reproduction(units), past.reshape(shape))
        design = design_matrix(self.background, fit.series, seen.edges)
        coefficients = effects.coefficients(layout, rows, units)
        out += np.exp(np.minimum(np.einsum("tp,nusp->ntus", design, coefficients), 700.0))
        out *= watch.scale[:, :, None]
        out[:, ~self.used_by_unit(seen)] = np.nan
        return np.asarray(out.reshape(len(rows), len(seen), -1), float)

    @override
    def _dispersions(self, fit: Fit, theta: FloatArray) -> FloatArray | None:
        effects = self.effects(fit.series)
        psi = effects.dispersion(effects.of(Layout(fit.parameters), theta))
        return None if psi is None else psi.reshape(len(theta), -1)

    def units(self, fit: Fit) -> UnitEstimates:
        """Level, R and dispersion of each unit; `UnitEstimates.shrinkage` sets two fits abreast."""
        return units_of(self, fit)

    def population(
        self, fit: Fit, level: float = 0.9, rng: np.random.Generator | None = None
    ) -> pl.DataFrame:
        """What is typical, and how far units differ from it.

        Parameters
        ----------
        fit : Fit
        level : float
        rng : numpy.random.Generator, optional
            For the intervals of a new unit; seeded with 0 if not given.

        Returns
        -------
        polars.DataFrame
            A row a quantity: of the typical unit median (``typical``), ``lower``, ``upper``; of the
            standard deviation between units, on the scale of logs and log odds, ``spread`` and its
            interval; ``new_lower`` and ``new_upper``, the interval of a unit not yet watched.

        Raises
        ------
        ValueError
            Without partial pooling.
        """
        if self.pooling != "partial":
            raise ValueError(f"a population wants partial pooling, got {self.pooling!r}")
        return population_of(self, fit, level, np.random.default_rng(0) if rng is None else rng)

    @override
    def dynamics(self, fit: Fit, unit: str | None = None) -> Dynamics:
        """Reproduction, shares and responses of one unit; R counts offspring in later periods.

        Parameters
        ----------
        fit : Fit
        unit : str
            Whose; it may be left out where there is one alone.

        Raises
        ------
        ValueError
            For an unknown unit.
        """
        return dynamics_of_unit(self, fit, unit)

    def response(self, fit: Fit, stream: str, horizon: int = 12) -> Response:
        """What one more incident in a stream is followed by, in its unit.

        Parameters
        ----------
        fit : Fit
        stream : str
        horizon : int
            Periods.

        Raises
        ------
        ValueError
            For an unknown stream, or a horizon below one period.
        """
        series, theta = fit.series, fit.theta
        effects, kinds = self.effects(series), len(Watch.of(series).kinds)
        place = stream_place(series.names, stream)
        unit, kind = divmod(place, kinds)
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1 period, got {horizon}")
        matrix = effects.reproduction(effects.of(Layout(fit.parameters), theta)[:, unit])
        summed = count_responses(matrix, self.lag_draws(theta, series), horizon)[..., kind]
        more = np.diff(summed, axis=1, prepend=0.0)
        names = series.names[unit * kinds : (unit + 1) * kinds]
        return Response(more, names, stream, series.period)

    # Paths -------------------------------------------------------------------------------------

    @override
    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> Forecast:
        """Predictive draws, each unit with its own history.

        Periods of the recent past in which a unit was not watched throughout are simulated too.
        """
        paths = onward(self, pick(fit.theta, draws, rng), fit.series, horizon, rng)
        return Forecast.after(fit.series, paths, model=self.name)

    def forecast_new(
        self,
        fit: Fit,
        horizon: int,
        rng: np.random.Generator | None = None,
        draws: int = 1000,
        burn_in: int = 104,
    ) -> Forecast:
        """Predictive draws of a unit of which nothing was watched, from the population.

        Each draw has effects of its own from a draw of the population, and a past that is
        simulated over the last `burn_in` periods of the series.

        Parameters
        ----------
        fit : Fit
        horizon : int
            Periods after the series.
        rng : numpy.random.Generator, optional
            Seeded with 0 if not given.
        draws, burn_in : int

        Raises
        ------
        ValueError
            Without a population (no pooling), or for a horizon below one period.
        """
        if self.pooling == "none":
            raise ValueError("without pooling there is no population to draw a new unit from")
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1 period, got {horizon}")
        rng = np.random.default_rng(0) if rng is None else rng
        series = fit.series
        paths = of_new_unit(self, pick(fit.theta, draws, rng), series, horizon, rng, burn_in)
        kinds = Watch.of(series).kinds
        names = tuple(f"a new unit: {kind}" for kind in kinds)
        return Forecast(
            paths, future_edges(series, horizon),
            names if len(kinds) > 1 else ("a new unit",), series.window.end, self.name,
            np.zeros((0, len(kinds)), np.int64), series.edges[-1:],
            period=series.period,
        )  # fmt: skip

    @override
    def _begun(
        self, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
    ) -> FloatArray:
        return begun(self, theta, like, rng, burn_in)

    @override
    def _anew(self, theta: FloatArray, series: CountSeries, rng: np.random.Generator) -> FloatArray:
        return anew(self, theta, series, rng)
