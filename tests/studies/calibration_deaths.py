"""Simulation-based calibration of the law of deaths and of the nowcast, by their declared priors.

``python tests/studies/calibration_deaths.py --replications 200 --out build/calibration`` writes a
file of ranks for each model, goes on where it stopped, and prints the table of the documentation.
Seeds are 0, 1, 2, …; no replication is dropped. A third of the simulated records of deaths are
known to the class of their number alone.
"""

import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # run as a script, tests are no package
from calibration_counts import resumed, tabulate

from escalation.checks.calibration import Calibration
from escalation.nowcast import Nowcast, ReportingTriangle
from escalation.severity import DeathRecords, Severity
from escalation.window import Window

#: Ends of the classes of deaths that a coarse record is known to.
CLASSES = np.array([0, 1, 3, 10, 30, 100, 300, 1000, 10_000, 1e9, 1e15])
Remake = Callable[[np.ndarray, np.random.Generator], Any]


def coarse(like: DeathRecords) -> Remake:
    """Records of simulated deaths, a third of them known to a class alone."""

    def remake(deaths: np.ndarray, rng: np.random.Generator) -> DeathRecords:
        numbers = deaths.astype(np.int64)
        at = np.searchsorted(CLASSES, numbers, side="right") - 1
        wide = rng.random(numbers.size) < 1 / 3
        low = np.where(wide, CLASSES[at], numbers).astype(np.int64)
        high = np.where(wide, CLASSES[at + 1] - 1, numbers).astype(np.int64)
        return DeathRecords(low, numbers, high, like.stream, like.days, like.names, like.window)

    return remake


def triangle(periods: int, longest: int, period: str = "week") -> ReportingTriangle:
    """An empty triangle of one stream."""
    step = 7 if period == "week" else 1
    edges = np.datetime64("2020-01-06") + step * np.arange(periods + 1)
    window = Window(edges[0].item(), edges[-1].item())
    counts = np.zeros((periods, longest + 1, 1), np.int64)
    return ReportingTriangle(counts, edges, ("a",), window, period)


def reported(like: ReportingTriangle) -> Remake:
    """What of a simulated triangle could have been reported."""

    def remake(counts: np.ndarray, rng: np.random.Generator) -> ReportingTriangle:
        return replace(like, counts=counts.astype(np.int64))

    return remake


def cases() -> dict[str, tuple[Any, Any, Remake]]:
    """Each model with what gives its shape, and how a simulated series is made of numbers."""
    two = DeathRecords.from_deaths(np.ones(240, int), stream=np.arange(240) % 2, names=["a", "b"])
    weeks, by_day = triangle(16, 3), triangle(21, 4, "day")
    five = DeathRecords.from_deaths(np.ones(300, int), stream=np.arange(300) % 5)
    return {
        "Severity": (Severity(threshold=8), two, coarse(two)),
        "Nowcast": (Nowcast(), weeks, reported(weeks)),
        "Nowcast, days, one law": (Nowcast(pace=False, weekday=True), by_day, reported(by_day)),
        "Severity, tails by stream": (Severity(threshold=8, tails="stream"), two, coarse(two)),
        "Severity, log-normal": (Severity(tail="none"), two, coarse(two)),
        "Severity, partial pooling": (Severity(threshold=8, streams="partial"), five, coarse(five)),
    }


def run(
    name: str, case: tuple[Any, Any, Remake], replications: int, folder: Path | None
) -> Calibration:
    """All replications of one model; those in the folder's file are not run again."""
    model, like, remake = case
    largest = 10**15 if name.startswith("Severity") else 2000
    return resumed(name, model, like, replications, folder, remake=remake, largest=largest)


if __name__ == "__main__":
    tabulate(__doc__, cases(), run)
