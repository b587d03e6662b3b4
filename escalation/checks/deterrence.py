"""Whether a stream is followed by fewer of another, which an additive model cannot say."""

from __future__ import annotations

import numpy as np
import polars as pl

from escalation.checks.finding import WARN, Finding, status_of
from escalation.fit import Fit
from escalation.parameters import FloatArray, Layout

NAME = "Fewer after more"
#: Relative step of the differences of the means.
STEP = 1e-5


def deterrence(fit: Fit) -> Finding:
    r"""Whether the residuals of an additive count model fall with the past of another stream.

    For each ordered pair of streams the score test of :math:`a = 0` against :math:`a < 0` in
    :math:`\mu_{tk} \exp(a \sum_l w_l \log(1 + y_{t-l,j}))`, with the kernel's lag weights: the
    correlation of the Pearson residuals of k with the lagged past of j, once what the fitted
    parameters can take up is removed from both. p-values are normal, one-sided and multiplied by
    the number of pairs. Parameters at a bound count as known.

    Parameters
    ----------
    fit : Fit
        Of an additive count model, such as `EndemicEpidemic`.

    Raises
    ------
    ValueError
        If the model gives no means.

    References
    ----------
    Cox & Hinkley (1974), Theoretical Statistics, section 9.3, for the score test.
    """
    series = fit.series
    if not hasattr(fit.model, "means"):
        raise ValueError(f"this check needs a count model, got {fit.model.name}")
    streams = series.n_streams
    if streams < 2:
        return Finding(NAME, "passed", "There is one stream only.")
    table = _table(fit)
    tests = len(table)
    worst = table.sort("p_value").row(0, named=True)
    p = min(1.0, tests * worst["p_value"])
    told = (
        f"{worst['source']} → {worst['target']}: correlation {worst['correlation']:+.2f}, "
        f"p {p:.2g} for {tests} pairs"
    )
    if p >= WARN:
        text = f"No stream has fewer incidents than expected after more in another ({told})."
        return Finding(NAME, "passed", text, table)
    text = (
        f"After more in one stream another has fewer incidents than an additive model can say "
        f"({told}): R is not negative, so the model does not fit. Fit LogLinear, whose influence "
        "is signed."
    )
    return Finding(NAME, status_of(p), text, table)


def _table(fit: Fit) -> pl.DataFrame:
    """A row an ordered pair of streams: source, target, correlation, z, p_value."""
    from math import erfc, sqrt

    series, model = fit.series, fit.model
    layout = Layout(fit.parameters)
    used = ~np.isnan(model.pointwise(fit)[0]).any(axis=1)
    mean, slopes = _slopes(fit, layout)
    psi = np.broadcast_to(fit.estimate.get("dispersion", np.zeros(())), (series.n_streams,))
    past = _past(fit)[used]
    rows = []
    for k, target in enumerate(series.names):
        expected = mean[used, k]
        watched = expected > 0
        weight = np.sqrt(1 / (expected[watched] * (1 + psi[k] * expected[watched])))
        residual = (series.counts[used, k] - expected)[watched] * weight
        known = slopes[:, used, k][:, watched] * weight
        known = known[np.abs(known).max(axis=1, initial=0.0) > 0]
        for j, source in enumerate(series.names):
            if j == k:
                continue
            direction = expected[watched] * past[watched, j] * weight
            if len(known):
                direction = direction - known.T @ np.linalg.lstsq(known.T, direction)[0]
            size = float(np.sqrt(np.sum(direction**2)))
            if size < 1e-8 * np.sqrt(len(direction) + 1):
                rows.append((source, target, 0.0, 0.0, 1.0))
                continue
            z = float(residual @ direction) / size
            length = float(np.sqrt(np.sum(residual**2)))
            rows.append((source, target, z / max(length, 1e-12), z, erfc(-z / sqrt(2)) / 2))
    names = ["source", "target", "correlation", "z", "p_value"]
    return pl.DataFrame(rows, schema=names, orient="row")


def _slopes(fit: Fit, layout: Layout) -> tuple[FloatArray, FloatArray]:
    """Expected counts (T, K) at the estimate and their slopes (f, T, K) off the bounds."""
    theta = layout.pack(fit.estimate)
    supports = np.array(layout.supports, dtype=object)
    labels = layout.labels
    inner = [
        place
        for place, support, label in zip(layout.free, supports, labels, strict=True)
        if not label.startswith("dispersion")
        and not (support == "nonnegative" and theta[place] < 1e-6)
    ]
    step = STEP * np.maximum(1.0, np.abs(theta[inner]))
    moved = np.tile(theta, (1 + 2 * len(inner), 1))
    for row, (place, size) in enumerate(zip(inner, step, strict=True)):
        moved[1 + 2 * row, place] += size
        moved[2 + 2 * row, place] -= min(size, theta[place]) if theta[place] > 0 else size
    means = fit.model.means(fit, moved)  # type: ignore[attr-defined]
    width = moved[1::2] - moved[2::2]
    rise = means[1::2] - means[2::2]
    return means[0], rise / width.sum(axis=1)[:, None, None]


def _past(fit: Fit) -> FloatArray:
    """Lag-weighted log(1 + y), (T, K), with the kernel's weights at the estimate."""
    model, series = fit.model, fit.series
    kernel, lags = model.kernel, model.lags  # type: ignore[attr-defined]
    own = [fit.estimate[p.name].ravel() for p in kernel.parameters(series.period)]
    theta = np.concatenate(own) if own else np.zeros(0)
    weights = kernel.pmf(theta, lags)
    logs = np.log1p(series.counts.astype(float))
    out = np.zeros(logs.shape)
    for lag, weight in enumerate(weights, start=1):
        out[lag:] += weight * logs[:-lag]
    return out
