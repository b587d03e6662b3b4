"""What only this package does: sampling, day-coded fits; and how cost and memory grow.

Run through ``bench_hawkes.py``. Called with an argument it is one of the processes measured.
"""

import json
import os
import subprocess
import sys
import tempfile
from datetime import date
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np

STREAMS = 4
MATRIX = np.array(
    [[0.35, 0.15, 0.0, 0.05], [0.1, 0.3, 0.1, 0.0], [0.05, 0.1, 0.4, 0.1], [0.0, 0.05, 0.1, 0.3]]
)
TEN_YEARS = date(2010, 1, 1), date(2020, 1, 1)


def seasonal(streams, level, days, resolution="exact", seed=0):
    """A series with a season, simulated."""
    from escalation.background import Background
    from escalation.hawkes import Hawkes
    from escalation.series import EventSeries

    model = Hawkes(background=Background(harmonics=1))
    like = EventSeries.from_times([[]] * streams, *days, resolution=resolution)
    values = {
        "level": np.full(streams, np.log(level)),
        "season": np.tile([0.3, -0.2], (streams, 1)),
        "reproduction": MATRIX[:streams, :streams] if streams > 1 else np.array([[0.6]]),
        "decay": np.array(1.5),
    }
    return model, model.simulate(values, like, np.random.default_rng(seed))


def child(task, folder, environment=None):
    """What this file prints as JSON when it is run anew with a task, and the wall time."""
    start = perf_counter()
    done = subprocess.run(
        [sys.executable, __file__, task, folder],
        capture_output=True, text=True, env={**os.environ, **(environment or {})},
    )  # fmt: skip
    took = perf_counter() - start
    if done.returncode:
        return {"error": (done.stderr.strip().splitlines() or ["failed"])[-1]}, took
    return json.loads(done.stdout.strip().splitlines()[-1]), took


def nuts():
    """Wall time of a process that reads a series, samples, and ends."""
    _, series = seasonal(STREAMS, 0.061, TEN_YEARS)
    number = len(series)
    print(f"\nNUTS, {STREAMS} streams, {number:,} events, season: wall time of a whole process")
    with tempfile.TemporaryDirectory() as folder:
        np.savez(Path(folder) / "series.npz", *series.times)
        empty = {
            "NUMBA_CACHE_DIR": str(Path(folder) / "numba"),
            "XDG_CACHE_HOME": str(Path(folder) / "cache"),
        }
        for label, environment in (("nothing compiled before", empty), ("the second time", empty)):
            answer, took = child("nuts", folder, environment)
            if "error" in answer:
                print(f"  {label:34} {answer['error']}")
                continue
            print(
                f"  {label:34} {took:16.1f} s   R-hat {answer['r_hat']:.4f}, "
                f"least effective draws {answer['ess']:.0f} ({answer['ess_of']}), "
                f"{answer['divergences']} divergences, sampled in {answer['seconds']:.1f} s"
            )


def nuts_child(folder):
    from escalation.background import Background
    from escalation.engines import NUTS
    from escalation.hawkes import Hawkes
    from escalation.series import EventSeries

    with np.load(Path(folder) / "series.npz") as stored:
        times = [stored[name] for name in stored.files]
    series = EventSeries.from_times(times, *TEN_YEARS)
    start = perf_counter()
    fit = Hawkes(background=Background(harmonics=1)).fit(series, NUTS())
    print(json.dumps({**fit.diagnostics, "seconds": perf_counter() - start}))


def days():
    """Fits with standard errors of times known to the day."""
    print("\nDay-coded, ten years, season, with standard errors")
    for streams, level in ((1, 0.44), (STREAMS, 0.3)):
        model, series = seasonal(streams, level, TEN_YEARS, "day")
        model.fit(series)
        took = []
        for _ in range(5 if streams == 1 else 3):
            start = perf_counter()
            fit = model.fit(series)
            took.append(perf_counter() - start)
        label = f"{streams} stream(s), {len(series):,} events"
        decay, sd = fit.estimate["decay"], fit.draws["decay"].std()
        note = f"decay {decay:.3f}, standard error {sd:.3f} (truth 1.5)"
        print(f"  {label:34} {median(took) * 1e3:15,.0f} ms   {note}")


def uniform(rng, number, streams):
    """A series of so many events, ten a day: dates end after some million days."""
    from escalation.series import EventSeries

    end = number / 10
    times = [np.sort(rng.random(number // streams)) * end for _ in range(streams)]
    return EventSeries.from_times(times, 0.0, end)


def cost(quick):
    """Cost against the number of events, and memory in arrays of so many numbers."""
    from escalation.hawkes import Hawkes

    rng = np.random.default_rng(0)
    print("\nCost of value and gradient against the number of events: ns an event")
    sizes = [10**4, 10**5, 10**6] if quick else [10**4, 10**5, 10**6, 4 * 10**6]
    took = {"one stream": [], "four streams": []}
    for number in sizes:
        for label, streams in (("one stream", 1), ("four streams", 4)):
            problem = Hawkes().problem(uniform(rng, number, streams))
            theta = problem.starts[0]
            problem.evaluate(theta)
            each = []
            for _ in range(max(3, 10**6 // number)):
                start = perf_counter()
                problem.evaluate(theta)
                each.append(perf_counter() - start)
            took[label].append(median(each))
    for label, values in took.items():
        slope = np.polyfit(np.log(sizes), np.log(values), 1)[0]
        each = "  ".join(f"{v / n * 1e9:.1f}" for v, n in zip(values, sizes, strict=True))
        print(f"  {label:34} {each:>30}   slope {slope:.3f}")
    for label in ("one stream", "four streams"):
        answer, _ = child("memory " + label, ".")
        if "error" in answer:
            print(f"  memory, {label}: {answer['error']}")
            continue
        print(
            f"  memory beside the times, {label:10} {answer['problem']:.2f} arrays of n held, "
            f"{answer['evaluate']:.2f} at the peak of an evaluation"
        )


def peak():
    """Highest resident memory since the last reset, bytes (Linux)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise OSError("no VmHWM")


def reset():
    Path("/proc/self/clear_refs").write_text("5")


def memory_child(label):
    from escalation.hawkes import Hawkes

    rng = np.random.default_rng(0)
    streams = 1 if label == "one stream" else 4

    small = Hawkes().problem(uniform(rng, 1000, streams))
    small.evaluate(small.starts[0])
    number = 4 * 10**6
    given = uniform(rng, number, streams)
    reset()
    before = peak()
    problem = Hawkes().problem(given)
    reset()
    held = peak()
    problem.evaluate(problem.starts[0])
    unit = 8 * number
    print(json.dumps({"problem": (held - before) / unit, "evaluate": (peak() - before) / unit}))


if __name__ == "__main__":
    if sys.argv[1] == "nuts":
        nuts_child(sys.argv[2])
    else:
        memory_child(sys.argv[1].removeprefix("memory "))
