"""Severity: the law of deaths per incident."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, NoReturn, override

import numpy as np
import polars as pl

from escalation.counts.model import refuse_dynamics
from escalation.counts.periods import check_choice, vectors
from escalation.engines import NUTS, Engine, Problem
from escalation.fit import Fit, Model, pick
from escalation.kernels import OneLag
from escalation.parameters import FloatArray, Layout, Parameter
from escalation.priors import Beta, HalfNormal, LogNormal, Normal
from escalation.severity.fitted import SeverityFit
from escalation.severity.law import deaths_at
from escalation.severity.records import FIGURES, DeathRecords, IntArray, cells

TAILS = ("pareto", "none")
FIGURES_READ = ("interval", *FIGURES)
POOLING = ("stream", "shared", "partial")
#: Of the rule for the threshold: the share of the incidents that may lie beyond it.
BEYOND = 0.1


@dataclass(frozen=True)
class Severity(Model):
    r"""Deaths Y of one incident: none, or a discrete log-normal number with a Pareto tail.

    .. math::
        P(Y = 0) &= p_0

        P(Y > y) &= (1 - p_0)\,\{1 - \Phi((\log y - \mu)/\sigma)\}, \quad 1 \le y \le u

        P(Y > y) &= P(Y > u)\,\{1 + \xi (y - u)/\beta\}^{-1/\xi}, \quad y > u

    Above zero, Y is a log-normal number rounded up; what exceeds the threshold u is a generalised
    Pareto number rounded up, whose weight is that of the log-normal law beyond u. Where the tail
    index :math:`\xi` is 1 or more, **the mean is infinite**: expected deaths do not exist, only
    quantiles and probabilities do, and every table says so.

    **Low, best, high.** By default a record counts as *somewhere from its lowest to its highest
    figure*, with the probability of that interval. This is the likelihood where the width of an
    interval says nothing beyond its ends (coarsening at random); no law inside the interval is
    invented. Draws between low and high by a law of their own would put as much weight on 90 as on
    15 of an interval from 10 to 100, although many more incidents have 15 deaths, and would
    exaggerate the deaths of large incidents. ``deaths="best"`` takes the best figures as they
    stand; "low" and "high" show how much the answer depends on them.

    Attributes
    ----------
    tail : {"pareto", "none"}
        "none" leaves the log-normal law to itself.
    threshold : int or None
        u. None: the smallest whole number that at most a tenth of the incidents exceed by their
        best figures (DuMouchel 1983).
    deaths : {"interval", "best", "low", "high"}
    streams : {"stream", "shared", "partial"}
        p0, mu and sigma for each stream, or one for all; "partial" draws mu and log sigma of the
        streams from a common law, and wants NUTS.
    tails : {"shared", "stream"}
        beta and xi: one for all streams, or each its own.

    References
    ----------
    DuMouchel (1983), Annals of Statistics 11(4), for the rule; MacDonald et al. (2011),
    Computational Statistics & Data Analysis 55(6), for a body with a Pareto tail of the body's
    weight; Cirillo & Taleb (2016), Physica A 452, and Clauset (2018), Science Advances 4(2), for
    the tails of violent conflicts; Heitjan & Rubin (1991), Annals of Statistics 19(4), for
    coarsening at random.

    Examples
    --------
    >>> deaths = np.ceil(np.random.default_rng(0).lognormal(1.0, 1.0, 400))
    >>> fit = Severity(threshold=10).fit(DeathRecords.from_deaths(deaths))
    >>> fit.exceedance([10, 100]).columns[:4]
    ['stream', 'deaths', 'probability', 'lower']
    """

    tail: str = "pareto"
    threshold: int | None = None
    deaths: str = "interval"
    streams: str = "stream"
    tails: str = "shared"

    name = "severity"

    def __post_init__(self) -> None:
        check_choice("tail", self.tail, TAILS)
        check_choice("deaths", self.deaths, FIGURES_READ)
        check_choice("streams", self.streams, POOLING)
        check_choice("tails", self.tails, POOLING[:2])
        if self.threshold is not None and (self.threshold < 1 or self.threshold % 1):
            raise ValueError(f"threshold must be a whole number >= 1, got {self.threshold}")

    def parameters(self, series: DeathRecords) -> tuple[Parameter, ...]:
        """p0, mu, sigma, their spread among streams, beta, xi, in this order."""
        streams = series.n_streams
        own: Any = ((streams,), ("stream",))
        one: Any = ((), ())
        without = one if self.streams == "shared" else own
        shape, dims = own if self.streams == "stream" else one
        out = [
            Parameter("without", without[0], "unit", Beta(1.0, 2.0),
                      "probability that an incident has no deaths", "", without[1]),
            Parameter("level", shape, "real", Normal(1.0, 1.0),
                      "median of the log-normal law, on the log scale", "log deaths", dims),
            Parameter("spread", shape, "positive", LogNormal(1.0, 0.5),
                      "standard deviation of the log-normal law, on the log scale", "log ratio",
                      dims),
        ]  # fmt: skip
        if self.streams == "partial":
            for of, scale in (("level", 0.5), ("spread", 0.3)):
                said = f"standard deviation among streams of {'log ' * (of == 'spread')}{of}"
                out += [
                    Parameter(f"{of}_between", (), "nonnegative", HalfNormal(scale), said,
                              "log ratio"),
                    Parameter(f"{of}_deviation", (streams,), "real", Normal(0.0, 1.0),
                              f"deviation of the stream's {of} in such units", "", ("stream",)),
                ]  # fmt: skip
        if self.tail == "pareto":
            shape, dims = own if self.tails == "stream" else one
            out += [
                Parameter("tail_scale", shape, "positive", LogNormal(10.0, 1.0),
                          "scale of what exceeds the threshold", "deaths", dims),
                Parameter("tail_index", shape, "nonnegative", HalfNormal(0.6),
                          "tail index; infinite mean from 1 on", "", dims),
            ]  # fmt: skip
        return tuple(out)

    # Fitting -----------------------------------------------------------------------------------

    @override
    def fit(
        self,
        series: DeathRecords,
        engine: Engine | None = None,
        rng: np.random.Generator | None = None,
    ) -> SeverityFit:
        """Learn the law from records.

        Raises
        ------
        ValueError
            If the series is none of deaths or holds no record, or partial pooling is asked of
            another engine than NUTS: the joint maximum of a scale and what it multiplies means
            nothing.
        """
        if not isinstance(series, DeathRecords):
            raise ValueError(f"Severity needs DeathRecords, got {type(series).__name__}; "
                             "call DeathRecords.from_incidents(incidents, streams)")  # fmt: skip
        if not len(series):
            raise ValueError(f"Severity wants records, got none over {series.window}")
        if self.streams == "partial" and (engine is None or engine.name != NUTS.name):
            raise ValueError('streams="partial" of Severity wants NUTS')
        found = super().fit(series, engine, rng)
        return SeverityFit(**{item.name: getattr(found, item.name) for item in fields(Fit)})

    def problem(self, series: DeathRecords) -> Problem:
        """The likelihood of all records."""
        from escalation.likelihood.severity import severity

        layout = Layout(self.parameters(series))
        best = series.best.astype(float)
        mean = [max(float(best[series.stream == k].mean()), 0.1) if (series.stream == k).any()
                else 1.0 for k in range(series.n_streams)]  # fmt: skip
        kernel = OneLag()
        return Problem(
            layout=layout,
            core=severity,
            shape=kernel.lag_weights(),
            constants=kernel.lag_constants(1),
            groups=np.zeros((1, 0), np.int64),
            data=self._data(series, *self.interval(series)),
            structure=self._places(layout, series.n_streams),
            rates=np.array(mean),
            starts=self._starts(layout, series),
            resample=lambda theta, rng: self._again(series, theta, rng),
            bounds={"spread": (1e-2, 20.0), "tail_scale": (1e-2, 1e6)},
        )

    def used_threshold(self, series: DeathRecords) -> float:
        """The threshold u for these records, infinite without a Pareto tail."""
        if self.tail == "none":
            return np.inf
        if self.threshold is not None:
            return float(self.threshold)
        ordered = np.sort(series.best)
        return float(max(ordered[int(np.ceil((1 - BEYOND) * len(ordered))) - 1], 1))

    def interval(self, series: DeathRecords) -> tuple[FloatArray, FloatArray]:
        """Fewest and most deaths (N,) of each record, as `deaths` asks."""
        ends = ("low", "high") if self.deaths == "interval" else (self.deaths, self.deaths)
        low, high = (getattr(series, end).astype(float) for end in ends)
        return low, high

    def _data(self, series: DeathRecords, low: FloatArray, high: FloatArray) -> dict[str, Any]:
        names = ("stream", "low", "high", "weight")
        found = dict(zip(names, cells(series.stream, low, high), strict=True))
        return {**found, "threshold": np.array([self.used_threshold(series)])}

    def _again(
        self, series: DeathRecords, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, Any]:
        """Data simulated at one vector (p,), for the bootstrap; deaths known exactly."""
        drawn = self._anew(theta[None], series, rng)[0]
        return self._data(series, drawn, drawn)

    def _anew(
        self, theta: FloatArray, series: DeathRecords, rng: np.random.Generator
    ) -> FloatArray:
        """Deaths (n, N) of each record's incident from draws (n, p)."""
        law = self.law(theta, series)[:, series.stream]
        uniform = rng.random(law.shape[:2])
        return deaths_at(uniform, law, self.used_threshold(series))

    def _places(self, layout: Layout, streams: int) -> tuple[IntArray, IntArray]:
        """Where the parameters of each stream stand in theta; see `likelihood.severity`."""
        found = {p.name: p for p in layout.parameters}
        place = np.full((streams, 5), -1, np.int64)
        for i, name in enumerate(("without", "level", "spread", "tail_scale", "tail_index")):
            if name in found:
                step = np.arange(streams) if found[name].shape else 0
                place[:, i] = layout.start(name) + step
        pooled = np.full(4, -1, np.int64)
        if self.streams == "partial":
            names = ("level_between", "level_deviation", "spread_between", "spread_deviation")
            pooled = np.array([layout.start(name) for name in names], np.int64)
        return place, pooled

    def _starts(self, layout: Layout, series: DeathRecords) -> tuple[FloatArray, ...]:
        best = series.best.astype(float)
        some = best[best > 0] if (best > 0).any() else np.ones(1)
        # A number rounded up is about a half too large.
        logs = np.log(some - 0.5)
        none = (np.sum(best == 0) + 0.5) / (best.size + 1)
        out = []
        for index, wider in ((0.2, 1.0), (0.6, 1.5)):
            values = {p.name: np.zeros(p.shape) for p in layout.parameters}
            given = {
                "without": none, "level": logs.mean(), "spread": max(logs.std(), 0.3) * wider,
                "level_between": 0.2, "spread_between": 0.1,
                "tail_scale": max(float(np.mean(some)), 1.0), "tail_index": index,
            }  # fmt: skip
            for name, value in given.items():
                if name in values:
                    values[name] = values[name] + value
            out.append(layout.pack(values))
        return tuple(out)

    # Answers -----------------------------------------------------------------------------------

    def law(self, theta: FloatArray, series: DeathRecords) -> FloatArray:
        """Parameters (n, K, 5) of each stream from draws (n, p): p0, mu, sigma, beta, xi."""
        from escalation.likelihood.severity import of_stream

        places = self._places(Layout(self.parameters(series)), series.n_streams)
        out = np.zeros((len(theta), series.n_streams, 5))
        for row, own in zip(theta, out, strict=True):
            for k in range(series.n_streams):
                of_stream(row, *places, k, own[k])
        return out

    @override
    def pointwise(
        self, fit: Fit, theta: FloatArray | None = None, series: DeathRecords | None = None
    ) -> FloatArray:
        """Log-probability (n, N, 1) of each record, for draws (n, p); the estimate if None.

        Of other records of the same streams, where given; the threshold stays that of the fit.
        """
        from escalation.likelihood.severity import interval_log_probability

        seen, law = series or fit.series, self.law(vectors(fit, theta), fit.series)
        low, high = self.interval(seen)
        threshold = self.used_threshold(fit.series)
        found = interval_log_probability(law, np.array(seen.stream), low, high, threshold)
        return np.asarray(found[:, :, None])

    @override
    def replicate(self, fit: Fit, rng: np.random.Generator, draws: int = 100) -> FloatArray:
        """Deaths (draws, N) of the same incidents, simulated from draws of the parameters."""
        return self._anew(pick(fit.theta, draws, rng), fit.series, rng)

    @override
    def dynamics(self, fit: Fit) -> NoReturn:
        refuse_dynamics(self)

    @override
    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> NoReturn:
        raise ValueError(
            "Severity says how many die in an incident, not how many incidents come: "
            "compound(forecast, rng) turns a forecast of incidents into one of deaths"
        )

    def thresholds(
        self, series: DeathRecords, candidates: Sequence[int], engine: Engine | None = None
    ) -> pl.DataFrame:
        """The law refitted with each threshold, to see where the tail settles.

        Parameters
        ----------
        series : DeathRecords
        candidates : sequence of int
        engine : Engine, optional
            Maximum likelihood if not given.

        Returns
        -------
        polars.DataFrame
            A row a threshold (and stream, with ``tails="stream"``): threshold, incidents beyond,
            log-likelihood, tail index with 90 % interval, probability of an infinite mean.
        """
        rows = []
        for threshold in candidates:
            fit = replace(self, tail="pareto", threshold=int(threshold)).fit(series, engine)
            index = np.atleast_2d(fit.draws["tail_index"].T)
            for k, draws in enumerate(index):
                own = series.stream == k if len(index) > 1 else np.full(len(series), True)
                lower, upper = np.quantile(draws, [0.05, 0.95])
                rows.append(
                    {
                        "threshold": int(threshold),
                        **({"stream": series.names[k]} if len(index) > 1 else {}),
                        "incidents beyond": int((series.best[own] > threshold).sum()),
                        "log-likelihood": fit.log_likelihood,
                        "tail index": float(np.atleast_1d(fit.estimate["tail_index"])[k]),
                        "lower": float(lower),
                        "upper": float(upper),
                        "infinite mean": float((draws >= 1).mean()),
                    }
                )
        return pl.DataFrame(rows)
