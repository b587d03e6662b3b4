"""The commands code-template, code-check and code-agreement."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from escalation.cli import app

RUN = CliRunner()


def test_a_template_is_written_once(tmp_path: Path) -> None:
    path = tmp_path / "new.csv"
    first = RUN.invoke(app, ["code-template", str(path)])
    assert first.exit_code == 0
    assert first.output.splitlines() == [str(path), str(path.with_suffix(".md"))]
    again = RUN.invoke(app, ["code-template", str(path)])
    assert again.exit_code == 2
    assert again.stderr.count("\n") == 1 and "is there already" in again.stderr
    empty = tmp_path / "empty.xlsx"
    assert RUN.invoke(app, ["code-template", str(empty), "--empty"]).exit_code == 0


def test_a_sound_file_ends_with_status_0(root: Path) -> None:
    done = RUN.invoke(app, ["code-check", str(root / "data/ttp_2025/incidents.csv")])
    assert done.exit_code == 0
    assert "9 rows, 0 faults, 2 warnings" in done.output
    assert "same days, actors, place and kind of act as line 4" in done.output


def test_faults_end_with_status_1(tmp_path: Path) -> None:
    path = tmp_path / "wrong.csv"
    path.write_text("id,date,source,target,certainty\na,2031-05-32,A,B,sure\n")
    done = RUN.invoke(app, ["code-check", str(path)])
    assert done.exit_code == 1
    for word in ("2 faults", "2031-05-32", "YYYY-MM-DD", "is not one of confirmed"):
        assert word in done.output
    told = json.loads(RUN.invoke(app, ["code-check", str(path), "--json"]).output)
    assert not told["passed"]
    assert [(each["line"], each["column"]) for each in told["faults"]] == [
        (2, "date"),
        (2, "certainty"),
    ]


@pytest.mark.parametrize("command", ["code-check", "code-agreement"])
def test_a_file_that_cannot_be_read_ends_with_one_line(tmp_path: Path, command: str) -> None:
    missing = str(tmp_path / "none.csv")
    files = [missing] if command == "code-check" else [missing, missing]
    done = RUN.invoke(app, [command, *files])
    assert done.exit_code == 2
    assert done.stderr.count("\n") == 1 and "no such file" in done.stderr


def test_two_codings(root: Path) -> None:
    files = [str(root / f"data/ttp_2025/{name}_coding.csv") for name in ("first", "second")]
    done = RUN.invoke(app, ["code-agreement", *files, "--draws", "200"])
    assert done.exit_code == 0
    for word in ("9 incidents in both, 3 cells differ", "by content", "0.87 (", "1013"):
        assert word in done.output
    told = json.loads(RUN.invoke(app, ["code-agreement", *files, "--json"]).output)
    assert (told["matched"], len(told["disagreements"]), told["rows"]) == (9, 3, [9, 9])
    code = next(row for row in told["agreement"] if row["column"] == "code")
    assert code["kappa"] == pytest.approx(20 / 23)
    assert RUN.invoke(app, ["code-agreement", *files, "--by", "id"]).exit_code == 0


def test_control_characters_are_not_obeyed(tmp_path: Path) -> None:
    path = tmp_path / "odd.csv"
    path.write_text("id,date,source,target,certainty\na,2031-05-04,A,B,\x1b[31mred\n")
    done = RUN.invoke(app, ["code-check", str(path)])
    assert done.exit_code == 1
    assert "\x1b" not in done.output
