from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.checks.unrecorded import BRANCHING, unrecorded
from escalation.counts import EndemicEpidemic
from escalation.engines import MaximumLikelihood
from escalation.kernels import OneLag
from escalation.series import CountSeries, EventSeries

QUICK = MaximumLikelihood(draws=100, starts=1)
PLAIN = EndemicEpidemic(
    kernel=OneLag(), lags=1, distribution="poisson", background=Background(harmonics=0)
)
REACH, KEPT = 0.6, 0.6


def thinned(reach, kept):
    """R of the thinned one-lag Poisson process: the slope of its best linear forecast."""
    return reach / (1 + (1 - reach**2) * (1 - kept) / kept)


@pytest.fixture(scope="module")
def complete():
    like = CountSeries.from_counts(np.zeros((6000, 1)), date(1900, 1, 1), "day", ["a"])
    truth = {"level": np.log([2.0]), "reproduction": np.array([[REACH]])}
    return PLAIN.simulate(truth, like, np.random.default_rng(0))


@pytest.fixture(scope="module")
def observed(complete):
    counts = np.random.default_rng(1).binomial(complete.counts, KEPT)
    return PLAIN.fit(replace(complete, counts=counts), QUICK)


def test_taking_out_has_the_effect_that_theory_says(complete):
    found = unrecorded(PLAIN.fit(complete, QUICK), (0.2, 0.5), thinnings=3, engine=QUICK)
    table = found.table().filter(quantity=BRANCHING)
    wanted = [thinned(REACH, kept) for kept in (1.0, 0.8, 0.5)]
    np.testing.assert_allclose(table["estimate"], wanted, atol=0.03)
    assert table["lower"].is_between(0, 1).all()
    assert table["between"][0] == 0 < table["between"][1]


def test_what_is_carried_back_is_the_complete_series_ratio(observed):
    found = unrecorded(observed, (0.1, 0.4), thinnings=6, engine=QUICK)
    back = dict(zip(found.shares, np.median(found.carried_back, axis=1), strict=True))
    assert abs(back[0.0] - thinned(REACH, KEPT)) < 0.04
    # 40 % of the incidents are missing in truth.
    assert abs(back[0.4] - REACH) < 0.06


def test_forecasts_stand_for_all_incidents(observed):
    found = unrecorded(observed, (0.5,), thinnings=2, horizon=4, engine=QUICK, draws=300)
    table = found.table().filter(quantity="a, next 4 days")
    full, half = table["estimate"]
    assert 0.4 * full < half < 0.6 * full
    np.testing.assert_allclose(table["all incidents"][1], table["estimate"][1] * 2, rtol=0.15)


def test_the_table_repeats_and_prints(observed):
    rng = [np.random.default_rng(5) for _ in range(2)]
    one, two = (unrecorded(observed, (0.3,), thinnings=2, engine=QUICK, rng=r) for r in rng)
    assert one.table().equals(two.table())
    assert "0 %, 30 % of the incidents taken out, 2 thinnings each" in repr(one)
    assert "makes R look smaller" in one.finding().text
    assert one.finding().status == "warned"


def test_wrong_asks_are_refused(observed):
    with pytest.raises(ValueError, match="between 0 and 1"):
        unrecorded(observed, (0.5, 1.0))
    with pytest.raises(ValueError, match="got none"):
        unrecorded(observed, ())
    times = EventSeries.from_times([np.arange(1.0, 60.0)], 0.0, 70.0)
    with pytest.raises(ValueError, match="needs a CountSeries"):
        unrecorded(replace(observed, series=times))


def test_silence_stays_silence():
    series = CountSeries.from_counts(np.zeros((60, 1), int), date(2020, 1, 6))
    found = unrecorded(PLAIN.fit(series, QUICK), (0.5,), thinnings=2, engine=QUICK, draws=50)
    table = found.table().filter(quantity=BRANCHING)
    assert table["estimate"].is_finite().all()
