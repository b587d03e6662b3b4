"""Data that are hard to fit: the fit converges, or says plainly that it did not."""

from datetime import date

import numpy as np
import pytest

from escalation.background import Background, Covariates
from escalation.checks.general import convergence
from escalation.counts import (
    Component,
    EndemicEpidemic,
    Neighbours,
    RandomIntercepts,
    RandomWalk,
)
from escalation.engines import Laplace, MaximumLikelihood
from escalation.kernels import OneLag
from hard import weeks


def all_zero(rng):
    counts = rng.poisson(2.0, (120, 3))
    counts[:, 1] = 0
    return weeks(counts)


def huge(rng):
    counts = rng.poisson(1.0, (120, 3))
    counts[60, 0] = 500
    return weeks(counts)


def gaps(rng):
    counts = rng.poisson(2.0, (150, 3))
    counts[40:60] = 0
    days = (date(2001, 10, 8), date(2002, 2, 25)), (date(2003, 1, 7), date(2003, 1, 9))
    return weeks(counts, gaps=days)


SERIES = {
    "an empty stream": all_zero,
    "one huge week": huge,
    "twenty weeks": lambda rng: weeks(rng.poisson(1.5, (20, 3))),
    "twelve streams": lambda rng: weeks(rng.poisson(0.7, (150, 12))),
    "gaps": gaps,
}
ORDER = tuple(tuple(abs(i - j) for j in range(3)) for i in range(3))
TWELVE = tuple(tuple(abs(i - j) for j in range(12)) for i in range(12))


def models(streams):
    order = ORDER if streams == 3 else TWELVE
    common = {"kernel": OneLag(), "lags": 1}
    return {
        "plain": EndemicEpidemic(background=Background(0), **common),
        "components": EndemicEpidemic(own=Component(1), cross=Component(1), **common),
        "neighbours": EndemicEpidemic(
            background=Component(shared=("season",)), neighbours=Neighbours(order, "power law"),
            own=Component(shared=True), cross=Component(shared=True), **common,
        ),
        "eras": EndemicEpidemic(background=Background(0), eras=(date(2001, 3, 20),), **common),
        "shock": EndemicEpidemic(background=Background(0), shared_shock=True, **common),
    }  # fmt: skip


def says_so(fit):
    """Whether the fit is finite, and says that it has not converged if it has not."""
    assert np.isfinite(fit.log_likelihood)
    for values in (*fit.draws.values(), *fit.estimate.values()):
        assert np.isfinite(values).all()
    told = convergence(fit)
    return fit.diagnostics["converged"] or told.status == "failed"


ENGINES = {"likelihood": MaximumLikelihood(draws=50), "Laplace": Laplace(draws=50)}
NAMES = ("plain", "components", "neighbours", "eras", "shock")
# Where the likelihood is flat, as in twenty weeks, maximum likelihood refits a hundred times.
CASES = [(data, name, "Laplace") for data in SERIES for name in NAMES]
CASES += [(data, name, "likelihood") for data in ("an empty stream", "gaps") for name in NAMES]
CASES += [(data, "plain", "likelihood") for data in ("twenty weeks", "twelve streams")]
CASES += [("one huge week", name, "likelihood") for name in ("plain", "neighbours", "shock")]


@pytest.mark.slow
@pytest.mark.parametrize(("data", "name", "engine"), CASES)
def test_a_fit_converges_or_says_that_it_did_not(data, name, engine, rng):
    series = SERIES[data](rng)
    assert says_so(models(series.n_streams)[name].fit(series, ENGINES[engine]))


@pytest.mark.slow
def test_collinear_covariates_are_told(rng):
    series = weeks(rng.poisson(2.0, (100, 2)))
    x = rng.normal(size=100)
    twice = Covariates.by_period(series.edges, np.stack([x, 2 * x], axis=1), ("x", "twice"))
    model = EndemicEpidemic(
        background=Background(0, covariates=twice), arrows=((True, False), (False, True)),
        kernel=OneLag(), lags=1,
    )  # fmt: skip
    fit = model.fit(series, MaximumLikelihood(draws=50))
    assert says_so(fit)
    assert fit.diagnostics["singular"]
    assert convergence(fit).status == "warned"
    # The prior settles what the data leave open.
    assert says_so(model.fit(series, Laplace(draws=50)))


def test_priors_with_neighbours_keep_explosive_processes_rare(rng):
    for streams in (2, 6, 17):
        order = tuple(tuple(abs(i - j) for j in range(streams)) for i in range(streams))
        for own in (
            Component(),
            Component(shared=True),
            Component(intercepts=RandomIntercepts(0.3)),
        ):
            model = EndemicEpidemic(
                neighbours=Neighbours(order, "power law"), own=own, cross=Component(shared=True)
            )
            series = weeks(np.ones((40, streams)))
            problem = model.problem(series)
            values = problem.layout.sample_prior(rng, 1000)
            theta = np.concatenate([v.reshape(1000, -1) for v in values.values()], axis=1)
            layout = problem.layout
            matrix = model.structure.base(layout, theta, streams)[:, 0]
            diagonal = np.eye(streams, dtype=bool)
            _, first, second = model.structure.predictors
            factor = [
                np.exp(one.log_rates(layout, theta, series, series.edges)[:, 0])[:, :, None]
                for one in (first, second)
            ]
            matrix = np.where(diagonal, matrix * factor[0], matrix * factor[1])
            assert (np.abs(np.linalg.eigvals(matrix)).max(axis=1) >= 1).mean() < 0.01


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eras": (date(2002, 1, 1), date(2001, 1, 1))}, "eras must be different dates in order"),
        (
            {"neighbours": Neighbours(ORDER), "eras": (date(2002, 1, 1),)},
            "with neighbours there are neither arrows nor eras",
        ),
        ({"own": Component(intercepts=RandomIntercepts())}, "random intercepts of own want neigh"),
    ],
)
def test_settings_that_contradict_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        EndemicEpidemic(**settings)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Component(shared=("height",)), "shared names level, season"),
        (lambda: Component((1, 2), shared=True), "a shared season wants one number"),
        (lambda: Component(shared=True, intercepts=RandomIntercepts()), "do not share it too"),
        (lambda: Neighbours(((0, 1),)), "order must be a square matrix"),
        (lambda: Neighbours(ORDER, "distance"), "weights must be adjacency, power law"),
        (lambda: Neighbours(((0, 0.5), (0.5, 0))), "orders are whole numbers"),
        (lambda: Neighbours(((0, -1), (1, 0))), "order must not be negative"),
        (lambda: RandomWalk(step=0), "step of a random walk must be positive"),
        (lambda: RandomIntercepts(scale=-1.0), "scale of random intercepts must be positive"),
    ],
)
def test_faulty_specifications_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_what_does_not_fit_the_series_is_refused():
    series = weeks(np.ones((40, 2)))
    with pytest.raises(ValueError, match="offset names 3 streams, the series has 2"):
        EndemicEpidemic(background=Component(offset=(1.0, 2.0, 3.0))).fit(series)
    with pytest.raises(ValueError, match="order names 3 streams, the series has 2"):
        EndemicEpidemic(neighbours=Neighbours(ORDER)).fit(series)
