"""Which periods a count model may use, and what its background sees of them."""

from __future__ import annotations

import numpy as np

from escalation.background import Background
from escalation.fit import Fit
from escalation.parameters import BoolArray, FloatArray, Layout, Parameter
from escalation.priors import HalfNormal
from escalation.series import CountSeries
from escalation.window import PERIOD_DAYS, DateArray

DISTRIBUTIONS = ("negative binomial", "poisson")
DISPERSIONS = ("stream", "shared")


def check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    """``ValueError`` unless the value of a setting is one of its choices."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(choices)}, got {value!r}")


def check_counts(series: object, model: str, uneven: bool = False) -> None:
    """``ValueError`` unless a count model is given counts, of units alike if it wants them so."""
    if not isinstance(series, CountSeries):
        raise ValueError(
            f"{model} needs a CountSeries, got {type(series).__name__}; "
            "call .counts(period) on an EventSeries"
        )
    if series.uneven and not uneven:
        raise ValueError(
            f"{model} reads one exposure a period, but some units of the panel were watched less "
            "than others: fit a Panel, or each unit by itself (.unit(name))"
        )


def watched(series: CountSeries) -> BoolArray:
    """Which periods (T,) were watched throughout."""
    return np.asarray(series.scale >= 1 - 1e-9)


def used_periods(series: CountSeries, lags: int, before: int = 0) -> BoolArray:
    """Which periods (T,) a likelihood uses: watched, with so many fully watched before.

    `before` says how many periods ahead of the first one count as watched.
    """
    return after_watched(series.scale, lags, before)


def after_watched(scale: FloatArray, lags: int, before: int = 0) -> BoolArray:
    """`used_periods` of exposures (T,) in periods."""
    full = np.asarray(scale >= 1 - 1e-9)
    whole = np.concatenate([[0], np.cumsum([*[True] * before, *full])])
    out = np.zeros(before + len(scale), bool)
    complete = whole[lags:] - whole[: max(len(whole) - lags, 0)] == lags
    out[lags:] = complete[: max(len(out) - lags, 0)]
    return out[before:] & (scale > 0)


def design_matrix(background: Background, fitted: CountSeries, edges: DateArray) -> FloatArray:
    """Design matrix (T, P) of the periods between edges (T + 1,), anchored at a fitted series."""
    times = (edges - fitted.edges[0]).astype(np.float64)
    span, start = fitted.window.days, fitted.window.start
    return background.design(times[:-1], span, start, times[1:])


def early_edges(like: CountSeries, burn_in: int) -> DateArray:
    """Edges of the periods of a series with so many before its first one."""
    days = np.timedelta64(round(PERIOD_DAYS[like.period]), "D")
    early: DateArray = like.edges[0] + np.arange(-burn_in, 0) * days
    return np.concatenate([early, like.edges])


def early_design(background: Background, like: CountSeries, burn_in: int) -> FloatArray:
    """Design matrix of the periods of a series with so many before its first one.

    Nothing is known of covariates before the window: those of the first period hold.
    """
    if background.covariates is None:
        return design_matrix(background, like, early_edges(like, burn_in))
    design = design_matrix(background, like, like.edges)
    return np.concatenate([np.repeat(design[:1], burn_in, axis=0), design])


def dispersion_parameter(dispersion: str, streams: int) -> Parameter:
    """Overdispersion, one a stream or one for all."""
    shape, dims = ((), ()) if dispersion == "shared" else ((streams,), ("stream",))
    return Parameter(
        "dispersion", shape, "nonnegative", HalfNormal(1.0),
        "overdispersion: the variance is mean (1 + dispersion × mean)", "", dims,
    )  # fmt: skip


def dispersion_places(layout: Layout, streams: int) -> list[int]:
    """Number of dispersion parameters (0: Poisson), and the place in theta of each stream's."""
    found = [p for p in layout.parameters if p.name == "dispersion"]
    if not found:
        return [0] * (1 + streams)
    first, size = layout.start("dispersion"), found[0].size
    return [size, *(first + (k if size > 1 else 0) for k in range(streams))]


def dispersions(layout: Layout, theta: FloatArray, streams: int) -> FloatArray | None:
    """Overdispersion (n, K) of draws (n, p), None of a Poisson model."""
    number, *places = dispersion_places(layout, streams)
    return theta[:, places] if number else None


def vectors(fit: Fit, theta: FloatArray | None) -> FloatArray:
    """Draws (n, p) of all parameters; the estimate alone if none are given."""
    return Layout(fit.parameters).pack(fit.estimate)[None] if theta is None else theta


def log_counts(series: CountSeries, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """log(1 + y) (T, K) with the stream's mean where not watched throughout, and the mean (K,)."""
    whole, logs = watched(series), np.log1p(counts)
    typical = logs[whole].mean(axis=0) if whole.any() else np.zeros(counts.shape[1])
    return np.where(whole[:, None], logs, typical), typical


def latest_logs(logs: FloatArray, lags: int, extra: int | None) -> FloatArray:
    """Last values (c, 1, L, K) of log(1 + y); given `extra`, a second copy with one more of it."""
    out = np.repeat(logs[None, None, len(logs) - lags :], 1 if extra is None else 2, axis=0)
    if extra is not None and lags:
        out[1, 0, -1, extra] = np.log1p(np.exp(logs[-1, extra]))
    return out


def lagged_past(values: FloatArray, weights: FloatArray) -> FloatArray:
    """Lag-weighted sums (n, T, K) of what came before each period, of values (T, K).

    Parameters
    ----------
    values : ndarray (T, K)
        Before the first period they are zero.
    weights : ndarray (n, L)
        Of each draw, the last period first.
    """
    lags = weights.shape[1]
    lagged = np.zeros((lags, *values.shape))
    for lag in range(1, lags + 1):
        lagged[lag - 1, lag:] = values[:-lag]
    return np.asarray(np.einsum("nl,ltk->ntk", weights, lagged), float)
