"""A limit on the memory that a piece of code may take beyond what is taken already."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


@contextmanager
def at_most(megabytes: float) -> Iterator[None]:
    """Raise MemoryError where more is asked for, compiled code included."""
    if not sys.platform.startswith("linux"):
        pytest.skip("the address space is limited, and its size read, as Linux does it")
    import resource

    before = resource.getrlimit(resource.RLIMIT_AS)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + int(megabytes * 2**20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_AS, before)
