"""Prior laws of parameters: density, slope, draws, and the words that the report prints."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.window import BoolArray, FloatArray


class Prior(ABC):
    """A prior law of independent scalars; its scale may differ from entry to entry."""

    @abstractmethod
    def log_density(self, x: FloatArray) -> FloatArray:
        """Log-density at `x`, elementwise, in the shape of `x`."""

    @abstractmethod
    def slope(self, x: FloatArray) -> FloatArray:
        """Derivative of the log-density at `x`, elementwise."""

    @abstractmethod
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        """Independent draws of the given shape."""

    @abstractmethod
    def at(self, free: BoolArray) -> Prior:
        """The law of the entries where `free` (an array of the parameter's shape) is true."""

    @abstractmethod
    def __str__(self) -> str:
        """The law in words, as the report's prior table prints it."""


def _entries(value: float | FloatArray, free: BoolArray) -> float | FloatArray:
    return value if np.ndim(value) == 0 else np.broadcast_to(value, free.shape)[free]


def _words(value: float | FloatArray) -> str:
    distinct = np.unique(np.asarray(value, dtype=float))
    return " / ".join(f"{v:.3g}" for v in distinct)


@dataclass(frozen=True)
class Normal(Prior):
    """Normal law with a mean and a standard deviation (scalars)."""

    mean: float = 0.0
    sd: float = 1.0

    @override
    def log_density(self, x: FloatArray) -> FloatArray:
        z = (x - self.mean) / self.sd
        return -0.5 * z * z - math.log(self.sd) - 0.5 * math.log(2 * math.pi)

    @override
    def slope(self, x: FloatArray) -> FloatArray:
        return -(x - self.mean) / self.sd**2

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        return rng.normal(self.mean, self.sd, shape)

    @override
    def at(self, free: BoolArray) -> Normal:
        return self

    def __str__(self) -> str:
        return f"Normal(mean {self.mean:.3g}, sd {self.sd:.3g})"


@dataclass(frozen=True)
class LogNormal(Prior):
    """Log-normal law: a median and the standard deviation of the logarithm (scalars)."""

    median: float = 1.0
    sd_log: float = 1.0

    @override
    def log_density(self, x: FloatArray) -> FloatArray:
        z = (np.log(x) - math.log(self.median)) / self.sd_log
        constant = math.log(self.sd_log) + 0.5 * math.log(2 * math.pi)
        return -0.5 * z * z - np.log(x) - constant

    @override
    def slope(self, x: FloatArray) -> FloatArray:
        return -(1 + (np.log(x) - math.log(self.median)) / self.sd_log**2) / x

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        return np.exp(rng.normal(math.log(self.median), self.sd_log, shape))

    @override
    def at(self, free: BoolArray) -> LogNormal:
        return self

    def __str__(self) -> str:
        return f"LogNormal(median {self.median:.3g}, sd of the log {self.sd_log:.3g})"


@dataclass(frozen=True, eq=False)
class HalfNormal(Prior):
    """Half-normal law on [0, inf); the scale is a number or an array of the parameter's shape."""

    scale: float | FloatArray = 1.0

    @override
    def log_density(self, x: FloatArray) -> FloatArray:
        z = x / self.scale
        value = -0.5 * z * z - np.log(self.scale) + 0.5 * math.log(2 / math.pi)
        return np.where(x < 0, -np.inf, value)

    @override
    def slope(self, x: FloatArray) -> FloatArray:
        return -x / np.square(self.scale)

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        return np.abs(rng.normal(0.0, 1.0, shape)) * self.scale

    @override
    def at(self, free: BoolArray) -> HalfNormal:
        return HalfNormal(_entries(self.scale, free))

    def __str__(self) -> str:
        return f"HalfNormal(scale {_words(self.scale)})"


@dataclass(frozen=True, eq=False)
class ExponentialPrior(Prior):
    """Exponential law on [0, inf); as a penalty it is the lasso, whose maximum has exact zeros."""

    rate: float | FloatArray = 1.0

    @override
    def log_density(self, x: FloatArray) -> FloatArray:
        return np.where(x < 0, -np.inf, np.log(self.rate) - self.rate * x)

    @override
    def slope(self, x: FloatArray) -> FloatArray:
        return -self.rate * np.ones_like(x)

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        return rng.standard_exponential(shape) / self.rate

    @override
    def at(self, free: BoolArray) -> ExponentialPrior:
        return ExponentialPrior(_entries(self.rate, free))

    def __str__(self) -> str:
        return f"Exponential(rate {_words(self.rate)})"


@dataclass(frozen=True)
class Beta(Prior):
    """Beta law on (0, 1) with its two shapes (scalars)."""

    a: float = 2.0
    b: float = 2.0

    @override
    def log_density(self, x: FloatArray) -> FloatArray:
        constant = math.lgamma(self.a + self.b) - math.lgamma(self.a) - math.lgamma(self.b)
        return (self.a - 1) * np.log(x) + (self.b - 1) * np.log1p(-x) + constant

    @override
    def slope(self, x: FloatArray) -> FloatArray:
        return (self.a - 1) / x - (self.b - 1) / (1 - x)

    @override
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        return rng.beta(self.a, self.b, shape)

    @override
    def at(self, free: BoolArray) -> Beta:
        return self

    def __str__(self) -> str:
        return f"Beta({self.a:.3g}, {self.b:.3g})"


@dataclass(frozen=True)
class Stability:
    r"""A joint log-prior that makes large spectral radii of one square parameter unlikely.

    .. math:: \log p(R) = \mathrm{const} - \mathrm{tr}\{(R / r)^8\}

    The trace of the eighth power is the sum of the eighth powers of the eigenvalues: smooth in
    the entries, negligible well below the radius r, prohibitive above it.

    Attributes
    ----------
    name : str
        Of the parameter.
    radius : float
    """

    name: str = "reproduction"
    radius: float = 0.85

    def log_density(self, values: FloatArray) -> FloatArray:
        """Log-density (...) of matrices (..., K, K), up to a constant; at most zero."""
        square = np.linalg.matrix_power(values / self.radius, 4)
        return np.asarray(-np.einsum("...ij,...ji->...", square, square), float)

    def slope(self, values: FloatArray) -> FloatArray:
        """Gradient (..., K, K) at matrices (..., K, K)."""
        seventh = np.linalg.matrix_power(values / self.radius, 7)
        return np.asarray(-8 / self.radius * np.swapaxes(seventh, -1, -2), float)

    def __str__(self) -> str:
        """The law in words, as the report's prior table prints it."""
        return f"jointly × exp(−tr((R / {self.radius:.3g})⁸))"
