"""Time what a user waits for: the import, the help, a fit. Prints; never asserts."""

import statistics
import subprocess
import sys
from collections.abc import Callable
from datetime import date
from pathlib import Path
from time import perf_counter

import numpy as np

REPEATS = 10


def process(*arguments: str) -> None:
    subprocess.run(arguments, check=True, stdout=subprocess.DEVNULL)


def seconds(task: Callable[[], object], repeats: int = REPEATS) -> list[float]:
    """Time a task several times."""
    times = []
    for _ in range(repeats):
        start = perf_counter()
        task()
        times.append(perf_counter() - start)
    return times


def show(label: str, times: list[float]) -> None:
    print(f"{label:44} {statistics.median(times):8.3f} s   (median of {len(times)})")


def main() -> None:
    program = str(Path(sys.executable).with_name("escalation"))
    show("import escalation", seconds(lambda: process(sys.executable, "-c", "import escalation")))
    show("escalation --help", seconds(lambda: process(program, "--help")))

    from escalation import NUTS, CountSeries, EndemicEpidemic, MaximumLikelihood

    rng = np.random.default_rng(1)
    series = CountSeries.from_counts(
        rng.negative_binomial(2, 0.3, (520, 4)), date(2014, 1, 6), "week"
    )
    model = EndemicEpidemic()
    for label, engine, repeats in (
        ("maximum likelihood, 4 streams, 520 weeks", MaximumLikelihood(), 3),
        ("NUTS, the same", NUTS(draws=500), 2),
    ):
        first, *warm = seconds(lambda engine=engine: model.fit(series, engine), repeats)
        show(f"{label}, first", [first])
        show(f"{label}, warm", warm)


if __name__ == "__main__":
    main()
