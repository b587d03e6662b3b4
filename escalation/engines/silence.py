"""Draws where some entries say nothing to the likelihood at its maximum."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from escalation.engines.ascent import LITTLE
from escalation.engines.limit_law import drawn
from escalation.engines.objective import Objective
from escalation.engines.optimum import Optimum
from escalation.parameters import BoolArray, FloatArray

#: Parts of its prior of which each gives the law of the others one value of a silent entry.
STRATA = 8
#: Draws from the prior whose quantiles stand for it.
SAMPLE = 2000


def settled(objective: Objective, best: Optimum) -> Optimum:
    """The optimum with its silent entries at the model's first starting point.

    Where they rest is an accident of the climb, and the information of the others may depend on
    it: of an R at zero almost nothing is known if its delay is as long as the window.
    """
    usual = objective.start(objective.problem.starts[0])
    return _moved(objective, best, np.where(best.silent, usual, best.x))


def drawn_over_silent(
    objective: Objective,
    best: Optimum,
    rooted: BoolArray,
    normal: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Draws (draws, f) on the working scale, the silent entries from their prior.

    A parameter of the delays that an R of zero leaves without effect decides how much is known of
    that R (Davies 1987, Biometrika 74): the others are drawn from the limit law given the silent
    ones. The prior of each silent entry is cut into `STRATA` parts of the same probability, whose
    medians give the information; which part meets which of another entry is drawn as for a Latin
    hypercube (McKay, Beckman & Conover 1979, Technometrics 21).

    Parameters
    ----------
    rooted : ndarray of bool (f,)
        As `limit_law.drawn` takes it.
    normal : ndarray (draws, f)
        Standard normal.
    """
    draws, silent = len(normal), np.flatnonzero(best.silent)
    prior = objective.scale.to(_prior_draws(objective, SAMPLE, rng))[:, silent]
    stratum = rng.permutation(draws) * STRATA // draws
    out = np.empty(normal.shape)
    values = np.empty((draws, silent.size))
    middles = np.empty((STRATA, silent.size))
    for j in range(silent.size):
        order = rng.permutation(STRATA)
        ordered = np.sort(prior[:, j])
        places = (order[stratum] + rng.random(draws)) / STRATA * SAMPLE
        values[:, j] = ordered[places.astype(np.intp)]
        middles[:, j] = ordered[((order + 0.5) / STRATA * SAMPLE).astype(np.intp)]
    for k in np.unique(stratum):
        x = best.x.copy()
        x[silent] = middles[k]
        here = _moved(objective, best, np.clip(x, *objective.limits))
        own = stratum == k
        out[own] = drawn(here, objective.scale, best.silent, rooted, normal[own], rng)
    out[:, silent] = values
    return out


def _moved(objective: Objective, best: Optimum, x: FloatArray) -> Optimum:
    """The optimum at another place (f,) of its silent entries; as it was if that is no optimum.

    Entries that say nothing one by one, as the weight of a second exponential like the first and
    its decay, may do so together.
    """
    value, gradient = objective(x)
    if not abs(value - best.value) < LITTLE:
        return best
    information = objective.information(x)
    if not (np.isfinite(gradient).all() and np.isfinite(information).all()):
        return best
    return replace(best, x=x, value=value, gradient=gradient, information=information)


def _prior_draws(objective: Objective, draws: int, rng: np.random.Generator) -> FloatArray:
    """Draws (draws, f) of the free entries from their priors."""
    drawn = [
        p.sample_prior(rng, draws).reshape(draws, -1) for p in objective.problem.layout.parameters
    ]
    return np.concatenate(drawn, axis=1)[:, objective.free]
