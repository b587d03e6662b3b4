"""Log-likelihood and gradient of a reporting triangle: counts by period and delay."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from escalation.likelihood.count_sums import (
    LOWEST,
    SMALL,
    add_scaled,
    assign,
    dot,
    exponentials,
    lane_sum,
)
from escalation.likelihood.count_terms import count_tables, dispersed_term
from escalation.likelihood.exponential import log_one_plus, logarithm, sum_of_logs
from escalation.likelihood.nowcast_paths import (
    DISPERSION,
    OWN,
    IntArray,
    add_calendar_slopes,
    add_delay_slopes,
    add_walk_slopes,
    calendar_odds,
    delay_shares,
    log_rates,
    paces,
    reported_share,
    walk_moves,
)
from escalation.parameters import FloatArray

#: Log-rates above this are no counts.
HIGHEST = 27.6
#: Factors of a product between this and its inverse multiply so many times without overflow.
MILD, TOGETHER = 1e-10, 28
#: Cells with incidents are taken so many at a time.
CHUNK = 256


def triangle_tables(counts: FloatArray, scale: FloatArray) -> dict[str, FloatArray | IntArray]:
    r"""What the likelihood reads of a triangle, once for all evaluations.

    Parameters
    ----------
    counts : ndarray (T, D + 1, K)
        -1 where a cell could not have been reported yet or the period was not watched.
    scale : ndarray (T,)
        Share of each period that was watched.

    Returns
    -------
    dict of arrays
        ``total`` (K, T), incidents reported so far; ``exceed`` (K, M): ``[k, i]`` is the number of
        cells of stream k with more than i incidents; ``constant`` (1,):
        :math:`\sum (N \log e - \sum_d \log n_d!)`; ``cell`` (K, C): place d T + t of each cell with
        incidents, those with most of them first, -1 beyond the last.
    """
    periods, cells, streams = counts.shape
    flat = np.moveaxis(counts, 1, 0).reshape(cells * periods, streams)
    tables = count_tables(flat, (flat[:, 0] >= 0).astype(float))
    total = np.maximum(counts, 0.0).sum(axis=1).T
    watched = np.where(scale > 0, scale, 1.0)
    some = tables["exceed"][:, 0].astype(np.int64)
    cell = np.argsort(-flat.T, axis=1, kind="stable")[:, : some.max()]
    return {
        "total": np.ascontiguousarray(total),
        "exceed": tables["exceed"],
        "constant": tables["constant"] + (total * np.log(watched)).sum(),
        "cell": np.where(np.arange(cell.shape[1]) < some[:, None], cell, -1),
    }


@njit(cache=True, nogil=True, error_model="numpy")
def rate_row(
    total: FloatArray,
    mean: FloatArray,
    seen: FloatArray,
    psi: float,
    term: FloatArray,
    slope: FloatArray,
    spent: FloatArray,
    bend: FloatArray,
) -> None:
    r"""Write what the reported cells of a period add by their rate, whichever they are.

    .. math:: -(N + S/\psi)\log(1 + \psi\lambda)

    Parameters
    ----------
    total, mean, seen : ndarray (T,)
        N, number reported; :math:`\lambda`, rate; S, share reported.
    psi : float
    term : ndarray (T,)
    slope, spent, bend : ndarray (T,)
        Slopes by the log-rate (with that of :math:`N\log\lambda`), by S, and by psi.
    """
    if psi > SMALL:
        inverse = 1.0 / psi
        for t in range(total.size):
            x = psi * mean[t]
            over = 1.0 / (1.0 + x)
            log_u = log_one_plus(x)
            spent[t] = -log_u * inverse
            term[t] = seen[t] * spent[t] - total[t] * log_u
            slope[t] = (total[t] - seen[t] * mean[t]) * over
            bend[t] = seen[t] * ((log_u - x * over) * inverse * inverse) - total[t] * mean[t] * over
        return
    for t in range(total.size):
        over = 1.0 / (1.0 + psi * mean[t])
        spent[t], change = dispersed_term(0.0, mean[t], psi)
        term[t] = seen[t] * spent[t] - total[t] * math.log1p(psi * mean[t])
        slope[t] = (total[t] - seen[t] * mean[t]) * over
        bend[t] = seen[t] * change - total[t] * mean[t] * over


# Sums alone may be taken in another order, the same one on every run: four at a time.
@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def _factor(share: FloatArray, step: float, product: FloatArray, inverse: FloatArray) -> float:
    """Multiply by share + step; add its inverse to `inverse`, and return the sum of these."""
    out = 0.0
    for c in range(share.size):
        whole = share[c] + step
        one = 1.0 / whole
        product[c] *= whole
        inverse[c] += one
        out += one
    return out


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"reassoc"})
def _two_factors(
    share: FloatArray, i: int, psi: float, product: FloatArray, inverse: FloatArray
) -> float:
    """As `_factor` with i psi and with (i + 1) psi, by one division; the slope by psi."""
    one, two = float(i), float(i + 1)
    out = 0.0
    for c in range(share.size):
        first, second = share[c] + one * psi, share[c] + two * psi
        both = first * second
        over = 1.0 / both
        product[c] *= both
        inverse[c] += (first + second) * over
        out += (one * second + two * first) * over
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def into_logs(product: FloatArray, term: FloatArray) -> None:
    """Add the logs of products, and begin new ones."""
    for c in range(product.size):
        term[c] += logarithm(product[c])
        product[c] = 1.0


@njit(cache=True, nogil=True, error_model="numpy")
def cell_terms(
    share: FloatArray, exceed: FloatArray, before: int, psi: float, term: FloatArray,
    product: FloatArray, slope: FloatArray,
) -> float:  # fmt: skip
    r"""Write what each cell of n > 0 incidents adds beside its rate; return the slope by psi.

    .. math:: \sum_{i=0}^{n-1} \log(p + i\psi)

    the log of a rising factorial, as a sum and the product whose log it still lacks.

    Parameters
    ----------
    share : ndarray (C,)
        p of each cell, those with most incidents first.
    exceed : ndarray (M,)
        Number of cells with more than i incidents.
    before : int
        So many of them stand before the first of `share`.
    psi : float
    term, product, slope : ndarray (C,)
        Sum, product, and slope by the log of the share.
    """
    tiny, small = 0, 0
    for c in range(share.size):
        tiny += 0 if share[c] > LOWEST else 1
        small += 0 if share[c] > MILD else 1
        product[c] = share[c]
        term[c] = 0.0
        slope[c] = 0.0
    if tiny > 0:
        term[:] = -np.inf
        product[:] = 1.0
        return 0.0
    held, most = 1, TOGETHER if small == 0 and exceed.size * psi < 1.0 / MILD else 1
    by_psi = 0.0
    i, step = 1, 2 if most > 1 else 1
    while i < exceed.size and exceed[i] > before:
        more = min(int(exceed[i]) - before, share.size)
        twice = 0
        if step > 1 and i + 1 < exceed.size:
            twice = min(max(int(exceed[i + 1]) - before, 0), share.size)
        if held + step > most:
            into_logs(product[:more], term[:more])
            held = 0
        by_psi += _two_factors(share[:twice], i, psi, product[:twice], slope[:twice])
        rest = slice(twice, more)
        by_psi += i * _factor(share[rest], i * psi, product[rest], slope[rest])
        held += step
        i += step
    for c in range(share.size):
        slope[c] = 1.0 + slope[c] * share[c]
    return by_psi


@njit(cache=True, nogil=True, error_model="numpy")
def _cells(
    cell: IntArray, exceed: FloatArray, share: FloatArray, psi: float, by_log: FloatArray,
    scratch: FloatArray,
) -> tuple[float, float]:  # fmt: skip
    """Sum of `cell_terms` of one stream, and its slope by psi; those by the shares are added.

    A few hundred cells at a time (the columns of `scratch`) stay in the fastest cache.
    """
    value, by_psi, number = 0.0, 0.0, int(exceed[0])
    for start in range(0, number, scratch.shape[1]):
        size = min(scratch.shape[1], number - start)
        here, own, term = cell[start : start + size], scratch[0, :size], scratch[1, :size]
        product, slope = scratch[2, :size], scratch[3, :size]
        for c in range(size):
            own[c] = share[here[c]]
        by_psi += cell_terms(own, exceed, start, psi, term, product, slope)
        for c in range(size):
            by_log[here[c]] += slope[c]
        value += lane_sum(term) + sum_of_logs(product, own, size)
    return value, by_psi


@njit(cache=True, nogil=True, error_model="numpy")
def _add_products(out: FloatArray, a: FloatArray, b: FloatArray) -> None:
    for i in range(out.size):
        out[i] += a[i] * b[i]


@njit(cache=True, nogil=True, error_model="numpy")
def nowcast(
    theta: FloatArray,
    values: FloatArray,
    counts: FloatArray,
    total: FloatArray,
    exceed: FloatArray,
    constant: FloatArray,
    cell: IntArray,
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
    Dirichlet-multinomial law. All terms but those of cells with incidents are terms of a period.

    Parameters
    ----------
    theta : ndarray (p,)
    values : ndarray (G, m)
        Not read: there is no kernel.
    counts : ndarray (T, D + 1, K)
        Not read: the tables tell all of it.
    total, exceed, constant, cell
        Of `triangle_tables`.
    scale : ndarray (T,)
        Share of each period that was watched.
    weekday : ndarray of int (T + D,)
        Of `calendar_odds`.
    offset : ndarray (D,)
        Log-odds of even delays.
    place : ndarray of int (9,)
        By the names of `escalation.likelihood.nowcast_paths`.

    Returns
    -------
    value : float
    by_theta : ndarray (p,)
    by_values : ndarray (G, m)
    """
    streams, periods = total.shape
    delays = offset.size
    nothing = -math.inf, np.zeros(theta.size), np.zeros(values.shape)
    by_theta = np.zeros(theta.size)
    pace = np.empty(periods + delays)
    paces(theta, place, periods, pace)
    calendar = calendar_odds(theta, pace, weekday, place)
    by_calendar = np.zeros(periods + delays)
    moves = walk_moves(theta, place, periods, streams)
    exponent = log_rates(theta, place, moves)
    hazard = np.empty((delays, periods))
    share, by_log = np.empty((delays + 1, periods)), np.zeros((delays + 1, periods))
    row, scratch = np.empty((5, periods)), np.empty((4, CHUNK))
    seen, mean, term, spent, bend = row[0], row[1], row[2], row[3], row[4]
    unspent = np.zeros(periods)
    own = place[OWN] > 0
    value = constant[0]
    for k in range(streams):
        if own or k == 0:
            delay_shares(theta, k, calendar, offset, place, hazard, share)
            reported_share(share, seen)
        psi = theta[place[DISPERSION] + k]
        steep = 0
        for t in range(periods):
            steep += 0 if exponent[k, t] < HIGHEST else 1
        if steep > 0:
            return nothing
        value += dot(total[k], exponent[k])
        assign(mean, exponent[k])
        exponentials(mean)
        for t in range(periods):
            mean[t] *= scale[t]
        rate_row(total[k], mean, seen, psi, term, exponent[k], spent, bend)
        risen, by_psi = _cells(
            cell[k], exceed[k], share.reshape(-1), psi, by_log.reshape(-1), scratch
        )
        value += lane_sum(term) + risen
        by_theta[place[DISPERSION] + k] += by_psi + lane_sum(bend)
        add_scaled(unspent, 1.0, spent)
        if own or k == streams - 1:
            for d in range(min(delays + 1, periods)):
                due = periods - d
                _add_products(by_log[d, :due], unspent[:due], share[d, :due])
            add_delay_slopes(by_theta, k, place, hazard, by_log, by_calendar)
            by_log[:] = 0.0
            unspent[:] = 0.0
    if not abs(value) < math.inf:
        return nothing
    add_walk_slopes(theta, by_theta, exponent, moves, place)
    add_calendar_slopes(theta, by_theta, pace, by_calendar, weekday, place, periods)
    return value, by_theta, np.zeros(values.shape)
