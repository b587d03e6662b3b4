"""The second default of the Pakistan backtest is chosen on what was known at the end of 2009."""

from datetime import date, timedelta

import numpy as np
import pytest

from escalation import CountSeries, Forecast
from escalation.ensemble import PastForecasts
from studies.backtest_pakistan_choosing import CANDIDATES, CHOSEN, CUTS, FIVE, HORIZON, before
from studies.backtest_pakistan_pools import Candidate, drawn_in, pooled_over_time

HEAD = "dyad_name,type_of_violence,adm_1,date_start,date_end\n"
EARLIER = (
    "Government of Pakistan - TTP,1,Khyber Pakhtunkwa province,2009-12-28,2010-01-03\n"
    "TTP - Civilians,3,,2008-06-02 00:00:00.000,2008-06-02 00:00:00.000\n"
)
LATER = "Government of Pakistan - TTP,1,Khyber Pakhtunkwa province,{},{}\n"


@pytest.mark.parametrize(
    "later",
    [
        "",
        LATER.format("2010-01-04", "2010-01-04"),
        LATER.format("2010-01-01", "2010-12-31") * 50,  # begun before, not over
        LATER.format("2016-05-02", "2009-01-01") * 50,
    ],
)
def test_nothing_later_than_2009_is_read(tmp_path, later):
    (tmp_path / "events.csv").write_text(HEAD + EARLIER + later)
    events = before(tmp_path / "events.csv", CHOSEN)
    assert events["day"].to_list() == [date(2009, 12, 28), date(2008, 6, 2)]
    counts = CUTS["four streams 2007–2009"].series(events).counts
    assert counts.sum() == 2 and counts[-1].tolist() == [0, 1, 0, 0]


@pytest.mark.parametrize("name", CUTS)
def test_every_study_ends_with_2009(tmp_path, name):
    (tmp_path / "events.csv").write_text(HEAD + EARLIER)
    cut = CUTS[name]
    series = cut.series(before(tmp_path / "events.csv", CHOSEN))
    assert series.window.end <= CHOSEN == date(2010, 1, 4)
    assert cut.last + timedelta(weeks=HORIZON) == series.window.end
    assert cut.start.weekday() == cut.first.weekday() == cut.last.weekday() == 0


def test_candidates_pool_what_they_say(rng):
    weeks = CountSeries.from_counts(rng.poisson(3, (60, 2)), date(2008, 1, 7), names=("a", "b"))
    past = [weeks.split(date(2008, 6, 2) + timedelta(weeks=4 * n)) for n in range(4)]
    made = [
        {
            name: Forecast.after(seen, rng.poisson(2 + k, (40, 2, 2)), name)
            for k, name in enumerate((*FIVE, "half-life 6.5", "half-life 26"))
        }
        for seen, _ in past
    ]
    past = PastForecasts(made, [coming.counts[:2] for _, coming in past])
    for candidate in CANDIDATES.values():
        found = pooled_over_time(candidate, past, np.random.SeedSequence(1), 40)
        assert [one.draws.shape for one in found] == [(40, 2, 2)] * 4
    alone = pooled_over_time(Candidate(("latent",)), past, np.random.SeedSequence(1), 40)
    for one, forecasts in zip(alone, made, strict=True):
        assert np.array_equal(np.sort(one.draws, 0), np.sort(forecasts["latent"].draws, 0))


def test_drawn_in_keeps_zero_and_the_median():
    draws = np.array([0.0, 1.0, 4.0, 20.0, 90.0])[:, None]
    near = drawn_in(draws, 0.9)[:, 0]
    assert near[0] == 0 and near[2] == 4 and near[4] < 90 and near[1] >= 1
    assert np.array_equal(drawn_in(draws, 1.0), draws)
