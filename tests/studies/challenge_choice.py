"""Which rule for the public task: candidates on the windows 2003-2017, leaving out one at a time.

    python tests/studies/challenge_choice.py TABLE.csv[.gz] RESULTS.jsonl [--windows 2003 ... 2017]

Each window is scored once for every candidate and kept in RESULTS, so that an interrupted run goes
on. For each window the candidate is then chosen on all others (lowest sum of the logarithms of the
three ratios to published conflictology), and its ratios in the window left out are what is shown;
behind the three with all cells stand those without the two largest of each window.
"""

import argparse
import json
import os
import sys
from collections.abc import Collection, Mapping
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import numpy as np
from challenge import BENCHMARKS, DRAWS, Table, read, score_window, without

from escalation.own_history import (
    History,
    OwnHistoryPool,
    PooledAnalogues,
    SmoothedResampling,
    SmoothHurdle,
)
from escalation.series import CountSeries

# Weights of hurdle, analogues, resampling; spread; noise, bounds and half-life of the resampling.
COMMON = (1.0, (0.5, 0.5), 2.5)
OWN = (0.6, (0.2, 0.8), 2.0)
RULES = (
    ((1, 0, 0), 1.0, COMMON),
    ((0, 1, 0), 1.0, COMMON),
    ((0, 0, 1), 1.0, COMMON),
    ((0, 0, 1), 1.0, OWN),
    ((1, 2, 1), 0.9, COMMON),
    ((1, 2, 1), 0.9, (1.0, (0.5, 0.5), 2.0)),
    ((1, 2, 1), 0.9, (0.6, (0.2, 0.8), 2.5)),
    ((1, 2, 1), 0.9, OWN),
    ((1, 2, 1), 0.9, (0.5, (0.2, 0.8), 2.0)),
    ((1, 2, 1), 0.9, (0.7, (0.2, 1.0), 2.0)),
    ((1, 2, 1), 0.95, OWN),
    ((1, 2, 1), 0.85, OWN),
    ((1, 1, 1), 0.9, OWN),
    ((1, 2, 2), 0.9, OWN),
)


class Kept:
    """A candidate whose members' draws are made once a window."""

    def __init__(self, pool: OwnHistoryPool, memo: dict) -> None:
        self.pool, self.memo = pool, memo

    def fit(self, series: CountSeries) -> "Kept":
        self.series = series
        return self

    def forecast(self, horizon: int, rng: np.random.Generator, draws: int) -> "Kept":
        members = tuple(Member(m, self.memo) for m in self.pool.members)
        pool = OwnHistoryPool(members, self.pool.weights, self.pool.spread)
        history = self.memo.setdefault("history", History.of(self.series))
        self.draws = pool.draws(history, pool.learn(history), horizon, draws)
        return self


class Member:
    """A member whose even draws are taken from 1,000 made before."""

    def __init__(self, model: object, memo: dict) -> None:
        self.model, self.memo = model, memo

    def learn(self, history: History) -> dict:
        return {}

    def draws(self, history: History, learned: dict, horizon: int, n: int) -> np.ndarray:
        if repr(self.model) not in self.memo:
            found = self.model.draws(history, self.model.learn(history), horizon, DRAWS)
            self.memo[repr(self.model)] = np.sort(found, axis=0)
        return self.memo[repr(self.model)][((np.arange(n) + 0.5) / n * DRAWS).astype(int)]


def candidates() -> dict[str, OwnHistoryPool]:
    """All rules by their weights (hurdle : analogues : resampling), spread and resampling."""
    found = {}
    for weights, spread, (noise, bounds, half_life) in RULES:
        resampling = SmoothedResampling(half_life, noise=noise, bounds=bounds)
        members = (SmoothHurdle(), PooledAnalogues(), resampling)
        name = f"{':'.join(map(str, weights))} spread {spread:g}, noise {noise:g} of own jump"
        name += f" within {bounds[0]:g}-{bounds[1]:g}, half-life {half_life:g}"
        found[name] = OwnHistoryPool(members, tuple(map(float, weights)), spread)
    return found


def window_ratios(table: Table, window: int, have: Collection[str]) -> dict[str, list[float]]:
    """Ratios of every candidate not scored before: all cells, without the two largest."""
    memo: dict = {}
    models = {name: Kept(pool, memo) for name, pool in candidates().items() if name not in have}
    cells, told = score_window(table, window, models)
    less = {name: without(parts, told["largest"]) for name, parts in cells.items()}
    return {
        name: np.concatenate([mean_ratios(some, name) for some in (cells, less)]).round(6).tolist()
        for name in models
    }


def mean_ratios(cells: Mapping[str, np.ndarray], name: str) -> np.ndarray:
    """Ratios of the three mean scores to those of published conflictology."""
    ours, theirs = (np.nanmean(cells[n], axis=(1, 2)) for n in (name, BENCHMARKS[0]))
    return np.asarray(ours / theirs)


def main() -> None:
    """Score what is missing, then choose and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("results", type=Path)
    parser.add_argument("--windows", type=int, nargs="+", default=list(range(2003, 2018)))
    options = parser.parse_args()
    kept: dict[int, dict] = {}
    if options.results.exists():
        for line in options.results.read_text().splitlines():
            for window, ratios in json.loads(line).items():
                kept.setdefault(int(window), {}).update(ratios)
    table = read(options.table)
    for window in options.windows:
        if candidates().keys() - kept.get(window, {}).keys():
            found = window_ratios(table, window, kept.get(window, {}))
            kept.setdefault(window, {}).update(found)
            with options.results.open("a") as file:
                file.write(json.dumps({window: found}) + "\n")
            print(f"window {window} scored", file=sys.stderr, flush=True)
    names = list(candidates())
    logs = np.log([[kept[w][n] for n in names] for w in options.windows])
    for place in np.argsort(logs[..., :3].mean(axis=0).sum(axis=1)):
        print(f"{names[place]:75}", *np.exp(logs[:, place].mean(axis=0)).round(4))
    left_out = []
    for row, window in enumerate(options.windows):
        others = np.delete(logs[..., :3], row, axis=0).mean(axis=0).sum(axis=1)
        best = int(np.argmin(others))
        left_out.append(logs[row, best])
        print(window, np.exp(logs[row, best]).round(3), names[best])
    print("leave one window out:", *np.exp(np.mean(left_out, axis=0)).round(4), len(names), "rules")


if __name__ == "__main__":
    main()
