"""How far the work is: bars on a terminal, plain lines elsewhere; on standard error."""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import typer

Tell = Callable[[str, int, int], None]


@contextmanager
def progress(quiet: bool) -> Iterator[Tell]:
    """Give a callback (label, done, total)."""
    if quiet:
        yield lambda label, done, total: None
    elif sys.stderr.isatty():
        with _bars() as tell:
            yield tell
    else:
        yield lines()


@contextmanager
def _bars() -> Iterator[Tell]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[left]}", markup=False),
    )
    with Progress(*columns, console=Console(stderr=True)) as bars:
        tasks: dict[str, Any] = {}

        def tell(label: str, done: int, total: int) -> None:
            if label not in tasks:
                # One step that is not told in between: a bar that only moves.
                whole = total if total > 1 else None
                tasks[label] = bars.add_task(label, total=whole, left="")
            at = tasks[label]
            bars.update(at, completed=done, total=total if total > 1 or done else None)
            seconds = bars.tasks[bars.task_ids.index(at)].time_remaining
            bars.update(at, left=f"{seconds:.0f} s left" if seconds else "")

        yield tell


def lines() -> Tell:
    """Give a callback that prints a line when a stage starts, and at each quarter of long ones."""
    quarters: dict[str, int] = {}

    def tell(label: str, done: int, total: int) -> None:
        quarter = 4 * done // max(total, 1)
        if quarters.get(label) == quarter or (total <= 1 and done):
            return
        quarters[label] = quarter
        typer.echo(f"{label} {done}/{total}" if total > 1 else label, err=True)

    return tell
