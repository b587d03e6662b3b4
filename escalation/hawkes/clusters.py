"""Clusters of a linear Hawkes process: what a simulation by branching takes, and its two ways."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from escalation.hawkes.new_events import CAP, HELD, NewMarks, Paths, seed_words
from escalation.kernels import ContinuousKernel, ExponentialFamily
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@dataclass(frozen=True)
class Clusters:
    """The arguments of `branching`, in their widest shapes.

    Attributes
    ----------
    background : ndarray (n, D, K)
    days : ndarray (D + 1,)
    reproduction : ndarray (n, E, K, K)
    kernel : ContinuousKernel
    theta : ndarray (n, G, q)
    history : tuple of K ndarray
    span : tuple of float
    eras : ndarray (E - 1,)
    group : ndarray of int (K, K)
    marks : NewMarks, optional
    """

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

    @classmethod
    def of(
        cls,
        background: FloatArray,
        days: FloatArray,
        reproduction: FloatArray,
        kernel: ContinuousKernel,
        theta: FloatArray,
        history: tuple[FloatArray, ...],
        span: tuple[float, float],
        *,
        eras: FloatArray | None = None,
        group: IntArray | None = None,
        marks: NewMarks | None = None,
    ) -> Clusters:
        """Arguments as `branching` takes them, which says what they are and what is refused."""
        for name, values in (("background rate", background), ("reproduction", reproduction)):
            if not (np.min(values, initial=0.0) >= 0 and np.max(values, initial=0.0) < np.inf):
                raise ValueError(f"branching needs every {name} to be finite and not negative")
        streams = background.shape[2]
        found = cls(
            np.ascontiguousarray(background, float),
            np.asarray(days, float),
            np.ascontiguousarray(
                reproduction.reshape(len(background), -1, streams, streams), float
            ),
            kernel,
            np.asarray(theta if np.ndim(theta) == 3 else np.asarray(theta)[:, None, :], float),
            history or (np.empty(0),) * streams,
            (float(span[0]), float(span[1])),
            np.empty(0) if eras is None else np.asarray(eras, float),
            np.zeros((streams, streams), np.int64) if group is None else group,
            marks,
        )
        if found.eras.size + 1 != found.reproduction.shape[1]:
            raise ValueError(
                f"{found.reproduction.shape[1]} eras of the reproduction matrix want "
                f"{found.reproduction.shape[1] - 1} days between them, got {found.eras.size}"
            )
        return found

    def parts(self, rng: np.random.Generator, cap: int = CAP, held: int = HELD) -> Iterator[Paths]:
        """Simulate all paths, and hand on their events as they are made.

        Parameters
        ----------
        rng : numpy.random.Generator
        cap : int
            A path with more events is stopped and reported. Those that it has by then come too.
        held : int
            About so many events make a part, whatever the number of paths: this bounds memory.

        Yields
        ------
        part : Paths
            Any of the paths' events, in no order. The last part knows all paths that were stopped.
        """
        marks, kernel = self.marks, self.kernel
        compiled = isinstance(kernel, ExponentialFamily) and kernel.approximation_error == 0
        if compiled and (marks is None or marks.draw is None):
            return self._compiled(rng, cap, held)
        from escalation.hawkes.generations import Generations

        return Generations(self, rng, cap, held).parts()

    def _compiled(self, rng: np.random.Generator, cap: int, held: int) -> Iterator[Paths]:
        """Path after path; where a part ends makes no difference to the events."""
        from escalation.likelihood.simulate import exponential_paths
        from escalation.likelihood.waiting_times import source_of

        values, marks = self._exponentials(), self.marks
        none = (np.empty(0),) * len(self.history)
        pool = marks.fitted if marks else none
        sizes = np.concatenate((marks.history if marks else ()) or none)
        past = np.concatenate(self.history), sizes, _first(self.history)
        exponent = np.ascontiguousarray(marks.exponent if marks else np.empty((len(values), 0)))
        log_mean = marks.log_mean() if marks else exponent
        source, room = source_of(seed_words(rng)), self._room(cap, held)
        stopped = np.zeros(len(values), bool)
        begin = 0
        while True:
            count, stream, time, size, over = exponential_paths(
                source, self.background[begin:], self.days, self.reproduction[begin:], self.eras,
                values[begin:], self.group, self.kernel.reach, past, exponent[begin:],
                log_mean[begin:], np.concatenate(pool), _first(pool), room, cap, held,
            )  # fmt: skip
            end = begin + len(count)
            stopped[begin:end] = over
            path = np.repeat(np.arange(begin, end), count)
            yield Paths(path, stream, time, size, stopped.copy())
            if end == len(values):
                return
            begin = end

    def _exponentials(self) -> FloatArray:
        """Weights, then rates (n, G, 2 M), of each group's delays."""
        kernel, groups = self.kernel, np.ascontiguousarray(self.theta)
        if not isinstance(kernel, ExponentialFamily):
            raise TypeError("only exponential kernels are compiled")
        shape, nodes = kernel.as_exponentials(), kernel.nodes()
        return np.array([[shape(one, nodes)[0] for one in row] for row in groups])

    def _room(self, cap: int, held: int) -> int:
        """Somewhat more events than are expected; memory that is not written to costs nothing."""
        founders = np.einsum("ndk,d->n", self.background, np.diff(self.days))
        largest = self.reproduction.sum(axis=2).max(axis=(1, 2), initial=0.0)
        total = np.minimum(founders / (1 - np.minimum(largest, 0.9)), float(cap)).sum()
        return int(min(1.1 * total, held + cap)) + 1024


def _first(parts: tuple[FloatArray, ...]) -> IntArray:
    """Where each part begins when they are joined, and the end (K + 1,)."""
    return np.concatenate([[0], np.cumsum([len(part) for part in parts])]).astype(np.int64)
