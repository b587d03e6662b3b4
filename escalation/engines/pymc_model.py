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
from escalation.engines.mixing import ARRAYS, Coordinates, to_coordinates, to_parameters
from escalation.parameters import HalfNormal, LogNormal, Normal, Parameter, Prior

_CORES: dict[str, Callable[..., Any]] = {}


class FusedLogLikelihood(Op):
    """Log-likelihood and gradient as one operation; the data are inputs, never closed over.

    Parameters
    ----------
    core, shape : str
        Registered names of the compiled likelihood and of the compiled kernel.
    split, size : int
        Where the kernel's parameters begin, and the number of lags or exponentials.
    mixing : bool
        Take the coordinates of `escalation.engines.mixing` and add the priors of levels and R;
        the arrays of its `Coordinates` then stand between theta and the data.
    """

    __props__ = ("core", "shape", "split", "size", "mixing")

    def __init__(self, core: str, shape: str, split: int, size: int, mixing: bool = False) -> None:
        self.core, self.shape, self.split, self.size = core, shape, split, size
        self.mixing = mixing

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


def _evaluate(op: FusedLogLikelihood, theta: Any, *data: Any) -> tuple[float, Any]:
    if op.mixing:
        coordinates, data = data[:ARRAYS], data[ARRAYS:]
        values = to_parameters(theta, *coordinates)
        value, gradient = _likelihood(op, values, *data)
        mixed: tuple[float, Any] = to_coordinates(theta, values, value, gradient, *coordinates)
        return mixed
    return _likelihood(op, theta, *data)


def _likelihood(op: FusedLogLikelihood, theta: Any, *data: Any) -> tuple[float, Any]:
    values, jacobian = _CORES[op.shape](theta[op.split :], op.size)
    value, by_rest, by_values = _CORES[op.core](theta[: op.split], values, *data)
    return value, np.concatenate([by_rest, by_values @ jacobian])


@register_funcify_default_op_cache_key(FusedLogLikelihood)
def _compile(op: FusedLogLikelihood, **_: Any) -> tuple[Any, int]:
    core, shape = _CORES[op.core], _CORES[op.shape]
    split, size = op.split, op.size

    @numba_njit(fastmath=False)
    def likelihood(theta, *data):  # type: ignore[no-untyped-def]
        values, jacobian = shape(theta[split:], size)
        value, by_rest, by_values = core(theta[:split], values, *data)
        gradient = np.empty(theta.size)
        gradient[:split] = by_rest
        for i in range(jacobian.shape[1]):
            total = 0.0
            for j in range(jacobian.shape[0]):
                total += by_values[j] * jacobian[j, i]
            gradient[split + i] = total
        return value, gradient

    @numba_njit(fastmath=False)
    def fused(theta, *data):  # type: ignore[no-untyped-def]
        value, gradient = likelihood(theta, *data)
        return np.asarray(value), gradient

    @numba_njit(fastmath=False)
    def mixed(x, rates, mask, contrasts, places, others, prior, *data):  # type: ignore[no-untyped-def]
        theta = to_parameters(x, rates, mask, contrasts, places, others, prior)
        value, gradient = likelihood(theta, *data)
        value, gradient = to_coordinates(
            x, theta, value, gradient, rates, mask, contrasts, places, others, prior
        )
        return np.asarray(value), gradient

    return (mixed if op.mixing else fused), _version(core, shape, to_parameters)


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


def build(problem: Problem, coords: dict[str, Sequence[str]], *, mixing: bool = False) -> pm.Model:
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
            pm.Potential("stability", -pt.sum(square * square.T))
        data = [pm.Data(name, np.asarray(value)) for name, value in problem.data.items()]
        structure = [pt.as_tensor_variable(one) for one in problem.structure]
        op = FusedLogLikelihood(
            _register(problem.core), _register(problem.shape), problem.split, problem.size
        )
        pm.Potential("log_likelihood", op(theta, *data, *structure)[0])
    return model


def build_mixing(problem: Problem) -> tuple[pm.Model, Coordinates]:
    """The same posterior in coordinates that are easier to sample, and the way back from them."""
    coordinates = Coordinates.of(problem)
    with pm.Model() as model:
        mean = pm.Flat("mean", shape=coordinates.streams)
        parts = [mean]
        if coordinates.splits:
            parts.append(pm.Flat("split", shape=coordinates.splits))
        for p in problem.layout.parameters:
            if p.name not in ("level", "reproduction"):
                name = p.name if p.mask.all() else f"{p.name}_free"
                free = _law(name, p.prior.at(p.mask), {"shape": int(p.mask.sum())})
                parts.append(pt.flatten(free))
        data = [pm.Data("rates", problem.rates)]
        data += [pt.as_tensor_variable(one) for one in coordinates.arrays]
        data += [pm.Data(name, np.asarray(value)) for name, value in problem.data.items()]
        data += [pt.as_tensor_variable(one) for one in problem.structure]
        op = FusedLogLikelihood(
            _register(problem.core), _register(problem.shape), problem.split, problem.size, True
        )
        pm.Potential("log_posterior", op(pt.concatenate(parts), *data)[0])
    return model, coordinates


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
    raise TypeError(f"{name}: no PyMC law is known for {type(prior).__name__}")
