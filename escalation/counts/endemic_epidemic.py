"""The endemic-epidemic model of counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import cached_property
from typing import Any, override

import numpy as np

from escalation.background import Background, coefficient_places
from escalation.counts.additive import Additive
from escalation.counts.answers import dynamics_of
from escalation.counts.component import Component, Neighbours
from escalation.counts.paths import CAP
from escalation.counts.periods import (
    DISPERSIONS,
    DISTRIBUTIONS,
    check_choice,
    check_counts,
    dispersion_places,
    dispersions,
    used_periods,
)
from escalation.counts.starts import starts
from escalation.counts.structure import Structure
from escalation.dynamics import Dynamics
from escalation.engines import NUTS, Laplace, MaximumLikelihood, Problem
from escalation.engines.base import Arrays, Engine
from escalation.fit import Fit, Model, pick
from escalation.forecast import Forecast, future_edges
from escalation.kernels import Exponential, Kernel
from escalation.parameters import BoolArray, FloatArray, Layout, Parameter
from escalation.series import CountSeries


@dataclass(frozen=True)
class EndemicEpidemic(Model):
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
        return (*self.structure.parameters(series), *self.kernel.parameters(series.period))

    def problem(self, series: CountSeries) -> Problem:
        """The likelihood of the periods after the first `lags`."""
        from escalation.likelihood.count_terms import count_tables

        check_counts(series, "EndemicEpidemic")
        used = self.used(series)
        if not used.any():
            raise ValueError(
                f"{len(series)} periods leave none to fit after {self.lags} lags and gaps"
            )
        layout = Layout(self.parameters(series), self.structure.joint)
        own = self._kernel_size(series)
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
        takes the one with the highest marginal likelihood, and the fit's model then states it;
        Laplace averages over scales; the sampler draws them.
        """
        from escalation.counts.random_scales import fit_averaged, fit_given, free_scales

        engine = engine or MaximumLikelihood()
        if engine.name == NUTS.name or not free_scales(self):
            return super().fit(series, engine, rng)
        rng = np.random.default_rng(0) if rng is None else rng
        if isinstance(engine, Laplace):
            return fit_averaged(self, series, engine, rng)
        return fit_given(self, series, engine, rng)

    def used(self, series: CountSeries) -> BoolArray:
        """Which periods (T,) the likelihood uses: watched, with `lags` fully watched before."""
        return used_periods(series, self.lags)

    def additive(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> Additive:
        """Background and reproduction by period, for draws theta (n, p); the estimate's if None.

        Of another series that begins like the fit's, where given.
        """
        seen = fit.series if series is None else series
        layout = Layout(fit.parameters)
        theta = layout.pack(fit.estimate)[None] if theta is None else theta
        return Additive.of(self.structure, layout, theta, fit.series, seen.edges)

    def simulate(
        self,
        values: Mapping[str, FloatArray],
        like: CountSeries,
        rng: np.random.Generator,
        burn_in: int = 104,
    ) -> CountSeries:
        """A series from known parameters, over the periods of another one.

        Parameters
        ----------
        values : dict of arrays
            By the names of `parameters`.
        like : CountSeries
            Gives the periods, names and gaps; its counts are not read.
        rng : numpy.random.Generator
        burn_in : int
            Periods simulated before the first one and thrown away.

        Raises
        ------
        ValueError
            If the path grows beyond a million incidents a period.
        """
        layout = Layout(self.parameters(like))
        theta = layout.pack(values)[None]
        additive = Additive.early(self.structure, layout, theta, like, burn_in)
        scale = np.concatenate([np.ones(burn_in), like.scale])
        history = np.zeros((1, self.lags, like.n_streams))
        counts = self._run(theta, like, history, additive, scale, rng)[0, burn_in:]
        if not np.isfinite(counts).all():
            raise ValueError("the simulated path grows without bound; is R's spectral radius < 1?")
        return replace(like, counts=counts.astype(np.int64), dropped="")

    def means(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Expected counts (n, T, K) given the past, for draws theta (n, p); the estimate's if None.

        NaN in the first `lags` periods. Of another series, as `pointwise` takes it, where given.
        """
        seen = fit.series if series is None else series
        layout = Layout(fit.parameters)
        theta = layout.pack(fit.estimate)[None] if theta is None else theta
        additive = self.additive(fit, theta, seen)
        own, cross = additive.moving.offspring(self.past(theta, seen))
        out: FloatArray = additive.background + own + cross
        out *= seen.scale[:, None]
        out[:, : self.lags] = np.nan
        return out

    def past(self, theta: FloatArray, series: CountSeries) -> FloatArray:
        """Lag-weighted counts (n, T, K) before each period, for draws theta (n, p)."""
        weights = self.lag_draws(theta, series)
        lagged = np.zeros((self.lags, *series.counts.shape))
        for lag in range(1, self.lags + 1):
            lagged[lag - 1, lag:] = series.counts[:-lag]
        return np.asarray(np.einsum("nl,ltk->ntk", weights, lagged), float)

    def lag_draws(self, theta: FloatArray, series: CountSeries) -> FloatArray:
        """Lag weights (n, L) of draws theta (n, p)."""
        kernel = theta[:, theta.shape[1] - self._kernel_size(series) :]
        return np.broadcast_to(self.kernel.pmf(kernel, self.lags), (len(theta), self.lags))

    @override
    def pointwise(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Log-likelihood (n, T, K) of each period and stream; (n, T, 1) with a shared shock."""
        from escalation.likelihood.pointwise import count_log_pmf

        seen = fit.series if series is None else series
        layout = Layout(fit.parameters)
        theta = layout.pack(fit.estimate)[None] if theta is None else theta
        mean = self.means(fit, theta, seen)
        mean[:, ~self.used(seen)] = np.nan
        psi = dispersions(layout, theta, seen.n_streams)
        if self.shared_shock:
            from escalation.likelihood.shared_shock import shocked_log_pmf

            shock = layout.unpack(theta)["shock"]
            found: FloatArray = shocked_log_pmf(seen.counts, mean, psi, shock)
            return found
        return count_log_pmf(seen.counts, mean, psi)

    def dynamics(self, fit: Fit) -> Dynamics:
        """Reproduction, shares, responses; R counts offspring in later periods only.

        Where R moves, it is its mean over the used periods of the last era.
        """
        return dynamics_of(self, fit)

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

    def replicate(self, fit: Fit, rng: np.random.Generator, draws: int = 100) -> FloatArray:
        """Series from draws of the parameters, the first `lags` periods as observed."""
        series = fit.series
        theta = pick(fit.theta, draws, rng)
        head = series.counts[: self.lags].astype(float)
        history = np.repeat(head[None], draws, axis=0)
        edges = series.edges[self.lags :]
        additive = Additive.of(self.structure, Layout(fit.parameters), theta, series, edges)
        paths = self._run(theta, series, history, additive, series.scale[self.lags :], rng)
        return np.concatenate([history, paths], axis=1)

    def _again(
        self, theta: FloatArray, series: CountSeries, rng: np.random.Generator
    ) -> FloatArray:
        head = series.counts[: self.lags].astype(float)
        layout = Layout(self.parameters(series))
        edges = series.edges[self.lags :]
        additive = Additive.of(self.structure, layout, theta[None], series, edges)
        scale = series.scale[self.lags :]
        paths = self._run(theta[None], series, head[None], additive, scale, rng)[0]
        # A bootstrap path that ran away is cut off: its refit is then a large, finite estimate.
        return np.concatenate([head, np.where(np.isfinite(paths), paths, CAP)])

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
        weights = self.lag_draws(theta, series)
        psi = dispersions(layout, theta, series.n_streams)
        shock = layout.unpack(theta)["shock"][:, None] if self.shared_shock else None
        horizon = len(scale)
        path = np.concatenate([history, np.zeros((len(theta), horizon, series.n_streams))], axis=1)
        gone = np.zeros(len(theta), bool)
        for h in range(horizon):
            window = np.where(gone[:, None, None], 0.0, path[:, h : h + self.lags][:, ::-1])
            mean = additive.step(h, np.einsum("nl,nlj->nj", weights, window))
            mean *= scale[h]
            gone |= (mean > CAP).any(axis=1)
            mean[gone] = 0.0
            for spread in (shock, psi):
                if spread is not None:
                    shape = 1 / np.maximum(spread, 1e-9)
                    mean = mean * rng.gamma(shape) / shape
            path[:, self.lags + h] = rng.poisson(mean)
            path[gone, self.lags + h] = np.inf
        return path[:, self.lags :]

    def _kernel_size(self, series: CountSeries) -> int:
        return sum(p.size for p in self.kernel.parameters(series.period))

    def _rates(self, series: CountSeries, used: BoolArray) -> FloatArray:
        mean: FloatArray = series.counts[used].sum(axis=0) / series.scale[used].sum()
        return np.maximum(mean, 2e-3)
