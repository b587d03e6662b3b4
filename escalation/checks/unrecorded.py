"""Unrecorded incidents: what R and forecast become when a share of the incidents is missing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape

import numpy as np
import polars as pl

from escalation.checks.finding import Finding, percent
from escalation.engines import Engine, Laplace, MaximumLikelihood
from escalation.fit import Fit
from escalation.forecast import Forecast
from escalation.parameters import FloatArray
from escalation.scores import quantile_draws
from escalation.series import CountSeries

BRANCHING = "branching ratio"
#: The end of the interval: nine draws in ten.
LEVEL = 0.9


@dataclass(frozen=True, eq=False)
class Unrecorded:
    r"""Estimates from the series after a further share s of its incidents was taken out at random.

    **What is estimated.** Each incident of the series is kept with probability 1 − s, independently
    of all others, and the model is fitted to what is left. The figures answer: *had the series been
    complete, and a share s of it gone unrecorded, what would have been said?* The fall of R from
    s = 0 on shows how strongly the estimate leans on complete records, and in which direction the
    estimate from an incomplete series is off. It does not show incidents that went unrecorded for a
    reason: those of quiet places, of busy weeks, or of one side.

    **Carried back.** If the series itself lacks a share s, the branching ratio of all incidents is
    extrapolated: for one stream with the delay of one period, Poisson counts and a constant
    background, independent thinning to the share q makes :math:`1/R` a straight line in
    :math:`1/q`. The line through the refits is followed to :math:`1/q = 1 - s`, that is, as far
    back. For other models this is an approximation, and its error is shown in the documentation.

    Attributes
    ----------
    shares : tuple of float
        0 first, then those asked for.
    names : tuple of str
        The K streams.
    reproduction : ndarray (S, M, n, K, K) or None
        Draws of R by share and thinning; None for a model without R.
    totals : ndarray (S, M, n, K)
        Draws of the recorded incidents of the next `horizon` periods.
    horizon : int
    period : str
    unit : str
        What R counts.
    """

    shares: tuple[float, ...]
    names: tuple[str, ...]
    reproduction: FloatArray | None
    totals: FloatArray
    horizon: int
    period: str
    unit: str

    @property
    def branching_ratio(self) -> FloatArray | None:
        """Draws (S, M, n) of the spectral radius of R, by share and thinning."""
        if self.reproduction is None:
            return None
        return np.asarray(np.abs(np.linalg.eigvals(self.reproduction)).max(axis=-1), float)

    @property
    def carried_back(self) -> FloatArray | None:
        """Extrapolated branching ratios (S, M) of all incidents, had a share s gone unrecorded.

        One a thinning; the first row (nothing unrecorded) is the fit's own.
        """
        radius = self.branching_ratio
        if radius is None:
            return None
        middle = np.median(radius, axis=2)
        place = 1 / (1 - np.array(self.shares))
        # A ratio near zero has no inverse to speak of: it stays zero however much is recorded.
        inverse = 1 / np.maximum(middle, 1e-3)
        centre = place.mean()
        slope = ((place - centre) @ (inverse - inverse.mean(axis=0))) / (
            (place - centre) ** 2
        ).sum()
        # The line goes through the fit's own ratio, which no thinning disturbs.
        target = 1 - np.array(self.shares)
        line = inverse[0] + slope * (target - 1)[:, None]
        return np.asarray(np.where(line > 0, 1 / np.maximum(line, 1e-9), np.inf))

    def table(self) -> pl.DataFrame:
        """A row a share and quantity: estimate, interval, spread between thinnings, all incidents.

        `estimate` is the mean over thinnings of the median, `lower` and `upper` hold nine in ten of
        the draws of all thinnings together, `between` is the standard deviation of the median
        between thinnings. `all incidents` is the branching ratio carried back, or the forecast
        divided by 1 − s: what the recorded incidents stand for.
        """
        rows = []
        for quantity, values, whole in self._quantities():
            for s, share in enumerate(self.shares):
                # One series, and one fit, where nothing was taken out.
                taken = values[s, :1] if share == 0 else values[s]
                middle = np.median(taken, axis=1)
                lower, upper = np.quantile(taken, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
                rows.append(
                    {
                        "quantity": quantity,
                        "share": share,
                        "estimate": float(middle.mean()),
                        "lower": float(lower),
                        "upper": float(upper),
                        "between": float(middle.std(ddof=1)) if len(middle) > 1 else 0.0,
                        "all incidents": None if whole is None else float(whole[s]),
                    }
                )
        return pl.DataFrame(rows, schema_overrides={"all incidents": pl.Float64})

    def finding(self) -> Finding:
        """What the branching ratio or the forecast would be with the largest share missing."""
        table, name = self.table(), "Unrecorded incidents"
        ratio = table.filter(pl.col("quantity") == BRANCHING)
        if ratio.is_empty():
            text = "The model has no branching ratio; the table shows the forecasts."
            return Finding(name, "passed", text, table)
        full, last = ratio.row(0, named=True), ratio.row(-1, named=True)
        text = (
            f"With {percent(last['share'])} of the incidents taken out at random the branching "
            f"ratio is {last['estimate']:.2f}, not {full['estimate']:.2f}: what went unrecorded "
            "makes R look smaller."
        )
        if last["estimate"] >= full["estimate"]:
            text = text.split(": what")[0] + "."
        inside = full["lower"] <= last["estimate"]
        return Finding(name, "passed" if inside else "warned", text, table)

    def __repr__(self) -> str:
        """Say the branching ratio by share."""
        listed = ", ".join(percent(share) for share in self.shares[1:])
        radius = self.branching_ratio
        if radius is None:
            return f"Unrecorded({listed} of the incidents taken out; no branching ratio)"
        middle = np.median(radius, axis=2).mean(axis=1)
        told = ", ".join(f"{value:.2f}" for value in middle)
        return (
            f"Unrecorded(0 %, {listed} of the incidents taken out, {self.totals.shape[1]} "
            f"thinnings each: branching ratio {told})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table()._repr_html_()}"

    def _quantities(self) -> list[tuple[str, FloatArray, FloatArray | None]]:
        """Name, draws (S, M, n), and what they say of all incidents (S,), of each quantity."""
        out: list[tuple[str, FloatArray, FloatArray | None]] = []
        streams = range(len(self.names))
        radius, back = self.branching_ratio, self.carried_back
        if self.reproduction is not None and radius is not None and back is not None:
            out.append((BRANCHING, radius, np.median(back, axis=1)))
            out += [
                (f"R[{self.names[j]} → {self.names[k]}]", self.reproduction[..., k, j], None)
                for k in streams
                for j in streams
            ]
        kept = 1 - np.array(self.shares)
        for k, name in enumerate(self.names):
            draws = self.totals[..., k]
            middle = quantile_draws(draws.reshape(len(self.shares), -1).T, 0.5)
            what = f"{name}, next {self.horizon} {self.period}s"
            out.append((what, draws, middle / kept))
        return out


def unrecorded(
    fit: Fit,
    shares: Sequence[float] = (0.1, 0.3, 0.5),
    *,
    thinnings: int = 10,
    horizon: int = 12,
    draws: int = 500,
    engine: Engine | None = None,
    rng: np.random.Generator | None = None,
) -> Unrecorded:
    """Refit after taking out a share of the incidents at random: R, branching ratio, forecast.

    See `Unrecorded` for what the figures mean and what they cannot show.

    Parameters
    ----------
    fit : Fit
        Of a count model.
    shares : sequence of float
        Shares of the incidents that are taken out, between 0 and 1.
    thinnings : int
        Series made for each share.
    horizon : int
        Periods of the forecast.
    draws : int
        Draws of each forecast.
    engine : Engine, optional
        Of all refits, that of the full series included, so that like is compared with like:
        maximum likelihood if the fit is by it, else Laplace.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given; the same seed gives the same table.

    References
    ----------
    Bracher & Held (2021), Biometrics 77(4), on endemic-epidemic models of underreported counts;
    Cook & Stefanski (1994), Journal of the American Statistical Association 89, for refitting with
    more error to learn what less would give.
    """
    series, model = fit.series, fit.model
    if not isinstance(series, CountSeries):
        raise ValueError(f"thinning needs a CountSeries, got {type(series).__name__}")
    wrong = [share for share in shares if not 0 < share < 1]
    if wrong or not len(shares):
        raise ValueError(f"shares must lie between 0 and 1, got {wrong or 'none'}")
    rng = np.random.default_rng(0) if rng is None else rng
    if engine is None:
        plain = fit.engine == MaximumLikelihood.name
        engine = MaximumLikelihood(draws=draws) if plain else Laplace(draws=draws)
    wanted = (0.0, *sorted(shares))
    additive = getattr(model, "additive", True)
    matrices: list[FloatArray] = []
    forecasts: list[Forecast] = []
    for share in wanted:
        for seed in rng.spawn(thinnings if share else 1):
            counts = seed.binomial(series.counts, 1 - share)
            again = model.fit(replace(series, counts=counts), engine, seed)
            forecasts.append(again.forecast(horizon, seed, draws))
            if additive:
                matrices.append(np.array(again.dynamics().reproduction))
    return Unrecorded(
        shares=wanted,
        names=series.names,
        reproduction=_by_share(matrices, thinnings) if additive else None,
        totals=_by_share([one.draws.sum(axis=1) for one in forecasts], thinnings),
        horizon=horizon,
        period=series.period,
        unit=fit.dynamics().unit if additive else "",
    )


def _by_share(values: list[FloatArray], thinnings: int) -> FloatArray:
    """Stack (n, …) of the full series, repeated, and of each thinning: (S, M, n, …)."""
    whole, rest = values[0], np.stack(values[1:])
    full = np.broadcast_to(whole, (1, thinnings, *whole.shape))
    return np.concatenate([full, rest.reshape(-1, thinnings, *whole.shape)])
