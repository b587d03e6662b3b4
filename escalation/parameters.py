"""Parameters declared as data: name, shape, support, prior, meaning and unit.

From the one list of `Parameter`s of a model come the optimiser's vector, the priors that the
sampler uses, the prior table of the report and the draws of simulation-based calibration.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from escalation.priors import Prior, Stability
from escalation.window import BoolArray as BoolArray
from escalation.window import FloatArray as FloatArray

SUPPORTS = ("real", "positive", "nonnegative", "unit")


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
