"""Comparison of models: how well each would have foretold the next period, on the same periods."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from html import escape

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.engines import Engine, Laplace, MaximumLikelihood
from escalation.engines.loo import leave_one_out, smoothed_weights
from escalation.fit import Estimator, Fit, Model
from escalation.parameters import FloatArray
from escalation.scores import moving_blocks
from escalation.series import CountSeries
from escalation.window import DateArray

#: Pareto shape above which a model is fitted again (Bürkner, Gabry & Vehtari 2020, section 2.3).
REFIT = 0.7
FUTURE = "leave-future-out, one step ahead"
ONE_OUT = "PSIS-LOO: one period out, its future known"
RESAMPLES = 2000


@dataclass(frozen=True, eq=False)
class Comparison:
    """Log scores of several models over the same periods.

    Attributes
    ----------
    names : tuple of str
        The m models.
    scores : ndarray (t, m)
        Log-probability of all streams' counts of a period; larger is better.
    starts : ndarray of datetime64[D] (t,)
        First days of the periods.
    how : str
        What was left out when a period was scored.
    notes : tuple of str
        For each model: fits, or how many weights were uneven.
    block : int
        Periods in a block of the bootstrap behind the standard errors.

    References
    ----------
    Bürkner, Gabry & Vehtari (2020), Journal of Statistical Computation and Simulation 90(14);
    Künsch (1989), Annals of Statistics 17, for the blocks.
    """

    names: tuple[str, ...]
    scores: FloatArray
    starts: DateArray
    how: str
    notes: tuple[str, ...]
    block: int

    def __post_init__(self) -> None:
        if self.scores.shape != (len(self.starts), len(self.names)):
            raise ValueError(
                f"scores must have shape {(len(self.starts), len(self.names))}, "
                f"got {self.scores.shape}"
            )

    @property
    def best(self) -> str:
        """The model with the largest sum of log scores."""
        return self.names[int(self.scores.sum(axis=0).argmax())]

    def difference(self, first: str, second: str) -> tuple[float, float]:
        """Sum of the log scores of the first model minus that of the second, and its error.

        The standard error is that of a moving-block bootstrap with centred differences: neighbours
        are alike.
        """
        for name in (first, second):
            if name not in self.names:
                raise ValueError(f"no model {name!r}; the models are {', '.join(self.names)}")
        gain: FloatArray = (
            self.scores[:, self.names.index(first)] - self.scores[:, self.names.index(second)]
        )
        rows = moving_blocks(len(gain), self.block, RESAMPLES, np.random.default_rng(0))
        return float(gain.sum()), float(gain[rows].sum(axis=1).std())

    def table(self) -> pl.DataFrame:
        """A row a model, the best first: sum and mean of log scores, difference to the best."""
        rows = []
        for m, name in enumerate(self.names):
            gain, error = self.difference(name, self.best)
            rows.append(
                {
                    "model": name,
                    "log score": float(self.scores[:, m].sum()),
                    "a period": float(self.scores[:, m].mean()),
                    "difference": gain,
                    "error": error,
                    "notes": self.notes[m],
                }
            )
        return pl.DataFrame(rows).sort("log score", descending=True)

    def __repr__(self) -> str:
        """Say what was compared, how, and which model is ahead."""
        table = self.table()
        ahead = ""
        if len(table) > 1:
            second = table.row(1, named=True)
            ahead = (
                f", {-second['difference']:.1f} ± {second['error']:.1f} ahead of {second['model']}"
            )
        return (
            f"Comparison({self.how}, {len(self.starts)} periods from {self.starts[0]}; best: "
            f"{self.best}{ahead})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table()._repr_html_()}"


def compare(
    models: Mapping[str, Model | Estimator],
    series: CountSeries,
    start: date,
    *,
    engine: Engine | None = None,
    every: int | None = None,
    update: bool = True,
    common: bool = False,
    block: int | None = None,
    seed: int = 0,
) -> Comparison:
    r"""Compare models by the log score of each period, foretold one step ahead from its past.

    .. math:: \log p(y_t \mid y_{<t}) = \log\mathrm{E}_{\theta\mid y_{<t}}\,
              p(y_t \mid y_{<t}, \theta)

    A model is fitted to the periods before `start`. Its draws are then carried on by importance
    weights, smoothed, as periods come in; it is fitted again when the weights' Pareto shape exceeds
    0.7, or after `every` periods. Models of one family can be compared so; across families prefer
    a backtest, which scores several steps of the forecast.

    Parameters
    ----------
    models : mapping of str to Model or Estimator
        By the name under which each appears. An `Estimator` brings its own engine.
    series : CountSeries
    start : date
        First day of the first period that is scored.
    engine : Engine, optional
        For models that bring none; Laplace if not given.
    every : int, optional
        Fit again after so many periods at the latest; 1 is exact leave-future-out.
    update : bool
        Carry the draws on by weights between the fits; if false they stay, and `every` is wanted.
    common : bool
        Score only periods that every model has in its likelihood, instead of refusing others.
    block : int, optional
        Periods in a block of the bootstrap; the cube root of their number, at least 4, if not
        given.
    seed : int
        Each fit has its own random numbers.

    Raises
    ------
    ValueError
        If models cannot score the same periods (they are named), or a model has no likelihood of
        single periods.
    """
    if not models:
        raise ValueError("a comparison needs at least one model")
    if not update and every is None:
        raise ValueError("without updates, say after how many periods to fit again: every=…")
    first = _first(series, start)
    found = [
        _ahead(name, model, series, first, engine or Laplace(), every, update, seed)
        for name, model in models.items()
    ]
    names = tuple(models)
    scores = np.column_stack([one for one, _ in found])
    kept = _kept(names, scores, series.edges[first:-1], common)
    return Comparison(
        names=names,
        scores=scores[kept],
        starts=series.edges[first:-1][kept],
        how=FUTURE,
        notes=tuple(note for _, note in found),
        block=block or _block(int(kept.sum())),
    )


def compare_leave_one_out(
    fits: Mapping[str, Fit], *, common: bool = False, block: int | None = None
) -> Comparison:
    """Compare fits of the same series by leaving out one period at a time (PSIS-LOO).

    A period is foretold from all others, **those after it included**, in which its own count stands
    as the past. This says which model describes the series better, not which forecasts better; for
    that, see `compare`.

    Parameters
    ----------
    fits : mapping of str to Fit
        By NUTS or Laplace.
    common : bool
        Score only periods that every model has in its likelihood, instead of refusing others.
    block : int, optional
        As in `compare`.
    """
    if not fits:
        raise ValueError("a comparison needs at least one fit")
    series = next(iter(fits.values())).series
    columns, notes = [], []
    for name, fit in fits.items():
        if fit.series != series:
            raise ValueError(f"{name} was fitted to another series: {fit.series!r}, not {series!r}")
        if fit.engine == MaximumLikelihood.name:
            raise ValueError(f"{name}: PSIS-LOO needs draws of a posterior, this fit has none")
        values = _periods(fit.model.pointwise(fit, fit.theta))
        used = ~np.isnan(values[0])
        elpd, shape, effective = leave_one_out(values[:, used])
        column = np.full(len(series), np.nan)
        column[used] = elpd
        columns.append(column)
        notes.append(
            f"{effective.sum():.1f} effective parameters; k above {REFIT}: "
            f"{int((shape > REFIT).sum())}"
        )
    scores = np.column_stack(columns)
    known = ~np.isnan(scores).all(axis=1)
    kept = _kept(tuple(fits), scores[known], series.edges[:-1][known], common)
    return Comparison(
        names=tuple(fits),
        scores=scores[known][kept],
        starts=series.edges[:-1][known][kept],
        how=ONE_OUT,
        notes=tuple(notes),
        block=block or _block(int(kept.sum())),
    )


def _ahead(
    name: str,
    model: Model | Estimator,
    series: CountSeries,
    first: int,
    engine: Engine,
    every: int | None,
    update: bool,
    seed: int,
) -> tuple[FloatArray, str]:
    """One-step log scores (T - first,) of one model, NaN where it has none, and a note."""
    estimator = model if isinstance(model, Estimator) else Estimator(model, engine)
    scores = np.full(len(series) - first, np.nan)
    at, fits, steps, worst = first, 0, every or len(series), -np.inf
    while at < len(series):
        past, _ = series.split(series.edges[at].item())
        fit = estimator.fit(past, np.random.default_rng(np.random.SeedSequence([seed, at])))
        fits += 1
        values = _periods(fit.model.pointwise(fit, fit.theta, series))
        ratios = np.zeros(len(values))
        end = min(at + steps, len(series))
        for t in range(at, end):
            weights, shape = smoothed_weights(ratios)
            if shape > REFIT and t > at:
                end = t
                break
            worst = max(worst, shape)
            if np.isnan(values[0, t]):
                continue
            scores[t - first] = _log_mean(values[:, t] + weights)
            if update:
                ratios = ratios + values[:, t]
        at = end
    told = f"; largest k {worst:.2f}" if np.isfinite(worst) else ""
    return scores, f"{fits} fit{'s' if fits > 1 else ''}{told}"


def _kept(
    names: tuple[str, ...], scores: FloatArray, starts: DateArray, common: bool
) -> NDArray[np.bool_]:
    """Periods that every model scores; an error, with their dates, if others are not excused."""
    known = ~np.isnan(scores)
    every, some = known.all(axis=1), known.any(axis=1)
    odd = some & ~every
    if odd.any() and not common:
        days = ", ".join(str(day) for day in starts[odd][:6])
        more = f" and {int(odd.sum()) - 6} more" if odd.sum() > 6 else ""
        lacking = [
            name for name, column in zip(names, known[odd].T, strict=True) if not column.all()
        ]
        raise ValueError(
            f"models must be compared on the same periods; {', '.join(lacking)} cannot score those "
            f"from {days}{more}: give all models the same lags, start later, or say common=True"
        )
    if not every.any():
        raise ValueError("there is no period that every model can score")
    return np.asarray(every)


def _periods(values: FloatArray) -> FloatArray:
    """Log-likelihood (n, T) of a period's streams together, NaN where none is known."""
    unknown = np.isnan(values).all(axis=2)
    return np.where(unknown, np.nan, np.nansum(values, axis=2))


def _log_mean(terms: FloatArray) -> float:
    top = terms.max()
    return float(top + np.log(np.exp(terms - top).sum())) if np.isfinite(top) else float(top)


def _first(series: CountSeries, start: date) -> int:
    at = int(np.searchsorted(series.edges, np.datetime64(start, "D")))
    if not 0 < at < len(series) or series.edges[at] != np.datetime64(start, "D"):
        raise ValueError(
            f"start must be the first day of a {series.period} inside the series "
            f"({series.window.start} to {series.window.end}), got {start}"
        )
    return at


def _block(periods: int) -> int:
    return min(periods, max(4, round(math.cbrt(periods))))
