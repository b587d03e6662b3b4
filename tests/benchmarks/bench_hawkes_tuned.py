"""What one exponential kernel can cost: the likelihood of one stream, written for that alone.

The limit against which the package's general likelihood is measured. Strict arithmetic, like the
package's. `plain` is the recursion as one would write it first.
"""

import numpy as np
from numba import njit

from escalation.likelihood.exponential import MANTISSA, ONE, _bits_of, _double_of, fade

BLOCK = 128


@njit(cache=True, nogil=True)
def plain(times, end, level, eta, decay):
    """Log-likelihood and its gradient (3,), event by event."""
    excited = aged = last = 0.0
    value = -level * end
    by = np.array([-end, 0.0, 0.0])
    for i in range(times.size):
        step = times[i] - last
        last = times[i]
        if i > 0:
            fall = np.exp(-decay * step)
            excited = fall * (excited + 1.0)
            aged = fall * aged + step * excited
        rate = level + eta * decay * excited
        value += np.log(rate)
        by[0] += 1.0 / rate
        by[1] += decay * excited / rate
        by[2] += eta * (excited - decay * aged) / rate
    step = end - last
    fall = np.exp(-decay * step)
    excited = fall * (excited + 1.0)
    aged = fall * aged + step * excited
    left = times.size - excited
    by[1] -= left
    by[2] -= eta * aged
    return value - eta * left, by


@njit(cache=True, nogil=True, error_model="numpy")
def tuned(times, end, level, eta, decay):
    """The same by blocks: exponentials, reciprocals and logarithms are vectorised."""
    gap, fall = np.zeros(BLOCK), np.empty(BLOCK)
    excited, aged = np.empty(BLOCK), np.empty(BLOCK)
    sums = np.zeros((3, BLOCK))
    first, second, third = sums[0], sums[1], sums[2]
    product, power = np.ones(BLOCK), np.zeros(BLOCK, np.int64)
    state, weighted, last = -1.0, 0.0, times[0]
    scale = eta * decay
    begin = 0
    while begin < times.size:
        size = min(BLOCK, times.size - begin)
        now = times[begin : begin + size]
        gap[0] = now[0] - last
        for i in range(size - 1):
            gap[i + 1] = now[i + 1] - now[i]
        last = now[size - 1]
        for i in range(size):
            fall[i] = fade(-decay * gap[i])
        for i in range(size):
            state = fall[i] * state + fall[i]
            weighted = fall[i] * weighted + gap[i] * state
            excited[i] = state
            aged[i] = weighted
        for i in range(size):
            rate = level + scale * excited[i]
            inverse = 1.0 / rate
            first[i] += inverse
            second[i] += excited[i] * inverse
            third[i] += aged[i] * inverse
            # Mantissas are multiplied, exponents added: one logarithm a lane at the end.
            bits = _bits_of(product[i] * rate)
            power[i] += bits >> 52
            product[i] = _double_of((bits & MANTISSA) | ONE)
        begin += size
    value = 0.0
    exponents = -1023 * times.size
    for i in range(BLOCK):
        value += np.log(product[i])
        exponents += power[i]
    value += exponents * 0.6931471805599453
    step = end - last
    rest = np.exp(-decay * step)
    state = rest * (state + 1.0)
    weighted = rest * weighted + step * state
    left = times.size - state
    one, two, three = first.sum(), second.sum(), third.sum()
    by = np.array([one - end, decay * two - left, eta * (two - decay * three) - eta * weighted])
    return value - level * end - eta * left, by
