"""The command line: count, the streams of a study in files larger than memory."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from escalation.cli.faults import faults
from escalation.cli.options import (
    AsJson,
    IncidentsFile,
    Quiet,
    StudyFile,
    about,
    check_output,
    study_of,
)

if TYPE_CHECKING:
    from escalation.study import Study
    from escalation.tally import Tally


class Period(StrEnum):
    """What is counted."""

    day = "day"
    week = "week"
    month = "month"


def count(
    study: StudyFile,
    output: Annotated[
        Path, typer.Option("--output", "-o", metavar="FILE", help="The counts, a CSV.")
    ] = Path("counts.csv"),
    incidents: IncidentsFile = None,
    period: Annotated[
        Period | None, typer.Option("--period", help="Another than the study's model has.")
    ] = None,
    uncleaned: Annotated[
        bool, typer.Option("--uncleaned", help="Count without the study's [cleaning].")
    ] = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Count a study's streams in files of any size, as CSV."""
    with faults():
        beside = output.with_name(f"{output.stem}.rejected.csv")
        check_output(output)
        check_output(beside)
        asked = study_of(study)
        _check_apart(asked, incidents, (output, beside))
        from escalation.cli.printing import print_json, write_csv
        from escalation.cli.progress import progress
        from escalation.run import count as counted

        with about(study), progress(quiet) as tell:
            _check_names(asked)
            chosen = period.value if period is not None else None
            found = counted(asked, incidents, period=chosen, uncleaned=uncleaned, progress=tell)
        write_csv(found.series.table(), output)
        write_csv(found.rejected, beside)
        if as_json:
            print_json(_told(found, output, beside))
        else:
            _print(found, output, beside)


def _check_apart(study: "Study", incidents: Path | None, written: tuple[Path, ...]) -> None:
    """Fail where a file that is read would be written."""
    from escalation.sources.stack import each_file

    paths = study.incidents_path if incidents is None else incidents
    read = {Path(each).resolve() for each in (*each_file(paths), study.path) if each is not None}
    for path in written:
        if path.resolve() in read:
            raise ValueError(f"{path}: is among the files that are read")


def _check_names(study: "Study") -> None:
    from escalation.series.reading import SPANS

    for name in study.names:
        if name in SPANS:
            raise ValueError(f"stream {name!r}: so a column of the counts is called already")


def _told(found: "Tally", output: Path, beside: Path) -> dict[str, Any]:
    origin, series = found.provenance, found.series
    return {
        "counts": output,
        "rejected": beside,
        "source": origin.source,
        "files": [name for name, _ in origin.files] or [origin.file],
        "sha256": origin.sha256,
        "rows": origin.rows_read,
        "taken": origin.rows_taken,
        "rejected_rows": origin.rows_rejected,
        "outside": origin.rows_outside,
        "left_out": origin.rows_left_out,
        "remarks": origin.remarks,
        "reasons": found.reasons(),
        "period": series.period,
        "periods": len(series),
        "streams": series.summary(),
        "dropped": series.dropped,
    }


def _print(found: "Tally", output: Path, beside: Path) -> None:
    from escalation.cli.printing import rows_in_words, say, show

    origin, series = found.provenance, found.series
    say(f"Data: {origin.file}, read as {origin.source}")
    say(rows_in_words(origin))
    for remark in origin.remarks:
        say(remark)
    if series.dropped:
        say(series.dropped)
    show(series.summary(), f"{len(series):,} {series.period}s from {series.window.start}")
    for name, number in zip(series.names, series.counts.sum(axis=0), strict=True):
        if not number:
            say(f"Stream {name!r} has no incident: is one of its names misspelt?")
    if len(found.rejected):
        show(found.reasons(), "Why rows were rejected")
    typer.echo(output)
    typer.echo(beside)
