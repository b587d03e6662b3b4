"""Gradients of latent and hurdle models beside that of the endemic-epidemic model.

``python tests/benchmarks/bench_gradients.py`` prints processor time in units of an endemic-epidemic
gradient (520 weeks, four streams, twelve lags), measured in turn in the same run.
"""

import time
from collections.abc import Callable
from datetime import date

import numpy as np

from escalation.counts import (
    Autoregression,
    EndemicEpidemic,
    GaussianProcess,
    Hurdle,
    Latent,
    RandomWalk,
)
from escalation.fit import Model
from escalation.series import CountSeries

ROUNDS, CALLS = 25, 60
PATHS = {
    "random walk, 4 weeks a move": RandomWalk(),
    "random walk, 1 week a move": RandomWalk(7.0),
    "autoregression, 4 weeks a move": Autoregression(),
    "autoregression, 1 week a move": Autoregression(7.0),
    "Gaussian process": GaussianProcess(),
}


def gradient(model: Model, series: CountSeries) -> Callable[[], object]:
    """The compiled likelihood of a model at its first start."""
    problem = model.problem(series)
    theta = problem.starts[0]
    given = (theta, problem.kernels(theta)[0], *problem.data.values(), *problem.structure)
    problem.core(*given)
    return lambda: problem.core(*given)


def ratios(models: dict[str, Model], series: CountSeries) -> dict[str, float]:
    """Median over rounds of each model's time over that of the endemic-epidemic model."""
    calls = {name: gradient(model, series) for name, model in models.items()}
    base = gradient(EndemicEpidemic(), series)
    rows = []
    for _ in range(ROUNDS):
        row = []
        for call in (base, *calls.values()):
            start = time.process_time()
            for _ in range(CALLS):
                call()
            row.append(time.process_time() - start)
        rows.append(np.array(row[1:]) / row[0])
    return dict(zip(calls, np.median(rows, axis=0).tolist(), strict=True))


def main() -> None:
    """Print the tables."""
    rng = np.random.default_rng(0)
    for rate in (0.3, 0.7, 2.0, 8.0):
        counts = rng.poisson(rate * rng.gamma(1.0, 1.0, (520, 4)))
        series = CountSeries.from_counts(counts, date(2010, 1, 4), "week")
        hurdles: dict[str, Model] = {
            f"hurdle, {law}": Hurdle(distribution=law) for law in ("poisson", "negative binomial")
        }
        print(f"{(counts > 0).mean():.0%} of the periods not empty", ratios(hurdles, series))
    series = CountSeries.from_counts(rng.poisson(2.0, (520, 4)), date(2010, 1, 4), "week")
    latent: dict[str, Model] = {}
    for name, path in PATHS.items():
        latent[name] = Latent(path)
        latent[f"{name}, contagion"] = Latent(path, contagion=True)
    for name, ratio in ratios(latent, series).items():
        print(f"{name}: {ratio:.2f}")


if __name__ == "__main__":
    main()
