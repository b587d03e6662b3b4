"""The command line of coding by hand: code-template | code-check | code-agreement."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from escalation.cli.faults import faults

FAULTY = 1
"""Exit status of a check that found faults."""

AsJson = Annotated[bool, typer.Option("--json", help="Print results as JSON, for scripts.")]


class By(StrEnum):
    """How rows of two codings are matched."""

    id = "id"
    content = "content"


def code_template(
    output: Annotated[
        Path, typer.Argument(metavar="OUTPUT", help="The template, .csv or .xlsx; not there yet.")
    ],
    empty: Annotated[bool, typer.Option("--empty", help="Without the invented first row.")] = False,
) -> None:
    """Write a template for coding by hand, and its codebook."""
    with faults():
        from escalation.coding import write_coding_template

        for path in write_coding_template(output, example=not empty):
            typer.echo(path)


def code_check(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="A hand-coded file.")],
    as_json: AsJson = False,
) -> None:
    """Say what is wrong or odd in a hand-coded file."""
    with faults():
        from escalation.cli.printing import print_json, say, show
        from escalation.coding import check_coding

        check = check_coding(file)
        if as_json:
            print_json(
                {"file": check.file, "rows": check.rows, "passed": check.passed}
                | {"faults": check.faults, "warnings": check.warnings}
            )
        else:
            say(str(check))
            for title, table in (("Faults", check.faults), ("Warnings", check.warnings)):
                if len(table):
                    show(table, f"{title} (the header is line 1)")
        if not check.passed:
            raise typer.Exit(FAULTY)


def code_agreement(
    first: Annotated[Path, typer.Argument(metavar="FIRST", help="A hand-coded file.")],
    second: Annotated[Path, typer.Argument(metavar="SECOND", help="Another coding of the texts.")],
    by: Annotated[By | None, typer.Option("--by", help="Match rows by id, or content.")] = None,
    days: Annotated[
        int, typer.Option("--days", min=0, help="By content: how far apart days may lie.")
    ] = 3,
    draws: Annotated[int, typer.Option("--draws", min=1, help="Samples of the bootstrap.")] = 2000,
    seed: Annotated[int, typer.Option("--seed", min=0, help="Of the bootstrap.")] = 1,
    as_json: AsJson = False,
) -> None:
    """Say how far two codings of the same texts agree."""
    with faults():
        import numpy as np

        from escalation.cli.printing import print_json, say, show
        from escalation.coding import compare_codings

        rng = np.random.default_rng(seed)
        way: Literal["id", "content"] | None = None
        if by is not None:
            way = "id" if by is By.id else "content"
        found = compare_codings(first, second, rng=rng, by=way, days=days, draws=draws)
        if as_json:
            print_json(
                {"first": found.first, "second": found.second, "rule": found.rule}
                | {"rows": found.rows, "matched": found.matched, "coverage": found.coverage}
                | {"unit_agreement": found.unit_agreement, "agreement": found.table}
                | {"disagreements": found.disagreements, "matches": found.matches}
            )
            return
        say(str(found))
        say(f"Rows were matched {found.rule}.")
        say(f"Share of rows that have a match in the other coding: {found.unit_agreement:.2f}")
        show(found.shown(), f"Agreement, with {found.coverage:.0%} bootstrap intervals")
        if len(found.disagreements):
            show(found.disagreements, "Cells that differ")
        alone = found.matches.filter(found.matches["line first"].is_null()
                                     | found.matches["line second"].is_null())  # fmt: skip
        if len(alone):
            show(alone, "Incidents that one coder alone has")


def add_commands(app: typer.Typer) -> None:
    """Register the commands."""
    for command in (code_template, code_check, code_agreement):
        app.command(command.__name__.replace("_", "-"))(command)
