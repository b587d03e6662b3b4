"""The command line: fetch ucdp | acled | gdelt."""

from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from escalation.cli.faults import faults

if TYPE_CHECKING:
    from datetime import date

    from escalation.fetch import Estimate, Fetched, Policy
    from escalation.fetch.request import Request

GAPS = 6
"""Exit status where all was done and files are missing."""

app = typer.Typer(
    help=(
        "Fetch incidents from a provider's server. Ends with status 0 when all is there, 2 for a "
        "wrong option or file, 3 when the server refuses, 4 when it cannot be reached for now "
        "(what came is kept: run it again), 5 for an answer that cannot be used, 6 when files are "
        "missing."
    ),
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
)

FIRST = typer.Option("--start", formats=["%Y-%m-%d"], metavar="DAY", help="First day wanted.")
LAST = typer.Option("--end", formats=["%Y-%m-%d"], metavar="DAY", help="First day not wanted.")
Start = Annotated[datetime, FIRST]
End = Annotated[datetime, LAST]
OptionalStart = Annotated[datetime | None, FIRST]
OptionalEnd = Annotated[datetime | None, LAST]
Output = Annotated[
    Path, typer.Option("--output", "-o", help="The file, .csv or .parquet.", metavar="FILE")
]
Base = Annotated[str, typer.Option("--base", help="Another server with the same interface.")]
Fresh = Annotated[bool, typer.Option("--fresh", help="Drop what an earlier fetch left.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what, and how large.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print results as JSON, for scripts.")]
Quiet = Annotated[bool, typer.Option("--quiet", help="No progress.")]
Pause = Annotated[
    float | None, typer.Option("--pause", help="Seconds from one request to the next.", min=0)
]


@app.command()
def ucdp(
    version: Annotated[
        str, typer.Option("--version", help="Of the data: 25.1 (yearly), 26.0.9 (candidate).")
    ],
    output: Output = Path("ucdp.csv"),
    start: OptionalStart = None,
    end: OptionalEnd = None,
    country: Annotated[
        list[int] | None, typer.Option("--country", help="Gleditsch-Ward number; may be repeated.")
    ] = None,
    violence: Annotated[
        list[int] | None, typer.Option("--violence", help="Type 1, 2 or 3; may be repeated.")
    ] = None,
    base: Base = "",
    pause: Pause = None,
    fresh: Fresh = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """UCDP GED and candidate events; the token is taken from UCDP_TOKEN."""
    with faults():
        from escalation.fetch import UcdpRequest

        request = UcdpRequest(
            version,
            _day(start),
            _day(end),
            tuple(country or ()),
            tuple(violence or ()),
            base=base or UcdpRequest.base,
        )
        _run(request, output, pause, fresh, dry_run, as_json, quiet)


@app.command()
def acled(
    start: Start,
    end: End,
    output: Output = Path("acled.csv"),
    country: Annotated[
        list[str] | None, typer.Option("--country", help="Name as ACLED has it; may be repeated.")
    ] = None,
    base: Base = "",
    pause: Pause = None,
    fresh: Fresh = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """ACLED events; the account is taken from ACLED_USERNAME and ACLED_PASSWORD."""
    with faults():
        from escalation.fetch import AcledRequest

        request = AcledRequest(
            start.date(), end.date(), tuple(country or ()), base=base or AcledRequest.base
        )
        _run(request, output, pause, fresh, dry_run, as_json, quiet)


@app.command()
def gdelt(
    start: Start,
    end: End,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The folder of the files.", metavar="FOLDER")
    ] = Path("gdelt"),
    generation: Annotated[
        int, typer.Option("--generation", help="2 (quarters of an hour) or 1 (days).")
    ] = 2,
    translated: Annotated[
        bool, typer.Option("--translated", help="News in other languages than English instead.")
    ] = False,
    base: Base = "",
    pause: Pause = None,
    fresh: Fresh = False,
    dry_run: DryRun = False,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """GDELT event files, checked against the size and MD5 of its lists."""
    with faults():
        from escalation.fetch import GdeltRequest

        request = GdeltRequest(
            start.date(), end.date(), generation=generation, translated=translated, base=base
        )
        _run(request, output, pause, fresh, dry_run, as_json, quiet)


def _day(moment: datetime | None) -> "date | None":
    return None if moment is None else moment.date()


def _policy(pause: float | None) -> "Policy | None":
    if pause is None:
        return None
    from escalation.fetch import Policy

    return Policy(pause=pause)


def _run(
    request: "Request",
    output: Path,
    pause: float | None,
    fresh: bool,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
) -> None:
    if dry_run:
        _show_estimate(request.estimate(_policy(pause)), as_json)
        return
    from escalation.cli.progress import progress

    with progress(quiet) as tell:
        fetched = request.fetch(output, policy=_policy(pause), progress=tell, fresh=fresh)
    _show(fetched, as_json)
    if fetched.missing:
        raise typer.Exit(GAPS)


def _show_estimate(found: "Estimate", as_json: bool) -> None:
    from escalation.cli.printing import print_json, say

    names = ("rows", "requests", "bytes")
    if as_json:
        print_json({name: getattr(found, name) for name in ("urls", *names, "notes")})
        return
    for url in found.urls[:5]:
        say(url)
    if len(found.urls) > 5:
        say(f"... and {len(found.urls) - 5:,} more")
    known = [f"{value:,} {name}" for name in names if (value := getattr(found, name)) is not None]
    say(f"About {', '.join(known)}" if known else "Of unknown size")
    for note in found.notes:
        say(f"Note: {note}")


def _show(found: "Fetched", as_json: bool) -> None:
    from escalation.cli.printing import plain, print_json, say

    if as_json:
        print_json({name: getattr(found, name) for name in found.__dataclass_fields__})
        return
    rows = "" if found.rows is None else f"{found.rows:,} rows, "
    kept = f", {found.kept:,} of them from before" if found.kept else ""
    unit = "files" if found.rows is None else "pages"
    say(f"{found.path}: {rows}{found.files:,} {unit}{kept}, {found.bytes:,} bytes")
    for note in found.notes:
        typer.echo(plain(f"Note: {note}"), err=True)
    for each in found.missing:
        typer.echo(plain(f"Missing: {each}"), err=True)
