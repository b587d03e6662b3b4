"""Rates, delays and log-probabilities of a reporting triangle under draws of the parameters."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from escalation.likelihood.nowcast import cell_terms, into_logs, rate_row
from escalation.likelihood.nowcast_paths import (
    IntArray,
    calendar_odds,
    delay_shares,
    log_rates,
    paces,
    reported_share,
    walk_moves,
)
from escalation.parameters import FloatArray


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
    hazard, own = np.empty((delays, periods)), np.empty((delays + 1, periods))
    pace = np.empty(periods + delays)
    for n in range(draws.shape[0]):
        theta = draws[n]
        paces(theta, place, periods, pace)
        calendar = calendar_odds(theta, pace, weekday, place)
        exponent = log_rates(theta, place, walk_moves(theta, place, periods, streams))
        for k in range(streams):
            delay_shares(theta, k, calendar, offset, place, hazard, own)
            for t in range(periods):
                rate[n, t, k] = scale[t] * math.exp(exponent[k, t])
                for d in range(delays + 1):
                    share[n, t, d, k] = own[d, t]
    return rate, share


@njit(cache=True, nogil=True, error_model="numpy")
def row_log_probability(
    rate: FloatArray,
    share: FloatArray,
    psi: FloatArray,
    total: FloatArray,
    exceed: FloatArray,
    cell: IntArray,
    same: FloatArray,
) -> FloatArray:
    """Log-probability (n, T, K) of the reported cells of each period.

    Parameters
    ----------
    rate, share : ndarray (n, T, K), (n, T, D + 1, K)
    psi : ndarray (n, K)
    total, exceed, cell
        Of `escalation.likelihood.nowcast.triangle_tables`.
    same : ndarray (T, K)
        What is added to every draw: minus the logs of the factorials; NaN where nobody watched.
    """
    draws, periods, streams = rate.shape
    cells = share.shape[2]
    out = np.empty((draws, periods, streams))
    own = np.empty((cells, periods))
    row = np.empty((5, periods))
    width = max(cell.shape[1], 1)
    scratch = np.empty((4, width))
    for n in range(draws):
        for k in range(streams):
            number = int(exceed[k, 0])
            for t in range(periods):
                row[0, t] = rate[n, t, k]
                for d in range(cells):
                    own[d, t] = share[n, t, d, k]
            reported_share(own, row[1])
            rate_row(total[k], row[0], row[1], psi[n, k], row[2], row[3], row[4], row[4])
            for c in range(number):
                scratch[0, c] = own[cell[k, c] // periods, cell[k, c] % periods]
            cell_terms(scratch[0, :number], exceed[k], 0, psi[n, k], scratch[1, :number],
                       scratch[2, :number], scratch[3, :number])  # fmt: skip
            into_logs(scratch[2, :number], scratch[1, :number])
            for t in range(periods):
                out[n, t, k] = same[t, k] + row[2, t]
                if total[k, t] > 0.0:
                    out[n, t, k] += total[k, t] * math.log(rate[n, t, k])
            for c in range(number):
                out[n, cell[k, c] % periods, k] += scratch[1, c]
    return out
