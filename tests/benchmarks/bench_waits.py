"""Time what a user waits for: the import, the help, a fit. Prints; never asserts."""

import statistics
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter

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

    from escalation import NUTS, CountSeries, Laplace, MaximumLikelihood, Study, read

    study = Study.from_toml(Path(__file__).parents[2] / "data" / "border" / "study.toml")
    incidents = read(study.incidents_path, study.window, columns=study.data.columns)
    series = CountSeries.from_incidents(incidents, study.streams, "week", study.actors)
    model = study.model()
    print(series)
    for label, engine, repeats in (
        ("maximum likelihood", MaximumLikelihood(), 4),
        ("Laplace", Laplace(), 4),
        ("NUTS, 4 chains of 1,000 draws", NUTS(), 2),
    ):
        first, *warm = seconds(lambda engine=engine: model.fit(series, engine), repeats)
        show(f"{label}, first", [first])
        show(f"{label}, warm", warm)


if __name__ == "__main__":
    main()
