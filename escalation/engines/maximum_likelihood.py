"""Maximum likelihood, with draws from the sampling distribution of the estimate."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import override

import numpy as np

from escalation.engines.ascent import climb, maximise
from escalation.engines.base import Engine, Posterior, Problem
from escalation.engines.limit_law import ASTRAY, limit_law, possible
from escalation.engines.objective import Objective
from escalation.engines.optimum import Optimum
from escalation.engines.ridge import ridge_draws
from escalation.parameters import FloatArray

#: With more parameters than this a singular information does not call the bootstrap by itself.
FEW = 60
#: Samples of a bootstrap that was not asked for.
SAMPLES = 100


@dataclass(frozen=True)
class MaximumLikelihood(Engine):
    """Maximum likelihood with draws that stand for the uncertainty of the estimate.

    Inside the parameter space the draws are normal on the working scale, with the observed
    information; entries that may sit on zero on the scale of their roots. Those within three
    standard errors of zero are drawn on their own scale and projected, in the metric of the
    information, onto the half-space where they are not negative: this is the limit law of the
    estimator near a boundary (Self & Liang 1987, Journal of the American Statistical Association
    82), and what a parametric bootstrap gives in large samples, zeros included.

    Where a parameter of the delays bends the likelihood away from the normal law, the draws follow
    its profile (`escalation.engines.ridge`): two evaluations of the likelihood for each such
    parameter to find out, some 180 to follow one. A singular information, or `bootstrap` > 0,
    calls the parametric bootstrap itself (unless there are more than 60 parameters: the diagnostics
    then say that directions without information were kept wide): simulate, refit, keep the
    estimates. So do draws of a recursion's parameters of which the likelihood finds more than a
    tenth impossible; fewer, or those of more than 60 parameters, are replaced by others
    (``impossible_draws`` in the diagnostics). The coefficients of a trend are penalised by their
    prior. What the likelihood does not depend on at the maximum, such as the delays of an arrow
    estimated as zero, is drawn from its prior and named in the diagnostics; the rest is then drawn
    given these draws, since a long delay hides more of an R at zero than a short one.

    Attributes
    ----------
    draws : int
    starts : int
        How many of the model's starting points are tried; the best maximum wins.
    bootstrap : int
        Number of parametric bootstrap samples; 0 uses the limit law wherever it exists.
    """

    draws: int = 1000
    starts: int = 4
    bootstrap: int = 0
    name = "maximum likelihood"

    @override
    def run(self, problem: Problem, rng: np.random.Generator) -> Posterior:
        objective = Objective(problem)
        starts = tuple(objective.start(theta) for theta in problem.starts[: self.starts])
        best, reached = maximise(objective, starts)
        few = len(best.x) <= FEW
        samples = self.bootstrap or (SAMPLES if best.singular and few else 0)
        law, followed, evaluations, failed = "limit law", tuple[int, ...](), 0, 0
        impossible = 0.0
        if not samples:
            found = ridge_draws(objective, best, self.draws, rng)
            best, values, evaluations = found.best, found.values, found.evaluations
            followed = found.followed
            if problem.explosive:
                theta = _whole(objective, values)
                theta, impossible = possible(problem, theta, best.value, rng)
                values = theta[:, objective.free]
                if impossible > ASTRAY and few:
                    samples, followed = SAMPLES, ()
        if samples:
            law = f"parametric bootstrap of {samples}"
            values, failed = bootstrapped(objective, best, objective.theta(best.x), samples, rng)
            values = values[rng.integers(len(values), size=self.draws)]
        silent = best.silent
        layout = problem.layout
        if followed:
            names = ", ".join(layout.labels[i] for i in followed)
            law += f" along the profile of {names}"
        estimate = objective.theta(best.x)
        return Posterior(
            draws=layout.unpack(_whole(objective, values)),
            estimate=layout.unpack(estimate),
            log_likelihood=float(problem.evaluate(estimate)[0]),
            diagnostics={
                **best.diagnostics(layout.labels),
                "silent": [layout.labels[i] for i in np.flatnonzero(silent)],
                "vanishing": [layout.labels[i] for i in np.flatnonzero(best.vanishing)],
                "intervals": law,
                "impossible_draws": impossible,
                "interval_evaluations": evaluations,
                "bootstrap_failures": failed,
                "optima": reached,
                "parameters": len(layout.labels),
            },
        )


def _whole(objective: Objective, values: FloatArray) -> FloatArray:
    """All parameters (n, p) of free entries (n, f)."""
    theta = np.zeros((len(values), objective.problem.layout.size))
    theta[:, objective.free] = values
    return theta


def bootstrapped(
    objective: Objective,
    best: Optimum,
    theta: FloatArray,
    samples: int,
    rng: np.random.Generator,
) -> tuple[FloatArray, int]:
    """Estimates (n, f) from series simulated at parameters (p,), and how many refits failed."""
    found = []
    for _ in range(samples):
        again = replace(objective, data=objective.problem.resample(theta, rng))
        x, value = climb(again, best.x)
        if np.isfinite(value) and value > -1e12:
            found.append(x)
    return objective.scale.back(np.array(found or [best.x])), samples - len(found)


#: The limit law alone, for engines that bring an information of their own.
_limit_law = limit_law
