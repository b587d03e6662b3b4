"""Predictive checks: what a model would have made, by its prior or posterior, and what came.

A statistic of the series (quiet periods, the largest count, …) is set beside the same statistic of
series simulated from draws of the parameters.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from html import escape

import numpy as np
import polars as pl

from escalation.checks.finding import Finding, percent
from escalation.fit import Fit, Model
from escalation.parameters import BoolArray, FloatArray
from escalation.scores import pit_bounds, pit_histogram, quantile_draws
from escalation.series import CountSeries, stream_place

#: (counts (n, T, K), which periods follow their predecessor (T,)) -> (n, K).
Statistic = Callable[[FloatArray, BoolArray], FloatArray]

#: How the pair of two streams is written.
PAIR = " & "
TOGETHER = "correlation between streams"


def quiet(counts: FloatArray, follows: BoolArray) -> FloatArray:
    """Share of periods without incidents."""
    return np.asarray((counts == 0).mean(axis=1))


def largest(counts: FloatArray, follows: BoolArray) -> FloatArray:
    """Largest count."""
    return np.asarray(counts.max(axis=1))


def dispersion(counts: FloatArray, follows: BoolArray) -> FloatArray:
    """Variance over mean; 0 where nothing happened."""
    mean: FloatArray = counts.mean(axis=1)
    return np.asarray(counts.var(axis=1) / np.where(mean > 0, mean, 1.0))


def autocorrelation(counts: FloatArray, follows: BoolArray) -> FloatArray:
    """Correlation of a period's count with its predecessor's; 0 for a constant series."""
    after = np.flatnonzero(follows)
    return _correlation(counts[:, after - 1], counts[:, after])


STATISTICS: Mapping[str, Statistic] = {
    "share of quiet periods": quiet,
    "largest count": largest,
    "variance over mean": dispersion,
    "autocorrelation": autocorrelation,
}


class RanAway(ValueError):
    """No series that a fit simulates stays finite."""


@dataclass(frozen=True, eq=False)
class PredictiveCheck:
    """Statistics of a series beside those of series simulated from a fit.

    Attributes
    ----------
    kind : {"posterior", "prior"}
    statistics, streams : tuple of str
        Name and stream (or pair of streams) of each of the q figures.
    observed : ndarray (q,)
    replicated : ndarray (n, q)
        Of the simulated series that stayed below the model's cap.
    pit : ndarray (2, T, K)
        P(Y < y) and P(Y <= y) of each observed count among the simulated ones of its period; NaN
        outside the likelihood.
    names : tuple of str
        The K streams.
    runaways : float
        Share of simulated series that grew above the model's cap; they are left out of the rest.
    """

    kind: str
    statistics: tuple[str, ...]
    streams: tuple[str, ...]
    observed: FloatArray
    replicated: FloatArray
    pit: FloatArray
    names: tuple[str, ...]
    runaways: float

    @cached_property
    def p_values(self) -> FloatArray:
        """Two-sided p-value (q,) of each figure, too large rather than too small under ties.

        Twice the smaller of the shares of replicates at or above and at or below the observed
        figure, the observed one counted among them.
        """
        n = len(self.replicated)
        above = (1 + (self.replicated >= self.observed).sum(axis=0)) / (n + 1)
        below = (1 + (self.replicated <= self.observed).sum(axis=0)) / (n + 1)
        return np.asarray(np.minimum(1.0, 2 * np.minimum(above, below)))

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """A row a figure: stream, statistic, observed, replicated median, lower, upper, position.

        `position` is the share of replicates below the observed figure, ties counted half.
        """
        tails = [0.5, (1 - level) / 2, (1 + level) / 2]
        middle, lower, upper = quantile_draws(self.replicated, tails)
        below = (self.replicated < self.observed).mean(axis=0)
        ties = (self.replicated == self.observed).mean(axis=0)
        return pl.DataFrame(
            {
                "stream": self.streams,
                "statistic": self.statistics,
                "observed": self.observed,
                "replicated": middle,
                "lower": lower,
                "upper": upper,
                "position": below + ties / 2,
                "p_value": self.p_values,
            }
        )

    def rank_histogram(self, stream: str, bins: int = 10) -> FloatArray:
        """Shares (bins,) of a stream's counts by their place among the simulated ones.

        Level where the model makes what came; a U where it makes too little spread, a hump where
        too much. The periods are not independent: read the shape, not its noise.
        """
        low, high = self.pit[:, :, stream_place(self.names, stream)]
        return pit_histogram(low, high, bins)

    def finding(self) -> Finding:
        """Whether any figure is unusual, at 5 % over all of them."""
        table, total = self.table(), len(self.observed)
        odd = table.filter(pl.col("p_value") * total < 0.05)
        name = "Replicated series" if self.kind == "posterior" else "Prior against the series"
        whom = "the fit" if self.kind == "posterior" else "the prior"
        told = f" {percent(self.runaways)} of the paths ran away." if self.runaways > 0.005 else ""
        if odd.is_empty():
            what = "quiet periods, peaks, spread and memory"
            text = f"Series drawn from {whom} have the {what} of the one observed.{told}"
            return Finding(name, "passed", text, table)
        first = odd.sort("p_value").row(0, named=True)
        end = (
            "Forecasts share this fault."
            if self.kind == "posterior"
            else "The prior holds such a series for nearly impossible."
        )
        text = (
            f"{len(odd)} of {total} figures of the observed series are unusual for {whom}; most of "
            f"all the {first['statistic']} of {first['stream']}: {first['observed']:.3g}, "
            f"replicated {first['lower']:.3g} to {first['upper']:.3g}. {end}{told}"
        )
        return Finding(name, "warned", text, table)

    def __repr__(self) -> str:
        """Say how many figures are unusual."""
        odd = int((self.p_values * len(self.observed) < 0.05).sum())
        return (
            f"PredictiveCheck({self.kind}, {len(self.replicated):,} series, {odd} of "
            f"{len(self.observed)} figures unusual, {percent(self.runaways)} ran away)"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table()._repr_html_()}"


@dataclass(frozen=True, eq=False)
class PriorPredictive:
    """What the priors say before any count is seen.

    Attributes
    ----------
    check : PredictiveCheck
        The series at hand beside series drawn from the prior. It judges the prior, never the
        series: a prior chosen to fit it is no prior.
    quantiles : ndarray (len(LEVELS), K)
        Of the count of a period, all periods and draws together; a runaway path is above all.
    supercritical : float or None
        Share of draws whose branching ratio is 1 or more; None for a model without one.
    model : str
    period : str
    """

    LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95, 0.99)

    check: PredictiveCheck
    quantiles: FloatArray
    supercritical: float | None
    model: str
    period: str

    def table(self) -> pl.DataFrame:
        """Quantiles of the counts a period, a row a stream."""
        columns = {
            f"{100 * q:g} %": row for q, row in zip(self.LEVELS, self.quantiles, strict=True)
        }
        return pl.DataFrame({"stream": self.check.names, **columns})

    def finding(self) -> Finding:
        """Whether explosive paths are rare under the prior: under 1 % of the draws."""
        share, name = self.check.runaways, "Prior paths"
        text = f"{100 * share:.1f} % of the series drawn from the prior run away"
        if self.supercritical is not None:
            text += f", {100 * self.supercritical:.1f} % have a branching ratio of 1 or more"
        worst = max(share, self.supercritical or 0.0)
        return Finding(name, "passed" if worst < 0.01 else "warned", f"{text}.", self.table())

    def __repr__(self) -> str:
        """Say what a period's count may be, and how many paths explode."""
        ends = self.quantiles[[self.LEVELS.index(0.05), self.LEVELS.index(0.95)]]
        spans = "; ".join(
            f"{low:g} to {high:g} ({name})"
            for name, low, high in zip(self.check.names, *ends, strict=True)
        )
        above = "" if self.supercritical is None else (
            f"{100 * self.supercritical:.1f} % of draws supercritical, "
        )  # fmt: skip
        return (
            f"PriorPredictive({self.model}; 90 % of counts a {self.period}: {spans}; {above}"
            f"{100 * self.check.runaways:.1f} % of paths ran away)"
        )

    def _repr_html_(self) -> str:
        tables = self.table()._repr_html_() + self.check.table()._repr_html_()
        return f"<p>{escape(repr(self))}</p>{tables}"


def predictive_check(
    fit: Fit,
    rng: np.random.Generator | None = None,
    draws: int = 1000,
    statistics: Mapping[str, Statistic] = STATISTICS,
) -> PredictiveCheck:
    """Compare a series with others simulated from its fit.

    Parameters
    ----------
    fit : Fit
        Of a count model; each simulated series has its own draw of the parameters.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given.
    draws : int
        Number of simulated series.
    statistics : mapping of str to callable
        (counts (n, T, K), which periods (T,) follow their predecessor) -> (n, K).

    References
    ----------
    Gelman, Meng & Stern (1996), Statistica Sinica 6. Its p-values are conservative: the parameters
    have seen the series.
    """
    series = fit.series
    if not isinstance(series, CountSeries):
        raise ValueError(f"predictive checks need a CountSeries, got {type(series).__name__}")
    rng = np.random.default_rng(0) if rng is None else rng
    used = likelihood_periods(fit)
    copies = fit.replicate(rng, draws)
    stayed = np.isfinite(copies).all(axis=(1, 2))
    if not stayed.any():
        raise RanAway("every simulated series ran away: there is nothing to compare")
    pit = np.full((2, *series.counts.shape), np.nan)
    pit[:, used] = pit_bounds(copies[:, used], series.counts[used])
    follows = (used & np.concatenate([[False], used[:-1]]))[used]
    seen, made = series.counts[None, used].astype(float), copies[stayed][:, used]
    labels = [(what, stream) for what in statistics for stream in series.names]
    observed = [one(seen, follows)[0] for one in statistics.values()]
    replicated = [one(made, follows) for one in statistics.values()]
    if series.n_streams > 1:
        first, second = np.triu_indices(series.n_streams, 1)
        labels += [
            (TOGETHER, series.names[i] + PAIR + series.names[j])
            for i, j in zip(first, second, strict=True)
        ]
        observed.append(_correlation(seen[..., first], seen[..., second])[0])
        replicated.append(_correlation(made[..., first], made[..., second]))
    return PredictiveCheck(
        kind="prior" if fit.engine == PRIOR else "posterior",
        statistics=tuple(what for what, _ in labels),
        streams=tuple(stream for _, stream in labels),
        observed=np.concatenate(observed),
        replicated=np.concatenate(replicated, axis=1),
        pit=pit,
        names=series.names,
        runaways=float(1 - stayed.mean()),
    )


#: The engine of a fit whose draws come from the prior alone.
PRIOR = "prior"


def prior_fit(
    model: Model, series: CountSeries, rng: np.random.Generator | None = None, draws: int = 1000
) -> Fit:
    """The model with draws from its prior, which has seen no count: it replicates and forecasts.

    Parameters
    ----------
    model : Model
    series : CountSeries
        Gives periods, names and the counts before the first period of the likelihood.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given.
    draws : int
    """
    rng = np.random.default_rng(0) if rng is None else rng
    problem = model.problem(series)
    values = problem.layout.sample_prior(rng, draws)
    middle = {name: np.median(value, axis=0) for name, value in values.items()}
    at = float(problem.evaluate(problem.layout.pack(middle))[0])
    return Fit(model, series, values, middle, at, {"converged": True}, PRIOR)


def prior_predictive(
    model: Model, series: CountSeries, rng: np.random.Generator | None = None, draws: int = 1000
) -> PriorPredictive:
    """What the priors say of counts, paths and statistics, before data.

    Parameters
    ----------
    model : Model
    series : CountSeries
        Gives the periods, and what is set beside the prior in the table; no prior is fitted.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given.
    draws : int
    """
    rng = np.random.default_rng(0) if rng is None else rng
    fit = prior_fit(model, series, rng, draws)
    used = likelihood_periods(fit)
    copies = fit.replicate(rng, draws)[:, used]
    whole = quantile_draws(copies.reshape(-1, series.n_streams), PriorPredictive.LEVELS)
    supercritical = None
    if getattr(model, "additive", True):
        supercritical = fit.dynamics().supercritical
    return PriorPredictive(
        check=predictive_check(fit, rng, draws),
        quantiles=whole,
        supercritical=supercritical,
        model=model.name,
        period=series.period,
    )


def likelihood_periods(fit: Fit) -> BoolArray:
    """Which periods (T,) are in the likelihood of a fit."""
    return np.asarray(~np.isnan(fit.model.pointwise(fit)[0]).all(axis=1))


def _correlation(first: FloatArray, second: FloatArray) -> FloatArray:
    """Correlation along axis 1 of (n, T, K) arrays, 0 where one of them is constant: (n, K)."""
    x = first - first.mean(axis=1, keepdims=True)
    y = second - second.mean(axis=1, keepdims=True)
    size = np.sqrt((x * x).sum(axis=1) * (y * y).sum(axis=1))
    return np.asarray((x * y).sum(axis=1) / np.where(size > 0, size, 1.0))
