"""Second derivatives of the log-likelihood of a reporting triangle by its log-rates and hazards."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from escalation.likelihood.count_sums import assign
from escalation.likelihood.nowcast_paths import (
    DISPERSION,
    OWN,
    PACE,
    WEEKDAY,
    IntArray,
    calendar_odds,
    delay_shares,
    log_rates,
    paces,
    walk_moves,
)
from escalation.parameters import FloatArray


@njit(cache=True, nogil=True, error_model="numpy")
def nowcast_curvature(
    theta: FloatArray,
    counts: FloatArray,
    scale: FloatArray,
    weekday: IntArray,
    offset: FloatArray,
    place: IntArray,
) -> FloatArray:
    r"""Minus the second derivatives (q, q) by log-rates, log-odds of delays, pace and weekdays.

    With :math:`s_d = \log p_d`, the log-likelihood of a period has in :math:`\log\lambda` and s the
    second derivatives

    .. math::
        \partial^2_{\lambda\lambda} = -\frac{\lambda(S + \psi n)}{(1 + \psi\lambda)^2}, \qquad
        \partial^2_{\lambda d} = -\frac{\lambda p_d}{1 + \psi\lambda}, \qquad
        \partial^2_{dd} = -\frac{p_d}{\psi}\log(1 + \psi\lambda)
        + \sum_{i=1}^{n_d - 1} \frac{i \psi p_d}{(p_d + i\psi)^2}

    where S is the share and n the number reported by now; s are functions of the log-odds.

    Parameters
    ----------
    theta, counts, scale, weekday, offset, place
        As `escalation.likelihood.nowcast.nowcast` takes them; `counts` -1 where not known.

    Returns
    -------
    ndarray (q, q)
        By the log-rates (T, K), the log-odds (D,) or (K, D), the pace (T,) if there is one, and the
        six effects of the day of the week if there are any, in this order.
    """
    periods, cells, streams = counts.shape
    delays = cells - 1
    own = place[OWN] > 0
    odds_at = periods * streams
    pace_at = odds_at + (streams * delays if own else delays)
    day_at = pace_at + (periods if place[PACE] >= 0 else 0)
    width = day_at + (6 if place[WEEKDAY] >= 0 else 0)
    out = np.zeros((width, width))
    hazards, shares = np.empty((delays, periods)), np.empty((cells, periods))
    hazard, share = np.empty(delays), np.empty(cells)
    slope, bend = np.empty(cells), np.empty(cells)
    cross, square = np.empty(delays), np.empty((delays, delays))
    pace = np.empty(periods + delays)
    paces(theta, place, periods, pace)
    calendar = calendar_odds(theta, pace, weekday, place)
    exponent = log_rates(theta, place, walk_moves(theta, place, periods, streams))
    # Places and weights of what each log-odds is a sum of: its own, the pace, the day of the week.
    at, weight = np.empty((delays, 8), np.int64), np.empty((delays, 8))
    for k in range(streams):
        delay_shares(theta, k, calendar, offset, place, hazards, shares)
        psi = theta[place[DISPERSION] + k]
        for t in range(periods):
            if scale[t] <= 0.0:
                continue
            assign(hazard, hazards[:, t])
            assign(share, shares[:, t])
            rate = scale[t] * math.exp(exponent[k, t])
            seen = min(cells, periods - t)
            here = t * streams + k
            out[here, here] += _row(counts[t, :seen, k], rate, psi, share, slope, bend)
            known = min(seen, delays)
            _by_odds(seen, known, rate / (1.0 + psi * rate), hazard, share, slope, bend, cross,
                     square)  # fmt: skip
            for d in range(known):
                number = _parts(at[d], weight[d], d, t, k, delays, odds_at, pace_at, day_at,
                                weekday, place)  # fmt: skip
                for a in range(number):
                    out[here, at[d, a]] += cross[d] * weight[d, a]
                    out[at[d, a], here] += cross[d] * weight[d, a]
                for e in range(d + 1):
                    other = _parts(at[e], weight[e], e, t, k, delays, odds_at, pace_at, day_at,
                                   weekday, place)  # fmt: skip
                    for a in range(number):
                        for b in range(other):
                            both = square[d, e] * weight[d, a] * weight[e, b]
                            out[at[d, a], at[e, b]] += both
                            if e < d:
                                out[at[e, b], at[d, a]] += both
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def _row(
    counts: FloatArray,
    rate: float,
    psi: float,
    share: FloatArray,
    slope: FloatArray,
    bend: FloatArray,
) -> float:
    """Minus the second derivative by the log-rate; fills those by the logs of the shares.

    `slope` and `bend` (m,) are the first derivatives and minus the second ones.
    """
    over = 1.0 + psi * rate
    spent = -rate if psi < 1e-9 else -math.log1p(psi * rate) / psi
    total, seen = 0.0, 0.0
    for d in range(counts.size):
        p = share[d]
        seen += p
        slope[d] = spent * p
        bend[d] = -spent * p
        if counts[d] > 0.0:
            total += counts[d]
            slope[d] += 1.0
            for i in range(1, int(counts[d])):
                part = p / (p + i * psi)
                slope[d] += part
                bend[d] -= part * (1.0 - part)
    return rate * (seen + psi * total) / (over * over)


@njit(cache=True, nogil=True, error_model="numpy")
def _by_odds(
    seen: int,
    known: int,
    shrunk: float,
    hazard: FloatArray,
    share: FloatArray,
    slope: FloatArray,
    bend: FloatArray,
    cross: FloatArray,
    square: FloatArray,
) -> None:
    """Fill minus the second derivatives by log-rate and log-odds, and by two log-odds."""
    delays = hazard.size
    for d in range(known):
        cross[d] = 0.0
        for e in range(d + 1):
            square[d, e] = 0.0
    for c in range(seen):
        # A share's log moves by 1 - h with its own log-odds, by -h with those before.
        for d in range(min(c, delays - 1) + 1):
            by = 1.0 - hazard[d] if d == c else -hazard[d]
            cross[d] += shrunk * share[c] * by
            square[d, d] += slope[c] * hazard[d] * (1.0 - hazard[d])
            for e in range(d + 1):
                square[d, e] += bend[c] * by * (1.0 - hazard[e] if e == c else -hazard[e])


@njit(cache=True, nogil=True, error_model="numpy")
def _parts(  # type: ignore[no-untyped-def]
    at, weight, d, t, k, delays, odds_at, pace_at, day_at, weekday, place
):
    """Fill places (8,) and weights (8,) of what a log-odds is the sum of; how many there are."""
    at[0] = odds_at + d + (k * delays if place[OWN] > 0 else 0)
    weight[0] = 1.0
    number = 1
    if place[PACE] >= 0:
        at[1], weight[1] = pace_at + t + d, 1.0
        number = 2
    if place[WEEKDAY] >= 0:
        day = weekday[t + d]
        if day < 6:
            at[number], weight[number] = day_at + day, 1.0
            return number + 1
        for i in range(6):
            at[number], weight[number] = day_at + i, -1.0
            number += 1
    return number
