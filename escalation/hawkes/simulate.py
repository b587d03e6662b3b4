"""Simulation of linear Hawkes processes by branching: background events, then generations."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from escalation.hawkes.clusters import Clusters
from escalation.hawkes.new_events import CAP, NewMarks, Paths
from escalation.kernels import ContinuousKernel
from escalation.parameters import FloatArray

__all__ = ["CAP", "NewMarks", "Paths", "branching"]

IntArray = NDArray[np.int64]


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
    take one generation of all paths at a time. Every event is held; `Clusters.parts` hands them on
    as they are made, for counting.

    References
    ----------
    Hawkes & Oakes (1974), Journal of Applied Probability 11(3): the cluster representation.
    """
    clusters = Clusters.of(
        background, days, reproduction, kernel, theta, history, span,
        eras=eras, group=group, marks=marks,
    )  # fmt: skip
    return Paths.joined(list(clusters.parts(rng, cap)))
