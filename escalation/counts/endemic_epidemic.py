"""The endemic-epidemic model of counts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import Any, override

import numpy as np

from escalation.background import Background, coefficient_places
from escalation.counts.additive import Additive, additive_paths
from escalation.counts.answers import dynamics_of
from escalation.counts.component import Component, Neighbours
from escalation.counts.model import LaggedModel
from escalation.counts.periods import (
    DISPERSIONS,
    DISTRIBUTIONS,
    check_choice,
    dispersion_places,
    dispersions,
    lagged_past,
    vectors,
)
from escalation.counts.starts import starts
from escalation.counts.structure import Structure
from escalation.dynamics import Dynamics
from escalation.engines import MaximumLikelihood, Problem
from escalation.engines.base import Arrays, Engine
from escalation.fit import Fit, pick
from escalation.forecast import Forecast, future_edges
from escalation.kernels import Exponential, Kernel
from escalation.parameters import BoolArray, FloatArray, Layout, Parameter
from escalation.series import CountSeries


@dataclass(frozen=True)
class EndemicEpidemic(LaggedModel):
    r"""Counts with a background and with what earlier counts set off.

    .. math::
        y_{tk} \mid \text{past} \sim \mathrm{NB}(\mu_{tk},\ \mathrm{var} = \mu_{tk}
        (1 + \psi_k\mu_{tk})), \qquad
        \mu_{tk} = e_t \Big\{ b_k(t) + \sum_j R_{kj}(t) \sum_{l=1}^{L} w_l\, y_{t-l,j} \Big\}

    :math:`e_t` is the exposure of the period (1 where it was watched throughout), :math:`b_k` the
    background, evaluated at the period's start, :math:`w` the kernel's lag weights, which sum to
    one. R counts offspring in *later* periods only. The first L periods are conditioned on, and
    so is every period whose past L periods were not watched throughout.

    R is one matrix unless `own` or `cross` make it move with the receiving period t, `eras` give
    one to each stretch of time, or `neighbours` say how it depends on distance.

    Attributes
    ----------
    kernel : Kernel
        `OneLag` for plain autoregression, or any kernel with a `pmf`; its time runs in periods.
    background : Background or Component
        A `Component` adds shared coefficients, offsets, and random levels.
    distribution : {"negative binomial", "poisson"}
    dispersion : {"stream", "shared"}
        One :math:`\psi` a stream, or one for all.
    arrows : tuple of tuples of bool, optional
        ``arrows[k][j]`` is false where stream j is not followed by more of k. None: all allowed.
    lags : int
        L.
    own, cross : Component, optional
        Factors of the diagonal and of the rest of each row of R, by period. With neighbours they
        say the whole logarithm of R, level included.
    neighbours : Neighbours, optional
        Weights of other streams by their neighbourhood order, in place of a free matrix.
    eras : tuple of date
        Days from which R is another one; a period belongs to the era of its first day.
    shared_shock : bool
        The means of all streams in a period are multiplied by one gamma variable with mean one.

    References
    ----------
    Held, Höhle & Hofmann (2005), Statistical Modelling 5(3); Meyer, Held & Höhle (2017), Journal
    of Statistical Software 77(11), section 5; Bracher & Held (2022), International Journal of
    Forecasting 38(3), for several lags.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> counts = np.random.default_rng(1).poisson(3.0, 60)
    >>> series = CountSeries.from_counts(counts, date(2024, 1, 1), "week", ["attacks"])
    >>> fit = EndemicEpidemic(background=Background(harmonics=0)).fit(series)
    >>> fit.dynamics().names
    ('attacks',)
    """

    kernel: Kernel = field(default_factory=Exponential)
    background: Background = field(default_factory=Background)
    distribution: str = "negative binomial"
    dispersion: str = "stream"
    arrows: tuple[tuple[bool, ...], ...] | None = None
    lags: int = 12
    own: Component | None = None
    cross: Component | None = None
    neighbours: Neighbours | None = None
    eras: tuple[date, ...] = ()
    shared_shock: bool = False

    name = "endemic-epidemic"
    settles = "is R's spectral radius < 1"

    def __post_init__(self) -> None:
        check_choice("distribution", self.distribution, DISTRIBUTIONS)
        check_choice("dispersion", self.dispersion, DISPERSIONS)
        if self.lags < 1:
            raise ValueError(f"lags must be at least 1, got {self.lags}")
        if tuple(sorted(set(self.eras))) != tuple(self.eras):
            raise ValueError("eras must be different dates in order")
        if self.neighbours is not None and (self.arrows is not None or self.eras):
            raise ValueError(
                "with neighbours there are neither arrows nor eras: give weights of zero, and "
                "interventions to own and cross"
            )
        if self.neighbours is None:
            for name, one in (("own", self.own), ("cross", self.cross)):
                if one is not None and one.intercepts is not None:
                    raise ValueError(f"random intercepts of {name} want neighbours: R is free here")

    @cached_property
    def structure(self) -> Structure:
        """What the model is made of, apart from kernel and lags."""
        return Structure(
            self.background, self.own, self.cross, self.neighbours, self.arrows, self.eras,
            self.distribution, self.dispersion, self.shared_shock,
        )  # fmt: skip

    def mask(self, streams: int) -> BoolArray:
        """Which entries (K, K) of R are allowed."""
        return self.structure.mask(streams)

    def parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """Background, own, reproduction, cross, dispersion, shock, kernel, in this order."""
        return (*self.structure.parameters(series), *self.kernel_parameters(series))

    def problem(self, series: CountSeries) -> Problem:
        """The likelihood of the periods after the first `lags`."""
        from escalation.likelihood.count_terms import count_tables

        used = self._accepted(series)
        layout = Layout(self.parameters(series), self.structure.joint)
        own = self.kernel_size(series)
        weight = used.astype(float)
        core, tail, structure = self._likelihood(layout, series)
        together = not self.structure.simple

        def data(counts: FloatArray) -> dict[str, FloatArray]:
            # The last row of the general table is that of the streams' sum.
            seen = np.column_stack([counts, counts.sum(axis=1)]) if together else counts
            tables = count_tables(seen, weight)
            if together:
                tables["constant"] = count_tables(counts, weight)["constant"]
            return {
                "counts": np.ascontiguousarray(counts.T),
                "used": weight,
                "scale": np.where(used, series.scale, 1.0),
                **tables,
                **tail,
            }

        rows = layout.rows(series.n_streams)
        return Problem(
            layout=layout,
            core=core,
            shape=self.kernel.lag_weights(),
            constants=self.kernel.lag_constants(self.lags),
            groups=np.arange(layout.size - own, layout.size)[None],
            data=data(series.counts.astype(float)),
            structure=structure,
            rates=self._rates(series, used),
            starts=starts(self.structure, layout, series, self._rates(series, used)),
            resample=lambda theta, rng: data(self._again(theta, series, rng)),
            rows=np.full_like(rows, -1) if self.shared_shock else rows,
        )

    def _likelihood(
        self, layout: Layout, series: CountSeries
    ) -> tuple[Callable[..., tuple[float, FloatArray, FloatArray]], dict[str, Any], Arrays]:
        """Compiled likelihood, its data beside the counts, and its structure."""
        if self.shared_shock:
            from escalation.likelihood.endemic_epidemic_shock import endemic_epidemic_shock

            return endemic_epidemic_shock, *self.structure.arrays(layout, series)
        if not self.structure.simple:
            from escalation.likelihood.endemic_epidemic_terms import endemic_epidemic_terms

            return endemic_epidemic_terms, *self.structure.arrays(layout, series)
        from escalation.likelihood.endemic_epidemic import endemic_epidemic

        streams = series.n_streams
        places = [layout.start("reproduction"), *dispersion_places(layout, streams)]
        design = self.structure.predictors[0].design(series, series.edges)[0]
        return (
            endemic_epidemic,
            {"design": np.ascontiguousarray(design)},
            (coefficient_places(layout, streams), np.array(places, np.int64)),
        )

    @override
    def fit(
        self, series: Any, engine: Engine | None = None, rng: np.random.Generator | None = None
    ) -> Fit:
        """Learn the parameters from a series.

        Where a random walk or random intercepts leave their scale to the data, maximum likelihood
        takes the one with the highest marginal likelihood, and the fit's model then states it.
        Laplace averages over scales, and integrates random terms of the background out beside R;
        the sampler draws them.
        """
        from escalation.counts.random_scales import fit_by

        return fit_by(super().fit, self, series, engine or MaximumLikelihood(), rng)

    def additive(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> Additive:
        """Background and reproduction by period, for draws theta (n, p); the estimate's if None.

        Of another series that begins like the fit's, where given.
        """
        seen, theta = series or fit.series, vectors(fit, theta)
        return Additive.of(self.structure, Layout(fit.parameters), theta, fit.series, seen.edges)

    @override
    def means(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Expected counts (n, T, K) given the past, for draws theta (n, p); the estimate's if None.

        NaN in the first `lags` periods. Of another series, as `pointwise` takes it, where given.
        """
        seen, theta = series or fit.series, vectors(fit, theta)
        additive = self.additive(fit, theta, seen)
        own, cross = additive.moving.offspring(self.past(theta, seen))
        out: FloatArray = additive.background + own + cross
        out *= seen.scale[:, None]
        out[:, : self.lags] = np.nan
        return out

    def past(self, theta: FloatArray, series: CountSeries) -> FloatArray:
        """Lag-weighted counts (n, T, K) before each period, for draws theta (n, p)."""
        return lagged_past(series.counts.astype(float), self.lag_draws(theta, series))

    @override
    def variances(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Variances (n, T, K) of the counts given the past, a shared shock included."""
        found = super().variances(fit, theta, series)
        if not self.shared_shock:
            return found
        rows = vectors(fit, theta)
        mean = self.means(fit, rows, series)
        shock = Layout(fit.parameters).unpack(rows)["shock"][:, None, None]
        return np.asarray(found + shock * (mean**2 + found - mean), float)

    @override
    def pointwise(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Log-likelihood (n, T, K) of each period and stream; (n, T, 1) with a shared shock."""
        if not self.shared_shock:
            return super().pointwise(fit, theta, series)
        from escalation.likelihood.shared_shock import shocked_log_pmf

        seen, rows, layout = series or fit.series, vectors(fit, theta), Layout(fit.parameters)
        mean = self.means(fit, rows, seen)
        mean[:, ~self.used(seen)] = np.nan
        psi = dispersions(layout, rows, seen.n_streams)
        found: FloatArray = shocked_log_pmf(seen.counts, mean, psi, layout.unpack(rows)["shock"])
        return found

    def dynamics(self, fit: Fit) -> Dynamics:
        """Reproduction, shares, responses; R counts offspring in later periods only.

        Where R moves, it is its mean over the used periods of the last era.
        """
        return dynamics_of(self, fit, lambda theta: self.additive(fit, theta))

    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> Forecast:
        """Predictive draws; an unwatched period of the recent past counts as empty."""
        series = fit.series
        edges = future_edges(series, horizon)
        theta = pick(fit.theta, draws, rng)
        history = np.repeat(series.counts[-self.lags :].astype(float)[None], draws, axis=0)
        additive = Additive.of(self.structure, Layout(fit.parameters), theta, series, edges)
        additive = additive.walked_on(self.structure, Layout(fit.parameters), theta, series, rng)
        paths = self._run(theta, series, history, additive, np.ones(horizon), rng)
        return Forecast.after(series, paths, model=self.name)

    @override
    def _begun(
        self, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
    ) -> FloatArray:
        layout = Layout(self.parameters(like))
        additive = Additive.early(self.structure, layout, theta, like, burn_in)
        scale = np.concatenate([np.ones(burn_in), like.scale])
        history = np.zeros((1, self.lags, like.n_streams))
        return self._run(theta, like, history, additive, scale, rng)[:, burn_in:]

    @override
    def _anew(self, theta: FloatArray, series: CountSeries, rng: np.random.Generator) -> FloatArray:
        head = series.counts[: self.lags].astype(float)
        history = np.repeat(head[None], len(theta), axis=0)
        layout, edges = Layout(self.parameters(series)), series.edges[self.lags :]
        additive = Additive.of(self.structure, layout, theta, series, edges)
        paths = self._run(theta, series, history, additive, series.scale[self.lags :], rng)
        return np.concatenate([history, paths], axis=1)

    def _run(
        self,
        theta: FloatArray,
        series: CountSeries,
        history: FloatArray,
        additive: Additive,
        scale: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Paths (n, H, K) from draws theta (n, p) after a history (n, L, K); inf beyond the cap."""
        layout = Layout(self.parameters(series))
        shock = layout.unpack(theta)["shock"][:, None] if self.shared_shock else None
        spreads = (shock, dispersions(layout, theta, series.n_streams))
        weights = self.lag_draws(theta, series)
        return additive_paths(additive, weights, spreads, history, scale, rng)
