"""Recalibration of forecasters with a known fault: the table of docs/ensembles.md.

``python tests/studies/recalibration.py [--sets 20]``: counts about a level that changes, forecast
with a spread that is wrong by a factor; learned from some cases, judged on 300 others.
"""

from __future__ import annotations

import argparse

import numpy as np

from escalation.ensemble import Recalibration, pit_log_odds
from escalation.scores import crps_draws, pit_bounds, pit_share
from escalation.window import FloatArray

FAULTS = {"too narrow (spread × 0.4)": 0.4, "none": 1.0, "too wide (spread × 2.5)": 2.5}


def cases(rng: np.random.Generator, n: int, spread: float) -> tuple[FloatArray, FloatArray]:
    """Draws (1000, n) and what came (n,)."""
    level = rng.uniform(60, 140, n)
    observed = np.rint(rng.normal(level, 12.0)).clip(0)
    return np.rint(level + spread * rng.normal(0, 12.0, (1000, n))).clip(0), observed


def main() -> None:
    """Learn, judge, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=20)
    given = parser.parse_args()
    print(
        "| fault | cases | 90 % before | after | CRPS before | after |\n|---|---|---|---|---|---|"
    )
    for fault, spread in FAULTS.items():
        for n in (50, 200, 1000):
            rows = []
            for seed in range(given.sets):
                rng = np.random.default_rng(seed)
                learned = Recalibration.learn(*pit_log_odds(*cases(rng, n, spread)))
                draws, observed = cases(rng, 300, spread)
                both = draws, learned.apply(draws, rng)
                shares = [pit_share(*pit_bounds(x, observed), 0.9).mean() for x in both]
                rows.append([*shares, *(crps_draws(x, observed).mean() for x in both)])
            a, b, c, d = np.mean(rows, axis=0)
            print(f"| {fault} | {n} | {a:.1%} | {b:.1%} | {c:.2f} | {d:.2f} |")


if __name__ == "__main__":
    main()
