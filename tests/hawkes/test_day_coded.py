from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.background import Background, Interventions
from escalation.hawkes import Hawkes
from escalation.hawkes.day_coded import closed_form
from escalation.kernels import Mixture
from escalation.series import EventSeries


@pytest.fixture
def two(rng):
    days = [np.floor(rng.random(150) * 200) for _ in range(2)]
    return EventSeries.from_times(days, date(2010, 1, 1), date(2010, 7, 20), resolution="day")


def test_only_one_plain_stream_needs_no_draws(two):
    one = EventSeries.from_times([two.times[0]], two.window.start, two.window.end, resolution="day")
    assert closed_form(Hawkes(), one)
    assert not closed_form(Hawkes(), two)
    assert not closed_form(Hawkes(kernel=Mixture()), one)
    assert not closed_form(Hawkes(eras=(date(2010, 3, 1),)), one)


@pytest.mark.slow
def test_the_seed_of_the_draws_can_be_set_and_matters_little(two):
    problems = [Hawkes(filter_seed=seed).problem(two) for seed in (0, 0, 1)]
    theta = problems[0].starts[0]
    first, again, other = (one.evaluate(theta)[0] for one in problems)
    assert first == again
    assert 0 < abs(first - other) < 1
    with pytest.raises(ValueError, match="filter_seed must not be negative, got -1"):
        Hawkes(filter_seed=-1)


@pytest.mark.slow
def test_a_dated_term_of_the_background_is_searched_on_the_whole_window(rng):
    """The beginning of a long window says nothing of what changes later."""
    days = [np.floor(rng.random(300) * 1800) for _ in range(2)]
    like = EventSeries.from_times(days, date(2010, 1, 1), date(2014, 12, 6), resolution="day")
    plain = Background(harmonics=1)
    shifted = replace(plain, interventions=Interventions(shifts=(date(2014, 1, 1),)))
    for background, part in ((plain, 800), (shifted, like.window.days)):
        sketch = Hawkes(background=background).problem(like).sketch
        assert len(sketch["watched"]) == part
