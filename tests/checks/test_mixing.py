from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.checks.general import mixing
from escalation.counts import EndemicEpidemic
from escalation.engines import MaximumLikelihood
from escalation.series import CountSeries

GOOD = {
    "r_hat": 1.004, "r_hat_of": "decay", "ess": 800.0, "ess_of": "level[0]", "divergences": 0,
    "e_bfmi": [0.9, 0.8], "labels": ["level[0]", "decay"], "r_hats": [1.001, 1.004],
    "ess_bulk": [800.0, 1500.0], "ess_tail": [900.0, 1000.0],
}  # fmt: skip


@pytest.fixture(scope="module")
def fit():
    series = CountSeries.from_counts(np.ones((40, 1), int), date(2020, 1, 6))
    model = EndemicEpidemic(background=Background(harmonics=0), lags=2, distribution="poisson")
    return model.fit(series, MaximumLikelihood(draws=5, starts=1))


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        ({}, "passed", "chains agree"),
        ({"r_hat": 1.02}, "failed", "chains disagree"),
        ({"divergences": 3}, "failed", "corner of the posterior"),
        ({"ess": 150.0}, "warned", "ends of the intervals are rough"),
        ({"e_bfmi": [0.9, 0.2]}, "warned", "E-BFMI 0.20"),
    ],
)
def test_what_the_sampler_says_of_itself_becomes_a_finding(fit, told, status, said):
    found = mixing(replace(fit, engine="NUTS", diagnostics=GOOD | told))
    assert found.status == status
    assert said in found.text
    assert found.table["parameter"].to_list() == ["decay", "level[0]"]
