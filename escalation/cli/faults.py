"""How a command ends where a file or an argument is at fault, or nobody reads on."""

import os
import select
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

import typer

UNREAD = 141
"""Exit status where the reader of the output is gone: what a shell says of SIGPIPE."""


@contextmanager
def faults() -> Iterator[None]:
    """End with one line where a file or a study is at fault; status 2, unless the fault has one.

    Where whoever reads the output has left (``escalation inspect FILE | head``), end without one.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        if not _unread():
            raise
        raise typer.Exit(UNREAD) from None
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


def _unread() -> bool:
    """Whether a pipe that is printed into has no reader; what would be printed is dropped then."""
    gone = [stream for stream in (sys.stdout, sys.stderr) if _closed(stream)]
    for stream in gone:
        # Python writes what waits in a stream once more when it ends.
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)
    return bool(gone)


def _closed(stream: TextIO) -> bool:
    if not hasattr(select, "poll"):  # not on Windows
        return stream is sys.stdout
    asked = select.poll()
    try:
        asked.register(stream.fileno(), 0)
    except (OSError, ValueError):  # no file
        return False
    return any(event & select.POLLERR for _, event in asked.poll(0))
