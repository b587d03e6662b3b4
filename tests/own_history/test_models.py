"""What every own-history model must do, and what each of them does."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

import escalation.own_history
from discover import concrete
from escalation import CountSeries, PanelSeries
from escalation.backtest import run_backtest
from escalation.own_history import (
    History,
    OwnHistoryModel,
    OwnHistoryPool,
    PooledAnalogues,
    SmoothedResampling,
    SmoothHurdle,
)
from escalation.own_history.paths import as_paths
from escalation.scores import crps_draws

START = date(2000, 1, 1)
MODELS = concrete(OwnHistoryModel, escalation.own_history)


def monthly(counts: np.ndarray) -> CountSeries:
    return CountSeries.from_counts(counts, START, "month")


@pytest.fixture(scope="module")
def panel() -> CountSeries:
    rng = np.random.default_rng(0)
    level = np.exp(rng.normal(0.0, 2.0, 30)) * (rng.random(30) < 0.7)
    walk = np.exp(np.cumsum(rng.normal(0, 0.15, (144, 30)), axis=0))
    return monthly(rng.poisson(level * walk * rng.gamma(1.0, 1.0, (144, 30))))


@pytest.mark.parametrize("kind", MODELS)
class TestEvery:
    def test_forecasts_counts(self, kind: type, panel: CountSeries) -> None:
        forecast = kind().fit(panel).forecast(14, np.random.default_rng(0), draws=200)
        assert forecast.draws.shape == (200, 14, 30)
        assert np.isfinite(forecast.draws).all()
        assert forecast.edges[0] == panel.edges[-1]
        assert forecast.model == kind.name

    def test_the_law_of_a_period_has_no_monte_carlo_noise(
        self, kind: type, panel: CountSeries
    ) -> None:
        fitted = kind().fit(panel)
        one, two = (fitted.forecast(3, np.random.default_rng(s), 100).draws for s in (0, 1))
        np.testing.assert_array_equal(np.sort(one, axis=0), np.sort(two, axis=0))
        assert (one != two).any()

    def test_later_periods_change_nothing(self, kind: type, panel: CountSeries) -> None:
        day = panel.edges[100].item()
        garbled = np.array(panel.counts)
        garbled[100:] = np.random.default_rng(1).integers(0, 9999, garbled[100:].shape)
        both = [s.split(day)[0] for s in (panel, replace(panel, counts=garbled))]
        one, two = (kind().fit(s).forecast(5, np.random.default_rng(0), 90) for s in both)
        assert one == two

    @pytest.mark.parametrize("length", [1, 2, 3, 7, 20])
    @pytest.mark.parametrize("units", [1, 3])
    def test_takes_short_series(self, kind: type, length: int, units: int) -> None:
        counts = np.arange(length * units).reshape(length, units) % 3
        forecast = kind().fit(monthly(counts)).forecast(6, np.random.default_rng(0), 50)
        assert forecast.draws.shape == (50, 6, units)
        assert forecast.draws.max() < 1000

    def test_takes_nothing_but_zeros(self, kind: type) -> None:
        forecast = kind().fit(monthly(np.zeros((60, 4)))).forecast(6, np.random.default_rng(0), 400)
        assert (forecast.draws > 0).mean() < 0.02

    def test_takes_huge_counts(self, kind: type) -> None:
        counts = np.zeros((80, 3))
        counts[::7, 0], counts[-1, 1] = 10**7, 2 * 10**8
        forecast = kind().fit(monthly(counts)).forecast(4, np.random.default_rng(0), 100)
        assert np.isfinite(forecast.draws).all()

    def test_what_nobody_watched_is_not_zero(self, kind: type) -> None:
        rng = np.random.default_rng(0)
        known = rng.poisson(20.0, (60, 6))
        gap = (date(2004, 1, 1), date(2005, 1, 1))
        counts = known.copy()
        counts[48:] = 0
        series = CountSeries.from_counts(counts, START, "month", gaps=(gap,))
        forecast = kind().fit(series).forecast(3, rng, 200)
        assert (forecast.draws == 0).mean() < 0.1
        assert 14 < np.median(forecast.draws) < 26

    def test_refuses_what_nobody_watched(self, kind: type) -> None:
        gap = (START, date(2000, 4, 1))
        series = CountSeries.from_counts([0, 0, 0], START, "month", gaps=(gap,))
        with pytest.raises(ValueError, match="no month of the series was watched"):
            kind().fit(series)

    def test_refuses_no_horizon(self, kind: type, panel: CountSeries) -> None:
        with pytest.raises(ValueError, match="at least 1, not 0"):
            kind().fit(panel).forecast(0, np.random.default_rng(0))

    def test_units_come_and_go(self, kind: type) -> None:
        rng = np.random.default_rng(0)
        whole = CountSeries.from_counts(rng.poisson(4.0, 100), START, "month", ["deaths"])
        late = CountSeries.from_counts(rng.poisson(4.0, 10), date(2007, 7, 1), "month", ["deaths"])
        gone = CountSeries.from_counts(rng.poisson(4.0, 40), START, "month", ["deaths"])
        series = PanelSeries.from_series({"whole": whole, "late": late, "gone": gone})
        draws = kind().fit(series).forecast(4, rng, 300).draws
        assert np.all((draws.mean(axis=(0, 1)) > 1.5) & (draws.mean(axis=(0, 1)) < 9.0))


def test_a_backtest_takes_them(panel: CountSeries) -> None:
    origins = [panel.edges[120].item(), panel.edges[130].item()]
    models = {"pool": OwnHistoryPool(), "resampling": SmoothedResampling()}
    found = run_backtest(models, panel, origins, 3, seed=0, draws=50)
    assert found.table["failure"].null_count() == found.table.height


class TestSmoothHurdle:
    def test_finds_the_law_of_steady_units(self) -> None:
        """Of units with independent counts of one law, the law itself is what is to be found."""
        rng = np.random.default_rng(0)
        counts = rng.negative_binomial(0.5, 0.1, (240, 60))
        forecast = SmoothHurdle().fit(monthly(counts)).forecast(14, rng, 1000)
        truth = rng.negative_binomial(0.5, 0.1, 100_000)
        assert (forecast.draws == 0).mean() == pytest.approx((truth == 0).mean(), abs=0.02)
        for level in (0.5, 0.75, 0.9, 0.95):
            ratio = np.quantile(forecast.draws, level) / np.quantile(truth, level)
            assert ratio == pytest.approx(1.0, abs=0.15)

    def test_intervals_hold_on_walks(self) -> None:
        rng = np.random.default_rng(1)
        walk = np.exp(2.0 + np.cumsum(rng.normal(0, 0.1, (194, 50)), axis=0))
        counts = rng.poisson(walk)
        forecast = SmoothHurdle().fit(monthly(counts[:180])).forecast(14, rng, 1000)
        low, high = np.quantile(forecast.draws, [0.05, 0.95], axis=0)
        inside = (counts[180:] >= low) & (counts[180:] <= high)
        assert inside.mean() == pytest.approx(0.9, abs=0.05)

    def test_one_busy_unit_says_little_of_quiet_ones(self) -> None:
        """One unit has a past to learn from; the others are known for two months, and quiet."""
        rng = np.random.default_rng(4)
        level = np.full((300, 20), np.nan)
        level[:, 0] = rng.poisson(2.0, 300)
        level[-2:, 1:] = 0.0
        history = History(level, np.where(np.isnan(level), 0.0, 1.0))
        model = SmoothHurdle()
        draws = model.draws(history, model.learn(history), 6, 500)
        assert np.quantile(draws, 0.95, axis=0).max() < 150  # without the floor 33,000

    @pytest.mark.parametrize("wrong", [{"steps": ()}, {"steps": (0,)}, {"age": 0}, {"ridge": 0}])
    def test_refuses_wrong_settings(self, wrong: dict) -> None:
        with pytest.raises(ValueError, match="not"):
            SmoothHurdle(**wrong)


class TestSmoothedResampling:
    def test_is_the_weighted_law_of_the_past(self) -> None:
        level = np.array([[0.0], [8.0], [0.0], [3.0]])
        history = History(level, np.ones_like(level))
        model = SmoothedResampling(2.0, long_share=0.0, bounds=(0.0, 0.0))
        draws = model.draws(history, {}, 1, 10_000)
        weight = 0.5 ** (np.array([3, 2, 1, 0]) / 2.0)
        weight /= weight.sum()
        for value, expected in ((0, weight[0] + weight[2]), (8, weight[1]), (3, weight[3])):
            assert (draws == value).mean() == pytest.approx(expected, abs=2e-4)

    def test_noise_keeps_zero_and_the_median(self) -> None:
        history = History(np.full((5, 2), [0.0, 1000.0]), np.ones((5, 2)))
        draws = SmoothedResampling(bounds=(0.5, 0.5)).draws(history, {}, 1, 1001)[:, 0]
        assert (draws[:, 0] == 0).all()
        assert np.median(draws[:, 1]) == 1000
        assert np.log(draws[:, 1]).std() == pytest.approx(0.5, abs=0.08)

    def test_the_noise_is_that_of_the_unit(self) -> None:
        """Two units end with the same months; the one that was steady before is surer of them."""
        rng = np.random.default_rng(3)
        level = np.full((120, 2), 150.0)
        level[:100, 1] = np.rint(np.exp(5.0 + rng.normal(0, 1.2, 100)))
        history = History(level, np.ones_like(level))
        draws = SmoothedResampling(long_share=0.0).draws(history, {}, 1, 1001)[:, 0]
        steady, moved = np.log(draws).std(axis=0)
        assert steady == pytest.approx(0.2, abs=0.02)
        jump = history.memories["busy jump 12"][-1, 1]
        assert 0.2 < 0.7 * jump < 1.0
        assert moved == pytest.approx(0.7 * jump, rel=0.05)

    @pytest.mark.parametrize(
        "wrong",
        [
            {"half_life": 0},
            {"noise": -1},
            {"long_share": 1.1},
            {"bounds": (0.5, 0.2)},
            {"bounds": (-1.0, 0.2)},
        ],
    )
    def test_refuses_wrong_settings(self, wrong: dict) -> None:
        with pytest.raises(ValueError, match="not"):
            SmoothedResampling(**wrong)


class TestPooledAnalogues:
    def test_is_the_naive_kernel_law(self, panel: CountSeries) -> None:
        """Every past origin by a loop, its weight by its distance, against the model's draws."""
        from escalation.own_history.analogues import CLOSENESS
        from escalation.own_history.origins import past_origins

        history, model = History.of(panel), PooledAnalogues()
        draws = model.draws(history, {}, 4, 2000)
        level = np.exp((history.memories["log 3"] + history.memories["mean 3"]) / 2)
        for k in (3, 11):
            pasts = list(zip(*past_origins(history, 1, model.age), strict=True))
            square = np.array(
                [
                    sum(
                        (c * (history.memories[m][t, u] - history.memories[m][-1, k])) ** 2
                        for m, c in CLOSENESS.items()
                    )
                    for t, u, _ in pasts
                ]
            )
            width = max(np.sort(square)[model.nearest - 1], model.bandwidth**2)
            total = {"zero": 0.0, "above": 0.0, "all": 0.0}
            for (t, u, w), d in zip(pasts, square, strict=True):
                if t + 4 < len(history):
                    weight = w * np.exp(-d / (2 * width))
                    came = history.level[t + 4, u] / level[t, u] * level[-1, k]
                    total["all"] += weight
                    total["zero"] += weight * (came == 0)
                    total["above"] += weight * (came > 2 * level[-1, k] + 1)
            assert (draws[:, 3, k] == 0).mean() == pytest.approx(
                total["zero"] / total["all"], abs=2e-3
            )
            above = (draws[:, 3, k] > 2 * level[-1, k] + 1).mean()
            assert above == pytest.approx(total["above"] / total["all"], abs=0.02)

    def test_chunks_change_nothing(
        self, panel: CountSeries, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        history = History.of(panel)
        whole = PooledAnalogues().draws(history, {}, 3, 100)
        monkeypatch.setattr("escalation.own_history.analogues.CELLS", 20_000)
        np.testing.assert_array_equal(PooledAnalogues().draws(history, {}, 3, 100), whole)

    @pytest.mark.parametrize("wrong", [{"nearest": 0}, {"bandwidth": 0}, {"age": 0}])
    def test_refuses_wrong_settings(self, wrong: dict) -> None:
        with pytest.raises(ValueError, match="not"):
            PooledAnalogues(**wrong)


class TestPool:
    def test_without_narrowing_is_the_linear_pool(self, panel: CountSeries) -> None:
        history = History.of(panel)
        one, two = SmoothedResampling(), SmoothedResampling(12.0)
        pool = OwnHistoryPool((one, two), (1.0, 3.0), spread=1.0)
        parts = [one.draws(history, {}, 2, 100), two.draws(history, {}, 2, 300)]
        expected = np.sort(np.concatenate(parts), axis=0)
        np.testing.assert_array_equal(pool.draws(history, {}, 2, 400), expected)

    def test_narrowing_keeps_the_middle_and_the_zeros(self, panel: CountSeries) -> None:
        history = History.of(panel)
        wide, narrow = (OwnHistoryPool(spread=s) for s in (1.0, 0.8))
        learned = wide.learn(history)
        one, two = (pool.draws(history, learned, 3, 501) for pool in (wide, narrow))
        np.testing.assert_array_equal((one == 0).sum(axis=0), (two == 0).sum(axis=0))
        np.testing.assert_array_equal(np.median(one, axis=0), np.median(two, axis=0))
        assert two.max() < one.max()

    def test_beats_the_last_year_on_walks(self) -> None:
        rng = np.random.default_rng(2)
        walk = np.exp(rng.normal(0, 2, 60) + np.cumsum(rng.normal(0, 0.2, (246, 60)), axis=0))
        counts = rng.poisson(walk * rng.gamma(1.0, 1.0, walk.shape)).astype(float)
        past, came = counts[:240], counts[240:]
        forecast = OwnHistoryPool().fit(monthly(past)).forecast(6, rng, 600)
        year = np.repeat(past[-12:][:, None], 6, axis=1)
        ratio = crps_draws(forecast.draws, came).mean() / crps_draws(year, came).mean()
        assert ratio < 1.0

    @pytest.mark.parametrize(
        "wrong",
        [{"members": ()}, {"weights": (1.0,)}, {"weights": (0.0, 0.0, 0.0)}, {"spread": 0.0}],
    )
    def test_refuses_wrong_settings(self, wrong: dict) -> None:
        with pytest.raises(ValueError, match="not"):
            OwnHistoryPool(**wrong)


def test_paths_have_the_copula_and_the_same_draws(rng: np.random.Generator) -> None:
    marginal = rng.gamma(1.0, 1.0, (4000, 6, 2))
    paths = as_paths(marginal, rng, 0.8, 0.5)
    np.testing.assert_array_equal(np.sort(paths, axis=0), np.sort(marginal, axis=0))
    ranks = np.argsort(np.argsort(paths[:, :, 0], axis=0), axis=0)
    rho = np.corrcoef(ranks.T)
    for lag in (1, 3):
        # Spearman's correlation of a Gaussian copula; 4,000 paths: standard error .016
        expected = 6 / np.pi * np.arcsin(0.5 * 0.8**lag / 2)
        assert np.diag(rho, lag).mean() == pytest.approx(expected, abs=0.05)
    across = np.corrcoef(paths[:, 0].T)[0, 1]
    assert abs(across) < 0.06
