"""What `escalation count` writes: the counts of reading whole, and why rows were rejected."""

import gzip
import json
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner, Result

from escalation import CountSeries, Window, read_counts
from escalation.cli import app
from escalation.run import count, incidents_of
from escalation.sources import Gdelt
from escalation.study import Study

STUDY = """
title = "Counts"
[data]
source = "gdelt"
path = "*.CSV*"
start = 2020-01-01
end = 2020-03-01
gaps = [[2020-01-14, 2020-01-16]]
[model]
period = "week"
[actors."Taliban"]
codes = ["AFGREB*"]
[[streams]]
name = "on the Taliban"
target = ["Taliban"]
[[streams]]
name = "all, of everyone"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    line = Gdelt.specimen.splitlines()[0]
    first, day = line.split("\t")[:2]
    rows = []
    for at in range(400):
        fields = line.split("\t")
        fields[0] = str(int(first) + 10 + at)
        fields[1] = f"2020{1 + at % 3:02d}{1 + at % 27:02d}" if at % 50 else "20201399"
        fields[5], fields[15] = "PAKMIL", "AFGREBTAL" if at % 4 else "USA"
        rows.append("\t".join(fields))
    assert day.isdecimal()
    (tmp_path / "a.export.CSV").write_text("\n".join(rows[:250]) + "\n")
    (tmp_path / "b.export.CSV.gz").write_bytes(gzip.compress("\n".join(rows[250:]).encode()))
    (tmp_path / "study.toml").write_text(STUDY)
    return tmp_path


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_counts_are_those_of_reading_whole_and_are_read_back(folder: Path) -> None:
    study, output = Study.from_toml(folder / "study.toml"), folder / "counts.csv"
    done = call("count", folder / "study.toml", "-o", output)
    assert done.exit_code == 0, done.output
    incidents = incidents_of(study).incidents
    whole = CountSeries.from_incidents(incidents, study.streams, "week", study.actors)
    assert whole.counts.sum() > 100
    found = read_counts(output, gaps=study.data.gaps)
    assert np.array_equal(found.counts, whole.counts)
    assert np.array_equal(found.exposure, whole.exposure)
    assert (found.window, found.names, found.period) == (whole.window, whole.names, "week")
    rejected = pl.read_csv(folder / "counts.rejected.csv", infer_schema=False)
    assert rejected["reason"].to_list() == incidents.rejected["reason"].to_list()
    assert "400 rows: " in done.stdout and "8 rejected" in done.stdout
    assert done.stdout.splitlines()[-2:] == [str(output), str(folder / "counts.rejected.csv")]
    assert "Counting, MB" in done.stderr


def test_another_period_and_other_files_as_json(folder: Path) -> None:
    output = folder / "daily.csv"
    asked = ["--period", "day", "--incidents", folder / "a.*", "--json", "--quiet"]
    done = call("count", folder / "study.toml", "-o", output, *asked)
    assert (done.exit_code, done.stderr) == (0, "")
    told = json.loads(done.stdout)
    assert (told["period"], told["rows"], told["rejected_rows"]) == ("day", 250, 5)
    assert told["reasons"][0]["rows"] == 5
    daily = read_counts(output)  # days in a gap are known without being said
    assert daily.window == Window(date(2020, 1, 1), date(2020, 3, 1), daily.window.gaps)
    assert daily.window.mask().sum() == 58
    assert daily.counts.sum(axis=0).tolist() == [row["incidents"] for row in told["streams"]]


def test_what_is_written_is_no_input(folder: Path) -> None:
    study = folder / "study.toml"
    done = call("count", study, "-o", folder / "a.export.CSV")
    assert done.exit_code == 2
    assert "a.export.CSV: is among the files that are read" in done.stderr
    assert "study.toml: is among" in call("count", study, "-o", study).stderr
    assert study.read_text() == STUDY
    swapped = call("count", folder / "a.export.CSV").stderr
    assert "a study file (TOML) is wanted" in swapped and len(swapped.splitlines()) == 1
    before = (folder / "a.export.CSV").read_text()
    assert before.count("\n") == 250
    assert call("count", study, "-o", folder / "none" / "c.csv").exit_code == 2
    assert not (folder / "counts.csv").exists()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("[model]", "[cleaning]\none_a_day = ['target']\n[model]", "key 'cleaning': its steps"),
        ('"all, of everyone"', '"exposure"', "stream 'exposure': so a column of the counts"),
        ('"*.CSV*"', '"*.tsv"', "no file fits this pattern"),
        ('source = "gdelt"', 'source = "ucdp"', 'say source = "gdelt"'),
        ("2020-03-01", "2020-01-05", "no whole week lies between"),
    ],
)
def test_a_fault_is_one_line_before_anything_is_written(
    folder: Path, old: str, new: str, said: str
) -> None:
    study = folder / "study.toml"
    text = STUDY.replace(old, new)
    study.write_text(text.replace("gaps = [[2020-01-14, 2020-01-16]]\n", ""))
    done = call("count", study, "-o", folder / "counts.csv", "--quiet")
    assert done.exit_code == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) == 1
    assert not list(folder.glob("counts*"))


def test_cleaning_may_be_left_out_where_it_is_said(folder: Path) -> None:
    study = folder / "study.toml"
    plain = count(Study.from_toml(study))
    study.write_text(STUDY.replace("[model]", "[cleaning]\none_a_day = ['target']\n[model]"))
    assert call("count", study, "-o", folder / "counts.csv", "--uncleaned").exit_code == 0
    with pytest.raises(ValueError, match="key 'cleaning'"):
        count(Study.from_toml(study))
    assert count(Study.from_toml(study), uncleaned=True) == plain


def test_a_stream_without_incidents_is_told(folder: Path) -> None:
    (folder / "study.toml").write_text(STUDY.replace('"Taliban"]', '"Talban"]', 1))
    (folder / "study.toml").write_text(STUDY.replace('target = ["Taliban"]', 'target = ["Talban"]'))
    done = call("count", folder / "study.toml", "-o", folder / "counts.csv", "--quiet")
    assert "Stream 'on the Taliban' has no incident: is one of its names misspelt?" in done.stdout
