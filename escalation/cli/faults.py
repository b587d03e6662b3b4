"""How a command ends where a file or an argument is at fault."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer


@contextmanager
def faults() -> Iterator[None]:
    """End with one line where a file or a study is at fault; status 2, unless the fault has one."""
    try:
        yield
    except (ValueError, OSError) as fault:
        _end(fault)
    except BaseException as fault:
        # A PanicException of polars is no Exception.
        if type(fault).__name__ != "PanicException":
            raise
        _end(fault)


def _end(fault: BaseException) -> None:
    from escalation.cli.printing import plain

    if isinstance(fault, OSError) and fault.filename is not None:
        text = f"{fault.filename}: {fault.strerror}"
    else:
        text = str(fault) or type(fault).__name__
    typer.echo(f"escalation: {plain(' '.join(text.split()))}", err=True)
    raise typer.Exit(getattr(fault, "exit_status", 2))
