import csv
import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from escalation.background import Background
from escalation.counts import EndemicEpidemic
from escalation.engines import Laplace, MaximumLikelihood
from escalation.kernels import Exponential, Lomax, OneLag
from escalation.series import CountSeries
from hard import weeks

PUBLISHED = json.loads((Path(__file__).parents[1] / "references/published.json").read_text("utf-8"))
INFLUENZA = PUBLISHED["influMen"]
YEAR = 364.0  # 52 weeks, as surveillance counts a year
TRUTH = {
    "level": np.log([1.0, 0.6]),
    "season": np.array([[0.4, 0.1], [-0.2, 0.3]]),
    "reproduction": np.array([[0.4, 0.2], [0.0, 0.3]]),
    "dispersion": np.array([0.3, 0.5]),
    "decay": np.array(0.7),
}


@pytest.fixture(scope="module")
def influmen(request):
    folder = Path(__file__).parents[3] / "shared/references/data"
    if not folder.is_dir():
        pytest.skip("no folder of reference data beside the repository")
    with (folder / "influMen.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    return np.array([[int(row["influenza"]), int(row["meningococcus"])] for row in rows])


@pytest.fixture
def series(rng):
    return EndemicEpidemic().simulate(TRUTH, weeks(np.zeros((300, 2)), names=["a", "b"]), rng)


NONE, OWN = ((False,),), ((True,),)
SETTINGS = {
    "men_poisson": {"distribution": "poisson", "arrows": NONE},
    "men_negbin": {"arrows": NONE},
    "men_negbin_ar": {"arrows": OWN},
    "bivariate": {
        "arrows": ((True, False), (True, True)),
        "background": Background((3, 1), YEAR),
    },
}


@pytest.mark.parametrize("case", SETTINGS)
def test_maximum_likelihood_is_that_of_hhh4(case, influmen):
    settings = {"background": Background(1, YEAR)} | SETTINGS[case]
    counts = influmen if case == "bivariate" else influmen[:, 1]
    fit = EndemicEpidemic(kernel=OneLag(), lags=1, **settings).fit(weeks(counts))
    told = INFLUENZA[case]
    assert abs(fit.log_likelihood - told["log_likelihood"]) < 1e-5
    for name in ("level", "season", "reproduction", "dispersion"):
        if name in told:
            np.testing.assert_allclose(fit.estimate[name], told[name], atol=1e-3)
    for name, error in told.get("sd", {}).items():
        np.testing.assert_allclose(fit.draws[name].std(), error, rtol=0.08)


@pytest.mark.parametrize("distribution", ["poisson", "negative binomial"])
@pytest.mark.parametrize("kernel", [OneLag(), Exponential()], ids=lambda kernel: kernel.name)
def test_the_likelihood_is_that_of_scipy(series, distribution, kernel):
    model = EndemicEpidemic(kernel=kernel, distribution=distribution, lags=5)
    fit = model.fit(series, MaximumLikelihood(draws=10, starts=1))
    mean = model.means(fit)[0]
    seen = series.counts[model.used(series)]
    mean = mean[model.used(series)]
    if distribution == "poisson":
        value = stats.poisson(mean).logpmf(seen).sum()
    else:
        size = 1 / np.maximum(fit.estimate["dispersion"], 1e-12)
        value = stats.nbinom(size, size / (size + mean)).logpmf(seen).sum()
    np.testing.assert_allclose(fit.log_likelihood, value, rtol=1e-9)


@pytest.mark.parametrize("dispersion", ["shared", "stream"])
def test_the_gradient_is_that_of_finite_differences(series, dispersion, rng):
    model = EndemicEpidemic(dispersion=dispersion, background=Background((2, 1), trend=400))
    problem = model.problem(series)
    for _ in range(3):
        values = {k: v[0] for k, v in problem.layout.sample_prior(rng, 1).items()}
        values["level"] = values["level"] / 4
        theta = problem.layout.pack(values)
        _, gradient = problem.evaluate(theta)
        for i in problem.layout.free:
            step = 1e-6 * (np.arange(theta.size) == i)
            rise = problem.evaluate(theta + step)[0] - problem.evaluate(theta - step)[0]
            np.testing.assert_allclose(gradient[i], rise / 2e-6, rtol=2e-5, atol=2e-3)


def test_the_negative_binomial_becomes_poisson_without_a_jump(series):
    problem = EndemicEpidemic(dispersion="shared").problem(series)
    poisson = EndemicEpidemic(distribution="poisson").problem(series)
    values = TRUTH | {"dispersion": 0.0}
    plain, _ = poisson.evaluate(poisson.layout.pack(values))
    at_zero, slope = problem.evaluate(problem.layout.pack(values))
    np.testing.assert_allclose(at_zero, plain, rtol=1e-12)
    place = problem.layout.start("dispersion")
    beside, _ = problem.evaluate(problem.layout.pack(values | {"dispersion": 1e-6}))
    np.testing.assert_allclose((beside - at_zero) / 1e-6, slope[place], rtol=1e-3)


def test_gaps_leave_the_likelihood_with_the_lags_after_them(rng):
    gap = ((date(2002, 1, 7), date(2002, 1, 21)),)
    counts = rng.poisson(2.0, 100)
    start = np.datetime64("2001-01-01") + 7 * np.arange(100).astype("timedelta64[D]")
    counts[(start >= np.datetime64("2002-01-07")) & (start < np.datetime64("2002-01-21"))] = 0
    series = CountSeries.from_counts(counts, date(2001, 1, 1), "week", gaps=gap)
    used = EndemicEpidemic(lags=3).used(series)
    first = int(np.flatnonzero(series.exposure == 0)[0])
    np.testing.assert_array_equal(np.flatnonzero(~used), [0, 1, 2, *range(first, first + 5)])


def test_a_half_watched_week_is_worth_half_its_background(rng):
    gap = ((date(2002, 1, 7), date(2002, 1, 14)),)
    days = CountSeries.from_counts(rng.poisson(1.0, 700), date(2001, 1, 1), "day")
    half = ((date(2002, 1, 10), date(2002, 1, 14)),)
    counts = days.coarser("week").counts
    one = CountSeries.from_counts(counts, date(2001, 1, 1), "week")
    two = CountSeries.from_counts(counts, date(2001, 1, 1), "week", gaps=half)
    assert gap[0][0] < half[0][0]
    model = EndemicEpidemic(background=Background(0), arrows=NONE, lags=1, distribution="poisson")
    at = int(np.flatnonzero(two.exposure < 7)[0])
    means = [model.means(model.fit(each))[0] for each in (one, two)]
    np.testing.assert_allclose(means[1][at] / means[1][at - 1], 3 / 7)
    np.testing.assert_allclose(means[0][at], means[0][at - 1])


def test_a_forecast_is_the_mean_recursion(series):
    model = EndemicEpidemic()
    fit = model.fit(series, MaximumLikelihood(draws=1))
    # One draw repeated: parameters without uncertainty, so that the mean is known.
    fit = type(fit)(**{**fit.__dict__, "draws": {k: v[None] for k, v in fit.estimate.items()}})
    forecast = fit.forecast(5, np.random.default_rng(0), draws=20_000)
    weights = Exponential().pmf(fit.estimate["decay"].reshape(1), 12)
    past = list(series.counts[-12:].astype(float))
    times = 7.0 * (len(series) + np.arange(5))
    design = model.background.design(times, series.window.days)
    coefficients = np.concatenate([fit.estimate["level"][:, None], fit.estimate["season"]], axis=1)
    for h in range(5):
        lagged = sum(w * past[-1 - lag] for lag, w in enumerate(weights))
        past.append(np.exp(coefficients @ design[h]) + fit.estimate["reproduction"] @ lagged)
    np.testing.assert_allclose(forecast.mean, past[-5:], rtol=0.05)


def test_responses_are_what_simulation_with_one_more_incident_gives(series):
    fit = EndemicEpidemic().fit(series, MaximumLikelihood(draws=50))
    dynamics = fit.dynamics()
    weights = Exponential().pmf(fit.draws["decay"][:, None], 12)
    matrix = fit.draws["reproduction"]
    direct = matrix * weights[:, 0][:, None, None]
    np.testing.assert_allclose(dynamics.response("a", 7), direct[:, :, 0])
    second = direct + matrix * weights[:, 1][:, None, None] + direct @ direct
    np.testing.assert_allclose(dynamics.response("b", 14), second[:, :, 1])
    halfway = (dynamics.response("b", 7) + dynamics.response("b", 14)) / 2
    np.testing.assert_allclose(dynamics.response("b", 10.5), halfway)


def test_shares_sum_to_one_and_are_those_of_the_means(series):
    model = EndemicEpidemic()
    fit = model.fit(series, MaximumLikelihood(draws=30))
    dynamics = fit.dynamics()
    np.testing.assert_allclose(dynamics.shares.sum(axis=2), 1)
    without = np.array(fit.theta)
    first = sum(p.size for p in fit.parameters[:2])
    without[:, first : first + 4] = 0
    used = model.used(series)
    whole, alone = (model.means(fit, one)[:, used].sum(axis=1) for one in (fit.theta, without))
    np.testing.assert_allclose(dynamics.shares[:, :, 0], alone / whole)


def test_an_explosive_path_is_stopped_and_counts_as_above_all(series):
    fit = EndemicEpidemic().fit(series, MaximumLikelihood(draws=10))
    wild = dict(fit.draws)
    wild["reproduction"] = np.full((10, 2, 2), 4.0)
    fit = type(fit)(**{**fit.__dict__, "draws": wild})
    forecast = fit.forecast(30, draws=10)
    assert np.isinf(forecast.draws[:, -1]).all()
    assert np.isfinite(forecast.draws[:, 0]).all()
    assert (forecast.prob_at_least(1000)[-1] == 1).all()


def test_laplace_is_near_the_posterior(rng):
    # Two parameters: the posterior by brute force, weighting draws from the prior. With sixty
    # weeks it is skewed, and Laplace is allowed a seventh of the interval.
    model = EndemicEpidemic(
        kernel=OneLag(), lags=1, distribution="poisson", background=Background(0)
    )
    series = weeks(rng.poisson(2.0, 60))
    problem = model.problem(series)
    prior = problem.layout.sample_prior(rng, 40_000)
    theta = np.stack([prior["level"][:, 0], prior["reproduction"][:, 0, 0]], axis=1)
    weight = np.array([problem.evaluate(one)[0] for one in theta])
    weight = np.exp(weight - weight.max())
    weight /= weight.sum()
    fit = model.fit(series, Laplace(draws=8000))
    for i, name in enumerate(("level", "reproduction")):
        order = np.argsort(theta[:, i])
        cdf = np.cumsum(weight[order])
        wanted = theta[order, i][np.searchsorted(cdf, [0.05, 0.5, 0.95])]
        got = np.quantile(fit.draws[name], [0.05, 0.5, 0.95])
        spread = wanted[2] - wanted[0]
        np.testing.assert_allclose(got, wanted, atol=spread / 7)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distribution": "normal"}, "distribution must be one of"),
        ({"dispersion": "none"}, "dispersion must be one of"),
        ({"lags": 0}, "lags must be at least 1"),
    ],
)
def test_faults_name_the_setting(settings, message):
    with pytest.raises(ValueError, match=message):
        EndemicEpidemic(**settings)


def test_too_short_a_series_and_a_wrong_mask_are_refused():
    with pytest.raises(ValueError, match="10 periods leave none to fit after 12 lags"):
        EndemicEpidemic().fit(weeks(np.ones(10)))
    with pytest.raises(ValueError, match=r"arrows has shape \(1, 1\), the series has 2 streams"):
        EndemicEpidemic(arrows=OWN).fit(weeks(np.ones((50, 2))))


@pytest.mark.parametrize("periods", [20, 200])
def test_one_huge_week_and_short_series_do_not_break_the_fit(periods, rng):
    counts = rng.poisson(1.0, (periods, 2))
    counts[periods // 2, 0] = 500
    for engine in (MaximumLikelihood(draws=100), Laplace(draws=100)):
        fit = EndemicEpidemic(background=Background(0), lags=3).fit(weeks(counts), engine)
        assert np.isfinite(fit.log_likelihood)
        assert all(np.isfinite(values).all() for values in fit.draws.values())


def test_the_prior_keeps_explosive_processes_under_one_per_cent(rng):
    for streams in (1, 2, 4, 8, 12):
        problem = EndemicEpidemic().problem(weeks(np.ones((40, streams))))
        draws = problem.layout.sample_prior(rng, 3000)["reproduction"]
        radius = np.abs(np.linalg.eigvals(draws)).max(axis=1)
        assert (radius >= 1).mean() < 0.01


def test_a_power_law_ends_with_the_series(rng):
    from escalation.checks import check

    fit = EndemicEpidemic(kernel=Lomax(), background=Background(harmonics=0), lags=4).fit(
        weeks(rng.poisson(2.0, (150, 1)))
    )
    share = fit.dynamics().same_period
    assert ((share > 0) & (share < 1)).all()
    assert check(fit)
