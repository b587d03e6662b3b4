"""No-U-Turn sampling with nutpie over the compiled log-posterior."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, override

import numpy as np

from escalation.engines.base import Engine, Posterior, Problem
from escalation.engines.coordinates import Coordinates
from escalation.engines.density import LOWER, Density, Metric, covariance_at, learned, modes
from escalation.parameters import FloatArray

VIA = ("compiled", "pymc")
#: How far apart chains start, in standard deviations.
APART = 1.5
#: R-hat above which a run is lengthened, and how many draws of a longer run come of one.
AGREED, LONGER = 1.01, 2
#: Acceptance asked of a longer run where the first one diverged.
CAREFUL = 0.95


@dataclass(frozen=True)
class NUTS(Engine):
    """No-U-Turn sampler (nutpie).

    The sampler calls the compiled log-posterior itself, in coordinates that the curvature at the
    mode standardises (`escalation.engines.density`): no graph is built and nothing is compiled for
    a fit that was compiled on this machine before. The posterior is that of
    ``model.to_pymc(series)``, which ``via="pymc"`` samples instead, in its own coordinates.

    If the R-hat of any scalar exceeds 1.01 the run is repeated with twice the draws, standardised
    by the covariance of the first run's, and with shorter steps if there were divergences; of a
    hierarchical model also if there were divergences alone.

    Attributes
    ----------
    draws : int
        Kept draws a chain.
    tune : int
        Warm-up draws a chain.
    chains : int
    target_accept : float
    via : {"compiled", "pymc"}
    """

    draws: int = 1000
    tune: int = 300
    chains: int = 4
    target_accept: float = 0.8
    via: str = "compiled"
    name = "NUTS"

    def __post_init__(self) -> None:
        if self.chains < 2:
            raise ValueError(f"at least 2 chains are needed to compare them, got {self.chains}")
        if self.draws < 4:
            raise ValueError(f"at least 4 draws a chain are needed, got {self.draws}")
        if self.via not in VIA:
            raise ValueError(f"via must be one of {', '.join(VIA)}, got {self.via!r}")

    @override
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        seed = int(rng.integers(2**31 - 1))
        if self.via == "pymc":
            theta, trace = _from_pymc(self, problem, seed)
            diagnostics = _diagnostics(theta, trace, problem)
        else:
            theta, diagnostics = self._compiled(problem, seed)
        draws = problem.layout.unpack(theta.reshape(-1, theta.shape[-1]))
        estimate = {name: value.mean(axis=0) for name, value in draws.items()}
        value, _ = problem.evaluate(problem.layout.pack(estimate))
        return Posterior(draws, estimate, float(value), diagnostics)

    def _compiled(self, problem: Problem, seed: int) -> tuple[FloatArray, dict[str, Any]]:
        coordinates = Coordinates.of(problem)
        if problem.normal is not None:
            theta, covariance, centring = problem.normal()
            coordinates = coordinates.partly_centred(centring)
            centres = [coordinates.to(theta)]
            metric = Metric.of(centres[0], covariance)
        else:
            density = Density(problem, coordinates)
            found = modes(density, problem)
            best, highest = max(found, key=lambda mode: mode[1])
            covariance = covariance_at(density, best)
            metric = Metric.of(best, covariance)
            centres = [x for x, value in found if value > highest - LOWER]
        trace, x = self._draw(problem, coordinates, metric, centres, seed)
        theta = coordinates.back(x)
        diagnostics = _diagnostics(theta, trace, problem)
        # Of a hierarchical model even one divergence may hide a corner where a spread is small.
        funnel = problem.normal is not None and diagnostics["divergences"] > 0
        if diagnostics["r_hat"] > AGREED or funnel:
            metric = learned(x.reshape(-1, x.shape[-1]), covariance)
            ends = list(x[:, -1])
            again = replace(self, draws=LONGER * self.draws)
            if diagnostics["divergences"]:
                again = replace(again, target_accept=max(CAREFUL, self.target_accept))
            trace, x = again._draw(problem, coordinates, metric, ends, seed + 1)
            theta = coordinates.back(x)
            diagnostics = _diagnostics(theta, trace, problem) | {"lengthened": True}
        return theta, diagnostics

    def _draw(
        self,
        problem: Problem,
        coordinates: Coordinates,
        metric: Metric,
        centres: list[FloatArray],
        seed: int,
    ) -> tuple[Any, FloatArray]:
        """The trace, and coordinates (chains, draws, d)."""
        from nutpie.compiled_pyfunc import from_pyfunc

        size = len(metric.centre)

        def own_density() -> Density:
            # Chains run in threads: each has its own scratch space.
            own = Density(problem, coordinates)
            own.use(metric)
            return own

        def start(own_seed: int) -> FloatArray:
            centre = centres[own_seed % len(centres)]
            rng = np.random.default_rng(own_seed)
            return _first_point(own_density(), metric.to_z(centre), rng)

        def log_posterior() -> Callable[[FloatArray], tuple[float, FloatArray]]:
            own = own_density()
            return lambda z: (own(z), own.by_z.copy())

        compiled = from_pyfunc(
            size,
            log_posterior,
            lambda *seeds: lambda z: {"z": z},
            [np.dtype("float64")],
            [(size,)],
            ["z"],
            make_initial_point_fn=start,
        )
        trace = _sample(self, compiled, seed)
        return trace, metric.to_x(np.asarray(trace.posterior["z"].values, float))


def _sample(engine: NUTS, compiled: Any, seed: int) -> Any:
    import nutpie

    return nutpie.sample(
        compiled,
        draws=engine.draws,
        tune=engine.tune,
        chains=engine.chains,
        seed=seed,
        target_accept=engine.target_accept,
        progress_bar=False,
    )


def _first_point(density: Density, centre: FloatArray, rng: np.random.Generator) -> FloatArray:
    """A point about a centre, farther out than the posterior itself, where the density exists."""
    away = APART * rng.standard_normal(centre.size)
    for _ in range(20):
        if np.isfinite(density(centre + away)) and np.isfinite(density.by_z).all():
            break
        away *= 0.7
    return np.asarray(centre + away)


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


def _from_pymc(engine: NUTS, problem: Problem, seed: int) -> tuple[FloatArray, Any]:
    """Parameters (chains, draws, size) of the declared model, and the trace."""
    own_cache()
    import nutpie
    import pytensor

    from escalation.engines.pymc_model import build

    # Without strict arithmetic the last bits would depend on what was compiled in this process
    # and what came from a cache, and with them every draw. See `own_cache`.
    with pytensor.config.change_flags(numba__fastmath=False):
        compiled = nutpie.compile_pymc_model(build(problem, {}))
    trace = _sample(engine, compiled, seed)
    parameters = problem.layout.parameters
    names = [p.name if p.mask.all() else f"{p.name}_free" for p in parameters]
    draws = [np.asarray(trace.posterior[name].values, float) for name in names]
    theta = np.zeros((*draws[0].shape[:2], problem.layout.size))
    flat = [one.reshape(*one.shape[:2], -1) for one in draws]
    theta[..., problem.layout.free] = np.concatenate(flat, axis=2)
    return theta, trace


def _diagnostics(theta: FloatArray, trace: Any, problem: Problem) -> dict[str, Any]:
    import arviz

    labels = np.array(problem.layout.labels)
    scalars = to_arviz({"scalar": theta[..., problem.layout.free]})
    r_hat = arviz.rhat(scalars)["scalar"].values
    bulk = arviz.ess(scalars)["scalar"].values
    tail = arviz.ess(scalars, method="tail")["scalar"].values
    ess = np.minimum(bulk, tail)
    stats, warm = trace.sample_stats, trace.warmup_sample_stats
    return {
        "r_hat": float(r_hat.max()),
        "r_hat_of": str(labels[r_hat.argmax()]),
        "ess": float(ess.min()),
        "ess_of": str(labels[ess.argmin()]),
        "divergences": int(np.asarray(stats["diverging"].values).sum()),
        "e_bfmi": float(_energy_fraction(np.asarray(stats["energy"].values, float)).min()),
        "chains": theta.shape[0],
        "draws_a_chain": theta.shape[1],
        "lengthened": False,
        "leapfrogs": int(stats["n_steps"].values.sum()),
        "leapfrogs_of_warm_up": int(warm["n_steps"].values.sum()),
        "parameters": len(labels),
        "by_parameter": {
            str(label): [float(one) for one in numbers]
            for label, *numbers in zip(labels, r_hat, bulk, tail, strict=True)
        },
    }


def _energy_fraction(energy: FloatArray) -> FloatArray:
    """Bayesian fraction of missing information (chains,) of energies (chains, n).

    Betancourt (2016), Diagnosing Suboptimal Cotangent Disintegrations in Hamiltonian Monte Carlo.
    """
    change = np.square(np.diff(energy, axis=1)).mean(axis=1)
    return np.asarray(change / np.maximum(energy.var(axis=1), 1e-300))


def to_arviz(draws: Mapping[str, FloatArray]) -> Any:
    """Draws by name, each (chains, draws, *shape), as an ArviZ ``DataTree``."""
    import arviz

    return arviz.from_dict({"posterior": dict(draws)})
