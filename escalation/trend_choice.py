"""How far a trend of the background may bend, chosen by the data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import polars as pl

from escalation.background import Background
from escalation.counts import EndemicEpidemic
from escalation.engines import Laplace
from escalation.hawkes import Hawkes
from escalation.parameters import FloatArray
from escalation.series import CountSeries, EventSeries

#: Standard deviations of the log rate that a trend may take between knots.
SCALES = (0.05, 0.15, 0.5, 1.5)


@dataclass(frozen=True, eq=False)
class TrendChoice[M: (Hawkes, EndemicEpidemic)]:
    """Backgrounds that bend more or less, and how probable each makes the series.

    Attributes
    ----------
    model : Hawkes or EndemicEpidemic
        With the most credible of the backgrounds.
    backgrounds : tuple of Background
        Those that were tried.
    evidence : ndarray (n,)
        Logarithm of the probability of the series under each, the parameters integrated out by
        Laplace's approximation.
    """

    model: M
    backgrounds: tuple[Background, ...]
    evidence: FloatArray

    @property
    def weights(self) -> FloatArray:
        """Posterior probability (n,) of each background, all equally probable before."""
        weights = np.exp(self.evidence - self.evidence.max())
        return np.asarray(weights / weights.sum(), float)

    def table(self) -> pl.DataFrame:
        """A row for each background: days between knots (none: no trend), scale, evidence, weight.

        Evidence is relative to the highest.
        """
        return pl.DataFrame(
            {
                "knots every (days)": [one.trend for one in self.backgrounds],
                "scale": [
                    None if one.trend is None else one.trend_scale for one in self.backgrounds
                ],
                "log evidence": self.evidence - self.evidence.max(),
                "weight": self.weights,
            },
            schema_overrides={"knots every (days)": pl.Float64, "scale": pl.Float64},
        )

    def __repr__(self) -> str:
        """Say what was chosen of how many."""
        chosen = self.model.background
        kind = "no trend" if chosen.trend is None else (
            f"knots every {chosen.trend:g} days, scale {chosen.trend_scale:g}"
        )  # fmt: skip
        return f"TrendChoice({kind}; {self.weights.max():.0%} of {len(self.backgrounds)} tried)"

    def _repr_html_(self) -> str:
        return str(self.table()._repr_html_())


def choose_trend[M: (Hawkes, EndemicEpidemic)](
    model: M,
    series: CountSeries | EventSeries,
    scales: Sequence[float] = SCALES,
    spacings: Sequence[float] = (365.0,),
    *,
    none: bool = True,
) -> TrendChoice[M]:
    r"""The trend's stiffness, and whether there is one, by the evidence of the series.

    A trend's coefficients have a normal prior; its scale says how far the log rate may move from
    knot to knot. A scale that is too small leaves slow change to the excitation, one that is too
    large lets the trend take what excitation explains. Each combination is fitted once, by
    Laplace's approximation,

    .. math:: \log p(y) \approx \log p(y \mid \hat\theta) + \log p(\hat\theta)
              + \tfrac p2 \log 2\pi - \tfrac12 \log |H|.

    Parameters
    ----------
    model : Hawkes or EndemicEpidemic
        Its background gives all but the trend.
    series : EventSeries or CountSeries
    scales : sequence of float
        Standard deviations of the coefficients.
    spacings : sequence of float
        Days between knots. At least four times the delay within which most offspring fall, or
        the trend takes the place of the kernel.
    none : bool
        Whether a background without a trend is tried as well.

    Raises
    ------
    ValueError
        If there is nothing to choose from, or a scale or spacing is not positive.

    References
    ----------
    Tierney & Kadane (1986), Journal of the American Statistical Association 81(393).

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> rising = rng.poisson(np.exp(np.linspace(0.0, 2.0, 200)))
    >>> series = CountSeries.from_counts(rising, date(2020, 1, 6), "week")
    >>> model = EndemicEpidemic(background=Background(harmonics=0))
    >>> choose_trend(model, series).model.background.trend
    365.0
    """
    if not scales or not spacings:
        raise ValueError("at least one scale and one spacing of the knots are needed")
    if min(*scales, *spacings) <= 0:
        raise ValueError(f"scales and spacings must be positive, got {scales} and {spacings}")
    tried = [replace(model.background, trend=None)] if none else []
    tried += [
        replace(model.background, trend=float(spacing), trend_scale=float(scale))
        for spacing in spacings
        for scale in scales
    ]
    engine = Laplace(draws=1, starts=1)
    evidence = np.array(
        [_evidence(replace(model, background=one), series, engine) for one in tried]
    )
    chosen = replace(model, background=tried[int(np.argmax(evidence))])
    return TrendChoice(chosen, tuple(tried), evidence)


def _evidence(model: Any, series: Any, engine: Laplace) -> float:
    found = float(model.fit(series, engine).diagnostics["evidence"])
    return found if np.isfinite(found) else -np.inf
