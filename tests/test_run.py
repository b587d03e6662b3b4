"""A study runs from incidents to results, once; the cache does the rest."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from escalation.results import Results
from escalation.run import default_cache, origins, run, simulate, workers
from escalation.run.cache import cache_key
from escalation.run.whole import named
from escalation.study import Study
from small import small_study


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_study(tmp_path_factory.mktemp("small")).parent


@pytest.fixture(scope="module")
def study(folder: Path) -> Study:
    return Study.from_toml(folder / "study.toml")


@pytest.fixture(scope="module")
def stages() -> list[tuple[str, int, int]]:
    return []


@pytest.fixture(scope="module")
def found(folder: Path, study: Study, stages: list[tuple[str, int, int]]) -> Results:
    return run(study, cache=folder / "cache", progress=lambda *stage: stages.append(stage))


def test_results_hold_every_part(found: Results) -> None:
    assert found.series.names == ("attacks", "strikes")
    assert found.dynamics.reproduction.shape[1:] == (2, 2)
    assert list(found.alternatives) == ["constant", "seasonal", "trend"]
    assert found.forecast.draws.shape == (300, 4, 2)
    assert found.forecast.made_on == date(2022, 1, 3)
    assert found.last_forecast.made_on == date(2021, 12, 6)
    np.testing.assert_array_equal(found.last_observed, found.series.counts[-4:])
    assert found.truth is not None
    assert found.truth["branching_ratio"] == pytest.approx(0.3 + np.sqrt(0.07))
    assert len(found.findings) > 0
    assert found.run.study_hash == found.study.hash()


def test_progress_is_told_to_the_end(found: Results, stages: list[tuple[str, int, int]]) -> None:
    last = {label: (done, total) for label, done, total in stages}
    assert len(last) >= 5
    assert all(done == total for done, total in last.values())


def test_a_second_run_fits_nothing(
    found: Results, folder: Path, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a fit was asked for")

    monkeypatch.setattr("escalation.fit.Model.fit", refuse)
    monkeypatch.setattr("escalation.baselines.Baseline.fit", refuse)
    assert run(study, cache=folder / "cache") == found
    with pytest.raises(AssertionError, match="a fit was asked for"):
        run(study)


def test_other_data_or_another_study_is_another_entry(
    found: Results, folder: Path, study: Study, tmp_path: Path
) -> None:
    info = found.run
    keys = {
        cache_key(info),
        cache_key(replace(info, data_hash="0")),
        cache_key(replace(info, study_hash="0")),
        cache_key(replace(info, version="0")),
    }
    assert len(keys) == 4
    assert cache_key(replace(info, command="elsewhere")) == cache_key(info)


def test_a_damaged_entry_is_made_anew(
    found: Results, folder: Path, study: Study, tmp_path: Path
) -> None:
    entry = tmp_path / f"{cache_key(found.run)}.zip"
    entry.write_bytes(b"half a file")
    assert run(study, cache=tmp_path) == found
    assert Results.load(entry) == found


def test_the_same_study_gives_the_same_results(found: Results, study: Study) -> None:
    assert run(study) == found


def test_the_cache_may_be_put_elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ESCALATION_CACHE", str(tmp_path))
    assert default_cache() == tmp_path
    monkeypatch.delenv("ESCALATION_CACHE")
    assert default_cache().name == "escalation"


def test_a_series_shorter_than_the_horizon_is_told(study: Study) -> None:
    long = replace(study, forecast=replace(study.forecast, horizon=300))
    with pytest.raises(ValueError, match="too few for a horizon of 300"):
        run(long)


def test_origins_leave_a_whole_horizon(found: Results, study: Study) -> None:
    days = origins(study, found.series)
    assert days[0] == date(2020, 12, 28)
    assert (days[1] - days[0]).days == 7 * 12
    assert (found.series.window.end - days[-1]).days >= 7 * 4
    late = replace(study, backtest=replace(study.backtest, start=date(2021, 12, 27)))
    with pytest.raises(ValueError, match="no whole horizon"):
        origins(late, found.series)


def test_a_backtest_without_an_origin_is_told_before_the_fit(study: Study) -> None:
    told: list[str] = []
    late = replace(study, backtest=replace(study.backtest, start=date(2021, 12, 27)))
    with pytest.raises(ValueError, match=r"no whole horizon .* or a shorter backtest\.horizon"):
        run(late, progress=lambda stage, done, total: told.append(stage))
    assert not told


def test_a_name_that_no_incident_has_is_told(found: Results, study: Study) -> None:
    assert named(study, found.incidents).passed
    attacks = replace(study.streams[0], source=("Southlnd",))
    finding = named(replace(study, streams=(attacks, study.streams[1])), found.incidents)
    assert finding.status == "warned"
    assert "'Southlnd' of stream 'attacks' (the nearest is 'Southland')" in finding.text


def test_simulated_incidents_follow_the_truth(study: Study) -> None:
    long = replace(
        study,
        data=replace(study.data, start=date(1900, 1, 1), end=date(2000, 1, 3), gaps=()),
        backtest=replace(study.backtest, start=None),
    )
    table = simulate(long)
    weeks = long.window.days / 7
    reproduction = np.array([[0.4, 0.2], [0.3, 0.2]])
    background = np.i0(0.2)  # mean of exp(0.2 sin) over the year
    expected = np.linalg.solve(np.eye(2) - reproduction, [background, background]) * weeks
    counts = dict(table.group_by("incident_class").len().iter_rows())
    # The sum's standard deviation is about 2 % of its mean: a false alarm in 1 of 10,000 seeds.
    assert counts["attack"] == pytest.approx(expected[0], rel=0.08)
    assert counts["strike"] == pytest.approx(expected[1], rel=0.08)
    weekdays = table.group_by(pl.col("date").dt.weekday()).len()["len"]
    assert weekdays.len() == 7
    assert (weekdays / table.height).is_between(0.12, 0.17).all()
    spans = (table["date_latest"] - table["date"]).dt.total_days()
    assert spans.min() == 0
    assert spans.max() == 6
    assert (spans > 0).mean() == pytest.approx(0.1, abs=0.02)
    assert (table["deaths_low"] <= table["deaths_best"]).all()
    assert (table["deaths_best"] <= table["deaths_high"]).all()
    many = (table["deaths_best"] >= 10).mean()
    assert many == pytest.approx((1 + 10 / 2) ** -1.8, rel=0.2)


def test_no_incident_is_simulated_in_a_gap(study: Study) -> None:
    dates = simulate(study)["date"]
    assert not dates.is_between(date(2019, 3, 4), date(2019, 3, 17)).any()
    assert dates.is_between(date(2019, 2, 25), date(2019, 3, 24)).any()


def test_simulation_repeats_with_the_seed(study: Study) -> None:
    assert simulate(study).equals(simulate(study))
    assert not simulate(study).equals(simulate(replace(study, seed=8)))


def test_simulation_needs_a_truth(study: Study) -> None:
    with pytest.raises(ValueError, match="'truth'"):
        simulate(replace(study, truth=None))


@pytest.mark.slow
def test_workers_change_no_figure(
    found: Results, study: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("escalation.run.refits.WORTH_WORKERS", 0.0)
    with workers() as executor:
        assert run(study, executor=executor) == found


@pytest.mark.slow
def test_the_pakistan_study_runs(root: Path, shared: Path) -> None:
    study = Study.from_toml(root / "data" / "pakistan" / "study.toml")
    assert study.severity is not None
    quick = replace(
        study,
        specification=replace(study.specification, engine="maximum likelihood"),
        severity=replace(study.severity, engine="laplace"),
        backtest=replace(study.backtest, every=52),
    )
    file = shared / "data" / "ucdp_ged_pakistan_1989_2021.csv"
    results = run(quick, incidents_path=file)
    assert results.series.counts.sum(axis=0).tolist() == [297, 3423, 338, 75]
    assert results.incidents.provenance.rows_rejected == 0
    assert results.truth is None
    deaths = results.severity
    assert deaths is not None
    assert deaths.fit.records.dropped == "3 records of more than 31 days left out"
    # From 2012 on, as many as the counts have but for one of those records.
    later = deaths.exceedances.filter(share=0.9)["incidents"].sum()
    assert later == 1352
    assert (deaths.readings["recorded"][2], len(deaths.fit.records)) == (808, 119)
    assert named(quick, results.incidents).passed
    assert results.run.command.endswith(f"--incidents {file}")
