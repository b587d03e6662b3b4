"""A few sets of the study of recovery: the tables of the documentation have a thousand."""

import pytest

from studies.hawkes_recovery import line, study


@pytest.mark.slow
@pytest.mark.parametrize("kernel", ["exponential", "power law"])
def test_intervals_hold_the_truth_about_as_often_as_they_say(kernel):
    row = study(kernel, 2000, 40)
    # 28 of 40 or fewer at 90 %: once in three thousand figures.
    assert row["coverage"].min() > 0.7, line(kernel, 2000, row)
    assert 0.82 < row["coverage"].mean() < 0.97, line(kernel, 2000, row)
    assert row["converged"] == 1
    # A mean of 40 is known to a sixth of their spread.
    assert abs(row["corrected"][1]) < 0.7
