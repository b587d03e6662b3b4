"""Times within a day, clustered as the counts themselves suggest."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_filter import day_filter, filter_data
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Decays and R among which the pilot looks.
DECAYS = (0.1, 0.3, 1.0, 2.0, 4.0, 8.0, 16.0)

REACHES = (0.15, 0.35, 0.55, 0.75, 0.9)

#: The pilot reads no more watched days than these.
ENOUGH = 1500


def pilot(counts: IntArray, watched: FloatArray) -> tuple[float, FloatArray]:
    """Decay, the same for all, and R (K,) of each stream as if it were alone.

    The best of a coarse grid by the closed-form likelihood at a constant background.
    """
    days = np.flatnonzero(watched > 0)[:ENOUGH]
    seen = counts[: days[-1] + 1] if len(days) else counts[:0]
    best = np.full((len(DECAYS), counts.shape[1]), -np.inf)
    reach = np.full(best.shape, REACHES[0])
    start, column, place = np.zeros(1, np.int64), np.zeros((1, 1), np.int64), np.ones(1, np.int64)
    for k in range(counts.shape[1]):
        mean = seen[days, k].mean() if len(days) else 0.0
        if mean == 0.0:
            best[:, k] = 0.0
            continue
        data = filter_data(seen[:, k].astype(float), watched[: len(seen)], np.ones((len(seen), 1)))
        for i, decay in enumerate(DECAYS):
            for share in REACHES:
                theta = np.array([np.log(mean * (1 - share)), share])
                value = day_filter(
                    theta, np.array([[1.0, decay]]), *data.values(), start, column, place
                )[0]  # fmt: skip
                if value > best[i, k]:
                    best[i, k] = value
                    reach[i, k] = share
    chosen = int(np.argmax(best.sum(axis=1)))
    return DECAYS[chosen], reach[chosen]


@njit(cache=True, nogil=True, error_model="numpy")
def gamma_factor(shape: float, normal: float, decline: float) -> float:
    r"""A gamma variable of mean one, up to a factor, from a normal and an exponential number.

    A gamma variable of shape a is one of shape a + 1 times :math:`U^{1/a}` (Stuart 1962); that of
    shape a + 1 is close to the cube of a normal (Wilson & Hilferty 1931, PNAS 17).
    """
    more = shape + 1.0
    root = 1.0 - 1.0 / (9.0 * more) + normal / (3.0 * np.sqrt(more))
    root = max(root, 1e-3)
    return float(more / shape * root * root * root * np.exp(-decline / shape))


@njit(cache=True, nogil=True, error_model="numpy")
def _share(time: float, now: float, pull: float, rate: float, decay: float) -> tuple[float, float]:
    """Density and distribution function at `time` of an event that follows one at `now`.

    On (now, 1), proportional to rate + pull * exp(-decay * (time - now)).
    """
    whole = rate * (1.0 - now) - pull * np.expm1(-decay * (1.0 - now)) / decay
    part = rate * (time - now) - pull * np.expm1(-decay * (time - now)) / decay
    return (rate + pull * np.exp(-decay * (time - now))) / whole, part / whole


@njit(cache=True, nogil=True, error_model="numpy")
def _next(
    time: float,
    now: float,
    pull: FloatArray,
    rate: FloatArray,
    left: IntArray,
    decay: float,
    reach: FloatArray,
    hazard: FloatArray,
) -> float:
    """Log-probability of no event in (now, time); the streams' hazards at `time` are written."""
    value = 0.0
    for k in range(rate.size):
        hazard[k] = 0.0
        if left[k] > 0:
            # Of the events left, so many are not set off by others that are left.
            roots = 1.0 + (left[k] - 1) * (1.0 - reach[k])
            density, passed = _share(time, now, pull[k], rate[k], decay)
            rest = max(1.0 - passed, 1e-300)
            value += roots * np.log(rest)
            hazard[k] = roots * density / rest
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def clustered(
    when: FloatArray,
    label: IntArray,
    left: IntArray,
    rate: FloatArray,
    begin: FloatArray,
    decay: float,
    reach: FloatArray,
    uniform: FloatArray,
    draw: bool,
) -> float:
    """Log-density of a day's times and labels in order, by a sequence of conditional densities.

    Each event comes next by hazards of the pilot's form, so scaled that all events find room in
    the day. With `draw`, `when` and `label` are written, by the inverse of the distribution
    function at `uniform` (2, n); else they are read.

    Parameters
    ----------
    when, label : ndarray (n,)
    left : ndarray of int (K,)
        The day's counts; used up.
    rate, begin : ndarray (K,)
        Background, and what the past adds at midnight.
    """
    streams = rate.size
    hazard = np.empty(streams)
    pull = begin.copy()
    now = 0.0
    value = 0.0
    for s in range(when.size):
        if draw:
            target = np.log(uniform[0, s])
            low, high = now, 1.0
            time = now + (1.0 - now) * (1.0 - uniform[0, s])
            for _ in range(60):
                gap = _next(time, now, pull, rate, left, decay, reach, hazard) - target
                if abs(gap) < 1e-10 or high - low < 1e-14:
                    break
                if gap > 0.0:
                    low = time
                else:
                    high = time
                total = 0.0
                for k in range(streams):
                    total += hazard[k]
                step = time + gap / total
                time = step if low < step < high else 0.5 * (low + high)
            when[s] = min(time, 1.0 - 1e-12)
        value += _next(when[s], now, pull, rate, left, decay, reach, hazard)
        if draw:
            total = 0.0
            for k in range(streams):
                total += hazard[k]
            aim = uniform[1, s] * total
            chosen = -1
            for k in range(streams):
                if left[k] > 0 and (chosen < 0 or aim > 0.0):
                    chosen = k
                aim -= hazard[k]
            label[s] = chosen
        mine = label[s]
        value += np.log(hazard[mine])
        left[mine] -= 1
        fade = np.exp(-decay * (when[s] - now))
        for k in range(streams):
            pull[k] *= fade
        pull[mine] += reach[mine] * decay
        now = when[s]
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def past_states(counts: IntArray, decay: float, reach: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What the pilot knows of the states at each midnight: mean and gamma shape, (D, K)."""
    days, streams = counts.shape
    level = np.zeros((days, streams))
    shape = np.full((days, streams), np.inf)
    kept = np.exp(-decay)
    first = (1.0 - kept) / decay
    second = (1.0 - kept * kept) / (2.0 * decay) - first * first
    for k in range(streams):
        mean, variance = 0.0, 0.0
        for d in range(days):
            level[d, k] = mean
            if mean > 1e-3:
                shape[d, k] = mean * mean / variance
            n = counts[d, k]
            mean = kept * mean + n * first
            # Events of one cluster come together: their places are not independent.
            variance = kept * kept * variance
            if n > 0:
                variance += n * second * (1.0 + reach[k] * (n - 1))
    return level, shape
