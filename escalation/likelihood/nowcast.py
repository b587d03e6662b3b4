"""Log-likelihood and gradient of a reporting triangle: counts by period and delay."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.likelihood.count_sums import assign
from escalation.likelihood.count_terms import dispersed_term
from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]


@njit(cache=True, nogil=True, error_model="numpy")
def delay_row(
    theta: FloatArray,
    t: int,
    k: int,
    delays: int,
    pace: FloatArray,
    weekday: IntArray,
    offset: FloatArray,
    place: IntArray,
    hazard: FloatArray,
    share: FloatArray,
) -> None:
    r"""Probabilities of each delay of incidents of period t.

    .. math:: p_d = h_d \prod_{j < d} (1 - h_j), \qquad
              \mathrm{logit}\, h_d = o_d + \gamma_d + f_{t + d} + \omega_{w(t + d)}, \qquad h_D = 1

    Parameters
    ----------
    theta : ndarray (p,)
    t, k, delays : int
        Period, stream, D.
    pace : ndarray (T + D,)
        f, by the period of the report.
    weekday : ndarray of int (T + D,)
        Day of the week of each period on which a report may come; -1 without such effects.
    offset : ndarray (D,)
    place : ndarray of int (9,)
        Of `nowcast`.
    hazard, share : ndarray (D,), (D + 1,)
        Filled.
    """
    first = place[3] + (k * delays if place[5] > 0 else 0)
    left = 1.0
    for d in range(delays):
        eta = offset[d] + theta[first + d] + pace[t + d]
        if place[6] >= 0:
            day = weekday[t + d]
            # The effects of the seven days sum to zero.
            if day < 6:
                eta += theta[place[6] + day]
            else:
                for i in range(6):
                    eta -= theta[place[6] + i]
        odds = math.exp(-max(eta, -600.0))
        hazard[d] = 1.0 / (1.0 + odds)
        share[d] = left * hazard[d]
        left *= odds * hazard[d]
    share[delays] = left


@njit(cache=True, nogil=True, error_model="numpy")
def paces(theta: FloatArray, place: IntArray, periods: int, pace: FloatArray) -> None:
    r"""Write the pace of reporting (T + D,); in periods to come it goes back to zero.

    .. math:: f_0 = s u_0, \qquad f_t = \rho f_{t-1} + s \sqrt{1 - \rho^2}\, u_t
    """
    pace[:] = 0.0
    if place[4] < 0:
        return
    size, memory = theta[place[4]], theta[place[4] + 1]
    fresh = size * math.sqrt(1.0 - memory * memory)
    pace[0] = size * theta[place[4] + 2]
    for t in range(1, pace.size):
        pace[t] = memory * pace[t - 1]
        if t < periods:
            pace[t] += fresh * theta[place[4] + 2 + t]


@njit(cache=True, nogil=True, error_model="numpy")
def walk_moves(theta: FloatArray, place: IntArray, periods: int, streams: int) -> FloatArray:
    r"""Moves m (T, K) of the log-rate in units of their scale; the first row is zero.

    .. math:: m_1 = z_1, \qquad m_t = \rho m_{t-1} + \sqrt{1 - \rho^2}\, z_t
    """
    memory = theta[place[8]] if place[8] >= 0 else 0.0
    fresh = math.sqrt(1.0 - memory * memory)
    out = np.zeros((periods, streams))
    for t in range(1, periods):
        for k in range(streams):
            move = theta[place[2] + (t - 1) * streams + k]
            out[t, k] = move if t == 1 else memory * out[t - 1, k] + fresh * move
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def cell_term(n: float, share: float, psi: float) -> tuple[float, float, float]:
    r"""What a cell of n > 0 adds beside its rate, with slopes by the log of its share and by psi.

    .. math:: \log p + \sum_{i=1}^{n-1} \log(p + i\psi) - \log n!
    """
    product = share
    value = 0.0
    by_share = 1.0 / share
    by_psi = 0.0
    for i in range(1, int(n)):
        whole = share + i * psi
        product *= whole / (i + 1)
        # One logarithm for several factors.
        if product < 1e-200 or product > 1e200:
            value += math.log(product)
            product = 1.0
        inverse = 1.0 / whole
        by_share += inverse
        by_psi += i * inverse
    return value + math.log(product), by_share * share, by_psi


@njit(cache=True, nogil=True, error_model="numpy")
def nowcast(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    scale: FloatArray,
    weekday: IntArray,
    offset: FloatArray,
    place: IntArray,
) -> tuple[float, FloatArray, FloatArray]:
    r"""Log-likelihood of the cells that could have been reported, with its gradient.

    .. math::
        n_{tdk} \sim \mathrm{NB}\{\mathrm{mean}\ \lambda_{tk} p_{td},\
        \mathrm{shape}\ p_{td} / \psi_k\}, \qquad
        \log\lambda_{tk} = \log e_t + \alpha_k + \sigma_k \sum_{i \le t} m_{ik}

    with the moves m of `walk_moves`. The cells of a period sum to a negative binomial total of mean
    :math:`\lambda` and dispersion :math:`\psi`; given the total they follow the
    Dirichlet-multinomial law.

    Parameters
    ----------
    theta : ndarray (p,)
    values : ndarray (G, m)
        Not read: there is no kernel.
    counts : ndarray (T, D + 1, K)
        -1 where a cell could not have been reported yet or the period was not watched.
    scale : ndarray (T,)
        Share of each period that was watched.
    weekday, offset
        Of `delay_row`.
    place : ndarray of int (9,)
        Place of the levels, of the scales of the moves (-1: the moves have their own scale), of
        the moves (T - 1, K), of the log-odds of the delays, of the scale of the pace, which its
        memory and T moves follow (-1: none), whether each stream has delays of its own, of the
        effects of the day of the week (-1: none), of the dispersion, and of the momentum (-1:
        none).

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (G, m)
    """
    periods, cells, streams = counts.shape
    delays = cells - 1
    by_theta = np.zeros(theta.size)
    by_values = np.zeros(values.shape)
    hazard = np.empty(delays)
    share = np.empty(cells)
    by_log = np.zeros(cells)
    pace = np.empty(periods + delays)
    by_pace = np.zeros(periods + delays)
    paces(theta, place, periods, pace)
    moves = walk_moves(theta, place, periods, streams)
    walked = np.zeros(streams)
    slopes = np.zeros((periods, streams))
    # Where all streams share delays that never change, their probabilities and slopes are taken
    # once for all; else once for each period, or for each period and stream.
    own = place[5] > 0 and streams > 1
    steady = place[4] < 0 and place[6] < 0 and not own
    first = True
    value = 0.0
    for t in range(periods):
        for k in range(streams):
            walked[k] += moves[t, k]
            if scale[t] <= 0.0:
                continue
            if own or first or (k == 0 and not steady):
                first = False
                delay_row(theta, t, k, delays, pace, weekday, offset, place, hazard, share)
            size = theta[place[1] + k] if place[1] >= 0 else 1.0
            rate = scale[t] * math.exp(theta[place[0] + k] + size * walked[k])
            if not rate < 1e12:
                return -math.inf, np.zeros(theta.size), by_values
            psi = theta[place[7] + k]
            reported = min(cells, periods - t)
            term, slopes[t, k], by_psi = row_term(counts[t, :reported, k], rate, psi, share, by_log)
            value += term
            by_theta[place[7] + k] += by_psi
            if own or (k == streams - 1 and not steady):
                add_delay_slopes(by_theta, t, k, delays, by_pace, weekday, place, hazard, by_log)
                by_log[:] = 0.0
    if not value > -math.inf:
        return -math.inf, np.zeros(theta.size), by_values
    if steady:
        add_delay_slopes(by_theta, 0, 0, delays, by_pace, weekday, place, hazard, by_log)
    add_walk_slopes(theta, by_theta, slopes, moves, place)
    add_pace_slopes(theta, by_theta, pace, by_pace, place, periods)
    return value, by_theta, by_values


@njit(cache=True, nogil=True, error_model="numpy")
def row_term(
    counts: FloatArray, rate: float, psi: float, share: FloatArray, by_log: FloatArray
) -> tuple[float, float, float]:
    """Log-likelihood of the reported cells of a period, with slopes by the log-rate and by psi.

    Parameters
    ----------
    counts : ndarray (m,)
    rate, psi : float
    share : ndarray (D + 1,)
    by_log : ndarray (D + 1,)
        The slopes by the logs of the shares are added.
    """
    spent, by_dispersion = dispersed_term(0.0, rate, psi)
    total = 0.0
    seen = 0.0
    value = 0.0
    by_psi = 0.0
    for d in range(counts.size):
        seen += share[d]
        by_log[d] += spent * share[d]
        if counts[d] > 0.0:
            total += counts[d]
            term, slope, other = cell_term(counts[d], share[d], psi)
            value += term
            by_psi += other
            by_log[d] += slope
    over = 1.0 + psi * rate
    value += seen * spent
    if total > 0.0:
        value += total * math.log(rate / over)
    return value, (total - seen * rate) / over, by_psi - total * rate / over + seen * by_dispersion


@njit(cache=True, nogil=True, error_model="numpy")
def add_walk_slopes(
    theta: FloatArray,
    by_theta: FloatArray,
    slopes: FloatArray,
    moves: FloatArray,
    place: IntArray,
) -> None:
    """Add the slopes by levels, moves, their scales and their momentum."""
    periods, streams = slopes.shape
    memory = theta[place[8]] if place[8] >= 0 else 0.0
    fresh = math.sqrt(1.0 - memory * memory)
    for k in range(streams):
        size = theta[place[1] + k] if place[1] >= 0 else 1.0
        later = 0.0
        kept = 0.0
        for t in range(periods - 1, 0, -1):
            later += slopes[t, k]
            kept = size * later + memory * kept
            move = place[2] + (t - 1) * streams + k
            by_theta[move] += kept * (fresh if t > 1 else 1.0)
            if place[1] >= 0:
                by_theta[place[1] + k] += later * moves[t, k]
            if place[8] >= 0 and t > 1:
                by_theta[place[8]] += kept * (moves[t - 1, k] - theta[move] * memory / fresh)
        by_theta[place[0] + k] += later + slopes[0, k]


@njit(cache=True, nogil=True, error_model="numpy")
def add_pace_slopes(
    theta: FloatArray,
    by_theta: FloatArray,
    pace: FloatArray,
    by_pace: FloatArray,
    place: IntArray,
    periods: int,
) -> None:
    """Add the slopes by the scale, the memory and the moves of the pace.

    The pace of periods to come has no slope: nothing was reported in them.
    """
    if place[4] < 0:
        return
    size, memory = theta[place[4]], theta[place[4] + 1]
    root = math.sqrt(1.0 - memory * memory)
    later = 0.0
    for t in range(periods - 1, -1, -1):
        later = by_pace[t] + memory * later
        move = theta[place[4] + 2 + t]
        if t > 0:
            by_theta[place[4] + 2 + t] += later * size * root
            by_theta[place[4]] += later * root * move
            by_theta[place[4] + 1] += later * (pace[t - 1] - size * move * memory / root)
        else:
            by_theta[place[4] + 2] += later * size
            by_theta[place[4]] += later * move


@njit(cache=True, nogil=True, error_model="numpy")
def add_delay_slopes(
    by_theta: FloatArray,
    t: int,
    k: int,
    delays: int,
    by_pace: FloatArray,
    weekday: IntArray,
    place: IntArray,
    hazard: FloatArray,
    by_log: FloatArray,
) -> None:
    """Add the slopes by the parameters of the delays; `by_log` are those by the logs of shares."""
    first = place[3] + (k * delays if place[5] > 0 else 0)
    beyond = by_log[delays]
    for d in range(delays - 1, -1, -1):
        slope = by_log[d] * (1.0 - hazard[d]) - hazard[d] * beyond
        beyond += by_log[d]
        by_theta[first + d] += slope
        by_pace[t + d] += slope
        if place[6] >= 0:
            day = weekday[t + d]
            if day < 6:
                by_theta[place[6] + day] += slope
            else:
                for i in range(6):
                    by_theta[place[6] + i] -= slope


@njit(cache=True, nogil=True, error_model="numpy")
def rates_and_shares(
    draws: FloatArray,
    streams: int,
    scale: FloatArray,
    weekday: IntArray,
    offset: FloatArray,
    place: IntArray,
) -> tuple[FloatArray, FloatArray]:
    """Rates (n, T, K) and shares of each delay (n, T, D + 1, K) of draws (n, p)."""
    periods, delays = scale.size, offset.size
    rate = np.zeros((draws.shape[0], periods, streams))
    share = np.zeros((draws.shape[0], periods, delays + 1, streams))
    hazard = np.empty(delays)
    own = np.empty(delays + 1)
    pace = np.empty(periods + delays)
    for n in range(draws.shape[0]):
        theta = draws[n]
        paces(theta, place, periods, pace)
        moves = walk_moves(theta, place, periods, streams)
        for k in range(streams):
            size = theta[place[1] + k] if place[1] >= 0 else 1.0
            walked = 0.0
            for t in range(periods):
                walked += moves[t, k]
                rate[n, t, k] = scale[t] * math.exp(theta[place[0] + k] + size * walked)
                delay_row(theta, t, k, delays, pace, weekday, offset, place, hazard, own)
                assign(share[n, t, :, k], own)
    return rate, share


@njit(cache=True, nogil=True, error_model="numpy")
def row_log_probability(
    counts: FloatArray, rate: FloatArray, share: FloatArray, psi: FloatArray
) -> FloatArray:
    """Log-probability (n, T, K) of the reported cells of each period; NaN where there are none.

    Parameters
    ----------
    counts : ndarray (T, D + 1, K)
        -1 where a cell is not known.
    rate, share : ndarray (n, T, K), (n, T, D + 1, K)
    psi : ndarray (n, K)
    """
    draws, periods, streams = rate.shape
    cells = counts.shape[1]
    out = np.full((draws, periods, streams), np.nan)
    scratch = np.zeros(cells)
    for n in range(draws):
        for t in range(periods):
            for k in range(streams):
                if counts[t, 0, k] >= 0.0:
                    own = share[n, t, :, k].copy()
                    known = counts[t, : min(cells, periods - t), k]
                    out[n, t, k], _, _ = row_term(known, rate[n, t, k], psi[n, k], own, scratch)
    return out
