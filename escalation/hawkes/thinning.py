"""Exact simulation of Hawkes processes by thinning, linear or with a link."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.hawkes.new_events import CAP
from escalation.likelihood.quadrature import EXP, IDENTITY, SOFTPLUS, link_inverse, link_rate
from escalation.parameters import BoolArray, FloatArray

IntArray = NDArray[np.int64]

LINKS = {"identity": IDENTITY, "softplus": SOFTPLUS, "exp": EXP}


def thinning(
    background: FloatArray,
    days: FloatArray,
    effect: FloatArray,
    exponentials: FloatArray,
    group: IntArray,
    history: tuple[FloatArray, ...],
    rng: np.random.Generator,
    *,
    link: str = "identity",
    scale: FloatArray | None = None,
    era_days: FloatArray | None = None,
    weights: tuple[FloatArray, ...] | None = None,
    pool: tuple[FloatArray, ...] | None = None,
    cap: int = CAP,
) -> tuple[IntArray, IntArray, FloatArray, BoolArray]:
    r"""Events of many independent paths over one span, each with its own parameters.

    Candidates come at a rate that bounds the intensity until the background changes, and are kept
    with the ratio of the two. For a linear process it is an independent check of `branching`; for
    one with a link it is the only way.

    Parameters
    ----------
    background : ndarray (n, D, K)
        Rate of each path, stretch and stream without any influence, per day.
    days : ndarray (D + 1,)
        Edges of the stretches; ``days[0]`` and ``days[-1]`` are the ends of the span.
    effect : ndarray (n, K, K) or (n, E, K, K)
        Reproduction or influence, [receiving, setting off]; one for each era of the *earlier*
        event.
    exponentials : ndarray (n, G, 2 M)
        Weights, then rates per day, of each group's delay density.
    group : ndarray of int (1, 1), (K, 1) or (K, K)
        Group of the kernel by target and by source.
    history : tuple of K ndarray
        Times of the events before the span, the same for all paths.
    rng : numpy.random.Generator
    link : {"identity", "softplus", "exp"}
        Identity needs effects that are not negative.
    scale : ndarray (K,), optional
        Of softplus, per day; 1 unless given.
    era_days : ndarray (E - 1,), optional
        Where each era but the first begins.
    weights : tuple of K ndarray, optional
        Multiplies the effect of each event of the history; 1 unless given.
    pool : tuple of K ndarray, optional
        Weights of the simulated events are drawn from these with replacement; 1 where a stream
        has none.
    cap : int
        A path with more events is stopped and reported.

    Returns
    -------
    path, stream, time : ndarray (m,)
        One entry an event, path by path in the order of time.
    stopped : ndarray of bool (n,)
        Paths that reached the cap.

    Raises
    ------
    ValueError
        For an unknown link, or a negative effect under the identity.

    References
    ----------
    Lewis & Shedler (1979), Naval Research Logistics Quarterly 26(3); Ogata (1981), IEEE
    Transactions on Information Theory 27(1).
    """
    run = coupled(
        background, days, effect, exponentials, group, history, rng, np.array([-1], np.int64),
        link=link, scale=scale, era_days=era_days, weights=weights, pool=pool, cap=cap,
    )  # fmt: skip
    path, _, stream, time, _, stopped = run
    return path, stream, time, stopped


def coupled(
    background: FloatArray,
    days: FloatArray,
    effect: FloatArray,
    exponentials: FloatArray,
    group: IntArray,
    history: tuple[FloatArray, ...],
    rng: np.random.Generator,
    extra: IntArray,
    *,
    link: str = "identity",
    scale: FloatArray | None = None,
    era_days: FloatArray | None = None,
    weights: tuple[FloatArray, ...] | None = None,
    pool: tuple[FloatArray, ...] | None = None,
    cap: int = CAP,
) -> tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray, BoolArray]:
    """Copies of each path that differ by one event at the start, with common random numbers.

    All copies thin the same candidates (Poisson embedding: Brémaud & Massoulié 1996, Annals of
    Probability 24(3)), so that they differ only where the extra event makes a difference.

    Parameters
    ----------
    extra : ndarray of int (C,)
        Stream of each copy's extra event at ``days[0]``; -1 for none.

    Returns
    -------
    path, copy, stream, time : ndarray (m,)
    further : ndarray (n, C, K)
        How many events of each stream each copy has more than the first in expectation given the
        candidates: the sum over candidates of the difference in intensity over the bound. The
        extra event itself is not counted.
    stopped : ndarray of bool (n,)

    Notes
    -----
    The other parameters are those of `thinning`.
    """
    if link not in LINKS:
        raise ValueError(f"link must be one of {', '.join(LINKS)}, got {link!r}")
    if link == "identity" and (effect < 0).any():
        raise ValueError("the linear process needs effects that are not negative; give a link")
    streams = background.shape[2]
    effect = effect[:, None] if effect.ndim == 3 else effect
    source = np.repeat(np.arange(len(history)), [len(times) for times in history])
    past = np.concatenate([*history, np.zeros(0)])
    weight = np.ones(len(past)) if weights is None else np.concatenate([*weights, np.zeros(0)])
    drawn = pool or tuple(np.zeros(0) for _ in range(streams))
    with np.errstate(divide="ignore"):
        log_background = np.log(np.ascontiguousarray(background, float))
    order = np.argsort(-past, kind="stable")
    where, time, further, stopped = _paths(
        log_background,
        np.ascontiguousarray(days, float),
        np.ascontiguousarray(effect, float),
        np.zeros(0) if era_days is None else np.asarray(era_days, float),
        np.ascontiguousarray(exponentials, float),
        np.ascontiguousarray(group, np.int64),
        np.ones(streams) if scale is None else np.asarray(scale, float),
        LINKS[link],
        past[order],
        source[order].astype(np.int64),
        weight[order].astype(float),
        np.concatenate([*drawn, np.zeros(0)]).astype(float),
        np.concatenate([[0], np.cumsum([len(one) for one in drawn])]).astype(np.int64),
        extra,
        rng,
        cap,
    )
    path, copy, stream = (np.ascontiguousarray(column) for column in where.T)
    return path, copy, stream, time.copy(), further, stopped


@njit(cache=True, nogil=True)
def _era(era_days: FloatArray, time: float) -> int:
    """The era that a time falls in."""
    era = 0
    while era < era_days.size and era_days[era] <= time:
        era += 1
    return era


@njit(cache=True, nogil=True)
def _jump(
    amplitude: FloatArray,
    effect: FloatArray,
    exponentials: FloatArray,
    group: IntArray,
    source: int,
    weight: float,
    age: float,
) -> None:
    """Add what one event of a stream leaves after some days to the amplitudes (K, C M)."""
    streams = amplitude.shape[0]
    rows, sources = group.shape
    terms = exponentials.shape[1] // 2
    c = source if sources > 1 else 0
    for k in range(streams):
        g = group[k if rows > 1 else 0, c]
        for m in range(terms):
            b = exponentials[g, terms + m]
            size = weight * effect[k, source] * exponentials[g, m] * b
            amplitude[k, c * terms + m] += size * (np.exp(-b * age) if age > 0.0 else 1.0)


@njit(cache=True, nogil=True)
def _remembered(
    amplitude: FloatArray,
    effect: FloatArray,
    era_days: FloatArray,
    exponentials: FloatArray,
    group: IntArray,
    past: FloatArray,
    source: IntArray,
    weight: FloatArray,
    start: float,
) -> None:
    """Add what the history, youngest first, leaves at the start, but for what has died out."""
    terms = exponentials.shape[1] // 2
    slowest = np.inf
    for g in range(exponentials.shape[0]):
        for m in range(terms):
            slowest = min(slowest, exponentials[g, terms + m])
    for i in range(past.size):
        age = start - past[i]
        if slowest * age > 60.0:
            break
        era = _era(era_days, past[i])
        _jump(amplitude, effect[era], exponentials, group, source[i], weight[i], age)


@njit(cache=True, nogil=True)
def _fade(amplitude: FloatArray, exponentials: FloatArray, group: IntArray, days: float) -> None:
    """Let the amplitudes (copies, K, C M) decay for some days."""
    copies, streams, _ = amplitude.shape
    rows, sources = group.shape
    terms = exponentials.shape[1] // 2
    for h in range(rows):
        for c in range(sources):
            for m in range(terms):
                fade = np.exp(-exponentials[group[h, c], terms + m] * days)
                for copy in range(copies):
                    for k in range(h if rows > 1 else 0, h + 1 if rows > 1 else streams):
                        amplitude[copy, k, c * terms + m] *= fade


@njit(cache=True, nogil=True)
def _bound(
    level: float,
    amplitude: FloatArray,
    exponentials: FloatArray,
    group: IntArray,
    k: int,
    left: float,
    scale: float,
    link: int,
) -> float:
    """Upper bound of the rate of one stream over the days left of a stretch."""
    rows, sources = group.shape
    terms = exponentials.shape[1] // 2
    high = level
    for c in range(sources):
        g = group[k if rows > 1 else 0, c]
        for m in range(terms):
            size = amplitude[k, c * terms + m]
            if size < 0.0:
                size *= np.exp(-exponentials[g, terms + m] * left)
            high += size
    return float(link_rate(high, scale, link)[0])


@njit(cache=True, nogil=True)
def _paths(
    log_background: FloatArray,
    days: FloatArray,
    effect: FloatArray,
    era_days: FloatArray,
    exponentials: FloatArray,
    group: IntArray,
    scale: FloatArray,
    link: int,
    past: FloatArray,
    source: IntArray,
    weight: FloatArray,
    pool: FloatArray,
    pool_first: IntArray,
    extra: IntArray,
    rng: np.random.Generator,
    cap: int,
) -> tuple[IntArray, FloatArray, FloatArray, BoolArray]:
    """Events (m, 3) by path, copy and stream, their times, what is `further`, and who stopped."""
    paths, cells, streams = log_background.shape
    copies = extra.size
    slots = group.shape[1] * (exponentials.shape[2] // 2)
    further = np.zeros((paths, copies, streams))
    stopped = np.zeros(paths, np.bool_)
    room = 1024
    found = 0
    where = np.empty((room, 3), np.int64)
    when = np.empty(room)
    amplitude = np.empty((copies, streams, slots))
    level = np.empty(streams)
    bound = np.empty(streams)
    rate = np.empty((copies, streams))
    for path in range(paths):
        shape = exponentials[path]
        amplitude[:] = 0.0
        _remembered(
            amplitude[0], effect[path], era_days, shape, group, past, source, weight, days[0]
        )
        era = _era(era_days, days[0])
        for copy in range(1, copies):
            for k in range(streams):
                for q in range(slots):
                    amplitude[copy, k, q] = amplitude[0, k, q]
        for copy in range(copies):
            if extra[copy] >= 0:
                _jump(amplitude[copy], effect[path, era], shape, group, extra[copy], 1.0, 0.0)
        number = 0
        now = days[0]
        d = 0
        fresh = True
        while d < cells and not stopped[path]:
            if fresh:
                for k in range(streams):
                    level[k] = link_inverse(log_background[path, d, k], scale[k], link)[0]
            total = 0.0
            for k in range(streams):
                bound[k] = 0.0
                for copy in range(copies):
                    high = _bound(
                        level[k], amplitude[copy], shape, group, k, days[d + 1] - now,
                        scale[k], link,
                    )  # fmt: skip
                    bound[k] = max(bound[k], high)
                total += bound[k]
            if not total < 1e12:
                stopped[path] = True
                break
            wait = -np.log1p(-rng.random()) / total if total > 0.0 else np.inf
            fresh = now + wait >= days[d + 1]
            step = days[d + 1] - now if fresh else wait
            _fade(amplitude, shape, group, step)
            if fresh:
                d += 1
                now = days[d]
                continue
            now += step
            for copy in range(copies):
                for k in range(streams):
                    x = level[k]
                    for q in range(slots):
                        x += amplitude[copy, k, q]
                    rate[copy, k] = link_rate(x, scale[k], link)[0]
                    further[path, copy, k] += (rate[copy, k] - rate[0, k]) / total
            mark = rng.random() * total
            k = 0
            while k < streams - 1 and mark >= bound[k]:
                mark -= bound[k]
                k += 1
            size = 0.0
            for copy in range(copies):
                if mark >= rate[copy, k]:
                    continue
                if size == 0.0:
                    size = 1.0
                    choices = pool_first[k + 1] - pool_first[k]
                    if choices > 0:
                        size = pool[pool_first[k] + int(rng.random() * choices)]
                era = _era(era_days, now)
                _jump(amplitude[copy], effect[path, era], shape, group, k, size, 0.0)
                number += 1
                if found == room:
                    room *= 2
                    wider, longer = np.empty((room, 3), np.int64), np.empty(room)
                    for i in range(found):
                        longer[i] = when[i]
                        for column in range(3):
                            wider[i, column] = where[i, column]
                    where, when = wider, longer
                where[found, 0], where[found, 1], where[found, 2] = path, copy, k
                when[found] = now
                found += 1
            stopped[path] = number > cap * copies
    return where[:found], when[:found], further, stopped
