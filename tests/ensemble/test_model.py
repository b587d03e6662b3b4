"""Ensembles of models: usable as any model, and blind to the future."""

from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import pytest

from escalation.backtest import run_backtest
from escalation.baselines import Climatology, Conflictology, Persistence
from escalation.ensemble import (
    Ensemble,
    Learning,
    PastForecasts,
    pool_forecasts,
    recalibrated_over_time,
)
from escalation.forecast import Forecast
from escalation.scores import pit_bounds, pit_share
from escalation.series import CountSeries


@dataclass(frozen=True)
class Level:
    """A forecaster that knows the law of the series but for a factor of its level."""

    factor: float
    mean: float = 8.0

    def fit(self, series, *, rng=None):
        return FittedLevel(self, series)


@dataclass(frozen=True)
class FittedLevel:
    level: Level
    series: CountSeries

    def forecast(self, horizon, rng, draws=1000):
        shape = (draws, horizon, self.series.n_streams)
        made = rng.poisson(self.level.factor * self.level.mean, shape)
        return Forecast.after(self.series, made, f"level x {self.level.factor}")


@pytest.fixture
def series(rng):
    return CountSeries.from_counts(
        rng.poisson(8.0, (120, 2)), date(2018, 1, 1), "week", ["raids", "strikes"]
    )


MEMBERS = {"truth": Level(1.0), "low": Level(0.3), "high": Level(2.5)}
SHORT = Learning(origins=8, every=4, horizon=4, draws=200)


def past(series, origins=range(40, 100, 4), members=MEMBERS, horizon=4):
    """Forecasts of the members from many origins, and what came."""
    rng = np.random.default_rng(0)
    forecasts, observed = [], []
    for at in origins:
        known, coming = series.split(series.edges[at].item())
        forecasts.append(
            {name: m.fit(known).forecast(horizon, rng, draws=200) for name, m in members.items()}
        )
        observed.append(coming.counts[:horizon].astype(float))
    return PastForecasts(forecasts, observed)


def test_an_ensemble_forecasts_as_any_model(series, rng):
    members = {"persistence": Persistence(), "climatology": Climatology()}
    forecast = Ensemble(members).fit(series).forecast(6, rng, draws=101)
    assert forecast.draws.shape == (101, 6, 2)
    assert forecast.names == series.names
    assert forecast.model == "ensemble of persistence, climatology"


def test_weights_are_the_shares_of_the_draws(series, rng):
    fit = Ensemble({"low": Level(0.0), "high": Level(1.0, 8e6)}, (0.2, 0.8)).fit(series)
    made = fit.forecast(2, rng, draws=50).draws
    assert (made == 0).all(axis=(1, 2)).sum() == 10
    averaged = replace(fit, ensemble=replace(fit.ensemble, method="quantile average"))
    assert averaged.forecast(2, rng, draws=200).mean == pytest.approx(
        np.full((2, 2), 6.4e6), rel=1e-3
    )


@pytest.mark.parametrize("score", ["crps", "crps of logarithms", "log score"])
def test_an_ensemble_learns_who_is_right(series, score):
    fit = Ensemble(MEMBERS, learning=replace(SHORT, score=score)).fit(series)
    assert fit.weights[0] > 0.9
    assert fit.weights.sum() == pytest.approx(1)


def test_a_short_series_teaches_nothing(series):
    short = series.split(series.edges[6].item())[0]
    fit = Ensemble(MEMBERS, learning=SHORT).fit(short)
    np.testing.assert_allclose(fit.weights, 1 / 3)


def test_an_ensemble_recalibrates_its_pool(series, rng):
    """A Poisson forecaster of counts that vary more: 90 % intervals hold less than that."""
    wild = CountSeries.from_counts(
        rng.negative_binomial(1.0, 1 / 9, (360, 2)), date(2012, 1, 2), "week", ["a", "b"]
    )
    known, coming = wild.split(wild.edges[260].item())
    observed = coming.counts[:100].astype(float)
    learning = Learning(origins=30, every=4, horizon=4, score=None, recalibrate=True, prior=10.0)
    shares = []
    for given in (None, learning):
        forecast = Ensemble({"level": Level(1.0)}, learning=given).fit(known).forecast(100, rng)
        shares.append(pit_share(*pit_bounds(forecast.draws, observed), 0.9).mean())
    assert shares[0] < 0.6
    # Standard errors: .03 of a map of 120 cases, .02 of the 200 judged; four of both, and the
    # prior's pull of .02.
    assert 0.73 < shares[1] < 1.0


def test_weights_over_time_use_nothing_from_the_future(series):
    """All that comes after an origin is changed: its weights, and those before, are the same."""
    whole, at = past(series), 6
    seen = {"crps": whole.weights("crps"), "log score": whole.weights("log score")}
    made_on = whole.made_on[at]
    changed = [
        np.where(f["truth"].edges[1:, None] <= made_on, y, 40.0)
        for f, y in zip(whole.forecasts, whole.observed, strict=True)
    ]
    assert any((a != b).any() for a, b in zip(changed, whole.observed, strict=True))
    for score, weights in seen.items():
        again = replace(whole, observed=changed).weights(score)
        np.testing.assert_array_equal(again[: at + 1], weights[: at + 1])
        assert np.abs(again[-1] - weights[-1]).max() > 0.1
        assert weights[0].tolist() == pytest.approx([1 / 3] * 3)
        assert weights[-1, 0] > 0.9


def test_recalibration_over_time_uses_nothing_from_the_future(series):
    whole, at = past(series, members={"high": Level(1.5)}), 6
    forecasts = [each["high"] for each in whole.forecasts]
    changed = [
        np.where(f.edges[1:, None] <= whole.made_on[at], y, 0.0)
        for f, y in zip(forecasts, whole.observed, strict=True)
    ]
    first, again = (
        recalibrated_over_time(forecasts, y, prior=10.0, rng=np.random.default_rng(1))
        for y in (whole.observed, changed)
    )
    for before, after in zip(first[: at + 1], again[: at + 1], strict=True):
        np.testing.assert_array_equal(before.draws, after.draws)
    assert not np.array_equal(first[-1].draws, again[-1].draws)
    # Half as much too high at the start, about right in the end.
    assert first[0].mean.mean() == pytest.approx(12.0, abs=0.5)
    assert first[-1].mean.mean() == pytest.approx(8.0, abs=1.2)


def test_an_ensemble_in_a_backtest_sees_the_past_only(series):
    """The later half of the series is changed: forecasts from before it are the same."""
    counts = series.counts.copy()
    counts[80:] = 50
    other = CountSeries.from_counts(counts, date(2018, 1, 1), "week", series.names)
    models = {"ensemble": Ensemble(MEMBERS, learning=SHORT)}
    origins = [series.edges[at].item() for at in (70, 76)]
    tables = [
        run_backtest(models, each, origins, 4, seed=0, draws=100).table for each in (series, other)
    ]
    columns = ["origin", "step", "stream", "mean", "median", "lo90", "hi90"]
    assert tables[0].select(columns).equals(tables[1].select(columns))


def test_pooled_forecasts_come_with_a_table_of_weights(series, rng):
    whole = past(series)
    weights = whole.weights("crps")
    pooled = whole.pooled(weights, rng=rng)
    assert [f.made_on for f in pooled] == [f["low"].made_on for f in whole.forecasts]
    assert whole.weights_table(weights).columns == ["origin", *MEMBERS]
    np.testing.assert_array_equal(whole.weights_at(pooled[-1].made_on, "crps"), weights[-1])


def test_unobserved_periods_and_endless_draws_are_borne(series):
    whole = past(series)
    observed = [y.copy() for y in whole.observed]
    observed[0][1] = np.nan
    wild = whole.forecasts[0]["low"].draws.copy()
    wild[0, 0, 0] = np.inf
    first = dict(whole.forecasts[0]) | {"low": replace(whole.forecasts[0]["low"], draws=wild)}
    holed = PastForecasts([first, *whole.forecasts[1:]], observed)
    for score in ("crps", "crps of logarithms", "log score"):
        assert np.isfinite(holed.weights(score)).all()


def test_weights_look_at_all_counts_where_no_past_is_known(rng):
    """Both members lie above a hundred, and one of them is right."""
    known = CountSeries.from_counts(rng.poisson(5000.0, (60, 2)), date(2018, 1, 1), "week")
    forecasts = [
        {
            name: replace(
                Level(factor, 5000.0).fit(known).forecast(4, rng, draws=100),
                recent=np.empty((0, 2)),
                recent_edges=known.edges[:1],
                recent_exposure=None,
            )
            for name, factor in (("low", 0.5), ("truth", 1.0))
        }
    ]
    past = PastForecasts(forecasts, [rng.poisson(5000.0, (4, 2)).astype(float)])
    for score in ("crps", "crps of logarithms"):
        assert past.weights_at(date(2030, 1, 1), score)[1] > 0.9


def test_given_weights_stay_where_nothing_came_to_learn_from(series):
    exposure, counts = series.exposure.copy(), series.counts.copy()
    exposure[60:], counts[60:] = 0, 0
    unwatched = replace(series, exposure=exposure, counts=counts)
    given = (0.7, 0.2, 0.1)
    for score in ("crps", "crps of logarithms", "log score"):
        learning = replace(SHORT, score=score, recalibrate=True)
        fit = Ensemble(MEMBERS, given, learning=learning).fit(unwatched)
        assert fit.weights.tolist() == list(given)
    assert Ensemble(MEMBERS, given, learning=SHORT).fit(series).weights[0] > 0.9


@pytest.mark.parametrize("method", ["linear pool", "quantile average"])
def test_an_ensemble_makes_the_draws_asked_for(series, rng, method):
    members = {"exact": Conflictology(12, exact=True), "persistence": Persistence()}
    learning = replace(SHORT, recalibrate=True)
    for names in (tuple(members), tuple(members)[::-1]):
        ordered = {name: members[name] for name in names}
        for given in (None, learning):
            fit = Ensemble(ordered, method=method, learning=given).fit(series)
            assert fit.forecast(4, rng, draws=500).draws.shape == (500, 4, 2)


def test_faults_are_named(series, rng):
    with pytest.raises(ValueError, match="needs members"):
        Ensemble({})
    with pytest.raises(ValueError, match="sum to 1"):
        Ensemble(MEMBERS, (0.5, 0.5))
    with pytest.raises(ValueError, match="score must be"):
        Learning(score="rps")
    with pytest.raises(ValueError, match="at least 1"):
        Learning(every=0)
    first = Level(1.0).fit(series).forecast(3, rng, draws=5)
    second = Level(1.0).fit(series).forecast(4, rng, draws=5)
    with pytest.raises(ValueError, match="not of the periods"):
        pool_forecasts([first, second], rng=rng)
    with pytest.raises(ValueError, match="method must be"):
        pool_forecasts([first], method="median", rng=rng)
    with pytest.raises(ValueError, match="as many observations"):
        PastForecasts([{"a": first}], [])
    with pytest.raises(ValueError, match="follow each other"):
        PastForecasts([{"a": first}, {"a": first}], [np.zeros((3, 2))] * 2)
    with pytest.raises(ValueError, match="every member"):
        PastForecasts([{"a": first}, {"b": second}], [np.zeros((3, 2))] * 2)


def test_the_default_forecasts_many_units(rng):
    units = CountSeries.from_counts(
        rng.poisson(rng.gamma(0.3, 5.0, 12), (48, 12)), date(2015, 1, 1), "month"
    )
    forecast = Ensemble.default().fit(units).forecast(12, rng, draws=200)
    assert forecast.draws.shape == (200, 12, 12)
    # Units are told apart by their own past.
    level = np.log1p(units.counts[-12:].mean(axis=0))
    assert np.corrcoef(np.log1p(forecast.mean.mean(axis=0)), level)[0, 1] > 0.9


def test_conflictology_and_persistence_pool_in_a_backtest(series):
    models = {
        "both": Ensemble({"conflictology": Conflictology(), "persistence": Persistence()}),
        "averaged": Ensemble({"a": Conflictology(), "b": Persistence()}, method="quantile average"),
    }
    origins = [series.edges[at].item() for at in (60, 80)]
    backtest = run_backtest(models, series, origins, 4, seed=0, draws=100)
    assert backtest.failures.is_empty()
    assert backtest.models == ("both", "averaged")
