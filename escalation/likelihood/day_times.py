"""Fixed draws of the times within days."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_clusters import clustered, gamma_factor, past_states, pilot
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def _shift(
    counts: IntArray,
    shape: FloatArray,
    lanes: IntArray,
    origin: IntArray,
    strata: FloatArray,
    normal: FloatArray,
    decline: FloatArray,
    share: FloatArray,
    offset: FloatArray,
) -> None:
    """Make the states' random numbers, half of them for a state that many events tell of.

    `normal` and `decline` come in as ranks, and leave as normal and exponential numbers; `share`
    is their density over that of the mixture they are drawn from, and `offset` its logarithm.
    """
    row = -1
    for d in range(counts.shape[0]):
        total = 0
        for k in range(counts.shape[1]):
            total += counts[d, k]
        if total == 0:
            continue
        row += 1
        size = lanes[row]
        half = size // 2
        for k in range(counts.shape[1]):
            # A gamma law of shape a tilted by the power c has the shape a + c.
            power = 0.5 * counts[d, k] if counts[d, k] > 1 else 0.0
            move = min(1.5, power / np.sqrt(shape[d, k] + 1.0))
            speed = 1.0 + power / (shape[d, k] + 0.5)
            for p in range(size):
                i = origin[row, 1] + k * size + p
                one, two = int(normal[i]), int(decline[i])
                if power == 0.0 or speed < 1.1:
                    normal[i] = strata[0, size, one]
                    decline[i] = strata[1, size, two]
                    continue
                # The lower ranks are plain draws, the upper ones moved.
                moved = one >= half
                z = strata[0, half, one - half] + move if moved else strata[0, half, one]
                e = strata[1, half, two // 2] / (speed if moved else 1.0)
                normal[i] = z
                decline[i] = e
                other = np.log(speed) + move * (z - 0.5 * move) - (speed - 1.0) * e
                share[i] = 2.0 / (1.0 + np.exp(other))
                offset[origin[row, 2] + p] += np.log(share[i])


@njit(cache=True, nogil=True, error_model="numpy")
def _fill(
    first: IntArray,
    stream: IntArray,
    counts: IntArray,
    rate: FloatArray,
    decay: float,
    reach: FloatArray,
    level: FloatArray,
    shape: FloatArray,
    lanes: IntArray,
    origin: IntArray,
    uniform: FloatArray,
    normal: FloatArray,
    decline: FloatArray,
    when: FloatArray,
    which: IntArray,
    offset: FloatArray,
) -> None:
    """Replace every other draw of the days with several events by a clustered one."""
    days, streams = counts.shape
    begin = np.zeros(streams)
    left = np.empty(streams, np.int64)
    taken = np.empty(streams, np.int64)
    row = -1
    for d in range(days):
        n = first[d + 1] - first[d]
        if n > 0:
            row += 1
        if n < 2:
            continue
        size = lanes[row]
        base = origin[row, 0]
        numbers = np.empty((2, n))
        times = np.empty(n)
        label = np.empty(n, np.int64)
        even = 0.0
        for k in range(streams):
            for i in range(1, counts[d, k] + 1):
                even += np.log(i)
        for p in range(size):
            for k in range(streams):
                left[k] = counts[d, k]
                taken[k] = 0
                begin[k] = reach[k] * decay * level[d, k]
                if shape[d, k] < 1e6:
                    i = origin[row, 1] + k * size + p
                    begin[k] *= gamma_factor(shape[d, k], normal[i], decline[i])
            draw = p % 2 == 1
            for s in range(n):
                numbers[0, s] = uniform[0, base + s * size + p]
                numbers[1, s] = uniform[1, base + s * size + p]
            if not draw:
                for s in range(n):
                    times[s] = when[base + s * size + p]
                    label[s] = stream[which[base + s * size + p]]
            own = clustered(
                times, label, left, rate, begin, decay, reach,
                numbers, draw,
            )  # fmt: skip
            # Half of the draws have the one density, half the other.
            top = max(own, even)
            mixed = top + np.log(0.5 * np.exp(own - top) + 0.5 * np.exp(even - top))
            offset[origin[row, 2] + p] += even - mixed
            if draw:
                # A stream's events of a day are one after another in `stream`, in any order.
                for s in range(n):
                    k = label[s]
                    place = first[d] + taken[k]
                    for j in range(k):
                        place += counts[d, j]
                    taken[k] += 1
                    when[base + s * size + p] = times[s]
                    which[base + s * size + p] = place


def day_data(
    counts: IntArray,
    watched: FloatArray,
    design: FloatArray,
    marks: tuple[FloatArray, ...] | None = None,
    era: IntArray | None = None,
    draws: int = 32,
    seed: int = 0,
    hint: tuple[float, FloatArray] | None = None,
) -> dict[str, FloatArray | IntArray]:
    """The arrays that `day_draws` takes after the kernel's values, in its order.

    Half of the draws of a day's times are uniform, half clustered as a pilot fit of the counts
    suggests; each draw is weighted by the mixture of both densities, so that whatever the decay
    no weight is more than twice that of the better half.

    Parameters
    ----------
    counts : ndarray of int (D, K)
        Incidents of each day and stream; what stands in a gap is not read.
    watched : ndarray (D,)
        1 where the day was watched, else 0.
    design : ndarray (D, P)
        Rows at the days' middles.
    marks : tuple of K ndarray, optional
        What multiplies the exponent of each watched event in day order: the mark for the
        exponential form, the logarithm of one plus it for the power form.
    era : ndarray of int (D,), optional
        Which R holds for the parents of each day; the first by default.
    draws : int
        Draws of each day's times and states, a multiple of four.
    seed : int
        The random numbers are data: the same for the same counts and seed.
    hint : (float, ndarray (K,)), optional
        Decay and R of a pilot fit, where one was made already.

    Raises
    ------
    ValueError
        For marks that do not fit the counts, or another number of draws.
    """
    if draws < 4 or draws % 4:
        raise ValueError(f"the number of draws must be a multiple of four, got {draws}")
    days, streams = counts.shape
    watched = np.asarray(watched, float)
    seen = np.where(watched[:, None] > 0, counts, 0).astype(np.int64)
    number = seen.sum(axis=1)
    first = np.concatenate([[0], np.cumsum(number)]).astype(np.int64)
    stream = np.repeat(np.tile(np.arange(streams), days), seen.ravel()).astype(np.int64)
    size = np.zeros(len(stream))
    if marks is not None:
        for k, each in enumerate(marks):
            mine = stream == k
            if len(each) != mine.sum():
                raise ValueError(f"stream {k}: {len(each)} marks for {mine.sum()} watched events")
            size[mine] = each

    rng = np.random.default_rng([20, seed])
    decay, reach = pilot(seen, watched) if hint is None else hint
    events = number[number > 0]
    lanes = _lanes(events, draws, decay)
    parts = np.stack([events * lanes, streams * lanes, lanes], axis=1)
    origin = np.cumsum(parts, axis=0) - parts
    when, which, uniform = _uniform_times(events, lanes, rng)
    normal = _ranks(lanes, streams, rng)
    decline = _ranks(lanes, streams, rng)
    share, offset = np.ones(len(normal)), np.zeros(int(lanes.sum()))
    level, shape = past_states(seen, decay, reach)
    _shift(seen, shape, lanes, origin, _strata(lanes), normal, decline, share, offset)
    mean = np.maximum(seen.sum(axis=0) / max(watched.sum(), 1.0), 1e-6)
    _fill(
        first, stream, seen, mean * (1 - reach), decay, reach, level, shape, lanes, origin,
        uniform, normal, decline, when, which, offset,
    )  # fmt: skip
    return {
        "first": first,
        "stream": stream,
        "size": size,
        "lanes": lanes,
        "origin": origin,
        "when": when,
        "which": which,
        "normal": normal,
        "decline": decline,
        "share": share,
        "offset": offset,
        "watched": watched,
        "design": np.ascontiguousarray(design, float),
        "era": np.zeros(days, np.int64) if era is None else np.asarray(era, np.int64),
    }


def _lanes(events: IntArray, draws: int, decay: float) -> IntArray:
    """Draws of each day by its number of events: busy days need more, with fast kernels most."""
    factor = np.where(events > 1, 1.0, 0.5)
    if decay >= 2:
        factor[events > 4] = 2.0
    if decay >= 4:
        factor[events > 2] = 2.0
        factor[events > 4] = 4.0
        factor[events > 9] = 8.0
    return np.asarray(4 * np.ceil(factor * draws / 4), np.int64)


def _strata(lanes: IntArray) -> FloatArray:
    """Normal and exponential quantiles at the middles of equal strata, (2, number, number).

    Row s holds those of s strata, with variance or mean one, for the numbers in `lanes` and for
    half of them.
    """
    from scipy.special import ndtri

    out = np.zeros((2, int(lanes.max(initial=0)) + 1, int(lanes.max(initial=0))))
    for size in np.unique(np.concatenate([lanes, lanes // 2])):
        middle = (np.arange(size) + 0.5) / size
        normal, exponential = ndtri(middle), -np.log(middle)
        out[0, size, :size] = normal / np.sqrt((normal**2).mean())
        out[1, size, :size] = exponential / exponential.mean()
    return out


def _ranks(lanes: IntArray, streams: int, rng: np.random.Generator) -> FloatArray:
    """Random orders of 0, ..., lanes - 1, one a day and stream, flat."""
    out = np.empty(int(lanes.sum()) * streams)
    origin = streams * (np.cumsum(lanes) - lanes)
    for size in np.unique(lanes):
        at = origin[lanes == size]
        ranks = rng.permuted(np.tile(np.arange(size), (len(at) * streams, 1)), axis=1)
        out[at[:, None] + np.arange(streams * size)] = ranks.reshape(len(at), -1)
    return out


def _uniform_times(
    events: IntArray, lanes: IntArray, rng: np.random.Generator
) -> tuple[FloatArray, IntArray, FloatArray]:
    """Stratified times of each day, sorted by draw, with their events; and other uniform numbers.

    Even draws are strata of their own, where there are several events: clustered draws will
    replace the odd ones, by the other numbers (2, ...).
    """
    total = int((events * lanes).sum())
    when, which, other = np.empty(total), np.empty(total, np.int64), np.empty((2, total))
    origin = np.cumsum(events * lanes) - events * lanes
    first = np.cumsum(events) - events
    for n, size in sorted({(int(n), int(m)) for n, m in zip(events, lanes, strict=True)}):
        chosen = (events == n) & (lanes == size)
        rows = (int(chosen.sum()), n, size)
        times: FloatArray
        if n == 1:
            times = (np.argsort(rng.random(rows), axis=2) + 0.5) / size
        else:
            split = rng.random((*rows[:2], size // 2, 2))
            times = (np.argsort(split, axis=2).reshape(rows) + rng.random(rows)) / (size // 2)
        ranks = np.argsort(times, axis=1, kind="stable")
        places = origin[chosen, None] + np.arange(n * size)
        when[places] = np.take_along_axis(times, ranks, axis=1).reshape(rows[0], -1)
        which[places] = (first[chosen, None, None] + ranks).reshape(rows[0], -1)
        for one in other:
            order = np.argsort(rng.random((*rows[:2], size // 2, 2)), axis=2).reshape(rows)
            one[places] = ((order + rng.random(rows)) / (size // 2)).reshape(rows[0], -1)
    return when, which, other
