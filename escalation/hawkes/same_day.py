"""Whether more incidents fall on the same day than excitation explains."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from escalation.hawkes.inference import Progress, exceeded, simulated_series
from escalation.hawkes.intensity import Intensity, require_additive
from escalation.kernels import Exponential
from escalation.parameters import FloatArray, Layout

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from escalation.fit import Fit
    from escalation.hawkes.model import Hawkes
    from escalation.series import EventSeries

#: Level of the test, all streams together.
LEVEL = 0.05
#: Days with two incidents or more, below which nothing is said.
FEW = 10
#: Scoring steps, and the rise of the log-likelihood at which they end.
STEPS, RISE = 30, 1e-4


@dataclass(frozen=True, eq=False)
class SameDayTest:
    """More incidents of a stream on one day than the model allows.

    Coordinated attacks, and coders who split one incident in several, put incidents on the same
    day that did not set one another off. A fitted kernel takes them for very fast offspring, as
    far as it can; but then the days after should be busier too.

    Attributes
    ----------
    names : tuple of str
    statistic : ndarray (K,)
        Standard normal under the model, large where incidents are doubled; NaN where fewer than
        ten days have two incidents or more.
    p_values : ndarray (K,)
        One-sided.
    doubled : ndarray (K,)
        Rough estimate of the share of incidents that come with a copy, at least zero.
    method : str
        How the p-values were found.
    samples : int
    """

    names: tuple[str, ...]
    statistic: FloatArray
    p_values: FloatArray
    doubled: FloatArray
    method: str
    samples: int = 0

    @property
    def p_value(self) -> float:
        """Of no doubling in any stream (Bonferroni); 1 where nothing can be said."""
        known = self.p_values[np.isfinite(self.p_values)]
        return float(min(1.0, known.min() * len(known))) if len(known) else 1.0

    @property
    def flagged(self) -> bool:
        """Whether the same day holds more than the model allows, at the level of 5 %."""
        return self.p_value < LEVEL

    @property
    def text(self) -> str:
        """The result in a sentence."""
        if not np.isfinite(self.p_values).any():
            return "Too few days with several incidents to say whether they come in batches."
        k = int(np.nanargmin(self.p_values))
        p = f"p {self.p_value:.3f}" if self.p_value >= 0.001 else "p below 0.001"
        if self.flagged:
            return (
                f"More same-day incidents of {self.names[k]} than the model allows ({p}): as if "
                f"{100 * self.doubled[k]:.0f} % came with a copy. Take a day's incidents as one "
                "marked event (batches=True), or look for split records."
            )
        return f"No more same-day incidents than the model allows ({p})."

    def table(self) -> pl.DataFrame:
        """A row a stream: statistic, p-value, share that comes with a copy."""
        return pl.DataFrame(
            {
                "stream": list(self.names),
                "statistic": self.statistic,
                "p_value": self.p_values,
                "doubled": self.doubled,
            }
        ).with_columns(pl.selectors.float().fill_nan(None))

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.text)}</p>{self.table()._repr_html_()}"


def same_day_test(
    fit: Fit,
    rng: np.random.Generator | None = None,
    samples: int = 0,
    progress: Progress | None = None,
) -> SameDayTest:
    r"""Test whether incidents come doubled, against the daily counts that a fit allows.

    Score test of a probability that each incident is written down twice. Of each stream the level,
    R of its own past and the decay are estimated anew from its daily counts by the day filter, the
    effect of the other streams taken from the fit; the score of doubling is then freed of what
    those three explain by a regression on their daily scores, which are martingale differences
    (Wooldridge 1990, Econometric Theory 6(1)).

    The filter has one exponential. For another kernel, whose own fast offspring would be taken for
    doubles, the p-value is the share of series simulated from the fit with as large a statistic.

    Parameters
    ----------
    fit : Fit
        Of an additive `Hawkes` model; exact times are counted by day.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given.
    samples : int
        Series to simulate; 0 takes the normal law, but 99 for a kernel that is no exponential.
    progress : callable, optional
        Told (done, samples) after each series.

    Raises
    ------
    ValueError
        If the model is not additive.
    """
    model: Hawkes = fit.model  # type: ignore[assignment]
    require_additive(model)
    rng = np.random.default_rng(0) if rng is None else rng
    if samples == 0 and not isinstance(model.kernel, Exponential):
        samples = 99
    statistic, doubled = _statistics(model, fit.series, fit.estimate)
    found = SameDayTest(
        fit.series.names, statistic, _upper_tail(statistic), doubled, "normal law of the score"
    )
    if samples == 0:
        return found
    again = []
    for done, series in enumerate(simulated_series(model, fit.estimate, fit.series, samples, rng)):
        if progress is not None:
            progress(done + 1, samples)
        if series is not None:
            again.append(_statistics(model, series, fit.estimate)[0])
    return replace(
        found,
        p_values=exceeded(statistic, np.nan_to_num(np.array(again), nan=-np.inf)),
        method=f"{len(again)} series simulated from the fit",
        samples=len(again),
    )


def _statistics(
    model: Hawkes, series: EventSeries, values: Mapping[str, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """Statistic and share of doubles (K,) of each stream."""
    if model.batches:
        # A day's batch is one event already.
        series = model.prepared(series)
    counts, rates = daily_counts(series), daily_rates(model, series, values)
    own, decay = own_excitation(model, series, values)
    watched = series.window.mask().astype(float)
    found = [
        _score(counts[:, k], rates[:, k], watched, own[k], decay[k])
        for k in range(len(series.names))
    ]
    return np.array([one[0] for one in found]), np.array([one[1] for one in found])


def daily_counts(series: EventSeries) -> FloatArray:
    """Incidents (D, K) of each day and stream."""
    days = series.window.days
    counts = [
        np.bincount(np.minimum(np.floor(t).astype(int), days - 1), minlength=days)
        for t in series.times
    ]
    return np.stack(counts, axis=1).astype(float)


def daily_rates(model: Hawkes, series: EventSeries, values: Mapping[str, FloatArray]) -> FloatArray:
    """Expected incidents (D, K) of each day but for those that the stream's own past sets off.

    Other streams' incidents of the very day count, at its middle where times are known to the day.
    """
    if series.resolution == "day":
        middle = tuple(times + 0.5 for times in series.times)
        series = replace(series, times=middle, resolution="exact")
    intensity = replace(Intensity.of(model, series, values), gaps=np.zeros((0, 2)))
    edges = np.minimum(np.arange(series.window.days + 1.0), series.duration)
    out = np.empty((len(edges) - 1, len(series.names)))
    for k in range(len(series.names)):
        parts = np.diff(intensity.compensator(edges, k), axis=0)
        out[:, k] = parts.sum(axis=1) - parts[:, 1 + k]
    return np.maximum(out, 1e-12)


def own_excitation(
    model: Hawkes, series: EventSeries, values: Mapping[str, FloatArray]
) -> tuple[FloatArray, FloatArray]:
    """R of each stream's own past (K,), the mean of the eras, and the decay of its median delay."""
    streams = len(series.names)
    matrix = np.asarray(values["reproduction"], float)
    own = np.diagonal(matrix, axis1=-2, axis2=-1).reshape(-1, streams).mean(axis=0)
    layout = Layout(model.parameters(series))
    theta = model.kernel_draws(layout, layout.pack(values)[None], streams)[0]
    delay = model.bound_kernel(series).median(theta)[np.diag(model.kernel_groups(streams))]
    return own, np.log(2) / np.clip(delay, 0.01, series.duration / 4)


def _score(
    counts: FloatArray, rates: FloatArray, watched: FloatArray, reach: float, decay: float
) -> tuple[float, float]:
    """Statistic and share of doubles of one stream's counts."""
    from escalation.likelihood.day_series import time_grid
    from escalation.likelihood.same_day import daily_steps

    counts = np.where(watched > 0, counts, 0.0)
    if (counts > 1).sum() < FEW:
        return np.nan, np.nan
    grid = time_grid(int(counts.max()))

    def steps(x: FloatArray) -> FloatArray:
        level, own, speed = np.exp(x)
        out: FloatArray = daily_steps(own, speed, level * rates, counts, watched, *grid, True)
        return out

    x = np.log([1.0, max(reach, 0.02), decay])
    limits = np.log([[1e-3, 1e3], [1e-4, 5.0], [1e-3, 50.0]])
    for _ in range(STEPS):
        scores = _slopes(steps, x)
        value = steps(x)[:, 0].sum()
        step = np.linalg.lstsq(scores.T @ scores + 1e-6 * np.eye(3), scores.sum(axis=0))[0]
        step = np.clip(step, -0.7, 0.7)
        for _ in range(8):
            trial = np.clip(x + step, limits[:, 0], limits[:, 1])
            rise = steps(trial)[:, 0].sum() - value
            if rise > 0:
                break
            step /= 2
        else:
            break
        x = trial
        if rise < RISE:
            break
    doubling = steps(x)[:, 4]
    scores = _slopes(steps, x)
    explained = scores @ np.linalg.lstsq(scores, doubling)[0]
    information = float(((doubling - explained) ** 2).sum())
    total = float((doubling - explained).sum())
    if information <= 0:
        return np.nan, np.nan
    return total / np.sqrt(information), float(np.clip(total / information, 0.0, 1.0))


def _slopes(
    steps: Callable[[FloatArray], FloatArray], x: FloatArray, step: float = 1e-4
) -> FloatArray:
    """Daily scores (D, 3) by central differences."""
    out = []
    for i in range(len(x)):
        move = step * (np.arange(len(x)) == i)
        out.append((steps(x + move)[:, 0] - steps(x - move)[:, 0]) / (2 * step))
    return np.stack(out, axis=1)


def _upper_tail(statistic: FloatArray) -> FloatArray:
    from scipy.special import ndtr

    return np.asarray(ndtr(-statistic), float)
