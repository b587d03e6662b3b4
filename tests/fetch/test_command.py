"""The command: what it prints, its exit status, and that it goes on after a kill."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import Result
from typer.testing import CliRunner

from escalation.cli import app
from played import (
    ACCESS,
    PASSWORD,
    REFRESH,
    UCDP_TOKEN,
    USER,
    Acled,
    Gdelt,
    Ucdp,
    acled_row,
    quarters,
    ucdp_row,
)
from served import Reply, as_json, serve

DAYS = ("--start", "2020-01-02", "--end", "2020-01-03")
SECRETS = (UCDP_TOKEN, USER, PASSWORD, ACCESS, REFRESH)


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, account: None) -> None:
    monkeypatch.chdir(tmp_path)


def command(*arguments: str) -> Result:
    done = CliRunner().invoke(app, ["fetch", *arguments, "--pause", "0"])
    assert not any(secret in done.output for secret in SECRETS)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done


def test_ucdp_to_a_file(tmp_path: Path) -> None:
    with serve(Ucdp([ucdp_row(n) for n in range(5)])) as served:
        done = command("ucdp", "--version", "25.1", "-o", "ged.csv", "--base", served.base)
    assert done.exit_code == 0
    assert done.stdout.startswith("ged.csv: 5 rows, 1 pages, ")
    assert "UCDP GED" in done.stderr  # progress
    assert (tmp_path / "ged.csv").exists()
    assert (tmp_path / "ged.csv.manifest.json").exists()


def test_acled_as_json(tmp_path: Path) -> None:
    with serve(Acled({"A": [acled_row(0)], "B": []}, last_day="2019-01-01")) as served:
        done = command(
            "acled", *DAYS, "--country", "A", "--country", "B", "--json", "--quiet",
            "-o", "a.parquet", "--base", served.base,
        )  # fmt: skip
    assert done.exit_code == 0
    assert done.stderr == ""
    told = json.loads(done.stdout)
    assert (told["path"], told["source"], told["rows"]) == ("a.parquet", "acled", 1)
    assert "up to 2019-01-01 only" in told["notes"][0]


def test_gdelt_to_a_folder(tmp_path: Path) -> None:
    with serve(Gdelt(quarters(3))) as served:
        done = command("gdelt", *DAYS, "-o", "g", "--base", served.base)
        again = command("gdelt", *DAYS, "-o", "g", "--base", served.base)
    assert done.stdout.startswith("g: 3 files, ")
    assert again.stdout.startswith("g: 3 files, 3 of them from before, ")


def test_gaps_have_a_status_of_their_own() -> None:
    files = quarters(3)
    api = Gdelt(files)
    lines = api.lists()
    api.files = dict(list(files.items())[:2])
    api.lists = lambda: lines  # type: ignore[method-assign]
    with serve(api) as served:
        done = command("gdelt", *DAYS, "-o", "g", "--base", served.base)
    assert done.exit_code == 6
    assert "Missing: " in done.stderr and "answered 404" in done.stderr


@pytest.mark.parametrize(
    ("reply", "status", "said"),
    [
        (Reply(b"no", 401), 3, "answered 401 (no)"),
        (Reply(b"no", 403), 3, "UCDP_TOKEN"),
        (Reply(status=429, headers={"Retry-After": "900"}), 4, "asks to wait 900 s"),
        (Reply(b"gone", 404), 5, "answered 404 (gone)"),
        (as_json({"Result": []}), 5, "no key 'TotalCount'"),
    ],
)
def test_the_status_tells_what_went_wrong(reply: Reply, status: int, said: str) -> None:
    with serve(lambda asked: reply) as served:
        done = command("ucdp", "--version", "25.1", "--base", served.base, "--quiet")
    assert done.exit_code == status
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("escalation: http://127.0.0.1")
    assert said in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("ucdp",),
        ("ucdp", "--version", "newest"),
        ("ucdp", "--version", "25.1", "--country", "Pakistan"),
        ("ucdp", "--version", "25.1", "--start", "2021-13-01"),
        ("ucdp", "--version", "25.1", "-o", "none/ged.csv"),
        ("ucdp", "--version", "25.1", "--base", "http://example.org/"),
        ("acled", "--start", "2021-01-02", "--end", "2021-01-01"),
        ("acled", *DAYS, "--country", "A|B"),
        ("gdelt", *DAYS, "--generation", "3"),
        ("gdelt",),
    ],
)
def test_a_wrong_option_ends_with_2(arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert done.exit_code == 2
    assert done.stderr


def test_a_dry_run_says_how_large_and_writes_nothing(tmp_path: Path) -> None:
    with serve(Ucdp([ucdp_row(n) for n in range(2500)])) as served:
        ucdp = command("ucdp", "--version", "25.1", "--dry-run", "--base", served.base)
        assert len(served.asked) == 1
    assert "gedevents/25.1?pagesize=1000" in ucdp.stdout
    assert "About 2,500 rows, 3 requests, 2," in ucdp.stdout
    with serve(Gdelt(quarters(9))) as served:
        gdelt = command("gdelt", *DAYS, "--dry-run", "--base", served.base)
        told = command("gdelt", *DAYS, "--dry-run", "--json", "--base", served.base)
    size = sum(map(len, quarters(9).values()))
    assert f"... and 4 more\nAbout 9 requests, {size:,} bytes" in gdelt.stdout
    assert json.loads(told.stdout)["bytes"] == size
    with serve(Acled({"": [acled_row(n) for n in range(7)]})) as served:
        acled = command("acled", *DAYS, "--dry-run", "--base", served.base)
    assert "About 7 rows, 1 requests, " in acled.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_a_whole_process_shows_no_credential(tmp_path: Path) -> None:
    script = "import logging; logging.basicConfig(level=1)\nfrom escalation.cli import main; main()"
    with serve(Acled({"": [acled_row(n) for n in range(3)]})) as served:
        arguments = ["fetch", "acled", *DAYS, "-o", "a.csv", "--base", served.base, "--pause", "0"]
        done = subprocess.run(
            [sys.executable, "-X", "dev", "-W", "ignore", "-c", script, *arguments],
            capture_output=True, text=True, check=True, env=dict(os.environ),
        )  # fmt: skip
    said = done.stdout + done.stderr
    assert "GET /api/acled/read" in said  # the HTTP library did log
    files = "".join(
        f"{path}{path.read_text('latin-1')}" for path in tmp_path.rglob("*") if path.is_file()
    )
    assert not any(secret in said + files for secret in SECRETS)


def test_help_names_the_exit_statuses_and_loads_no_library() -> None:
    script = (
        "import sys, contextlib\n"
        "from escalation.cli import main\n"
        "with contextlib.suppress(SystemExit):\n    main()\n"
        "print('LOADED', *sys.modules)"
    )
    arguments = [sys.executable, "-c", script, "fetch", "--help"]
    done = subprocess.run(arguments, capture_output=True, text=True, check=True)
    told, loaded = done.stdout.split("LOADED")
    for word in ("ucdp", "acled", "gdelt", "status 0", "6 when files are"):
        assert word in " ".join(told.split())
    assert not set(loaded.split()) & {"urllib3", "polars", "numpy", "msgspec", "escalation.fetch"}
