"""Recovery of signed count models: bias and coverage of every parameter.

``python tests/studies/log_linear_recovery.py [SETS] [ENGINE]`` simulates SETS series (200 unless
given), seeds 0, 1, 2, ..., from known parameters, fits the model that made them by maximum
likelihood (or ``laplace``, ``nuts``), and prints mean estimate, bias in standard deviations of the
estimate, and the share of 90 % intervals that hold the truth. Fits that say that they did not
converge are counted and kept.
"""

import sys
import time
from collections.abc import Mapping
from datetime import date

import numpy as np

from escalation.counts import Ingarch, LogLinear
from escalation.engines import NUTS, Engine, Laplace, MaximumLikelihood
from escalation.fit import Model
from escalation.kernels import Exponential
from escalation.parameters import FloatArray, Layout
from escalation.series import CountSeries

WEEKS = 520
ENGINES: dict[str, Engine] = {
    "ml": MaximumLikelihood(),
    "laplace": Laplace(),
    "nuts": NUTS(draws=500, tune=500, chains=2),
}
SIGNED = {
    "level": np.array([0.3, 0.7]),
    "season": np.array([[0.3, 0.1], [0.0, -0.2]]),
    "influence": np.array([[0.35, 0.1], [-0.25, 0.3]]),
    "dispersion": np.array([0.2, 0.3]),
}
CASES: dict[str, tuple[Model, Mapping[str, FloatArray]]] = {
    "log-linear, one lag": (LogLinear(lags=1), SIGNED),
    "log-linear, exponential lags": (
        LogLinear(kernel=Exponential()),
        SIGNED | {"decay": np.array(0.7)},
    ),
    "log-linear, feedback": (
        LogLinear(lags=1, feedback=True),
        SIGNED | {"feedback": np.array([0.5, 0.4])},
    ),
    "INGARCH(1,1), two streams": (
        Ingarch(),
        {
            "level": np.array([0.0, -0.2]),
            "past_obs": np.array([[[0.3, 0.1], [0.2, 0.25]]]),
            "past_mean": np.array([[0.3, 0.3]]),
            "dispersion": np.array([0.2, 0.3]),
        },
    ),
}


def study(sets: int, engine: Engine) -> None:
    """Print a table a case."""
    counts = np.zeros((WEEKS, 2))
    like = CountSeries.from_counts(counts, date(2014, 1, 6), "week", ["strikes", "attacks"])
    for name, (model, truth) in CASES.items():
        began = time.perf_counter()
        layout = Layout(model.parameters(like))
        wanted = layout.pack(truth)[layout.free]
        estimates, held, doubtful = [], [], 0
        for seed in range(sets):
            series = model.simulate(truth, like, np.random.default_rng(seed))  # type: ignore[attr-defined]
            fit = model.fit(series, engine)
            table = fit.summary()
            estimates.append(table["estimate"].to_numpy())
            lower, upper = table["lower"].to_numpy(), table["upper"].to_numpy()
            held.append((lower <= wanted) & (wanted <= upper))
            doubtful += not fit.diagnostics.get("converged", fit.diagnostics.get("r_hat", 1) < 1.01)
        found = np.array(estimates)
        bias = (found.mean(axis=0) - wanted) / found.std(axis=0)
        print(f"\n{name}: {sets} sets of {WEEKS} weeks, {engine.name}, {doubtful} not converged "
              f"({time.perf_counter() - began:.0f} s)")  # fmt: skip
        print("| parameter | truth | mean estimate | bias (sd) | 90 % intervals that hold it |")
        print("|---|---|---|---|---|")
        for i, label in enumerate(layout.labels):
            print(f"| {label} | {wanted[i]:.2f} | {found[:, i].mean():.3f} | {bias[i]:+.2f} | "
                  f"{np.mean([one[i] for one in held]):.2f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    number = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    study(number, ENGINES[sys.argv[2] if len(sys.argv) > 2 else "ml"])
