"""Exact simulation of Hawkes processes by branching: background events, then generations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from escalation.kernels import ContinuousKernel
from escalation.parameters import BoolArray, FloatArray

IntArray = NDArray[np.int64]

#: A path with more events than this is stopped.
CAP = 100_000


def branching(
    background: FloatArray,
    days: FloatArray,
    reproduction: FloatArray,
    kernel: ContinuousKernel,
    theta: FloatArray,
    history: tuple[FloatArray, ...],
    span: tuple[float, float],
    rng: np.random.Generator,
    cap: int = CAP,
) -> tuple[IntArray, IntArray, FloatArray, BoolArray]:
    """Events of many independent paths over one span, each with its own parameters.

    Parameters
    ----------
    background : ndarray (n, D, K)
        Rate of each path, stretch and stream, per day.
    days : ndarray (D + 1,)
        Edges of the stretches; ``days[0]`` and ``days[-1]`` are the ends of the span.
    reproduction : ndarray (n, K, K)
    kernel : ContinuousKernel
    theta : ndarray (n, q)
        Kernel parameters of each path.
    history : tuple of K ndarray
        Times of the events before the span, the same for all paths.
    span : tuple of float
        Start and end, days.
    rng : numpy.random.Generator
    cap : int
        A path with more events is stopped and reported.

    Returns
    -------
    path, stream, time : ndarray (m,)
        One entry an event, in no order.
    stopped : ndarray of bool (n,)
        Paths that reached the cap.

    References
    ----------
    Hawkes & Oakes (1974), Journal of Applied Probability 11(3): the cluster representation.
    """
    paths = len(background)
    start, end = span
    width = np.diff(days)
    number = rng.poisson(background * width[:, None])
    path, stretch, stream = (np.repeat(i.ravel(), number.ravel()) for i in np.indices(number.shape))
    time = days[stretch] + rng.random(len(path)) * width[stretch]
    found = [(path, stream, time)]

    for j, times in enumerate(history):
        if len(times):
            found.append(_late(times, j, start, end, reproduction, kernel, theta, rng))
    path, stream, time = (np.concatenate(parts) for parts in zip(*found, strict=True))
    total = np.bincount(path, minlength=paths)
    stopped = total > cap
    out = [(path, stream, time)]
    while len(path):
        alive = ~stopped[path]
        path, stream, time = path[alive], stream[alive], time[alive]
        number = rng.poisson(reproduction[path, :, stream])
        parent, child = (np.repeat(i.ravel(), number.ravel()) for i in np.indices(number.shape))
        delay = kernel.sample(rng, theta[path[parent]], len(parent))
        time = time[parent] + delay
        inside = time < end
        path, stream, time = path[parent][inside], child[inside], time[inside]
        total = total + np.bincount(path, minlength=paths)
        stopped |= total > cap
        out.append((path, stream, time))
    path, stream, time = (np.concatenate(parts) for parts in zip(*out, strict=True))
    return path, stream, time, stopped


def _late(
    times: FloatArray,
    source: int,
    start: float,
    end: float,
    reproduction: FloatArray,
    kernel: ContinuousKernel,
    theta: FloatArray,
    rng: np.random.Generator,
) -> tuple[IntArray, IntArray, FloatArray]:
    """Offspring within the span of the events before it."""
    age = start - times
    # Ages at which less than 1e-9 of the offspring is still to come are left out.
    oldest = float(kernel.quantile(np.asarray(1 - 1e-9), theta).max())
    age = age[age < oldest]
    before = kernel.cdf(age[None, :], theta[:, None, :])
    after = kernel.cdf(age[None, :] + (end - start), theta[:, None, :])
    mean = reproduction[:, None, :, source] * (after - before)[:, :, None]
    number = rng.poisson(mean)
    path, event, stream = (np.repeat(i.ravel(), number.ravel()) for i in np.indices(number.shape))
    low, high = before[path, event], after[path, event]
    share = low + rng.random(len(path)) * (high - low)
    delay = kernel.quantile(share, theta[path])
    time = np.clip(start - age[event] + delay, start, np.nextafter(end, start))
    return path, stream, time
