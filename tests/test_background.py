import numpy as np
import pytest
from scipy.interpolate import BSpline

from escalation.background import Background, coefficient_places
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
