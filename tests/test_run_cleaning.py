"""A study that cleans its incidents: what is modelled, told and saved."""

import json
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner

from escalation.cleaning import Cleaning
from escalation.cli import app
from escalation.report.sections.data import cleaning, provenance
from escalation.results import Results
from escalation.run import cleaned, incidents_of, run
from escalation.run.reading import outline_files
from escalation.sources import DataError
from escalation.study import Study
from small import small_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """A study without the incidents in which nobody died, and with dates drawn."""
    path = small_study(tmp_path_factory.mktemp("small"))
    text = path.read_text().replace(
        "[model]", '[cleaning]\nleast_deaths = 1\nspans = "draw"\n[model]'
    )
    path.write_text(text)
    return Study.from_toml(path)


@pytest.fixture(scope="module")
def found(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Results:
    return run(study, cache=tmp_path_factory.mktemp("cache"))


@pytest.mark.slow
def test_the_incidents_of_results_are_the_clean_ones(study: Study, found: Results) -> None:
    raw = study.read(study.incidents_path)
    again = cleaned(study, raw)
    assert found.incidents == again.incidents == incidents_of(study).incidents
    assert 0 < len(found.incidents) < len(raw)
    assert (found.incidents.table["deaths_best"] >= 1).all()
    assert found.cleaning is not None
    assert found.cleaning["step"].to_list() == ["least_deaths", "spans"]
    assert found.cleaning["before"][0] == len(raw)
    assert found.cleaning["after"][-1] == len(found.incidents)
    told = next(one for one in found.findings.items if one.name == "Cleaning")
    assert f"left out {len(raw) - len(found.incidents):,} of {len(raw):,} incidents" in told.text


@pytest.mark.slow
def test_what_cleaning_did_is_saved(found: Results, tmp_path: Path) -> None:
    loaded = Results.load(found.save(tmp_path / "results.zip"))
    assert loaded.study.cleaning == Cleaning(least_deaths=1, spans="draw")
    assert loaded.cleaning is not None and loaded.cleaning.equals(found.cleaning)


@pytest.mark.slow
def test_the_report_tells_of_cleaning_source_and_licence(found: Results) -> None:
    (table,) = cleaning(found)
    assert [row[0] for row in table.rows] == ["least deaths", "spans"]
    assert cleaning(replace(found, cleaning=None)) == []
    origin = replace(
        found.incidents.provenance, licence="CC BY 4.0", citation="A paper.",
        remarks=("x.csv: the row of HXL tags is no incident",),
    )  # fmt: skip
    shown = replace(found, incidents=replace(found.incidents, provenance=origin))
    told = dict(provenance(shown).paragraphs)
    assert told["Licence"] == "CC BY 4.0."
    assert told["Citation"] == "A paper."
    assert "HXL" in told["Remarks"]
    assert "Licence" not in dict(provenance(found).paragraphs)


def test_inspect_shows_a_study_with_its_cleaning(study: Study) -> None:
    done = CliRunner().invoke(app, ["inspect", str(study.path)])
    assert done.exit_code == 0, done.output
    assert "read as table (as the study says)" in done.stdout
    assert "least_deaths" in done.stdout
    told = json.loads(CliRunner().invoke(app, ["inspect", str(study.path), "--json"]).stdout)
    assert [row["step"] for row in told["cleaning"]] == ["least_deaths", "spans"]


def test_outlines_lie_beside_the_study(study: Study, tmp_path: Path) -> None:
    square = [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]]
    shape = {"type": "Polygon", "coordinates": [square]}
    feature = {"type": "Feature", "properties": {"name": "Alpha"}, "geometry": shape}
    collection = {"type": "FeatureCollection", "features": [feature]}
    asked = replace(study, cleaning=Cleaning(outlines="lands.json", within=("Alpha",)),
                    path=tmp_path / "study.toml")  # fmt: skip
    rows = pl.DataFrame(
        {"date": [date(2020, 1, 7)] * 2, "source": ["A"] * 2, "target": ["B"] * 2,
         "latitude": [5.0, 15.0], "longitude": [5.0, 5.0]}
    )  # fmt: skip
    with pytest.raises(DataError, match=r"lands\.json"):
        incidents_of(asked, rows)
    (tmp_path / "lands.json").write_text(json.dumps(collection))
    assert len(incidents_of(asked, rows).incidents) == 1
    first = outline_files(asked)["lands.json"]
    (tmp_path / "lands.json").write_text(json.dumps(collection) + " ")
    assert outline_files(asked)["lands.json"] != first
    assert outline_files(study) == {}
