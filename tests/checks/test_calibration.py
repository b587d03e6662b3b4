from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.checks.calibration import Calibration, calibrate, ecdf_bands, uniformity
from escalation.counts import EndemicEpidemic
from escalation.engines import Laplace
from escalation.series import CountSeries


@pytest.mark.parametrize(("n", "draws", "level"), [(50, 9, 0.95), (200, 49, 0.99), (20, 99, 0.9)])
def test_a_band_has_its_level(n, draws, level):
    lower, upper = ecdf_bands(n, draws, level)
    rng, sets = np.random.default_rng(0), 4000
    ranks = rng.integers(0, draws + 1, (sets, n))
    ecdf = np.stack([(ranks <= j).mean(axis=1) for j in range(draws)], axis=1)
    inside = ((ecdf >= lower - 1e-12) & (ecdf <= upper + 1e-12)).all(axis=1).mean()
    error = np.sqrt(level * (1 - level) / sets)
    # At least the level, and not much more: the law is discrete.
    assert level - 4 * error < inside < level + (1 - level) * 0.35 + 4 * error


def test_p_values_are_valid_and_belong_to_the_bands():
    rng, n, draws = np.random.default_rng(1), 60, 19
    ranks = rng.integers(0, draws + 1, (400, n))
    p = np.array([uniformity(one, draws) for one in ranks])
    for level in (0.01, 0.05, 0.2, 0.5):
        assert abs((p <= level).mean() - level) < 0.15 * level + 4 * np.sqrt(level / 400)
    lower, upper = ecdf_bands(n, draws, 0.9)
    ecdf = np.stack([(ranks <= j).mean(axis=1) for j in range(draws)], axis=1)
    outside = ((ecdf < lower - 1e-12) | (ecdf > upper + 1e-12)).any(axis=1)
    np.testing.assert_array_equal(outside, p < p[~outside].min())


@pytest.mark.parametrize("fault", ["shifted", "too narrow", "too wide"])
def test_faults_of_a_posterior_are_found(fault):
    rng, n, draws = np.random.default_rng(2), 200, 49
    centre = {"shifted": 0.4, "too narrow": 0.0, "too wide": 0.0}[fault]
    spread = {"shifted": 1.0, "too narrow": 0.7, "too wide": 1.5}[fault]
    truth = rng.normal(size=n)
    ranks = (rng.normal(centre, spread, (n, draws)) < truth[:, None]).sum(axis=1)
    good = (rng.normal(size=(n, draws)) < truth[:, None]).sum(axis=1)
    found = Calibration(np.column_stack([ranks, good]), draws, ("bad", "good"), "normal")
    assert not found.passed
    assert found.table()["inside"].to_list() == [False, True]
    assert found.finding().status == "failed"
    assert "1 outside the band" in repr(found)


def test_wrong_ranks_are_refused():
    with pytest.raises(ValueError, match="must have shape"):
        Calibration(np.zeros((3, 2), int), 9, ("a",), "m")
    with pytest.raises(ValueError, match="must lie in"):
        Calibration(np.full((3, 1), 12), 9, ("a",), "m")
    with pytest.raises(ValueError, match="between 0 and 1"):
        ecdf_bands(10, 9, 1.0)


def test_the_driver_repeats_and_conditions_on_the_first_counts():
    like = CountSeries.from_counts(np.ones((60, 1), int), date(2020, 1, 6))
    model = EndemicEpidemic(background=Background(harmonics=0), lags=2, distribution="poisson")
    engine = Laplace(draws=100, starts=1)
    one, two = (calibrate(model, like, 3, engine=engine, draws=19) for _ in range(2))
    np.testing.assert_array_equal(one.ranks, two.ranks)
    assert one.names == ("level[0]", "reproduction[0, 0]", "decay", "log-likelihood")
    assert one.ranks.shape == (3, 4)
    with pytest.raises(ValueError, match="want 120 or more"):
        calibrate(model, like, 1, engine=engine, draws=60)
