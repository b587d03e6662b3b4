"""What a nowcast learned: counts of the last periods, the delays, and the path into models."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, cast

import numpy as np
import polars as pl

from escalation.counts.paths import draw_counts
from escalation.engines import Engine
from escalation.fit import Fit, Model, pick
from escalation.nowcast.triangle import ReportingTriangle
from escalation.parameters import FloatArray
from escalation.series import CountSeries

if TYPE_CHECKING:
    from escalation.nowcast.model import Nowcast


@dataclass(frozen=True, eq=False)
class NowcastFit(Fit):
    """Rates and delays learned from a reporting triangle; see `Nowcast`."""

    @property
    def triangle(self) -> ReportingTriangle:
        """What it was learned from."""
        return cast(ReportingTriangle, self.series)

    @property
    def _model(self) -> Nowcast:
        return cast("Nowcast", self.model)

    def unreported(self, rng: np.random.Generator | None = None, draws: int = 2000) -> FloatArray:
        """Draws (draws, T, K) of what happened and was not reported yet, parameters uncertain.

        Parameters
        ----------
        rng : numpy.random.Generator, optional
            Seeded with 0 if not given.
        draws : int
        """
        rng = np.random.default_rng(0) if rng is None else rng
        rate, share, psi = self._model.rates(pick(self.theta, draws, rng), self.triangle)
        left = (share * ~self.triangle.known[None, :, :, None]).sum(axis=2)
        spread = psi[:, None] / np.maximum(left, 1e-12)
        out: FloatArray = draw_counts((rate * left)[None], spread, rng)[0]
        return out

    def totals(self, rng: np.random.Generator | None = None, draws: int = 2000) -> FloatArray:
        """Draws (draws, T, K) of what will have been reported within the longest delay."""
        out: FloatArray = self.triangle.reported + self.unreported(rng, draws)
        return out

    def completed(
        self,
        rng: np.random.Generator | None = None,
        draws: int = 20,
        series: CountSeries | None = None,
    ) -> tuple[CountSeries, ...]:
        """Series of counts with a draw of what is not reported each, to fit a model of counts to.

        `fit_over_nowcasts` fits a model to each of them and pools.

        Parameters
        ----------
        rng : numpy.random.Generator, optional
            Seeded with 0 if not given.
        draws : int
        series : CountSeries, optional
            A longer one of what was reported, of the same streams and periods, whose last periods
            are completed; that of the triangle if not given.
        """
        return self._added(self.unreported(rng, draws), series)

    def _added(self, unreported: FloatArray, series: CountSeries | None) -> tuple[CountSeries, ...]:
        """The series with each of the numbers (n, T, K) added to its last periods."""
        triangle = self.triangle
        base = triangle.series() if series is None else series
        at = int(np.searchsorted(base.edges, triangle.edges[0]))
        edges = base.edges[at : at + len(triangle) + 1]
        if base.names != triangle.names or not np.array_equal(edges, triangle.edges):
            raise ValueError(
                f"a series to complete must have the streams and periods of {triangle!r}, "
                f"got {base!r}"
            )
        out = []
        for one in unreported:
            counts = np.array(base.counts)
            counts[at : at + len(triangle)] += one.astype(np.int64)
            out.append(replace(base, counts=counts))
        return tuple(out)

    def table(
        self,
        last: int | None = None,
        level: float = 0.9,
        rng: np.random.Generator | None = None,
        draws: int = 2000,
    ) -> pl.DataFrame:
        """A row a period and stream, of the last periods (as many as the longest delay if None).

        Columns: start; stream; reported (so far: the naive count); mean, median, lower, upper of
        the nowcast; share reported (expected share of the period's incidents that is reported by
        now); p_lull (probability that the period had more incidents than the mean of the totals
        before the table, although fewer are reported; null where the naive count is not lower).
        """
        triangle = self.triangle
        last = min(triangle.longest if last is None else last, len(triangle))
        if last < 1:
            raise ValueError(f"at least 1 period is wanted, got {last}")
        drawn = self.totals(rng, draws)
        middle, low, high = np.quantile(
            drawn, [0.5, (1 - level) / 2, (1 + level) / 2], axis=0, method="inverted_cdf"
        )
        _, share, _ = self._model.rates(self.theta, triangle)
        seen = (share * triangle.known[None, :, :, None]).sum(axis=2).mean(axis=0)
        before = drawn[:, : len(triangle) - last]
        usual = before.mean(axis=1) if before.shape[1] else np.full(drawn[:, 0].shape, np.nan)
        rows = []
        for t in range(len(triangle) - last, len(triangle)):
            for k, name in enumerate(triangle.names):
                naive = int(triangle.reported[t, k])
                fewer = naive < usual[:, k].mean()
                rows.append(
                    {
                        "start": triangle.edges[t].item(),
                        "stream": name,
                        "reported": naive,
                        "mean": float(drawn[:, t, k].mean()),
                        "median": float(middle[t, k]),
                        "lower": float(low[t, k]),
                        "upper": float(high[t, k]),
                        "share reported": float(seen[t, k]),
                        "p_lull": float((drawn[:, t, k] > usual[:, k]).mean()) if fewer else None,
                    }
                )
        return pl.DataFrame(rows)

    def delays(self, level: float = 0.9) -> pl.DataFrame:
        """Share of incidents reported within so many periods: stream, delay, share, lower, upper.

        Of the last period, where the law of the delays changes.
        """
        _, share, _ = self._model.rates(self.theta, self.triangle)
        within = np.cumsum(share[:, -1], axis=1)
        tails = [(1 - level) / 2, (1 + level) / 2]
        low, high = np.quantile(within, tails, axis=0)
        rows = [
            {"stream": name, "delay": d, "share": float(within[:, d, k].mean()),
             "lower": float(low[d, k]), "upper": float(high[d, k])}
            for k, name in enumerate(self.triangle.names)
            for d in range(self.triangle.longest + 1)
        ]  # fmt: skip
        return pl.DataFrame(rows)


def fits_over_nowcasts(
    model: Model,
    nowcast: NowcastFit,
    *,
    engine: Engine | None = None,
    fits: int = 20,
    rng: np.random.Generator | None = None,
    series: CountSeries | None = None,
) -> tuple[Fit, ...]:
    """Fit a model of counts to several draws of the completed series; see `fit_over_nowcasts`.

    Forecasts of the single fits together carry the uncertainty of the last counts too.
    """
    if fits < 2:
        raise ValueError(f"at least 2 fits are needed to compare them, got {fits}")
    rng = np.random.default_rng(0) if rng is None else rng
    return tuple(model.fit(one, engine, rng) for one in nowcast.completed(rng, fits, series))


def pooled_over_nowcasts(
    found: Sequence[Fit],
    nowcast: NowcastFit,
    rng: np.random.Generator | None = None,
    series: CountSeries | None = None,
) -> Fit:
    """The draws of all fits together, over the series of mean counts (rounded)."""
    middle = np.rint(nowcast.unreported(rng).mean(axis=0, keepdims=True))
    usual = found[0]
    return replace(
        usual,
        series=nowcast._added(middle, series)[0],
        draws={name: np.concatenate([one.draws[name] for one in found]) for name in usual.draws},
        estimate={n: np.mean([one.estimate[n] for one in found], axis=0) for n in usual.estimate},
        log_likelihood=float(np.mean([one.log_likelihood for one in found])),
        diagnostics={**usual.diagnostics, "fits over nowcasts": len(found)},
    )


def fit_over_nowcasts(
    model: Model,
    nowcast: NowcastFit,
    *,
    engine: Engine | None = None,
    fits: int = 20,
    rng: np.random.Generator | None = None,
    series: CountSeries | None = None,
) -> Fit:
    """Fit a model of counts to several draws of the completed series, and pool with equal weight.

    The draws of all fits stand together over the series of mean counts (rounded), so that
    parameters carry the uncertainty of what was not reported. A forecast starts from that one
    series: its spread over the last counts is that of the parameters alone; to carry both, add the
    forecasts of `fits_over_nowcasts`.

    Parameters
    ----------
    model : Model
        Of counts per period.
    nowcast : NowcastFit
    engine : Engine, optional
        Maximum likelihood if not given.
    fits : int
        At least 2.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given.
    series : CountSeries, optional
        A longer one of what was reported, whose last periods are completed.

    References
    ----------
    Rubin (1987), Multiple Imputation for Nonresponse in Surveys, section 3.1.
    """
    rng = np.random.default_rng(0) if rng is None else rng
    found = fits_over_nowcasts(model, nowcast, engine=engine, fits=fits, rng=rng, series=series)
    return pooled_over_nowcasts(found, nowcast, rng, series)
