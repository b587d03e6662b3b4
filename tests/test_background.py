from datetime import date

import numpy as np
import pytest
from scipy.interpolate import BSpline

from escalation.background import Background, Covariates, Interventions, coefficient_places
from escalation.parameters import Layout

DAYS = np.arange(0.0, 3650.0)


def test_the_season_repeats_after_its_length():
    design = Background(harmonics=2, season_length=364).design(DAYS, 3650)
    np.testing.assert_allclose(design[:364], design[364:728], atol=1e-9)
    np.testing.assert_allclose(design[:, 1], np.sin(2 * np.pi * DAYS / 364))
    np.testing.assert_allclose(design[:, 4], np.cos(4 * np.pi * DAYS / 364))


def test_the_trend_spans_every_spline_of_its_knots_and_is_centred():
    background = Background(harmonics=0, trend=730)
    design = background.design(DAYS, 3650)
    assert design.shape == (3650, 1 + background.trend_columns(3650))
    np.testing.assert_allclose(design[:, 1:].mean(axis=0), 0, atol=2e-3)
    knots = np.concatenate([[0] * 3, np.linspace(0, 3650, 6), [3650] * 3])
    wanted = BSpline(knots, np.arange(8.0) % 3, 3)(DAYS)
    fitted = design @ np.linalg.lstsq(design, wanted, rcond=None)[0]
    np.testing.assert_allclose(fitted, wanted, atol=1e-8)


def test_the_trend_goes_on_flat_beyond_the_window():
    design = Background(harmonics=0, trend=365).design(np.array([3650.0, 3700.0, 5000.0]), 3650)
    np.testing.assert_array_equal(design[0], design[2])


def test_coefficients_find_their_columns():
    background = Background(harmonics=(2, 1), trend=1000)
    layout = Layout(background.parameters(2, 3650, "incidents per week"))
    places = coefficient_places(layout, 2)
    assert places.shape == (2, background.design(DAYS, 3650).shape[1])
    assert len(np.unique(places)) == places.size == layout.size
    season = layout.parameters[1]
    np.testing.assert_array_equal(season.mask, [[True] * 4, [True, True, False, False]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"harmonics": -1}, "harmonics must be 0 or more, got -1"),
        ({"season_length": 0}, "season_length must be positive"),
        ({"trend": -3.0}, "trend must be a positive knot spacing"),
    ],
)
def test_faults_name_the_setting(settings, message):
    with pytest.raises(ValueError, match=message):
        Background(**settings)


def test_harmonics_by_stream_must_fit_the_series():
    with pytest.raises(ValueError, match="harmonics names 2 streams, the series has 3"):
        Background(harmonics=(1, 2)).orders(3)


START = date(2024, 1, 1)  # a Monday
WEEKS = np.arange(0.0, 71.0, 7.0)


def test_a_period_takes_the_mean_of_its_days():
    daily = np.arange(70.0)[:, None]
    background = Background(0, covariates=Covariates(START, daily, ("x",)))
    design = background.design(WEEKS[:-1], 70, START, WEEKS[1:])
    np.testing.assert_allclose(design[:, 1], 3 + 7 * np.arange(10))
    np.testing.assert_allclose(background.design(WEEKS[:-1], 70, START)[:, 1], WEEKS[:-1])
    with pytest.raises(ValueError, match="to 2024-03-10, 2024-03-17 is wanted"):
        background.design(WEEKS[:-1] + 7, 70, START, WEEKS[1:] + 7)


def test_covariates_by_period_come_back_as_they_were_given():
    edges = np.array(["2024-01-01", "2024-02-01", "2024-03-01"], "datetime64[D]")
    values = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    covariates = Covariates.by_period(edges, values, ("x",))
    assert covariates.by_stream
    found = covariates.at(START, np.array([0.0, 31.0]), np.array([31.0, 60.0]))
    np.testing.assert_allclose(found, values)
    with pytest.raises(ValueError, match="of each stream are for models with components"):
        Background(covariates=covariates).design(np.zeros(1), 60, START)
    with pytest.raises(ValueError, match="2 periods want as many rows, got 1"):
        Covariates.by_period(edges, values[:1], ("x",))


def test_interventions_shift_and_spike_on_their_dates():
    dates = Interventions(shifts=(date(2024, 1, 17),), spikes=(date(2024, 1, 28),))
    weekly = dates.columns(START, WEEKS[:-1], WEEKS[1:])
    np.testing.assert_allclose(weekly[:5, 0], [0, 0, 5 / 7, 1, 1])
    np.testing.assert_allclose(weekly[:5, 1], [0, 0, 0, 1, 0])
    daily = dates.columns(START, np.arange(30.0) + 0.5)
    np.testing.assert_array_equal(np.flatnonzero(daily[:, 0])[0], 16)
    np.testing.assert_array_equal(np.flatnonzero(daily[:, 1]), [27])


def test_interventions_have_a_coefficient_a_stream():
    background = Background(
        1, interventions=Interventions(shifts=(date(2024, 1, 17),)), trend=35, weekday=True
    )
    assert not background.flat
    layout = Layout(background.parameters(2, 70, "incidents per week"))
    places = coefficient_places(layout, 2)
    design = background.design(WEEKS[:-1], 70, START, WEEKS[1:])
    assert places.shape == (2, design.shape[1])
    at = layout.start("intervention")
    np.testing.assert_array_equal(places[:, 9], [at, at + 1])
    assert set(design[:, 9]) == {0.0, 5 / 7, 1.0}
    # Whole weeks have every day of the week once.
    np.testing.assert_allclose(design[:, 3:9], 0, atol=1e-15)


@pytest.mark.parametrize(
    ("shifts", "message"), [((), "at least one date"), ((START, START), "stands twice")]
)
def test_interventions_want_different_dates(shifts, message):
    with pytest.raises(ValueError, match=message):
        Interventions(shifts=shifts)
