"""Parameters declared as data: name, shape, support, prior, meaning and unit.

From the one list of `Parameter`s of a model come the optimiser's vector, the priors that the
sampler uses, the prior table of the report and the draws of simulation-based calibration.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
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
    def sample(self, rng: np.random.Generator, shape: tuple[int, ...]) -> FloatArray:
        return np.abs(rng.normal(0.0, 1.0, shape)) * self.scale

    @override
    def at(self, free: BoolArray) -> HalfNormal:
        return HalfNormal(_entries(self.scale, free))

    def __str__(self) -> str:
        return f"HalfNormal(scale {_words(self.scale)})"


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
    """

    name: str
    shape: tuple[int, ...]
    support: str
    prior: Prior
    meaning: str
    unit: str = ""
    dims: tuple[str, ...] = ()
    free: BoolArray | None = field(default=None, compare=False)

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
class Layout:
    """Where each parameter sits in one flat vector.

    `theta` is the vector of all entries, in the order of `parameters`, each in C order; the
    *free* vector leaves out the fixed entries.
    """

    parameters: tuple[Parameter, ...]

    @property
    def size(self) -> int:
        """Length of `theta`."""
        return sum(p.size for p in self.parameters)

    @property
    def free(self) -> NDArray[np.intp]:
        """Positions of the free entries in `theta`."""
        masks = [p.mask.ravel() for p in self.parameters]
        return np.flatnonzero(np.concatenate(masks))

    @property
    def supports(self) -> list[str]:
        """Support of each free entry."""
        return [p.support for p in self.parameters for _ in range(int(p.mask.sum()))]

    @property
    def labels(self) -> list[str]:
        """Name of each free entry, such as ``reproduction[0, 1]``."""
        return [
            p.name + (f"[{', '.join(map(str, where))}]" if p.shape else "")
            for p in self.parameters
            for where in zip(*np.nonzero(np.atleast_1d(p.mask)), strict=True)
        ]

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
        """The values by name of vectors (..., size), each as an array that ends in its own shape."""
        out: dict[str, FloatArray] = {}
        position = 0
        for p in self.parameters:
            part = theta[..., position : position + p.size]
            out[p.name] = part.reshape((*theta.shape[:-1], *p.shape))
            position += p.size
        return out

    def log_prior(self, theta: FloatArray) -> float:
        """Log-density of the priors at one vector (size,), over its free entries."""
        values = self.unpack(theta)
        return float(
            sum(
                p.prior.at(p.mask).log_density(values[p.name][p.mask]).sum()
                for p in self.parameters
            )
        )

    def sample_prior(self, rng: np.random.Generator, draws: int) -> dict[str, FloatArray]:
        """Prior draws by name, each (draws, ...)."""
        return {p.name: p.sample_prior(rng, draws) for p in self.parameters}


def to_working(values: FloatArray, supports: Sequence[str]) -> FloatArray:
    """Free entries on the scale of the optimiser: log of the positive, logit of the unit ones."""
    out = np.array(values, float)
    for i, support in enumerate(supports):
        if support == "positive":
            out[..., i] = np.log(out[..., i])
        elif support == "unit":
            out[..., i] = np.log(out[..., i]) - np.log1p(-out[..., i])
    return out


def from_working(values: FloatArray, supports: Sequence[str]) -> FloatArray:
    """Inverse of `to_working`."""
    out = np.array(values, float)
    for i, support in enumerate(supports):
        if support == "positive":
            out[..., i] = np.exp(out[..., i])
        elif support == "unit":
            out[..., i] = 1 / (1 + np.exp(-out[..., i]))
    return out


def working_slope(values: FloatArray, supports: Sequence[str]) -> FloatArray:
    """Derivative of each free entry by its working value, at the entries' own values."""
    out = np.ones(len(supports))
    for i, support in enumerate(supports):
        if support == "positive":
            out[i] = values[i]
        elif support == "unit":
            out[i] = values[i] * (1 - values[i])
    return out


def nonnegative_interval(draws: FloatArray, level: float) -> tuple[FloatArray, FloatArray]:
    """Interval of quantities that cannot be negative, along the first axis of the draws.

    Equal-tailed; the lower end is zero where the shortest interval of that level begins with the
    smallest draws (or at zero itself), as it does where the density is highest at zero.

    Parameters
    ----------
    draws : ndarray (n, ...)
    level : float

    Returns
    -------
    lower, upper : ndarray (...)
    """
    lower, upper = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    ranked = np.sort(draws, axis=0)
    inside = max(1, int(np.ceil(level * len(ranked))))
    widths = ranked[inside - 1 :] - ranked[: len(ranked) - inside + 1]
    first = np.argmin(widths, axis=0)
    start = np.take_along_axis(ranked, first[None], axis=0)[0]
    touches = (first <= 0.005 * len(ranked)) | (start <= 0)
    return np.where(touches, 0.0, lower), upper
