"""What an engine works on, and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from escalation.kernels.base import Shape
from escalation.parameters import FloatArray, Layout

Arrays = tuple[Any, ...]


@dataclass(frozen=True)
class Problem:
    """A log-likelihood on plain arrays, with the parameters it is a function of.

    Attributes
    ----------
    layout : Layout
        All parameters; those of the kernel come last.
    split : int
        Where the kernel's part of `theta` begins.
    core : callable
        Compiled (theta of the rest, shape values, *data, *structure) -> (value, gradient by
        theta, gradient by shape values).
    shape : callable
        Compiled (theta of the kernel, size) -> (shape values, Jacobian).
    size : int
        Second argument of `shape`: number of lags or of exponentials.
    data : dict of arrays
        What changes with the series.
    structure : tuple of arrays
        What is fixed by the specification and the number of streams.
    rates : ndarray (K,)
        Mean incidents of each stream a unit of time, which scale the sampler's coordinates.
    starts : tuple of ndarray
        Vectors `theta` to start an optimiser from.
    resample : callable
        (theta, rng) -> data, a series simulated from the model, for the bootstrap.
    """

    layout: Layout
    split: int
    core: Callable[..., tuple[float, FloatArray, FloatArray]]
    shape: Shape
    size: int
    data: Mapping[str, Any]
    structure: Arrays
    rates: FloatArray
    starts: tuple[FloatArray, ...]
    resample: Callable[[FloatArray, np.random.Generator], Mapping[str, Any]]

    def evaluate(
        self, theta: FloatArray, data: Mapping[str, Any] | None = None
    ) -> tuple[float, FloatArray]:
        """Log-likelihood and its gradient (size,) at one vector of all parameters."""
        arrays = (self.data if data is None else data).values()
        values, jacobian = self.shape(theta[self.split :], self.size)
        value, by_rest, by_values = self.core(theta[: self.split], values, *arrays, *self.structure)
        return value, np.concatenate([by_rest, by_values @ jacobian])


@dataclass(frozen=True)
class Posterior:
    """What an engine found: draws by parameter, a point, and how it went.

    Attributes
    ----------
    draws : dict of ndarray (n, *shape)
    estimate : dict of ndarray
        The maximum, or the posterior mean.
    log_likelihood : float
        At the estimate.
    diagnostics : dict
        Plain numbers, strings and lists, ready for JSON.
    """

    draws: Mapping[str, FloatArray]
    estimate: Mapping[str, FloatArray]
    log_likelihood: float
    diagnostics: Mapping[str, Any] = field(default_factory=dict)


class Engine(ABC):
    """Turns a problem into draws of its parameters."""

    name: ClassVar[str]

    @abstractmethod
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        """Draws and diagnostics; the same `rng` state gives the same draws."""
