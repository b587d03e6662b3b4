"""What an engine works on, and what it gives back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from escalation.kernels.base import Shape
from escalation.parameters import FloatArray, Layout

if TYPE_CHECKING:
    from escalation.engines.centring import Centring

Arrays = tuple[Any, ...]
IntArray = NDArray[np.int64]
Curvature = tuple[FloatArray, IntArray, FloatArray, FloatArray, FloatArray]


@dataclass(frozen=True)
class Problem:
    """A log-likelihood on plain arrays, with the parameters it is a function of.

    Attributes
    ----------
    layout : Layout
        All parameters.
    core : callable
        Compiled (theta (p,), kernel values (G, m), *data, *structure) -> (value, gradient by
        theta (p,), gradient by kernel values (G, m)).
    shape : callable
        Compiled (a kernel's parameters (q,), constants) -> (values (m,), Jacobian (m, q)).
    constants : ndarray (c,) or (G, c)
        Second argument of `shape`: number of lags, nodes, ages. One row a group if they differ.
    groups : ndarray of int (G, q)
        Place in `theta` of the parameters of each of the G kernels.
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
    scores : callable, optional
        Compiled (theta, values, Jacobians (G, m, q), groups, *data, *structure) -> (p, p), the sum
        of the outer products of the observations' scores: an approximate information, for steps.
    bounds : dict of (float, float)
        Lowest and highest value of a positive parameter, by name, that an optimiser may go to.
    outer_information : bool
        Take that sum for the information itself, where second differences would cost too much.
    rows : ndarray of int (p,), optional
        Which part of a sum of separate likelihoods each parameter belongs to, -1 for all parts:
        second derivatives between different parts vanish.
    shares : tuple of tuples, optional
        Alternatives of `structure` whose likelihoods add up to the whole, for several threads.
    curvature : callable, optional
        Compiled (theta, values, Jacobians, their derivatives (G, m, q, q), groups, *data,
        *structure) -> (value (r,), places in theta (r, F), gradient (r, F), outer products of the
        scores (r, F, F), what the Hessian has beside their negative (r, F, F)), of the parts of the
        likelihood that the last array of the structure lists.
    straight : bool
        Whether a kernel's values are linear in its parameters.
    sketch : dict of arrays, optional
        Data of the beginning of a long series, for a first search.
    moments : callable, optional
        Theta -> (counts, means) of the observations in the likelihood, both (n, K), for
        quasi-likelihood.
    explosive : bool
        Whether parameters within a few standard errors may send the means beyond all bounds: draws
        from a limit law are then checked against the likelihood.
    normal : callable, optional
        () -> (theta (p,), covariance (f, f), Centring): a normal law near the posterior, by which
        a sampler starts and standardises where the joint mode means nothing, as in a hierarchical
        model. The covariance is that of the free entries, positive ones as logs, unit ones as
        logits, means, spreads and deviations as in `escalation.engines.centring`.
    """

    layout: Layout
    core: Callable[..., tuple[float, FloatArray, FloatArray]]
    shape: Shape
    constants: FloatArray
    groups: IntArray
    data: Mapping[str, Any]
    structure: Arrays
    rates: FloatArray
    starts: tuple[FloatArray, ...]
    resample: Callable[[FloatArray, np.random.Generator], Mapping[str, Any]]
    scores: Callable[..., FloatArray] | None = None
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    outer_information: bool = False
    rows: IntArray | None = None
    shares: tuple[Arrays, ...] = ()
    curvature: Callable[..., Curvature] | None = None
    straight: bool = False
    sketch: Mapping[str, Any] | None = None
    moments: Callable[[FloatArray], tuple[FloatArray, FloatArray]] | None = None
    explosive: bool = False
    normal: Callable[[], tuple[FloatArray, FloatArray, Centring]] | None = None

    def kernels(
        self, theta: FloatArray, constants: FloatArray | None = None
    ) -> tuple[FloatArray, FloatArray]:
        """Values (G, m) of each kernel and their Jacobians (G, m, q)."""
        if self.straight and constants is None:
            offset, jacobian, tiled = self._line
            if self._single is not None:
                # The commonest case, whose evaluations count in microseconds.
                return (offset + theta[self._single] * jacobian[:, 0])[None], tiled
            if len(self.groups) == 1:
                return (offset + jacobian @ theta[self.groups[0]])[None], tiled
            return offset + theta[self.groups] @ jacobian.T, tiled
        given = self.constants if constants is None else constants
        own = given.ndim == 2
        if len(self.groups) == 1:
            one, jacobian = self.shape(theta[self.groups[0]], given[0] if own else given)
            return one[None], jacobian[None]
        found = [
            self.shape(theta[places], given[g] if own else given)
            for g, places in enumerate(self.groups)
        ]
        return np.stack([one[0] for one in found]), np.stack([one[1] for one in found])

    @cached_property
    def _line(self) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Values (m,) at zero and slopes (m, q) of kernels linear in them; the slopes (G, m, q)."""
        inner = np.ones(self.groups.shape[1])
        values, jacobian = self.shape(inner, self.constants)
        return values - jacobian @ inner, jacobian, np.tile(jacobian, (len(self.groups), 1, 1))

    @cached_property
    def _single(self) -> int | None:
        """Place of the only kernel's only parameter."""
        return int(self.groups[0, 0]) if self.groups.shape == (1, 1) else None

    @cached_property
    def _arrays(self) -> Arrays:
        return tuple(self.data.values())

    def evaluate(
        self, theta: FloatArray, data: Mapping[str, Any] | None = None
    ) -> tuple[float, FloatArray]:
        """Log-likelihood and its gradient (p,) at one vector of all parameters.

        Other data may bring constants of their own, under that name.
        """
        constants, arrays = None, self._arrays
        if data is not None:
            given = dict(data)
            constants = given.pop("constants", None)
            arrays = tuple(given.values())
        values, jacobians = self.kernels(theta, constants)
        if len(self.shares) > 1:
            tasks = [
                pool().submit(self.core, theta, values, *arrays, *share)
                for share in self.shares[1:]
            ]
            # The first share on this thread: one fewer has to be woken.
            parts = [self.core(theta, values, *arrays, *self.shares[0])]
            parts += [task.result() for task in tasks]
            value = sum(part[0] for part in parts)
            gradient, by_values = parts[0][1], parts[0][2]
            for part in parts[1:]:
                gradient, by_values = gradient + part[1], by_values + part[2]
        else:
            value, gradient, by_values = self.core(theta, values, *arrays, *self.structure)
        if self._single is not None:
            gradient[self._single] += by_values[0].dot(jacobians[0, :, 0])
        elif len(self.groups) == 1:
            gradient[self.groups[0]] += by_values[0] @ jacobians[0]
        else:
            np.add.at(gradient, self.groups, np.einsum("gm,gmq->gq", by_values, jacobians))
        return value, gradient

    def bends(self, theta: FloatArray) -> FloatArray:
        """Second derivatives (G, m, q, q) of the kernels' values, by differences."""
        if self.straight:
            jacobians = self._line[2]
            return np.zeros((*jacobians.shape, jacobians.shape[2]))
        jacobians = self.kernels(theta)[1]
        out = np.zeros((*jacobians.shape, jacobians.shape[2]))
        for q in range(self.groups.shape[1]):
            places = self.groups[:, q]
            high, low = theta.copy(), theta.copy()
            step = 1e-5 * np.maximum(1e-3, np.abs(theta[places]))
            high[places] += step
            low[places] -= step
            width = (high[places] - low[places])[:, None, None]
            out[..., q] = (self.kernels(high)[1] - self.kernels(low)[1]) / width
        return np.asarray((out + out.swapaxes(2, 3)) / 2)

    def curved(
        self,
        theta: FloatArray,
        data: Mapping[str, Any] | None = None,
        parts: IntArray | None = None,
    ) -> Curvature:
        """What `curvature` gives of some parts of the likelihood, or of all; on two threads."""
        if self.curvature is None:
            raise ValueError("this likelihood has no second derivatives of its own")
        arrays = self._arrays if data is None else tuple(data.values())
        values, jacobians = self.kernels(theta)
        *structure, rows = self.structure
        first = (theta, values, jacobians, self.bends(theta), self.groups, *arrays)
        wanted = rows if parts is None else rows[parts]
        if len(self.shares) < 2 or len(wanted) < 2:
            return self.curvature(*first, *structure, wanted)
        other = pool().submit(self.curvature, *first, *structure, wanted[1::2].copy())
        found = self.curvature(*first, *structure, wanted[::2].copy()), other.result()
        return tuple(_woven(*one) for one in zip(*found, strict=True))

    def outer_scores(
        self, theta: FloatArray, data: Mapping[str, Any] | None = None
    ) -> FloatArray | None:
        """Sum (p, p) of the outer products of the scores, None where the model has none."""
        if self.scores is None:
            return None
        given = dict(self.data if data is None else data)
        values, jacobians = self.kernels(theta, given.pop("constants", None))
        return self.scores(theta, values, jacobians, self.groups, *given.values(), *self.structure)


def _woven(even: Any, odd: Any) -> Any:
    """Rows of two arrays in turn."""
    out = np.empty((len(even) + len(odd), *even.shape[1:]), even.dtype)
    out[::2], out[1::2] = even, odd
    return out


@cache
def pool() -> ThreadPoolExecutor:
    """Two threads, for compiled functions that leave the interpreter alone."""
    return ThreadPoolExecutor(2)


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
