"""Arguments and options that several commands have, and what is done with them first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from escalation.study import Study

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="The study file (TOML).")]
IncidentsFile = Annotated[
    Path | None,
    typer.Option(
        "--incidents",
        metavar="FILE",
        help="Another file (or quoted pattern) than the study names.",
    ),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print results as JSON, for scripts.")]
Strict = Annotated[bool, typer.Option("--strict", help="End at the first row that is not taken.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
NoCache = Annotated[bool, typer.Option("--no-cache", help="Fit anew, and keep nothing.")]
Scheduler = Annotated[
    str | None,
    typer.Option("--scheduler", help="Of a Dask cluster that refits, e.g. tcp://host:8786."),
]


def study_of(path: Path) -> "Study":
    """Read a study file."""
    from escalation.study import Study, StudyError

    try:
        return Study.from_toml(path)
    except StudyError as fault:
        if path.suffix == ".toml" or not path.is_file():
            raise
        said = "a study file (TOML) is wanted; it names the files of incidents, or --incidents does"
        raise StudyError(f"{fault}; {said}") from None


@contextmanager
def about(study: Path) -> Iterator[None]:
    """Name the study in faults that name no file of their own."""
    from escalation.sources import DataError

    try:
        yield
    except DataError:
        raise
    except ValueError as fault:
        raise ValueError(f"{study}: {fault}") from fault


def check_output(path: Path) -> None:
    """Fail before the work, not after it."""
    if path.is_dir():
        raise ValueError(f"{path}: is a directory, wanted a file to write")
    if not path.absolute().parent.is_dir():
        raise ValueError(f"{path}: there is no folder {path.parent} to write into")
