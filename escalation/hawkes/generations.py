"""Clusters simulated one generation after another, for delays and sizes of any law."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from escalation.hawkes.new_events import Paths, effect, seed_words
from escalation.parameters import BoolArray, FloatArray

if TYPE_CHECKING:
    from escalation.hawkes.clusters import Clusters
    from escalation.likelihood.waiting_times import Source

IntArray = NDArray[np.int64]
#: Paths, streams and times (m,) of events.
Events = tuple[IntArray, IntArray, FloatArray]
#: Events that may have offspring: the same, their effects (m,), and their rows of the means.
Parents = tuple[IntArray, IntArray, FloatArray, FloatArray, IntArray]

#: Probabilities of a past event's late offspring that are held at once.
BLOCK = 4_000_000


@dataclass
class Generations:
    """One simulation of many paths, generation by generation.

    All paths go on together while their events fit in memory. Where more would be born than that,
    some lines are followed to their ends before the others, which are independent of them.

    Attributes
    ----------
    clusters : Clusters
    rng : numpy.random.Generator
    cap : int
        A path with more events is stopped.
    held : int
        About so many events are held at once; twice the cap, if that is more.
    total : ndarray of int (n,)
        Events of each path by now.
    stopped : ndarray of bool (n,)
        Also paths of which more events than are held come at once.
    """

    clusters: Clusters
    rng: np.random.Generator
    cap: int
    held: int
    total: IntArray = field(init=False)
    stopped: BoolArray = field(init=False)

    def __post_init__(self) -> None:
        plan = self.clusters
        paths, self._eras, streams, _ = plan.reproduction.shape
        self.held = max(self.held, 2 * self.cap)
        self.total = np.zeros(paths, np.int64)
        self.stopped = np.zeros(paths, bool)
        self._split = plan.reproduction.transpose(0, 1, 3, 2).cumsum(axis=3).reshape(-1, streams)
        self._log_mean = plan.marks.log_mean() if plan.marks else np.empty(0)

    def parts(self) -> Iterator[Paths]:
        """The events of all paths, as they are born."""
        from escalation.likelihood.waiting_times import source_of

        source = None
        for founders in self._gathered():
            if source is None:
                source = source_of(seed_words(self.rng))
            yield from self._lines(source, founders)

    def _lines(self, source: Source, founders: Events) -> Iterator[Paths]:
        """Founders and all of their descendants."""
        marks = self.clusters.marks
        born: Events | None = founders
        waiting: list[Parents] = []
        while born is not None:
            path, stream, time = born
            self.total += np.bincount(path, minlength=len(self.total))
            self.stopped |= self.total > self.cap
            size = marks.new(self.rng, stream) if marks else np.empty(0)
            waiting += self._parents(path, stream, time, size)
            yield Paths(path, stream, time, size, self.stopped.copy())
            born = None
            while waiting and born is None:
                born = self._offspring(source, waiting.pop())

    def _parents(
        self, path: IntArray, stream: IntArray, time: FloatArray, size: FloatArray
    ) -> list[Parents]:
        """Events split into groups none of which has more offspring than can be held."""
        plan = self.clusters
        weight = np.ones(len(path))
        if plan.marks:
            exponent, level = plan.marks.exponent[path, stream], self._log_mean[path, stream]
            weight = effect(exponent, size, level)
        row = (path * self._eras + self._era(time)) * self._split.shape[1] + stream
        expected = weight * self._split[row, -1]
        too_many = ~(expected <= self.held)
        self.stopped[path[too_many]] = True
        expected[self.stopped[path]] = 0.0
        if expected.sum() <= self.held:
            return [(path, stream, time, weight, row)]
        # By path, so that the first ones soon reach the cap if they run away.
        order = np.argsort(path, kind="stable")
        groups = [order[own] for own in _shares(expected[order], self.held)]
        return [(path[g], stream[g], time[g], weight[g], row[g]) for g in reversed(groups)]

    def _offspring(self, source: Source, parents: Parents) -> Events | None:
        """The next generation within the span; None where nobody has offspring at all."""
        from escalation.likelihood.offspring import offspring

        plan = self.clusters
        path, stream, time, weight, row = parents
        weight[self.stopped[path]] = 0.0
        parent, child = offspring(source, weight, self._split, row)
        if not len(parent):
            return None
        theta = plan.theta[path[parent], plan.group[child, stream[parent]]]
        time = time[parent] + plan.kernel.sample(self.rng, theta, len(parent))
        inside = time < plan.span[1]
        return path[parent][inside], child[inside], time[inside]

    def _gathered(self) -> Iterator[Events]:
        """Founders, all together unless they are too many."""
        found, number = list[Events](), 0
        for events in self._founders():
            found.append(events)
            number += len(events[0])
            if number > self.held:
                yield _joined(found)
                found, number = [], 0
        if found:
            yield _joined(found)

    def _founders(self) -> Iterator[Events]:
        """Background events, then offspring within the span of the events before it."""
        yield from self._immigrants()
        plan = self.clusters
        for j, times in enumerate(plan.history):
            for group in np.unique(plan.group[:, j]) if len(times) else ():
                pieces = len(plan.theta) * len(times) // BLOCK + 1
                for rows in np.array_split(np.arange(len(plan.theta)), pieces):
                    if len(rows):
                        yield from self._late(j, int(group), rows)

    def _immigrants(self) -> Iterator[Events]:
        from escalation.likelihood.offspring import offspring
        from escalation.likelihood.waiting_times import source_of

        plan = self.clusters
        width = np.diff(plan.days)
        mean = (plan.background * width[:, None]).reshape(len(plan.background), -1)
        for rows in self._within(np.arange(len(mean)), mean.sum(axis=1), mean):
            own = mean[rows].ravel()
            found, _ = offspring(
                source_of(seed_words(self.rng)), own, np.ones((1, 1)), np.zeros(own.size, np.int64)
            )
            shape = (own.size // mean.shape[1], *plan.background.shape[1:])
            path, stretch, stream = np.unravel_index(found, shape)
            time = plan.days[stretch] + self.rng.random(len(path)) * width[stretch]
            yield rows.start + path, stream, time

    def _late(self, j: int, group: int, rows: IntArray) -> Iterator[Events]:
        """What one source still sets off in the targets of one group, for some of the paths."""
        from escalation.likelihood.offspring import offspring
        from escalation.likelihood.waiting_times import source_of

        plan, marks = self.clusters, self.clusters.marks
        start, end = plan.span
        times, theta = plan.history[j], plan.theta[rows, group]
        targets = np.flatnonzero(plan.group[:, j] == group)
        before = plan.kernel.cdf(start - times, theta[:, None, :])
        after = plan.kernel.cdf(end - times, theta[:, None, :])
        mean = np.maximum(after - before, 0.0)
        if marks and marks.history:
            exponent, level = marks.exponent[rows, j], self._log_mean[rows, j]
            mean *= effect(exponent[:, None], marks.history[j], level[:, None])
        split = plan.reproduction[rows][:, :, targets, j].cumsum(axis=2).reshape(-1, len(targets))
        row = np.arange(len(rows))[:, None] * self._eras + self._era(times)
        for own in self._within(rows, (mean * split[row, -1]).sum(axis=1), mean):
            found, child = offspring(
                source_of(seed_words(self.rng)), mean[own].ravel(), split, row[own].ravel()
            )
            path, event = np.divmod(found, len(times))
            path += own.start
            low, high = before[path, event], after[path, event]
            delay = plan.kernel.quantile(
                low + self.rng.random(len(path)) * (high - low), theta[path]
            )
            time = np.clip(times[event] + delay, start, np.nextafter(end, start))
            yield rows[path], targets[child], time

    def _within(self, rows: IntArray, expected: FloatArray, mean: FloatArray) -> Iterator[slice]:
        """Runs of paths that can be held; of those that are stopped, `mean` is set to zero."""
        self.stopped[rows[~(expected <= self.held)]] = True
        over = self.stopped[rows]
        mean[over] = expected[over] = 0.0
        yield from _shares(expected, self.held)

    def _era(self, times: FloatArray) -> IntArray:
        return np.searchsorted(self.clusters.eras, times, side="right")


def _shares(expected: FloatArray, held: float) -> list[slice]:
    """Runs whose sums are no more than about twice what can be held, at least one run."""
    reached = np.cumsum(expected) // held
    cuts = [0, *(np.flatnonzero(np.diff(reached)) + 1).tolist(), len(expected)]
    return [slice(begin, end) for begin, end in pairwise(cuts)]


def _joined(parts: list[Events]) -> Events:
    path, stream, time = (np.concatenate(one) for one in zip(*parts, strict=True))
    return path, stream, time
