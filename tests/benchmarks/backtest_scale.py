"""A backtest of 2,000 units from 24 origins, on processes and on Dask: the same bits, how fast.

``python tests/benchmarks/backtest_scale.py [--units 2000] [--origins 24] [--workers 1 2]
[--dask 2] [--own-history]`` simulates monthly counts of so many units, scores an ensemble of three
baselines (or the own-history default, `Ensemble.default()`) twelve months ahead, and prints the
throughput of each way, the seconds of processor time a unit and origin, and what a global grid
would cost by them.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import time
from contextlib import ExitStack
from datetime import date

import numpy as np
import polars as pl

from escalation.backtest import Backtest, cluster, run_backtest
from escalation.baselines import Conflictology, ExponentialResampling, Persistence
from escalation.ensemble import Ensemble
from escalation.series import CountSeries

MONTHS, HORIZON, DRAWS, GRID = 144, 12, 200, 65_000
CHUNK = 50  # units in a series; of the own-history models, which pool them, 200


def units(number: int, chunk: int) -> dict[str, CountSeries]:
    """Counts of units that are quiet, busy, or busy at times, in series of so many."""
    rng = np.random.default_rng(0)
    level = rng.normal(-2, 1.5, number) + np.cumsum(rng.normal(0, 0.2, (MONTHS, number)), axis=0)
    counts = rng.poisson(np.exp(np.clip(level, None, 6)))
    return {
        f"units {first}": CountSeries.from_counts(
            counts[:, first : first + chunk], date(2010, 1, 1), "month",
            names=tuple(f"unit {at}" for at in range(first, min(first + chunk, number))),
        )
        for first in range(0, number, chunk)
    }  # fmt: skip


def models(own_history: bool) -> dict[str, Ensemble]:
    """One ensemble."""
    if own_history:
        return {"default": Ensemble.default()}
    members = {
        "conflictology": Conflictology(12),
        "weighted resampling": ExponentialResampling(6.0),
        "persistence": Persistence(3),
    }
    return {"ensemble": Ensemble(members)}


def digest(found: Backtest) -> str:
    """What tells one result from another, to the last bit."""
    made = hashlib.sha256()
    for column in found.table.select(pl.selectors.numeric()):
        made.update(column.fill_null(-1.0).cast(pl.Float64).to_numpy().tobytes())
    return made.hexdigest()[:16]


def processor() -> float:
    """Seconds of processor time of this process and its finished children."""
    own, below = (
        resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    )
    return own.ru_utime + own.ru_stime + below.ru_utime + below.ru_stime


def main() -> None:
    """Run each way, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--units", type=int, default=2000)
    parser.add_argument("--origins", type=int, default=24)
    parser.add_argument("--workers", type=int, nargs="*", default=[0, 1, 2])
    parser.add_argument("--dask", type=int, nargs="*", default=[2])
    parser.add_argument("--own-history", action="store_true")
    asked = parser.parse_args()
    series = units(asked.units, 200 if asked.own_history else CHUNK)
    first = next(iter(series.values())).edges
    origins = [first[MONTHS - HORIZON - at].item() for at in range(asked.origins)]
    forecasts = asked.units * asked.origins
    print(f"{asked.units:,} units x {asked.origins} origins, {DRAWS} draws of {HORIZON} months")
    print("| way | workers | wall s | processor s | forecasts of a unit a second | digest |")
    print("|---|---|---|---|---|---|")
    ways = [("processes" if n else "this process", n) for n in asked.workers]
    spent = []
    for way, number in [*ways, *(("Dask", n) for n in asked.dask)]:
        before, started = processor(), time.perf_counter()
        with ExitStack() as stack:
            executor: object = number or None
            if way == "Dask":
                from distributed import LocalCluster

                local = stack.enter_context(
                    LocalCluster(n_workers=number, threads_per_worker=1, dashboard_address=None)
                )
                executor = stack.enter_context(cluster(local.scheduler_address))
            found = run_backtest(
                models(asked.own_history),
                series,
                origins,
                HORIZON,
                seed=1,
                draws=DRAWS,
                executor=executor,
            )
        wall, busy = time.perf_counter() - started, processor() - before
        spent.append(busy / forecasts)
        print(
            f"| {way} | {number or 1} | {wall:.1f} | {busy:.1f} | {forecasts / wall:,.0f} "
            f"| `{digest(found)}` |",
            flush=True,
        )
    best = min(spent)
    print(f"{1000 * best:.2f} ms of a processor a unit and origin; a grid of {GRID:,} cells: "
          f"{GRID * best / 60:.1f} processor minutes an origin, "
          f"{GRID * asked.origins * best / 3600:.1f} hours for {asked.origins}")  # fmt: skip


if __name__ == "__main__":
    main()
