"""The command line: inspect, what files of incidents hold."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from escalation.cli.faults import faults
from escalation.cli.options import AsJson, Strict

if TYPE_CHECKING:
    import polars as pl

    from escalation.incidents import Incidents
    from escalation.study import Study

MISSING = "names that no incident has"
SHOWN = 10
"""How many rows of a table of remarks are printed."""


def inspect(
    files: Annotated[
        list[Path],
        typer.Argument(metavar="FILE", help="Files of incidents, or one study (TOML)."),
    ],
    source: Annotated[
        str, typer.Option("--source", help="The source, instead of naming it by the columns.")
    ] = "",
    columns: Annotated[
        str, typer.Option("--columns", help="Of any other table: date=Day,source=Who,target=Whom.")
    ] = "",
    encoding: Annotated[str, typer.Option("--encoding", help="Of text, such as cp1252.")] = "",
    separator: Annotated[str, typer.Option("--separator", help="Between fields.")] = "",
    decimal: Annotated[str, typer.Option("--decimal", help="The mark before decimals.")] = ".",
    dates: Annotated[
        str, typer.Option("--dates", help="'day first', 'month first', or a form like %d/%m/%Y.")
    ] = "",
    sheet: Annotated[str, typer.Option("--sheet", help="Of a workbook with several.")] = "",
    as_json: AsJson = False,
    strict: Strict = False,
) -> None:
    """Say what files of incidents hold, and of which source."""
    with faults():
        from escalation.sources import Layout

        if len(files) == 1 and files[0].suffix == ".toml":
            told, incidents = _of_study(files[0], strict)
        else:
            layout = Layout(encoding, separator, decimal, dates, sheet)
            told, incidents = _of_files(files, source, _column_map(columns), layout, strict)
        from escalation.cli.printing import print_json

        if as_json:
            print_json(told)
        else:
            _print(told, incidents)


def _of_files(
    files: list[Path], source: str, columns: dict[str, str], layout: Any, strict: bool
) -> tuple[dict[str, Any], "Incidents"]:
    from escalation.cli.figures import day_span
    from escalation.sources import guess, source_of

    said = source or ("table" if columns else "")
    word, why = (said, "as was said") if said else guess(files, layout)
    reader = source_of(word, columns, {})
    incidents = reader.read(files, day_span(), strict=strict, layout=layout)
    name = str(files[0]) if len(files) == 1 else incidents.provenance.file
    found: dict[str, Any] = {"file": name, "source": word, "why": why}
    return found | _contents(incidents, word), incidents


def _contents(incidents: "Incidents", word: str) -> dict[str, Any]:
    """What they hold, what their codes mean, and what is odd in codes and names."""
    from escalation.cli.figures import contents, explained

    found = contents(incidents) | _names(incidents, word)
    found["most_frequent"] = explained(found["most_frequent"], incidents.table, word)
    return found


def _column_map(given: str) -> dict[str, str]:
    """The map of columns that "date=Day,source=Who" stands for."""
    pairs = [each.partition("=") for each in given.split(",") if each.strip()]
    for ours, mark, theirs in pairs:
        if not (ours.strip() and mark and theirs.strip()):
            raise ValueError(f"--columns wants pairs such as date=Day, got {given!r}")
    return {ours.strip(): theirs.strip() for ours, _, theirs in pairs}


def _of_study(path: Path, strict: bool) -> tuple[dict[str, Any], "Incidents"]:
    from escalation.run import incidents_of
    from escalation.study import Study

    study = Study.from_toml(path)
    cleaned = incidents_of(study, strict=strict)
    word = study.data.source
    found: dict[str, Any] = {"file": str(path), "source": word, "why": "as the study says"}
    found |= _contents(cleaned.incidents, word)
    if study.cleaning.steps:
        found["cleaning"] = cleaned.report
    found["streams"], found["crossings"] = _streams(study, cleaned.incidents)
    return found, cleaned.incidents


def _streams(study: "Study", incidents: "Incidents") -> "tuple[pl.DataFrame, pl.DataFrame]":
    """How many incidents each stream has, which of its names none has; how many cross a border."""
    import polars as pl

    from escalation.streams import select_each

    rows, crossings = [], []
    chosen = select_each(study.streams, incidents, study.actors)
    for stream, mine in zip(study.streams, chosen, strict=True):
        missing = stream.unmatched(incidents, study.actors).items()
        odd = [f"{name!r}" + (f" (nearest {near!r})" if near else "") for name, near in missing]
        days = [mine.table["date"].min(), mine.table["date"].max()]
        rows.append((stream.name, stream.label, len(mine), *days, ", ".join(odd)))
        crossings.append(stream.crossings(mine, study.actors).drop("incidents"))
    columns = ("stream", "what", "incidents", "first", "last", MISSING)
    kinds = (pl.String, pl.String, pl.Int64, pl.Date, pl.Date, pl.String)
    schema = dict(zip(columns, kinds, strict=True))
    return pl.DataFrame(rows, schema=schema, orient="row"), pl.concat(crossings)


def _names(incidents: "Incidents", word: str) -> dict[str, Any]:
    """What is odd in codes and names: unknown codes, and names that may mean one actor."""
    from escalation.actors import near_duplicates
    from escalation.codes import unknown_codes

    table = incidents.table
    names = {name for column in ("source", "target") for name in table[column].unique()}
    found: dict[str, Any] = {"unknown_codes": unknown_codes(table["code"], word)}
    # Actors of GDELT are codes: near ones are different actors.
    found["near_duplicates"] = near_duplicates(() if word == "gdelt" else names)
    return found


def _print(told: dict[str, Any], incidents: "Incidents") -> None:
    import polars as pl

    from escalation.cli.printing import rows_in_words, say, show
    from escalation.sources.faults import NO_DATE
    from escalation.sources.reasons import reasons

    origin = incidents.provenance
    say(f"{told['file']}: read as {told['source']} ({told['why']})")
    version = f", {origin.version}" if origin.version else ""
    if told["source"] != "table":
        say(f"Data: {origin.source}{version}. Licence: {origin.licence}. Cite: {origin.citation}")
    span = f"from {told['first']} to {told['last']}" if told["taken"] else "none is left to show"
    say(f"{rows_in_words(origin)}; {span}")
    if incidents.rejected["reason"].str.starts_with(NO_DATE).any():
        say("Dates that ISO 8601 does not write are read if --dates says their form.")
    for remark in origin.remarks:
        say(remark)
    if "cleaning" in told:
        show(told["cleaning"], "Cleaning")
    if "streams" in told:
        show(told["streams"].drop(MISSING), "Streams")
        odd_names = told["streams"].filter(pl.col(MISSING) != "")
        for name, odd in odd_names.select("stream", MISSING).rows():
            say(f"No incident has the name {odd} of stream {name!r}: is it misspelt?")
        sides = told["crossings"]
        if sides.select(pl.sum("across") + pl.sum("at home")).item():
            show(sides, "Incidents across a border: who acted is at home elsewhere")
    if told["taken"]:
        say(f"Columns with values: {', '.join(told['columns'])}")
    for name, top in told["most_frequent"].items():
        show(top, f"{name}, the most frequent")
    _first(told["unknown_codes"], "Codes that the source's scheme lacks")
    _first(told["near_duplicates"], "Names that may mean one actor")
    if len(incidents.rejected) > SHOWN:
        show(reasons(incidents.rejected, origin), "Why rows were rejected")
    _first(incidents.rejected, "Rejected rows (the header is line 1)")
    if incidents.amended.height:
        _first(incidents.amended, "Rows taken with a figure mended")


def _first(table: "pl.DataFrame", title: str) -> None:
    from escalation.cli.printing import show

    if table.height:
        more = f", the first {SHOWN} of {table.height:,}" if table.height > SHOWN else ""
        show(table.head(SHOWN), title + more)
