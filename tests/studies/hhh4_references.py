"""The measles models of `surveillance`'s vignette: ours beside hhh4's, as a table.

    python tests/studies/hhh4_references.py

Prints log-likelihood, largest difference of a coefficient, largest relative difference of a
standard error, and seconds of a warm fit; then the time of one gradient of each likelihood at 520
weeks and four streams. Wants the folder of reference data beside the repository.
"""

from __future__ import annotations

import sys
import time
from datetime import date
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "counts"))

import test_endemic_epidemic_references as references

from escalation.background import Background
from escalation.counts import Component, EndemicEpidemic
from escalation.engines import MaximumLikelihood
from escalation.series import CountSeries


def measles() -> None:
    """The six models."""
    data = references.measles.__wrapped__()
    series = data[0]
    engine = MaximumLikelihood(draws=20_000, starts=2)
    print("| model | ours | hhh4 | coefficients | standard errors | seconds |")
    print("|---|---|---|---|---|---|")
    for case in references.CASES:
        told = references.MEASLES[case]
        model = references.model(case, data)
        model.fit(series, MaximumLikelihood(draws=1, starts=1))
        begun = time.process_time()
        fit = model.fit(series, engine)
        took = time.process_time() - begun
        ours, draws = references.found(fit.estimate), references.found(fit.draws)
        apart = max(abs(float(ours[n]) - value) for n, value in told["estimate"].items())
        errors = max(
            abs(float(np.std(draws[n])) / value - 1)
            for n, value in told["error"].items()
            if n != "distance"
        )
        print(
            f"| {case} | {fit.log_likelihood:.4f} | {told['log_likelihood']:.4f} "
            f"| {apart:.1e} | {100 * errors:.1f} % | {took:.2f} |"
        )


def gradients() -> None:
    """Time of one gradient, 520 weeks of four streams, twelve lags."""
    rng = np.random.default_rng(0)
    blank = CountSeries.from_counts(np.zeros((520, 4)), date(2010, 1, 4), "week")
    truth = {
        "level": np.log([2.0, 1.0, 0.5, 3.0]),
        "season": np.full((4, 2), 0.2),
        "reproduction": np.eye(4) * 0.3 + 0.08,
        "dispersion": np.full(4, 0.4),
        "decay": np.array(0.7),
    }
    series = EndemicEpidemic().simulate(truth, blank, rng)
    season = Component(1)
    models = {
        "plain": EndemicEpidemic(),
        "own and cross season": EndemicEpidemic(own=season, cross=season),
        "shared shock, Poisson": EndemicEpidemic(
            background=Background(1), distribution="poisson", shared_shock=True
        ),
        "shared shock, negative binomial": EndemicEpidemic(shared_shock=True),
    }
    print("\n| likelihood | µs a gradient |")
    print("|---|---|")
    for name, model in models.items():
        problem = model.problem(series)
        theta = problem.starts[0]
        values, _ = problem.kernels(theta)
        arrays = (theta, values, *problem.data.values(), *problem.structure)
        problem.core(*arrays)
        best = np.inf
        for _ in range(7):
            begun = time.process_time()
            for _ in range(200):
                problem.core(*arrays)
            best = min(best, (time.process_time() - begun) / 200)
        print(f"| {name} | {1e6 * best:.0f} |")


if __name__ == "__main__":
    measles()
    gradients()
