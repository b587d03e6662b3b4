"""Arrays that the sweeps over the days of several day-coded streams read and write."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.day_structure import Structure
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


class Draws(NamedTuple):
    """The fixed random numbers of `day_times.day_data`.

    Attributes
    ----------
    stream : ndarray of int (N,)
        Of each event, day after day.
    lanes : ndarray of int (rows,)
        Draws of each day with events.
    origin : ndarray of int (rows, 3)
        Where a day begins in `when` and `which`, in `normal` to `share`, and in `offset`.
    when, which : ndarray
        Times in order and their events, (n, lanes) of each day.
    normal, decline, share : ndarray
        Normal and exponential numbers of the states at midnight, and the density of their law
        over that of the mixture they are drawn from, (K, lanes) of each day.
    offset : ndarray
        Log of the density of the times and numbers over that of their mixture, (lanes,).
    """

    stream: IntArray
    lanes: IntArray
    origin: IntArray
    when: FloatArray
    which: IntArray
    normal: FloatArray
    decline: FloatArray
    share: FloatArray
    offset: FloatArray


class Room(NamedTuple):
    """Working arrays for one day, read again by the sweep back; draws are the last axis.

    Attributes
    ----------
    grown, shrunk : ndarray (Q, n, draws)
        exp(speed * time) of the draws' events in order of time, and its inverse.
    mark : ndarray (n, draws)
        The events' offspring relative to the mean.
    present : ndarray of int (K,)
        The streams with events, first.
    mine : ndarray (K, n, draws)
        1 where the event is of the stream in this place of `present`.
    shape : ndarray (C,)
        Of the states' gamma laws; 0 for a state that is known.
    path : ndarray (n + 1, C, draws)
        States before each event and at last, each divided by its decay since midnight.
    intensity : ndarray (n, draws)
    weight : ndarray (draws,)
        The draws' weights; their sum is one.
    scratch : ndarray (4, draws)
    """

    grown: FloatArray
    shrunk: FloatArray
    mark: FloatArray
    present: IntArray
    mine: FloatArray
    shape: FloatArray
    path: FloatArray
    intensity: FloatArray
    weight: FloatArray
    scratch: FloatArray


class Slopes(NamedTuple):
    """Sums of the gradient by the constants, one lane a draw.

    Attributes
    ----------
    lift : ndarray (E, K, K M, draws)
    leave : ndarray (E, T, K M, draws)
    fade : ndarray (C, draws)
    speed : ndarray (Q, draws)
    mark : ndarray (N,)
        By the events' relative offspring; empty without marks.
    """

    lift: FloatArray
    leave: FloatArray
    fade: FloatArray
    speed: FloatArray
    mark: FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def make_room(largest: int, model: Structure, draws: int) -> Room:
    """Room for a day of so many events and draws."""
    states = model.fade.size
    speeds = model.speed.size
    streams = model.lift.shape[1]
    return Room(
        np.empty((speeds, largest, draws)),
        np.empty((speeds, largest, draws)),
        np.empty((largest, draws)),
        np.empty(streams, np.int64),
        np.empty((streams, largest, draws)),
        np.empty(states),
        np.empty((largest + 1, states, draws)),
        np.empty((largest, draws)),
        np.empty(draws),
        np.empty((4, draws)),
    )


@njit(cache=True, nogil=True, error_model="numpy")
def make_slopes(model: Structure, draws: int, marks: int) -> Slopes:
    """Empty sums, for so many events with marks."""
    eras, streams, width = model.lift.shape
    return Slopes(
        np.zeros((eras, streams, width, draws)),
        np.zeros((eras, model.leave.shape[1], width, draws)),
        np.zeros((model.fade.size, draws)),
        np.zeros((model.speed.size, draws)),
        np.zeros(marks),
    )
