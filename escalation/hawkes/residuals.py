"""Residuals: what is left of the events once the fitted rate is taken out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.hawkes.inference import Progress, bootstrap, exceeded
from escalation.hawkes.intensity import Intensity
from escalation.hawkes.same_day import daily_counts, daily_rates, own_excitation
from escalation.parameters import FloatArray

if TYPE_CHECKING:
    from escalation.fit import Fit
    from escalation.hawkes.model import Hawkes
    from escalation.hawkes.nonlinear import NonlinearHawkes
    from escalation.series import EventSeries

IntArray = NDArray[np.int64]

#: Blocks of time that residual counts are summed over.
BLOCKS = 24
#: Days simulated for the law of a count, where it has no closed form.
PATHS = 400
#: Fewer increments than this say nothing.
FEW = 5


@dataclass(frozen=True, eq=False)
class Residuals:
    r"""What the events of a series leave once the fitted rate is taken out.

    Of exact times: the increments of the compensator between a stream's events,
    :math:`\int \lambda_k(t)\,dt`, which are independent and exponential with mean one if the model
    is right (time rescaling; Ogata 1988, Journal of the American Statistical Association 83). Of
    times known to the day: minus the log of one minus the randomised probability integral
    transform of each day's count given the days before (Brockwell 2007, Statistics & Probability
    Letters 77), which then are so too.

    Attributes
    ----------
    names : tuple of str
    increments : tuple of K ndarray
        Exponential with mean one under the model.
    kolmogorov_smirnov, anderson_darling : ndarray (K,)
        Distances of the increments from that law; NaN with fewer than five.
    p_kolmogorov_smirnov, p_anderson_darling : ndarray (K,)
        Shares of series simulated from the fit, the model refitted to each, that lie as far off:
        so they allow for the estimated parameters. NaN where none were simulated.
    p_value : float
        Of both distances of all streams together: how often the smallest of their p-values is as
        small in the simulated series.
    edges : ndarray (B + 1,)
        Blocks of time, days since the start of the window.
    observed, expected : ndarray (B, K)
        Events in each block, and the integral of the fitted rate over it.
    kind : {"exact", "day"}
    samples, failures : int
        Series simulated for the p-values, and those that could not be fitted.
    """

    names: tuple[str, ...]
    increments: tuple[FloatArray, ...]
    kolmogorov_smirnov: FloatArray
    anderson_darling: FloatArray
    p_kolmogorov_smirnov: FloatArray
    p_anderson_darling: FloatArray
    edges: FloatArray
    observed: FloatArray
    expected: FloatArray
    kind: str = "exact"
    samples: int = 0
    failures: int = 0
    p_value: float = float("nan")

    @classmethod
    def of(
        cls,
        names: tuple[str, ...],
        increments: tuple[FloatArray, ...],
        edges: FloatArray,
        observed: FloatArray,
        expected: FloatArray,
        kind: str,
    ) -> Residuals:
        """Residuals with their distances, p-values still to come."""
        distances = np.array([exponential_distances(one) for one in increments])
        unknown = np.full(len(names), np.nan)
        return cls(
            names, increments, distances[:, 0], distances[:, 1], unknown, unknown.copy(),
            edges, observed, expected, kind,
        )  # fmt: skip

    @property
    def standardised(self) -> FloatArray:
        """Observed minus expected over the root of the expected, (B, K); NaN without any."""
        with np.errstate(invalid="ignore", divide="ignore"):
            out = (self.observed - self.expected) / np.sqrt(self.expected)
        return np.where(self.expected > 1e-12, out, np.nan)

    def quantiles(
        self, stream: int, level: float = 0.9
    ) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
        """Points of a QQ plot: expected, sorted increments, and the ends of a pointwise band.

        The band holds each order statistic of exponential increments with the given probability;
        it does not allow for the estimated parameters, which make it a little wide.
        """
        from scipy.special import betaincinv

        increments = np.sort(self.increments[stream])
        n = len(increments)
        rank = np.arange(1, n + 1)
        expected = -np.log1p(-(rank - 0.5) / n) if n else np.zeros(0)
        tail = (1 - level) / 2
        lower, upper = (
            -np.log1p(-betaincinv(rank, n + 1 - rank, q)) if n else np.zeros(0)
            for q in (tail, 1 - tail)
        )
        return expected, increments, np.asarray(lower), np.asarray(upper)

    def table(self) -> pl.DataFrame:
        """A row a stream: increments, their mean, both distances with their p-values."""
        return pl.DataFrame(
            {
                "stream": list(self.names),
                "increments": [len(one) for one in self.increments],
                "mean": [float(one.mean()) if len(one) else None for one in self.increments],
                "kolmogorov_smirnov": self.kolmogorov_smirnov,
                "p_kolmogorov_smirnov": self.p_kolmogorov_smirnov,
                "anderson_darling": self.anderson_darling,
                "p_anderson_darling": self.p_anderson_darling,
            }
        ).with_columns(pl.selectors.float().fill_nan(None))

    def __repr__(self) -> str:
        """Say the streams, the kind and the smallest p-value."""
        told = "no p-values" if np.isnan(self.p_value) else f"p {self.p_value:.3f} in all"
        return f"Residuals({', '.join(self.names)}; {self.kind} times; {told})"

    def _repr_html_(self) -> str:
        def cell(value: object) -> str:
            return f"{value:.3f}" if isinstance(value, float) else escape(str(value))

        table = self.table()
        head = "".join(f"<th>{escape(name.replace('_', ' '))}</th>" for name in table.columns)
        rows = "".join(
            "<tr>" + "".join(f"<td>{'' if v is None else cell(v)}</td>" for v in row) + "</tr>"
            for row in table.iter_rows()
        )
        return (
            f"<p>{escape(repr(self))}</p><table><thead><tr>{head}</tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )


def residuals(
    fit: Fit,
    rng: np.random.Generator | None = None,
    samples: int = 0,
    progress: Progress | None = None,
    refit: bool = True,
) -> Residuals:
    """Residuals of a fitted Hawkes process at its estimate.

    Parameters
    ----------
    fit : Fit
    rng : numpy.random.Generator, optional
        Of the bootstrap, and of the randomised transform of counts; seeded with 0 if not given.
    samples : int
        Series to simulate for the p-values; 99 tells 1 %. With 0 the p-values are NaN.
    progress : callable, optional
        Told (done, samples) after each simulated series.
    refit : bool
        Fit the model to each simulated series, which the p-values want to be right. Without it
        they are too large, a little so where there are many events for each parameter, but come
        at once where a fit takes long.

    Notes
    -----
    The compensator of a process with a link is a quadrature of 56 nodes between events, finer
    after each: its relative error is below 1e-6 for delays above a thousandth of the waits.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    found = residuals_at(fit.model, fit.series, fit.estimate, rng)  # type: ignore[arg-type]
    if samples == 0:
        return found

    def distances(series: EventSeries, values: Mapping[str, FloatArray]) -> FloatArray:
        known = values if refit else fit.estimate
        again = residuals_at(fit.model, series, known, rng)  # type: ignore[arg-type]
        return np.stack([again.kolmogorov_smirnov, again.anderson_darling])

    replicated, failures = bootstrap(fit, distances, samples, rng, progress, refit)
    observed = np.stack([found.kolmogorov_smirnov, found.anderson_darling])
    p_values = exceeded(observed, replicated)
    return replace(
        found,
        p_kolmogorov_smirnov=p_values[0],
        p_anderson_darling=p_values[1],
        samples=len(replicated),
        failures=failures,
        p_value=_together(observed, replicated),
    )


def _together(observed: FloatArray, replicated: FloatArray) -> float:
    """P-value of the smallest p-value of distances (2, K), given those of simulated series."""
    known = np.isfinite(observed)
    if not known.any() or not len(replicated):
        return float("nan")
    every = np.nan_to_num(np.concatenate([observed[None], replicated])[:, known], nan=0.0)
    # Ranks from above, each series among all of them.
    smallest = np.array([(every >= row).sum(axis=0).min() for row in every])
    return float((smallest <= smallest[0]).mean())


def residuals_at(
    model: Hawkes, series: EventSeries, values: Mapping[str, FloatArray], rng: np.random.Generator
) -> Residuals:
    """Residuals of a series under a model with given parameters, without p-values."""
    if not getattr(model, "additive", True):
        return _linked(model, series, values)  # type: ignore[arg-type]
    series = model.prepared(series)
    if series.resolution == "day":
        return _daily(model, series, values, rng)
    begin = model.warmup
    edges = np.linspace(begin, series.duration, BLOCKS + 1)
    intensity = Intensity.of(model, series, values)
    increments, observed, expected = [], [], []
    for k, times in enumerate(series.times):
        passed = intensity.at_events(k)[1].sum(axis=1)[times >= begin]
        increments.append(np.diff(passed, prepend=0.0))
        observed.append(np.histogram(times, edges)[0])
        expected.append(np.diff(intensity.compensator(edges, k).sum(axis=1)))
    return Residuals.of(
        series.names, tuple(increments), edges, np.array(observed, float).T, np.array(expected).T,
        "exact",
    )  # fmt: skip


def _linked(
    model: NonlinearHawkes, series: EventSeries, values: Mapping[str, FloatArray]
) -> Residuals:
    """Of a process with a link: the rate is integrated by quadrature between events."""
    frame = without_link(model)
    linear = {**values, "reproduction": values["influence"]}
    parts = Intensity.of(frame, series, linear)
    scales = model.scales(len(series.names))
    edges = np.linspace(0.0, series.duration, BLOCKS + 1)
    breaks = np.unique(np.concatenate([*series.times, parts.edges, parts.gaps.ravel(), edges]))
    query, weight = _between(breaks)
    middle = (breaks[:-1] + breaks[1:]) / 2
    watched = ~((middle[:, None] > parts.gaps[:, 0]) & (middle[:, None] < parts.gaps[:, 1])).any(1)
    increments, observed, expected = [], [], []
    for k, times in enumerate(series.times):
        terms = parts.rate(query.ravel(), k)
        rate = linked_rate(model.link, terms, float(scales[k])).reshape(query.shape)
        passed = np.append(0.0, np.cumsum((rate * weight).sum(axis=1) * watched))
        increments.append(np.diff(passed[np.searchsorted(breaks, times)], prepend=0.0))
        observed.append(np.histogram(times, edges)[0])
        expected.append(np.diff(passed[np.searchsorted(breaks, edges)]))
    return Residuals.of(
        series.names, tuple(increments), edges, np.array(observed, float).T, np.array(expected).T,
        "exact",
    )  # fmt: skip


def without_link(model: NonlinearHawkes) -> Hawkes:
    """The linear process with the terms of one with a link."""
    from escalation.hawkes.model import Hawkes

    return Hawkes(model.kernel, model.background, model.arrows, model.kernel_per)


def linked_rate(link: str, terms: FloatArray, scale: float) -> FloatArray:
    """Rate (q,) of a process with a link from background and influences (q, 1 + K)."""
    background, influence = terms[:, 0], terms[:, 1:].sum(axis=1)
    if link == "exp":
        return np.asarray(background * np.exp(influence))
    predictor = background + scale * np.log(-np.expm1(-background / scale)) + influence
    return np.asarray(scale * np.logaddexp(0.0, predictor / scale))


def _between(breaks: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Nodes and weights (m, n) of a quadrature over each stretch, finer towards its start."""
    nodes, weights = np.polynomial.legendre.leggauss(8)
    # Panels that grow by four: a rate that falls within a hundredth of the stretch is followed.
    ends = np.append(0.0, 4.0 ** np.arange(-6, 1))
    unit = (ends[:-1, None] + np.diff(ends)[:, None] * (1 + nodes) / 2).ravel()
    share = (np.diff(ends)[:, None] * weights / 2).ravel()
    length = np.diff(breaks)[:, None]
    return breaks[:-1, None] + length * unit, length * share


def _daily(
    model: Hawkes, series: EventSeries, values: Mapping[str, FloatArray], rng: np.random.Generator
) -> Residuals:
    """Of daily counts given the days before."""
    counts = daily_counts(series)
    below, chance, mean = _laws(model, series, values, counts, rng)
    watched = series.window.mask()
    edges = np.linspace(0, len(counts), BLOCKS + 1).round()
    block = np.clip(np.searchsorted(edges, np.arange(len(counts)), side="right") - 1, 0, BLOCKS - 1)
    increments = []
    observed, expected = np.zeros((2, BLOCKS, len(series.names)))
    for k in range(len(series.names)):
        transform = below[watched, k] + rng.random(int(watched.sum())) * chance[watched, k]
        increments.append(-np.log1p(-np.clip(transform, 0.0, 1 - 1e-12)))
        observed[:, k] = np.bincount(block[watched], counts[watched, k], BLOCKS)
        expected[:, k] = np.bincount(block[watched], mean[watched, k], BLOCKS)
    return Residuals.of(
        series.names, tuple(increments), edges, observed, expected, "day"
    )  # fmt: skip


def _laws(
    model: Hawkes,
    series: EventSeries,
    values: Mapping[str, FloatArray],
    counts: FloatArray,
    rng: np.random.Generator,
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Probability of less than each day's count, of that count, and its mean, (D, K) each.

    A closed form of one stream with one exponential; else by simulated days, among whose counts
    the count itself has a rank that is uniform, ties at random.
    """
    from escalation.hawkes.day_coded import closed_form, day_problem

    if not closed_form(model, series):
        from escalation.likelihood.day_predict import day_predictions

        problem = day_problem(model, series)
        theta = problem.layout.pack(values)
        said = day_predictions(
            theta, problem.kernels(theta)[0], *problem.data.values(), *problem.structure, PATHS,
            rng,
        )  # fmt: skip
        tied = (said[..., 1] - said[..., 0]) * PATHS
        return said[..., 0] * PATHS / (PATHS + 1), (tied + 1) / (PATHS + 1), said[..., 2]
    from escalation.likelihood.day_series import time_grid
    from escalation.likelihood.same_day import daily_steps

    watched = series.window.mask()
    own, decay = own_excitation(model, series, values)
    seen = np.where(watched, counts[:, 0], 0.0)
    steps = daily_steps(
        float(own[0]), float(decay[0]), daily_rates(model, series, values)[:, 0], seen,
        watched.astype(float), *time_grid(int(seen.max(initial=0))), model.start == "stationary",
    )  # fmt: skip
    return steps[:, 1:2], np.exp(steps[:, :1]), steps[:, 2:3]


def exponential_distances(increments: FloatArray) -> tuple[float, float]:
    """Kolmogorov-Smirnov and Anderson-Darling distances from the exponential law of mean one.

    NaN with fewer than five increments.
    """
    n = len(increments)
    if n < FEW:
        return np.nan, np.nan
    waits = np.sort(increments)
    below = -np.expm1(-waits)
    rank = np.arange(1, n + 1)
    gap = max(float((rank / n - below).max()), float((below - (rank - 1) / n).max()))
    # log(1 - F) is minus the increment itself; ties of rounded times give increments of zero.
    log_below = np.log(np.maximum(below, 1e-300))
    squared = -n - float(((2 * rank - 1) * (log_below - waits[::-1])).sum()) / n
    return gap, squared
