"""What every kernel must provide: a normalised delay density and its compiled forms."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar, Self

import numpy as np

from escalation.parameters import FloatArray, Parameter

#: A compiled function (theta (q,), constants (c,)) -> (values (m,), Jacobian (m, q)): the kernel's
#: parameters of one group of pairs, and the numbers that are fixed, such as the number of lags.
Shape = Callable[[FloatArray, FloatArray], tuple[FloatArray, FloatArray]]


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

    @abstractmethod
    def density(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        """Density at `age` > 0."""

    @abstractmethod
    def cdf(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        """Probability of a delay of at most `age`."""

    @abstractmethod
    def quantile(self, probability: FloatArray, theta: FloatArray) -> FloatArray:
        """Delay below which the given share of offspring falls."""

    def sample(self, rng: np.random.Generator, theta: FloatArray, size: int) -> FloatArray:
        """Delays (size,); `theta` is (q,) or, one row a delay, (size, q)."""
        return self.quantile(rng.random(size), theta)

    def median(self, theta: FloatArray) -> FloatArray:
        """Median delay, (...,)."""
        return self.quantile(np.asarray(0.5), theta)


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

    @abstractmethod
    def as_exponentials(self) -> Shape:
        """Compiled (theta, constants) -> (weights, then rates (2 terms,), Jacobian (2 terms, q)).

        The constants are those of `nodes`.
        """

    def nodes(self) -> FloatArray:
        """Second argument (c,) of the function of `as_exponentials`."""
        return np.zeros(0)
