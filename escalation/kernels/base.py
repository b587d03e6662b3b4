"""What every kernel must provide: a normalised delay density and its compiled forms."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar, Self, override

import numpy as np
from numpy.typing import NDArray

from escalation.parameters import FloatArray, Parameter

IntArray = NDArray[np.int64]

#: Values (m,) and their Jacobian (m, q).
Values = tuple[FloatArray, FloatArray]
#: A compiled function (theta (q,), constants (c,)) -> (values (m,), Jacobian (m, q)): the kernel's
#: parameters of one group of pairs, and the numbers that are fixed, such as the number of lags.
Shape = Callable[[FloatArray, FloatArray], Values]


@dataclass(frozen=True)
class Pointwise:
    """How densities and probabilities at given ages are read off a compiled function's values.

    A density is ``values[density_place]``; a probability of a delay of at most some age is a sum
    of ``cdf_factor * values[cdf_place]``, over the entries that `cdf_entry` gives to it. Kernels
    without a finer structure have one value an age.

    Attributes
    ----------
    constants : ndarray (c,)
        Second argument of the function of `ContinuousKernel.pair_densities`.
    density_place : ndarray of int (d,)
        Place of the density at each of d ages.
    cdf_entry, cdf_place : ndarray of int (z,)
        For each summand, which of the ages it belongs to, and its place.
    cdf_factor : ndarray (z,)
    """

    constants: FloatArray
    density_place: IntArray
    cdf_entry: IntArray
    cdf_place: IntArray
    cdf_factor: FloatArray


class Kernel(ABC):
    """A density of the delay between an incident and one that it sets off.

    Kernels are normalised: how many incidents follow is said by the reproduction matrix, not by
    the kernel. Time is in days for exact times and in periods for counts; the kernel's parameters
    follow. A new kernel is one file with the methods below and one line in `kernels.__all__`.

    The vectors `theta` hold the kernel's parameters in the order of `parameters`, on their last
    axis; leading axes (draws, say) broadcast.
    """

    name: ClassVar[str]

    @abstractmethod
    def parameters(self, unit: str) -> tuple[Parameter, ...]:
        """The kernel's own parameters; `unit` is the unit of time, ``"day"`` or ``"week"``."""

    @abstractmethod
    def start(self, delay: float) -> FloatArray:
        """Parameters (q,) for an optimiser to start from, with a median delay of about `delay`."""

    def bounds(self, duration: float) -> dict[str, tuple[float, float]]:
        """Range of a parameter, by name, beyond which a window of this length cannot tell.

        Maximum likelihood stays within; a parameter without an entry has all of its support.
        """
        return {}

    @abstractmethod
    def pmf(self, theta: FloatArray, lags: int) -> FloatArray:
        """Probabilities (..., lags) of a delay of 1, ..., `lags` periods.

        Averaged over the incident's place in its period, without the offspring that fall into
        the same period, truncated at `lags` and renormalised.
        """

    @abstractmethod
    def lag_weights(self) -> Shape:
        """Compiled `pmf` with its Jacobian: (theta, constants) -> (w (lags,), dw (lags, q)).

        The constants are those of `lag_constants`.
        """

    def lag_constants(self, lags: int) -> FloatArray:
        """Second argument (c,) of the function of `lag_weights`; first comes the number of lags."""
        return np.array([float(lags)])

    def within(self, duration: float) -> Self:
        """The kernel for a window of so many days or periods, which may bound its longest delay."""
        return self

    @abstractmethod
    def same_period(self, theta: FloatArray) -> FloatArray:
        """Share (...,) of the offspring that a table of periods cannot tell from their parent."""


class ContinuousKernel(Kernel):
    """A kernel with a density in continuous time, which exact times need."""

    @property
    def reach(self) -> float:
        """The longest delay; infinite where there is none."""
        return math.inf

    @abstractmethod
    def density(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        """Density at `age` > 0."""

    @abstractmethod
    def cdf(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        """Probability of a delay of at most `age`."""

    @abstractmethod
    def quantile(self, probability: FloatArray, theta: FloatArray) -> FloatArray:
        """Delay below which the given share of offspring falls."""

    @abstractmethod
    def pair_densities(self) -> Shape:
        """Compiled densities and probabilities at given ages with their Jacobian.

        The constants, and where to find what among the values, are those of `pointwise`.
        """

    def pointwise(self, ages: FloatArray, elapsed: FloatArray) -> Pointwise:
        """Plan for densities at `ages` (d,) and probabilities of delays up to `elapsed` (e,).

        The density at age zero is its limit from the right.
        """
        d, e = len(ages), len(elapsed)
        own = self.pair_constants()
        return Pointwise(
            np.concatenate([[float(d), float(e)], ages, elapsed, own]),
            np.arange(d),
            np.arange(e),
            d + np.arange(e),
            np.ones(e),
        )

    def pair_constants(self) -> FloatArray:
        """The kernel's own constants for `pair_densities`, a truncation age, say."""
        return np.zeros(0)

    def sample(self, rng: np.random.Generator, theta: FloatArray, size: int) -> FloatArray:
        """Delays (size,); `theta` is (q,) or, one row a delay, (size, q)."""
        return self.quantile(rng.random(size), theta)

    def median(self, theta: FloatArray) -> FloatArray:
        """Median delay, (...,)."""
        return self.quantile(np.asarray(0.5), theta)

    @override
    def pmf(self, theta: FloatArray, lags: int) -> FloatArray:
        theta = np.asarray(theta, float)
        weigh, constants = self.lag_weights(), self.lag_constants(lags)
        rows = np.ascontiguousarray(theta.reshape(math.prod(theta.shape[:-1]), theta.shape[-1]))
        out = np.array([weigh(row, constants)[0] for row in rows]).reshape(len(rows), lags)
        return out.reshape(*theta.shape[:-1], lags)

    @override
    def same_period(self, theta: FloatArray) -> FloatArray:
        # The integral over one period of the probability of a delay of at most the time left in
        # it; halving intervals towards zero, where the density may be steep or unbounded.
        theta = np.asarray(theta, float)[..., None, :]
        upper = 0.5 ** np.arange(60.0)
        out = np.zeros(theta.shape[:-2])
        for node, weight in zip(*np.polynomial.legendre.leggauss(12), strict=True):
            out += weight / 4 * (self.cdf(upper * (3 + node) / 4, theta) @ upper)
        return out


class ExponentialFamily(ContinuousKernel):
    """A kernel that is a positive mixture of exponentials, so that likelihoods cost O(n)."""

    @property
    def terms(self) -> int:
        """Number of exponentials."""
        return 1

    @property
    def rates_vary(self) -> bool:
        """Whether the rates depend on the parameters; where they do not, only the weights do."""
        return True

    @property
    def approximation_error(self) -> float:
        """Bound on the relative error of the mixture's density, for ages up to `reach`."""
        return 0.0

    @abstractmethod
    def as_exponentials(self) -> Shape:
        """Compiled (theta, constants) -> (weights, then rates (2 terms,), Jacobian (2 terms, q)).

        The constants are those of `nodes`.
        """

    def nodes(self) -> FloatArray:
        """Second argument (c,) of the function of `as_exponentials`."""
        return np.zeros(0)

    def covers(self, duration: float) -> bool:
        """Whether the exponentials hold over a window of so many days."""
        return True
