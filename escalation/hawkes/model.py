"""The multivariate Hawkes process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from escalation.background import Background, coefficient_places
from escalation.dynamics import STABLE, Dynamics, arrow_mask, reproduction_parameter
from escalation.engines import Problem
from escalation.fit import Fit, Model, pick
from escalation.forecast import Forecast, future_edges
from escalation.hawkes.simulate import CAP, branching
from escalation.kernels import Exponential, ExponentialFamily
from escalation.parameters import FloatArray, Layout, Parameter
from escalation.series import EventSeries

#: Days that responses reach, and the step of their grid.
REACH, STEP = 182.0, 0.5


@dataclass(frozen=True)
class Hawkes(Model):
    r"""Events with a background rate and with what earlier events set off, in exact time.

    .. math:: \lambda_k(t) = b_k(t) + \sum_j R_{kj} \sum_{t_i < t,\ \kappa_i = j} g(t - t_i)

    The background is constant over each day, with season and trend taken at the day's middle. R
    counts all offspring. A tie within a stream is a delay rounded to zero; events of different
    streams at the very same time do not set one another off. The process is taken to start empty:
    events before the window leave no trace.

    Attributes
    ----------
    kernel : ExponentialFamily
        The normalised delay density g, per day.
    background : Background
    arrows : tuple of tuples of bool, optional
        ``arrows[k][j]`` is false where stream j is not followed by more of k. None: all allowed.

    References
    ----------
    Hawkes (1971), Biometrika 58(1); Ozaki (1979), Annals of the Institute of Statistical
    Mathematics 31.

    Examples
    --------
    >>> series = EventSeries.from_times([[0.4, 2.1, 2.5, 3.0, 8.2]], 0, 10)
    >>> fit = Hawkes().fit(series)
    >>> fit.dynamics().unit
    'all offspring'
    """

    kernel: ExponentialFamily = field(default_factory=Exponential)
    background: Background = field(default_factory=lambda: Background(harmonics=0))
    arrows: tuple[tuple[bool, ...], ...] | None = None

    name = "Hawkes"

    def parameters(self, series: EventSeries) -> tuple[Parameter, ...]:
        """Background, reproduction, kernel, in this order."""
        streams = len(series.names)
        background = self.background.parameters(streams, series.duration, "incidents per day")
        mask = arrow_mask(self.arrows, streams)
        reproduction = reproduction_parameter(mask, "all offspring")
        return (*background, reproduction, *self.kernel.parameters("day"))

    def problem(self, series: EventSeries) -> Problem:
        """The likelihood of exact times over the whole window.

        Raises
        ------
        ValueError
            For times known only to the day, gaps in the watch, or more than one event in ten tied
            with another of its own stream.
        """
        from escalation.likelihood.hawkes import hawkes_exponential

        self._accept(series)
        layout = Layout(self.parameters(series), STABLE)
        own = sum(p.size for p in self.kernel.parameters("day"))
        edges = self._cells(series)
        fixed = {
            "lengths": np.diff(edges),
            "design": self._design(series, edges),
            "end": np.array(series.duration),
        }
        place = np.array([layout.start("reproduction")], np.int64)

        def again(theta: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
            simulated = self.simulate(layout.unpack(theta), series, rng)
            return {**_merged(simulated, edges), **fixed}

        return Problem(
            layout=layout,
            split=layout.size - own,
            core=hawkes_exponential,
            shape=self.kernel.as_exponentials(),
            size=self.kernel.terms,
            data={**_merged(series, edges), **fixed},
            structure=(coefficient_places(layout, len(series.names)), place),
            rates=self._rates(series),
            starts=self._starts(layout, series),
            resample=again,
        )

    def simulate(
        self, values: Mapping[str, FloatArray], like: EventSeries, rng: np.random.Generator
    ) -> EventSeries:
        """A series from known parameters, over the window of another one, started empty.

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
        layout = Layout(self.parameters(like))
        theta = layout.pack(values)[None]
        edges = self._cells(like)
        background = self._background(layout, theta, self._design(like, edges), len(like.names))
        _, stream, time, stopped = branching(
            background, edges, layout.unpack(theta)["reproduction"], self.kernel,
            theta[:, layout.size - self._own() :], (), (0.0, like.duration), rng,
        )  # fmt: skip
        if stopped.any():
            raise ValueError(f"the simulated path exceeds {CAP} events; is the process explosive?")
        times = tuple(np.sort(time[stream == k]) for k in range(len(like.names)))
        return replace(like, times=times, marks=None, resolution="exact")

    def dynamics(self, fit: Fit) -> Dynamics:
        """Reproduction, shares, responses; R counts all offspring."""
        series = fit.series
        layout = Layout(fit.parameters)
        theta, reproduction = fit.theta, np.array(fit.draws["reproduction"])
        kernel = theta[:, layout.size - self._own() :]
        edges = self._cells(series)
        streams = len(series.names)
        base = np.empty((len(theta), streams))
        design = self._design(series, edges)
        for rows in np.array_split(np.arange(len(theta)), len(theta) // 100 + 1):
            background = self._background(layout, theta[rows], design, streams)
            base[rows] = np.einsum("ndk,d->nk", background, np.diff(edges))
        gone = np.stack(
            [
                self.kernel.cdf(series.duration - t[None, :], kernel[:, None, :]).sum(axis=1)
                for t in series.times
            ],
            axis=1,
        )
        by_source = reproduction * gone[:, None, :]
        own = np.einsum("nkk->nk", by_source)
        shares = np.stack([base, own, by_source.sum(axis=2) - own], axis=2)
        return Dynamics(
            reproduction=reproduction,
            shares=shares / shares.sum(axis=2, keepdims=True),
            responses=self._responses(reproduction, kernel),
            response_days=np.arange(7.0, REACH + 1, 7.0),
            names=series.names,
            unit="all offspring",
            arrows=arrow_mask(self.arrows, streams),
            delay_median=self.kernel.median(kernel),
            same_period=np.zeros(len(theta)),
        )

    def _responses(self, reproduction: FloatArray, kernel: FloatArray) -> FloatArray:
        """Expected descendants (n, H, K, K) within 7, 14, ... days.

        With one exponential the expected intensity after an event solves
        ``x' = decay (R - I) x``, ``x(0) = decay R``, whose integral is a matrix exponential.
        """
        from scipy.linalg import expm

        if self.kernel.terms != 1:
            raise NotImplementedError("responses are known for a single exponential")
        draws, streams, _ = reproduction.shape
        decay = kernel[:, 0][:, None, None]
        identity = np.broadcast_to(np.eye(streams), reproduction.shape)
        # The upper right block of expm([[A, B], [0, 0]] h) is the integral of expm(A s) B.
        block = np.zeros((draws, 2 * streams, 2 * streams))
        block[:, :streams, :streams] = decay * (reproduction - identity)
        block[:, :streams, streams:] = decay * reproduction
        weeks = int(REACH // 7)
        step = expm(block * 7.0)
        out = np.empty((draws, weeks, streams, streams))
        power = step
        for h in range(weeks):
            out[:, h] = power[:, :streams, streams:]
            power = power @ step
        return out

    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> Forecast:
        """Predictive draws in weeks after the window, by simulation from the fitted history."""
        series = fit.series
        weekly = series.counts("week")
        edges = future_edges(weekly, horizon)
        layout = Layout(fit.parameters)
        theta = pick(fit.theta, draws, rng)
        origin = np.datetime64(series.window.start, "D")
        days = (edges - origin) / np.timedelta64(1, "D")
        start = series.duration
        cells = np.concatenate([[start], np.arange(np.floor(start) + 1, days[-1] + 1)])
        background = self._background(layout, theta, self._design(series, cells), len(series.names))
        path, stream, time, stopped = branching(
            background, cells, layout.unpack(theta)["reproduction"], self.kernel,
            theta[:, layout.size - self._own() :], series.times, (start, float(days[-1])), rng,
        )  # fmt: skip
        # The first week may have begun inside the window: its events count.
        period = np.searchsorted(days, time, side="right") - 1
        out = np.zeros((draws, horizon, len(series.names)))
        np.add.at(out, (path, period, stream), 1.0)
        for k, times in enumerate(series.times):
            known = np.searchsorted(days, times[times >= days[0]], side="right") - 1
            out[:, :, k] += np.bincount(known, minlength=horizon)
        out[stopped] = np.inf
        return Forecast.after(weekly, out, model=self.name)

    def replicate(self, fit: Fit, rng: np.random.Generator, draws: int = 100) -> FloatArray:
        """Daily counts of paths from draws of the parameters, (draws, days, K)."""
        series = fit.series
        layout = Layout(fit.parameters)
        theta = pick(fit.theta, draws, rng)
        edges = self._cells(series)
        background = self._background(layout, theta, self._design(series, edges), len(series.names))
        path, stream, time, _ = branching(
            background, edges, layout.unpack(theta)["reproduction"], self.kernel,
            theta[:, layout.size - self._own() :], (), (0.0, series.duration), rng,
        )  # fmt: skip
        out = np.zeros((draws, series.window.days, len(series.names)))
        np.add.at(out, (path, np.floor(time).astype(int), stream), 1.0)
        return out

    def _accept(self, series: EventSeries) -> None:
        if not isinstance(series, EventSeries):
            raise ValueError(f"Hawkes needs an EventSeries, got {type(series).__name__}")
        if series.resolution == "day":
            raise ValueError(
                "these times are known to the day only: same-day events have no order, and the "
                "likelihood of exact times would be biased. Fit EndemicEpidemic to "
                "series.counts('week'), or give exact times with resolution='exact'"
            )
        if series.window.gaps:
            raise ValueError("Hawkes does not take gaps in the watch yet; split at the gap")
        for name, times in zip(series.names, series.times, strict=True):
            tied = int((np.diff(times) == 0).sum())
            if tied > 0.1 * len(times):
                raise ValueError(
                    f"stream {name!r}: {tied} of {len(times)} events share their time with "
                    "another; are these days? Say resolution='day'"
                )

    def _own(self) -> int:
        return sum(p.size for p in self.kernel.parameters("day"))

    def _cells(self, series: EventSeries) -> FloatArray:
        """Edges of the stretches of constant background: days, or the whole window."""
        flat = self.background.trend is None and max(
            self.background.orders(len(series.names)), default=0
        ) == 0  # fmt: skip
        if flat:
            return np.array([0.0, series.duration])
        return np.unique(np.append(np.arange(0.0, series.duration), series.duration))

    def _design(self, series: EventSeries, edges: FloatArray) -> FloatArray:
        middle = (edges[:-1] + edges[1:]) / 2
        return self.background.design(middle, series.duration)

    def _background(
        self, layout: Layout, theta: FloatArray, design: FloatArray, streams: int
    ) -> FloatArray:
        """Rates (n, D, K) per day of draws theta (n, p)."""
        coefficients = theta[:, coefficient_places(layout, streams)]
        return np.asarray(np.exp(np.einsum("dp,nkp->ndk", design, coefficients)), float)

    def _rates(self, series: EventSeries) -> FloatArray:
        return np.array([max(len(times), 0.5) for times in series.times]) / series.duration

    def _starts(self, layout: Layout, series: EventSeries) -> tuple[FloatArray, ...]:
        rate = self._rates(series)
        mask = arrow_mask(self.arrows, len(series.names))
        out = []
        for share, own, decay in ((0.5, 0.4, 1.0), (0.5, 0.4, 0.1), (0.8, 0.2, 10.0),
                                  (0.5, 0.4, 0.01)):  # fmt: skip
            values: dict[str, FloatArray] = {
                p.name: np.full(p.shape, decay if p.support == "positive" else 0.0)
                for p in layout.parameters
            }
            values["level"] = np.log(share * rate)
            cross = 0.1 / len(rate)
            values["reproduction"] = np.where(mask, cross + own * np.eye(len(rate)), 0.0)
            out.append(layout.pack(values))
        return tuple(out)


def _merged(series: EventSeries, edges: FloatArray) -> dict[str, Any]:
    """All events in the order of time: times, streams, and their stretch of background."""
    times = np.concatenate(series.times)
    stream = np.repeat(np.arange(len(series.names)), [len(t) for t in series.times])
    order = np.argsort(times, kind="stable")
    times = times[order]
    cell = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, len(edges) - 2)
    return {"times": times, "stream": stream[order].astype(np.int64), "cell": cell.astype(np.int64)}
