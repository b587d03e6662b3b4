"""The same numbers from scoringrules, whose import alone takes seconds."""

import numpy as np
import pytest

from escalation.scores import (
    brier,
    crps_draws,
    crps_negative_binomial,
    crps_poisson,
    interval_score,
    log_score_negative_binomial,
    log_score_poisson,
    quantile_score,
    rps_pmf,
)


# Its hypergeometric function overflows on the way.
@pytest.mark.filterwarnings("ignore::RuntimeWarning:scoringrules")
@pytest.mark.slow
def test_scoringrules_gives_the_same(rng):
    rules = pytest.importorskip("scoringrules")
    same = np.testing.assert_allclose
    draws, observed = rng.negative_binomial(2, 0.2, (300, 40)), rng.poisson(8, 40)
    theirs = rules.crps_ensemble(observed, draws, m_axis=0, estimator="nrg")
    same(crps_draws(draws, observed), theirs, rtol=1e-12)
    low = rng.poisson(3, 40)
    high = low + rng.poisson(6, 40)
    theirs = rules.interval_score(observed, low, high, 0.2)
    same(interval_score(low, high, observed, 0.8), theirs, rtol=1e-12)
    p, outcome = rng.uniform(size=20), rng.integers(0, 2, 20)
    same(brier(p, outcome), rules.brier_score(outcome, p), rtol=1e-12)
    theirs = 2 * rules.quantile_score(observed, low, 0.3)
    same(quantile_score(low[None], [0.3], observed)[0], theirs, rtol=1e-12)
    mean, size = rng.gamma(2.0, 5.0, 40), rng.gamma(2.0, 2.0, 40)
    same(crps_poisson(mean, observed), rules.crps_poisson(observed, mean), rtol=1e-9)
    same(log_score_poisson(mean, observed), rules.logs_poisson(observed, mean), rtol=1e-9)
    share = size / (size + mean)
    theirs = rules.crps_negbinom(observed, size, share)
    same(crps_negative_binomial(mean, size, observed), theirs, rtol=1e-7)
    theirs = rules.logs_negbinom(observed, size, share)
    # Theirs is infinite where its gamma functions overflow.
    known = np.isfinite(theirs)
    ours = log_score_negative_binomial(mean, size, observed)
    assert known.sum() > 10
    same(ours[known], theirs[known], rtol=1e-9)
    pmf = np.array([0.1, 0.2, 0.3, 0.4])
    assert rps_pmf(pmf, 2) == pytest.approx(float(rules.rps_score(np.array(3), pmf)))
