"""A part of the studies of calibration and of coverage, for the slow run."""

import numpy as np
import pytest

from studies.calibration_counts import models, run
from studies.forecast_coverage import CASES, ENGINES, MODELS, WHAT, one_set

#: Models whose sampler takes ten seconds and more a series.
LONG = ("Latent", "Panel", "Regimes")


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in models() if "," not in name])
def test_posteriors_are_calibrated(name):
    # 1 % a model over all its quantities: see escalation.checks.calibration.
    found = run(name, models()[name], 8 if name in LONG else 20, None)
    assert found.passed, found.table()


@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_nine_in_ten(case):
    sets = 60
    found = [
        one_set(case, MODELS["endemic-epidemic"], ENGINES["maximum likelihood"], seed)
        for seed in range(sets)
    ]
    share = np.array([one[WHAT[1]][2] for one in found])
    # Four standard errors around 87 to 93 %: a false alarm in 30,000 runs at the ends.
    slack = 4 * share.std() / np.sqrt(sets)
    assert 0.87 - slack < share.mean() < 0.93 + slack
