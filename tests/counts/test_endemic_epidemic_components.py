from datetime import date

import numpy as np
import pytest
from scipy import stats

from escalation.background import Background, Covariates, Interventions
from escalation.counts import EndemicEpidemic
from escalation.counts.component import Component, Neighbours, RandomIntercepts, RandomWalk
from escalation.kernels import OneLag
from escalation.parameters import Layout
from hard import START, weeks

ORDER = ((0, 1, 2), (1, 0, 1), (2, 1, 0))
WEEKS, STREAMS = 80, 3


LIKE = weeks(np.zeros((WEEKS, STREAMS)))


def covariates(by_stream=True, seed=3):
    shape = (WEEKS, STREAMS, 2) if by_stream else (WEEKS, 2)
    values = np.random.default_rng(seed).normal(size=shape)
    return Covariates.by_period(LIKE.edges, values, ("price", "rain"))


BOTH = Interventions(shifts=(date(2001, 7, 4),), spikes=(date(2001, 9, 11),))
SPECIFICATIONS = {
    "own and cross": {
        "own": Component(1, covariates=covariates(), shared=("covariate",)),
        "cross": Component(covariates=covariates(False), interventions=BOTH),
    },
    "shared background": {
        "background": Component(
            2, shared=True, offset=(0.3, -0.2, 1.0), trend=200.0, covariates=covariates()
        ),
    },
    "some harmonics, offset by day": {
        "background": Component(
            (2, 0, 1),
            offset=Covariates.by_period(LIKE.edges, np.linspace(0, 1, WEEKS)[:, None], ("log n",)),
        ),
        "dispersion": "shared",
    },
    "eras": {"eras": (date(2001, 8, 1), date(2002, 1, 5)), "own": Component(1)},
    "eras and arrows": {
        "eras": (date(2001, 8, 1),),
        "arrows": ((True, False, True), (True, True, False), (False, True, True)),
        "distribution": "poisson",
    },
    "adjacency": {"neighbours": Neighbours(ORDER, normalise=False), "own": Component(1)},
    "power law": {
        "neighbours": Neighbours(ORDER, "power law"),
        "own": Component(shared=True),
        "cross": Component(shared=("level",), covariates=covariates()),
    },
    "by order": {"neighbours": Neighbours(ORDER, "order", max_order=2)},
    "given": {"neighbours": Neighbours(((0, 0.2, 0.7), (1, 0, 0.3), (0, 0.8, 0)), "given")},
    "walks": {
        "background": Component(1, walk=RandomWalk(60.0)),
        "own": Component(walk=RandomWalk(100.0, scale=0.3)),
    },
    "random intercepts": {
        "background": Component(1, intercepts=RandomIntercepts(), shared=("season",)),
        "own": Component(intercepts=RandomIntercepts(0.4)),
        "cross": Component(intercepts=RandomIntercepts()),
        "neighbours": Neighbours(ORDER, "power law"),
    },
    "shock": {"shared_shock": True},
    "shock, Poisson": {
        "shared_shock": True,
        "distribution": "poisson",
        "cross": Component(1),
        "arrows": ((True, True, False), (True, True, True), (False, False, True)),
    },
}


def model(name, **others):
    return EndemicEpidemic(**({"lags": 3} | SPECIFICATIONS[name] | others))


def some_values(problem, rng):
    values = {k: v[0] for k, v in problem.layout.sample_prior(rng, 1).items()}
    values["level"] = values["level"] / 4
    for name in values:
        if "deviation" not in name and name.startswith(("own_", "cross_")):
            values[name] = values[name] / 2
    return values


@pytest.fixture
def series(rng):
    gap = ((date(2001, 10, 1), date(2001, 10, 4)),)
    return weeks(rng.negative_binomial(2, 0.4, (WEEKS, STREAMS)), gaps=gap)


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_the_gradient_is_that_of_finite_differences(name, series, rng):
    problem = model(name).problem(series)
    for _ in range(2):
        theta = problem.layout.pack(some_values(problem, rng))
        value, gradient = problem.evaluate(theta)
        assert np.isfinite(value)
        for i in problem.layout.free:
            step = 1e-6 * (np.arange(theta.size) == i)
            rise = problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]
            np.testing.assert_allclose(gradient[i], rise / 2e-6, rtol=5e-5, atol=5e-3)


@pytest.mark.parametrize("name", SPECIFICATIONS)
def test_single_periods_add_up_to_the_likelihood(name, series, rng):
    one = model(name)
    problem = one.problem(series)
    theta = problem.layout.pack(some_values(problem, rng))
    fit = fitted(one, series, theta)
    single = one.pointwise(fit, theta[None])[0]
    assert single.shape == (WEEKS, 1 if one.shared_shock else STREAMS)
    np.testing.assert_array_equal(~np.isnan(single[:, 0]), one.used(series))
    np.testing.assert_allclose(np.nansum(single), problem.evaluate(theta)[0], rtol=1e-9)


def fitted(one, series, theta):
    """A fit that holds one given vector, as an estimate and twice as a draw."""
    from escalation.fit import Fit

    layout = Layout(one.parameters(series))
    return Fit(
        one, series, layout.unpack(np.stack([theta, theta])), layout.unpack(theta), 0.0, {}, ""
    )


def test_the_mean_is_that_of_plain_loops(series, rng):
    one = model("own and cross", kernel=OneLag(), lags=1)
    problem = one.problem(series)
    values = some_values(problem, rng)
    theta = problem.layout.pack(values)
    mean = one.means(fitted(one, series, theta), theta[None])[0]
    both, own = covariates(False).values[::7], covariates().values[::7]
    days = np.array([(date(2001, 7, 4) - START).days, (date(2001, 9, 11) - START).days])
    for t in range(1, WEEKS):
        angle = 2 * np.pi * 7 * t / 365.25
        wave = np.array([np.sin(angle), np.cos(angle)])
        shift = np.clip((7 * (t + 1) - days[0]) / 7, 0, 1)
        spike = float(days[1] // 7 == t)
        for k in range(STREAMS):
            wanted = np.exp(values["level"][k] + values["season"][k] @ wave)
            factor = values["own_season"][k] @ wave + values["own_covariate"] @ own[t, k]
            wanted += values["reproduction"][k, k] * np.exp(factor) * series.counts[t - 1, k]
            factor = values["cross_covariate"][k] @ both[t]
            factor += values["cross_intervention"][k] @ [shift, spike]
            for j in range(STREAMS):
                if j != k:
                    part = values["reproduction"][k, j] * series.counts[t - 1, j]
                    wanted += part * np.exp(factor)
            np.testing.assert_allclose(mean[t, k], wanted * series.scale[t], rtol=1e-12)


def test_weights_of_neighbours_fall_with_the_order_and_sum_to_one_a_source(series, rng):
    one = model("power law")
    problem = one.problem(series)
    values = some_values(problem, rng) | {"distance_decay": 2.0, "cross_covariate": [0.0, 0.0]}
    fit = fitted(one, series, problem.layout.pack(values))
    found = one.additive(fit).moving.at(7)[0]
    np.testing.assert_allclose(np.diag(found), np.exp(values["own_level"]))
    off = (found - np.diag(np.diag(found))) / np.exp(values["cross_level"])
    np.testing.assert_allclose(off.sum(axis=0), 1)
    np.testing.assert_allclose(off[:, 0], [0, 0.8, 0.2])
    np.testing.assert_allclose(off[:, 1], [0.5, 0, 0.5])


def test_a_plain_component_is_the_background(series):
    for background in (Background(2, trend=150.0), Background(1, covariates=covariates(False))):
        plain = EndemicEpidemic(background=background, lags=2)
        fields = {n: getattr(background, n) for n in Background.__dataclass_fields__}
        wide = EndemicEpidemic(background=Component(**fields, offset=(0.0, 0.0, 0.0)), lags=2)
        first, second = plain.problem(series), wide.problem(series)
        assert first.core is not second.core
        for theta in first.starts:
            one, two = first.evaluate(theta), second.evaluate(theta)
            np.testing.assert_allclose(one[0], two[0], rtol=1e-12)
            np.testing.assert_allclose(one[1], two[1], rtol=1e-9, atol=1e-9)


def test_a_shock_that_does_not_vary_is_none(series, rng):
    for distribution in ("poisson", "negative binomial"):
        plain = EndemicEpidemic(lags=3, distribution=distribution).problem(series)
        shocked = EndemicEpidemic(lags=3, distribution=distribution, shared_shock=True).problem(
            series
        )
        values = some_values(plain, rng)
        wanted = plain.evaluate(plain.layout.pack(values))[0]
        found = shocked.evaluate(shocked.layout.pack(values | {"shock": 0.0}))[0]
        np.testing.assert_allclose(found, wanted, atol=2e-3)


@pytest.mark.parametrize("shock", [0.01, 0.3, 4.0])
@pytest.mark.parametrize("spread", [None, 0.01, 0.5, 3.0])
def test_the_shock_is_integrated_out(shock, spread):
    from escalation.likelihood.shared_shock import shocked_log_pmf

    cases = np.array([[0, 0, 0], [3, 0, 9], [1, 2, 0], [40, 0, 25], [500, 1, 0]])
    mean = np.array([[0.2, 1e-3, 2.0], [2.5, 0.7, 4.0], [30.0, 20.0, 50.0], [1.0, 1.0, 1.0],
                     [2.0, 1.0, 0.5]])  # fmt: skip
    psi = None if spread is None else np.full((1, 3), spread)
    found = shocked_log_pmf(cases, mean[None], psi, np.array([shock]))[0, :, 0]
    u = np.linspace(-120, 10, 26_001)
    density = stats.gamma(1 / shock, scale=shock).logpdf(np.exp(u)) + u
    for y, m, value in zip(cases, mean, found, strict=True):
        rate = np.exp(u)[:, None] * m
        law = stats.poisson(rate)
        if spread is not None:
            law = stats.nbinom(1 / spread, 1 / (1 + spread * rate))
        heights = density + law.logpmf(y).sum(axis=1)
        top = heights.max()
        area = np.exp(heights - top).sum() * (u[1] - u[0])
        np.testing.assert_allclose(value, top + np.log(area), rtol=1e-8, atol=1e-8)
