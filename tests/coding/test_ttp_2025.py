"""The hand-coded incidents of one article: sound, disputed where disputed, and countable."""

from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from escalation import CountSeries, Incidents, Study, check_coding, compare_codings, read
from escalation.codes import CAMEO, DISPUTED
from escalation.coding.columns import BY_NAME

FILES = ("incidents", "first_coding", "second_coding")


@pytest.fixture
def folder(root: Path) -> Path:
    return root / "data/ttp_2025"


@pytest.fixture
def study(folder: Path) -> Study:
    return Study.from_toml(folder / "study.toml")


@pytest.fixture
def undisputed(folder: Path) -> Study:
    return Study.from_toml(folder / "study_undisputed.toml")


def taken(study: Study) -> Incidents:
    return read(study.incidents_path, study.window, source=study.data.source)


@pytest.mark.parametrize("name", FILES)
def test_a_coding_passes_the_check(folder: Path, name: str) -> None:
    check = check_coding(folder / f"{name}.csv")
    assert check.passed, check.faults
    # Two strikes that the text does not tell apart, and a visit whose day it does not tell.
    assert set(check.warnings["column"]) <= {"id", "date_latest"}


@pytest.mark.parametrize("name", FILES)
def test_every_row_is_taken(folder: Path, study: Study, name: str) -> None:
    found = read(folder / f"{name}.csv", study.window, source="table")
    assert (len(found), len(found.rejected), found.provenance.rows_outside) == (9, 0, 0)
    assert (found.table["date_latest"] < study.window.end).all()


def test_what_one_side_alleges_is_alleged(study: Study) -> None:
    table = taken(study).table
    disputed = table.filter(pl.col("certainty").is_in(DISPUTED))
    assert disputed["id"].to_list() == ["strike-1", "strike-2"]
    assert disputed["claimed_by"].unique().to_list() == ["Afghanistan"]
    assert disputed["source"].unique().to_list() == ["Pakistan"]
    assert disputed["country"].unique().to_list() == ["Afghanistan"]
    assert table.filter(~pl.col("certainty").is_in(DISPUTED))["claimed_by"].null_count() == 7


def test_dozens_are_an_interval_and_three_deaths_are_three(study: Study) -> None:
    rows = {row["id"]: row for row in taken(study).table.iter_rows(named=True)}
    deaths = ("deaths_low", "deaths_best", "deaths_high")
    assert [rows["operation"][name] for name in deaths] == [24, None, 99]
    strikes = [rows[f"strike-{number}"] for number in (1, 2)]
    assert sum(each["deaths_best"] for each in strikes) == 3
    assert all((each["deaths_low"], each["deaths_high"]) == (0, 3) for each in strikes)


def test_days_follow_from_the_friday_of_the_briefing(study: Study) -> None:
    friday = date(2025, 8, 29)
    assert friday.strftime("%A") == "Friday"
    rows = {row["id"]: row for row in taken(study).table.iter_rows(named=True)}
    spans = {name: (row["date"], row["date_latest"]) for name, row in rows.items()}
    assert spans["demand"] == spans["statement"] == (friday, friday)
    thursday = (date(2025, 8, 28), date(2025, 8, 28))
    assert spans["operation"] == spans["protest-note"] == spans["accusation"] == thursday
    assert spans["strike-1"] == spans["strike-2"] == (date(2025, 8, 27), thursday[0])


def test_codes_fit_their_classes(folder: Path) -> None:
    """As the codebook's table of classes has it."""
    rows = pl.read_csv(folder / "incidents.csv", infer_schema=False)
    wanted = {
        "fighting": "19", "strike": "195", "protest note": "114", "accusation": "11",
        "demand": "10", "statement": "01", "visit": "04",
    }  # fmt: skip
    for row in rows.iter_rows(named=True):
        assert row["code"].startswith(wanted[row["incident_class"]])
        plover = CAMEO[row["code"]].plover
        assert row["plover"] == (plover.event_type if plover else None)


def test_with_and_without_what_is_disputed(study: Study, undisputed: Study) -> None:
    assert study.names == undisputed.names
    counts = [
        CountSeries.from_incidents(taken(each), each.streams, "week", actors=each.actors)
        for each in (study, undisputed)
    ]
    assert counts[0].counts.shape == counts[1].counts.shape
    whole, rest = (each.counts.sum(axis=0).tolist() for each in counts)
    assert whole == [1, 2, 2, 2, 2]
    assert rest == [1, 0, 2, 2, 2]


def test_every_incident_is_in_one_stream(study: Study) -> None:
    found = taken(study)
    ids = [id for stream in study.streams for id in stream.select(found, study.actors).table["id"]]
    assert sorted(ids) == sorted(found.table["id"])


def test_the_codings_differ_where_the_page_says(folder: Path) -> None:
    found = compare_codings(
        folder / "first_coding.csv",
        folder / "second_coding.csv",
        rng=np.random.default_rng(1),
        draws=100,
    )
    assert (found.matched, found.unit_agreement) == (9, 1.0)
    differing = found.disagreements.select("first", "column", "value first", "value second")
    assert differing.rows() == [
        ("visit-delegation", "date_latest", "2025-07-17", "2025-04-19"),
        ("accusation", "date_latest", "2025-08-29", "2025-08-28"),
        ("demand", "code", "1013", "101"),
    ]
    settled = {row["id"]: row for row in pl.read_csv(
        folder / "incidents.csv", infer_schema=False).iter_rows(named=True)}  # fmt: skip
    assert settled["visit-delegation"]["date_latest"] == "2025-07-17"
    assert settled["accusation"]["date_latest"] == "2025-08-28"
    assert settled["demand"]["code"] == "101"


def test_the_page_of_choices_names_every_row_and_the_codebook_every_class(folder: Path) -> None:
    rows = pl.read_csv(folder / "incidents.csv", infer_schema=False)
    choices = (folder / "README.md").read_text("utf-8")
    assert [name for name in rows["id"] if f"`{name}`" not in choices] == []
    book = (folder / "CODEBOOK.md").read_text("utf-8")
    for word in {*rows["incident_class"], *rows["certainty"], *rows["source"]}:
        assert f"| {word} |" in book, word
    columns = [name for name in rows.columns if name in BY_NAME]
    assert [name for name in columns if name != "id" and f"`{name}`" not in book] == []


def test_no_sentence_of_the_article_is_copied(folder: Path, shared: Path) -> None:
    """No seven words in a row, beyond names."""
    texts = sorted((shared / "seeds").glob("*.txt"))
    if not texts:
        pytest.skip("no article beside the repository")

    def runs(text: str, length: int = 7) -> set[tuple[str, ...]]:
        words = "".join(each if each.isalnum() else " " for each in text.casefold()).split()
        return {tuple(words[i : i + length]) for i in range(len(words) - length + 1)}

    theirs = runs(" ".join(path.read_text("utf-8") for path in texts))
    for path in folder.iterdir():
        assert runs(path.read_text("utf-8")) & theirs == set(), path.name
