"""No-U-Turn sampling with nutpie over the fused likelihood."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, override

import numpy as np

from escalation.engines.base import Engine, Posterior, Problem
from escalation.parameters import FloatArray

#: Compiled samplers of this process, by what determines their code.
_COMPILED: dict[Any, Any] = {}


@dataclass(frozen=True)
class NUTS(Engine):
    """No-U-Turn sampler (nutpie) of the model that PyMC declares.

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
        compiled = _compile(problem)
        seed = int(rng.integers(2**31 - 1))
        trace = self._sample(compiled, self.draws, seed)
        diagnostics = _diagnostics(trace, problem)
        if diagnostics["r_hat"] > 1.01:
            trace = self._sample(compiled, 2 * self.draws, seed)
            diagnostics = _diagnostics(trace, problem) | {"lengthened": True}
        draws = {
            p.name: _pooled(trace, p.name).reshape(-1, *p.shape) for p in problem.layout.parameters
        }
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


def _compile(problem: Problem) -> Any:
    import nutpie

    from escalation.engines.pymc_model import build

    layout = problem.layout
    key = (
        problem.core, problem.shape, problem.split, problem.size,
        tuple((p.name, p.shape, p.mask.tobytes(), repr(p.prior)) for p in layout.parameters),
        repr(layout.joint),
        tuple(np.asarray(one).tobytes() for one in problem.structure),
    )  # fmt: skip
    if key not in _COMPILED:
        _COMPILED[key] = nutpie.compile_pymc_model(build(problem, {}))
    return _COMPILED[key].with_data(**problem.data)


def _pooled(trace: Any, name: str) -> FloatArray:
    values = np.asarray(trace.posterior[name].values, float)
    return values.reshape(-1, *values.shape[2:])


def _diagnostics(trace: Any, problem: Problem) -> dict[str, Any]:
    import arviz

    parameters = problem.layout.parameters
    labels = np.array(problem.layout.labels)
    names = [p.name for p in parameters]

    def scalars(statistic: Any) -> FloatArray:
        return np.concatenate([statistic[p.name].values[p.mask].ravel() for p in parameters])

    with np.errstate(invalid="ignore", divide="ignore"):  # fixed entries are constant
        r_hat = scalars(arviz.rhat(trace, var_names=names))
        bulk = scalars(arviz.ess(trace, var_names=names))
        tail = scalars(arviz.ess(trace, var_names=names, method="tail"))
    ess = np.minimum(bulk, tail)
    return {
        "r_hat": float(r_hat.max()),
        "r_hat_of": str(labels[r_hat.argmax()]),
        "ess": float(ess.min()),
        "ess_of": str(labels[ess.argmin()]),
        "divergences": int(np.asarray(trace.sample_stats["diverging"].values).sum()),
        "chains": int(trace.posterior.sizes["chain"]),
        "draws_a_chain": int(trace.posterior.sizes["draw"]),
        "lengthened": False,
        "parameters": len(labels),
    }


def to_arviz(draws: Mapping[str, FloatArray], chains: int) -> Any:
    """Draws (n, *shape), chain after chain, as an ArviZ ``DataTree``."""
    import arviz

    split = {name: v.reshape(chains, -1, *v.shape[1:]) for name, v in draws.items()}
    return arviz.from_dict({"posterior": split})
