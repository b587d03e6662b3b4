"""The Hawkes process with a link, where incidents may also inhibit later ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from escalation.background import Background, coefficient_places
from escalation.dynamics import arrow_mask
from escalation.engines import Engine, Problem
from escalation.fit import Fit, Model, pick
from escalation.forecast import Forecast, future_edges
from escalation.hawkes.influence import Influence
from escalation.hawkes.model import Hawkes
from escalation.hawkes.new_events import CAP, HELD
from escalation.hawkes.preparation import refuse_ties
from escalation.kernels import Exponential, ExponentialFamily
from escalation.parameters import BoolArray, FloatArray, Layout, Parameter
from escalation.priors import Normal
from escalation.series import EventSeries

IntArray = NDArray[np.int64]
#: What `thinning.coupled` gives: path, copy, stream and time of events, what is further, stopped.
Run = tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray, BoolArray]

LINKS = ("softplus", "exp")
#: The paths of responses are stopped above this many events.
RESPONSE_CAP = 20_000


@dataclass(frozen=True)
class NonlinearHawkes(Model):
    r"""Events that may set off or inhibit later ones: a Hawkes process with a link.

    .. math:: \lambda_k(t) = f_k\Bigl(f_k^{-1}\{b_k(t)\} + \sum_j A_{kj}
              \sum_{t_i < t,\ \kappa_i = j} g_{kj}(t - t_i)\Bigr)

    The entries of the influence A have either sign. Without influence the rate is the background
    b, which is the log-linear rate of `Background`, whatever the link. The links are

    - softplus, :math:`f(x) = s \log(1 + e^{x/s})`: where the rate is well above the scale s, an
      event adds :math:`A_{kj} g` to it and A is the reproduction matrix of the linear process;
      towards zero the same influence takes off a share instead, and the rate stays positive. The
      slope there is :math:`1 - e^{-\lambda/s}`. A scale far below the streams' rates makes the
      process linear with a floor at zero, one far above them makes it multiplicative.
    - exp: an event multiplies the rate by :math:`\exp(A_{kj} g)`. Whether such a process settles
      is not guaranteed where any influence is positive.

    R, shares and branching ratio are not defined, and no event has a parent: `dynamics` gives an
    `Influence`, with responses by simulation. Times must be exact. The process starts empty, and
    what happens in a gap leaves no trace.

    Attributes
    ----------
    kernel : ExponentialFamily
        The normalised delay density g, per day.
    background : Background
    arrows : tuple of tuples of bool, optional
        ``arrows[k][j]`` is false where stream j has no influence on k. None: all allowed.
    kernel_per : {"all", "target", "pair"}
        One kernel for all pairs, one a receiving stream, or one a pair.
    link : {"softplus", "exp"}
    scale : float or tuple of float
        s, incidents a day, for all streams or one a stream; not estimated.

    References
    ----------
    Brémaud & Massoulié (1996), Annals of Probability 24(3), for existence and stability; Mei &
    Eisner (2017), Advances in Neural Information Processing Systems 30, for the scaled softplus;
    Bonnet, Martinez Herrera & Sangnier (2023), Statistics and Computing 33, for the likelihood
    under inhibition.

    Examples
    --------
    >>> series = EventSeries.from_times([[0.4, 2.1, 3.5, 5.0, 6.1, 8.2]], 0, 10)
    >>> fit = NonlinearHawkes().fit(series)
    >>> fit.diagnostics["quadrature_error"] < 1e-6
    True
    """

    kernel: ExponentialFamily = field(default_factory=Exponential)
    background: Background = field(default_factory=lambda: Background(harmonics=0))
    arrows: tuple[tuple[bool, ...], ...] | None = None
    kernel_per: str = "all"
    link: str = "softplus"
    scale: float | tuple[float, ...] = 0.1

    name = "non-linear Hawkes"
    #: The expected rate is no sum over earlier events: no R, no shares, no declustering.
    additive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        if self.link not in LINKS:
            raise ValueError(f"link must be one of {', '.join(LINKS)}, got {self.link!r}")
        if not np.all(np.isfinite(self.scale) & (np.array(self.scale) > 0)):
            raise ValueError(f"scale must be positive (incidents a day), got {self.scale}")
        if not isinstance(self.kernel, ExponentialFamily):
            raise ValueError(
                f"the compensator wants a kernel that is a mixture of exponentials, "
                f"got {type(self.kernel).__name__}"
            )
        _ = self._frame

    @property
    def _frame(self) -> Hawkes:
        """The linear process of the same terms: its background, cells and kernels serve here."""
        return Hawkes(self.kernel, self.background, self.arrows, self.kernel_per)

    # What the specification declares -----------------------------------------------------------

    def parameters(self, series: EventSeries) -> tuple[Parameter, ...]:
        """Background, influence, kernel, in this order."""
        streams = len(series.names)
        mask = arrow_mask(self.arrows, streams)
        # Fewer than 1 % of prior draws of |A| have a spectral radius of 1, up to 12 streams.
        influence = Parameter(
            "influence", mask.shape, "real", Normal(0.0, 0.38 / streams**0.6),
            "what one incident of the source adds to the predictor of the target, in all",
            "incidents" if self.link == "softplus" else "log ratio × days",
            ("target", "source"), None if mask.all() else mask,
        )  # fmt: skip
        return tuple(
            influence if p.name == "reproduction" else p for p in self._frame.parameters(series)
        )

    def scales(self, streams: int) -> FloatArray:
        """Scale (K,) of the softplus of each stream.

        Raises
        ------
        ValueError
            If as many scales as streams are not given.
        """
        scale = np.array(self.scale, float)
        if scale.ndim and scale.shape != (streams,):
            raise ValueError(f"scale names {scale.size} streams, the series has {streams}")
        return np.array(np.broadcast_to(scale, streams))

    # Fitting -----------------------------------------------------------------------------------

    def problem(self, series: EventSeries) -> Problem:
        """The likelihood of exact times over the watched days.

        Raises
        ------
        ValueError
            For times known only to the day, more than one event in ten tied with another of its
            stream, or a kernel that is no mixture of exponentials over so long a window.
        """
        from escalation.likelihood.nonlinear import hawkes_nonlinear

        self._accept(series)
        streams, frame = len(series.names), self._frame
        layout = Layout(self.parameters(series))
        kernel = frame.bound_kernel(series)
        assert isinstance(kernel, ExponentialFamily)
        if not kernel.covers(series.duration):
            raise ValueError(
                f"the kernel {kernel.name!r} is no mixture of exponentials over "
                f"{series.duration:g} days; give it a longer truncation age"
            )
        edges = self._cells(series)
        fixed = {
            "edges": edges,
            "watched": self._watched(series, edges),
            "design": frame.design(series, edges),
            "scale": self.scales(streams),
        }
        place = [layout.start("influence"), self._link_code(), 0]

        def again(theta: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
            return _merged(self.simulate(layout.unpack(theta), series, rng)) | fixed

        return Problem(
            layout=layout,
            core=hawkes_nonlinear,
            shape=kernel.as_exponentials(),
            constants=kernel.nodes(),
            groups=frame.kernel_places(layout, streams),
            data=_merged(series) | fixed,
            structure=(
                coefficient_places(layout, streams),
                np.array(place, np.int64),
                self._kernel_table(streams),
            ),
            rates=frame.mean_rates(series),
            starts=self._starts(layout, series),
            resample=again,
            rows=layout.rows(streams),
        )

    def fit(
        self, series: Any, engine: Engine | None = None, rng: np.random.Generator | None = None
    ) -> Fit:
        """Learn the parameters from a series; see `Model.fit`.

        The diagnostics hold ``quadrature_error``, that of the log-likelihood at the estimate.
        """
        fit = super().fit(series, engine, rng)
        error = self.quadrature_error(series, fit.estimate)
        return replace(fit, diagnostics={**fit.diagnostics, "quadrature_error": error})

    def quadrature_error(self, series: EventSeries, values: Mapping[str, FloatArray]) -> float:
        """Error of the log-likelihood's compensator, against twice the nodes.

        Parameters
        ----------
        series : EventSeries
        values : dict of arrays
            By the names of `parameters`.

        Returns
        -------
        float
            Absolute difference of the two log-likelihoods. Its bound, see `hawkes_nonlinear`, is
            below 1e-6 unless the scale times the days watched, or the events, exceed 10,000.
        """
        problem = self.problem(series)
        column, place, group = problem.structure
        fine = replace(problem, structure=(column, place + np.array([0, 0, 1]), group))
        theta = problem.layout.pack(values)
        return abs(float(problem.evaluate(theta)[0]) - float(fine.evaluate(theta)[0]))

    def _accept(self, series: EventSeries) -> None:
        if not isinstance(series, EventSeries):
            raise ValueError(f"{self.name} needs an EventSeries, got {type(series).__name__}")
        if series.resolution == "day":
            raise ValueError(
                "these times are known to the day only, and the non-linear process takes exact "
                "times: fit Hawkes, or give exact times with resolution='exact'"
            )
        # Under a link without bounds a few ties may make the likelihood unbounded.
        refuse_ties(series)

    def _link_code(self) -> int:
        from escalation.likelihood.quadrature import EXP, SOFTPLUS

        return SOFTPLUS if self.link == "softplus" else EXP

    def _kernel_table(self, streams: int) -> IntArray:
        """Kernel by target and source, without the axes on which it is always the same."""
        groups = self._frame.kernel_groups(streams)
        rows = 1 if self.kernel_per == "all" else streams
        sources = streams if self.kernel_per == "pair" else 1
        return np.ascontiguousarray(groups[:rows, :sources], np.int64)

    def _cells(self, series: EventSeries) -> FloatArray:
        """Edges of the stretches of constant background, those of the gaps among them."""
        start = series.window.start
        gaps = [float((day - start).days) for gap in series.window.gaps for day in gap]
        edges = np.union1d(self._frame.cell_edges(series), gaps)
        return np.asarray(edges[edges <= series.duration], float)

    def _watched(self, series: EventSeries, edges: FloatArray) -> FloatArray:
        mask = series.window.mask()
        middle = np.floor((edges[:-1] + edges[1:]) / 2).astype(int)
        return np.asarray(mask[middle], float)

    def _starts(self, layout: Layout, series: EventSeries) -> tuple[FloatArray, ...]:
        rate = self._frame.mean_rates(series)
        places = self._frame.kernel_places(layout, len(rate))
        kernel = self._frame.bound_kernel(series)
        free = next(p for p in layout.parameters if p.name == "influence").mask
        out = []
        for own, delay in ((0.3, 0.7), (-0.3, 0.7), (0.3, 7.0), (-0.3, 7.0), (0.3, 0.07)):
            values = {p.name: np.zeros(p.shape) for p in layout.parameters}
            values["level"] = np.log(rate * (1 - own))
            values["influence"] = np.where(free, own * np.eye(len(rate)), 0.0)
            theta = layout.pack(values)
            theta[places] = kernel.start(delay)
            out.append(theta)
        return tuple(out)

    # Answers -----------------------------------------------------------------------------------

    def simulate(
        self, values: Mapping[str, FloatArray], like: EventSeries, rng: np.random.Generator
    ) -> EventSeries:
        """A series from known parameters, over the window of another one, started empty.

        Events in gaps are simulated and then lost.

        Parameters
        ----------
        values : dict of arrays
            By the names of `parameters`.
        like : EventSeries
            Gives window and names; its times are not read.
        rng : numpy.random.Generator

        Raises
        ------
        ValueError
            If the path exceeds 100,000 events.
        """
        theta = Layout(self.parameters(like)).pack(values)[None]
        ((_, run),) = self._runs(theta, like, self._cells(like), (), rng)
        _, _, stream, time, _, stopped = run
        if stopped.any():
            raise ValueError(f"the simulated path exceeds {CAP} events; is the process explosive?")
        watched = np.append(like.window.mask(), True)[np.floor(time).astype(int)]
        times = tuple(time[(stream == k) & watched] for k in range(len(like.names)))
        return replace(like, times=times, marks=None, resolution="exact")

    def dynamics(self, fit: Fit) -> Influence:  # type: ignore[override]
        """The influence with its stability; responses by simulation. There is no R."""
        mask = arrow_mask(self.arrows, len(fit.series.names))
        return Influence(np.array(fit.draws["influence"]), fit.series.names, mask, self.link, fit)

    def further(
        self,
        fit: Fit,
        stream: str,
        days: float,
        rng: np.random.Generator,
        draws: int = 200,
        paths: int = 50,
    ) -> FloatArray:
        """Draws (draws, K) of the further incidents after one more; see `Influence.response`."""
        series = fit.series
        theta = np.repeat(pick(fit.theta, draws, rng), paths, axis=0)
        cells = self._ahead(series, series.duration + days)
        source = series.names.index(stream)
        more = np.empty((len(theta), len(series.names)))
        for rows, run in self._runs(theta, series, cells, series.times, rng, source):
            more[rows] = np.where(run[5][:, None], np.inf, run[4][:, 1])
        return np.asarray(more.reshape(draws, paths, -1).mean(axis=1), float)

    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> Forecast:
        """Predictive draws in weeks after the window, by simulation from the fitted history.

        A path that exceeds 100,000 events is stopped, and infinite in every week.
        """
        series = fit.series
        weekly = series.counts("week")
        origin = np.datetime64(series.window.start, "D")
        days = (future_edges(weekly, horizon) - origin) / np.timedelta64(1, "D")
        theta = pick(fit.theta, draws, rng)
        cells = self._ahead(series, float(days[-1]))
        out = np.zeros((draws, horizon, len(series.names)))
        for rows, run in self._runs(theta, series, cells, series.times, rng):
            path, _, stream, time, _, stopped = run
            # The first week may have begun inside the window: its events count.
            period = np.searchsorted(days, time, side="right") - 1
            np.add.at(out[rows], (path, period, stream), 1.0)
            out[rows][stopped] = np.inf
        for k, times in enumerate(series.times):
            known = np.searchsorted(days, times[times >= days[0]], side="right") - 1
            out[:, :, k] += np.bincount(known, minlength=horizon)
        return Forecast.after(weekly, out, model=self.name)

    def replicate(self, fit: Fit, rng: np.random.Generator, draws: int = 100) -> FloatArray:
        """Daily counts of paths from draws of the parameters, (draws, days, K); 0 in gaps.

        A path that exceeds 100,000 events is stopped, and infinite on every day.
        """
        series = fit.series
        theta = pick(fit.theta, draws, rng)
        out = np.zeros((draws, series.window.days, len(series.names)))
        for rows, run in self._runs(theta, series, self._cells(series), (), rng):
            path, _, stream, time, _, stopped = run
            np.add.at(out[rows], (path, np.floor(time).astype(int), stream), 1.0)
            out[rows] *= series.window.mask()[:, None]
            out[rows][stopped] = np.inf
        return out

    def _ahead(self, series: EventSeries, end: float) -> FloatArray:
        """Edges of the stretches of constant background from the window's end on."""
        start = series.duration
        if self.background.flat:
            return np.array([start, end])
        return np.concatenate([[start], np.arange(np.floor(start) + 1, np.ceil(end)), [end]])

    def _runs(
        self,
        theta: FloatArray,
        series: EventSeries,
        cells: FloatArray,
        history: tuple[FloatArray, ...],
        rng: np.random.Generator,
        extra: int | None = None,
    ) -> Iterator[tuple[slice, Run]]:
        """Paths over some cells, one a draw; if asked, copies with one more event in `extra`.

        In turn, for so many draws that all their paths may reach the cap in bounded memory.
        """
        from escalation.hawkes.thinning import coupled

        streams, frame = len(series.names), self._frame
        layout = Layout(self.parameters(series))
        kernel = frame.bound_kernel(series)
        assert isinstance(kernel, ExponentialFamily)
        shape, nodes = kernel.as_exponentials(), kernel.nodes()
        own = np.ascontiguousarray(frame.kernel_draws(layout, theta, streams))
        values = np.array([[shape(one, nodes)[0] for one in row] for row in own])
        rates = frame.background_rates(layout, theta, series, cells)
        influence = layout.unpack(theta)["influence"]
        copies = np.array([-1] if extra is None else [-1, extra], np.int64)
        cap = CAP if extra is None else RESPONSE_CAP
        many = max(1, HELD // (cap * len(copies)))
        for begin in range(0, len(theta), many):
            rows = slice(begin, begin + many)
            yield rows, coupled(
                rates[rows], cells, influence[rows], values[rows], self._kernel_table(streams),
                history, rng, copies, link=self.link, scale=self.scales(streams), cap=cap,
            )  # fmt: skip


def _merged(series: EventSeries) -> dict[str, Any]:
    """All events in the order of time: times and streams."""
    times = np.concatenate(series.times)
    stream = np.repeat(np.arange(len(series.names)), [len(t) for t in series.times])
    order = np.argsort(times, kind="stable")
    return {"times": times[order], "stream": stream[order].astype(np.int64)}
