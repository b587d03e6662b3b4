"""What the steps of a run share: the random numbers of each task, and the telling of progress."""

from collections.abc import Callable

import numpy as np

from escalation.study import Study

Tell = Callable[[str, int, int], None]
"""Called with a label, how much is done, and of how much."""

TASKS = (
    "fit", "alternatives", "forecast", "last", "backtest", "checks", "simulate", "severity",
    "nowcast", "cleaning",
)  # fmt: skip
"""Each draws numbers of its own: neither their order nor the number of workers changes a figure."""


def sequence(study: Study, task: str) -> np.random.SeedSequence:
    """Give the seed of one task."""
    return np.random.SeedSequence([study.seed, TASKS.index(task)])


def generator(study: Study, task: str) -> np.random.Generator:
    """Give the random numbers of one task."""
    return np.random.default_rng(sequence(study, task))


def silent(label: str, done: int, total: int) -> None:
    """Tell nothing."""


def told[T](tell: Tell, label: str, work: Callable[[], T]) -> T:
    """Do one piece of work, and tell when it starts and ends."""
    tell(label, 0, 1)
    done = work()
    tell(label, 1, 1)
    return done
