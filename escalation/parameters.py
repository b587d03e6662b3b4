"""Parameters declared as data: name, shape, support, prior, meaning and unit.

From the one list of `Parameter`s of a model come the optimiser's vector, the priors that the
sampler uses, the prior table of the report and the draws of simulation-based calibration.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import override

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

SUPPORTS = ("real", "positive", "nonnegative", "unit")


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
class Parameter:
    """One named parameter of a model, an array of scalars.

    Attributes
    ----------
    name : str
        The name under which draws and estimates are found.
    shape : tuple of int
    support : {"real", "positive", "nonnegative", "unit"}
        "positive" excludes zero, "nonnegative" may sit on it.
    prior : Prior
    meaning, unit : str
        What the report's table prints.
    dims : tuple of str
        Names of the axes, "stream" for instance.
    free : ndarray of bool or None
        Which entries are estimated; the others are fixed at zero. None: all.
    penalised : bool
        Whether maximum likelihood, too, takes the prior into account, as a penalty: for
        parameters such as a trend's, whose number grows with the window.
    """

    name: str
    shape: tuple[int, ...]
    support: str
    prior: Prior
    meaning: str
    unit: str = ""
    dims: tuple[str, ...] = ()
    free: BoolArray | None = field(default=None, compare=False)
    penalised: bool = False

    def __post_init__(self) -> None:
        if self.support not in SUPPORTS:
            wanted = ", ".join(SUPPORTS)
            raise ValueError(f"{self.name}: support must be one of {wanted}, got {self.support!r}")
        if self.free is not None and self.free.shape != self.shape:
            raise ValueError(f"{self.name}: free has shape {self.free.shape}, wanted {self.shape}")

    @property
    def mask(self) -> BoolArray:
        """Which entries are estimated, in the parameter's shape."""
        return np.ones(self.shape, bool) if self.free is None else self.free

    @property
    def size(self) -> int:
        """Number of entries, fixed ones included."""
        return math.prod(self.shape)

    def sample_prior(self, rng: np.random.Generator, draws: int) -> FloatArray:
        """Draws from the prior, of shape (draws, ...), zero where an entry is fixed."""
        out = np.zeros((draws, *self.shape))
        free = self.mask
        out[:, free] = self.prior.at(free).sample(rng, (draws, int(free.sum())))
        return out


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


@dataclass(frozen=True)
class Layout:
    """Where each parameter sits in one flat vector.

    `theta` is the vector of all entries, in the order of `parameters`, each in C order; the
    *free* vector leaves out the fixed entries. The model's joint prior, if it has one, belongs to
    all its users alike: sampler, Laplace, prior draws and the prior table.
    """

    parameters: tuple[Parameter, ...]
    joint: Stability | None = None

    @cached_property
    def size(self) -> int:
        """Length of `theta`."""
        return sum(p.size for p in self.parameters)

    @cached_property
    def free(self) -> NDArray[np.intp]:
        """Positions of the free entries in `theta`."""
        masks = [p.mask.ravel() for p in self.parameters]
        return np.flatnonzero(np.concatenate(masks))

    @cached_property
    def supports(self) -> list[str]:
        """Support of each free entry."""
        return [p.support for p in self.parameters for _ in range(int(p.mask.sum()))]

    @cached_property
    def labels(self) -> list[str]:
        """Name of each free entry, such as ``reproduction[0, 1]``."""
        return [
            p.name + (f"[{', '.join(map(str, where))}]" if p.shape else "")
            for p in self.parameters
            for where in zip(*np.nonzero(np.atleast_1d(p.mask)), strict=True)
        ]

    def rows(self, streams: int) -> NDArray[np.int64]:
        """Receiving stream (size,) that each entry of `theta` belongs to, -1 for all of them."""
        out = []
        for p in self.parameters:
            own = np.full(p.shape, -1, np.int64)
            for axis, dim in enumerate(p.dims):
                if dim in ("stream", "target") and p.shape[axis] == streams:
                    shape = [1] * len(p.shape)
                    shape[axis] = streams
                    own = np.broadcast_to(np.arange(streams).reshape(shape), p.shape)
            out.append(own.ravel())
        return np.concatenate(out)

    def start(self, name: str) -> int:
        """Position in `theta` of the first entry of a parameter."""
        position = 0
        for parameter in self.parameters:
            if parameter.name == name:
                return position
            position += parameter.size
        raise KeyError(name)

    def pack(self, values: Mapping[str, FloatArray]) -> FloatArray:
        """The vector `theta` (size,) of the values by name."""
        parts = [
            np.broadcast_to(np.asarray(values[p.name], float), p.shape).ravel()
            for p in self.parameters
        ]
        return np.concatenate(parts) if parts else np.zeros(0)

    def unpack(self, theta: FloatArray) -> dict[str, FloatArray]:
        """The values by name of vectors (..., size); each array ends in its own shape."""
        out: dict[str, FloatArray] = {}
        position = 0
        for p in self.parameters:
            part = theta[..., position : position + p.size]
            out[p.name] = part.reshape((*theta.shape[:-1], *p.shape))
            position += p.size
        return out

    def penalty(self, theta: FloatArray, every: bool) -> tuple[float, FloatArray]:
        """Log-prior at one vector (size,) and its gradient (size,).

        Parameters
        ----------
        theta : ndarray (size,)
        every : bool
            All priors; if false, those of the penalised parameters alone.
        """
        value, gradient = 0.0, np.zeros(self.size)
        position = 0
        for p in self.parameters:
            if every or p.penalised:
                free = p.mask.ravel()
                prior = p.prior.at(p.mask)
                x = theta[position : position + p.size][free]
                value += float(prior.log_density(x).sum())
                gradient[position : position + p.size][free] = prior.slope(x)
            position += p.size
        if every and self.joint is not None:
            matrix = self.unpack(theta)[self.joint.name]
            value += float(np.sum(self.joint.log_density(matrix)))
            first = self.start(self.joint.name)
            gradient[first : first + matrix.size] += self.joint.slope(matrix).ravel()
        return value, gradient

    def sample_prior(self, rng: np.random.Generator, draws: int) -> dict[str, FloatArray]:
        """Prior draws by name, the draws on the first axis; the joint prior by rejection."""
        out = {p.name: p.sample_prior(rng, draws) for p in self.parameters}
        if self.joint is None:
            return out
        matrix = out[self.joint.name]
        parameter = next(p for p in self.parameters if p.name == self.joint.name)
        waiting = np.arange(draws)
        while waiting.size:
            density = self.joint.log_density(matrix[waiting])
            # One matrix an era, where there are several.
            density = density.reshape(waiting.size, -1).sum(axis=1)
            accepted = np.log(rng.random(waiting.size)) < density
            waiting = waiting[~accepted]
            matrix[waiting] = parameter.sample_prior(rng, waiting.size)
        return out


@dataclass(frozen=True)
class WorkingScale:
    """The scale of the optimiser: logs of positive entries, logits of unit ones, others as is.

    Attributes
    ----------
    supports : tuple of str
        Support of each free entry, on the last axis of every array below.
    """

    supports: tuple[str, ...]

    @cached_property
    def positive(self) -> BoolArray:
        """Which entries are logs."""
        return np.array([s == "positive" for s in self.supports], bool)

    @cached_property
    def unit(self) -> BoolArray:
        """Which entries are logits."""
        return np.array([s == "unit" for s in self.supports], bool)

    @cached_property
    def nonnegative(self) -> BoolArray:
        """Which entries may sit on zero; their working value is their own."""
        return np.array([s == "nonnegative" for s in self.supports], bool)

    def to(self, values: FloatArray) -> FloatArray:
        """Working values of free entries (..., f)."""
        out = np.array(values, float)
        positive, unit = self.positive, self.unit
        out[..., positive] = np.log(out[..., positive])
        out[..., unit] = np.log(out[..., unit]) - np.log1p(-out[..., unit])
        return out

    def back(self, working: FloatArray) -> FloatArray:
        """Inverse of `to`."""
        out = np.array(working, float)
        positive, unit = self.positive, self.unit
        out[..., positive] = np.exp(out[..., positive])
        out[..., unit] = 1 / (1 + np.exp(-out[..., unit]))
        return out

    def slope(self, values: FloatArray) -> FloatArray:
        """Derivative (f,) of each entry by its working value, at the entries' own values."""
        out = np.ones(len(self.supports))
        positive, unit = self.positive, self.unit
        out[positive] = values[positive]
        out[unit] = values[unit] * (1 - values[unit])
        return out

    def bend(self, values: FloatArray) -> FloatArray:
        """Second derivative (f,) of each entry by its working value."""
        out = np.zeros(len(self.supports))
        positive, unit = self.positive, self.unit
        out[positive] = values[positive]
        out[unit] = values[unit] * (1 - values[unit]) * (1 - 2 * values[unit])
        return out

    def jacobian(self, values: FloatArray) -> tuple[float, FloatArray]:
        """Log of the product of the slopes, and its derivative (f,) by the working values."""
        slope = self.slope(values)
        gradient = np.zeros_like(slope)
        gradient[self.positive] = 1.0
        gradient[self.unit] = 1 - 2 * values[self.unit]
        return float(np.log(slope).sum()), gradient


def nonnegative_interval(draws: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Interval of quantities that cannot be negative, along the first axis of the draws.

    Equal-tailed, but for the lower end, which is zero where the interval that starts at zero and
    holds as much probability is the shorter one. Such an interval holds more than its level.

    Parameters
    ----------
    draws : ndarray (n, ...)
    level : float

    Returns
    -------
    lower, upper : ndarray (...)
    """
    lower, upper = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    from_zero = np.quantile(draws, level, axis=0)
    return np.where(from_zero <= upper - lower, 0.0, lower), upper
