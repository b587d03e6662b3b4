"""Paths onward that leave every bound are told of."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation import Background, CountSeries, LogLinear, check
from escalation.checks.counts import explosive

MODEL = LogLinear(background=Background(harmonics=0), lags=1)


@pytest.fixture
def fit(rng):
    counts = rng.poisson(2.0, (150, 1))
    return MODEL.fit(CountSeries.from_counts(counts, date(2020, 1, 6), "week", ["raids"]))


def grown(fit, influence):
    draws = dict(fit.draws) | {"influence": np.full_like(fit.draws["influence"], influence)}
    return replace(fit, draws=draws)


def test_paths_that_stay_within_reason_pass(fit):
    assert explosive(fit).status == "passed"
    assert "Explosive paths" in {one.name for one in check(fit)}


def test_a_fit_none_of_whose_series_stays_finite_is_checked_all_the_same(fit):
    found = {one.name: one for one in check(grown(fit, 9.0))}
    assert found["Replicated series"].status == "failed"
    assert "runs away" in found["Replicated series"].text


def test_paths_without_bound_are_told(fit):
    found = explosive(grown(fit, 3.0))
    assert found.status == "failed"
    assert "grows without bound" in found.text
    draws = grown(fit, 3.0).draws["influence"]
    mixed = dict(fit.draws) | {
        "influence": np.concatenate([draws[:200], fit.draws["influence"][200:]])
    }
    assert explosive(replace(fit, draws=mixed)).status == "warned"
