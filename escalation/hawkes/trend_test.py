"""Whether what looks like excitation is a slow change of the background: the trap of coal."""

from __future__ import annotations

from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from escalation.engines.ascent import climb
from escalation.engines.objective import Objective
from escalation.hawkes.exact import watched_spans
from escalation.hawkes.inference import Progress, exceeded, simulated_series
from escalation.hawkes.intensity import Intensity, require_additive
from escalation.parameters import FloatArray, Layout

if TYPE_CHECKING:
    from escalation.fit import Fit
    from escalation.hawkes.model import Hawkes
    from escalation.series import EventSeries

#: Level of the test, all streams together.
LEVEL = 0.05
#: A share of the incidents that is set off under the one background and not under the other, and
#: at which the excitation is not identified, whatever the likelihoods.
SHIFT = 0.25
#: Standard deviation of the trend's coefficients in both fits: wide, so that none is held back.
LOOSE = 10.0


@dataclass(frozen=True, eq=False)
class TrendTest:
    """A fitted background against a more flexible one.

    A constant background takes a slow rise for excitation: the delay becomes long, R large. Two
    things tell. The likelihood with a trend is higher: a test of its size. Or it is not, because
    excitation with a delay as long as the window does as well as the trend; then the share of the
    incidents that is set off falls once a trend is allowed, and nothing tells which it is.

    Attributes
    ----------
    names : tuple of str
    statistic : ndarray (K,)
        Twice the rise of each stream's log-likelihood; the whole of it in every entry for times
        known to the day, whose likelihood does not split by stream.
    degrees : int
        Coefficients that each statistic is about.
    p_value : float
        Of no change in any stream.
    set_off, set_off_flexible : ndarray (K,)
        Share of each stream's incidents that is not background, under either.
    method : str
        How the p-value was found.
    samples, failures : int
    """

    names: tuple[str, ...]
    statistic: FloatArray
    degrees: int
    p_value: float
    set_off: FloatArray
    set_off_flexible: FloatArray
    method: str
    samples: int = 0
    failures: int = 0

    @property
    def shift(self) -> FloatArray:
        """Share (K,) of the incidents that moves from excitation to the background."""
        return self.set_off - self.set_off_flexible

    @property
    def flagged(self) -> bool:
        """Whether the background is too stiff, or excitation not identified apart from it."""
        return bool(self.p_value < LEVEL or np.nan_to_num(self.shift).max() > SHIFT)

    @property
    def text(self) -> str:
        """The result in a sentence or two."""
        if np.isnan(self.shift).all():
            return "No incidents, so nothing can be said of the background's trend."
        k = int(np.nanargmax(self.shift))
        moved = (
            f"of the incidents of {self.names[k]} {100 * self.set_off[k]:.0f} % are set off by "
            f"others, with a more flexible background {100 * self.set_off_flexible[k]:.0f} %"
        )
        told = f"p {self.p_value:.3f}, {self.method}" if self.p_value >= 0.001 else "p below 0.001"
        if self.p_value < LEVEL:
            return f"The background changes more than the model allows ({told}): {moved}."
        if self.flagged:
            return (
                f"The likelihood does not ask for a more flexible background ({told}), but does "
                f"as well with it: {moved}. Excitation is not identified apart from a trend."
            )
        return f"No sign of a background that the model is too stiff for ({told}): {moved}."

    def table(self) -> pl.DataFrame:
        """A row a stream: statistic, shares set off under either background, shift."""
        return pl.DataFrame(
            {
                "stream": list(self.names),
                "statistic": self.statistic,
                "set_off": self.set_off,
                "set_off_flexible": self.set_off_flexible,
                "shift": self.shift,
            }
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(self.text)}</p>{self.table()._repr_html_()}"


def trend_test(
    fit: Fit,
    rng: np.random.Generator | None = None,
    samples: int = 0,
    progress: Progress | None = None,
) -> TrendTest:
    r"""Compare a fit with one whose background has a trend, or one of half the knot spacing.

    The trend added to a background without one is a cubic over the window, three coefficients a
    stream. Slow trends and stationary excitation are orthogonal, so that the statistic is about
    :math:`\chi^2_3`, also where there is no excitation; with a delay that is not short against
    the window it is larger, and the bootstrap (`samples`) keeps the size.

    Parameters
    ----------
    fit : Fit
        Of a `Hawkes` model.
    rng : numpy.random.Generator, optional
        Of the bootstrap; seeded with 0 if not given.
    samples : int
        Series simulated from the fit, both models refitted to each; 0 takes the chi-square.
    progress : callable, optional
        Told (done, samples) after each series.

    Raises
    ------
    ValueError
        If the model is not additive.

    References
    ----------
    Filimonov & Sornette (2015), Quantitative Finance 15(8), on the trap.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    model: Hawkes = fit.model  # type: ignore[assignment]
    require_additive(model)
    pair = _Backgrounds.of(model, fit.series)
    stiff, flexible, statistic = pair.compare(fit.series, dict(fit.estimate), None)
    degrees = pair.degrees(fit.series)
    found = TrendTest(
        names=fit.series.names,
        statistic=statistic,
        degrees=degrees,
        p_value=_chi_square(statistic, degrees, pair.split(fit.series)),
        set_off=_set_off(pair.stiff, fit.series, stiff),
        set_off_flexible=_set_off(pair.flexible, fit.series, flexible),
        method=f"chi-square with {degrees} degrees of freedom",
    )
    if samples == 0:
        return found
    largest, failures = [], 0
    for done, series in enumerate(simulated_series(model, fit.estimate, fit.series, samples, rng)):
        if progress is not None:
            progress(done + 1, samples)
        if series is None:
            failures += 1
            continue
        largest.append(pair.compare(series, stiff, flexible)[2].max())
    p_value = float(exceeded(np.array(statistic.max()), np.array(largest)))
    method = f"parametric bootstrap of {len(largest)} series"
    return replace(found, p_value=p_value, method=method, samples=len(largest), failures=failures)


@dataclass(frozen=True)
class _Backgrounds:
    """A model, and the same with a more flexible background; trends unpenalised in both."""

    stiff: Hawkes
    flexible: Hawkes

    @classmethod
    def of(cls, model: Hawkes, series: EventSeries) -> _Backgrounds:
        own = model.background
        spacing = series.duration if own.trend is None else own.trend / 2
        finer = replace(own, trend=spacing, trend_scale=LOOSE)
        stiff = own if own.trend is None else replace(own, trend_scale=LOOSE)
        return cls(replace(model, background=stiff), replace(model, background=finer))

    def split(self, series: EventSeries) -> bool:
        """Whether the log-likelihood is a sum over streams that can be told apart."""
        return self.stiff.prepared(series).resolution == "exact"

    def degrees(self, series: EventSeries) -> int:
        more = (
            self.flexible.background.trend_columns(series.duration)
            - self.stiff.background.trend_columns(series.duration)
        )  # fmt: skip
        return more if self.split(series) else more * len(series.names)

    def compare(
        self,
        series: EventSeries,
        stiff: dict[str, FloatArray],
        flexible: dict[str, FloatArray] | None,
    ) -> tuple[dict[str, FloatArray], dict[str, FloatArray], FloatArray]:
        """Both estimates from warm starts, and twice the rise of the log-likelihood."""
        low, low_values = _climbed(self.stiff, series, [stiff], flexible is None)
        warm = [low_values] if flexible is None else [low_values, flexible]
        high, high_values = _climbed(self.flexible, series, warm, flexible is None)
        if not self.split(series):
            return low_values, high_values, np.full(len(series.names), 2 * (high - low))
        parts = [
            _by_stream(model, series, values)
            for model, values in ((self.stiff, low_values), (self.flexible, high_values))
        ]
        return low_values, high_values, 2 * (parts[1] - parts[0])


def _climbed(
    model: Hawkes, series: EventSeries, warm: list[dict[str, FloatArray]], cold: bool
) -> tuple[float, dict[str, FloatArray]]:
    """Log-likelihood, without penalty, and estimate; `cold` also tries the model's own starts."""
    problem = model.problem(series)
    objective = Objective(problem)
    layout = problem.layout
    shapes = {p.name: np.zeros(p.shape) for p in layout.parameters}
    # A trend of another length starts flat.
    starts = [
        layout.pack(
            {
                n: one[n] if n in one and np.shape(one[n]) == z.shape else z
                for n, z in shapes.items()
            }
        )
        for one in warm
    ]
    starts += list(problem.starts[:3]) if cold else []
    reached = [climb(objective, objective.start(theta)) for theta in starts]
    theta = objective.theta(max(reached, key=lambda one: one[1])[0])
    return float(problem.evaluate(theta)[0]), layout.unpack(theta)


def _by_stream(model: Hawkes, series: EventSeries, values: dict[str, FloatArray]) -> FloatArray:
    """Log-likelihood (K,) of each stream of exact times."""
    series = model.prepared(series)
    intensity = Intensity.of(model, series, values)
    out = np.zeros(len(series.names))
    for k, times in enumerate(series.times):
        rate = intensity.at_events(k)[0].sum(axis=1)[times >= model.warmup]
        whole = intensity.compensator(np.array([series.duration]), k).sum()
        out[k] = np.log(rate).sum() - whole
    return out


def _set_off(model: Hawkes, series: EventSeries, values: dict[str, FloatArray]) -> FloatArray:
    """Share (K,) of the incidents that the background does not account for; NaN without any."""
    series = model.prepared(series)
    layout = Layout(model.parameters(series))
    edges = model.cell_edges(series)
    rates = model.background_rates(layout, layout.pack(values)[None], series, edges)[0]
    begin = model.warmup if series.resolution == "exact" else 0.0
    spans = watched_spans(series, begin)
    lengths = np.diff((np.clip(edges[:, None], spans[:, 0], spans[:, 1]) - spans[:, 0]).sum(axis=1))
    number = np.array([(times >= begin).sum() for times in series.times], float)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = 1 - lengths @ rates / number
    return np.where(number > 0, np.clip(share, 0.0, 1.0), np.nan)


def _chi_square(statistic: FloatArray, degrees: int, split: bool) -> float:
    from scipy.special import gammaincc

    single = float(gammaincc(degrees / 2, max(0.0, float(statistic.max())) / 2))
    # The largest of K independent statistics, one a stream.
    return 1 - (1 - single) ** len(statistic) if split else single
