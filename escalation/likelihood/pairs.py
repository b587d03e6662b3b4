"""Log-likelihood and gradient of the multivariate Hawkes process over all pairs of events.

For kernels that are no mixture of exponentials, and as a check for those that are. The kernel's
densities at the ages of all pairs, and its probabilities up to the ends of the watch, are computed
by its own compiled function and read here.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.kernels.base import ContinuousKernel, Pointwise
from escalation.likelihood.hawkes_blocks import background_rates, mark_weights
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Most pairs that are taken on: four arrays of doubles of this length are a gigabyte.
CAP = 30_000_000


@dataclass(frozen=True)
class Pairs:
    """Pairs of a receiving event and an earlier one within the kernel's reach.

    Row ``i * K + j`` lists the events of stream j that may have set off event i; they follow one
    another in the order of time, so that a row is its length and its first source.

    Attributes
    ----------
    constants : ndarray (c,) or (G, c)
        Second argument of the kernel's `pair_densities`, one row a kernel.
    start : ndarray of int (n K + 1,)
        Where each row begins in the list of pairs.
    low : ndarray of int (n K,)
        First source of each row.
    row_place : ndarray of int (n K,)
        Place among the kernel's values of the density of each row's first pair.
    density_place : ndarray of int (number of pairs,) or (0,)
        Place of each pair's density; empty where those of a row follow one another.
    gone_event, gone_place : ndarray of int (z,)
        Summands of the compensator: event and place among the values.
    gone_factor : ndarray (z,)
    """

    constants: FloatArray
    start: IntArray
    low: IntArray
    row_place: IntArray
    density_place: IntArray
    gone_event: IntArray
    gone_place: IntArray
    gone_factor: FloatArray

    def data(self) -> dict[str, FloatArray | IntArray]:
        """All but the constants, in the order of the arguments of `hawkes_pairs`."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "constants"}


def find_pairs(
    kernel: ContinuousKernel,
    times: FloatArray,
    first: IntArray,
    spans: FloatArray,
    group: IntArray,
    allowed: IntArray,
    cap: int = CAP,
    apart: bool = False,
) -> Pairs:
    """List the pairs of events that a kernel can link.

    Within a stream a tie is a delay rounded to zero: an event follows those before it in the file,
    unless ties are kept apart; events of different streams at the very same time do not set one
    another off.

    Parameters
    ----------
    kernel : ContinuousKernel
        Bound to the window.
    times : ndarray (n,)
        Days, stream after stream, each sorted.
    first : ndarray of int (K + 1,)
        Where each stream begins.
    spans : ndarray (I, 2)
        The watched spans; events before the first set off and are not scored.
    group : ndarray of int (K, K)
        Which kernel each pair of streams [receiving, setting off] has.
    allowed : ndarray of int (K, K)
        0 where R is fixed at zero.
    cap : int
        Largest number of pairs.
    apart : bool
        Whether events of one stream at the very same time, too, do not set one another off.

    Raises
    ------
    ValueError
        If there are more pairs than `cap`, or ties where the density is unbounded at zero.
    """
    streams = len(first) - 1
    low, number = _rows(kernel.reach, times, first, spans, allowed, apart)
    total = int(number.sum())
    if total > cap:
        raise ValueError(
            f"{total} pairs of events lie within the kernel's reach of {kernel.reach:.6g} days, "
            f"more than {cap}: take a mixture of exponentials (Exponential, Mixture, or Lomax "
            "without exact=True), or a truncation age"
        )
    stream = np.repeat(np.arange(streams), np.diff(first))
    kernels = group[stream].ravel()
    start = np.concatenate([[0], np.cumsum(number)])
    source = np.repeat(low - start[:-1], number) + np.arange(total)
    ages = np.repeat(np.repeat(times, streams), number) - times[source]
    del source
    elapsed, event, sign = _elapsed(times, spans, kernel.reach)

    groups = int(group.max()) + 1
    parts = (
        [ages] if groups == 1 else [ages[np.repeat(kernels == g, number)] for g in range(groups)]
    )
    longest = max(len(part) for part in parts)
    filler = min(1.0, kernel.reach / 2)
    plans = [
        kernel.pointwise(np.pad(part, (0, longest - len(part)), constant_values=filler), elapsed)
        for part in parts
    ]
    row_place = np.zeros(number.size, np.int64)
    for g in range(groups):
        own = kernels == g
        row_place[own] = np.concatenate([[0], np.cumsum(number[own])[:-1]]) if own.any() else 0
    plan = plans[0]
    constants = plan.constants if groups == 1 else np.stack([one.constants for one in plans])
    return Pairs(
        constants,
        start.astype(np.int64),
        low,
        row_place,
        _places(plans, kernels, number, row_place),
        event[plan.cdf_entry],
        plan.cdf_place.astype(np.int64),
        sign[plan.cdf_entry] * plan.cdf_factor,
    )


def _rows(
    reach: float,
    times: FloatArray,
    first: IntArray,
    spans: FloatArray,
    allowed: IntArray,
    apart: bool,
) -> tuple[IntArray, IntArray]:
    """First source and number of sources of each row, (n K,)."""
    streams = len(first) - 1
    low = np.zeros((len(times), streams), np.int64)
    number = np.zeros((len(times), streams), np.int64)
    for k in range(streams):
        own = slice(first[k], first[k + 1])
        for j in range(streams):
            if not allowed[k, j]:
                continue
            others = times[first[j] : first[j + 1]]
            low[own, j] = first[j] + np.searchsorted(others, times[own] - reach, side="right")
            high = np.arange(first[k], first[k + 1])
            if j != k or apart:
                high = first[j] + np.searchsorted(others, times[own], side="left")
            number[own, j] = np.maximum(high - low[own, j], 0)
    number[times < spans[0, 0]] = 0
    return low.ravel(), number.ravel()


def _elapsed(
    times: FloatArray, spans: FloatArray, reach: float
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Ages at which watched spans end and begin, with their events and signs."""
    n = len(times)
    until = spans[:, 1] - times[:, None]
    since = spans[:, 0] - times[:, None]
    counts = (until > 0) & (since < reach)
    event = np.broadcast_to(np.arange(n)[:, None], until.shape)
    late, early = counts, counts & (since > 0)
    elapsed = np.concatenate([until[late], since[early]])
    sign = np.concatenate([np.ones(late.sum()), -np.ones(early.sum())])
    return elapsed, np.concatenate([event[late], event[early]]).astype(np.int64), sign


def _places(
    plans: list[Pointwise], kernels: IntArray, number: IntArray, row_place: IntArray
) -> IntArray:
    """Place of every pair's density, or nothing where it is the pair's own number."""
    if all(np.array_equal(one.density_place, np.arange(len(one.density_place))) for one in plans):
        return np.zeros(0, np.int64)
    total = int(number.sum())
    start = np.cumsum(number) - number
    within = np.repeat(row_place - start, number) + np.arange(total)
    which = np.repeat(kernels, number)
    out = np.empty(total, np.int64)
    for g, plan in enumerate(plans):
        out[which == g] = plan.density_place[within[which == g]]
    return out


@njit(cache=True, nogil=True, fastmath={"reassoc", "contract"}, error_model="numpy")
def _dot(a, at, b, to, size):  # type: ignore[no-untyped-def]
    """Sum of products of two stretches, in an order of the compiler's choice."""
    total = 0.0
    for i in range(size):
        total += a[at + i] * b[to + i]
    return total


@njit(cache=True, nogil=True, error_model="numpy")
def hawkes_pairs(
    theta: FloatArray,
    values: FloatArray,
    times: FloatArray,
    first: IntArray,
    cell: IntArray,
    era: IntArray,
    sizes: FloatArray,
    lengths: FloatArray,
    design: FloatArray,
    spans: FloatArray,
    start: IntArray,
    low: IntArray,
    row_place: IntArray,
    density_place: IntArray,
    gone_event: IntArray,
    gone_place: IntArray,
    gone_factor: FloatArray,
    column: IntArray,
    place: IntArray,
    group: IntArray,
    allowed: IntArray,
    mark_place: IntArray,
    vary: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood with its gradients by the parameters and by the kernels' values.

    .. math:: \lambda_k(t) = \exp(x(t)'b_k)
              + \sum_j \sum_{t_i < t, \kappa_i = j} R^{e_i}_{kj}\, y_i\, g_{kj}(t - t_i)

    Cost O(pairs). The arguments that are not explained here are those of
    `escalation.likelihood.hawkes.hawkes_exponential`; `vary` is not read
    (`find_pairs` has dealt with ties).

    Parameters
    ----------
    theta : ndarray (p,)
        All parameters; those of the kernel are not read.
    values : ndarray (G, m)
        Densities and probabilities of each kernel, as its `pointwise` lays them out.
    start, low, row_place, density_place, gone_event, gone_place, gone_factor : ndarray
        As `Pairs` explains.

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (G, m)
    """
    streams, eras, n = column.shape[0], place.size, times.size
    marked, listed = sizes.size > 0, density_place.size > 0
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    rate = background_rates(theta, design, column)
    pull = np.empty(lengths.size)
    weight, slope = mark_weights(theta, sizes, first, mark_place)
    stream = np.empty(n, np.int64)
    for j in range(streams):
        stream[first[j] : first[j + 1]] = j
    effect = np.empty(n)
    pulled = np.empty(n)
    value = 0.0
    for k in range(streams):
        for d in range(lengths.size):
            value -= rate[d, k] * lengths[d]
            pull[d] = -lengths[d]
        for s in range(n):
            reproduction = theta[place[era[s] if eras > 1 else 0] + k * streams + stream[s]]
            effect[s] = reproduction * (weight[s] if marked else 1.0)
            pulled[s] = 0.0
        for i in range(first[k], first[k + 1]):
            if times[i] < spans[0, 0]:
                continue
            intensity = rate[cell[i], k]
            for j in range(streams):
                row = i * streams + j
                size, to, source = start[row + 1] - start[row], row_place[row], low[row]
                if listed:
                    for s in range(size):
                        density = values[group[k, j], density_place[start[row] + s]]
                        intensity += effect[source + s] * density
                else:
                    intensity += _dot(effect, source, values[group[k, j]], to, size)
            if not (intensity > 1e-250 and intensity < 1e15):
                return -np.inf, np.zeros(theta.size), np.zeros(values.shape)
            value += np.log(intensity)
            inverse = 1.0 / intensity
            pull[cell[i]] += inverse
            for j in range(streams):
                row = i * streams + j
                size, to, source = start[row + 1] - start[row], row_place[row], low[row]
                own, slopes = values[group[k, j]], by_values[group[k, j]]
                if listed:
                    for s in range(size):
                        at = density_place[start[row] + s]
                        slopes[at] += inverse * effect[source + s]
                        pulled[source + s] += inverse * own[at]
                else:
                    for s in range(size):
                        slopes[to + s] += inverse * effect[source + s]
                    for s in range(size):
                        pulled[source + s] += inverse * own[to + s]
        for z in range(gone_event.size):
            s, at, factor = gone_event[z], gone_place[z], gone_factor[z]
            if not allowed[k, stream[s]]:
                continue
            g = group[k, stream[s]]
            value -= effect[s] * factor * values[g, at]
            by_values[g, at] -= effect[s] * factor
            pulled[s] -= factor * values[g, at]
        for s in range(n):
            j = stream[s]
            if not allowed[k, j]:
                continue
            at = place[era[s] if eras > 1 else 0] + k * streams + j
            by_theta[at] += (weight[s] if marked else 1.0) * pulled[s]
            if marked:
                by_theta[mark_place[j]] += theta[at] * slope[s] * pulled[s]
        for d in range(lengths.size):
            for p in range(column.shape[1]):
                by_theta[column[k, p]] += pull[d] * rate[d, k] * design[d, p]
    return value, by_theta, by_values
