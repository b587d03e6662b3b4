"""Exact simulation of Hawkes processes by branching: background events, then generations."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from escalation.kernels import ContinuousKernel, ExponentialFamily
from escalation.parameters import BoolArray, FloatArray

IntArray = NDArray[np.int64]

#: A path with more events than this is stopped.
CAP = 100_000
#: Probabilities of a past event's late offspring that are held at once.
BLOCK = 4_000_000


@dataclass(frozen=True)
class NewMarks:
    """Sizes of new events, and what sizes do to offspring.

    An event of size z in stream k has ``exp(exponent[k] z)`` times the offspring, divided by the
    mean of that over the fitted events of the stream: z is the mark on the scale on which its
    effect is exponential.

    Attributes
    ----------
    exponent : ndarray (n, K)
        Of each path and stream.
    fitted : tuple of K ndarray
        Sizes of the fitted events.
    history : tuple of K ndarray
        Sizes of the events before the span, in the order of their times; empty without history.
    draw : callable, optional
        (rng, streams (m,)) -> sizes (m,). Resampled from those fitted if not given; an event of a
        stream without fitted events then has no size (NaN) and an effect of one.
    """

    exponent: FloatArray
    fitted: tuple[FloatArray, ...]
    history: tuple[FloatArray, ...] = ()
    draw: Callable[[np.random.Generator, IntArray], FloatArray] | None = None

    def log_mean(self) -> FloatArray:
        """Logarithm of the mean effect (n, K) over the fitted events; zero where there are none."""
        out = np.zeros_like(self.exponent)
        for k, sizes in enumerate(self.fitted):
            for i, exponent in enumerate(self.exponent[:, k] if len(sizes) else ()):
                raised = exponent * sizes
                out[i, k] = raised.max() + np.log(np.exp(raised - raised.max()).mean())
        return out

    def new(self, rng: np.random.Generator, stream: IntArray) -> FloatArray:
        """Sizes (m,) of new events of the given streams."""
        if self.draw is not None:
            return np.asarray(self.draw(rng, stream), float)
        out = np.full(len(stream), np.nan)
        for k, sizes in enumerate(self.fitted):
            own = stream == k
            if len(sizes):
                out[own] = rng.choice(sizes, int(own.sum()))
        return out


@dataclass(frozen=True)
class Paths:
    """Events of many simulated paths, in no order; unpacks to path, stream, time and stopped.

    Attributes
    ----------
    path, stream : ndarray of int (m,)
    time : ndarray (m,)
    size : ndarray (m,)
        Of `NewMarks`; empty without marks.
    stopped : ndarray of bool (n,)
        Paths that reached the cap, and were left unfinished.
    """

    path: IntArray
    stream: IntArray
    time: FloatArray
    size: FloatArray
    stopped: BoolArray

    def __iter__(self) -> Iterator[Any]:
        return iter((self.path, self.stream, self.time, self.stopped))

    def by_stream(self, streams: int) -> tuple[tuple[FloatArray, ...], tuple[FloatArray, ...]]:
        """Times and sizes of each stream in order, all paths together."""
        from escalation.likelihood.offspring import by_stream

        if streams == 1 and not self.size.size:
            return (np.sort(self.time),), (self.size,)
        place, first = by_stream(self.stream, streams)
        times, sizes = [], []
        for own in np.split(place, first[1:-1]):
            if self.size.size:
                ordered = own[np.argsort(self.time[own])]
                times.append(self.time[ordered])
                sizes.append(self.size[ordered])
            else:
                picked = self.time[own]
                picked.sort()
                times.append(picked)
                sizes.append(self.size)
        return tuple(times), tuple(sizes)


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
    *,
    eras: FloatArray | None = None,
    group: IntArray | None = None,
    marks: NewMarks | None = None,
) -> Paths:
    """Events of many independent paths over one span, each with its own parameters.

    Parameters
    ----------
    background : ndarray (n, D, K)
        Rate of each path, stretch and stream, per day.
    days : ndarray (D + 1,)
        Edges of the stretches; ``days[0]`` and ``days[-1]`` are the ends of the span.
    reproduction : ndarray (n, K, K) or (n, E, K, K)
        Offspring of an event by (era of the event), target and source.
    kernel : ContinuousKernel
    theta : ndarray (n, q) or (n, G, q)
        Kernel parameters of each path (and group of pairs).
    history : tuple of K ndarray
        Times of the events before the span, in order, the same for all paths; may be empty.
    span : tuple of float
        Start and end, days.
    rng : numpy.random.Generator
    cap : int
        A path with more events is stopped and reported.
    eras : ndarray (E - 1,), optional
        Days on which a new era begins; wanted with E > 1.
    group : ndarray of int (K, K), optional
        Which of the G groups holds for each pair (target, source); all the first if not given.
    marks : NewMarks, optional

    Returns
    -------
    paths : Paths

    Raises
    ------
    ValueError
        If a rate or an entry of the reproduction matrix is negative or not a number: inhibition
        needs thinning.

    Notes
    -----
    With exponential delays everything is compiled; other kernels, and marks drawn by a callable,
    take one generation of all paths at a time.

    References
    ----------
    Hawkes & Oakes (1974), Journal of Applied Probability 11(3): the cluster representation.
    """
    for name, values in (("background rate", background), ("reproduction", reproduction)):
        if not (np.min(values, initial=0.0) >= 0 and np.max(values, initial=0.0) < np.inf):
            raise ValueError(f"branching needs every {name} to be finite and not negative")
    streams = background.shape[2]
    plan = _Plan(
        np.ascontiguousarray(background, float),
        np.asarray(days, float),
        np.ascontiguousarray(reproduction.reshape(len(background), -1, streams, streams), float),
        kernel,
        np.asarray(theta if np.ndim(theta) == 3 else np.asarray(theta)[:, None, :], float),
        history or (np.empty(0),) * streams,
        (float(span[0]), float(span[1])),
        np.empty(0) if eras is None else np.asarray(eras, float),
        np.zeros((streams, streams), np.int64) if group is None else group,
        marks,
    )
    if plan.eras.size + 1 != plan.reproduction.shape[1]:
        raise ValueError(
            f"{plan.reproduction.shape[1]} eras of the reproduction matrix want "
            f"{plan.reproduction.shape[1] - 1} days between them, got {plan.eras.size}"
        )
    compiled = isinstance(kernel, ExponentialFamily) and kernel.approximation_error == 0
    if compiled and (marks is None or marks.draw is None):
        return plan.compiled(rng, cap)
    return plan.by_generation(rng, cap)


@dataclass(frozen=True)
class _Plan:
    """The arguments of `branching`, in their widest shapes."""

    background: FloatArray
    days: FloatArray
    reproduction: FloatArray
    kernel: ContinuousKernel
    theta: FloatArray
    history: tuple[FloatArray, ...]
    span: tuple[float, float]
    eras: FloatArray
    group: IntArray
    marks: NewMarks | None

    def compiled(self, rng: np.random.Generator, cap: int) -> Paths:
        """All paths in one compiled call."""
        from escalation.likelihood.simulate import exponential_paths
        from escalation.likelihood.waiting_times import source_of

        kernel, marks = self.kernel, self.marks
        if not isinstance(kernel, ExponentialFamily):
            raise TypeError("only exponential kernels are compiled")
        shape, nodes = kernel.as_exponentials(), kernel.nodes()
        groups = np.ascontiguousarray(self.theta)
        values = np.array([[shape(one, nodes)[0] for one in row] for row in groups])
        none = (np.empty(0),) * len(self.history)
        pool = marks.fitted if marks else none
        sizes = np.concatenate((marks.history if marks else ()) or none)
        past = np.concatenate(self.history), sizes, _first(self.history)
        exponent = marks.exponent if marks else np.empty((len(values), 0))
        log_mean = marks.log_mean() if marks else exponent
        count, stream, time, size, stopped = exponential_paths(
            source_of(_seed(rng)), self.background, self.days, self.reproduction, self.eras,
            values, self.group, kernel.reach, past, np.ascontiguousarray(exponent), log_mean,
            np.concatenate(pool), _first(pool), self._room(cap), cap,
        )  # fmt: skip
        return Paths(np.repeat(np.arange(len(count)), count), stream, time, size, stopped)

    def _room(self, cap: int) -> int:
        """Somewhat more events than are expected; memory that is not written to costs nothing."""
        founders = np.einsum("ndk,d->n", self.background, np.diff(self.days))
        largest = self.reproduction.sum(axis=2).max(axis=(1, 2), initial=0.0)
        total = np.minimum(founders / (1 - np.minimum(largest, 0.9)), float(cap)).sum()
        return int(min(1.1 * total, 5e7)) + 1024

    def by_generation(self, rng: np.random.Generator, cap: int) -> Paths:
        """One generation of all paths after the other."""
        from escalation.likelihood.offspring import offspring
        from escalation.likelihood.waiting_times import source_of

        paths, eras, streams, _ = self.reproduction.shape
        split = self.reproduction.transpose(0, 1, 3, 2).cumsum(axis=3).reshape(-1, streams)
        log_mean = self.marks.log_mean() if self.marks else np.empty(0)
        parts = [self._immigrants(rng), *self._late(rng, log_mean)]
        path, stream, time = (np.concatenate(one) for one in zip(*parts, strict=True))
        total = np.bincount(path, minlength=paths)
        stopped = total > cap
        source = source_of(_seed(rng))
        out = []
        while True:
            size = self.marks.new(rng, stream) if self.marks else np.empty(0)
            out.append((path, stream, time, size))
            effect = np.ones(len(path))
            if self.marks:
                effect = _effect(self.marks.exponent[path, stream], size, log_mean[path, stream])
            effect[stopped[path]] = 0.0
            row = (path * eras + self._era(time)) * streams + stream
            parent, child = offspring(source, effect, split, row)
            if not len(parent):
                break
            theta = self.theta[path[parent], self.group[child, stream[parent]]]
            time = time[parent] + self.kernel.sample(rng, theta, len(parent))
            inside = time < self.span[1]
            path, stream, time = path[parent][inside], child[inside], time[inside]
            total = total + np.bincount(path, minlength=paths)
            stopped |= total > cap
        path, stream, time, size = (np.concatenate(one) for one in zip(*out, strict=True))
        return Paths(path, stream, time, size, stopped)

    def _immigrants(self, rng: np.random.Generator) -> tuple[IntArray, IntArray, FloatArray]:
        from escalation.likelihood.offspring import offspring
        from escalation.likelihood.waiting_times import source_of

        width = np.diff(self.days)
        mean = (self.background * width[:, None]).ravel()
        found, _ = offspring(
            source_of(_seed(rng)), mean, np.ones((1, 1)), np.zeros(mean.size, np.int64)
        )
        path, stretch, stream = np.unravel_index(found, self.background.shape)
        return path, stream, self.days[stretch] + rng.random(len(path)) * width[stretch]

    def _late(
        self, rng: np.random.Generator, log_mean: FloatArray
    ) -> Iterator[tuple[IntArray, IntArray, FloatArray]]:
        """Offspring within the span of the events before it."""
        for j, times in enumerate(self.history):
            for group in np.unique(self.group[:, j]) if len(times) else ():
                pieces = len(self.theta) * len(times) // BLOCK + 1
                for rows in np.array_split(np.arange(len(self.theta)), pieces):
                    if len(rows):
                        yield self._late_of(rng, j, int(group), rows, log_mean)

    def _late_of(
        self, rng: np.random.Generator, j: int, group: int, rows: IntArray, log_mean: FloatArray
    ) -> tuple[IntArray, IntArray, FloatArray]:
        """The part of one source on the targets of one group, for some of the paths."""
        from escalation.likelihood.offspring import offspring
        from escalation.likelihood.waiting_times import source_of

        start, end = self.span
        times, theta = self.history[j], self.theta[rows, group]
        targets = np.flatnonzero(self.group[:, j] == group)
        before = self.kernel.cdf(start - times, theta[:, None, :])
        after = self.kernel.cdf(end - times, theta[:, None, :])
        mean = np.maximum(after - before, 0.0)
        if self.marks and self.marks.history:
            exponent, level = self.marks.exponent[rows, j], log_mean[rows, j]
            mean *= _effect(exponent[:, None], self.marks.history[j], level[:, None])
        split = self.reproduction[rows][:, :, targets, j].cumsum(axis=2).reshape(-1, len(targets))
        row = np.arange(len(rows))[:, None] * (self.eras.size + 1) + self._era(times)
        found, child = offspring(source_of(_seed(rng)), mean.ravel(), split, row.ravel())
        path, event = np.divmod(found, len(times))
        low, high = before[path, event], after[path, event]
        delay = self.kernel.quantile(low + rng.random(len(path)) * (high - low), theta[path])
        time = np.clip(times[event] + delay, start, np.nextafter(end, start))
        return rows[path], targets[child], time

    def _era(self, times: FloatArray) -> IntArray:
        return np.searchsorted(self.eras, times, side="right")


def _seed(rng: np.random.Generator) -> NDArray[np.uint64]:
    """Four random words, from which compiled code goes on, in blocks."""
    return rng.integers(0, 2**64, 4, np.uint64)


def _effect(exponent: FloatArray, size: FloatArray, log_mean: FloatArray) -> FloatArray:
    """What sizes multiply the offspring by; one where there is no size."""
    effect = np.exp(exponent * size - log_mean)
    return np.where(np.isnan(size), 1.0, effect)


def _first(parts: tuple[FloatArray, ...]) -> IntArray:
    """Where each part begins when they are joined, and the end (K + 1,)."""
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
