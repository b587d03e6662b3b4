"""Processor seconds of the scores of 12,000 cells: ``python tests/benchmarks/bench_scores.py``."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from escalation import scores


def main() -> None:
    """Score, print."""
    rng = np.random.default_rng(0)
    draws = rng.negative_binomial(1, 0.1, (1000, 24, 500)).astype(float)
    observed = rng.negative_binomial(1, 0.1, (24, 500)).astype(float)
    vectors, came = np.moveaxis(draws[:, :, :50], 1, -1), observed[:, :50].T

    def plain() -> object:
        x = np.sort(draws, axis=0)
        weights = (2.0 * np.arange(1, 1001) - 1001) / 1000**2
        return np.abs(x - observed).mean(axis=0) - np.tensordot(weights, x, axes=1)

    tasks: dict[str, Callable[[], object]] = {
        "CRPS": lambda: scores.crps_draws(draws, observed),
        "CRPS, all draws sorted at once": plain,
        "log score": lambda: scores.log_score_draws(draws, observed),
        "weighted interval score": lambda: scores.weighted_interval_score_draws(draws, observed),
        "ignorance": lambda: scores.ignorance(draws, observed),
        "PIT": lambda: scores.pit_bounds(draws, observed),
        "Dawid-Sebastiani": lambda: scores.dawid_sebastiani_draws(draws, observed),
        "calibration test": lambda: scores.calibration_test_draws(draws, observed),
        "energy score, 50 vectors of 24": lambda: scores.energy_score(vectors, came),
        "the same, 10 pairs": lambda: scores.energy_score(vectors, came, pairs=10),
    }
    for name, task in tasks.items():
        start = time.process_time()
        task()
        print(f"{name:32s} {time.process_time() - start:6.2f} s")


if __name__ == "__main__":
    main()
