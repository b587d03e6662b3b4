"""No-U-Turn sampling with nutpie over the fused likelihood."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, override

import numpy as np

from escalation.engines.base import Engine, Posterior, Problem
from escalation.engines.mixing import Coordinates
from escalation.parameters import FloatArray

#: Compiled samplers of this process, by what determines their code.
_COMPILED: dict[Any, Any] = {}


@dataclass(frozen=True)
class NUTS(Engine):
    """No-U-Turn sampler (nutpie) of the model that PyMC declares.

    Levels and R are sampled in the coordinates of `escalation.engines.mixing`; the posterior is
    that of ``model.to_pymc(series)``.
    If the split R-hat of any scalar exceeds 1.01 the run is repeated once with twice the draws.

    Attributes
    ----------
    draws : int
        Kept draws a chain.
    tune : int
        Warm-up draws a chain.
    chains : int
    target_accept : float
    """

    draws: int = 1000
    tune: int = 500
    chains: int = 4
    target_accept: float = 0.9
    name = "NUTS"

    def __post_init__(self) -> None:
        if self.chains < 2:
            raise ValueError(f"at least 2 chains are needed to compare them, got {self.chains}")

    @override
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        compiled, coordinates = _compile(problem)
        seed = int(rng.integers(2**31 - 1))
        trace = self._sample(compiled, self.draws, seed)
        theta = _theta(trace, problem, coordinates)
        diagnostics = _diagnostics(theta, trace, problem)
        if diagnostics["r_hat"] > 1.01:
            trace = self._sample(compiled, 2 * self.draws, seed)
            theta = _theta(trace, problem, coordinates)
            diagnostics = _diagnostics(theta, trace, problem) | {"lengthened": True}
        draws = problem.layout.unpack(theta.reshape(-1, theta.shape[-1]))
        estimate = {name: value.mean(axis=0) for name, value in draws.items()}
        value, _ = problem.evaluate(problem.layout.pack(estimate))
        return Posterior(draws, estimate, float(value), diagnostics)

    def _sample(self, compiled: Any, draws: int, seed: int) -> Any:
        import nutpie

        return nutpie.sample(
            compiled,
            draws=draws,
            tune=self.tune,
            chains=self.chains,
            seed=seed,
            target_accept=self.target_accept,
            progress_bar=False,
        )


def own_cache() -> None:
    """Keep PyTensor's compiled code apart from that of other programs.

    PyTensor's cache does not tell strict arithmetic from fast everywhere: code that another program
    left there would change the last bits, and with them every draw. Nothing is done where PyTensor
    is loaded already or the user has set ``PYTENSOR_FLAGS``.
    """
    if "pytensor" in sys.modules or "PYTENSOR_FLAGS" in os.environ:
        return
    from platformdirs import user_cache_path

    folder = user_cache_path("escalation") / "pytensor"
    os.environ["PYTENSOR_FLAGS"] = f"base_compiledir={folder},numba__fastmath=False"


def _compile(problem: Problem) -> tuple[Any, Coordinates | None]:
    own_cache()
    import nutpie
    import pytensor

    from escalation.engines.pymc_model import build, build_mixing

    layout = problem.layout
    key = (
        problem.core, problem.shape, problem.groups.tobytes(), problem.constants.ndim,
        tuple((p.name, p.shape, p.mask.tobytes(), repr(p.prior)) for p in layout.parameters),
        repr(layout.joint),
        tuple(np.asarray(one).tobytes() for one in problem.structure),
    )  # fmt: skip
    if key not in _COMPILED:
        model, coordinates = build(problem, {}), None
        if Coordinates.fit(problem):
            model, coordinates = build_mixing(problem)
        # Without strict arithmetic the last bits would depend on what was compiled in this process
        # and what came from a cache, and with them every draw. See `own_cache`.
        with pytensor.config.change_flags(numba__fastmath=False):
            _COMPILED[key] = nutpie.compile_pymc_model(model), coordinates
    compiled, coordinates = _COMPILED[key]
    data = {"constants": np.atleast_2d(problem.constants), **problem.data}
    if coordinates is not None:
        data["rates"] = problem.rates
    return compiled.with_data(**data), coordinates


def _theta(trace: Any, problem: Problem, coordinates: Coordinates | None) -> FloatArray:
    """All parameters (chains, draws, size) of a trace in the sampler's coordinates."""
    names = []
    if coordinates is not None:
        names = ["mean", *(["split"] if coordinates.splits else [])]
    names += [
        p.name if p.mask.all() else f"{p.name}_free"
        for p in problem.layout.parameters
        if coordinates is None or p.name not in ("level", "reproduction")
    ]
    chains, draws = trace.posterior.sizes["chain"], trace.posterior.sizes["draw"]
    parts = [np.asarray(trace.posterior[name].values, float) for name in names]
    x = np.concatenate([part.reshape(chains * draws, -1) for part in parts], axis=1)
    if coordinates is None:
        theta = np.zeros((len(x), problem.layout.size))
        theta[:, problem.layout.free] = x
    else:
        theta = coordinates.back(x, problem.rates)
    return theta.reshape(chains, draws, -1)


def _diagnostics(theta: FloatArray, trace: Any, problem: Problem) -> dict[str, Any]:
    import arviz

    labels = np.array(problem.layout.labels)
    scalars = to_arviz({"scalar": theta[..., problem.layout.free]})
    r_hat = arviz.rhat(scalars)["scalar"].values
    bulk = arviz.ess(scalars)["scalar"].values
    tail = arviz.ess(scalars, method="tail")["scalar"].values
    ess = np.minimum(bulk, tail)
    return {
        "r_hat": float(r_hat.max()),
        "r_hat_of": str(labels[r_hat.argmax()]),
        "ess": float(ess.min()),
        "ess_of": str(labels[ess.argmin()]),
        "divergences": int(np.asarray(trace.sample_stats["diverging"].values).sum()),
        "chains": theta.shape[0],
        "draws_a_chain": theta.shape[1],
        "lengthened": False,
        "parameters": len(labels),
    }


def to_arviz(draws: Mapping[str, FloatArray]) -> Any:
    """Draws by name, each (chains, draws, *shape), as an ArviZ ``DataTree``."""
    import arviz

    return arviz.from_dict({"posterior": dict(draws)})
