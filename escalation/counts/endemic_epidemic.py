"""The endemic-epidemic model of counts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import override

import numpy as np
from numpy.typing import NDArray

from escalation.background import Background, coefficient_places
from escalation.dynamics import (
    STABLE,
    Dynamics,
    arrow_mask,
    count_responses,
    reproduction_parameter,
)
from escalation.engines import Problem
from escalation.fit import Fit, Model, pick
from escalation.forecast import Forecast, future_edges
from escalation.kernels import Exponential, Kernel
from escalation.parameters import BoolArray, FloatArray, HalfNormal, Layout, Parameter
from escalation.series import CountSeries
from escalation.window import PERIOD_DAYS, DateArray

DISTRIBUTIONS = ("negative binomial", "poisson")
DISPERSIONS = ("stream", "shared")
#: A path is stopped where a period's expected count exceeds this.
CAP = 1e6
#: Periods that responses reach.
REACH = 26


@dataclass(frozen=True)
class EndemicEpidemic(Model):
    r"""Counts with a background and with what earlier counts set off.

    .. math::
        y_{tk} \mid \text{past} \sim \mathrm{NB}(\mu_{tk},\ \mathrm{var} = \mu_{tk}
        (1 + \psi_k\mu_{tk})), \qquad
        \mu_{tk} = e_t \Big\{ b_k(t) + \sum_j R_{kj} \sum_{l=1}^{L} w_l\, y_{t-l,j} \Big\}

    :math:`e_t` is the exposure of the period (1 where it was watched throughout), :math:`b_k` the
    background, evaluated at the period's start, :math:`w` the kernel's lag weights, which sum to
    one. R counts offspring in *later* periods only. The first L periods are conditioned on, and
    so is every period whose past L periods were not watched throughout.

    Attributes
    ----------
    kernel : Kernel
        `OneLag` for plain autoregression, or any kernel with a `pmf`; its time runs in periods.
    background : Background
    distribution : {"negative binomial", "poisson"}
    dispersion : {"stream", "shared"}
        One :math:`\psi` a stream, or one for all.
    arrows : tuple of tuples of bool, optional
        ``arrows[k][j]`` is false where stream j is not followed by more of k. None: all allowed.
    lags : int
        L.

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

    name = "endemic-epidemic"

    def __post_init__(self) -> None:
        if self.distribution not in DISTRIBUTIONS:
            wanted = ", ".join(DISTRIBUTIONS)
            raise ValueError(f"distribution must be one of {wanted}, got {self.distribution!r}")
        if self.dispersion not in DISPERSIONS:
            wanted = ", ".join(DISPERSIONS)
            raise ValueError(f"dispersion must be one of {wanted}, got {self.dispersion!r}")
        if self.lags < 1:
            raise ValueError(f"lags must be at least 1, got {self.lags}")

    def parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """Background, reproduction, dispersion, kernel, in this order."""
        streams = series.n_streams
        out = [
            *self.background.parameters(
                streams, series.window.days, f"incidents per {series.period}"
            ),
            reproduction_parameter(
                arrow_mask(self.arrows, streams), f"offspring in later {series.period}s"
            ),
        ]
        if self.distribution == "negative binomial":
            shared = self.dispersion == "shared"
            shape, dims = ((), ()) if shared else ((streams,), ("stream",))
            out.append(
                Parameter(
                    "dispersion", shape, "nonnegative", HalfNormal(1.0),
                    "overdispersion: the variance is mean (1 + dispersion × mean)", "", dims,
                )
            )  # fmt: skip
        return (*out, *self.kernel.parameters(series.period))

    def problem(self, series: CountSeries) -> Problem:
        """The likelihood of the periods after the first `lags`."""
        from escalation.likelihood.count_terms import count_tables
        from escalation.likelihood.endemic_epidemic import endemic_epidemic

        if not isinstance(series, CountSeries):
            raise ValueError(
                f"EndemicEpidemic needs a CountSeries, got {type(series).__name__}; "
                "call .counts(period) on an EventSeries"
            )
        used = self.used(series)
        if not used.any():
            raise ValueError(
                f"{len(series)} periods leave none to fit after {self.lags} lags and gaps"
            )
        layout = Layout(self.parameters(series), STABLE)
        own = sum(p.size for p in self.kernel.parameters(series.period))
        weight = used.astype(float)
        fixed = {"used": weight, "scale": np.where(used, series.scale, 1.0)}
        design = {"design": np.ascontiguousarray(self._design(series, series.edges).T)}

        def data(counts: FloatArray) -> dict[str, FloatArray]:
            rows = {"counts": np.ascontiguousarray(counts.T)}
            return rows | fixed | count_tables(counts, weight) | design

        return Problem(
            layout=layout,
            core=endemic_epidemic,
            shape=self.kernel.lag_weights(),
            constants=self.kernel.lag_constants(self.lags),
            groups=np.arange(layout.size - own, layout.size)[None],
            data=data(series.counts.astype(float)),
            structure=(
                coefficient_places(layout, series.n_streams),
                self._place(layout, series.n_streams),
            ),
            rates=self._rates(series, used),
            starts=self._starts(layout, series, used),
            resample=lambda theta, rng: data(self._again(theta, series, rng)),
            rows=layout.rows(series.n_streams),
        )

    def used(self, series: CountSeries) -> BoolArray:
        """Which periods (T,) the likelihood uses: watched, with `lags` fully watched before."""
        scale = series.scale
        whole = np.concatenate([[0], np.cumsum(scale >= 1 - 1e-9)])
        out = np.zeros(len(series), bool)
        complete = whole[self.lags :] - whole[: -self.lags] == self.lags
        out[self.lags :] = complete[: len(series) - self.lags]
        return out & (scale > 0)

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
        theta = Layout(self.parameters(like)).pack(values)[None]
        early = like.edges[0] + np.arange(-burn_in, 0) * np.timedelta64(
            round(PERIOD_DAYS[like.period]), "D"
        )
        if self.background.covariates is None:
            design = self._design(like, np.concatenate([early, like.edges]))
        else:
            # Nothing is known of covariates before the window: the first period's hold.
            design = self._design(like, like.edges)
            design = np.concatenate([np.repeat(design[:1], burn_in, axis=0), design])
        scale = np.concatenate([np.ones(burn_in), like.scale])
        history = np.zeros((1, self.lags, like.n_streams))
        counts = self._run(theta, like, history, design, scale, rng)[0, burn_in:]
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
        background, past = self._parts(layout, theta, fit.series, seen)
        reproduction = layout.unpack(theta)["reproduction"]
        out: FloatArray = background + np.einsum("nkj,ntj->ntk", reproduction, past)
        out *= seen.scale[:, None]
        out[:, : self.lags] = np.nan
        return out

    @override
    def pointwise(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        from escalation.likelihood.pointwise import count_log_pmf

        seen = fit.series if series is None else series
        layout = Layout(fit.parameters)
        theta = layout.pack(fit.estimate)[None] if theta is None else theta
        mean = self.means(fit, theta, seen)
        mean[:, ~self.used(seen)] = np.nan
        psi = self._psi(layout.unpack(theta), seen.n_streams)
        return count_log_pmf(seen.counts, mean, psi)

    def dynamics(self, fit: Fit) -> Dynamics:
        """Reproduction, shares, responses; R counts offspring in later periods only."""
        series, layout = fit.series, Layout(fit.parameters)
        reproduction = fit.draws["reproduction"]
        used = self.used(series)
        shares = np.empty((len(reproduction), series.n_streams, 3))
        scale = series.scale[used]
        for rows in np.array_split(np.arange(len(reproduction)), len(reproduction) // 200 + 1):
            background, past = self._parts(layout, fit.theta[rows], series, series)
            base = np.einsum("ntk,t->nk", background[:, used], scale)
            reach = np.einsum("ntj,t->nj", past[:, used], scale)
            by_source = reproduction[rows] * reach[:, None, :]
            own = np.einsum("nkk->nk", by_source)
            shares[rows] = np.stack([base, own, by_source.sum(axis=2) - own], axis=2)
        shares /= shares.sum(axis=2, keepdims=True)
        kernel = self._kernel_draws(fit)
        weights = np.broadcast_to(self.kernel.pmf(kernel, self.lags), (len(kernel), self.lags))
        days = PERIOD_DAYS[series.period]
        whole = self.kernel.within(float(len(series.counts)))
        median = 1 + (np.cumsum(weights, axis=1) < 0.5 - 1e-12).sum(axis=1)
        return Dynamics(
            reproduction=np.array(reproduction),
            shares=shares,
            responses=count_responses(reproduction, weights, REACH),
            response_days=days * np.arange(1.0, REACH + 1),
            names=series.names,
            unit=f"offspring in later {series.period}s",
            arrows=arrow_mask(self.arrows, series.n_streams),
            delay_median=days * median.astype(float),
            same_period=np.broadcast_to(whole.same_period(kernel), (len(kernel),)).copy(),
        )

    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> Forecast:
        """Predictive draws; an unwatched period of the recent past counts as empty."""
        series = fit.series
        edges = future_edges(series, horizon)
        theta = pick(fit.theta, draws, rng)
        history = np.repeat(series.counts[-self.lags :].astype(float)[None], draws, axis=0)
        design = self._design(series, edges)
        paths = self._run(theta, series, history, design, np.ones(horizon), rng)
        return Forecast.after(series, paths, model=self.name)

    def replicate(self, fit: Fit, rng: np.random.Generator, draws: int = 100) -> FloatArray:
        """Series from draws of the parameters, the first `lags` periods as observed."""
        series = fit.series
        theta = pick(fit.theta, draws, rng)
        head = series.counts[: self.lags].astype(float)
        history = np.repeat(head[None], draws, axis=0)
        design = self._design(series, series.edges[self.lags :])
        paths = self._run(theta, series, history, design, series.scale[self.lags :], rng)
        return np.concatenate([history, paths], axis=1)

    def _again(
        self, theta: FloatArray, series: CountSeries, rng: np.random.Generator
    ) -> FloatArray:
        head = series.counts[: self.lags].astype(float)
        design = self._design(series, series.edges[self.lags :])
        scale = series.scale[self.lags :]
        paths = self._run(theta[None], series, head[None], design, scale, rng)[0]
        # A bootstrap path that ran away is cut off: its refit is then a large, finite estimate.
        return np.concatenate([head, np.where(np.isfinite(paths), paths, CAP)])

    def _run(
        self,
        theta: FloatArray,
        series: CountSeries,
        history: FloatArray,
        design: FloatArray,
        scale: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Paths (n, H, K) from draws theta (n, p) after a history (n, L, K); inf beyond the cap."""
        layout = Layout(self.parameters(series))
        values = layout.unpack(theta)
        background = self._background(layout, theta, series.n_streams, design)
        kernel = theta[:, theta.shape[1] - self._kernel_size(series) :]
        weights = np.broadcast_to(self.kernel.pmf(kernel, self.lags), (len(theta), self.lags))
        psi = self._psi(values, series.n_streams)
        horizon = len(design)
        path = np.concatenate([history, np.zeros((len(theta), horizon, series.n_streams))], axis=1)
        gone = np.zeros(len(theta), bool)
        for h in range(horizon):
            window = np.where(gone[:, None, None], 0.0, path[:, h : h + self.lags][:, ::-1])
            past = np.einsum("nl,nlj->nj", weights, window)
            mean = background[:, h] + np.einsum("nkj,nj->nk", values["reproduction"], past)
            mean *= scale[h]
            gone |= (mean > CAP).any(axis=1)
            mean[gone] = 0.0
            if psi is not None:
                shape = 1 / np.maximum(psi, 1e-9)
                mean = mean * rng.gamma(shape) / shape
            path[:, self.lags + h] = rng.poisson(mean)
            path[gone, self.lags + h] = np.inf
        return path[:, self.lags :]

    def _parts(
        self, layout: Layout, theta: FloatArray, fitted: CountSeries, series: CountSeries
    ) -> tuple[FloatArray, FloatArray]:
        """Background, with the fitted window's zero, and lag-weighted past, both (n, T, K)."""
        design = self._design(fitted, series.edges)
        background = self._background(layout, theta, series.n_streams, design)
        kernel = theta[:, theta.shape[1] - self._kernel_size(series) :]
        weights = np.broadcast_to(self.kernel.pmf(kernel, self.lags), (len(theta), self.lags))
        lagged = np.zeros((self.lags, *series.counts.shape))
        for lag in range(1, self.lags + 1):
            lagged[lag - 1, lag:] = series.counts[:-lag]
        return background, np.einsum("nl,ltk->ntk", weights, lagged)

    def _background(
        self, layout: Layout, theta: FloatArray, streams: int, design: FloatArray
    ) -> FloatArray:
        """Background (n, T, K) of draws theta (n, p)."""
        coefficients = theta[:, coefficient_places(layout, streams)]
        return np.asarray(np.exp(np.einsum("tp,nkp->ntk", design, coefficients)), float)

    def _design(self, series: CountSeries, days: DateArray) -> FloatArray:
        """Design matrix of the periods between days (T + 1,)."""
        times = (days - series.edges[0]).astype(np.float64)
        span, start = series.window.days, series.window.start
        return self.background.design(times[:-1], span, start, times[1:])

    def _place(self, layout: Layout, streams: int) -> NDArray[np.int64]:
        out = np.zeros(2 + streams, np.int64)
        out[0] = layout.start("reproduction")
        if self.distribution == "negative binomial":
            first, shared = layout.start("dispersion"), self.dispersion == "shared"
            out[1] = 1 if shared else streams
            out[2:] = first + (0 if shared else np.arange(streams))
        return out

    def _psi(self, values: Mapping[str, FloatArray], streams: int) -> FloatArray | None:
        if self.distribution == "poisson":
            return None
        psi = values["dispersion"]
        return np.broadcast_to(psi.reshape(len(psi), -1), (len(psi), streams))

    def _kernel_size(self, series: CountSeries) -> int:
        return sum(p.size for p in self.kernel.parameters(series.period))

    def _kernel_draws(self, fit: Fit) -> FloatArray:
        theta = fit.theta
        return theta[:, theta.shape[1] - self._kernel_size(fit.series) :]

    def _rates(self, series: CountSeries, used: BoolArray) -> FloatArray:
        mean: FloatArray = series.counts[used].sum(axis=0) / series.scale[used].sum()
        return np.maximum(mean, 2e-3)

    def _starts(
        self, layout: Layout, series: CountSeries, used: BoolArray
    ) -> tuple[FloatArray, ...]:
        mean = self._rates(series, used)
        mask = arrow_mask(self.arrows, series.n_streams)
        out = []
        for share, own, cross, decay in ((0.6, 0.3, 0.02, 0.7), (0.9, 0.05, 0.01, 1.5),
                                         (0.3, 0.6, 0.02, 0.3)):  # fmt: skip
            values: dict[str, FloatArray] = {}
            for p in layout.parameters:
                values[p.name] = np.full(p.shape, decay if p.support == "positive" else 0.0)
            values["level"] = np.log(share * mean)
            values["reproduction"] = np.where(
                mask, cross + (own - cross) * np.eye(series.n_streams), 0.0
            )
            if "dispersion" in values:
                values["dispersion"] = np.full_like(values["dispersion"], 0.3)
            out.append(layout.pack(values))
        return tuple(out)
