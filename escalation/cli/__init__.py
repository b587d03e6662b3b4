"""The command line: inspect | count | fetch | fit | forecast | backtest | report | simulate."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from escalation.cli.coding import add_commands as add_coding
from escalation.cli.count import count
from escalation.cli.faults import faults as _faults
from escalation.cli.fetch import app as fetch_app
from escalation.cli.inspect import inspect
from escalation.cli.options import (
    AsJson,
    IncidentsFile,
    NoCache,
    Quiet,
    Scheduler,
    Strict,
    StudyFile,
    about,
    check_output,
    study_of,
)

if TYPE_CHECKING:
    from escalation.results import Results

app = typer.Typer(
    help="From coded incidents to who is followed by whom, dated forecasts, and a report.",
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    add_completion=False,
)

app.add_typer(fetch_app, name="fetch")


def main() -> None:
    """Entry point of the console script."""
    app(prog_name="escalation")


def _print_version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        typer.echo(f"escalation {version('escalation')}")
        raise typer.Exit


@app.callback()
def _options(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_print_version, is_eager=True, help="Say which."),
    ] = False,
) -> None:
    # Matrices here are small: several BLAS threads make a fit five times slower, not faster.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")


app.command()(inspect)
app.command()(count)


@app.command()
def fit(
    study: StudyFile,
    incidents: IncidentsFile = None,
    as_json: AsJson = False,
    strict: Strict = False,
    quiet: Quiet = False,
    no_cache: NoCache = False,
) -> None:
    """Fit a study: which stream is followed by more of which."""
    with _faults():
        results = _results(study, incidents, strict, quiet, no_cache)
        from escalation.cli.figures import fitted, headline, ratios
        from escalation.cli.printing import print_json, say, show, show_findings

        if as_json:
            print_json(headline(results) | fitted(results))
            return
        dynamics = results.dynamics
        show(dynamics.table(), f"R: {dynamics.unit}, median and 90 % interval")
        show(dynamics.share_table(), "Shares of the expected incidents, by immediate cause")
        show(ratios(results), "Branching ratio by background")
        if not results.identified:
            say("The branching ratio is not identified apart from the background.")
        if (deaths := results.severity) is not None:
            law = deaths.fit.table().drop("mean lower", "mean upper", "note")
            show(law, "Deaths in an incident")
            said = "Incidents beyond the points of laws learned before them"
            show(deaths.exceedances.drop("lowest", "highest"), said)
        if (late := results.nowcast) is not None:
            period = results.series.period
            show(late.fit.delays(), f"Share reported within so many {period}s, 90 % interval")
        show_findings(results.findings)


@app.command()
def forecast(
    study: StudyFile,
    incidents: IncidentsFile = None,
    as_json: AsJson = False,
    strict: Strict = False,
    quiet: Quiet = False,
    no_cache: NoCache = False,
) -> None:
    """Forecast the periods after a study's window."""
    with _faults():
        results = _results(study, incidents, strict, quiet, no_cache)
        from escalation.cli.figures import (
            deaths_expected,
            everything,
            expected,
            headline,
            last_periods,
        )
        from escalation.cli.printing import print_json, say, show, show_findings

        tables, deaths, late = expected(results), deaths_expected(results), last_periods(results)
        if as_json:
            more = {"deaths": deaths or None, "nowcast": late}
            asked = {name: found for name, found in more.items() if found is not None}
            print_json(headline(results) | tables | asked)
            return
        if late is not None and (found := results.nowcast) is not None:
            from escalation.report.sections.late import lull

            show(late.drop("mean"), "The last periods: reported so far, and the nowcast (90 %)")
            say(lull(found))
        whole = f"{results.study.forecast.horizon} {results.series.period}s"
        show(everything(tables["periods"]), f"Incidents of all streams, by {results.series.period}")
        show(tables["sum"].drop("start", "end"), f"Incidents in the next {whole}")
        show(tables["escalation"].drop("ahead", "past"), "Is it building up?")
        if deaths:
            name = f"Deaths of all streams, by {results.series.period}"
            show(everything(deaths["periods"]), name)
            show(deaths["sum"].drop("start", "end"), f"Deaths in the next {whole}")
        show_findings(results.findings)


@app.command()
def backtest(
    study: StudyFile,
    incidents: IncidentsFile = None,
    as_json: AsJson = False,
    strict: Strict = False,
    quiet: Quiet = False,
    no_cache: NoCache = False,
    scheduler: Scheduler = None,
) -> None:
    """Score a study's past forecasts beside baselines."""
    with _faults():
        results = _results(study, incidents, strict, quiet, no_cache, scheduler)
        from escalation.cli.figures import headline, track_record
        from escalation.cli.printing import print_json, say, show

        tables = track_record(results)
        if as_json:
            print_json(headline(results) | tables)
            return
        show(tables["skill"], "Scores over the whole horizon, relative to climatology")
        show(tables["calibration"], "Share of outcomes inside the central intervals")
        show(tables["misses"], "Largest misses")
        for note in results.backtest.notes:
            say(note)


@app.command()
def report(
    study: StudyFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="The PDF.")] = Path("report.pdf"),
    incidents: IncidentsFile = None,
    as_json: AsJson = False,
    strict: Strict = False,
    quiet: Quiet = False,
    no_cache: NoCache = False,
) -> None:
    """Run a study, write its report (PDF), print the path."""
    with _faults():
        check_output(output)
        results = _results(study, incidents, strict, quiet, no_cache)
        from escalation.cli.figures import headline
        from escalation.cli.printing import print_json
        from escalation.cli.progress import progress
        from escalation.report import write_report

        with progress(quiet) as tell:
            tell("Report", 0, 1)
            path = write_report(results, output)
            tell("Report", 1, 1)
        if as_json:
            print_json({"path": str(path)} | headline(results))
        else:
            typer.echo(path)


@app.command()
def simulate(
    study: StudyFile,
    output: Annotated[Path, typer.Option("--output", "-o", help="The CSV.")],
) -> None:
    """Draw incidents from a study's [truth], as CSV."""
    with _faults():
        check_output(output)
        asked = study_of(study)
        from escalation.cli.printing import write_csv
        from escalation.run import simulate as draw

        with about(study):
            table = draw(asked)
        write_csv(table, output)
        typer.echo(output)


def _results(
    path: Path,
    incidents: Path | None,
    strict: bool,
    quiet: bool,
    no_cache: bool,
    scheduler: str | None = None,
) -> "Results":
    study = study_of(path)
    from escalation.backtest import cluster
    from escalation.cli.progress import progress
    from escalation.run import default_cache, run, workers

    pool = workers() if scheduler is None else cluster(scheduler)
    with about(path), progress(quiet) as tell, pool as executor:
        return run(
            study,
            incidents_path=incidents,
            cache=None if no_cache else default_cache(),
            progress=tell,
            strict=strict,
            executor=executor,
        )


# After the commands above, so that help lists them in the order of use.
add_coding(app)
