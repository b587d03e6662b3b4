"""A stream without contagion: how much of it there may be, and what comes next."""

import numpy as np
import pytest

from escalation.engines import MaximumLikelihood
from escalation.hawkes import Hawkes
from escalation.series import EventSeries


@pytest.mark.parametrize(("seed", "batches"), [(2, True), (1, False)], ids=["batches", "incidents"])
def test_a_delay_that_says_nothing_leaves_reproduction_small(seed, batches):
    times = np.floor(np.sort(np.random.default_rng(seed).uniform(0, 600, 150)))
    series = EventSeries.from_times([times], 0, 600, resolution="day")
    fit = Hawkes(batches=batches).fit(series, MaximumLikelihood(), np.random.default_rng(1))
    assert fit.estimate["reproduction"].item() == 0
    assert "decay" in fit.diagnostics["silent"]
    assert 0.1 < np.quantile(fit.draws["reproduction"], 0.95) < 0.5
    assert fit.draws["reproduction"].max() < 1
    weeks = fit.forecast(6, np.random.default_rng(2), draws=300).draws
    lower, upper = np.quantile(weeks, [0.05, 0.95])
    # A Poisson number of mean 1.75 a week.
    assert lower == 0
    assert 3 <= upper <= 5
