"""What a fitted Hawkes process answers: reproduction, shares, responses, eras."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.dynamics import Dynamics
from escalation.hawkes.exact import watched_spans
from escalation.kernels import ContinuousKernel, ExponentialFamily
from escalation.parameters import FloatArray, Layout, nonnegative_interval

if TYPE_CHECKING:
    from escalation.fit import Fit
    from escalation.hawkes.model import Hawkes

ComplexArray = NDArray[np.complex128]
IntArray = NDArray[np.int64]

#: Weeks that responses reach.
WEEKS = 26
#: Nodes of the numerical inversion of Laplace transforms.
EULER, BINOMIAL = 15, 11
#: A delay density without exponentials is replaced by so many equally likely delays.
ATOMS = 200


def dynamics(model: Hawkes, fit: Fit) -> Dynamics:
    """Reproduction, shares and responses of a fit; R and responses are those of the last era."""
    series = model.prepared(fit.series)
    streams = len(series.names)
    layout = Layout(fit.parameters)
    theta = fit.theta
    kernel = model.bound_kernel(series)
    inner = model.kernel_draws(layout, theta, streams)
    reproduction = np.array(fit.draws["reproduction"]).reshape(
        len(theta), model.number_of_eras, streams, streams
    )
    last = reproduction[:, -1]
    groups = model.kernel_groups(streams)
    return Dynamics(
        reproduction=last,
        shares=_shares(model, fit, kernel, inner, reproduction),
        responses=responses(last, kernel, inner, groups),
        response_days=np.arange(7.0, 7.0 * WEEKS + 1, 7.0),
        names=series.names,
        unit="all offspring",
        arrows=model.mask(streams),
        delay_median=_delay_median(kernel, inner, last, groups),
        same_period=np.zeros(len(theta)),
    )


def _shares(
    model: Hawkes,
    fit: Fit,
    kernel: ContinuousKernel,
    inner: FloatArray,
    reproduction: FloatArray,
) -> FloatArray:
    """Shares (n, K, 3) of each stream's expected incidents: background, self, cross."""
    series = model.prepared(fit.series)
    streams = len(series.names)
    layout, theta = Layout(fit.parameters), fit.theta
    edges = model.cell_edges(series)
    spans = watched_spans(series, model.warmup if series.resolution == "exact" else 0.0)
    below = np.clip(edges[:, None], spans[:, 0], spans[:, 1]) - spans[:, 0]
    lengths = np.diff(below.sum(axis=1))
    base = np.empty((len(theta), streams))
    for rows in np.array_split(np.arange(len(theta)), len(theta) // 100 + 1):
        rates = model.background_rates(layout, theta[rows], series, edges)
        base[rows] = np.einsum("ndk,d->nk", rates, lengths)
    effects = None
    if model.marks is not None:
        effects = model.marks.effects(series, np.array(fit.draws["mark_exponent"]))
    groups = model.kernel_groups(streams)
    by_source = np.zeros((len(theta), streams, streams))
    for j, times in enumerate(series.times):
        era = model.era_of(series, times)
        weight = np.ones((1, len(times))) if effects is None else effects[j]
        for g in np.unique(groups[:, j]):
            gone = np.zeros((len(theta), model.number_of_eras))
            for begin, end in spans:
                seen = times < end
                # Long lists are thinned out: draws by draws, not all at once.
                for rows in np.array_split(np.arange(len(theta)), len(theta) // 100 + 1):
                    own = inner[rows, g][:, None, :]
                    mass = kernel.cdf(end - times[seen], own) - kernel.cdf(
                        np.maximum(begin - times[seen], 0.0), own
                    )
                    mass = mass * (weight if len(weight) == 1 else weight[rows])[:, seen]
                    for e in range(model.number_of_eras):
                        gone[rows, e] += mass[:, era[seen] == e].sum(axis=1)
            for k in np.flatnonzero(groups[:, j] == g):
                by_source[:, k, j] = (reproduction[:, :, k, j] * gone).sum(axis=1)
    own = np.einsum("nkk->nk", by_source)
    shares = np.stack([base, own, by_source.sum(axis=2) - own], axis=2)
    return np.asarray(shares / shares.sum(axis=2, keepdims=True))


def responses(
    reproduction: FloatArray, kernel: ContinuousKernel, inner: FloatArray, groups: IntArray
) -> FloatArray:
    """Expected descendants (n, H, K, K) within 7, 14, ... days of one event.

    With one exponential the expected intensity after an event solves
    ``x' = decay (R - I) x``, ``x(0) = decay R``, whose integral is a matrix exponential. Otherwise
    the Laplace transform ``(I - R g(s))^-1 R g(s) / s`` is inverted (Abate & Whitt 1995, ORSA
    Journal on Computing 7(1)); draws with a branching ratio of 1 or more are then infinite.

    Parameters
    ----------
    reproduction : ndarray (n, K, K)
    kernel : ContinuousKernel
    inner : ndarray (n, G, q)
    groups : ndarray of int (K, K)
    """
    if isinstance(kernel, ExponentialFamily) and kernel.terms == 1 and inner.shape[1] == 1:
        rate = np.stack(
            [kernel.as_exponentials()(one, kernel.nodes())[0][1] for one in inner[:, 0]]
        )
        return _linear_system(reproduction, rate)
    draws, streams, _ = reproduction.shape
    radius = np.abs(np.linalg.eigvals(reproduction)).max(axis=1)
    weights = _euler_weights()
    out = np.full((draws, WEEKS, streams, streams), np.inf)
    identity = np.eye(streams)
    settled = np.flatnonzero(radius < 1)
    nodes = EULER * np.log(10) / 3 + 1j * np.pi * np.arange(len(weights))
    for rows in np.array_split(settled, len(settled) // 200 + 1):
        if not len(rows):
            continue
        transform = _transform(kernel, inner[rows])
        for week in range(1, WEEKS + 1):
            t = 7.0 * week
            s = nodes / t
            matrix = reproduction[rows][:, None] * transform(s)[:, :, groups]
            solved = np.linalg.solve(identity - matrix, matrix) / s[:, None, None]
            value = np.einsum("s,nskj->nkj", weights, solved.real) / t
            out[rows, week - 1] = np.maximum(value, 0.0)
    return out


def _euler_weights() -> FloatArray:
    """Weights of the Euler summation of the Fourier series, for f(t) = sum w Re F(s) / t."""
    from math import comb

    order = EULER
    xi = np.ones(2 * order + 1)
    xi[0] = 0.5
    for i in range(order):
        xi[2 * order - i] = sum(comb(order, a) for a in range(i + 1)) / 2**order
    signs = (-1.0) ** np.arange(2 * order + 1)
    return np.asarray(10 ** (order / 3) * signs * xi, float)


def _transform(
    kernel: ContinuousKernel, inner: FloatArray
) -> Callable[[ComplexArray], ComplexArray]:
    """Laplace transforms of the delay densities: a function (S,) -> (n, S, G)."""
    draws, groups, _ = inner.shape
    if isinstance(kernel, ExponentialFamily):
        shape, nodes = kernel.as_exponentials(), kernel.nodes()
        values = [[shape(inner[n, g], nodes)[0] for g in range(groups)] for n in range(draws)]
        weights, rates = np.split(np.array(values), 2, axis=2)
        height = weights * rates

        def transform(s: ComplexArray) -> ComplexArray:
            terms = height[:, None] / (rates[:, None] + s[:, None, None])
            return np.asarray(terms.sum(axis=3), complex)

        return transform
    share = (np.arange(ATOMS) + 0.5) / ATOMS
    delay = kernel.quantile(share, inner[:, :, None, :])

    def by_atoms(s: ComplexArray) -> ComplexArray:
        return np.asarray(np.exp(-s[:, None, None] * delay[:, None]).mean(axis=3), complex)

    return by_atoms


def _linear_system(reproduction: FloatArray, decay: FloatArray) -> FloatArray:
    draws, streams, _ = reproduction.shape
    rate = decay[:, None, None]
    identity = np.broadcast_to(np.eye(streams), reproduction.shape)
    # The upper right block of expm([[A, B], [0, 0]] h) is the integral of expm(A s) B.
    block = np.zeros((draws, 2 * streams, 2 * streams))
    block[:, :streams, :streams] = rate * (reproduction - identity)
    block[:, :streams, streams:] = rate * reproduction
    step = _exponentials(block * 7.0)
    out = np.empty((draws, WEEKS, streams, streams))
    power = step
    # Far above a branching ratio of 1 half a year is enough to overflow.
    with np.errstate(over="ignore", invalid="ignore"):
        for h in range(WEEKS):
            out[:, h] = power[:, :streams, streams:]
            power = power @ step
    return np.where(np.isfinite(out), out, np.inf)


def _exponentials(matrices: FloatArray) -> FloatArray:
    """Matrix exponentials of many small matrices at once, by Taylor series and squaring.

    SciPy's takes one matrix after another, which for a thousand draws is seconds.
    """
    norm = float(np.abs(matrices).sum(axis=2).max(initial=0.0))
    squarings = max(0, int(np.ceil(np.log2(max(norm, 1e-12)))) + 2)
    small = matrices / 2.0**squarings
    identity = np.broadcast_to(np.eye(matrices.shape[1]), matrices.shape)
    out = identity + small / 14.0
    for order in range(13, 0, -1):
        out = identity + small @ out / order
    with np.errstate(over="ignore", invalid="ignore"):
        for _ in range(squarings):
            out = out @ out
    return np.asarray(out)


def _delay_median(
    kernel: ContinuousKernel, inner: FloatArray, reproduction: FloatArray, groups: IntArray
) -> FloatArray:
    """Median delay (n,): of the one kernel, or of the kernels weighted by R."""
    medians = np.stack([kernel.median(inner[:, g]) for g in range(inner.shape[1])], axis=1)
    if medians.shape[1] == 1:
        return np.asarray(medians[:, 0], float)
    weight = reproduction / np.maximum(reproduction.sum(axis=(1, 2), keepdims=True), 1e-12)
    return np.asarray(np.einsum("nkj,nkj->n", weight, medians[:, groups]), float)


def era_table(fit: Fit, level: float = 0.9) -> pl.DataFrame:
    """R of each era and what changed since the one before, a row an era and arrow.

    Parameters
    ----------
    fit : Fit
        Of a `Hawkes` model with eras.
    level : float
        Probability of the intervals.

    Returns
    -------
    polars.DataFrame
        `begins` (null for the first era), `source`, `target`, `estimate` (median), `lower`,
        `upper`; `change` since the era before with `change_lower`, `change_upper`.

    Raises
    ------
    ValueError
        If the model has one era only.
    """
    model = fit.model
    eras = getattr(model, "eras", ())
    if not eras:
        raise ValueError("the model has a single era; give Hawkes(eras=(date, ...))")
    reproduction = fit.draws["reproduction"]
    lower, upper = nonnegative_interval(reproduction, level)
    tails = [0.5, (1 - level) / 2, (1 + level) / 2]
    middle = np.median(reproduction, axis=0)
    changed = np.quantile(np.diff(reproduction, axis=1), tails, axis=0)
    rows = []
    names = fit.series.names
    mask = model.mask(len(names))  # type: ignore[attr-defined]
    for e, begins in enumerate((None, *eras)):
        for j, k in np.argwhere(mask.T):
            row = {
                "begins": begins,
                "source": names[j],
                "target": names[k],
                "estimate": float(middle[e, k, j]),
                "lower": float(lower[e, k, j]),
                "upper": float(upper[e, k, j]),
            }
            for name, value in zip(
                ("change", "change_lower", "change_upper"), changed, strict=True
            ):
                row[name] = float(value[e - 1, k, j]) if e else None
            rows.append(row)
    return pl.DataFrame(rows)
