"""Memories of the past against plain loops."""

from datetime import date

import numpy as np
import pytest

from escalation import CountSeries, PanelSeries
from escalation.own_history.history import USUAL_MISS, History, highest, memory, silence
from escalation.own_history.origins import past_origins


@pytest.fixture
def history(rng: np.random.Generator) -> History:
    level = rng.poisson(0.7, (60, 5)).astype(float)
    weight = np.where(rng.random((60, 5)) < 0.2, 0.0, 1.0)
    return History(np.where(weight > 0, level, np.nan), weight)


def test_memory_is_the_weighted_mean_of_what_was_known(history: History) -> None:
    found = memory(history.level, history.weight, (2.0, 30.0))
    for m, half_life in enumerate((2.0, 30.0)):
        for k in range(5):
            seen = [t for t in range(60) if history.weight[t, k] > 0]
            for t in (5, 30, 59):
                past = [s for s in seen if s <= t]
                # Time stands still while nobody watches.
                weight = [0.5 ** ((len(past) - 1 - i) / half_life) for i in range(len(past))]
                expected = np.average(history.level[past, k], weights=weight) if past else 0.0
                assert found[m, t, k] == pytest.approx(expected)


def test_memory_weighs_a_period_by_its_watch() -> None:
    values, weight = np.array([[4.0], [1.0]]), np.array([[1.0], [0.5]])
    assert memory(values, weight, (1.0,))[0, -1, 0] == pytest.approx((2.0 + 0.5) / (0.5 + 0.5))


def test_highest_of_the_last_periods(rng: np.random.Generator) -> None:
    values = rng.random((20, 2))
    expected = [values[max(0, t - 3) : t + 1].max(axis=0) for t in range(20)]
    np.testing.assert_array_equal(highest(values, 4), expected)


def test_misses_are_the_errors_of_a_plain_forecast(history: History) -> None:
    """Loops over the periods whose unit was watched eight periods before."""
    log_3 = history.memories["log 3"]
    for k in range(5):
        errors, weight = [], []
        for t in range(60):
            if history.weight[t, k] > 0 and history.weight[: t - 7, k].sum() > 0 and t >= 8:
                weight = [w * 0.5 ** (1 / 12) for w in weight] + [1.0]
                errors.append(abs(np.log1p(history.level[t, k]) - log_3[t - 8, k]))
        expected = np.average(errors, weights=weight)
        assert history.memories["miss 12"][-1, k] == pytest.approx(expected)
        assert history.memories["log miss 12"][-1, k] == pytest.approx(np.log(expected + 0.1))
    assert (history.memories["miss 30"][:8] == USUAL_MISS).all()


def test_busy_jumps_leave_out_what_is_zero(history: History) -> None:
    for k in range(5):
        busy = [np.log(y) for y in history.level[:, k] if y > 0]  # NaN is not above 0
        weight = lambda n, h: 0.5 ** (np.arange(n)[::-1] / h)  # noqa: E731
        jumps = [
            abs(busy[i] - np.average(busy[:i], weights=weight(i, 3))) for i in range(1, len(busy))
        ]
        expected = np.average(jumps, weights=weight(len(jumps), 12))
        assert history.memories["busy jump 12"][-1, k] == pytest.approx(expected)


def test_silence_counts_periods_without_incidents() -> None:
    level = np.array([[0.0], [3.0], [0.0], [np.nan], [0.0]])
    weight = np.array([[1.0], [1.0], [1.0], [0.0], [1.0]])
    np.testing.assert_allclose(np.expm1(silence(level, weight))[:, 0], [120, 0, 1, 2, 3])


def test_a_history_knows_which_units_were_watched_when() -> None:
    start = date(2020, 1, 1)
    panel = PanelSeries.from_series(
        {
            "old": CountSeries.from_counts([3, 0, 1, 2], start, "month", ["deaths"]),
            "new": CountSeries.from_counts([5, 6], date(2020, 3, 1), "month", ["deaths"]),
        }
    )
    history = History.of(panel)
    np.testing.assert_array_equal(history.level[:, 1], [np.nan, np.nan, 5, 6])
    np.testing.assert_array_equal(history.weight[:, 1], [0, 0, 1, 1])
    np.testing.assert_array_equal(history.known.sum(axis=0), [4, 2])


def test_a_period_watched_in_part_is_a_level(rng: np.random.Generator) -> None:
    gap = ((date(2020, 1, 6), date(2020, 1, 7)),)
    series = CountSeries.from_counts([6, 7], date(2020, 1, 6), gaps=gap)
    np.testing.assert_allclose(History.of(series).level[:, 0], [7.0, 7.0])


def test_past_origins_weigh_quiet_units_as_all_of_them() -> None:
    level = np.zeros((100, 6))
    level[:, 0] = 5.0
    history = History(level, np.ones_like(level))
    at, unit, weight = past_origins(history, 3, 1e9)
    assert (at + 3 < 100).all()
    busy = unit == 0
    assert busy.sum() == 100 - 3 - 33
    assert weight[~busy].sum() == pytest.approx(5 * busy.sum(), rel=0.05)
    fewer, _, weight_of_fewer = past_origins(history, 3, 1e9, most=20)
    assert len(fewer) <= 20
    assert weight_of_fewer.sum() == pytest.approx(weight.sum(), rel=0.2)


def test_past_origins_know_what_came(history: History) -> None:
    at, unit, _ = past_origins(history, 4, 100.0)
    assert history.known[at, unit].all() and history.known[at + 4, unit].all()
    assert len(past_origins(history, 60, 100.0)[0]) == 0
