"""Recovery of signed count models: bias and coverage of every parameter.

``python tests/studies/log_linear_recovery.py --sets 200 --engine ml --out build/recovery`` makes
series, seeds 0, 1, 2, ..., from known parameters, fits the model that made them by maximum
likelihood (or ``laplace``, ``nuts``), and prints mean estimate, bias in standard deviations of the
estimate, and the share of 90 % intervals that hold the truth. A file a model keeps what was fitted,
so that the study goes on where it stopped. Fits that warn are counted and kept.
"""

import argparse
import json
import os
import sys
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices gain nothing from threads

import numpy as np

from escalation.counts import Ingarch, LogLinear
from escalation.counts.model import CountModel
from escalation.engines import NUTS, Engine, Laplace, MaximumLikelihood
from escalation.kernels import Exponential
from escalation.parameters import FloatArray, Layout
from escalation.series import CountSeries

WEEKS = 520
ENGINES: dict[str, Engine] = {
    "ml": MaximumLikelihood(),
    "laplace": Laplace(),
    "nuts": NUTS(draws=500, chains=2),
}
SIGNED = {
    "level": np.array([0.3, 0.7]),
    "season": np.array([[0.3, 0.1], [0.0, -0.2]]),
    "influence": np.array([[0.35, 0.1], [-0.25, 0.3]]),
    "dispersion": np.array([0.2, 0.3]),
}
CASES: dict[str, tuple[CountModel, Mapping[str, FloatArray]]] = {
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


def fitted(
    model: CountModel, truth: Mapping[str, FloatArray], seed: int, engine: Engine
) -> dict[str, Any]:
    """Estimates, ends of the 90 % intervals and warnings of one set."""
    like = CountSeries.from_counts(
        np.zeros((WEEKS, 2)), date(2014, 1, 6), "week", ["strikes", "attacks"]
    )
    fit = model.fit(model.simulate(truth, like, np.random.default_rng(seed)), engine)
    told, table = fit.diagnostics, fit.summary()
    warned = not told.get("converged", True) or told.get("r_hat", 1.0) > 1.01
    return {
        **{name: table[name].to_list() for name in ("estimate", "lower", "upper")},
        "warned": bool(warned or told.get("divergences", 0)),
        "intervals": told.get("intervals", engine.name),
    }


def study(case: str, sets: int, engine: str, folder: Path | None) -> list[dict[str, Any]]:
    """The sets of one case; those in the folder's file are not fitted again."""
    model, truth = CASES[case]
    file = None if folder is None else folder / f"{case}, {engine}.jsonl".replace(" ", "_")
    found = []
    if file is not None and file.exists():
        found = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for seed in range(len(found), sets):
        found.append(fitted(model, truth, seed, ENGINES[engine]))
        if file is not None:
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(found[-1]) + "\n")
    return found[:sets]


def table(case: str, found: list[dict[str, Any]], engine: str) -> None:
    """Print a row a parameter."""
    model, truth = CASES[case]
    like = CountSeries.from_counts(np.zeros((WEEKS, 2)), date(2014, 1, 6), "week")
    layout = Layout(model.parameters(like))
    wanted = layout.pack(truth)[layout.free]
    estimate, lower, upper = (
        np.array([one[name] for one in found]) for name in ("estimate", "lower", "upper")
    )
    held = ((lower <= wanted) & (wanted <= upper)).mean(axis=0)
    bias = (estimate.mean(axis=0) - wanted) / estimate.std(axis=0)
    warned = sum(one["warned"] for one in found)
    laws = sorted({one["intervals"] for one in found})
    print(f"\n{case}: {len(found)} sets of {WEEKS} weeks, {engine}, {warned} warned")
    for law in laws:
        print(f"  {sum(one['intervals'] == law for one in found)} by {law}")
    print("| parameter | truth | mean estimate | bias (sd) | 90 % intervals that hold it |")
    print("|---|---|---|---|---|")
    for i, label in enumerate(layout.labels):
        mean = estimate[:, i].mean()
        print(f"| {label} | {wanted[i]:.2f} | {mean:.3f} | {bias[i]:+.2f} | {held[i]:.3f} |")
    print(f"all parameters: {held.mean():.3f}", flush=True)


def main() -> None:
    """Print a table a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--engine", choices=ENGINES, default="ml")
    parser.add_argument("--case", choices=CASES)
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
    for case in CASES if asked.case is None else (asked.case,):
        table(case, study(case, asked.sets, asked.engine, asked.out), asked.engine)


if __name__ == "__main__":
    sys.exit(main())
