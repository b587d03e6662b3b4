"""Hawkes processes beside other libraries, in the same run: prints tables, asserts no time.

``python tests/benchmarks/bench_hawkes.py --peers FOLDER`` runs everything. A peer is looked for as
``FOLDER/NAME/bin/python``, an interpreter of its own (``HAWKES_PEERS`` does the same); it is run as
a separate program, and is a row "not installed" where it is missing. R's hawkesbow is not run.
Medians; wants an idle machine. ``--only gradient fit ten simulate nuts days cost`` picks tables,
``--quick`` leaves out the largest.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

# Found by its neighbours, whether it is run or collected.
sys.path.insert(0, str(Path(__file__).parent))

from bench_hawkes_own import cost, days, nuts
from bench_hawkes_peer import PEERS
from bench_hawkes_tuned import plain, tuned

from escalation.hawkes import Hawkes
from escalation.hawkes.simulate import branching
from escalation.kernels import Exponential, Mixture
from escalation.parameters import Layout
from escalation.series import EventSeries

DRIVER = Path(__file__).with_name("bench_hawkes_peer.py")
LEVEL, ETA, DECAY = 0.5, 0.6, 1.5
LIMIT = 60


@dataclass(frozen=True)
class Bench:
    """Where the peers are, and how much is run."""

    peers: Path | None
    quick: bool

    def ask(self, task: str, repeats: int, **data: object) -> Iterator[tuple[str, dict]]:
        """What each peer that knows the task answers."""
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "data.npz"
            np.savez(file, **data)
            for name, runner in PEERS.items():
                if hasattr(runner, task):
                    yield name, self._ask(name, task, file, repeats)

    def _ask(self, name: str, task: str, file: Path, repeats: int) -> dict:
        python = self.peers / name / "bin" / "python" if self.peers else None
        if python is None or not python.exists():
            return {"error": "not installed"}
        command = [str(python), "-W", "ignore", str(DRIVER), name, task, str(file), str(repeats)]
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=LIMIT, env=environment
            )
        except subprocess.TimeoutExpired:
            return {"error": f"over {LIMIT} s"}
        if done.returncode:
            return {"error": (done.stderr.strip().splitlines() or ["failed"])[-1][:90]}
        return json.loads(done.stdout.strip().splitlines()[-1])


def seconds(tasks: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Median durations of several tasks, taken in turn so that a busy moment hits them all."""
    times: dict[str, list[float]] = {name: [] for name in tasks}
    for task in tasks.values():
        task()
    for _ in range(repeats):
        for name, task in tasks.items():
            start = perf_counter()
            task()
            times[name].append(perf_counter() - start)
    return {name: median(values) for name, values in times.items()}


def show(label: str, value: str, note: str = "") -> None:
    print(f"  {label:34} {value:>18}   {note}")


def sample(number: int, streams: int, matrix: np.ndarray, seed: int = 0) -> EventSeries:
    """A series of about so many events from one exponential kernel."""
    rate = np.full(streams, LEVEL)
    end = number / np.linalg.solve(np.eye(streams) - matrix, rate).sum()
    found = branching(
        rate[None, None], np.array([0.0, end]), matrix[None], Exponential(), np.array([[DECAY]]),
        (), (0.0, end), np.random.default_rng(seed), 10**8,
    )  # fmt: skip
    times, _ = found.by_stream(streams)
    return EventSeries.from_times(list(times), 0.0, end)


def merged(series: EventSeries) -> dict[str, object]:
    """All events in the order of time, as the peers take them."""
    times = np.concatenate(series.times)
    stream = np.repeat(np.arange(len(series.names)), [len(one) for one in series.times])
    order = np.argsort(times, kind="stable")
    return {
        "times": times[order],
        "stream": stream[order],
        "streams": len(series.names),
        "end": series.duration,
    }


def gradient(bench: Bench) -> None:
    for number in (10**4, 10**5) if bench.quick else (10**4, 10**5, 10**6):
        series = sample(number, 1, np.array([[ETA]]))
        times, end = series.times[0], series.duration
        problem = Hawkes().problem(series)
        values = {"level": np.log(LEVEL), "reproduction": ETA, "decay": DECAY}
        theta = problem.layout.pack({k: np.asarray(v) for k, v in values.items()})
        wanted, by = tuned(times, end, LEVEL, ETA, DECAY)
        found, own = problem.evaluate(theta)
        np.testing.assert_allclose(found, wanted, rtol=1e-9)
        np.testing.assert_allclose(own, by * [LEVEL, 1, 1], rtol=1e-6, atol=1e-5 * len(times))
        print(f"\nLog-likelihood with gradient, one stream, {len(times):,} events: ns an event")
        tasks = {
            "tuned loop": lambda t=times, e=end: tuned(t, e, LEVEL, ETA, DECAY),
            "plain loop": lambda t=times, e=end: plain(t, e, LEVEL, ETA, DECAY),
            "escalation": lambda p=problem, x=theta: p.evaluate(x),
        }
        took = seconds(tasks, 31 if number < 10**6 else 11)
        limit = took["tuned loop"]
        for name, value in took.items():
            show(name, f"{value / len(times) * 1e9:.1f}", f"{value / limit:.2f} of the tuned loop")
        data = {"times": times, "end": end, "level": LEVEL, "eta": ETA, "decay": DECAY}
        for name, answer in bench.ask("gradient", 11 if number < 10**6 else 5, **data):
            if "seconds" not in answer:
                show(name, answer["error"])
                continue
            took_it = median(answer["seconds"])
            wrong = abs(answer.get("value", wanted) - wanted) > 1e-6 * abs(wanted)
            note = answer.get("note", "") + ("; another value" if wrong else "")
            text = f"{took_it / took['escalation']:.2f} of escalation  {note}"
            show(name, f"{took_it / len(times) * 1e9:.1f}", text)


def pairs_theta(series: EventSeries, answer: dict) -> tuple[float, float]:
    """Log-likelihood of what a peer learned, and its spectral radius."""
    streams = len(series.names)
    model = Hawkes(kernel_per="pair") if streams > 1 else Hawkes()
    layout = Layout(model.parameters(series))
    matrix = np.maximum(answer["reproduction"], 0.0).reshape(streams, streams)
    decay = np.broadcast_to(answer["decay"], matrix.shape)
    level = np.log(np.maximum(answer["level"], 1e-12))
    values = {"level": level, "reproduction": matrix, "decay": decay}
    theta = layout.pack({p.name: np.asarray(values[p.name]).reshape(p.shape)
                         for p in layout.parameters})  # fmt: skip
    value, _ = model.problem(series).evaluate(theta)
    return float(value), float(np.abs(np.linalg.eigvals(matrix)).max())


def fits(
    bench: Bench, title: str, task: str, model: Hawkes, series: EventSeries, repeats: int, **more
) -> None:
    """Our fit and the peers', with the log-likelihood that each reached."""
    print(f"\n{title}")
    took = seconds({"escalation": lambda: model.fit(series)}, repeats)["escalation"]
    fit = model.fit(series)
    best = fit.log_likelihood
    show("escalation", f"{took * 1e3:,.0f} ms", f"log-likelihood {best:,.2f}, standard errors")
    for name, answer in bench.ask(task, max(1, repeats // 2), **merged(series), **more):
        if "seconds" not in answer:
            show(name, answer["error"])
            continue
        value, radius = pairs_theta(series, answer)
        spent = median(answer["seconds"])
        text = f"{spent / took:.1f} of escalation, log-likelihood {value - best:+,.2f}"
        if radius >= 1:
            text += f", spectral radius {radius:.2f}"
        show(name, f"{spent * 1e3:,.0f} ms", f"{text}  {answer.get('note', '')}")


def fit(bench: Bench) -> None:
    series = sample(10**5, 1, np.array([[ETA]]))
    title = f"Fit of one stream, {len(series):,} events, decay learned"
    fits(bench, title, "fit_one", Hawkes(), series, 7)


def ten(bench: Bench) -> None:
    rng = np.random.default_rng(0)
    matrix = rng.uniform(0, 1, (10, 10)) * (rng.random((10, 10)) < 0.5)
    matrix *= ETA / np.abs(np.linalg.eigvals(matrix)).max()
    series = sample(2 * 10**4, 10, matrix)
    stem = f"Fit of ten streams, {len(series):,} events, "
    fits(bench, stem + "one decay learned", "fit_shared", Hawkes(), series, 3)
    known = Hawkes(kernel=Mixture(scales=(1 / DECAY,)))
    fits(bench, stem + "decays fixed", "fit_fixed", known, series, 3, decay=DECAY)
    pairs = Hawkes(kernel_per="pair")
    fits(bench, stem + "a decay a pair", "fit_pairs", pairs, series, 3)


def simulate(bench: Bench) -> None:
    for streams in (1, 5):
        matrix = np.full((streams, streams), ETA / streams)
        end = 10**6 * (1 - ETA) / LEVEL / streams
        # The number of its events sets the cap.
        like = sample(10**6, streams, matrix, seed=1)
        rng = np.random.default_rng(0)
        values = {"level": np.full(streams, np.log(LEVEL)), "reproduction": matrix,
                  "decay": np.array(DECAY)}  # fmt: skip
        rate = np.full((1, 1, streams), LEVEL)
        print(f"\nSimulation of {streams} stream(s) to a million events: million events a second")

        def paths(rate=rate, end=end, matrix=matrix, streams=streams, rng=rng):
            found = branching(
                rate, np.array([0.0, end]), matrix[None], Exponential(), np.array([[DECAY]]), (),
                (0.0, end), rng, 10**8,
            )  # fmt: skip
            return found.by_stream(streams)

        tasks = {
            "escalation, sorted times": paths,
            "escalation, Hawkes.simulate": lambda v=values, x=like, r=rng: Hawkes().simulate(
                v, x, r
            ),
        }
        took = seconds(tasks, 9)
        for name, value in took.items():
            show(name, f"{1 / value:.1f}")
        data = {"level": rate[0, 0], "reproduction": matrix, "decay": DECAY, "end": end}
        for name, answer in bench.ask("simulate", 5, **data):
            if "seconds" not in answer:
                show(name, answer["error"])
                continue
            speed = answer["events"] / median(answer["seconds"]) / 1e6
            show(name, f"{speed:.1f}", answer.get("note", ""))


TABLES: dict[str, Callable[[Bench], None]] = {
    "gradient": gradient,
    "fit": fit,
    "ten": ten,
    "simulate": simulate,
    "nuts": lambda bench: nuts(),
    "days": lambda bench: days(),
    "cost": lambda bench: cost(bench.quick),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--peers", type=Path, default=os.environ.get("HAWKES_PEERS"))
    parser.add_argument("--only", nargs="+", choices=TABLES, default=list(TABLES))
    parser.add_argument("--quick", action="store_true")
    options = parser.parse_args()
    load = os.getloadavg()
    idle = "idle" if load[0] < 0.3 else "NOT idle"
    print(f"{os.cpu_count()} cores, load average {load[0]:.2f} {load[1]:.2f} at the start: {idle}")
    bench = Bench(Path(options.peers) if options.peers else None, options.quick)
    for name in options.only:
        TABLES[name](bench)
    print(f"\nload average {os.getloadavg()[0]:.2f} at the end")


if __name__ == "__main__":
    main()
