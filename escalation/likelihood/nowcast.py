"""Log-likelihood and gradient of a reporting triangle: counts by period and delay."""

from __future__ import annotations

import math

import numpy as np
from numba import njit
from numpy.typing import NDArray

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
    place : ndarray of int (8,)
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
        hazard[d] = 1.0 / (1.0 + math.exp(-eta))
        share[d] = left * hazard[d]
        left *= 1.0 / (1.0 + math.exp(eta))
    share[delays] = left


@njit(cache=True, nogil=True, error_model="numpy")
def paces(theta: FloatArray, place: IntArray, periods: int, pace: FloatArray) -> None:
    """Write the walk of the pace of reporting (T + D,); periods to come go on like the last one."""
    pace[:] = 0.0
    if place[4] < 0:
        return
    for t in range(1, periods):
        pace[t] = pace[t - 1] + theta[place[4]] * theta[place[4] + t]
    pace[periods:] = pace[periods - 1]


@njit(cache=True, nogil=True, error_model="numpy")
def cell_term(n: float, share: float, psi: float) -> tuple[float, float, float]:
    r"""What one cell adds beside its rate, with slopes by the log of its share and by psi.

    .. math:: \log p + \sum_{i=1}^{n-1} \log(p + i\psi) - \log n!
    """
    if n == 0.0:
        return 0.0, 0.0, 0.0
    value = math.log(share)
    by_share = 1.0 / share
    by_psi = 0.0
    for i in range(1, int(n)):
        whole = share + i * psi
        value += math.log(whole / (i + 1))
        by_share += 1.0 / whole
        by_psi += i / whole
    return value, by_share * share, by_psi


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
        \log\lambda_{tk} = \log e_t + \alpha_k + \sigma_k \sum_{i \le t} z_{ik}

    The cells of a period sum to a negative binomial total of mean :math:`\lambda` and dispersion
    :math:`\psi`; given the total they follow the Dirichlet-multinomial law.

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
    place : ndarray of int (8,)
        Place of the levels, of the scales of the moves (-1: the moves have their own scale), of
        the moves (T - 1, K), of the log-odds of the delays, of the scale of the drift, which its
        T - 1 moves follow (-1: none), whether each stream has delays of its own, of the effects of
        the day of the week (-1: none), and of the dispersion.

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
    by_log = np.empty(cells)
    pace = np.empty(periods + delays)
    by_pace = np.zeros(periods + delays)
    paces(theta, place, periods, pace)
    value = 0.0
    moves = place[2]
    for k in range(streams):
        size = theta[place[1] + k] if place[1] >= 0 else 1.0
        psi = theta[place[7] + k]
        level = theta[place[0] + k]
        walked = 0.0
        slopes = np.zeros(periods)
        for t in range(periods):
            if t > 0:
                walked += theta[moves + (t - 1) * streams + k]
            if scale[t] <= 0.0:
                continue
            rate = scale[t] * math.exp(level + size * walked)
            if not rate < 1e12:
                return -math.inf, np.zeros(theta.size), by_values
            delay_row(theta, t, k, delays, pace, weekday, offset, place, hazard, share)
            total = 0.0
            seen = 0.0
            reported = 0
            for d in range(cells):
                if counts[t, d, k] < 0.0:
                    break
                reported = d + 1
                total += counts[t, d, k]
                seen += share[d]
            if reported == 0:
                continue
            spent, by_dispersion = dispersed_term(0.0, rate, psi)
            over = 1.0 + psi * rate
            value += total * math.log(rate / over) + seen * spent
            slopes[t] = (total - seen * rate) / over
            by_psi = -total * rate / over + seen * by_dispersion
            for d in range(cells):
                by_log[d] = 0.0
                if d < reported:
                    term, slope, other = cell_term(counts[t, d, k], share[d], psi)
                    value += term
                    by_psi += other
                    by_log[d] = slope + spent * share[d]
            by_theta[place[7] + k] += by_psi
            add_delay_slopes(by_theta, t, k, delays, by_pace, weekday, place, hazard, by_log)
        if not value > -math.inf:
            return -math.inf, np.zeros(theta.size), by_values
        later = 0.0
        for t in range(periods - 1, -1, -1):
            later += slopes[t]
            if t > 0:
                by_theta[moves + (t - 1) * streams + k] += size * later
                if place[1] >= 0:
                    by_theta[place[1] + k] += later * theta[moves + (t - 1) * streams + k]
        by_theta[place[0] + k] += later
    if place[4] >= 0:
        later = by_pace[periods:].sum()
        for t in range(periods - 1, 0, -1):
            later += by_pace[t]
            by_theta[place[4] + t] += theta[place[4]] * later
            by_theta[place[4]] += later * theta[place[4] + t]
    return value, by_theta, by_values


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
    moves = place[2]
    for n in range(draws.shape[0]):
        theta = draws[n]
        paces(theta, place, periods, pace)
        for k in range(streams):
            size = theta[place[1] + k] if place[1] >= 0 else 1.0
            walked = 0.0
            for t in range(periods):
                if t > 0:
                    walked += theta[moves + (t - 1) * streams + k]
                rate[n, t, k] = scale[t] * math.exp(theta[place[0] + k] + size * walked)
                delay_row(theta, t, k, delays, pace, weekday, offset, place, hazard, own)
                share[n, t, :, k] = own
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
    out = np.full((draws, periods, streams), np.nan)
    for n in range(draws):
        for t in range(periods):
            for k in range(streams):
                if counts[t, 0, k] < 0.0:
                    continue
                mean, spread = rate[n, t, k], psi[n, k]
                spent, _ = dispersed_term(0.0, mean, spread)
                total = 0.0
                value = 0.0
                for d in range(counts.shape[1]):
                    count = counts[t, d, k]
                    if count < 0.0:
                        break
                    total += count
                    term, _, _ = cell_term(count, share[n, t, d, k], spread)
                    value += term + share[n, t, d, k] * spent
                out[n, t, k] = value + total * math.log(mean / (1.0 + spread * mean))
    return out
