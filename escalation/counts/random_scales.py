"""Scales of random walks and random intercepts, chosen by how probable they make the series.

The joint maximum of a scale and of the innovations that it multiplies means nothing: it runs to
the largest scale that the prior allows. Laplace's approximation of the integral over everything
else does not: it is the marginal likelihood of the scale (as `hhh4` does it for its random effects;
Rue, Martino & Chopin 2009, Journal of the Royal Statistical Society B 71(2)).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from escalation.background import Background
from escalation.counts.component import Component
from escalation.engines import NUTS, Laplace
from escalation.engines.base import Engine
from escalation.parameters import FloatArray, Layout
from escalation.priors import HalfNormal, Prior
from escalation.series import CountSeries

if TYPE_CHECKING:
    from escalation.counts.endemic_epidemic import EndemicEpidemic
    from escalation.counts.latent import Latent
    from escalation.engines.nested import NestedLaplace
    from escalation.fit import Fit

    type RandomModel = EndemicEpidemic | Latent

#: Scales that are tried, in units of the prior's.
GRID = np.geomspace(0.05, 3.0, 9)
#: Rounds over several numbers.
ROUNDS = 2


@dataclass(frozen=True)
class FreeScale:
    """A number of a random term that the data are to choose: a scale, a persistence, a length.

    Attributes
    ----------
    place : tuple of str
        Where it stands in the model: ("background", "walk", "scale"), say.
    parameter : str
    prior : Prior
    grid : ndarray (n,)
        Values that are tried; even in the log, or in the log-odds of a number below 1.
    unit : bool
        Whether it lies between 0 and 1.
    """

    place: tuple[str, ...]
    parameter: str
    prior: Prior
    grid: FloatArray
    unit: bool = False

    @property
    def start(self) -> float:
        """Where the search begins."""
        return float(self.grid[len(self.grid) // 2 + 1])

    def stretch(self, values: FloatArray) -> FloatArray:
        """Values on the scale that the grid is even in."""
        logs = np.log(values)
        return np.asarray(logs - np.log1p(-values) if self.unit else logs)

    def back(self, stretched: float) -> float:
        """Inverse of `stretch`."""
        value = np.exp(stretched)
        return float(value / (1 + value) if self.unit else value)

    def log_prior(self) -> FloatArray:
        """Log of the prior of each value tried, on the scale that the grid is even in."""
        slope = np.log(self.grid) + (np.log1p(-self.grid) if self.unit else 0.0)
        return self.prior.log_density(self.grid) + slope


def free_scales(model: RandomModel) -> tuple[FreeScale, ...]:
    """Numbers of random terms that are not given."""
    numbers = getattr(model, "free_numbers", None)
    if numbers is not None:
        return cast("tuple[FreeScale, ...]", numbers())
    out = []
    for name, prefix in (("background", ""), ("own", "own_"), ("cross", "cross_")):
        component = getattr(model, name)
        for term, suffix in (("walk", "walk_scale"), ("intercepts", "level_spread")):
            random = getattr(component, term, None)
            if random is not None and random.scale is None:
                prior = HalfNormal(random.prior_scale)
                grid = GRID * random.prior_scale
                out.append(FreeScale((name, term, "scale"), prefix + suffix, prior, grid))
    return tuple(out)


def with_scale(model: RandomModel, which: FreeScale, value: float) -> RandomModel:
    """The model with one number given."""
    owners: list[Any] = [model]
    for name in which.place[:-1]:
        owners.append(getattr(owners[-1], name))
    found: Any = float(value)
    for owner, name in zip(reversed(owners), reversed(which.place), strict=True):
        found = replace(owner, **{name: found})
    return cast("RandomModel", found)


def evidences(
    model: RandomModel, which: FreeScale, series: CountSeries, scales: FloatArray
) -> FloatArray:
    """Log of the probability of the series under each of some scales, by Laplace's formula."""
    engine = Laplace(draws=1, starts=1)
    problems = [with_scale(model, which, scale).problem(series) for scale in scales]
    found = [engine.run(problem, np.random.default_rng(0)) for problem in problems]
    return np.array([one.diagnostics["evidence"] for one in found])


def choose(
    model: RandomModel, series: CountSeries
) -> tuple[RandomModel, dict[str, float], dict[str, tuple[FloatArray, FloatArray]]]:
    """The model with every free scale given.

    Returns
    -------
    model : EndemicEpidemic or Latent
    chosen : dict of float
        The most probable scale, by the parameter's name.
    tried : dict of (ndarray, ndarray)
        Scales that were tried and their log-evidence, the other scales as chosen.
    """
    free = free_scales(model)
    chosen = {one.parameter: one.start for one in free}
    tried: dict[str, tuple[FloatArray, FloatArray]] = {}
    for _ in range(ROUNDS if len(free) > 1 else 1):
        for which in free:
            rest = model
            for other in free:
                if other is not which:
                    rest = with_scale(rest, other, chosen[other.parameter])
            found = evidences(rest, which, series, which.grid)
            tried[which.parameter] = (which.grid, found)
            chosen[which.parameter] = _peak(which, found)
    for which in free:
        model = with_scale(model, which, chosen[which.parameter])
    return model, chosen, tried


def _peak(which: FreeScale, heights: FloatArray) -> float:
    """Where a parabola through the highest point and its neighbours peaks."""
    at = int(np.argmax(heights))
    if at in (0, len(heights) - 1):
        return float(which.grid[at])
    x, y = which.stretch(which.grid)[at - 1 : at + 2], heights[at - 1 : at + 2]
    second, first, _ = np.polyfit(x - x[1], y, 2)
    move = np.clip(-first / (2 * second), x[0] - x[1], x[2] - x[1]) if second < 0 else 0.0
    return which.back(float(x[1] + move))


def fit_by(
    plain: Callable[[Any, Engine | None, np.random.Generator | None], Fit],
    model: RandomModel,
    series: CountSeries,
    engine: Engine,
    rng: np.random.Generator | None,
) -> Fit:
    """A fit whose free numbers the sampler draws, Laplace averages, and the others choose.

    Parameters
    ----------
    plain : callable
        The model's fit where there are none.
    model : EndemicEpidemic or Latent
    series : CountSeries
    engine : Engine
    rng : numpy.random.Generator or None
        Seeded with 0 if not given.
    """
    if isinstance(engine, Laplace):
        within = nested_engine(model, engine)
        if within is not None:
            return averaged(plain(series, within, rng))
    if engine.name == NUTS.name or not free_scales(model):
        return plain(series, engine, rng)
    rng = np.random.default_rng(0) if rng is None else rng
    if isinstance(engine, Laplace):
        return fit_averaged(model, series, engine, rng)
    return fit_given(model, series, engine, rng)


def fit_given(
    model: RandomModel, series: CountSeries, engine: Engine, rng: np.random.Generator
) -> Fit:
    """Maximum likelihood with the scales at their most probable values, which the model states."""
    given, chosen, _ = choose(model, series)
    fit = given.fit(series, engine, rng)
    return replace(fit, diagnostics={**fit.diagnostics, "random_scales": chosen})


def nested_engine(model: RandomModel, engine: Laplace) -> NestedLaplace | None:
    """The engine that integrates a model's paths out first; None where it has none for it."""
    from escalation.counts.component_marginal import ComponentLaplace, integrable
    from escalation.counts.latent_marginal import LatentLaplace

    if hasattr(model, "free_numbers"):
        return LatentLaplace(engine.draws)
    return ComponentLaplace(engine.draws) if integrable(model) else None


def averaged(fit: Fit) -> Fit:
    """A fit over whose free numbers an engine averaged, with their means among its diagnostics."""
    names = [one.parameter for one in free_scales(cast("RandomModel", fit.model))]
    if not names:
        return fit
    means = {name: float(fit.estimate[name]) for name in names}
    return replace(fit, diagnostics={**fit.diagnostics, "random_scales": means})


def fit_averaged(
    model: RandomModel, series: CountSeries, engine: Laplace, rng: np.random.Generator
) -> Fit:
    """Laplace's draws averaged over the scales, each weighted by evidence and prior."""
    from escalation.fit import Fit

    free = free_scales(model)
    _, chosen, tried = choose(model, series)
    scales = np.empty((engine.draws, len(free)))
    for i, which in enumerate(free):
        grid, found = tried[which.parameter]
        weight = found + which.log_prior()
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


def refuse_free_scales(name: str, components: Sequence[Background], engine: Engine | None) -> None:
    """``ValueError`` where a scale is left to the data and the engine is not the sampler.

    The joint maximum of a scale and of what it multiplies means nothing.

    Parameters
    ----------
    name : str
        Of the model, for the message.
    components : sequence of Background
    engine : Engine or None
        None: maximum likelihood.
    """
    free = any(
        random is not None and random.scale is None
        for one in components
        if isinstance(one, Component)
        for random in (one.walk, one.intercepts)
    )
    if free and (engine is None or engine.name != NUTS.name):
        raise ValueError(
            f"a random walk or random intercepts of {name} want a given scale, or NUTS"
        )
