"""One thread for small linear algebra."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import cache
from typing import Any


def one_thread() -> AbstractContextManager[Any]:
    """A context in which NumPy's and SciPy's linear algebra keeps to one thread.

    Fits solve small systems many times, where waking a second thread costs more than it saves:
    on a busy machine a step of the optimiser took milliseconds instead of microseconds.
    """
    return _controller().limit(limits=1)  # type: ignore[no-any-return]


@cache
def _controller() -> Any:
    import scipy.linalg
    import scipy.optimize  # noqa: F401 - what is loaded later would not be found
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()
