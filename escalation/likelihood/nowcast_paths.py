"""Log-rates, pace of reporting and shares of the delays of a reporting triangle, and back."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import add_scaled, dot, exponentials, lane_sum
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Entries of `place`: the levels, the scales of the moves (-1: the moves have their own scale), the
#: moves (T - 1, K), the log-odds of the delays, the scale of the pace, which its memory and T moves
#: follow (-1: none), whether each stream has delays of its own, the effects of the day of the week
#: (-1: none), the dispersion, and the momentum (-1: none).
LEVEL, CHANGE, MOVES, DELAY, PACE, OWN, WEEKDAY, DISPERSION, MOMENTUM = range(9)
#: Log-odds are a delay's own and those of a period; each is held within this.
STEEPEST = 300.0


@njit(cache=True, nogil=True, error_model="numpy")
def paces(theta: FloatArray, place: IntArray, periods: int, pace: FloatArray) -> None:
    r"""Write the pace of reporting (T + D,); in periods to come it goes back to zero.

    .. math:: f_0 = s u_0, \qquad f_t = \rho f_{t-1} + s \sqrt{1 - \rho^2}\, u_t
    """
    pace[:] = 0.0
    if place[PACE] < 0:
        return
    size, memory = theta[place[PACE]], theta[place[PACE] + 1]
    fresh = size * math.sqrt(1.0 - memory * memory)
    pace[0] = size * theta[place[PACE] + 2]
    for t in range(1, pace.size):
        pace[t] = memory * pace[t - 1]
        if t < periods:
            pace[t] += fresh * theta[place[PACE] + 2 + t]


@njit(cache=True, nogil=True, error_model="numpy")
def calendar_odds(
    theta: FloatArray, pace: FloatArray, weekday: IntArray, place: IntArray
) -> FloatArray:
    r"""What each period of report adds to the odds against a report: :math:`e^{-f_t - \omega_t}`.

    Parameters
    ----------
    theta : ndarray (p,)
    pace : ndarray (T + D,)
    weekday : ndarray of int (T + D,)
        Day of the week of each period on which a report may come; -1 without such effects.
    place : ndarray of int (9,)

    Returns
    -------
    ndarray (T + D,)
    """
    out = np.empty(pace.size)
    for t in range(out.size):
        out[t] = -pace[t]
    if place[WEEKDAY] >= 0:
        effect = np.zeros(7)
        for i in range(6):
            effect[i] = theta[place[WEEKDAY] + i]
            # The effects of the seven days sum to zero.
            effect[6] -= effect[i]
        for t in range(out.size):
            out[t] -= effect[weekday[t]]
    for t in range(out.size):
        out[t] = min(max(out[t], -STEEPEST), STEEPEST)
    exponentials(out)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _split(
    odds: float, calendar: FloatArray, hazard: FloatArray, share: FloatArray, left: FloatArray
) -> None:
    """Take one delay's share (T,) out of what is left (T,)."""
    for t in range(left.size):
        against = odds * calendar[t]
        hazard[t] = 1.0 / (1.0 + against)
        share[t] = left[t] * hazard[t]
        left[t] *= against * hazard[t]


@njit(cache=True, nogil=True, error_model="numpy")
def delay_shares(
    theta: FloatArray,
    k: int,
    calendar: FloatArray,
    offset: FloatArray,
    place: IntArray,
    hazard: FloatArray,
    share: FloatArray,
) -> None:
    r"""Write hazards and probabilities of each delay of stream k's incidents, by their period.

    .. math:: p_{td} = h_{td} \prod_{j < d} (1 - h_{tj}), \qquad
              \mathrm{logit}\, h_{td} = o_d + \gamma_d + f_{t + d} + \omega_{w(t + d)}, \qquad
              h_{tD} = 1

    Parameters
    ----------
    theta : ndarray (p,)
    k : int
    calendar : ndarray (T + D,)
        Of `calendar_odds`.
    offset : ndarray (D,)
    place : ndarray of int (9,)
    hazard, share : ndarray (D, T), (D + 1, T)
    """
    delays, periods = hazard.shape
    first = place[DELAY] + (k * delays if place[OWN] > 0 else 0)
    share[delays] = 1.0
    for d in range(delays):
        own = min(max(offset[d] + theta[first + d], -STEEPEST), STEEPEST)
        _split(math.exp(-own), calendar[d : d + periods], hazard[d], share[d], share[delays])


@njit(cache=True, nogil=True, error_model="numpy")
def reported_share(share: FloatArray, out: FloatArray) -> None:
    """Write the share (T,) of each period's incidents whose reports are due by now."""
    periods = out.size
    out[:] = 0.0
    for d in range(min(share.shape[0], periods)):
        add_scaled(out[: periods - d], 1.0, share[d, : periods - d])


@njit(cache=True, nogil=True, error_model="numpy")
def _split_back(by_log: FloatArray, hazard: FloatArray, beyond: FloatArray) -> None:
    """Turn slopes by the logs of one delay's shares (T,) into those by its log-odds, in place.

    `beyond` (T,) are the slopes by the logs of all later shares; this delay's are added.
    """
    for t in range(by_log.size):
        slope = by_log[t] * (1.0 - hazard[t]) - hazard[t] * beyond[t]
        beyond[t] += by_log[t]
        by_log[t] = slope


@njit(cache=True, nogil=True, error_model="numpy")
def add_delay_slopes(
    by_theta: FloatArray,
    k: int,
    place: IntArray,
    hazard: FloatArray,
    by_log: FloatArray,
    by_calendar: FloatArray,
) -> None:
    """Add the slopes by the delays' own log-odds, and by the log-odds of each period of report.

    Parameters
    ----------
    by_theta : ndarray (p,)
    k : int
    place : ndarray of int (9,)
    hazard : ndarray (D, T)
    by_log : ndarray (D + 1, T)
        Slopes by the logs of the shares; overwritten.
    by_calendar : ndarray (T + D,)
    """
    delays, periods = hazard.shape
    first = place[DELAY] + (k * delays if place[OWN] > 0 else 0)
    for d in range(delays - 1, -1, -1):
        _split_back(by_log[d], hazard[d], by_log[delays])
        by_theta[first + d] += lane_sum(by_log[d])
        add_scaled(by_calendar[d : d + periods], 1.0, by_log[d])


@njit(cache=True, nogil=True, error_model="numpy")
def add_calendar_slopes(
    theta: FloatArray,
    by_theta: FloatArray,
    pace: FloatArray,
    by_calendar: FloatArray,
    weekday: IntArray,
    place: IntArray,
    periods: int,
) -> None:
    """Add the slopes by the pace's scale, memory and moves, and by the days of the week.

    The pace of periods to come has no slope: nothing was reported in them.
    """
    if place[WEEKDAY] >= 0:
        whole = np.zeros(7)
        for t in range(by_calendar.size):
            whole[weekday[t]] += by_calendar[t]
        for i in range(6):
            by_theta[place[WEEKDAY] + i] += whole[i] - whole[6]
    if place[PACE] < 0:
        return
    size, memory = theta[place[PACE]], theta[place[PACE] + 1]
    root = math.sqrt(1.0 - memory * memory)
    first = place[PACE] + 2
    later, by_size, by_memory = 0.0, 0.0, 0.0
    for t in range(periods - 1, 0, -1):
        later = by_calendar[t] + memory * later
        move = theta[first + t]
        by_theta[first + t] += later * size * root
        by_size += later * root * move
        by_memory += later * (pace[t - 1] - size * move * memory / root)
    later = by_calendar[0] + memory * later
    by_theta[first] += later * size
    by_theta[place[PACE]] += by_size + later * theta[first]
    by_theta[place[PACE] + 1] += by_memory


@njit(cache=True, nogil=True, error_model="numpy")
def walk_moves(theta: FloatArray, place: IntArray, periods: int, streams: int) -> FloatArray:
    r"""Moves m (K, T) of the log-rate in units of their scale; the first column is zero.

    .. math:: m_1 = z_1, \qquad m_t = \rho m_{t-1} + \sqrt{1 - \rho^2}\, z_t
    """
    out = np.zeros((streams, periods))
    for t in range(1, periods):
        for k in range(streams):
            out[k, t] = theta[place[MOVES] + (t - 1) * streams + k]
    if place[MOMENTUM] >= 0:
        memory = theta[place[MOMENTUM]]
        fresh = math.sqrt(1.0 - memory * memory)
        for k in range(streams):
            for t in range(2, periods):
                out[k, t] = memory * out[k, t - 1] + fresh * out[k, t]
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def log_rates(theta: FloatArray, place: IntArray, moves: FloatArray) -> FloatArray:
    r"""Log-rates (K, T) of a whole period: :math:`\alpha_k + \sigma_k \sum_{i \le t} m_{ik}`."""
    streams, periods = moves.shape
    out = np.empty((streams, periods))
    for k in range(streams):
        size = theta[place[CHANGE] + k] if place[CHANGE] >= 0 else 1.0
        level = theta[place[LEVEL] + k]
        walked = 0.0
        for t in range(periods):
            walked += moves[k, t]
            out[k, t] = level + size * walked
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def add_walk_slopes(
    theta: FloatArray,
    by_theta: FloatArray,
    slopes: FloatArray,
    moves: FloatArray,
    place: IntArray,
) -> None:
    """Add the slopes by levels, moves, their scales and their momentum.

    `slopes` (K, T) are those by the log-rates; they are overwritten.
    """
    streams, periods = slopes.shape
    memory = theta[place[MOMENTUM]] if place[MOMENTUM] >= 0 else 0.0
    fresh = math.sqrt(1.0 - memory * memory)
    for k in range(streams):
        size = theta[place[CHANGE] + k] if place[CHANGE] >= 0 else 1.0
        for t in range(periods - 1, 0, -1):
            slopes[k, t - 1] += slopes[k, t]
        by_theta[place[LEVEL] + k] += slopes[k, 0]
        if place[CHANGE] >= 0:
            by_theta[place[CHANGE] + k] += dot(slopes[k, 1:], moves[k, 1:])
        for t in range(1, periods):
            slopes[k, t] *= size
        if place[MOMENTUM] >= 0:
            by_memory = 0.0
            for t in range(periods - 1, 1, -1):
                move = theta[place[MOVES] + (t - 1) * streams + k]
                by_memory += slopes[k, t] * (moves[k, t - 1] - move * memory / fresh)
                slopes[k, t - 1] += memory * slopes[k, t]
                slopes[k, t] *= fresh
            by_theta[place[MOMENTUM]] += by_memory
        for t in range(1, periods):
            by_theta[place[MOVES] + (t - 1) * streams + k] += slopes[k, t]
