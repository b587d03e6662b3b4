"""The series that backtests of two streams begin with."""

import pytest

from escalation.series import CountSeries
from forecasters import MONDAY


@pytest.fixture
def series(rng):
    return CountSeries.from_counts(rng.poisson([3.0, 1.0], (160, 2)), MONDAY, names=("A", "B"))
