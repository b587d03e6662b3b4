"""What a user types and what comes back."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from cli_faults import CASES, INCIDENTS, STUDY, UCDP, Case, run
from escalation.cli import app
from escalation.cli.faults import faults as cli_faults
from escalation.cli.printing import plain, write_csv
from escalation.cli.progress import lines
from escalation.sources import Gdelt
from small import late_study, small_study


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return small_study(tmp_path_factory.mktemp("small"))


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path_factory.getbasetemp() / "cache of the command line"
    monkeypatch.setenv("ESCALATION_CACHE", str(folder))


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


@pytest.mark.parametrize("name", CASES)
def test_a_fault_is_one_line_and_status_2(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    case = CASES[name]
    case.make(tmp_path)
    monkeypatch.chdir(tmp_path)
    done = call(*case.arguments)
    assert done.exit_code == 2, done.output
    assert done.stdout == ""
    told = [line for line in done.stderr.splitlines() if line]
    assert len(told) == 1
    assert told[0].startswith("escalation: ")
    for word in case.wanted:
        assert word in told[0]
    assert "Traceback" not in done.output


def test_a_fault_in_a_process_of_its_own(tmp_path: Path) -> None:
    done = run(CASES["missing column"], tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_whoever_reads_no_further_hears_of_no_fault(more: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("date,source,target\n2020-01-07,A,B\n")
    command = [sys.executable, "-c", "from escalation.cli import main; main()", "inspect"]
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [*command, str(tmp_path / "own.csv"), *more],
        stdout=writing, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writing)
    assert (done.stderr, done.returncode) == ("", 141)


def test_a_broken_pipe_that_is_not_the_output_s_is_told() -> None:
    with pytest.raises(BrokenPipeError), cli_faults():
        raise BrokenPipeError(32, "of a worker")


def test_bad_rows_are_listed_with_line_column_and_reason(tmp_path: Path) -> None:
    rows = INCIDENTS.splitlines()
    rows[16] = "2020-13-45,Southland,Northland,0"  # the header is line 1, so this is line 17
    rows[20] = "2020-05-05,Southland,Northland,-3"
    file = tmp_path / "incidents.csv"
    text = "\n".join(rows).replace("day,who,whom,deaths", "date,source,target,deaths_best")
    file.write_text(text, encoding="utf-8")
    done = call("inspect", file)
    assert done.exit_code == 0
    assert "60 rows: 58 taken, 2 rejected" in done.stdout
    listed = [line.split() for line in done.stdout.splitlines() if line.strip()[:2] in ("17", "21")]
    assert listed[0][:3] == ["17", "date", "2020-13-45"]
    assert listed[1][:3] == ["21", "deaths_best", "-3"]
    told = json.loads(call("inspect", file, "--json").stdout)
    assert [row["line"] for row in told["rejected"]] == [17, 21]
    assert told["rejected"][1]["reason"] == "is negative"


def test_inspect_tells_the_source_by_its_columns(root: Path) -> None:
    done = call("inspect", root / "data" / "border" / "incidents.csv")
    assert done.exit_code == 0
    assert "read as table" in done.stdout
    assert "2,229 rows: 2,229 taken, 0 rejected; from 2014-01-06" in done.stdout
    assert "Southland militants" in done.stdout


def test_inspect_tells_whose_data_they_are_and_what_is_odd(tmp_path: Path) -> None:
    names = ["Tehrik-i-Taliban Pakistan", "Tehrik-e-Taliban Pakistan"]
    rows = [f"2020-01-0{day},{name},Someone\n" for day, name in enumerate(names, start=1)]
    for file, row in zip("ab", rows, strict=True):
        (tmp_path / f"{file}.csv").write_text("date,source,target\n" + row)
    done = call("inspect", tmp_path / "a.csv", tmp_path / "b.csv")
    assert done.exit_code == 0, done.output
    assert "2 rows: 2 taken, 0 rejected" in done.stdout
    assert "not stated" not in done.stdout
    assert "Names that may mean one actor" in done.stdout
    told = json.loads(call("inspect", tmp_path / "*.csv", "--json").stdout)
    assert {*told["near_duplicates"][0].values()} >= {*names}
    assert [*told["files"]] == ["a.csv", "b.csv"]
    (tmp_path / "ged.csv").write_text(UCDP.replace("\n1,1,", "\n1,7,"))
    told = json.loads(call("inspect", tmp_path / "ged.csv", "--json").stdout)
    assert (told["source"], told["licence"]) == ("ucdp", "CC BY 4.0")
    assert "Sundberg" in told["citation"]
    assert told["why"].startswith("it has 14 of the 18 columns")
    assert call("inspect", tmp_path / "a.csv", tmp_path / "ged.csv").exit_code == 2


def test_inspect_is_told_what_a_file_does_not_say(tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    file.write_bytes("date|source|target|latitude\n07/01/2020|Süd|Nord|30,5\n".encode("cp1252"))
    assert "say which, such as 'cp1252'" in call("inspect", file).stderr
    said = ["--encoding", "cp1252", "--decimal", ",", "--dates", "day first", "--json"]
    told = json.loads(call("inspect", file, *said).stdout)
    assert (told["first"], told["taken"]) == ("2020-01-07", 1)
    assert "latitude" in told["columns"]
    assert call("inspect", file, "--encoding", "cp1252", "--source", "acld").exit_code == 2


def test_inspect_takes_a_map_of_the_columns_of_any_table(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    file.write_text("Day,Who,Whom\n05/06/2023,A,B\n")
    told = call("inspect", file)
    assert told.exit_code == 2
    for said in ("its columns are 'Day', 'Who', 'Whom'", "[data.columns] in a study file"):
        assert said in told.stderr
    columns = ["--columns", "date=Day, source=Who,target=Whom"]
    told = call("inspect", file, *columns)
    assert "none is left to show" in told.stdout
    assert "if --dates says their form" in told.stdout
    assert "1 taken" in call("inspect", file, *columns, "--dates", "day first").stdout
    assert "wants pairs such as date=Day" in call("inspect", file, "--columns", "date").stderr


def test_inspect_of_a_study_counts_its_streams(root: Path, tmp_path: Path) -> None:
    border = root / "data" / "border"
    text = (border / "study.toml").read_text()
    asked = tmp_path / "study.toml"
    asked.write_text(text.replace('"incidents.csv"', f'"{(border / "incidents.csv").as_posix()}"'))
    done = call("inspect", asked)
    assert done.exit_code == 0, done.output
    assert "misspelt" not in done.stdout
    streams = json.loads(call("inspect", asked, "--json").stdout)["streams"]
    assert [each["incidents"] for each in streams] == [630, 548, 540, 511]
    sides = json.loads(call("inspect", asked, "--json").stdout)["crossings"]
    assert [[*each.values()][1:] for each in sides] == [[n, 0, 0] for n in (630, 548, 540, 511)]
    assert "Incidents across a border" in done.stdout
    asked.write_text(asked.read_text().replace('"Southland militants"', '"Southlnd militants"'))
    told = call("inspect", asked).stdout
    assert "name 'Southlnd militants' (nearest 'Southland militants') of stream" in told


def test_inspect_names_gdelt_without_a_header(shared: Path) -> None:
    for name, fields in (("gdelt1_export.tsv", 57), ("gdelt2_export.tsv", 61)):
        told = json.loads(call("inspect", shared / "data" / "samples" / name, "--json").stdout)
        assert (told["source"], told["rows"]) == ("gdelt", 100)
        assert f"no header and {fields} fields a line" in told["why"]


def test_many_rejected_rows_are_summed_up(tmp_path: Path) -> None:
    file = tmp_path / "own.csv"
    days = "".join(f"{'never' if at % 3 else '2020-01-07'},A,B\n" for at in range(60))
    file.write_text("date,source,target\n" + days)
    told = call("inspect", file).stdout
    assert "60 rows: 20 taken, 40 rejected" in told
    assert "Why rows were rejected" in told
    assert "Rejected rows (the header is line 1), the first 10 of 40" in told
    assert len(told.splitlines()) < 80
    assert len(json.loads(call("inspect", file, "--json").stdout)["rejected"]) == 40


def test_inspect_says_what_codes_mean(tmp_path: Path) -> None:
    file = tmp_path / "20200108.export.CSV"
    file.write_text(Gdelt.specimen)
    told = json.loads(call("inspect", file, "--json").stdout)["most_frequent"]
    actors = {row["target"]: row["meaning"] for row in told["Target actors"]}
    assert actors == {"AFGREB": "Afghanistan, rebels", "USAGOV": "United States, government",
                      "unknown": ""}  # fmt: skip
    assert all(row["meaning"] for row in told["Codes"])
    shown = call("inspect", file).stdout
    assert "Afghanistan, rebels" in shown
    own = tmp_path / "own.csv"
    own.write_text("date,source,target,code\n2020-01-07,PAKMIL,B,190\n")
    told = json.loads(call("inspect", own, "--json").stdout)["most_frequent"]
    assert "Codes" not in told and "meaning" not in told["Source actors"][0]


def test_inspect_reads_ucdp(shared: Path) -> None:
    file = shared / "data" / "ucdp_ged_pakistan_1989_2021.csv"
    told = json.loads(call("inspect", file, "--json").stdout)
    assert told["source"] == "ucdp"
    assert told["rows"] == 6416
    assert told["most_frequent"]["Dyads"][0] == {
        "dyad": "Government of Pakistan - TTP", "incidents": 3770,
    }  # fmt: skip


def test_fit_prints_r_with_intervals(study: Path) -> None:
    done = call("fit", study, "--quiet")
    assert done.exit_code == 0, done.output
    assert done.stderr == ""
    assert "offspring in later weeks" in done.stdout
    assert "constant, by maximum likelihood" in done.stdout
    told = json.loads(call("fit", study, "--quiet", "--json").stdout)
    assert len(told["reproduction"]) == 4
    assert set(told["backgrounds"]) == {"constant", "seasonal", "trend"}
    assert told["truth"]["reproduction"] == [[0.4, 0.2], [0.3, 0.2]]
    assert told["branching_ratio"]["lower"] < told["branching_ratio"]["upper"]


def test_forecast_and_backtest_print_tables(study: Path) -> None:
    ahead = call("forecast", study, "--quiet")
    assert "Is it building up?" in ahead.stdout
    assert "Deaths" not in ahead.stdout and "nowcast" not in ahead.stdout
    assert "Incidents in the next 4 weeks" in ahead.stdout
    told = json.loads(call("forecast", study, "--quiet", "--json").stdout)
    assert len(told["periods"]) == 4 * 3
    scores = call("backtest", study, "--quiet")
    assert "conflictology" in scores.stdout
    assert json.loads(call("backtest", study, "--quiet", "--json").stdout)["skill"]


@pytest.mark.slow
def test_deaths_and_late_reports_are_printed_where_they_belong(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    late = late_study(tmp_path_factory.mktemp("late"))
    fitted = call("fit", late, "--quiet")
    assert fitted.exit_code == 0, fitted.output
    for said in ("Deaths in an incident", "Incidents beyond the points", "Share reported within"):
        assert said in fitted.stdout
    told = json.loads(call("fit", late, "--quiet", "--json").stdout)
    assert [row["stream"] for row in told["deaths"]["law"]] == ["attacks", "strikes"]
    assert told["deaths"]["readings"][0]["figures"] == "interval"
    assert len(told["delays"]) == 2 * 6
    ahead = call("forecast", late, "--quiet")
    for said in ("Deaths in the next 4 weeks", "at least 50", "reported so far, and the nowcast"):
        assert said in ahead.stdout
    assert "lull" in ahead.stdout.lower()
    told = json.loads(call("forecast", late, "--quiet", "--json").stdout)
    assert len(told["deaths"]["periods"]) == 4 * 3
    assert len(told["nowcast"]) == 5 * 2
    assert told["expected_deaths"]["lower"] <= told["expected_deaths"]["upper"]


@pytest.mark.slow
def test_report_ends_with_the_path(study: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.pdf"
    done = call("report", study, "-o", out)
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[-1] == str(out)
    assert out.read_bytes().startswith(b"%PDF")
    told = json.loads(call("report", study, "-o", out, "--json", "--quiet").stdout)
    assert told["path"] == str(out)
    assert told["title"] == "A small simulated study"


def test_a_second_command_fits_nothing(study: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call("fit", study, "--quiet")

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a fit was asked for")

    monkeypatch.setattr("escalation.fit.Model.fit", refuse)
    assert call("backtest", study, "--quiet").exit_code == 0
    again = call("fit", study, "--quiet", "--no-cache")
    assert isinstance(again.exception, AssertionError)


def test_simulate_writes_what_the_repository_holds(root: Path, tmp_path: Path) -> None:
    border = root / "data" / "border"
    out = tmp_path / "incidents.csv"
    assert call("simulate", border / "study.toml", "-o", out).stdout.strip() == str(out)
    assert out.read_bytes() == (border / "incidents.csv").read_bytes()
    counts = pl.read_csv(out).group_by("source", "target").len()["len"]
    assert counts.len() == 4
    assert counts.min() >= 150


def test_a_csv_holds_no_formula(tmp_path: Path) -> None:
    texts = ["=1+1", "+1", "-1", "@x", "\tx", "plain", "a=b", None]
    write_csv(pl.DataFrame({"text": texts, "number": [-1] * len(texts)}), tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["text"] for row in rows] == [
        "'=1+1", "'+1", "'-1", "'@x", "'\tx", "plain", "a=b", "",
    ]  # fmt: skip
    assert {row["number"] for row in rows} == {"-1"}


def test_a_terminal_obeys_no_text_of_a_file(tmp_path: Path) -> None:
    assert plain("a\x1b[31mb\nc") == "a\N{REPLACEMENT CHARACTER}[31mb\N{REPLACEMENT CHARACTER}c"
    file = tmp_path / "incidents.csv"
    file.write_text("date,source,target\n2020-01-01,[red]A[/red]\x1b[2J,B\n", encoding="utf-8")
    done = call("inspect", file)
    assert done.exit_code == 0
    assert "[red]A[/red]" in done.stdout
    assert "\x1b" not in done.stdout


def test_lines_tell_quarters(capsys: pytest.CaptureFixture[str]) -> None:
    tell = lines()
    for done in range(9):
        tell("Backtest", done, 8)
    tell("Fit", 0, 1)
    tell("Fit", 1, 1)
    told = capsys.readouterr().err.splitlines()
    assert told == [f"Backtest {done}/8" for done in (0, 2, 4, 6, 8)] + ["Fit"]


def test_version_and_help() -> None:
    assert call("--version").stdout.startswith("escalation 0.")
    text = call("--help").stdout
    for command in ("inspect", "fit", "forecast", "backtest", "report", "simulate"):
        assert command in text
    assert text.count("...") == 1  # of the usage line: no summary is cut off


def test_a_mistyped_command_is_a_usage_fault() -> None:
    done = call("reprot")
    assert done.exit_code == 2
    assert "reprot" in done.stderr


def test_the_table_of_faults_can_be_printed() -> None:
    script = "import cli_faults; cli_faults.CASES = dict(list(cli_faults.CASES.items())[:1]); "
    folder = Path(__file__).parent
    done = subprocess.run(
        [sys.executable, "-c", script + "print(cli_faults.table())"],
        cwd=folder, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[2].startswith("| missing column | 2 | `escalation: ")


@pytest.mark.slow
def test_a_case_at_fault_differs_from_a_good_study(tmp_path: Path) -> None:
    (tmp_path / "study.toml").write_text(STUDY, encoding="utf-8")
    (tmp_path / "incidents.csv").write_text(INCIDENTS, encoding="utf-8")
    good = Case(lambda folder: None, ("report", "study.toml", "--quiet", "-o", "out.pdf"), ())
    done = run(good, tmp_path)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.pdf").is_file()
