"""Scales of random walks and random intercepts, chosen by how probable they make the series.

The joint maximum of a scale and of the innovations that it multiplies means nothing: it runs to
the largest scale that the prior allows. Laplace's approximation of the integral over everything
else does not: it is the marginal likelihood of the scale (as `hhh4` does it for its random effects;
Rue, Martino & Chopin 2009, Journal of the Royal Statistical Society B 71(2)).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from escalation.counts.component import Component
from escalation.engines import Laplace
from escalation.engines.base import Engine
from escalation.parameters import FloatArray, HalfNormal, Layout
from escalation.series import CountSeries

if TYPE_CHECKING:
    from escalation.counts.endemic_epidemic import EndemicEpidemic
    from escalation.fit import Fit

#: Scales that are tried, in units of the prior's.
GRID = np.geomspace(0.05, 3.0, 9)
#: Rounds over several scales.
ROUNDS = 2


@dataclass(frozen=True)
class FreeScale:
    """A scale that the data are to choose: of which component's which term.

    Attributes
    ----------
    component : {"background", "own", "cross"}
    term : {"walk", "intercepts"}
    parameter : str
    prior_scale : float
    """

    component: str
    term: str
    parameter: str
    prior_scale: float


def free_scales(model: EndemicEpidemic) -> tuple[FreeScale, ...]:
    """Scales of random terms that are not given."""
    out = []
    for name, prefix in (("background", ""), ("own", "own_"), ("cross", "cross_")):
        component = getattr(model, name)
        for term, suffix in (("walk", "walk_scale"), ("intercepts", "level_spread")):
            random = getattr(component, term, None)
            if random is not None and random.scale is None:
                out.append(FreeScale(name, term, prefix + suffix, random.prior_scale))
    return tuple(out)


def with_scale(model: EndemicEpidemic, which: FreeScale, scale: float) -> EndemicEpidemic:
    """The model with one scale given."""
    component: Component = getattr(model, which.component)
    term: Any = replace(getattr(component, which.term), scale=float(scale))
    changed: Any = {which.component: replace(component, **{which.term: term})}
    return replace(model, **changed)


def evidences(
    model: EndemicEpidemic, which: FreeScale, series: CountSeries, scales: FloatArray
) -> FloatArray:
    """Log of the probability of the series under each of some scales, by Laplace's formula."""
    engine = Laplace(draws=1, starts=1)
    fits = [with_scale(model, which, scale).fit(series, engine) for scale in scales]
    return np.array([fit.diagnostics["evidence"] for fit in fits])


def choose(
    model: EndemicEpidemic, series: CountSeries
) -> tuple[EndemicEpidemic, dict[str, float], dict[str, tuple[FloatArray, FloatArray]]]:
    """The model with every free scale given.

    Returns
    -------
    model : EndemicEpidemic
    chosen : dict of float
        The most probable scale, by the parameter's name.
    tried : dict of (ndarray, ndarray)
        Scales that were tried and their log-evidence, the other scales as chosen.
    """
    free = free_scales(model)
    chosen = {one.parameter: one.prior_scale / 2 for one in free}
    tried: dict[str, tuple[FloatArray, FloatArray]] = {}
    for _ in range(ROUNDS if len(free) > 1 else 1):
        for which in free:
            rest = model
            for other in free:
                if other is not which:
                    rest = with_scale(rest, other, chosen[other.parameter])
            scales = GRID * which.prior_scale
            found = evidences(rest, which, series, scales)
            tried[which.parameter] = (scales, found)
            chosen[which.parameter] = _peak(scales, found)
    for which in free:
        model = with_scale(model, which, chosen[which.parameter])
    return model, chosen, tried


def _peak(scales: FloatArray, heights: FloatArray) -> float:
    """Where a parabola through the highest point and its neighbours peaks, in the log scale."""
    at = int(np.argmax(heights))
    if at in (0, len(scales) - 1):
        return float(scales[at])
    x, y = np.log(scales[at - 1 : at + 2]), heights[at - 1 : at + 2]
    second, first, _ = np.polyfit(x - x[1], y, 2)
    move = np.clip(-first / (2 * second), x[0] - x[1], x[2] - x[1]) if second < 0 else 0.0
    return float(np.exp(x[1] + move))


def fit_given(
    model: EndemicEpidemic, series: CountSeries, engine: Engine, rng: np.random.Generator
) -> Fit:
    """Maximum likelihood with the scales at their most probable values, which the model states."""
    given, chosen, _ = choose(model, series)
    fit = given.fit(series, engine, rng)
    return replace(fit, diagnostics={**fit.diagnostics, "random_scales": chosen})


def fit_averaged(
    model: EndemicEpidemic, series: CountSeries, engine: Laplace, rng: np.random.Generator
) -> Fit:
    """Laplace's draws averaged over the scales, each weighted by evidence and prior."""
    from escalation.fit import Fit

    free = free_scales(model)
    _, chosen, tried = choose(model, series)
    scales = np.empty((engine.draws, len(free)))
    for i, which in enumerate(free):
        grid, found = tried[which.parameter]
        prior = HalfNormal(which.prior_scale).log_density(grid)
        # The grid is even in the log of the scale.
        weight = found + prior + np.log(grid)
        weight = np.exp(weight - weight.max())
        scales[:, i] = rng.choice(grid, engine.draws, p=weight / weight.sum())
    layout = Layout(model.parameters(series))
    theta = np.empty((engine.draws, layout.size))
    rows, told = np.unique(scales, axis=0, return_inverse=True)
    last: Any = None
    for row, values in enumerate(rows):
        given = model
        for which, value in zip(free, values, strict=True):
            given = with_scale(given, which, value)
        mine = np.flatnonzero(told == row)
        last = given.fit(series, replace(engine, draws=len(mine)), rng)
        named = {
            which.parameter: np.full(len(mine), v) for which, v in zip(free, values, strict=True)
        }
        columns = [
            {**last.draws, **named}[p.name].reshape(len(mine), p.size) for p in layout.parameters
        ]
        theta[mine] = np.concatenate(columns, axis=1)
    estimate = theta.mean(axis=0)
    value, _ = model.problem(series).evaluate(estimate)
    return Fit(
        model=model,
        series=series,
        draws=layout.unpack(theta),
        estimate=layout.unpack(estimate),
        log_likelihood=float(value),
        diagnostics={**last.diagnostics, "random_scales": chosen},
        engine=engine.name,
    )
