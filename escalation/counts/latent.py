"""Counts whose level moves on a latent path, alone or with contagion."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, override

import numpy as np

from escalation.background import Background, coefficient_places
from escalation.counts.additive import Additive, additive_paths
from escalation.counts.answers import dynamics_of
from escalation.counts.latent_choice import free_of, path_parameters, process_of
from escalation.counts.latent_path import LatentPath
from escalation.counts.latent_process import Process
from escalation.counts.latent_rates import (
    latent_parts,
    latent_starts,
    log_factors,
    log_levels,
    period_times,
    still,
)
from escalation.counts.latent_settings import Autoregression, PathSetting
from escalation.counts.model import LaggedModel, refuse_dynamics
from escalation.counts.periods import (
    DISPERSIONS,
    DISTRIBUTIONS,
    check_choice,
    design_matrix,
    dispersion_parameter,
    dispersion_places,
    dispersions,
    early_edges,
    lagged_past,
    vectors,
)
from escalation.counts.random_scales import FreeScale
from escalation.counts.response import Response
from escalation.dynamics import (
    STABLE,
    Dynamics,
    arrow_mask,
    count_responses,
    reproduction_parameter,
)
from escalation.engines import MaximumLikelihood, Problem
from escalation.engines.base import Engine
from escalation.fit import Fit, pick
from escalation.forecast import Forecast, future_edges
from escalation.kernels import Exponential, Kernel, OneLag
from escalation.parameters import BoolArray, FloatArray, Layout, Parameter
from escalation.series import CountSeries, stream_place

#: Seed of the paths after the fitted window, where another series reaches beyond it.
BEYOND = 20


@dataclass(frozen=True)
class Latent(LaggedModel):
    r"""Counts whose log-rate follows a process that nobody sees.

    .. math::
        y_{tk} \mid \text{past}, f \sim \mathrm{NB}(\mu_{tk},\ \mathrm{var} = \mu_{tk}
        (1 + \psi_k\mu_{tk})), \qquad
        \mu_{tk} = e_t \Big\{ b_k(t)\,e^{f_{tk}} + \sum_j R_{kj} \sum_{l=1}^{L} w_l\, y_{t-l,j}
        \Big\}

    The path :math:`f_k` is a random walk, a stationary autoregression or a Gaussian process, one
    a stream, with one scale (and persistence or length) for all. Its innovations are parameters
    with a standard normal prior, so that draws hold whole paths. :math:`b_k` is the background.
    Without `contagion` there is no R, no period is conditioned on, and the past counts only through
    what it says of the path. With it, R counts offspring in later periods only, and the first L
    periods are conditioned on, as in `EndemicEpidemic`.

    Forecasts simulate the process on from the posterior of its last state.

    Attributes
    ----------
    path : RandomWalk, Autoregression or GaussianProcess
    contagion : bool
        Whether earlier counts add to the mean.
    kernel : Kernel
        Of the contagion.
    background : Background
        Level and season; a trend would say the same as the path.
    distribution : {"negative binomial", "poisson"}
    dispersion : {"stream", "shared"}
        One :math:`\psi` a stream, or one for all.
    arrows : tuple of tuples of bool, optional
        ``arrows[k][j]`` is false where stream j is not followed by more of k. None: all allowed.
    lags : int
        L.

    References
    ----------
    Zeger (1988), Biometrika 75(4), for the latent process; Durbin & Koopman (2012), Time Series
    Analysis by State Space Methods, chapter 9; `GaussianProcess` for the approximation by waves.

    Examples
    --------
    >>> from datetime import date
    >>> counts = np.random.default_rng(1).poisson(3.0, 60)
    >>> series = CountSeries.from_counts(counts, date(2024, 1, 1), "week", ["attacks"])
    >>> walk = Autoregression(scale=0.3, persistence=0.8)
    >>> fit = Latent(walk, background=Background(harmonics=0)).fit(series)
    >>> fit.model.latent_path(fit).table().columns[:3]
    ['start', 'stream', 'factor']
    """

    path: PathSetting = field(default_factory=Autoregression)
    contagion: bool = False
    kernel: Kernel = field(default_factory=Exponential)
    background: Background = field(default_factory=Background)
    distribution: str = "negative binomial"
    dispersion: str = "stream"
    arrows: tuple[tuple[bool, ...], ...] | None = None
    lags: int = 12

    name = "latent"
    settles = "is R's spectral radius < 1"

    def __post_init__(self) -> None:
        check_choice("distribution", self.distribution, DISTRIBUTIONS)
        check_choice("dispersion", self.dispersion, DISPERSIONS)
        process_of(self.path, 1.0)
        if self.lags < 1:
            raise ValueError(f"lags must be at least 1, got {self.lags}")
        if self.arrows is not None and not self.contagion:
            raise ValueError("arrows are those of the contagion: say contagion=True")

    # What the specification declares -----------------------------------------------------------

    @property
    @override
    def reach(self) -> int:
        """Number of earlier periods that a period depends on: `lags`, 0 without contagion."""
        return self.lags if self.contagion else 0

    @property
    def additive(self) -> bool:
        """Whether earlier incidents add to the mean: there is an R then."""
        return self.contagion

    def process(self, series: CountSeries) -> Process:
        """The process of the path over a series' window."""
        return process_of(self.path, series.window.days)

    def mask(self, streams: int) -> BoolArray:
        """Which entries (K, K) of R are allowed; none without contagion."""
        return arrow_mask(self.arrows, streams) & self.contagion

    def parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """Background, path, reproduction, dispersion, kernel, in this order."""
        streams = series.n_streams
        unit = f"incidents per {series.period}"
        out = [*self.background.parameters(streams, series.window.days, unit)]
        out += path_parameters(self.process(series), streams)
        if self.contagion:
            offspring = f"offspring in later {series.period}s"
            out.append(reproduction_parameter(self.mask(streams), offspring))
        if self.distribution == "negative binomial":
            out.append(dispersion_parameter(self.dispersion, streams))
        return (*out, *self.kernel_parameters(series))

    def layout(self, series: CountSeries) -> Layout:
        """Where each parameter sits, with the joint prior of R."""
        return Layout(self.parameters(series), STABLE if self.contagion else None)

    def free_numbers(self) -> tuple[FreeScale, ...]:
        """Scale, persistence or length of the path where they are left to the data."""
        return free_of(self.path)

    # Fitting -----------------------------------------------------------------------------------

    @override
    def fit(
        self, series: Any, engine: Engine | None = None, rng: np.random.Generator | None = None
    ) -> Fit:
        """Learn the parameters from a series.

        Where scale, persistence or length are left to the data, maximum likelihood takes those with
        the highest marginal likelihood, and the fit's model then states them. Laplace integrates
        the paths out and averages over these numbers, R, delay and dispersion; the sampler draws
        everything.
        """
        from escalation.counts.random_scales import fit_by

        return fit_by(super().fit, self, series, engine or MaximumLikelihood(), rng)

    def problem(self, series: CountSeries) -> Problem:
        """The likelihood of the periods after the first `reach`."""
        from escalation.likelihood.latent import latent

        used, streams = self._accepted(series), series.n_streams
        layout, process = self.layout(series), self.process(series)
        names = [p.name for p in layout.parameters]
        own = self.kernel_size(series)
        kernel: Kernel = self.kernel if self.contagion else OneLag()
        mean = self._rates(series, used)
        found = [
            layout.start(name) if name in names else -1
            for name in ("path", "path_scale", process.shape, "reproduction")
        ]
        place = [process.kind, *found, process.size, *dispersion_places(layout, streams)]
        return Problem(
            layout=layout,
            core=latent,
            shape=kernel.lag_weights(),
            constants=kernel.lag_constants(max(self.reach, 1)),
            groups=np.arange(layout.size - own, layout.size)[None],
            data=self._data(series, series.counts.astype(float)),
            structure=(
                coefficient_places(layout, streams),
                np.array(place, np.int64),
                np.array([self.given("scale"), self.given(process.shape)]),
            ),
            rates=mean,
            starts=latent_starts(self, layout, series, mean),
            resample=lambda theta, rng: self._data(series, self._again(theta, series, rng)),
            rows=layout.rows(streams),
        )

    def given(self, name: str) -> float:
        """A number of the process that is given; 0.5 where it is not."""
        value = getattr(self.path, name, None) if name else None
        return 0.5 if value is None else float(value)

    def _data(self, series: CountSeries, counts: FloatArray) -> dict[str, Any]:
        from escalation.likelihood.count_terms import count_tables

        used, process = self.used(series).astype(float), self.process(series)
        return {
            "counts": np.ascontiguousarray(counts.T),
            "used": used,
            "scale": np.where(used > 0, series.scale, 1.0),
            **count_tables(counts, used),
            "design": np.ascontiguousarray(design_matrix(self.background, series, series.edges).T),
            **process.tables(period_times(series, series.edges)),
        }

    # Answers -----------------------------------------------------------------------------------

    def latent_path(self, fit: Fit) -> LatentPath:
        """The latent path of each stream over the fitted window, with its uncertainty."""
        series, theta = fit.series, fit.theta
        log_factor = log_factors(self, theta, series, series.edges)
        return LatentPath(
            log_factor, log_factor + log_levels(self, theta, series, series.edges), series.edges,
            series.names, series.period,
        )  # fmt: skip

    @override
    def means(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Expected counts (n, T, K) given past and path, for draws theta (n, p).

        Of another series, as `pointwise` takes it, where given: beyond the fitted window the path
        is simulated on, one path a draw, always with the same random numbers. Log scores averaged
        over draws are then those of the process.
        """
        seen, rows = series or fit.series, vectors(fit, theta)
        parts = self.parts(fit, rows, seen)
        own, cross = parts.moving.offspring(self.past(rows, seen))
        out: FloatArray = (parts.background + own + cross) * seen.scale[:, None]
        out[:, : self.reach] = np.nan
        return out

    def parts(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> Additive:
        """Background with path, and reproduction, by period, for draws theta (n, p)."""
        seen, rows = series or fit.series, vectors(fit, theta)
        return latent_parts(self, rows, fit.series, seen.edges, np.random.default_rng(BEYOND))

    def past(self, theta: FloatArray, series: CountSeries) -> FloatArray:
        """Lag-weighted counts (n, T, K) before each period, for draws theta (n, p)."""
        return lagged_past(series.counts.astype(float), self.lag_draws(theta, series))

    @override
    def dynamics(self, fit: Fit) -> Dynamics:
        """Reproduction, shares, responses; the path belongs to the background.

        Raises
        ------
        ValueError
            Without contagion.
        """
        if not self.contagion:
            refuse_dynamics(self)
        return dynamics_of(self, fit, lambda theta: self.parts(fit, theta))

    def response(
        self,
        fit: Fit,
        stream: str,
        horizon: int = 12,
        rng: np.random.Generator | None = None,
        draws: int = 400,
    ) -> Response:
        """What one more incident in a stream, in the last period, is followed by; the path held.

        Without contagion nothing follows. What one more incident says of the path is no response.

        Raises
        ------
        ValueError
            For an unknown stream.
        """
        series, place = fit.series, stream_place(fit.series.names, stream)
        theta = pick(fit.theta, draws, np.random.default_rng(0) if rng is None else rng)
        if not self.contagion:
            more = np.zeros((draws, horizon, series.n_streams))
        else:
            matrix = Layout(fit.parameters).unpack(theta)["reproduction"]
            total = count_responses(matrix, self.lag_draws(theta, series), horizon)[..., place]
            more = np.diff(total, axis=1, prepend=0.0)
        return Response(more, series.names, stream, series.period)

    @override
    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> Forecast:
        """Predictive draws; an unwatched period of the recent past counts as empty."""
        series, theta = fit.series, pick(fit.theta, draws, rng)
        parts = latent_parts(self, theta, series, future_edges(series, horizon), rng)
        last = series.counts[len(series) - self.reach :].astype(float)
        paths = self._run(theta, series, last, parts, np.ones(horizon), rng)
        return Forecast.after(series, paths, model=self.name)

    # Paths -------------------------------------------------------------------------------------

    @override
    def _begun(
        self, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
    ) -> FloatArray:
        # Before the window the path stands where it begins, and so do covariates.
        known = latent_parts(self, theta, like, like.edges, rng)
        edges, path = early_edges(like, burn_in), known.background
        if self.background.covariates is None:
            path = np.exp(
                log_levels(self, theta, like, edges) + log_factors(self, theta, like, edges)
            )
        else:
            path = np.concatenate([np.repeat(path[:, :1], burn_in, axis=1), path], axis=1)
        parts = Additive(path, still(self, theta, like, edges))
        scale = np.concatenate([np.ones(burn_in), like.scale])
        history = np.zeros((1, self.reach, like.n_streams))
        return self._run(theta, like, history, parts, scale, rng)[:, burn_in:]

    @override
    def _anew(self, theta: FloatArray, series: CountSeries, rng: np.random.Generator) -> FloatArray:
        head, edges = series.counts[: self.reach].astype(float), series.edges[self.reach :]
        parts = latent_parts(self, theta, series, edges, rng)
        paths = self._run(theta, series, head, parts, series.scale[self.reach :], rng)
        return np.concatenate([np.repeat(head[None], len(theta), axis=0), paths], axis=1)

    def _run(
        self,
        theta: FloatArray,
        series: CountSeries,
        history: FloatArray,
        parts: Additive,
        scale: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        psi = dispersions(Layout(self.parameters(series)), theta, series.n_streams)
        weights = self.lag_draws(theta, series)
        history = np.broadcast_to(history, (len(theta), *history.shape[-2:]))
        return additive_paths(parts, weights, (psi,), history, scale, rng)
