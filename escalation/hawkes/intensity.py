"""The intensity of an additive Hawkes process: its parts, its integral, and who set off whom."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from escalation.hawkes.exact import watched_spans
from escalation.kernels import ContinuousKernel, ExponentialFamily
from escalation.parameters import FloatArray, Layout

if TYPE_CHECKING:
    from escalation.hawkes.model import Hawkes
    from escalation.series import EventSeries

IntArray = NDArray[np.int64]

#: Pairs of events held at once where a kernel is no mixture of exponentials.
BLOCK = 4_000_000
#: Days that stand for a delay of zero.
SOON = 1e-12


@dataclass(frozen=True, eq=False)
class Intensity:
    r"""The rate of every stream, given its events and one vector of parameters.

    .. math:: \lambda_k(t) = b_k(t) + \sum_j \sum_{t_i < t,\ \kappa_i = j}
              R_{e_i k j}\, y_i\, g_{kj}(t - t_i)

    Events are numbered through the streams: all of the first in their order, then those of the
    second. Within a stream a tie is a delay of zero, in the order of the series; events of
    different streams at the very same time do not act on one another.

    Attributes
    ----------
    times : tuple of K ndarray
        Days since the start of the window, each sorted.
    edges : ndarray (D + 1,)
        Ends of the stretches over which the background is constant.
    rates : ndarray (D, K)
        Background a day.
    reproduction : ndarray (E, K, K)
        One matrix an era, [receiving, setting off].
    kernel : ContinuousKernel
    theta : ndarray (K, K, q)
        The kernel's parameters of each pair.
    era : tuple of K ndarray of int
        Era of each event.
    sizes : tuple of K ndarray
        y, the effect of each event's mark over the mean; ones without marks.
    gaps : ndarray (g, 2)
        Spans of days that nobody watched: they add nothing to the compensator.
    """

    times: tuple[FloatArray, ...]
    edges: FloatArray
    rates: FloatArray
    reproduction: FloatArray
    kernel: ContinuousKernel
    theta: FloatArray
    era: tuple[IntArray, ...]
    sizes: tuple[FloatArray, ...]
    gaps: FloatArray

    @classmethod
    def plain(
        cls,
        times: tuple[FloatArray, ...],
        duration: float,
        rates: FloatArray,
        reproduction: FloatArray,
        kernel: ContinuousKernel,
        theta: FloatArray,
    ) -> Intensity:
        """Without marks, eras or gaps: one rate (K,) a stream, R (K, K), one kernel (q,)."""
        streams = len(times)
        return cls(
            times, np.array([0.0, duration]), np.asarray(rates, float)[None],
            np.asarray(reproduction, float)[None], kernel,
            np.broadcast_to(theta, (streams, streams, len(theta))),
            tuple(np.zeros(len(t), np.int64) for t in times), tuple(np.ones(len(t)) for t in times),
            np.zeros((0, 2)),
        )  # fmt: skip

    @classmethod
    def of(cls, model: Hawkes, series: EventSeries, values: Mapping[str, FloatArray]) -> Intensity:
        """Of a model with one set of parameters and the events of a series.

        Parameters
        ----------
        model : Hawkes
        series : EventSeries
            Exact times, or day-coded ones that the model takes for exact.
        values : mapping of str to ndarray
            By the names of the model's parameters.

        Raises
        ------
        ValueError
            If the model is not additive.
        """
        require_additive(model)
        streams = len(series.names)
        layout = Layout(model.parameters(series))
        theta = layout.pack(values)[None]
        edges = model.cell_edges(series)
        spans = watched_spans(series, model.warmup)
        ends = np.concatenate([[0.0], spans.ravel(), [series.duration]]).reshape(-1, 2)
        groups = model.kernel_groups(streams)
        reproduction = np.asarray(values["reproduction"], float).reshape(-1, streams, streams)
        sizes = tuple(np.ones(len(times)) for times in series.times)
        if model.marks is not None:
            exponent = np.asarray(values["mark_exponent"], float)[None]
            sizes = tuple(effect[0] for effect in model.marks.effects(series, exponent))
        return cls(
            times=series.times,
            edges=edges,
            rates=model.background_rates(layout, theta, series, edges)[0],
            reproduction=np.where(model.mask(streams), reproduction, 0.0),
            kernel=model.bound_kernel(series),
            theta=model.kernel_draws(layout, theta, streams)[0][groups],
            era=tuple(model.era_of(series, times) for times in series.times),
            sizes=sizes,
            gaps=ends[ends[:, 1] > ends[:, 0]],
        )

    @property
    def streams(self) -> int:
        """Number of streams, K."""
        return len(self.times)

    @cached_property
    def first(self) -> IntArray:
        """Number (K + 1,) of the first event of each stream; last, of all events."""
        return np.cumsum([0, *(len(t) for t in self.times)]).astype(np.int64)

    @cached_property
    def order(self) -> IntArray:
        """Numbers (n,) of the events in the order of time."""
        return np.argsort(np.concatenate(self.times), kind="stable").astype(np.int64)

    def jump(self, target: int, source: int) -> FloatArray:
        """Expected offspring in the target of each event of the source."""
        return np.asarray(
            self.reproduction[self.era[source], target, source] * self.sizes[source], float
        )

    def background(self, query: FloatArray, stream: int) -> FloatArray:
        """Background a day at given times."""
        cell = np.searchsorted(self.edges, query, side="right") - 1
        return np.asarray(self.rates[np.clip(cell, 0, len(self.rates) - 1), stream], float)

    def rate(self, query: FloatArray, stream: int) -> FloatArray:
        """Parts (q, 1 + K) of a stream's rate at given times: background, then by source.

        Only events strictly before a time count.

        Parameters
        ----------
        query : ndarray (q,)
            Days since the start of the window, sorted.
        stream : int
        """
        known = [np.searchsorted(t, query, side="left") for t in self.times]
        return self._parts(query, stream, known)[0]

    def compensator(self, query: FloatArray, stream: int) -> FloatArray:
        """Parts (q, 1 + K) of a stream's expected events from the start to given times.

        Background, then by source; unwatched spans are left out. Times are sorted.
        """
        known = [np.searchsorted(t, query, side="left") for t in self.times]
        return self._watched(query, stream, self._parts(query, stream, known)[1])

    def at_events(self, stream: int) -> tuple[FloatArray, FloatArray]:
        """Parts of a stream's rate and of its compensator at its own events, each (n_k, 1 + K)."""
        query = self.times[stream]
        rate, passed = self._parts(query, stream, self.known(stream))
        return rate, self._watched(query, stream, passed)

    def known(self, stream: int) -> list[IntArray]:
        """How many events of each source come before each of a stream's own."""
        query = self.times[stream]
        return [
            np.arange(len(query)) if j == stream else np.searchsorted(t, query, side="left")
            for j, t in enumerate(self.times)
        ]

    def _parts(
        self, query: FloatArray, target: int, known: list[IntArray]
    ) -> tuple[FloatArray, FloatArray]:
        query = np.asarray(query, float)
        rate = np.empty((len(query), 1 + self.streams))
        passed = np.empty_like(rate)
        rate[:, 0] = self.background(query, target)
        sums = np.append(0.0, np.cumsum(self.rates[:, target] * np.diff(self.edges)))
        passed[:, 0] = np.interp(query, self.edges, sums)
        for j in range(self.streams):
            rate[:, 1 + j], passed[:, 1 + j] = self._excitation(query, known[j], target, j)
        return rate, passed

    def _excitation(
        self, query: FloatArray, known: IntArray, target: int, source: int
    ) -> tuple[FloatArray, FloatArray]:
        times, jump = self.times[source], self.jump(target, source)
        known = np.asarray(known, np.int64)
        if not len(times) or not np.any(jump):
            return np.zeros(len(query)), np.zeros(len(query))
        mixture = self.mixture(target, source)
        if mixture is not None:
            from escalation.likelihood.intensity import pair_excitation

            found: tuple[FloatArray, FloatArray] = pair_excitation(
                query, known, times, jump, mixture
            )
            return found
        theta = self.theta[target, source]
        rate, passed = np.empty(len(query)), np.empty(len(query))
        for rows, ages, counts in _blocks(query, times, known):
            rate[rows] = np.where(counts, self.kernel.density(ages, theta), 0.0) @ jump
            passed[rows] = np.where(counts, self.kernel.cdf(ages, theta), 0.0) @ jump
        return rate, passed

    def _watched(self, query: FloatArray, stream: int, passed: FloatArray) -> FloatArray:
        """The compensator without what falls into gaps."""
        if not len(self.gaps):
            return passed
        ends = self.gaps.ravel()
        known = [np.searchsorted(t, ends, side="left") for t in self.times]
        at_ends = self._parts(ends, stream, known)[1]
        lost = np.cumsum(at_ends[1::2] - at_ends[::2], axis=0)
        before = np.searchsorted(self.gaps[:, 1], query, side="right")
        out = passed - np.concatenate([np.zeros((1, lost.shape[1])), lost])[before]
        # A time inside a gap counts to the gap's start.
        inside = np.flatnonzero(before < len(self.gaps))
        within = inside[query[inside] > self.gaps[before[inside], 0]]
        out[within] -= passed[within] - at_ends[::2][before[within]]
        return np.asarray(out, float)

    def mixture(self, target: int, source: int) -> FloatArray | None:
        """Weights, then rates, of a pair's exponentials; None for another kernel."""
        kernel = self.kernel
        if not isinstance(kernel, ExponentialFamily) or not kernel.covers(float(self.edges[-1])):
            return None
        shape: Callable[..., tuple[FloatArray, FloatArray]] = kernel.as_exponentials()
        theta = np.ascontiguousarray(self.theta[target, source], float)
        return shape(theta, kernel.nodes())[0]

    def parents(
        self, threshold: float
    ) -> tuple[IntArray, IntArray, FloatArray, FloatArray, FloatArray]:
        """How probable it is that each event was background, or set off by each earlier one.

        Parameters
        ----------
        threshold : float
            Pairs of less probability are lumped.

        Returns
        -------
        child, parent : ndarray of int (p,)
            Numbers of events.
        probability : ndarray (p,)
        background, rest : ndarray (n,)
            Of each event; `rest` is what the pairs that are not told hold together.
        """
        pairs: list[tuple[IntArray, IntArray, FloatArray]] = []
        background = np.empty(self.first[-1])
        for k in range(self.streams):
            known = self.known(k)
            rate = self._parts(self.times[k], k, known)[0]
            whole = rate.sum(axis=1)
            background[self.first[k] : self.first[k + 1]] = rate[:, 0] / whole
            for j in range(self.streams):
                if len(self.times[j]) and np.any(rate[:, 1 + j] > 0):
                    child, parent, share = self._told(k, j, known[j], rate[:, 1 + j], whole,
                                                      threshold)  # fmt: skip
                    pairs.append((child + self.first[k], parent + self.first[j], share))
        child, parent, probability = _joined(pairs)
        told = np.bincount(child, probability, len(background))
        rest = np.maximum(1.0 - background - told, 0.0)
        return child, parent, probability, background, rest

    def _told(
        self, target: int, source: int, known: IntArray, rate: FloatArray, whole: FloatArray,
        threshold: float,
    ) -> tuple[IntArray, IntArray, FloatArray]:  # fmt: skip
        query, times, jump = self.times[target], self.times[source], self.jump(target, source)
        known = np.asarray(known, np.int64)
        mixture = self.mixture(target, source)
        if mixture is not None:
            from escalation.likelihood.intensity import likely_parents

            told: tuple[IntArray, IntArray, FloatArray] = likely_parents(
                query, known, times, jump, mixture, rate, whole, threshold
            )
            return told
        found = []
        for rows, ages, counts in _blocks(query, times, known):
            density = np.where(counts, self.kernel.density(ages, self.theta[target, source]), 0.0)
            share = density * jump / whole[rows, None]
            child, parent = np.nonzero(share >= threshold)
            found.append((child + rows.start, parent, share[child, parent]))
        return _joined(found)

    def draw_parents(self, rng: np.random.Generator) -> IntArray:
        """One forest: the number (n,) of each event's parent, -1 for the background."""
        out = np.full(self.first[-1], -1)
        for k in range(self.streams):
            known = self.known(k)
            rate = self._parts(self.times[k], k, known)[0]
            point = rng.random(len(rate)) * rate.sum(axis=1)
            reached = np.cumsum(rate, axis=1)
            chosen = (point[:, None] >= reached[:, :-1]).sum(axis=1)
            for j in range(self.streams):
                here = chosen == 1 + j
                if here.any():
                    mark = np.where(here, point - reached[:, j], -1.0)
                    parent = self._drawn(k, j, known[j], mark)
                    events = np.flatnonzero(here) + self.first[k]
                    out[events] = parent[here] + self.first[j]
        return out

    def _drawn(self, target: int, source: int, known: IntArray, mark: FloatArray) -> IntArray:
        query, times, jump = self.times[target], self.times[source], self.jump(target, source)
        known = np.asarray(known, np.int64)
        mixture = self.mixture(target, source)
        if mixture is not None:
            from escalation.likelihood.intensity import draw_parents

            drawn: IntArray = draw_parents(query, known, times, jump, mixture, mark)
            return drawn
        out = np.full(len(query), -1)
        for rows, ages, counts in _blocks(query, times, known):
            density = np.where(counts, self.kernel.density(ages, self.theta[target, source]), 0.0)
            summed = np.cumsum(density * jump, axis=1)
            beyond = (summed < mark[rows, None]).sum(axis=1)
            # Rounding may leave the point beyond the last event that counts.
            last = np.argmax(summed == summed[:, -1:], axis=1)
            out[rows] = np.minimum(beyond, last)
        return out


def require_additive(model: object) -> None:
    """Raise ``ValueError`` for a model whose rate is no sum of what each event adds."""
    link = getattr(model, "link", None)
    if not hasattr(model, "kernel_groups") or link not in (None, "identity"):
        name = getattr(model, "name", type(model).__name__)
        raise ValueError(
            f"{name} with link {link!r} is not additive: its rate is no sum of what each earlier "
            "incident adds"
        )


def _blocks(
    query: FloatArray, times: FloatArray, known: IntArray
) -> Iterator[tuple[slice, FloatArray, NDArray[np.bool_]]]:
    """Rows of queries with their ages (rows, s) and which events count."""
    step = max(1, BLOCK // max(len(times), 1))
    for start in range(0, len(query), step):
        rows = slice(start, min(start + step, len(query)))
        counts = np.arange(len(times)) < known[rows, None]
        # A tie within a stream is a delay of zero: the density's limit from the right.
        yield rows, np.maximum(query[rows, None] - times, SOON), counts


def _joined(
    pairs: list[tuple[IntArray, IntArray, FloatArray]],
) -> tuple[IntArray, IntArray, FloatArray]:
    if not pairs:
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    child, parent, share = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    order = np.lexsort((parent, child))
    return child[order], parent[order], share[order]
