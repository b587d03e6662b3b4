"""The multivariate Hawkes process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import numpy as np
from numpy.typing import NDArray

from escalation.background import Background, coefficient_places
from escalation.dynamics import Dynamics, arrow_mask, reproduction_parameter
from escalation.engines import Problem
from escalation.fit import Fit, Model
from escalation.forecast import Forecast, future_edges
from escalation.hawkes.marks import Marks
from escalation.hawkes.preparation import accept, prepared
from escalation.hawkes.shrinkage import Shrinkage
from escalation.kernels import ContinuousKernel, Exponential
from escalation.parameters import BoolArray, FloatArray, Layout, Parameter
from escalation.priors import HalfNormal, Normal
from escalation.series import EventSeries

IntArray = NDArray[np.int64]
KERNEL_PER = ("all", "target", "pair")
DAY_CODED = ("filter", "jitter", "naive")
STARTS = ("stationary", "empty")
TIES = ("ordered", "apart")


@dataclass(frozen=True)
class Hawkes(Model):
    r"""Events with a background rate and with what earlier events set off, in continuous time.

    .. math:: \lambda_k(t) = b_k(t) + \sum_j \sum_{t_i < t,\ \kappa_i = j}
              R^{e_i}_{kj}\, y_i\, g_{kj}(t - t_i)

    The background is constant over each day, with season and trend taken at the day's middle. R
    counts all offspring of an average event. Times known to the day have no order within it: they
    are integrated out by a filter over the days. Of exact times, a tie within a stream is a delay
    rounded to zero unless `ties` says otherwise; events of different streams at the very same time
    do not set one another off.

    Attributes
    ----------
    kernel : ContinuousKernel
        The normalised delay density g, per day.
    background : Background
    arrows : tuple of tuples of bool, optional
        ``arrows[k][j]`` is false where stream j is not followed by more of k. None: all allowed.
    kernel_per : {"all", "target", "pair"}
        One kernel for all pairs, one a receiving stream, or one a pair.
    eras : tuple of date
        Days on which R changes; what an event sets off depends on the era of that event.
    marks : Marks, optional
        How the size y of an event scales its offspring; the series then has marks.
    shrinkage : Shrinkage, optional
    warmup : float
        Days at the beginning that are history: they set off, and are not scored (exact times).
    ties : {"ordered", "apart"}
        Whether of the events of one stream at the very same (exact) time each is set off by those
        before it in the list, as in most programs, or none by another.
    day_coded : {"filter", "jitter", "naive"}
        What is done with times known to the day: the filter, which is right; uniform times within
        the day, drawn once, or the stored times as if they were exact, for comparison only.
    start : {"stationary", "empty"}
        State before the first day in the filter. Exact times start empty, unless a warm-up is
        given. A kernel whose R is 1 or more starts empty.
    batches : bool
        Take the incidents of a stream on one day as one event, whose mark is the number of
        incidents beyond the first; forecasts count incidents all the same. R then counts batches
        that follow a batch on other days; for streams that are quiet on most days.
    filter_draws : int
        Fixed draws of the times within a day, where the filter has no closed form.
    filter_seed : int
        Seed of those draws; estimates under another one show how much the draws matter.

    References
    ----------
    Hawkes (1971), Biometrika 58(1); Ozaki (1979), Annals of the Institute of Statistical
    Mathematics 31; Ogata (1988), Journal of the American Statistical Association 83(401).

    Examples
    --------
    >>> series = EventSeries.from_times([[0.4, 2.1, 2.5, 3.0, 8.2]], 0, 10)
    >>> fit = Hawkes().fit(series)
    >>> fit.dynamics().unit
    'all offspring'
    """

    kernel: ContinuousKernel = field(default_factory=Exponential)
    background: Background = field(default_factory=lambda: Background(harmonics=0))
    arrows: tuple[tuple[bool, ...], ...] | None = None
    kernel_per: str = "all"
    eras: tuple[date, ...] = ()
    marks: Marks | None = None
    shrinkage: Shrinkage | None = None
    warmup: float = 0.0
    ties: str = "ordered"
    day_coded: str = "filter"
    start: str = "stationary"
    batches: bool = False
    filter_draws: int = 32
    filter_seed: int = 0

    name = "Hawkes"

    def __post_init__(self) -> None:
        for what, came, known in (
            ("kernel_per", self.kernel_per, KERNEL_PER),
            ("ties", self.ties, TIES),
            ("day_coded", self.day_coded, DAY_CODED),
            ("start", self.start, STARTS),
        ):
            if came not in known:
                raise ValueError(f"{what} must be one of {', '.join(known)}, got {came!r}")
        if tuple(sorted(set(self.eras))) != tuple(self.eras):
            raise ValueError("eras must be different dates in order")
        if self.filter_seed < 0:
            raise ValueError(f"filter_seed must not be negative, got {self.filter_seed}")
        if self.warmup < 0:
            raise ValueError(f"warmup must not be negative, got {self.warmup} days")

    # What the specification declares -----------------------------------------------------------

    @property
    def number_of_eras(self) -> int:
        """Spans of time with an R of their own."""
        return len(self.eras) + 1

    def mask(self, streams: int) -> BoolArray:
        """Which entries (K, K) of R are allowed."""
        return arrow_mask(self.arrows, streams)

    def bound_kernel(self, series: EventSeries) -> ContinuousKernel:
        """The kernel with the window's length as its truncation, where it has one."""
        return self.kernel.within(series.duration)

    def parameters(self, series: EventSeries) -> tuple[Parameter, ...]:
        """Background, reproduction, mark exponents, kernel, in this order."""
        streams = len(series.names)
        background = self.background.parameters(streams, series.duration, "incidents per day")
        mask = self.mask(streams)
        reproduction = reproduction_parameter(mask, "all offspring")
        if self.eras:
            scale = np.broadcast_to(_scale(reproduction), (self.number_of_eras, *mask.shape))
            reproduction = replace(
                reproduction,
                shape=(self.number_of_eras, *mask.shape),
                prior=HalfNormal(np.array(scale)),
                dims=("era", "target", "source"),
                free=None if mask.all() else np.array([mask] * self.number_of_eras),
            )
        if self.shrinkage is not None:
            reproduction = self.shrinkage.apply(reproduction)
        exponent: tuple[Parameter, ...] = ()
        if self.marks is not None:
            exponent = (
                Parameter(
                    "mark_exponent", (streams,), "real", Normal(0.0, 1.0),
                    "how the offspring grow with the mark", "", ("source",),
                ),
            )  # fmt: skip
        return (*background, reproduction, *exponent, *self._kernel_parameters(streams))

    def _kernel_parameters(self, streams: int) -> tuple[Parameter, ...]:
        own = self.kernel.parameters("day")
        if self.kernel_per == "all":
            return own
        lead: tuple[int, ...] = (streams,)
        dims: tuple[str, ...] = ("target",)
        if self.kernel_per == "pair":
            lead, dims = (streams, streams), ("target", "source")
        out = []
        for p in own:
            free = None
            if self.kernel_per == "pair" and not self.mask(streams).all():
                mask = self.mask(streams).reshape(*lead, *(1 for _ in p.shape))
                free = np.array(np.broadcast_to(mask, (*lead, *p.shape)))
            own_dims = p.dims or tuple(f"{p.name} {i + 1}" for i in range(len(p.shape)))
            out.append(replace(p, shape=(*lead, *p.shape), dims=(*dims, *own_dims), free=free))
        return tuple(out)

    def kernel_groups(self, streams: int) -> IntArray:
        """Which kernel (K, K) each pair has."""
        k, j = np.indices((streams, streams))
        if self.kernel_per == "all":
            return np.zeros_like(k)
        return k if self.kernel_per == "target" else k * streams + j

    def kernel_places(self, layout: Layout, streams: int) -> IntArray:
        """Places (G, q) in `theta` of the parameters of each kernel."""
        groups = 1 if self.kernel_per == "all" else streams
        groups = streams**2 if self.kernel_per == "pair" else groups
        columns = []
        for p in self.kernel.parameters("day"):
            first = layout.start(p.name)
            columns.append(first + np.arange(groups * p.size).reshape(groups, p.size))
        out = np.concatenate(columns, axis=1) if columns else np.zeros((groups, 0))
        if self.kernel_per == "pair":
            # A pair without an arrow has no kernel; its place is never used, but must be valid.
            mask = self.mask(streams).ravel()
            out[~mask] = out[np.flatnonzero(mask)[0]] if mask.any() else 0
        return out.astype(np.int64)

    # Fitting -----------------------------------------------------------------------------------

    def problem(self, series: EventSeries) -> Problem:
        """The likelihood over the watched days.

        Raises
        ------
        ValueError
            For more than one event in ten tied with another of its stream in times said to be
            exact, or marks that are missing or out of range.
        """
        accept(self, series)
        taken = self.prepared(series)
        if taken.resolution == "day":
            from escalation.hawkes.day_coded import day_problem

            return day_problem(self, taken)
        from escalation.hawkes.exact import exact_problem

        return exact_problem(self, taken)

    def prepared(self, series: EventSeries) -> EventSeries:
        """The series as the likelihood takes it: batches made, day-coded times treated as asked."""
        return prepared(self, series)

    def starts(self, layout: Layout, series: EventSeries) -> tuple[FloatArray, ...]:
        """Vectors `theta` to start an optimiser from."""
        rate = self.mean_rates(series)
        cross = 0.1 / len(rate)
        kernel = self.bound_kernel(series)
        places = self.kernel_places(layout, len(rate))
        out = []
        for share, own, delay in ((0.5, 0.4, 0.7), (0.5, 0.4, 7.0), (0.8, 0.2, 0.07),
                                  (0.5, 0.4, 70.0)):  # fmt: skip
            values = {p.name: np.full(p.shape, _middle(p)) for p in layout.parameters}
            values["level"] = np.log(share * rate)
            matrix = cross + own * np.eye(len(rate))
            free = next(p for p in layout.parameters if p.name == "reproduction").mask
            values["reproduction"] = np.where(free, matrix, 0.0)
            theta = layout.pack(values)
            theta[places] = kernel.start(delay)
            out.append(theta)
        return tuple(out)

    def bounds(self, series: EventSeries) -> dict[str, tuple[float, float]]:
        """How far an optimiser may go: no delay is longer than the window, say.

        A slower one cannot be told from a drift of the background, and R would have no bound. A
        trend describes the drift: what it leaves to the delays lasts a quarter of the time
        between its knots at most.
        """
        longest = series.duration
        if self.background.trend is not None:
            longest = min(longest, self.background.trend) / 4
        return self.bound_kernel(series).bounds(longest)

    def mean_rates(self, series: EventSeries) -> FloatArray:
        """Events a watched day of each stream, half an event where there is none."""
        unwatched = series.window.days - series.window.watched_days
        number = np.array([max(len(times), 0.5) for times in series.times])
        return number / (series.duration - unwatched)

    # Times, cells and eras ---------------------------------------------------------------------

    def cell_edges(self, series: EventSeries) -> FloatArray:
        """Edges of the stretches of constant background: days, or the whole window."""
        if self.background.flat:
            return np.array([0.0, series.duration])
        return np.unique(np.append(np.arange(0.0, series.duration), series.duration))

    def design(self, series: EventSeries, edges: FloatArray) -> FloatArray:
        """Design matrix (D, P) of stretches of time between edges (D + 1,)."""
        middle = (edges[:-1] + edges[1:]) / 2
        return self.background.design(middle, series.duration, series.window.start)

    def era_edges(self, series: EventSeries) -> FloatArray:
        """Days (E - 1,) since the window's start on which the eras after the first begin."""
        return np.array([float((day - series.window.start).days) for day in self.eras])

    def era_of(self, series: EventSeries, times: FloatArray) -> IntArray:
        """Era of each time, from 0."""
        found = np.searchsorted(self.era_edges(series), times, side="right")
        return np.asarray(found, np.int64)

    def background_rates(
        self, layout: Layout, theta: FloatArray, series: EventSeries, edges: FloatArray
    ) -> FloatArray:
        """Background rates (n, D, K) per day of draws theta (n, p)."""
        coefficients = theta[:, coefficient_places(layout, len(series.names))]
        design = self.design(series, edges)
        return np.asarray(np.exp(np.einsum("dp,nkp->ndk", design, coefficients)), float)

    def kernel_draws(self, layout: Layout, theta: FloatArray, streams: int) -> FloatArray:
        """Kernel parameters (n, G, q) of draws theta (n, p)."""
        return theta[:, self.kernel_places(layout, streams)]

    # Answers -----------------------------------------------------------------------------------

    def simulate(
        self, values: Mapping[str, FloatArray], like: EventSeries, rng: np.random.Generator
    ) -> EventSeries:
        """A series from known parameters, over the window of another one.

        Events in gaps are simulated and then lost. A series known to the day is simulated with
        its past, for a start in the stationary state, and floored to days.

        Parameters
        ----------
        values : dict of arrays
            By the names of `parameters`.
        like : EventSeries
            Gives window, names, resolution; its times are not read, its marks are resampled.
        rng : numpy.random.Generator

        Raises
        ------
        ValueError
            If the path exceeds 100,000 events (ten times as many as `like` has, if that is more).
        """
        from escalation.hawkes.paths import simulate_series

        return simulate_series(self, values, like, rng)

    def dynamics(self, fit: Fit) -> Dynamics:
        """Reproduction, shares, responses; R counts all offspring, of the last era."""
        from escalation.hawkes.answers import dynamics

        return dynamics(self, fit)

    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> Forecast:
        """Predictive draws in weeks after the window, by simulation from the fitted history.

        A path that exceeds 100,000 events is stopped, and infinite in every week.
        """
        from escalation.hawkes.paths import forecast_counts

        series = fit.series
        weekly = series.counts("week")
        edges = future_edges(weekly, horizon)
        counts = forecast_counts(self, fit, edges, rng, draws)
        return Forecast.after(weekly, counts, model=self.name)

    def replicate(self, fit: Fit, rng: np.random.Generator, draws: int = 100) -> FloatArray:
        """Daily counts of paths from draws of the parameters, (draws, days, K)."""
        from escalation.hawkes.paths import daily_counts

        return daily_counts(self, fit, rng, draws)


def _scale(parameter: Parameter) -> FloatArray:
    assert isinstance(parameter.prior, HalfNormal)
    return np.asarray(parameter.prior.scale, float)


def _middle(parameter: Parameter) -> float:
    """A usual value of a parameter, to start from."""
    return float(parameter.prior.mean) if isinstance(parameter.prior, Normal) else 0.0
