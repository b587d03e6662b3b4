"""Expectation-maximisation for the histogram kernel: a delay density of no given form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from escalation.kernels.base import IntArray
from escalation.kernels.histogram import Histogram
from escalation.parameters import FloatArray


@dataclass(frozen=True)
class NonParametric:
    """What expectation-maximisation found.

    Attributes
    ----------
    heights : ndarray (bins,)
        Delay density over each bin, per day; times the bins' widths they sum to one.
    reproduction : ndarray (K, K)
        Offspring in the row's stream of one event in the column's.
    background : ndarray (K,)
        Rates, per day.
    objective : ndarray (iterations + 1,)
        Log-likelihood less the penalty, before the first and after each iteration; it never falls.
    penalty : float
        What the roughness of the heights costs at the end.
    converged : bool
    """

    heights: FloatArray
    reproduction: FloatArray
    background: FloatArray
    objective: FloatArray
    penalty: float
    converged: bool

    @property
    def log_likelihood(self) -> float:
        """Log-likelihood at the end, without the penalty."""
        return float(self.objective[-1] + self.penalty)


def expectation_maximisation(
    times: FloatArray,
    first: IntArray,
    kernel: Histogram,
    spans: FloatArray,
    tolerance: float = 1e-10,
    iterations: int = 5000,
) -> NonParametric:
    r"""Estimate a Hawkes process with a constant background and one histogram kernel.

    Each event's parent is missing: the expectation step shares each event among the background and
    the earlier ones, by intensity; the maximisation step takes background, R and heights in turn.
    Ages enter through their bins alone, counted once, so an iteration costs O(n K bins). The
    penalised log-likelihood never falls, and its maximum is that of the same model fitted
    directly.

    Parameters
    ----------
    times : ndarray (n,)
        Days, stream after stream, each sorted. Ties within a stream follow one another in the
        order of the file, those across streams do not.
    first : ndarray of int (K + 1,)
        Where each stream begins in `times`.
    kernel : Histogram
        Its edges and its penalty on roughness.
    spans : ndarray (I, 2)
        The watched spans; events before the first set off and are not scored.
    tolerance : float
        Gain of an iteration, relative to the log-likelihood, below which it has converged.
    iterations : int
        Largest number of iterations.

    Raises
    ------
    ValueError
        If no event lies in the watch.

    References
    ----------
    Marsan & Lengliné (2008), Science 319; Lewis & Mohler (2011), "A nonparametric EM algorithm for
    multiscale Hawkes processes", for the penalty; Meng & Rubin (1993), Biometrika 80, for
    maximisation in turn.
    """
    streams = len(first) - 1
    scored = [t >= spans[0, 0] for t in np.split(times, first[1:-1])]
    numbers = np.array([own.sum() for own in scored])
    if not numbers.any():
        raise ValueError("no event lies in the watch: there is nothing to estimate")
    links = _binned_ages(times, first, kernel, scored)
    exposed = _exposure(times, first, kernel, spans)
    watched = float(np.diff(spans, axis=1).sum())
    roughness = _penalty(kernel)

    background = 0.5 * numbers / watched
    reproduction = np.full((streams, streams), 0.5 / streams)
    logs = np.log(kernel.heights(kernel.start(1.0)))
    objective: list[float] = []
    converged = False
    while True:
        heights = np.exp(logs)
        value = -float(background.sum()) * watched - float((reproduction @ exposed @ heights).sum())
        value -= 0.5 * float(logs @ roughness @ logs)
        shared = np.zeros((streams, streams, kernel.bins))
        alone = np.zeros(streams)
        for k, counts in enumerate(links):
            rates = reproduction[k][:, None] * heights
            intensity = background[k] + counts @ rates.ravel()
            value += float(np.log(intensity).sum())
            inverse = 1 / intensity
            shared[k] = (inverse @ counts).reshape(streams, kernel.bins) * rates
            alone[k] = background[k] * inverse.sum()
        objective.append(value)
        if len(objective) > 1:
            gain = objective[-1] - objective[-2]
            converged = gain < tolerance * max(1.0, abs(value))
        if converged or len(objective) > iterations:
            break
        background = alone / watched
        reach = exposed @ heights
        reproduction = shared.sum(axis=2) / np.where(reach > 0, reach, 1.0)
        logs = _smooth(logs, shared.sum(axis=(0, 1)), reproduction.sum(axis=0) @ exposed, roughness)
        scale = float(np.exp(logs) @ np.diff(kernel.edges))
        logs, reproduction = logs - np.log(scale), reproduction * scale
    penalty = 0.5 * float(logs @ roughness @ logs)
    return NonParametric(
        np.exp(logs), reproduction, background, np.array(objective), penalty, bool(converged)
    )


def _binned_ages(
    times: FloatArray, first: IntArray, kernel: Histogram, scored: list[FloatArray]
) -> list[FloatArray]:
    """For each stream, earlier events (events, K bins) by source and bin of their age."""
    streams = np.split(times, first[1:-1])
    edges = np.array(kernel.edges)
    out = []
    for k, own in enumerate(streams):
        table = np.zeros((len(own), len(streams), kernel.bins))
        for j, others in enumerate(streams):
            before = np.arange(len(own)) if j == k else np.searchsorted(others, own, side="left")
            # Sources younger than each edge; the first edge is zero.
            older = np.searchsorted(others, own[:, None] - edges[1:], side="right")
            younger = np.maximum(before[:, None] - older, 0)
            table[:, j] = np.diff(younger, axis=1, prepend=0)
        out.append(table[scored[k]].reshape(-1, len(streams) * kernel.bins))
    return out


def _exposure(
    times: FloatArray, first: IntArray, kernel: Histogram, spans: FloatArray
) -> FloatArray:
    """Days of watch (K, bins) over each bin of the age of each stream's events, summed."""
    edges = np.array(kernel.edges)
    out = np.zeros((len(first) - 1, kernel.bins))
    for j, own in enumerate(np.split(times, first[1:-1])):
        for begin, end in spans:
            reached = np.clip(own[:, None] + edges, begin, end)
            out[j] += np.diff(reached, axis=1).sum(axis=0)
    return out


def _penalty(kernel: Histogram) -> FloatArray:
    """Matrix (bins, bins) of the quadratic penalty on the logs of the heights, times two."""
    steps = np.diff(np.eye(kernel.bins), axis=0)
    bends = np.diff(steps, axis=0)
    return np.asarray(
        np.outer(steps[0], steps[0]) / kernel.steepness**2 + bends.T @ bends / kernel.roughness**2
    )


def _smooth(
    logs: FloatArray, number: FloatArray, exposed: FloatArray, roughness: FloatArray
) -> FloatArray:
    """Logs of the heights that maximise number'x - exposed'exp(x) - x'roughness x / 2."""
    if not number.sum() > 0:
        return logs

    def value(x: FloatArray) -> float:
        return float(number @ x - exposed @ np.exp(x) - 0.5 * x @ roughness @ x)

    for _ in range(50):
        expected = exposed * np.exp(logs)
        gradient = number - expected - roughness @ logs
        curvature = np.diag(expected) + roughness
        step = np.linalg.lstsq(curvature, gradient, rcond=None)[0]
        now, shrink = value(logs), 1.0
        while value(logs + shrink * step) < now and shrink > 1e-10:
            shrink /= 2
        if shrink <= 1e-10:
            break
        logs = logs + shrink * step
        if gradient @ step < 1e-12 * (1 + abs(now)):
            break
    return logs
