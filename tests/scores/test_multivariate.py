"""Energy and variogram score against definitions and stored values of scoringrules."""

import json
from pathlib import Path

import numpy as np
import pytest

from escalation.scores import crps_draws, energy_score, variogram_score

STORED = json.loads((Path(__file__).parents[1] / "references/scores.json").read_text("utf-8"))[
    "scoringrules"
]
DRAWS, OBSERVED = np.array(STORED["draws"]), np.array(STORED["observed"])


def test_scoringrules_gives_the_same():
    np.testing.assert_allclose(energy_score(DRAWS, OBSERVED), STORED["energy"], rtol=1e-12)
    np.testing.assert_allclose(variogram_score(DRAWS, OBSERVED), STORED["variogram"], rtol=1e-12)
    found = variogram_score(DRAWS, OBSERVED, power=1.0)
    np.testing.assert_allclose(found, STORED["variogram_1"], rtol=1e-12)


def test_the_energy_score_of_one_dimension_is_the_crps(rng):
    draws, observed = rng.poisson(4, (50, 3)), rng.poisson(4, 3)
    found = energy_score(draws[..., None], observed[..., None])
    np.testing.assert_allclose(found, crps_draws(draws, observed))


def test_pairs_estimate_the_energy_score(rng):
    draws, observed = rng.normal(size=(2000, 4, 3)), np.zeros((4, 3))
    whole = energy_score(draws, observed)
    np.testing.assert_allclose(energy_score(draws, observed, pairs=10), whole, rtol=0.03)
    # All successors: only the draws themselves are left out, a factor n / (n - 1).
    near = np.sqrt((draws[:20, 0] ** 2).sum(axis=1)).mean()
    spread = near - energy_score(draws[:20, 0], observed[0])
    every = energy_score(draws[:20, 0], observed[0], pairs=19)
    assert every == pytest.approx(float(near - spread * 20 / 19))


@pytest.mark.parametrize("score", [energy_score, variogram_score])
def test_a_wrong_dependence_costs(score, rng):
    """200 pairs that move together, forecast together and apart."""
    shared = rng.normal(size=(100, 200, 1)) + 0.3 * rng.normal(size=(100, 200, 2))
    observed = rng.normal(size=(200, 1)) + 0.3 * rng.normal(size=(200, 2))
    apart = shared.copy()
    apart[:, :, 1] = rng.permuted(apart[:, :, 1], axis=0)
    assert score(shared, observed).mean() < score(apart, observed).mean()


def test_endless_and_unobserved_vectors():
    draws = np.zeros((3, 3, 2))
    draws[1, 1, 0] = np.inf
    observed = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, np.nan]])
    for score in (energy_score, variogram_score):
        found = score(draws, observed)
        assert found[:2].tolist() == [0.0, np.inf]
        assert np.isnan(found[2])


def test_weights_choose_the_pairs():
    weights = np.zeros((4, 4))
    weights[0, 1] = 1.0
    found = variogram_score(DRAWS, OBSERVED, weights=weights)
    expected = variogram_score(DRAWS[..., :2], OBSERVED[..., :2]) / 2
    np.testing.assert_allclose(found, expected)


def test_faults_are_named():
    with pytest.raises(ValueError, match="observations"):
        energy_score(np.zeros((3, 2)), np.zeros(3))
    with pytest.raises(ValueError, match="pairs must lie between 1 and 2"):
        energy_score(np.zeros((3, 2)), np.zeros(2), pairs=3)
    with pytest.raises(ValueError, match="power"):
        variogram_score(np.zeros((3, 2)), np.zeros(2), power=0)
    with pytest.raises(ValueError, match="weights must have shape"):
        variogram_score(np.zeros((3, 2)), np.zeros(2), weights=np.ones(2))
