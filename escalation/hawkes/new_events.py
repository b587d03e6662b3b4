"""New events of simulated paths, and the sizes that they are given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from escalation.parameters import BoolArray, FloatArray

IntArray = NDArray[np.int64]

#: A path with more events than this is stopped.
CAP = 100_000
#: About so many simulated events are held at once.
HELD = 2_000_000


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

    Many events come in parts, for the sake of memory.

    Attributes
    ----------
    path, stream : ndarray of int (m,)
    time : ndarray (m,)
    size : ndarray (m,)
        Of `NewMarks`; empty without marks.
    stopped : ndarray of bool (n,)
        Paths that reached the cap, and were left unfinished; of a part, those known by then.
    """

    path: IntArray
    stream: IntArray
    time: FloatArray
    size: FloatArray
    stopped: BoolArray

    def __iter__(self) -> Iterator[Any]:
        return iter((self.path, self.stream, self.time, self.stopped))

    @classmethod
    def joined(cls, parts: Sequence[Paths]) -> Paths:
        """All parts, at least one, as one."""
        if len(parts) == 1:
            return parts[0]
        path, stream, time, size = (
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("path", "stream", "time", "size")
        )
        return cls(path, stream, time, size, parts[-1].stopped)

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


def effect(exponent: FloatArray, size: FloatArray, log_mean: FloatArray) -> FloatArray:
    """What sizes multiply the offspring by; one where there is no size."""
    multiple = np.exp(exponent * size - log_mean)
    return np.where(np.isnan(size), 1.0, multiple)


def seed_words(rng: np.random.Generator) -> NDArray[np.uint64]:
    """Four random words, from which compiled code goes on, in blocks."""
    return rng.integers(0, 2**64, 4, np.uint64)
