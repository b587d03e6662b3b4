"""The stiffness of a trend, chosen by the evidence."""

from datetime import date, timedelta

import numpy as np
import pytest

from escalation import Background, CountSeries, EndemicEpidemic, EventSeries, Hawkes, OneLag
from escalation.hawkes.simulate import branching
from escalation.kernels import Exponential
from escalation.trend_choice import choose_trend

START = date(2015, 1, 1)
QUIET = Background(harmonics=0)


def events(low: float, high: float, reproduction: float, seed: int, days: int = 2000):
    rates = np.linspace(low, high, 200)[None, :, None]
    paths = branching(
        rates, np.linspace(0, days, 201), np.array([[[reproduction]]]), Exponential(),
        np.array([[1.0]]), (), (0.0, float(days)), np.random.default_rng(seed),
    )  # fmt: skip
    return EventSeries.from_times([paths.time], START, START + timedelta(days=days))


@pytest.mark.parametrize("seed", range(2))
def test_a_rising_background_is_given_a_trend_and_excitation_stands(seed):
    chosen = choose_trend(Hawkes(), events(0.15, 0.9, 0.4, seed))
    assert chosen.model.background.trend == 365.0
    assert chosen.weights[0] < 1e-3
    fit = chosen.model.fit(events(0.15, 0.9, 0.4, seed))
    assert abs(fit.estimate["reproduction"][0, 0] - 0.4) < 0.15


def test_a_constant_background_is_left_stiff():
    chosen = choose_trend(Hawkes(), events(0.5, 0.5, 0.4, 0))
    table = chosen.table()
    bent = table.filter(table["scale"] > 0.2)["weight"].sum()
    assert bent < 0.2
    assert table["weight"].sum() == pytest.approx(1.0)


def test_counts_are_chosen_for_alike():
    rng = np.random.default_rng(0)
    rising = rng.poisson(np.exp(np.linspace(0.0, 2.5, 300)))
    series = CountSeries.from_counts(rising, START + timedelta(days=4), "week")
    model = EndemicEpidemic(OneLag(), QUIET, lags=1)
    chosen = choose_trend(model, series, scales=(0.05, 1.0), spacings=(365.0, 730.0))
    assert chosen.model.background.trend in (365.0, 730.0)
    assert chosen.model.kernel == model.kernel
    assert len(chosen.backgrounds) == 5
    assert "knots every" in repr(chosen)
    assert "log evidence" in chosen._repr_html_()


def test_without_excitation_the_trend_does_not_become_excitation():
    # A delay as long as the knots' spacing does what the trend does: it is held to a quarter.
    errors = []
    for seed in range(6):
        series = events(0.15, 0.9, 0.0, seed)
        fit = Hawkes(background=Background(harmonics=0, trend=365.0)).fit(series)
        errors.append(float(fit.estimate["reproduction"][0, 0]))
        assert fit.estimate["decay"] >= 4 / 365 * (1 - 1e-9)
    assert max(errors) < 0.3
    assert np.mean(errors) < 0.1


@pytest.mark.parametrize("options", [{"scales": ()}, {"scales": (0.0,)}, {"spacings": (-1.0,)}])
def test_impossible_choices_are_refused(options):
    with pytest.raises(ValueError, match=r"needed|positive"):
        choose_trend(Hawkes(), events(0.5, 0.5, 0.0, 0, 100), **options)
