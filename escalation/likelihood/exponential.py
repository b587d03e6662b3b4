"""Exponentials and logarithms of whole blocks, written so that the compiler vectorises them.

The C library's functions take one number at a time, and recursions in exact time spend most of
their life in them. Everything here is plain strict arithmetic: the same bits on every machine.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from escalation.parameters import FloatArray

#: Below this argument the exponential is taken as zero: there it is 3e-308.
LOWEST = -708.0
#: Adding this rounds a double to the nearest whole number and leaves it in the lowest bits.
ROUND = 1.5 * 2.0**52
#: 1 / log 2, and log 2 in two parts, the first with zeros at its end (Cody & Waite 1980).
PER_LOG2 = 1.4426950408889634
LOG2_HIGH = 0.6931471803691238
LOG2_LOW = 1.9082149292705877e-10
# (exp(r) - 1 - r) / r**2 on |r| <= log(2) / 2, interpolated at Chebyshev nodes: error 2e-17.
Q0 = 0.5000000000000001
Q1 = 0.16666666666666669
Q2 = 0.04166666666662412
Q3 = 0.008333333333329999
Q4 = 0.001388888891721497
Q5 = 0.00019841269863160515
Q6 = 2.4801521294722455e-05
Q7 = 2.7557268387517564e-06
Q8 = 2.762008888051936e-07
Q9 = 2.5100401397653625e-08

# Of log(1 + f), fdlibm.
L1 = 6.666666666666735130e-01
L2 = 3.999999999940941908e-01
L3 = 2.857142874366239149e-01
L4 = 2.222219843214978396e-01
L5 = 1.818357216161805012e-01
L6 = 1.531383769920937332e-01
L7 = 1.479819860511658591e-01
#: Bits of the root of 1/2, and of `ROUND`.
HALF_ROOT = 0x3FE6A09E667F3BCD
MIDDLE = 0x4338000000000000

UNSIGNED_52 = np.uint64(52)

MANTISSA = (1 << 52) - 1
ONE = 1023 << 52
#: So many mantissas, each below 2, multiply without overflow.
LONGEST = 1000


@intrinsic
def _bits_of(_: Any, x: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.IntType(64))

    return types.int64(types.float64), build


@intrinsic
def _double_of(_: Any, bits: Any) -> Any:
    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), build


@njit(cache=True, nogil=True)
def _bent(r: float) -> float:
    """(exp(r) - 1 - r) / r**2 for an r of at most log(2) / 2 either way."""
    r2 = r * r
    r4 = r2 * r2
    low = (Q0 + Q1 * r) + (Q2 + Q3 * r) * r2
    high = (Q4 + Q5 * r) + (Q6 + Q7 * r) * r2
    return low + r4 * (high + r4 * (Q8 + Q9 * r))


@njit(cache=True, nogil=True)
def fade(x: float) -> float:
    r"""Exponential of a number that is not positive, for use inside a loop over an array.

    Parameters
    ----------
    x : float
        At most 0 (up to 700 it is right as well). Below -708 the result is 0; NaN stays NaN.

    Notes
    -----
    :math:`e^x = 2^k e^r`, :math:`k = \mathrm{round}(x / \log 2)`; relative error below 4e-16.
    """
    shifted = x * PER_LOG2 + ROUND
    whole = shifted - ROUND
    r = (x - whole * LOG2_HIGH) - whole * LOG2_LOW
    power = _double_of((_bits_of(shifted) + 1023) << 52)
    return 0.0 if x < LOWEST else (1.0 + (r + r * r * _bent(r))) * power


@njit(cache=True, nogil=True)
def one_minus_exp(x: float) -> float:
    r""":math:`1 - e^{-x}` of a number that is not negative, without cancellation.

    Relative error below 1e-15.
    """
    near: float = x - x * x * _bent(-x)
    return near if x < 0.3 else 1.0 - fade(-x)


@njit(cache=True, nogil=True)
def negative_exp(x: FloatArray, out: FloatArray, size: int) -> None:
    """Exponentials of the first `size` entries, none of them positive.

    Parameters
    ----------
    x, out : ndarray
        `out` may be `x`. Blocks of 256 to 1,024 stay in the fastest cache.
    size : int
    """
    for i in range(size):
        out[i] = fade(x[i])


@njit(cache=True, nogil=True)
def _biased(bits: np.int64) -> np.int64:
    """The exponent that leaves a mantissa between the roots of 1/2 and 2, with 1023 added."""
    # An unsigned shift, for which there is a vector instruction.
    return np.int64(np.uint64(bits - HALF_ROOT + ONE) >> UNSIGNED_52)


@njit(cache=True, nogil=True)
def _artanh_rest(s: float) -> float:
    """(2 artanh s - 2 s) / s, the polynomial of fdlibm's ``e_log.c``."""
    z = s * s
    w = z * z
    odd = w * (L2 + w * (L4 + w * L6))
    even = z * (L1 + w * (L3 + w * (L5 + w * L7)))
    return odd + even


# Python's division checks for zero, which would keep the loop from being vectorised.
@njit(cache=True, nogil=True, error_model="numpy")
def logarithm(x: float) -> float:
    r"""Natural logarithm of a positive number, for use inside a loop over an array.

    Parameters
    ----------
    x : float
        Positive, finite, not subnormal; this is not checked.

    Notes
    -----
    :math:`\log x = k \log 2 + \log m` with m between the roots of 1/2 and 2, and
    :math:`\log m = 2 \operatorname{artanh} s`, :math:`s = (m - 1) / (m + 1)`; the polynomial is
    that of fdlibm's ``e_log.c``. Relative error below 5e-16, near one too.
    """
    bits = _bits_of(x)
    biased = _biased(bits)
    f = _double_of(bits - (biased << 52) + ONE) - 1.0
    s = f / (2.0 + f)
    half = 0.5 * f * f
    rest = s * (half + _artanh_rest(s))
    # A whole number below 2**51 as a double, by bits: conversions are not vectorised.
    k = _double_of(biased + MIDDLE) - (ROUND + 1023.0)
    out: float = k * LOG2_HIGH - ((half - (rest + k * LOG2_LOW)) - f)
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def log_one_plus(x: float) -> float:
    """Natural logarithm of 1 + x, for use inside a loop over an array.

    Parameters
    ----------
    x : float
        Above -1 and finite; this is not checked. Near zero nothing is lost by rounding 1 + x.
        Relative error below 5e-16.
    """
    bits = _bits_of(1.0 + x)
    biased = _biased(bits)
    f = x if biased == 1023 else _double_of(bits - (biased << 52) + ONE) - 1.0
    s = f / (2.0 + f)
    k = _double_of(biased + MIDDLE) - (ROUND + 1023.0)
    out: float = k * LOG2_HIGH + ((f - s * (f - _artanh_rest(s))) + k * LOG2_LOW)
    return out


@njit(cache=True, nogil=True)
def sum_of_logs(x: FloatArray, scratch: FloatArray, size: int) -> float:
    """Sum of the natural logarithms of the first `size` entries, by one logarithm of a product.

    Mantissas are multiplied and exponents added, so that nothing overflows whatever the entries.

    Parameters
    ----------
    x : ndarray
        Positive, finite, not subnormal; this is not checked.
    scratch : ndarray
        At least `size` entries, overwritten.
    size : int
        At most 1,000.
    """
    exponents = 0
    for i in range(size):
        bits = _bits_of(x[i])
        exponents += (bits >> 52) - 1023
        scratch[i] = _double_of((bits & MANTISSA) | ONE)
    left = size
    while left > 8:
        half = left // 2
        upper = left - half
        for i in range(half):
            scratch[i] = scratch[i] * scratch[upper + i]
        left = upper
    product = 1.0
    for i in range(left):
        product *= scratch[i]
    return math.log(product) + exponents * 0.6931471805599453
