"""A problem as a PyMC model: named priors and one fused likelihood operation."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from pytensor.gradient import disconnected_type
from pytensor.graph.basic import Apply, Variable
from pytensor.graph.op import Op
from pytensor.link.numba.dispatch.basic import (
    numba_njit,
    register_funcify_default_op_cache_key,
)

from escalation.engines.base import Problem
from escalation.parameters import Parameter
from escalation.priors import Beta, ExponentialPrior, HalfNormal, LogNormal, Normal, Prior

_CORES: dict[str, Callable[..., Any]] = {}


class FusedLogLikelihood(Op):
    """Log-likelihood and gradient as one operation; the data are inputs, never closed over.

    Parameters
    ----------
    core, shape : str
        Registered names of the compiled likelihood and of the compiled kernel.
    """

    __props__ = ("core", "shape")

    def __init__(self, core: str, shape: str) -> None:
        self.core, self.shape = core, shape

    def make_node(self, *inputs: Any) -> Apply:
        """Inputs: theta (p,), then the data; outputs: the value and its gradient (p,)."""
        variables = [pt.as_tensor_variable(one) for one in inputs]
        return Apply(self, variables, [pt.dscalar(), pt.dvector()])

    def perform(self, node: Apply, inputs: Sequence[Any], output_storage: list[Any]) -> None:
        """Evaluate without compiled graphs, as PyMC's own checks do."""
        value, gradient = _evaluate(self, *inputs)
        output_storage[0][0] = np.asarray(value)
        output_storage[1][0] = gradient

    def infer_shape(self, node: Apply, input_shapes: Sequence[Any]) -> list[Any]:
        """A scalar, and a vector as long as theta."""
        return [(), input_shapes[0]]

    def connection_pattern(self, node: Apply) -> list[list[bool]]:
        """Only theta is differentiated."""
        return [[True, False]] + [[False, False]] * (len(node.inputs) - 1)

    def pullback(
        self, inputs: Sequence[Variable], outputs: Sequence[Variable], cotangents: Sequence[Any]
    ) -> list[Any]:
        """Cotangent of the value times the stored gradient."""
        return [cotangents[0] * outputs[1]] + [disconnected_type() for _ in inputs[1:]]


def _evaluate(
    op: FusedLogLikelihood, theta: Any, constants: Any, groups: Any, *data: Any
) -> tuple[float, Any]:
    found = [
        _CORES[op.shape](theta[places], constants[min(g, len(constants) - 1)])
        for g, places in enumerate(groups)
    ]
    values = np.stack([one[0] for one in found])
    value, gradient, by_values = _CORES[op.core](theta, values, *data)
    for places, slope, (_, jacobian) in zip(groups, by_values, found, strict=True):
        gradient[places] += slope @ jacobian
    return value, gradient


@register_funcify_default_op_cache_key(FusedLogLikelihood)
def _compile(op: FusedLogLikelihood, **_: Any) -> tuple[Any, int]:
    core, shape = _CORES[op.core], _CORES[op.shape]

    @numba_njit(fastmath=False)
    def likelihood(theta, constants, groups, *data):  # type: ignore[no-untyped-def]
        number, own = groups.shape
        inner = np.empty(own)
        for i in range(own):
            inner[i] = theta[groups[0, i]]
        first, jacobian = shape(inner, constants[0])
        size = first.size
        values = np.empty((number, size))
        jacobians = np.empty((number, size, own))
        values[0], jacobians[0] = first, jacobian
        for g in range(1, number):
            for i in range(own):
                inner[i] = theta[groups[g, i]]
            values[g], jacobians[g] = shape(inner, constants[min(g, len(constants) - 1)])
        value, gradient, by_values = core(theta, values, *data)
        for g in range(number):
            for i in range(own):
                total = 0.0
                for j in range(size):
                    total += by_values[g, j] * jacobians[g, j, i]
                gradient[groups[g, i]] += total
        return value, gradient

    @numba_njit(fastmath=False)
    def fused(theta, *data):  # type: ignore[no-untyped-def]
        value, gradient = likelihood(theta, *data)
        return np.asarray(value), gradient

    return fused, _version(core, shape)


def _version(*functions: Any) -> int:
    """A number that changes with the source of the functions' files.

    PyTensor keeps compiled code between processes under this number: no stale code is reused.
    """
    digest = hashlib.sha256()
    for function in functions:
        inner = getattr(function, "py_func", function)
        digest.update(Path(inner.__code__.co_filename).read_bytes())
    return int.from_bytes(digest.digest()[:4])


def _register(function: Callable[..., Any]) -> str:
    inner = getattr(function, "py_func", function)
    name = f"{inner.__module__}.{inner.__qualname__}"
    _CORES[name] = function
    return name


def build(problem: Problem, coords: dict[str, Sequence[str]]) -> pm.Model:
    """The model, with one named variable a parameter and its data as ``pm.Data``.

    An array whose entries are partly fixed appears twice: ``name_free`` holds the free entries,
    ``name`` the whole array.
    """
    with pm.Model(coords={key: list(value) for key, value in coords.items()}) as model:
        variables = {p.name: _variable(p, coords) for p in problem.layout.parameters}
        theta = pt.concatenate([pt.flatten(one) for one in variables.values()])
        joint = problem.layout.joint
        if joint is not None:
            square = variables[joint.name] / joint.radius
            for _ in range(2):
                square = square @ square
            last = (*range(square.ndim - 2), square.ndim - 1, square.ndim - 2)
            pm.Potential("stability", -pt.sum(square * square.transpose(*last)))
        op = FusedLogLikelihood(_register(problem.core), _register(problem.shape))
        pm.Potential("log_likelihood", op(theta, *_inputs(problem))[0])
    return model


def _inputs(problem: Problem) -> list[Any]:
    """What the likelihood takes after theta: constants, groups, data, structure."""
    data = {"constants": np.atleast_2d(problem.constants), **problem.data}
    taken = pm.modelcontext(None).coords
    shared = {
        name: pm.Data(f"{name}_data" if name in taken else name, np.asarray(value))
        for name, value in data.items()
    }
    constants = shared.pop("constants")
    structure = [pt.as_tensor_variable(one) for one in problem.structure]
    return [constants, pt.as_tensor_variable(problem.groups), *shared.values(), *structure]


def _variable(parameter: Parameter, coords: dict[str, Sequence[str]]) -> Any:
    free = parameter.mask
    dims = parameter.dims if all(d in coords for d in parameter.dims) else ()
    if free.all():
        shape = {"dims": dims} if dims else {"shape": parameter.shape}
        return _law(parameter.name, parameter.prior, shape)
    prior = parameter.prior.at(free)
    inner = _law(f"{parameter.name}_free", prior, {"shape": int(free.sum())})
    whole = pt.set_subtensor(pt.zeros(parameter.shape)[np.nonzero(free)], inner)
    return pm.Deterministic(parameter.name, whole, dims=dims or None)


def _law(name: str, prior: Prior, shape: dict[str, Any]) -> Any:
    match prior:
        case Normal(mean, sd):
            return pm.Normal(name, mean, sd, **shape)
        case LogNormal(median, sd_log):
            return pm.LogNormal(name, np.log(median), sd_log, **shape)
        case HalfNormal(scale):
            return pm.HalfNormal(name, scale, **shape)
        case ExponentialPrior(rate):
            return pm.Exponential(name, lam=rate, **shape)
        case Beta(a, b):
            return pm.Beta(name, a, b, **shape)
    raise TypeError(f"{name}: no PyMC law is known for {type(prior).__name__}")
