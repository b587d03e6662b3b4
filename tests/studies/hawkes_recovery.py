"""Recovery of Hawkes processes with each kernel, by maximum likelihood, from exact times.

``python tests/studies/hawkes_recovery.py --kernel exponential --sets 1000 --events 2000`` fits as
many simulated series and writes a row of the table of the documentation. Seeds are 0, 1, 2, …; no
set is dropped, and a fit that did not converge is counted.
"""

import argparse
import warnings

import numpy as np

from escalation.hawkes import Hawkes, branching_estimate
from escalation.kernels import Exponential, Histogram, Kernel, Lomax, Mixture, Weibull
from escalation.parameters import nonnegative_interval
from escalation.series import EventSeries

LEVEL = 0.9
REPRODUCTION = np.array([[0.4, 0.2], [0.0, 0.3]])
RADIUS = np.abs(np.linalg.eigvals(REPRODUCTION)).max()
BACKGROUND = np.array([0.3, 0.3])
EDGES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
HEIGHTS = np.array([0.5, 0.45, 0.35, 0.2, 0.08, 0.03, 0.01])

#: Each kernel with its true parameters.
CASES: dict[str, tuple[Kernel, dict[str, object]]] = {
    "exponential": (Exponential(), {"decay": 1.0}),
    "mixture, scales given": (Mixture(scales=(0.3, 3.0)), {}),
    "mixture, two learned": (Mixture(terms=2), {}),
    "power law": (Lomax(), {"exponent": 1.6, "scale": 0.3}),
    "Weibull": (Weibull(truncation=20.0), {"shape": 0.8, "scale": 1.0}),
    "histogram": (Histogram(EDGES), {}),
}


def truth(name: str, like: EventSeries) -> dict[str, np.ndarray]:
    """The true parameters of a case."""
    kernel, own = CASES[name]
    values = {"level": np.log(BACKGROUND), "reproduction": REPRODUCTION}
    if name == "histogram":
        heights = HEIGHTS / (HEIGHTS * np.diff(EDGES)).sum()
        own = _split(kernel, kernel.parameters_of(heights))
    elif name.startswith("mixture"):
        own = _split(kernel, _mixture(kernel))
    return values | {key: np.asarray(value, float) for key, value in own.items()}


def _mixture(kernel: Mixture) -> np.ndarray:
    """Weights .6 and .4 of delays of mean .3 and 3 days."""
    stick = np.log(0.6 / 0.4)
    return np.array([1 / 0.3, np.log(10.0), stick] if kernel.rates_vary else [stick])


def _split(kernel: Kernel, theta: np.ndarray) -> dict[str, np.ndarray]:
    out, place = {}, 0
    for p in kernel.parameters("day"):
        out[p.name] = np.reshape(theta[place : place + p.size], p.shape)
        place += p.size
    return out


def one(name: str, events: int, seed: int) -> dict[str, np.ndarray]:
    """Errors, whether the interval holds the truth, and whether the fit converged."""
    rate = np.linalg.solve(np.eye(2) - REPRODUCTION, BACKGROUND).sum()
    like = EventSeries.from_times([[], []], 0.0, events / rate, ["a", "b"])
    kernel, _ = CASES[name]
    model = Hawkes(kernel=kernel)
    values = truth(name, like)
    rng = np.random.default_rng(seed)
    series = model.simulate(values, like, rng)
    fit = model.fit(series, rng=rng)
    theta = np.concatenate([np.ravel(values[p.name]) for p in kernel.parameters("day")])
    bound = model.bound_kernel(series)
    draws = {
        "background 1": np.exp(fit.draws["level"][:, 0]),
        "background 2": np.exp(fit.draws["level"][:, 1]),
        "R 1←1": fit.draws["reproduction"][:, 0, 0],
        "R 1←2": fit.draws["reproduction"][:, 0, 1],
        "R 2←2": fit.draws["reproduction"][:, 1, 1],
        "branching ratio": np.abs(np.linalg.eigvals(fit.draws["reproduction"])).max(axis=1),
        "median delay": bound.median(_kernel_draws(fit.draws, kernel)),
    }
    estimate = {
        "background 1": np.exp(fit.estimate["level"][0]),
        "background 2": np.exp(fit.estimate["level"][1]),
        "R 1←1": fit.estimate["reproduction"][0, 0],
        "R 1←2": fit.estimate["reproduction"][0, 1],
        "R 2←2": fit.estimate["reproduction"][1, 1],
        "branching ratio": np.abs(np.linalg.eigvals(fit.estimate["reproduction"])).max(),
        "median delay": float(
            bound.median(_kernel_draws({k: v[None] for k, v in fit.estimate.items()}, kernel))[0]
        ),
    }
    true = {
        "background 1": BACKGROUND[0],
        "background 2": BACKGROUND[1],
        "R 1←1": REPRODUCTION[0, 0],
        "R 1←2": REPRODUCTION[0, 1],
        "R 2←2": REPRODUCTION[1, 1],
        "branching ratio": RADIUS,
        "median delay": float(bound.median(theta)),
    }
    ends = {key: np.quantile(value, [0.05, 0.95]) for key, value in draws.items()}
    lower, upper = nonnegative_interval(fit.draws["reproduction"], LEVEL)
    for key, place in (("R 1←1", (0, 0)), ("R 1←2", (0, 1)), ("R 2←2", (1, 1))):
        ends[key] = np.array([lower[place], upper[place]])
    return {
        "corrected": np.array(branching_estimate(fit).estimate / RADIUS - 1),
        "error": np.array([estimate[key] / true[key] - 1 for key in true]),
        "inside": np.array([ends[key][0] <= true[key] <= ends[key][1] for key in true]),
        "zero": np.array([lower[1, 0] == 0, estimate["R 1←1"] >= 0]),
        "converged": np.array(bool(fit.diagnostics["converged"])),
    }


def _kernel_draws(draws: dict[str, np.ndarray], kernel: Kernel) -> np.ndarray:
    names = [p.name for p in kernel.parameters("day")]
    return np.concatenate([draws[n].reshape(len(draws[n]), -1) for n in names], axis=1)


LABELS = (
    "background 1", "background 2", "R 1←1", "R 1←2", "R 2←2", "branching ratio", "median delay",
)  # fmt: skip


def study(name: str, events: int, sets: int, every: int = 0) -> dict[str, np.ndarray]:
    """Bias, its ratio to the spread, and coverage of every figure over the sets."""
    found = []
    for seed in range(sets):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found.append(one(name, events, seed))
        if every and len(found) % every == 0 and len(found) < sets:
            print(line(name, events, summary(found)), flush=True)
    return summary(found)


def summary(found: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """The figures of a row of the table, of sets that `one` went through."""
    error = np.stack([f["error"] for f in found])
    corrected = np.array([f["corrected"] for f in found])
    return {
        "sets": np.array(len(found)),
        "corrected": np.array([corrected.mean(), corrected.mean() / corrected.std()]),
        "bias": error.mean(axis=0),
        "median": np.median(error, axis=0),
        "share": error.mean(axis=0) / error.std(axis=0),
        "coverage": np.stack([f["inside"] for f in found]).mean(axis=0),
        "zero": np.mean([f["zero"][0] for f in found]),
        "converged": np.mean([f["converged"] for f in found]),
    }


def line(name: str, events: int, row: dict[str, np.ndarray]) -> str:
    """A row of the table."""
    figures = zip(row["bias"], row["share"], row["median"], row["coverage"], strict=True)
    cells = [
        f"{100 * b:+.1f} % ({s:+.2f} sd; median {100 * m:+.1f} %), {100 * c:.1f} %"
        for b, s, m, c in figures
    ]
    corrected, share = row["corrected"]
    cells += [
        f"{100 * corrected:+.1f} % ({share:+.2f} sd)",
        f"{100 * row['zero']:.1f} %",
        f"{100 * row['converged']:.1f} %",
    ]
    return f"| {name} | {events} | {row['sets']} | " + " | ".join(cells) + " |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--kernel", choices=list(CASES), action="append")
    parser.add_argument("--sets", type=int, default=1000)
    parser.add_argument("--events", type=int, default=2000)
    parser.add_argument("--every", type=int, default=0, help="show a row after so many sets, too")
    asked = parser.parse_args()
    columns = [*LABELS, "branching ratio, corrected", "zero starts at 0", "converged"]
    print("| kernel | events | sets | " + " | ".join(columns) + " |")
    print("|---|---|---|" + "---|" * len(columns))
    for name in asked.kernel or list(CASES):
        row = study(name, asked.events, asked.sets, asked.every)
        print(line(name, asked.events, row), flush=True)
