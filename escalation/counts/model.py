"""What models of counts do alike: periods in the likelihood, simulation, answers by simulation."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import ClassVar, NoReturn, override

import numpy as np

from escalation.counts.paths import CAP
from escalation.counts.periods import check_counts, dispersions, used_periods, vectors
from escalation.counts.response import Response
from escalation.fit import Fit, Model, pick
from escalation.forecast import Forecast
from escalation.kernels import Kernel
from escalation.parameters import BoolArray, FloatArray, Layout, Parameter
from escalation.series import CountSeries, stream_place


class CountModel(Model):
    """A model of counts per period.

    A concrete one declares parameters and likelihood, says what it expects of each period
    (`means`), and goes on from a beginning (`_anew`) or from nothing (`_begun`).
    """

    #: What to ask of the parameters where a simulated path grows without bound.
    settles: ClassVar[str]
    #: Whether units of a panel may be watched for unequal lengths.
    uneven: ClassVar[bool] = False

    @property
    @abstractmethod
    def reach(self) -> int:
        """Number of earlier periods that a period depends on."""

    @abstractmethod
    def means(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Expected counts (n, T, K) given the past, for draws theta (n, p); the estimate's if None.

        Of another series, as `pointwise` takes it, where given.
        """

    def variances(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Variances (n, T, K) of the counts given the past; arguments as for `means`."""
        seen, rows = series or fit.series, vectors(fit, theta)
        mean = self.means(fit, rows, seen)
        psi = self._dispersions(fit, rows)
        return mean if psi is None else mean * (1 + psi[:, None] * mean)

    @abstractmethod
    def _anew(self, theta: FloatArray, series: CountSeries, rng: np.random.Generator) -> FloatArray:
        """Series (n, T, K) of draws (n, p) that begin as a series does; infinite beyond the cap."""

    @abstractmethod
    def _begun(
        self, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
    ) -> FloatArray:
        """Counts (1, T, K) of one draw (1, p), after so many periods that are thrown away."""

    def used(self, series: CountSeries) -> BoolArray:
        """Which periods (T,) the likelihood uses: watched, with `reach` fully watched before."""
        return used_periods(series, self.reach)

    def _accepted(self, series: CountSeries) -> BoolArray:
        """The used periods of a series; ``ValueError`` if it holds no counts or none is used."""
        check_counts(series, type(self).__name__, self.uneven)
        used = self.used(series)
        if not used.any():
            raise ValueError(
                f"{len(series)} periods leave none to fit after {self.reach} lags and gaps"
            )
        return used

    def _dispersions(self, fit: Fit, theta: FloatArray) -> FloatArray | None:
        """Overdispersion (n, K) of draws (n, p), None of a Poisson model."""
        return dispersions(Layout(fit.parameters), theta, fit.series.n_streams)

    def _rates(self, series: CountSeries, used: BoolArray) -> FloatArray:
        """Mean counts (K,) of a wholly watched period, one in 500 where there are none."""
        mean: FloatArray = series.counts[used].sum(axis=0) / series.scale[used].sum()
        return np.maximum(mean, 2e-3)

    def _again(
        self, theta: FloatArray, series: CountSeries, rng: np.random.Generator
    ) -> FloatArray:
        """Counts (T, K) of one draw (p,), for the bootstrap."""
        paths = self._anew(theta[None], series, rng)[0]
        # A bootstrap path that ran away is cut off: its refit is then a large, finite estimate.
        return np.where(np.isfinite(paths), paths, CAP)

    @override
    def pointwise(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        from escalation.likelihood.pointwise import count_log_pmf

        seen, rows = series or fit.series, vectors(fit, theta)
        mean = self.means(fit, rows, seen)
        mean[:, ~self.used(seen)] = np.nan
        return count_log_pmf(seen.counts, mean, self._dispersions(fit, rows))

    @override
    def carried_on(self, fit: Fit, series: CountSeries) -> Fit | None:
        known = fit.series
        begins = series.edges[0] == known.edges[0] and series.names == known.names
        if not begins or self._bends():
            return None
        shapes = [[(p.name, p.shape) for p in self.parameters(each)] for each in (known, series)]
        return replace(fit, series=series) if shapes[0] == shapes[1] else None

    def _bends(self) -> bool:
        """Whether a background has a trend or a walk, whose knots lie in the fitted window."""
        backgrounds = [getattr(self, field.name) for field in fields(self)]  # type: ignore[arg-type]
        return any(
            getattr(one, "trend", None) is not None or getattr(one, "walk", None) is not None
            for one in backgrounds
        )

    @override
    def replicate(self, fit: Fit, rng: np.random.Generator, draws: int = 100) -> FloatArray:
        """Series (draws, T, K) from draws of the parameters; what is conditioned on stays."""
        return self._anew(pick(fit.theta, draws, rng), fit.series, rng)

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
        counts = self._begun(theta, like, rng, burn_in)[0]
        if not np.isfinite(counts).all():
            raise ValueError(f"the simulated path grows without bound; {self.settles}?")
        return replace(like, counts=counts.astype(np.int64), dropped="")


class LaggedModel(CountModel):
    """A model in which the past enters through the lag weights of a kernel.

    The kernel's parameters are the last ones.
    """

    kernel: Kernel
    lags: int

    @property
    @override
    def reach(self) -> int:
        """Number of earlier periods that a period depends on: `lags`."""
        return self.lags

    def kernel_parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """Parameters of the kernel, whose time runs in periods."""
        return self.kernel.parameters(series.period) if self.reach else ()

    def kernel_size(self, series: CountSeries) -> int:
        """Number of the kernel's parameters."""
        return sum(p.size for p in self.kernel_parameters(series))

    def lag_draws(self, theta: FloatArray, series: CountSeries) -> FloatArray:
        """Lag weights (n, L) of draws theta (n, p)."""
        if not self.reach:
            return np.zeros((len(theta), 0))
        own = theta[:, theta.shape[1] - self.kernel_size(series) :]
        return np.broadcast_to(self.kernel.pmf(own, self.lags), (len(theta), self.lags))


class SignedModel(LaggedModel):
    """A model in which the past may also lower what is expected; it answers by simulation."""

    #: The expected count is no sum over earlier incidents: no R, no shares.
    additive: ClassVar[bool] = False

    @abstractmethod
    def _onward(
        self,
        theta: FloatArray,
        series: CountSeries,
        horizon: int,
        rng: np.random.Generator,
        repeats: int = 1,
        extra: int | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        """Counts and means (c, n × repeats, H, K) after a series, so many paths of each draw.

        One copy (c = 1); or two, the second with one more incident of stream `extra` at the end of
        the series.
        """

    @override
    def dynamics(self, fit: Fit) -> NoReturn:
        refuse_dynamics(self)

    def response(
        self,
        fit: Fit,
        stream: str,
        horizon: int = 12,
        rng: np.random.Generator | None = None,
        draws: int = 400,
        paths: int = 50,
    ) -> Response:
        """What one more incident in a stream, in the last period of the series, is followed by.

        By simulation: paths with and without it share their random numbers, and the difference is
        taken between their expected counts. The mean over `paths` leaves some noise of simulation
        in each draw, none in the first period.

        Parameters
        ----------
        fit : Fit
        stream : str
        horizon : int
            Periods.
        rng : numpy.random.Generator, optional
            Seeded with 0 if not given.
        draws : int
            Draws of the parameters.
        paths : int
            Simulated pairs of paths for each.

        Raises
        ------
        ValueError
            For an unknown stream, or a horizon below one period.
        """
        series, extra = fit.series, stream_place(fit.series.names, stream)
        rng = np.random.default_rng(0) if rng is None else rng
        theta = pick(fit.theta, draws, rng)
        means = self._onward(theta, series, horizon, rng, paths, extra)[1]
        with np.errstate(invalid="ignore"):
            more = means[1] - means[0]
        more[np.isnan(more)] = np.inf
        more = more.reshape(draws, paths, horizon, series.n_streams).mean(axis=1)
        return Response(more, series.names, stream, series.period)

    @override
    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> Forecast:
        """Predictive draws; an unwatched period of the recent past counts as a typical one."""
        paths = self._onward(pick(fit.theta, draws, rng), fit.series, horizon, rng)[0]
        return Forecast.after(fit.series, paths[0], model=self.name)


def refuse_dynamics(model: Model) -> NoReturn:
    """``ValueError`` for a model whose expected count is no sum over earlier incidents."""
    raise ValueError(
        f"reproduction numbers are not defined for {type(model).__name__}; use response"
    )
