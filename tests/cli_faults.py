"""What the command line prints for files that are at fault; run it for a table in Markdown."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]

STUDY = """
title = "A small study"
seed = 7
[data]
path = "incidents.csv"
start = 2020-01-06
end = 2022-01-03
[data.columns]
date = "day"
source = "who"
target = "whom"
deaths_best = "deaths"
[[streams]]
name = "attacks"
source = ["Southland"]
[model]
engine = "maximum likelihood"
draws = 200
"""

ROWS = "".join(
    f"2020-{1 + i % 12:02d}-{1 + i % 28:02d},Southland,Northland,{i % 3}\n" for i in range(60)
)
INCIDENTS = "day,who,whom,deaths\n" + ROWS
LINE_17 = ROWS.splitlines()[15]  # the header is line 1

UCDP = (
    "id,type_of_violence,dyad_name,side_a,side_b,where_coordinates,latitude,longitude,country,"
    "date_start,date_end,best,high,low\n"
    "1,1,Government of A - B,Government of A,B,Ford,30.5,70.25,A,2020-02-01,2020-02-01,4,6,3\n"
)


@dataclass(frozen=True)
class Case:
    """One file at fault: what makes it, the arguments, and what the line must contain."""

    make: Callable[[Path], None]
    arguments: tuple[str, ...]
    wanted: tuple[str, ...]


def files(study: str | bytes | None = STUDY, incidents: str | bytes | None = INCIDENTS):
    """Write the study and the incidents; None leaves a file out."""

    def make(folder: Path) -> None:
        for name, content in (("study.toml", study), ("incidents.csv", incidents)):
            if isinstance(content, str):
                content = content.encode()
            if content is not None:
                (folder / name).write_bytes(content)

    return make


def with_directory(folder: Path) -> None:
    files(incidents=None)(folder)
    (folder / "incidents.csv").mkdir()


RANDOM = bytes((7 * i * i + 13 * i) % 256 for i in range(4096))
REPORT = ("report", "study.toml", "-o", "out.pdf")

CASES = {
    "missing column": Case(
        files(incidents=INCIDENTS.replace("whom", "target_actor")), REPORT,
        ("incidents.csv", "whom"),
    ),
    "empty file": Case(files(incidents=""), REPORT, ("incidents.csv", "empty")),
    "random bytes": Case(files(incidents=RANDOM), REPORT, ("incidents.csv",)),
    "file of another source": Case(files(incidents=UCDP), REPORT, ("incidents.csv", "day")),
    "our file, study says UCDP": Case(
        files(
            study=STUDY.replace("[data]", '[data]\nsource = "ucdp"').replace(
                '[data.columns]\ndate = "day"\nsource = "who"\ntarget = "whom"\n'
                'deaths_best = "deaths"\n', "",
            )
        ),
        REPORT, ("incidents.csv", "UCDP GED", "date_start"),
    ),
    "missing file": Case(files(incidents=None), REPORT, ("incidents.csv", "no such file")),
    "missing file named on the command line": Case(
        files(), (*REPORT, "--incidents", "other.csv"), ("other.csv", "no such file")
    ),
    "directory instead of a file": Case(with_directory, REPORT, ("incidents.csv", "directory")),
    "misspelt key": Case(
        files(study=STUDY.replace("draws =", "drawz =")), REPORT,
        ("study.toml", "model.drawz", "model.draws"),
    ),
    "misspelt column key": Case(
        files(study=STUDY.replace("deaths_best =", "death_best =")), REPORT,
        ("study.toml", "data.columns.death_best", "data.columns.deaths_best"),
    ),
    "wrong type of a key": Case(
        files(study=STUDY.replace("draws = 200", 'draws = "many"')), REPORT,
        ("study.toml", "model.draws", "many"),
    ),
    "study that is not TOML": Case(
        files(study=STUDY.replace("seed = 7", "seed = = 7")), REPORT, ("study.toml", "line 3")
    ),
    "missing study": Case(files(study=None), REPORT, ("study.toml", "no such file")),
    "study of random bytes": Case(files(study=RANDOM), REPORT, ("study.toml", "UTF-8")),
    "the incidents given as the study": Case(
        files(), ("report", "incidents.csv", "-o", "out.pdf"), ("incidents.csv", "line 1")
    ),
    "no folder for the output": Case(
        files(), ("report", "study.toml", "-o", "none/out.pdf"), ("none/out.pdf", "folder")
    ),
    "a horizon longer than the window": Case(
        files(study=STUDY + "[forecast]\nhorizon = 200\n"), REPORT,
        ("study.toml", "horizon of 200"),
    ),
    "deaths asked of incidents without deaths": Case(
        files(study=STUDY.replace('deaths_best = "deaths"\n', "") + "[severity]\n"), REPORT,
        ("study.toml", "key 'severity'", "deaths_best"),
    ),
    "misspelt key of deaths": Case(
        files(study=STUDY + "[severity]\nthreshhold = 9\n"), REPORT,
        ("study.toml", "severity.threshhold", "severity.threshold"),
    ),
    "no dates of reports": Case(
        files(study=STUDY + '[nowcast]\nreport = "reported"\n'), REPORT,
        ("incidents.csv", "no column 'reported'", "nowcast.report", "study.toml"),
    ),
    "missing table of reports": Case(
        files(study=STUDY + '[nowcast]\nreports = "reports.csv"\n'), REPORT,
        ("reports.csv", "no such file"),
    ),
    "simulate without a truth": Case(
        files(), ("simulate", "study.toml", "-o", "new.csv"), ("study.toml", "truth")
    ),
    "bad date in line 17, --strict": Case(
        files(incidents=INCIDENTS.replace(LINE_17, "2020-13-45,Southland,Northland,0")),
        (*REPORT, "--strict"), ("incidents.csv", "line 17", "day", "2020-13-45"),
    ),
    "inspect: missing file": Case(files(), ("inspect", "none.csv"), ("none.csv", "no such file")),
    "inspect: empty file": Case(
        files(incidents=""), ("inspect", "incidents.csv"), ("incidents.csv", "empty")
    ),
    "inspect: random bytes": Case(
        files(incidents=RANDOM), ("inspect", "incidents.csv"), ("incidents.csv",)
    ),
    "inspect: of no known source": Case(
        files(), ("inspect", "incidents.csv"), ("incidents.csv", "no known source", "day")
    ),
}  # fmt: skip


def run(case: Case, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run one case in a process of its own, as a user would."""
    case.make(folder)
    command = "from escalation.cli import main; main()"
    environment = os.environ | {"PYTHONPATH": str(ROOT), "ESCALATION_CACHE": str(folder / "cache")}
    return subprocess.run(
        [sys.executable, "-c", command, *case.arguments],
        cwd=folder, env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip


def table() -> str:
    """What each case prints, as a table."""
    lines = ["| what is wrong | exit status | what is printed |", "|---|---|---|"]
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory() as folder:
            done = run(case, Path(folder))
        lines.append(f"| {name} | {done.returncode} | `{done.stderr.strip()}` |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
