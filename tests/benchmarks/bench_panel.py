"""Speed of panels: gradient, nested Laplace and sampler. Never asserts.

    python tests/benchmarks/bench_panel.py [--units 200] [--weeks 520] [--chains 2] [--draws 250]
                                           [--tune 150] [gradient] [laplace] [nuts]

Seconds are processor seconds of this process; what the sampler would need for other numbers of
draws follows from its leapfrogs. ``nuts`` also compares its posterior with that of Laplace.
"""

import argparse
import os
import time
from datetime import date
from statistics import median

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from escalation import NUTS, CountSeries, EndemicEpidemic, Laplace, MaximumLikelihood, Panel
from escalation.parameters import Layout

PARTS = ("gradient", "laplace", "nuts")


def simulated(units: int, weeks: int) -> CountSeries:
    """A panel from one population, with a shared season."""
    rng = np.random.default_rng(0)
    like = CountSeries.from_counts(np.zeros((weeks, units)), date(2010, 1, 4))
    truth = {
        "level_mean": np.array(-0.5), "level_spread": np.array(1.0),
        "logit_reproduction_mean": np.array(-0.8), "logit_reproduction_spread": np.array(0.6),
        "log_dispersion_mean": np.array(-0.5), "log_dispersion_spread": np.array(0.5),
        "season": np.array([0.3, 0.1]), "decay": np.array(0.7),
    }  # fmt: skip
    for name in ("level", "logit_reproduction", "log_dispersion"):
        truth[f"{name}_deviation"] = rng.standard_normal(units)
    return Panel().simulate(truth, like, rng)


def seconds(task, repeats):
    """Median processor seconds of a call."""
    task()
    took = []
    for _ in range(9):
        start = time.process_time()
        for _ in range(repeats):
            task()
        took.append((time.process_time() - start) / repeats)
    return median(took)


def gradients() -> None:
    """One gradient beside that of the endemic-epidemic model, at the same T and K."""
    for units in (4, 12):
        series = simulated(units, 520)
        spent = []
        for model in (Panel(), EndemicEpidemic(arrows=own_alone(units)), EndemicEpidemic()):
            problem = model.problem(series)
            spent.append(seconds(lambda p=problem: p.evaluate(p.starts[0]), 40) * 1e6)
        print(f"gradient, T = 520, K = {units}, 12 lags: panel {spent[0]:.0f} µs, endemic-epidemic "
              f"{spent[1]:.0f} µs without arrows across, {spent[2]:.0f} µs with")  # fmt: skip


def own_alone(units: int) -> tuple[tuple[bool, ...], ...]:
    """Arrows of streams that follow themselves alone."""
    return tuple(tuple(bool(k == j) for j in range(units)) for k in range(units))


def main() -> None:
    """Run the parts that are named, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    usually = {"units": 200, "weeks": 520, "chains": 2, "draws": 250, "tune": 150}
    for name, usual in usually.items():
        parser.add_argument(f"--{name}", type=int, default=usual)
    asked = parser.parse_args()
    parts = asked.parts or PARTS
    if "gradient" in parts:
        gradients()
    series, model = simulated(asked.units, asked.weeks), Panel()
    problem = model.problem(series)
    print(f"{series}: gradient {seconds(lambda: problem.evaluate(problem.starts[0]), 3) * 1e3:.1f}"
          f" ms, {problem.layout.size} parameters", flush=True)  # fmt: skip
    engines = [MaximumLikelihood(), Laplace()] if "laplace" in parts else []
    if "nuts" in parts:
        engines.append(NUTS(draws=asked.draws, tune=asked.tune, chains=asked.chains))
    fits = {}
    for engine in engines:
        start, wall = time.process_time(), time.perf_counter()
        fit = fits[engine.name] = model.fit(series, engine)
        told = {
            name: fit.diagnostics[name]
            for name in ("r_hat", "ess", "ess_of", "divergences", "leapfrogs", "lengthened",
                         "leapfrogs_of_warm_up", "pareto_shape", "converged")
            if name in fit.diagnostics
        }  # fmt: skip
        print(f"{engine.name}: {time.process_time() - start:.1f} s of processor, "
              f"{time.perf_counter() - wall:.0f} s of the wall; {told}", flush=True)  # fmt: skip
    if {Laplace.name, NUTS.name} <= fits.keys():
        effects, layout = model.effects(series), Layout(model.parameters(series))
        a, b = (effects.of(layout, fits[name].theta) for name in (Laplace.name, NUTS.name))
        gap = (a.mean(axis=0) - b.mean(axis=0)) / b.std(axis=0)
        ratio = (a.std(axis=0) / b.std(axis=0)).mean(axis=0)
        for i, one in enumerate(effects.listed):
            print(f"{one.name}: means of units differ by {gap[:, i].mean():+.2f} sd on average, "
                  f"{np.abs(gap[:, i]).max():.2f} at most; sd of Laplace {ratio[i]:.2f} of the "
                  "sampler's")  # fmt: skip
        for p in layout.parameters:
            if "deviation" not in p.name:
                a, b = (fits[name].draws[p.name] for name in (Laplace.name, NUTS.name))
                print(f"{p.name}: Laplace {a.mean(axis=0).round(3)} ± {a.std(axis=0).round(3)}, "
                      f"NUTS {b.mean(axis=0).round(3)} ± {b.std(axis=0).round(3)}")  # fmt: skip


if __name__ == "__main__":
    main()
