"""What every baseline must do, and what each one says it does."""

import inspect
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError, fields
from datetime import date, timedelta

import numpy as np
import pytest

from escalation import baselines
from escalation.baselines import (
    Analogue,
    Baseline,
    Climatology,
    Conflictology,
    ExponentialResampling,
    ExponentialSmoothing,
    Persistence,
    SeasonalGLM,
    Zero,
)
from escalation.series import CountSeries

MONDAY = date(2015, 1, 5)
EVERY = [
    item
    for name in baselines.__all__
    if inspect.isclass(item := getattr(baselines, name))
    and issubclass(item, Baseline)
    and item not in (Baseline, Zero)
]


def weekly(counts, **options):
    return CountSeries.from_counts(counts, MONDAY, **options)


@pytest.fixture
def series(rng):
    season = np.exp(0.8 * np.sin(2 * np.pi * np.arange(260) * 7 / 365.25))
    return weekly(rng.negative_binomial(3, 3 / (3 + np.outer(season, [4.0, 1.5]))))


def test_every_baseline_is_exported():
    def below(base):
        return {base} | {item for child in base.__subclasses__() for item in below(child)}

    named = {item.__name__ for item in below(Baseline)}
    assert named <= set(baselines.__all__), f"add to baselines.__all__: {named}"
    assert len(EVERY) >= 4


@pytest.mark.parametrize("baseline", EVERY)
class TestEveryBaseline:
    def test_forecasts_dated_counts(self, baseline, series, rng):
        forecast = baseline().fit(series).forecast(12, rng, draws=50)
        assert forecast.draws.shape == (50, 12, 2)
        assert np.isfinite(forecast.draws).all()
        assert forecast.names == series.names
        assert forecast.made_on == series.window.end
        assert forecast.model == baseline.name

    def test_repeats_with_the_seed(self, baseline, series):
        draw = [
            baseline().fit(series).forecast(5, np.random.default_rng(seed)).draws
            for seed in (1, 1, 2)
        ]
        np.testing.assert_array_equal(draw[0], draw[1])
        assert (draw[0] != draw[2]).any()

    def test_is_frozen_hashable_and_survives_pickling(self, baseline, series, rng):
        model = baseline()
        assert hash(model) == hash(baseline())
        assert pickle.loads(pickle.dumps(model)) == model
        assert " at 0x" not in repr(model)
        for item in fields(model):
            with pytest.raises(FrozenInstanceError):
                setattr(model, item.name, 1)
        fitted = pickle.loads(pickle.dumps(model.fit(series)))
        assert fitted.forecast(2, rng, draws=3).draws.shape == (3, 2, 2)

    def test_levels_match_a_steady_series(self, baseline, rng):
        # 400 weeks at 6 a week: the mean forecast lies within a fifth of it.
        # False alarm below 1 in 1,000 for the persistence of four weeks (sd of its mean 1.2).
        steady = weekly(np.tile([6, 5, 7, 6], 100))
        forecast = baseline().fit(steady).forecast(6, rng, draws=2000)
        np.testing.assert_allclose(forecast.mean, 6, rtol=0.2)

    def test_a_gap_is_not_a_run_of_zeros(self, baseline, rng):
        # The last year and a half was not watched; before it, ten a week.
        counts = np.full(300, 10)
        counts[220:] = 0
        gap = (MONDAY + timedelta(weeks=220), MONDAY + timedelta(weeks=300))
        forecast = baseline().fit(weekly(counts, gaps=(gap,))).forecast(4, rng, draws=500)
        assert (forecast.mean > 8).all()

    def test_a_week_watched_in_part_is_not_a_quiet_one(self, baseline, rng):
        # Every other week was watched for a single day.
        counts = np.tile([14, 2], 100)
        gaps = tuple(
            (MONDAY + timedelta(weeks=w, days=1), MONDAY + timedelta(weeks=w + 1))
            for w in range(1, 200, 2)
        )
        forecast = baseline().fit(weekly(counts, gaps=gaps)).forecast(4, rng, draws=1000)
        assert (forecast.mean > 12).all()

    def test_copes_with_a_stream_without_incidents(self, baseline, rng):
        counts = np.column_stack([np.zeros(200), rng.poisson(3, 200)])
        forecast = baseline().fit(weekly(counts)).forecast(12, rng, draws=500)
        assert (forecast.mean[:, 0] < 0.5).all()

    def test_copes_with_very_little(self, baseline, rng):
        forecast = baseline().fit(weekly([2, 0, 1])).forecast(12, rng, draws=100)
        assert np.isfinite(forecast.draws).all()

    @pytest.mark.parametrize(("period", "length"), [("day", 800), ("month", 60)])
    def test_other_periods(self, baseline, period, length, rng):
        series = CountSeries.from_counts(rng.poisson(4, length), date(2015, 1, 1), period)
        forecast = baseline().fit(series).forecast(3, rng, draws=200)
        np.testing.assert_allclose(forecast.mean, 4, rtol=0.6)

    def test_refuses_a_series_that_nobody_watched(self, baseline):
        gap = (MONDAY, MONDAY + timedelta(weeks=3))
        with pytest.raises(ValueError, match="no week of the series was watched"):
            baseline().fit(weekly([0, 0, 0], gaps=(gap,)))

    def test_refuses_a_horizon_of_nothing(self, baseline, series, rng):
        with pytest.raises(ValueError, match="at least 1"):
            baseline().fit(series).forecast(0, rng)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: Climatology(half_width=0),
        lambda: Persistence(periods=0),
        lambda: Conflictology(window=0),
        lambda: SeasonalGLM(distribution="normal"),
        lambda: SeasonalGLM(harmonics=-1),
        lambda: SeasonalGLM(season_length=0),
        lambda: ExponentialResampling(half_life=0),
        lambda: Analogue(neighbours=0),
        lambda: Analogue(length=0),
        lambda: ExponentialSmoothing(usual=0),
    ],
)
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match=r"not|must be"):
        wrong()


def test_climatology_draws_whole_stretches_of_the_same_season(rng):
    # The count is the number of the week: a draw shows where it was taken from.
    series = weekly(np.arange(4 * 52 + 10))
    draws = Climatology().fit(series).forecast(6, rng, draws=500).draws[:, :, 0]
    assert (np.diff(draws, axis=1) == 1).all()
    weeks_ago = (len(series) - np.unique(draws[:, 0])) * 7 / 365.25
    assert np.abs(weeks_ago - np.round(weeks_ago)).max() * 365.25 <= 17.5
    assert set(np.round(weeks_ago)) == {1, 2, 3, 4}


@pytest.mark.parametrize("horizon", [1, 2, 3])
@pytest.mark.parametrize("half_width", [5.0, 17.5, 60.0])
def test_climatology_draws_from_earlier_years_only(rng, horizon, half_width):
    series = weekly(np.arange(4 * 52 + 10))
    model = Climatology(half_width=half_width)
    draws = model.fit(series).forecast(horizon, rng, draws=2000).draws[:, 0, 0]
    days_ago = (len(series) - np.unique(draws)) * 7
    assert days_ago.min() >= 365.25 - half_width
    assert days_ago.min() < 365.25 - half_width + 7


def test_climatology_takes_a_month_a_year(rng):
    series = CountSeries.from_counts(np.arange(61), date(2015, 1, 1), "month")
    draws = Climatology().fit(series).forecast(2, rng, draws=300).draws[:, 0, 0]
    assert set(draws % 12) == {1}


def test_climatology_skips_stretches_in_a_gap(rng):
    counts = np.arange(4 * 52 + 10)
    a, b = 50, 60
    counts[a:b] = 0
    gap = (MONDAY + timedelta(weeks=a), MONDAY + timedelta(weeks=b))
    draws = Climatology().fit(weekly(counts, gaps=(gap,))).forecast(6, rng, draws=500).draws
    assert not np.isin(draws, np.append(0, np.arange(a, b))).any()


def test_climatology_of_a_short_past_draws_from_all_of_it(rng):
    draws = Climatology().fit(weekly(np.arange(80))).forecast(6, rng, draws=2000).draws
    assert set(draws.ravel()) == set(range(80))


def test_persistence_widens_where_little_is_known(rng):
    one, many = (
        Persistence(periods=k).fit(weekly(np.full(60, 9))).forecast(1, rng, draws=20_000)
        for k in (1, 50)
    )
    # Negative binomial: variance mean + mean / periods (false alarm below 1 in 1,000).
    assert one.draws.var() == pytest.approx(9.5 * 2, rel=0.08)
    assert many.draws.var() == pytest.approx(9 * 1.02, rel=0.08)


def test_persistence_is_not_certain_of_quiet(rng):
    forecast = Persistence().fit(weekly(np.zeros(60))).forecast(12, rng, draws=5000)
    assert 0.05 < forecast.prob_at_least(1)[0, 0] < 0.2


def test_conflictology_draws_the_last_year_with_streams_together(rng):
    counts = np.column_stack([np.arange(200), 1000 + np.arange(200)])
    draws = Conflictology().fit(weekly(counts)).forecast(12, rng, draws=1000).draws
    assert set(draws[:, :, 0].ravel()) == set(range(148, 200))
    assert (draws[:, :, 1] - draws[:, :, 0] == 1000).all()


def test_exact_conflictology_holds_each_period_of_the_window_once(rng):
    counts = np.column_stack([np.arange(60), 1000 + np.arange(60)])
    forecast = Conflictology(12, exact=True).fit(weekly(counts)).forecast(15, rng, draws=500)
    assert forecast.draws.shape == (12, 15, 2)
    np.testing.assert_array_equal(
        np.sort(forecast.draws[:, :, 0], axis=0), np.tile(np.arange(48, 60)[:, None], 15)
    )
    # A path runs through the window in its order, and round.
    assert set(np.diff(forecast.draws[:, :, 0], axis=1).ravel()) == {1, -11}
    assert (forecast.draws[:, :, 1] - forecast.draws[:, :, 0] == 1000).all()


def test_zero_says_that_nothing_will_happen(series, rng):
    assert Zero().fit(series).forecast(3, rng, draws=5).draws.tolist() == [[[0, 0]] * 3] * 5


def test_weighted_resampling_halves_the_weight_with_every_half_life(rng):
    counts = np.column_stack([np.arange(100), 1000 + np.arange(100)])
    model = ExponentialResampling(half_life=10.0)
    draws = model.fit(weekly(counts)).forecast(5, rng, draws=20_000).draws
    age = 99 - draws[:, :, 0].ravel()
    # 100,000 draws; each share is some .03 with standard error .0006.
    late, early = (age < 10).mean(), ((age >= 10) & (age < 20)).mean()
    assert early / late == pytest.approx(0.5, abs=0.02)
    assert (draws[:, :, 1] - draws[:, :, 0] == 1000).all()


def test_analogues_follow_the_stretches_most_like_the_last(rng):
    # A pattern of 7 comes again and again: what followed it before follows now.
    pattern = np.array([0, 1, 4, 9, 30, 2, 0])
    counts = np.tile(pattern, 30)[:-3]
    forecast = Analogue(neighbours=10, length=7).fit(weekly(counts)).forecast(7, rng, draws=200)
    expected = np.concatenate([pattern[-3:], pattern[:4]])
    np.testing.assert_array_equal(forecast.draws[:, :, 0], np.tile(expected, (200, 1)))


def test_analogues_agree_with_a_loop_over_the_past(rng):
    series = weekly(rng.poisson([3.0, 1.0], (80, 2)))
    root, apart = np.sqrt(series.counts), {}
    for first in range(80 - 5 - 4 + 1):
        apart[first] = ((root[first : first + 5] - root[-5:]) ** 2).sum()
    nearest = sorted(apart, key=lambda first: apart[first])[:6]
    found = Analogue(6, 5)._nearest(series, 4)
    assert sorted(found - 5) == sorted(nearest)
    draws = Analogue(6, 5).fit(series).forecast(4, rng, draws=300).draws
    allowed = {tuple(series.counts[f + 5 : f + 9].ravel()) for f in nearest}
    assert {tuple(path.ravel().astype(int)) for path in draws} == allowed


def test_exponential_smoothing_agrees_with_statsmodels(rng):
    from statsmodels.tsa.holtwinters import SimpleExpSmoothing

    level = np.exp(np.cumsum(rng.normal(0, 0.1, 300)) + 2)
    series = weekly(rng.poisson(level))
    fitted = ExponentialSmoothing().fit(series)
    weight = fitted.estimate["weight"][0]
    assert 0.05 < weight < 0.9
    roots = np.sqrt(series.counts[:, 0] + 3 / 8)
    theirs = SimpleExpSmoothing(
        roots, initialization_method="known", initial_level=fitted.estimate["start"][0]
    ).fit(smoothing_level=weight, optimized=False)
    forecast = fitted.forecast(1, rng, draws=20_000)
    root = np.sqrt(forecast.draws[:, 0, 0] + 3 / 8).mean()
    # Rounding and the bound at zero move the mean root by little; its standard error is .007.
    assert root == pytest.approx(theirs.forecast(1)[0], abs=0.05)


def test_smoothed_paths_widen_as_the_level_walks(rng):
    level = np.exp(np.cumsum(rng.normal(0, 0.15, 300)) + 3)
    forecast = ExponentialSmoothing().fit(weekly(rng.poisson(level))).forecast(12, rng, draws=4000)
    spread = np.sqrt(forecast.draws[:, :, 0]).std(axis=0)
    assert spread[11] > 1.3 * spread[0]


@pytest.mark.parametrize("baseline", EVERY)
def test_estimates_are_carried_on_to_a_longer_series(baseline, series, rng):
    early = series.split(MONDAY + timedelta(weeks=200))[0]
    carried = baseline().fit(early).carried_on(series)
    assert carried.forecast(4, rng, draws=20).made_on == series.window.end
    later = series.split(MONDAY + timedelta(weeks=10))[1]
    with pytest.raises(ValueError, match="begins on"):
        baseline().fit(early).carried_on(later)


class TestSeasonalGLM:
    def test_finds_the_season_and_the_spread(self, series):
        estimate = SeasonalGLM().fit(series).estimate
        sine, cosine = estimate["coefficients"][:, 1], estimate["coefficients"][:, 2]
        # 260 weeks: within four standard errors of 0.8 and 0 (the phase shifts by half a week).
        error = np.sqrt(np.diagonal(estimate["covariance"], axis1=1, axis2=2))
        assert (np.abs(sine - 0.8) < 4 * error[:, 1]).all()
        assert (np.abs(cosine) < 4 * error[:, 2] + 0.05).all()
        assert np.log(estimate["dispersion"] * 3) == pytest.approx([0, 0], abs=1.2)

    def test_agrees_with_the_glm_of_statsmodels(self, series):
        import statsmodels.api as sm

        model = SeasonalGLM(distribution="poisson")
        estimate = model.fit(series).estimate
        angle = 2 * np.pi * (np.arange(260) * 7 + 3.5) / 365.25
        design = np.column_stack([np.ones(260), np.sin(angle), np.cos(angle)])
        theirs = sm.GLM(series.counts[:, 0], design, family=sm.families.Poisson()).fit()
        np.testing.assert_allclose(estimate["coefficients"][0], theirs.params, rtol=1e-6)
        np.testing.assert_allclose(estimate["covariance"][0], theirs.cov_params(), rtol=1e-4)

    def test_carries_the_season_on(self, series, rng):
        forecast = SeasonalGLM().fit(series).forecast(52, rng, draws=2000)
        weeks = (260 + np.arange(52)) * 7 + 3.5
        season = np.exp(0.8 * np.sin(2 * np.pi * weeks / 365.25))
        assert np.corrcoef(forecast.mean[:, 0], season)[0, 1] > 0.95

    def test_without_overdispersion_it_is_poisson(self):
        estimate = SeasonalGLM().fit(weekly(np.tile([6, 5, 7, 6], 60))).estimate
        assert estimate["dispersion"].tolist() == [0]

    def test_few_incidents_have_no_season(self):
        counts = np.zeros(200, int)
        counts[[3, 60, 61]] = 1
        estimate = SeasonalGLM().fit(weekly(counts)).estimate
        assert estimate["coefficients"][0].tolist() == [np.log(3.5 / 200), 0, 0]


def test_importing_baselines_loads_neither_statsmodels_nor_pandas():
    heavy = "{'statsmodels', 'pandas', 'scipy'}"
    code = f"import sys, escalation.baselines; print(sorted({heavy} & set(sys.modules)))"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
