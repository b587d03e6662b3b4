"""The hurdle model of counts: its likelihood, its answers, and hard data."""

import csv
import json
from dataclasses import replace
from datetime import date
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from scipy import special, stats

from escalation.background import Background, Covariates
from escalation.checks import check
from escalation.counts import Component, Hurdle, RandomIntercepts, RandomWalk
from escalation.counts.hurdle_paths import begun
from escalation.counts.truncated import draw_truncated, log_probabilities, truncated_mean
from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.kernels import Exponential, OneLag
from escalation.series import CountSeries
from hard import START, collinear, hard_counts, weeks

TESTS = Path(__file__).parents[1]
BIOCHEMISTS = json.loads((TESTS / "references/published.json").read_text("utf-8"))["bioChemists"]
FILE = TESTS.parents[1] / "shared/references/data/pscl_bioChemists.csv"
FLAT = Background(harmonics=0)
TRUTH = {
    "occurrence_level": np.array([-0.8, 0.2]),
    "occurrence_season": np.array([[0.3, 0.1], [0.0, -0.2]]),
    "size_level": np.array([0.3, 0.8]),
    "size_season": np.array([[0.1, -0.3], [0.2, 0.0]]),
    "occurrence_influence": np.array([[0.8, 0.2], [-0.7, 0.5]]),
    "size_influence": np.array([[0.3, 0.1], [-0.3, 0.3]]),
    "dispersion": np.array([0.2, 0.6]),
    "decay": np.array(0.7),
}


def only(model, series):
    """The true values that the model has parameters for."""
    return {p.name: TRUTH[p.name] for p in model.parameters(series)}


@pytest.fixture
def series(rng):
    model = Hurdle(lags=1)
    empty = weeks(np.zeros((300, 2)), names=["strikes", "attacks"])
    return model.simulate(only(model, empty), empty, rng)


@pytest.fixture
def gappy(rng):
    counts = rng.poisson([0.6, 2.0], (120, 2))
    counts[30:32] = 0
    gap = ((date(2001, 7, 30), date(2001, 8, 13)), (date(2002, 5, 8), date(2002, 5, 10)))
    return weeks(counts, names=["strikes", "attacks"], gaps=gap)


def naive(model, values, series):
    """Log-likelihood by loops, in the words of the class."""
    counts, scale = series.counts, series.scale
    whole = scale > 1 - 1e-9
    logs = np.log(1 + counts.astype(float))
    logs[~whole] = logs[whole].mean(axis=0)
    reach = model.reach
    weights = model.kernel.pmf(np.reshape(values.get("decay", np.zeros(0)), (-1,)), model.lags)
    times = 7.0 * np.arange(len(series))
    total = 0.0
    for t in range(reach, len(series)):
        if scale[t] == 0 or not whole[t - reach : t].all():
            continue
        past = sum((w * logs[t - 1 - lag] for lag, w in enumerate(weights[:reach])), np.zeros(2))
        predicted = []
        for part in ("occurrence", "size"):
            background = getattr(model, part)
            design = background.design(times[t : t + 1], series.window.days, START, times[t:][:1])
            season = values.get(f"{part}_season", np.zeros((2, 0)))
            own = np.concatenate([values[f"{part}_level"][:, None], season], axis=1) @ design[0]
            predicted.append(own + values.get(f"{part}_influence", np.zeros((2, 2))) @ past)
        empty = (1 - special.expit(predicted[0])) ** scale[t]
        mean = scale[t] * np.exp(predicted[1])
        if model.distribution == "poisson":
            law = stats.poisson(mean)
        else:
            size = 1 / values["dispersion"]
            law = stats.nbinom(size, size / (size + mean))
        above = np.log(1 - empty) + law.logpmf(counts[t]) - np.log(1 - law.pmf(0))
        total += np.where(counts[t] == 0, np.log(empty), above).sum()
    return total


MODELS = [
    Hurdle(kernel=kernel, influence=influence, distribution=distribution, lags=4)
    for (kernel, influence), distribution in product(
        [(OneLag(), "both"), (Exponential(), "both"), (Exponential(), "size"), (OneLag(), "none")],
        ["negative binomial", "poisson"],
    )
]
NAMED = pytest.mark.parametrize(
    "model", MODELS, ids=lambda m: f"{m.kernel.name} {m.influence} {m.distribution}"
)


@NAMED
def test_the_likelihood_is_that_of_plain_loops(model, gappy):
    problem = model.problem(gappy)
    values = only(model, gappy)
    value, _ = problem.evaluate(problem.layout.pack(values))
    np.testing.assert_allclose(value, naive(model, values, gappy), rtol=1e-11)


@NAMED
def test_the_gradient_is_that_of_finite_differences(model, gappy, rng):
    agrees_with_differences(model, gappy, rng)


def agrees_with_differences(model, series, rng):
    problem = model.problem(series)
    for _ in range(2):
        values = {k: v[0] for k, v in problem.layout.sample_prior(rng, 1).items()}
        theta = problem.layout.pack(values)
        value, gradient = problem.evaluate(theta)
        assert np.isfinite(value)
        for i in problem.layout.free:
            step = 1e-6 * (np.arange(theta.size) == i)
            rise = problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]
            np.testing.assert_allclose(gradient[i], rise / 2e-6, rtol=2e-5, atol=2e-3)


def test_components_enter_both_parts(gappy, rng):
    model = Hurdle(
        occurrence=Component(1, shared=("season",), intercepts=RandomIntercepts()),
        size=Component(0, walk=RandomWalk(60.0), offset=(0.5, -0.5)),
        arrows=((True, False), (True, True)),
        dispersion="shared",
        lags=2,
    )
    agrees_with_differences(model, gappy, rng)
    values = {k: v[0] for k, v in model.problem(gappy).layout.sample_prior(rng, 1).items()}
    assert model.simulate(values, gappy, rng).counts.shape == gappy.counts.shape
    with pytest.raises(ValueError, match="want a given scale, or NUTS"):
        model.fit(gappy)


@pytest.mark.parametrize("psi", [0.0, 0.4, 3.0])
@pytest.mark.parametrize("mean", [1e-6, 0.4, 6.0])
def test_truncated_draws_have_their_law(mean, psi, rng):
    copies = draw_truncated(np.full((2, 40_000, 1), mean) * [[[1.0]], [[1.5]]],
                            np.full((40_000, 1), psi), rng)  # fmt: skip
    for scale, drawn in zip((1.0, 1.5), copies[..., 0], strict=True):
        law = stats.poisson(mean * scale)
        if psi:
            law = stats.nbinom(1 / psi, 1 / (1 + psi * mean * scale))
        values = np.arange(1, 3000)
        chance = law.pmf(values) / -np.expm1(law.logpmf(0))
        assert drawn.min() >= 1
        np.testing.assert_allclose(truncated_mean(np.array(mean * scale), psi), chance @ values,
                                   rtol=1e-6)  # fmt: skip
        # Chi-squared over cells of at least ten expected draws; twice nine of these, at 1e-5 each.
        large = np.flatnonzero(chance * len(drawn) >= 10)[-1] + 1
        seen = np.bincount(np.minimum(drawn, large + 1).astype(int), minlength=large + 2)[1:]
        expected = len(drawn) * np.append(chance[:large], 1 - chance[:large].sum())
        keep = expected > 1e-6
        worth = stats.chi2.sf((((seen - expected) ** 2)[keep] / expected[keep]).sum(), keep.sum())
        assert worth > 1e-5


@NAMED
def test_single_periods_sum_to_the_log_likelihood(model, gappy):
    fit = model.fit(gappy, MaximumLikelihood(draws=5, starts=1))
    single = model.pointwise(fit)
    np.testing.assert_allclose(np.nansum(single), fit.log_likelihood, rtol=1e-10)
    np.testing.assert_array_equal(~np.isnan(single[0]).any(axis=1), model.used(gappy))
    assert model.pointwise(fit, fit.theta).shape == (5, *gappy.counts.shape)
    assert not np.isnan(model.means(fit)[:, model.reach :]).any()


def test_a_longer_series_keeps_what_the_fitted_one_fixed(series):
    early, _ = series.split(date(2004, 1, 5))
    model = Hurdle(lags=2, size=Background(trend=300.0))
    fit = model.fit(early, MaximumLikelihood(draws=3, starts=1))
    both = model.pointwise(fit), model.pointwise(fit, series=series)
    np.testing.assert_allclose(both[1][:, : len(early)], both[0], rtol=1e-12)
    assert np.isfinite(both[1][:, len(early) :]).all()


def biochemists():
    if not FILE.exists():
        pytest.skip("no folder of reference data beside the repository")
    with FILE.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    names = ("fem", "mar", "kid5", "phd", "ment")
    kinds = {"Men": 0, "Women": 1, "Single": 0, "Married": 1}
    values = [[float(kinds.get(row[name], row[name])) for name in names] for row in rows]
    covariates = Covariates(START, np.array(values), names)
    articles = np.array([int(row["art"]) for row in rows])
    return CountSeries.from_counts(articles, START, "day"), covariates


@pytest.mark.parametrize("distribution", ["poisson", "negative binomial"])
def test_the_published_log_likelihoods_are_reached(distribution):
    series, covariates = biochemists()
    both = Background(harmonics=0, covariates=covariates)
    model = Hurdle(occurrence=both, size=both, influence="none", distribution=distribution)
    fit = model.fit(series, MaximumLikelihood(draws=5, starts=1))
    assert fit.log_likelihood == pytest.approx(BIOCHEMISTS[distribution], abs=1e-5)
    assert model.used(series).all() and fit.diagnostics["converged"]


def test_maximum_likelihood_is_that_of_statsmodels(series):
    import statsmodels.api as sm
    from statsmodels.discrete.truncated_model import (
        TruncatedLFNegativeBinomialP,
        TruncatedLFPoisson,
    )

    regressors = np.column_stack([np.ones(len(series) - 1), np.log1p(series.counts[:-1])])
    laws = {"poisson": TruncatedLFPoisson, "negative binomial": TruncatedLFNegativeBinomialP}
    for distribution, law in laws.items():
        model = Hurdle(occurrence=FLAT, size=FLAT, lags=1, distribution=distribution)
        fit = model.fit(series, MaximumLikelihood(draws=2000))
        total = 0.0
        for k in range(2):
            some = series.counts[1:, k] > 0
            told = sm.Logit(some, regressors).fit(disp=0, tol=1e-12)
            row = [fit.estimate["occurrence_level"][k], *fit.estimate["occurrence_influence"][k]]
            np.testing.assert_allclose(row, told.params, atol=1e-5)
            errors = fit.draws["occurrence_influence"][:, k].std(axis=0)
            np.testing.assert_allclose(errors, told.bse[1:], rtol=0.1)
            row = [fit.estimate["size_level"][k], *fit.estimate["size_influence"][k]]
            if distribution != "poisson":
                row.append(fit.estimate["dispersion"][k])
            above = law(series.counts[1:, k][some], regressors[some])
            total += told.llf + above.loglike(np.array(row))
            # No small step from our maximum leads higher.
            for step in np.concatenate([np.eye(len(row)), -np.eye(len(row))]) * 1e-3:
                assert above.loglike(row + step) < above.loglike(np.array(row))
        assert fit.log_likelihood == pytest.approx(total, abs=1e-6)


def test_the_means_are_sums_over_the_law(series):
    model = Hurdle(lags=1)
    fit = model.fit(series, MaximumLikelihood(draws=1, starts=1))
    longer = [weeks(np.concatenate([series.counts, [[y, y]]]), names=series.names)
              for y in range(150)]  # fmt: skip
    logs = np.array([model.pointwise(fit, series=one)[0, -1] for one in longer])
    np.testing.assert_allclose(np.exp(logs).sum(axis=0), 1.0, rtol=1e-9)
    wanted = np.arange(150) @ np.exp(logs)
    np.testing.assert_allclose(model.means(fit, series=longer[0])[0, -1], wanted, rtol=1e-9)
    chance = model.probabilities(fit, series=longer[0])[0, -1]
    np.testing.assert_allclose(chance, 1 - np.exp(logs[0]), rtol=1e-9)
    alone = replace(fit, draws={k: v[None] for k, v in fit.estimate.items()})
    forecast = alone.forecast(1, np.random.default_rng(0), draws=20_000)
    # Five standard errors of the share of empty weeks, and of the mean.
    np.testing.assert_allclose((forecast.draws[:, 0] > 0).mean(axis=0), chance, atol=0.018)
    spread = np.sqrt(np.arange(150) ** 2 @ np.exp(logs) - wanted**2)
    assert (np.abs(forecast.mean[0] - wanted) < 5 * spread / np.sqrt(20_000)).all()


@pytest.mark.slow
@pytest.mark.parametrize("kernel", [OneLag(), Exponential()], ids=lambda kernel: kernel.name)
def test_the_truth_is_recovered(kernel):
    model = Hurdle(kernel=kernel, lags=1 if isinstance(kernel, OneLag) else 6)
    empty = weeks(np.zeros((520, 2)))
    truth, scores, inside = only(model, empty), [], []
    for seed in range(20):
        drawn = model.simulate(truth, empty, np.random.default_rng(seed))
        fit = model.fit(drawn, MaximumLikelihood(draws=400, starts=2))
        for name, values in truth.items():
            draws = fit.draws[name].reshape(400, -1)
            scores += list((draws.mean(axis=0) - values.ravel()) / draws.std(axis=0))
            lower, upper = np.quantile(draws, [0.05, 0.95], axis=0)
            inside += list((lower <= values.ravel()) & (values.ravel() <= upper))
    # Some 400 intervals, dependent within a set: three standard errors of half as many.
    assert abs(np.mean(inside) - 0.9) < 3 * np.sqrt(0.09 / (len(inside) / 2))
    assert abs(np.median(scores)) < 0.2


def test_responses_signs_and_refusals(series):
    model = Hurdle(lags=1)
    fit = model.fit(series, MaximumLikelihood(draws=60))
    told = model.response(fit, "strikes", 4, draws=60, paths=5)
    assert told.further.shape == (60, 4, 2)
    more = weeks(series.counts + np.eye(2, dtype=int)[0] * (np.arange(300) == 299)[:, None])
    ahead = [np.concatenate([one.counts, [[0, 0]]]) for one in (series, more)]
    first, other = (model.means(fit, fit.theta, weeks(one))[:, -1] for one in ahead)
    np.testing.assert_allclose(told.further[:, 0], other - first, rtol=1e-9, atol=1e-12)
    assert model.signs(fit).below[1, 0] > 0.8 and model.signs(fit, "occurrence").below[1, 0] > 0.9
    with pytest.raises(ValueError, match="not defined for Hurdle; use response"):
        fit.dynamics()
    with pytest.raises(ValueError, match="no stream 'raids'"):
        model.response(fit, "raids")
    still = replace(model, influence="none")
    with pytest.raises(ValueError, match="no influence on size"):
        still.signs(fit)
    with pytest.raises(ValueError, match="influence must be one of"):
        Hurdle(influence="neither")
    assert check(fit).table().height >= 2


def test_replicates_keep_the_head_and_the_zeros(series, rng):
    model = Hurdle(lags=2)
    fit = model.fit(series, MaximumLikelihood(draws=20))
    copies = fit.replicate(rng, 200)
    np.testing.assert_array_equal(copies[:, :2], np.repeat(series.counts[None, :2], 200, axis=0))
    np.testing.assert_allclose((copies == 0).mean(axis=(0, 1)), (series.counts == 0).mean(axis=0),
                               atol=0.04)  # fmt: skip
    np.testing.assert_allclose(copies.mean(axis=(0, 1)), series.counts.mean(axis=0), rtol=0.15)


def test_part_of_a_week_is_as_parts_of_it(rng):
    odds = np.array([-3.0, 0.5])
    empty, _ = log_probabilities(odds, np.ones(2))
    parts = [log_probabilities(odds, np.full(2, share))[0] for share in (0.3, 0.7)]
    np.testing.assert_allclose(sum(parts), empty)
    assert np.exp(log_probabilities(np.array([-60.0]), np.ones(1))[1]) == pytest.approx(
        np.exp(-60.0), rel=1e-12
    )


def test_the_prior_keeps_explosive_processes_under_one_per_cent(rng):
    for streams in (1, 2, 4, 8, 12):
        layout = Hurdle().problem(weeks(np.ones((40, streams)))).layout
        drawn = layout.sample_prior(rng, 3000)["size_influence"]
        radius = np.abs(np.linalg.eigvals(np.maximum(drawn, 0))).max(axis=1)
        assert (radius >= 1).mean() < 0.01
    model, empty = Hurdle(lags=1), weeks(np.zeros((100, 2)))
    layout = model.problem(empty).layout
    values = layout.sample_prior(rng, 2000)
    theta = np.concatenate([values[p.name].reshape(2000, -1) for p in layout.parameters], axis=1)
    paths = begun(model, theta, empty, rng, 104)
    assert np.isinf(paths).any(axis=(1, 2)).mean() < 0.01


HARD = hard_counts(0.5) | {
    "an empty stream": hard_counts(0.3)["an empty stream"],
    "never empty": lambda rng: 1 + rng.poisson(2.0, (150, 2)),
    "never more than one": lambda rng: rng.binomial(1, 0.2, (150, 2)),
}
WAVES = Background(0, covariates=collinear())
SETTINGS = {"collinear covariates": {"occurrence": WAVES, "size": WAVES}}
QUICK = ("an empty stream", "a huge week", "twenty weeks", "never empty")


@pytest.mark.parametrize(
    ("case", "engine"),
    [
        pytest.param(*one, marks=() if one[0] in QUICK else pytest.mark.slow)
        for one in product(HARD, [MaximumLikelihood(draws=100), Laplace(draws=100)])
    ],
    ids=lambda one: getattr(one, "name", str(one)),
)
def test_hard_data_are_fitted_or_the_diagnostics_say_so(case, engine, rng):
    make, settings = HARD[case], SETTINGS.get(case, {})
    settings = {"occurrence": FLAT, "size": FLAT, "lags": 2} | settings
    fit = Hurdle(**settings).fit(weeks(make(rng)), engine)
    assert np.isfinite(fit.log_likelihood)
    assert all(np.isfinite(values).all() for values in fit.draws.values())
    assert fit.diagnostics["converged"] in (True, False)
    forecast = fit.forecast(3, rng, draws=100)
    assert forecast.draws.shape[:2] == (100, 3) and not np.isnan(forecast.draws).any()


def test_too_short_a_series_is_refused():
    with pytest.raises(ValueError, match="leave none to fit"):
        Hurdle(lags=8).fit(weeks(np.ones((8, 1))))
    with pytest.raises(ValueError, match="needs a CountSeries"):
        Hurdle().problem("counts")


@pytest.mark.slow
def test_the_sampler_agrees_with_laplace(series):
    model = Hurdle(lags=1, occurrence=FLAT, size=FLAT)
    sampled = model.fit(series, NUTS(draws=500, tune=500, chains=2))
    near = model.fit(series, Laplace(draws=4000))
    assert sampled.diagnostics["r_hat"] < 1.02
    for name, draws in sampled.draws.items():
        spread, other = draws.std(axis=0), near.draws[name]
        # Laplace stands at the mode: levels and dispersions are skewed.
        near_enough = 0.35 if "influence" in name else 1.0
        apart = np.abs(draws.mean(axis=0) - other.mean(axis=0))
        assert (apart < near_enough * spread).all(), name
        wide = 0.3 if "influence" in name else 0.5
        np.testing.assert_allclose(other.std(axis=0), spread, rtol=wide, err_msg=name)
