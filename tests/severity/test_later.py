"""Laws of deaths judged by later incidents."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest
from scipy.stats import binomtest

from escalation.checks import deaths_findings
from escalation.checks.severity import exceeded
from escalation.engines import Laplace, MaximumLikelihood
from escalation.forecast import Forecast
from escalation.series import CountSeries
from escalation.severity import DeathRecords, Severity, exact_test, exceedances, known_by

DAYS = [date(2000, 7, 1), date(2000, 10, 1)]


def records(seed: int = 0, later: float = 1.0, streams: int = 2) -> DeathRecords:
    """A record a day of 2000; those from July on larger by a factor."""
    rng = np.random.default_rng(seed)
    best = np.ceil(rng.lognormal(1.0, 1.0, 366))
    best[182:] = np.ceil(best[182:] * later)
    names = [f"s{k}" for k in range(streams)]
    stream = rng.integers(0, streams, 366)
    return DeathRecords.from_deaths(best, best - 1, best + 3, stream, names)


@pytest.mark.parametrize("observed", [0, 1, 4, 9, 20])
def test_with_equal_chances_the_test_is_the_binomial_one(observed: int) -> None:
    wanted = binomtest(observed, 40, 0.1).pvalue
    assert exact_test(observed, np.full(40, 0.1)) == pytest.approx(wanted)


def test_with_unequal_chances_it_is_that_of_all_outcomes() -> None:
    chances = np.array([0.05, 0.4, 0.9])
    every = np.array(np.meshgrid(*[[0, 1]] * 3)).reshape(3, -1)
    weight = np.prod(np.where(every, chances[:, None], 1 - chances[:, None]), axis=0)
    law = np.bincount(every.sum(axis=0), weight)
    assert exact_test(0, chances) == pytest.approx(law[law <= law[0]].sum())


def test_known_is_what_came_before_within_the_memory() -> None:
    every = records()
    assert len(known_by(every, DAYS[0])) == 182
    assert len(known_by(every, DAYS[0], memory=30)) == 30
    assert len(known_by(every, DAYS[0], memory=5000)) == 182
    assert len(known_by(every, every.window.end)) == 366
    assert known_by(every, DAYS[0], memory=30).window.start == date(2000, 6, 1)


def test_exceedances_are_those_of_laws_learned_before() -> None:
    every, model = records(), Severity(threshold=10)
    found = exceedances(model, every, DAYS, Laplace(draws=200))
    assert found["stream"].to_list() == ["s0", "s0", "s1", "s1"]
    assert found["share"].to_list() == [0.9, 0.99] * 2
    for k in (0, 1):
        seen, points = 0, []
        for first, last in ((DAYS[0], DAYS[1]), (DAYS[1], date(2001, 1, 1))):
            past = every.split(first)[0]
            fit = model.fit(past, Laplace(draws=200), np.random.default_rng(0))
            inside = (every.days >= np.datetime64(first)) & (every.days < np.datetime64(last))
            points.append(fit.predictive_quantile(0.9)[k])
            seen += int((every.best[inside & (every.stream == k)] > points[-1]).sum())
        row = found.row(2 * k, named=True)
        assert (row["beyond"], row["lowest"], row["highest"]) == (seen, min(points), max(points))
    later = every.days >= np.datetime64(DAYS[0])
    counts = [int((later & (every.stream == k)).sum()) for k in (0, 1)]
    assert found["incidents"].to_list() == [counts[0]] * 2 + [counts[1]] * 2
    assert (found["beyond low"] <= found["beyond"]).all()
    assert (found["beyond"] <= found["beyond high"]).all()


def test_a_law_that_holds_passes_and_one_that_does_not_fails() -> None:
    engine = MaximumLikelihood(draws=200)
    kept = {}
    for later in (1.0, 4.0, 0.2):
        table = exceedances(Severity(threshold=10), records(later=later), DAYS[:1], engine)
        kept[later] = exceeded(table)
    assert kept[1.0].passed
    assert kept[4.0].status == "failed" and "too low" in kept[4.0].text
    assert kept[0.2].status != "passed" and "too high" in kept[0.2].text


def test_a_stream_without_later_incidents_has_no_p_value() -> None:
    every = records(streams=1)
    alone = DeathRecords(
        every.low, every.best, every.high, every.stream, every.days, ("s0", "never"), every.window
    )
    table = exceedances(Severity(threshold=10), alone, DAYS, Laplace(draws=100))
    never = table.row(2, named=True)
    assert (never["incidents"], never["p"], never["lowest"]) == (0, None, None)
    assert exceeded(table.filter(table["incidents"] == 0)).status == "warned"


def test_a_day_before_all_records_is_passed_over() -> None:
    both = records()
    first = date(2000, 3, 1)
    every = replace(both.split(first)[1], window=both.window)
    days = [first, DAYS[0]]
    table = exceedances(Severity(threshold=10), every, days, Laplace(draws=100))
    assert table["incidents"].sum() == 2 * 184


def test_findings_name_an_infinite_mean() -> None:
    rng = np.random.default_rng(0)
    heavy = np.ceil(10 * rng.random(300) ** -1.5)
    fit = Severity(threshold=20).fit(DeathRecords.from_deaths(heavy), Laplace(draws=300))
    table = exceedances(Severity(threshold=20), fit.records, [date(2000, 6, 1)], Laplace(draws=300))
    found = {one.name: one for one in deaths_findings(fit, table)}
    assert list(found) == ["Deaths: convergence", "Deaths: later incidents", "Deaths: mean"]
    assert found["Deaths: mean"].status == "warned"
    assert "Read quantiles" in found["Deaths: mean"].text


def test_paths_of_very_many_incidents_run_away_in_deaths() -> None:
    fit = Severity(threshold=10).fit(records(streams=1), Laplace(draws=100))
    weeks = CountSeries.from_counts(np.ones((4, 1), int), date(2020, 1, 6), "week", ["s0"])
    draws = np.array([[[2.0]], [[1e6]], [[np.inf]]])
    told = fit.compound(Forecast.after(weeks, draws, "given"), np.random.default_rng(0))
    assert np.isfinite(told.draws[0]).all()
    assert np.isinf(told.draws[1:]).all()
