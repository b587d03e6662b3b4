"""Links of non-linear Hawkes processes, and the integral of their rates between events."""

from __future__ import annotations

import numpy as np
from numba import njit

from escalation.likelihood.exponential import fade, logarithm
from escalation.parameters import FloatArray

#: Codes of the link functions.
IDENTITY, SOFTPLUS, EXP = 0, 1, 2

#: Factor of the bound on a panel's error, see `integrate`.
TOLERANCE = 1e-12
#: In the ellipse of convergence the predictor moves by at most so many scales off the real line;
#: the singularities of softplus are at pi.
REACH = 2.0
#: Beyond so many scales softplus is the identity, or zero, in double precision.
FLAT = 36.0

# Gauss-Legendre rules on (0, 1), one a row, and the ellipse with which each keeps to TOLERANCE.
_ORDERS = np.array([1, 2, 3, 4, 6, 8, 12, 16])
_NODES = np.zeros((8, 16))
_WEIGHTS = np.zeros((8, 16))
for _row, _order in enumerate(_ORDERS):
    _x, _w = np.polynomial.legendre.leggauss(_order)
    _NODES[_row, :_order], _WEIGHTS[_row, :_order] = (1 + _x) / 2, _w / 2
_RHO = TOLERANCE ** (-1 / (2 * _ORDERS))
_ACROSS = (_RHO - 1 / _RHO) / 2
_ALONG = (_RHO + 1 / _RHO) / 2
_CLOSED, _ZERO, _TOO_LONG = 100, 101, -1


@njit(cache=True, nogil=True)
def link_rate(x: float, scale: float, link: int) -> tuple[float, float]:
    """Rate at a predictor, and its slope by the predictor."""
    if link == SOFTPLUS:
        z = x / scale
        if z > FLAT:
            return x, 1.0
        grown = np.exp(z)
        return scale * np.log1p(grown), grown / (1.0 + grown)
    if link == EXP:
        rate = np.exp(x)
        return rate, rate
    return x, 1.0


@njit(cache=True, nogil=True)
def link_log_rate(x: float, scale: float, link: int) -> tuple[float, float]:
    """Log of the rate at a predictor, and its slope; right however small the rate is."""
    if link == EXP:
        return x, 1.0
    z = x / scale
    if link == SOFTPLUS and z < -FLAT:
        return np.log(scale) + z, 1.0 / scale
    rate, slope = link_rate(x, scale, link)
    if rate <= 0.0:
        return -np.inf, 0.0
    return np.log(rate), slope / rate


@njit(cache=True, nogil=True)
def link_inverse(log_rate: float, scale: float, link: int) -> tuple[float, float]:
    """Predictor of a given log of the rate, and its slope by that log."""
    if link == EXP:
        return log_rate, 1.0
    rate = np.exp(log_rate)
    if link == IDENTITY:
        return rate, rate
    z = rate / scale
    if z < 1e-12:
        return scale * (log_rate - np.log(scale)), scale
    short = -np.expm1(-z)
    return rate + scale * np.log(short), rate / short


@njit(cache=True, nogil=True, error_model="numpy")
def _link_rates(x: FloatArray, slope: FloatArray, size: int, scale: float, link: int) -> None:
    """Rates at predictors `x`, in their place, and slopes: `link_rate` in a vectorised loop.

    Softplus is right to 1e-16 of its scale, which is enough under an integral.
    """
    if link == EXP:
        for i in range(size):
            x[i] = slope[i] = fade(x[i])
        return
    per = 1.0 / scale
    for i in range(size):
        z = x[i] * per
        e = fade(-abs(z))
        x[i] = max(x[i], 0.0) + scale * logarithm(1.0 + e)
        slope[i] = (1.0 if z > 0.0 else e) / (1.0 + e)


@njit(cache=True, nogil=True)
def _moved(
    amplitude: FloatArray, decay: FloatArray, begin: float, width: float, order: int
) -> float:
    """Bound on how far the predictor moves across the ellipse that a rule needs."""
    moved = 0.0
    for q in range(amplitude.size):
        # The slope is largest at the left end of the ellipse.
        left = decay[q] * (width / 2 * (_ALONG[order] - 1) - begin)
        if left > 50.0 and amplitude[q] != 0.0:
            return np.inf
        moved += abs(amplitude[q]) * decay[q] * fade(left)
    return float(moved * width / 2 * _ACROSS[order])


@njit(cache=True, nogil=True)
def _rule(
    level: float,
    amplitude: FloatArray,
    decay: FloatArray,
    begin: float,
    width: float,
    scale: float,
    link: int,
) -> int:
    """The rule that integrates one panel to the tolerance, or `_TOO_LONG`."""
    terms = amplitude.size
    if link == IDENTITY:
        return _CLOSED
    if link == SOFTPLUS:
        low = level
        high = level
        for q in range(terms):
            first = amplitude[q] * fade(-decay[q] * begin)
            last = amplitude[q] * fade(-decay[q] * (begin + width))
            low += min(first, last)
            high += max(first, last)
        if low > FLAT * scale:
            return _CLOSED
        if high < -FLAT * scale:
            return _ZERO
    limit = REACH * (scale if link == SOFTPLUS else 1.0)
    least, order = 0, _RHO.size - 1
    if _moved(amplitude, decay, begin, width, order) > limit:
        return _TOO_LONG
    while least < order:
        middle = (least + order) // 2
        if _moved(amplitude, decay, begin, width, middle) > limit:
            least = middle + 1
        else:
            order = middle
    return order


@njit(cache=True, nogil=True)
def _closed(
    amplitude: FloatArray,
    decay: FloatArray,
    begin: float,
    width: float,
    by_amplitude: FloatArray,
    by_decay: FloatArray,
) -> float:
    """Integral of the sum of exponentials over a panel; adds those of its derivatives."""
    value = 0.0
    for q in range(amplitude.size):
        y = decay[q] * width
        if y < 1e-3:
            whole = width * (1 - y / 2 + y * y / 6 - y * y * y / 24)
            first = width * width * (0.5 - y / 3 + y * y / 8 - y * y * y / 30)
        else:
            whole = -np.expm1(-y) / decay[q]
            first = (whole - width * np.exp(-y)) / decay[q]
        faded = np.exp(-decay[q] * begin)
        by_amplitude[q] += faded * whole
        by_decay[q] -= amplitude[q] * faded * (begin * whole + first)
        value += amplitude[q] * faded * whole
    return value


@njit(cache=True, nogil=True, error_model="numpy")
def _single(
    level: float,
    amplitude: float,
    decay: float,
    length: float,
    scale: float,
    link: int,
    halvings: int,
    work: FloatArray,
) -> tuple[float, float, float, float]:
    r"""`integrate` for one exponential, where the time scale drops out.

    With :math:`z = e^{-bu}` the integral is
    :math:`f(c) L + b^{-1} \int \{f(c + az) - f(c)\} z^{-1} dz`, whose integrand is analytic at
    zero, so that the nodes do not depend on :math:`bL`; the derivative by b, at fixed a, is
    :math:`\{L f(c + a e^{-bL}) - I\} / b` exactly.

    Returns
    -------
    value, by_level, by_amplitude, by_decay : float
    """
    unit = scale if link == SOFTPLUS else 1.0
    part, rate, slope = work[0], work[1], work[2]
    foot, foot_slope = link_rate(level, scale, link)
    value = 0.0
    by_level = 0.0
    by_amplitude = 0.0
    top = 1.0
    bottom = np.exp(-decay * length)
    elapsed = 0.0
    while top > bottom:
        # One stretch on which softplus is flat, or curved, throughout.
        next_cut = bottom
        last = True
        if link == SOFTPLUS:
            for side in (-FLAT * scale, FLAT * scale):
                cut = (side - level) / amplitude if amplitude != 0.0 else -1.0
                if next_cut < cut < top * (1 - 1e-12):
                    next_cut = cut
                    last = False
        until = length if last else -np.log(next_cut) / decay
        spent = until - elapsed
        fallen = top - next_cut if top < 1.0 or not last else -np.expm1(-decay * length)
        middle = (level + amplitude * (top + next_cut) / 2) / unit
        if link == IDENTITY or (link == SOFTPLUS and middle > FLAT):
            value += level * spent + amplitude * fallen / decay
            by_level += spent
            by_amplitude += fallen / decay
        elif not (link == SOFTPLUS and middle < -FLAT):
            half = abs(amplitude) * fallen / 2
            panels = np.ceil(half * _ACROSS[-1] / (REACH * unit))
            panels = max(1.0, panels)
            if not panels < 1e6:  # an amplitude past all sense
                return np.inf, 0.0, 0.0, 0.0
            rule = 0
            while half / panels * _ACROSS[rule] > REACH * unit and rule < _RHO.size - 1:
                rule += 1
            pieces = int(panels) * 2**halvings
            width = fallen / pieces
            total = 0.0
            total_slope = 0.0
            whole_slope = 0.0
            order = _ORDERS[rule]
            for piece in range(pieces):
                for i in range(order):
                    part[i] = next_cut + width * (piece + _NODES[rule, i])
                    rate[i] = level + amplitude * part[i]
                _link_rates(rate, slope, order, scale, link)
                for i in range(order):
                    part[i] = width * _WEIGHTS[rule, i] / part[i]
                for i in range(order):
                    total += part[i] * (rate[i] - foot)
                    total_slope += part[i] * (slope[i] - foot_slope)
                    whole_slope += width * _WEIGHTS[rule, i] * slope[i]
            by_amplitude += whole_slope / decay
            value += foot * spent + total / decay
            by_level += foot_slope * spent + total_slope / decay
        top = next_cut
        elapsed = until
        if last:
            break
    final, _ = link_rate(level + amplitude * bottom, scale, link)
    return value, by_level, by_amplitude, (length * final - value) / decay


@njit(cache=True, nogil=True)
def integrate(
    level: float,
    amplitude: FloatArray,
    decay: FloatArray,
    length: float,
    scale: float,
    link: int,
    halvings: int,
    by_amplitude: FloatArray,
    by_decay: FloatArray,
    work: FloatArray,
) -> tuple[float, float]:
    r"""Integral of :math:`f(c + \sum_q a_q e^{-b_q u})` over :math:`0 < u < L`, with derivatives.

    Panels are as long as Gauss-Legendre rules of at most 16 nodes allow at the tolerance, by the
    bound of Trefethen (2013), Approximation Theory and Approximation Practice, ch. 19: with N
    nodes the error is at most :math:`(64/15) M \rho^{-2N} / (1 - \rho^{-2})` times the panel's
    half-width, where f is analytic and at most M in the ellipse with parameter :math:`\rho`. The
    ellipse is taken so large that :math:`\rho^{-2N}` is `TOLERANCE`, and the panel so short that
    the predictor moves by less than two scales across it, short of the singularities at
    :math:`\pm i\pi`. Where softplus is the identity to the last bit the integral is closed.

    Parameters
    ----------
    level : float
        c, the background's predictor.
    amplitude, decay : ndarray (Q,)
    length : float
    scale : float
        Of softplus.
    link : int
    halvings : int
        Cut each panel so often in two, for an estimate of the error.
    by_amplitude, by_decay : ndarray (Q,)
        The derivatives by each are added to them.
    work : ndarray (3 + Q, 16)
        Overwritten.

    Returns
    -------
    value, by_level : float
    """
    terms = amplitude.size
    if terms == 1:
        value, by_level, by_first, by_rate = _single(
            level, amplitude[0], decay[0], length, scale, link, halvings, work
        )
        by_amplitude[0] += by_first
        by_decay[0] += by_rate
        return value, by_level
    rate, slope, faded = work[0], work[1], work[3:]
    value = 0.0
    by_level = 0.0
    begin = 0.0
    trial = length
    while begin < length:
        last = trial >= length - begin
        if last:
            trial = length - begin
        rule = _rule(level, amplitude, decay, begin, trial, scale, link)
        while rule == _TOO_LONG and trial > 1e-14 * length:
            trial /= 2
            last = False
            rule = _rule(level, amplitude, decay, begin, trial, scale, link)
        if rule == _TOO_LONG:  # an amplitude past all sense: the caller sees an infinite rate
            return np.inf, 0.0
        if rule == _CLOSED:
            by_level += trial
            value += level * trial
            value += _closed(amplitude, decay, begin, trial, by_amplitude, by_decay)
        elif rule != _ZERO:
            pieces = 2**halvings
            width = trial / pieces
            order = _ORDERS[rule]
            for piece in range(pieces):
                start = begin + piece * width
                for i in range(order):
                    rate[i] = level
                for q in range(terms):
                    for i in range(order):
                        faded[q, i] = fade(-decay[q] * (start + width * _NODES[rule, i]))
                    for i in range(order):
                        rate[i] += amplitude[q] * faded[q, i]
                _link_rates(rate, slope, order, scale, link)
                for i in range(order):
                    value += width * _WEIGHTS[rule, i] * rate[i]
                    slope[i] *= width * _WEIGHTS[rule, i]
                    by_level += slope[i]
                for q in range(terms):
                    for i in range(order):
                        one = slope[i] * faded[q, i]
                        by_amplitude[q] += one
                        by_decay[q] -= amplitude[q] * one * (start + width * _NODES[rule, i])
        if last:
            break
        begin += trial
        trial *= 4
    return value, by_level
