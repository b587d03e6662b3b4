"""Backtest of weekly UCDP counts of Pakistan: models beside baselines, two defaults named before.

``python tests/studies/backtest_pakistan.py choose FILE`` reads UCDP's events of Pakistan up to the
end of 2009 only, and prints the table by which the first default was chosen; the second was chosen
by ``backtest_pakistan_choosing.py``. ``… score FILE`` scores both, the other models and the
baselines from origins every four weeks of 2010–2016; ``backtest_pakistan_tables.py`` prints the
tables of the documentation. Finished forecasts stay in ``--store`` (build/backtest_pakistan unless
given): the same command goes on after an interruption.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package

from backtest_pakistan_pools import Candidate, pooled_over_time

from escalation import read
from escalation.background import Background
from escalation.backtest import Backtest, TimeLeft, run_backtest
from escalation.backtest.store import Store
from escalation.backtest.tasks import Forecaster, Task, known_at, scored
from escalation.baselines import (
    Analogue,
    Climatology,
    Conflictology,
    ExponentialResampling,
    ExponentialSmoothing,
    Persistence,
    SeasonalGLM,
    Zero,
)
from escalation.counts import EndemicEpidemic, Hurdle, Latent, LogLinear, Regimes
from escalation.engines import Laplace
from escalation.ensemble import PastForecasts
from escalation.fit import Estimator
from escalation.forecast import ALL_STREAMS, Forecast
from escalation.kernels import GeometricLags
from escalation.series import CountSeries
from escalation.study import Study
from escalation.window import Window

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "data/pakistan/study.toml"
START, CHOSEN, END = date(2007, 1, 1), date(2010, 1, 4), date(2017, 1, 2)
FIRST = date(2008, 1, 7)
"""The first origin of those on which the first default was chosen."""

HORIZON, BLOCKS = 12, (4, 4, 4)
DRAWS, SEED = 500, 0
FLAT = Background(harmonics=0)

BASELINES: dict[str, Forecaster] = {
    "zero": Zero(),
    "persistence": Persistence(),
    "climatology": Climatology(),
    "conflictology": Conflictology(),
    "conflictology, 12 draws": Conflictology(12, exact=True),
    "weighted resampling": ExponentialResampling(),
    "analogue": Analogue(),
    "seasonal GLM": SeasonalGLM(),
    "exponential smoothing": ExponentialSmoothing(),
}


def candidates() -> dict[str, Forecaster]:
    """The models that might become the default; all settings tried stand here."""
    laplace = Laplace(draws=DRAWS)
    geometric = GeometricLags()
    models = {
        "endemic-epidemic": EndemicEpidemic(background=FLAT),
        "endemic-epidemic, geometric": EndemicEpidemic(background=FLAT, kernel=geometric),
        "endemic-epidemic, season": EndemicEpidemic(),
        "endemic-epidemic, trend": EndemicEpidemic(background=Background(harmonics=0, trend=364.0)),
        "log-linear": LogLinear(background=FLAT),
        "log-linear, season": LogLinear(),
        "hurdle": Hurdle(occurrence=FLAT, size=FLAT),
        "regimes": Regimes(background=FLAT),
        "two regimes": Regimes(phases=("quiet", "escalated"), background=FLAT),
        "latent": Latent(background=FLAT),
    }
    return {name: Estimator(model, laplace) for name, model in models.items()}


POOLS = {
    "pool of five": ("endemic-epidemic", "log-linear", "hurdle", "regimes", "latent"),
    "pool of four": ("endemic-epidemic, geometric", "hurdle", "two regimes", "latent"),
    "pool of three": ("hurdle", "regimes", "latent"),
    "latent and smoothing": ("latent", "exponential smoothing"),
    "five and two baselines": (
        "endemic-epidemic", "log-linear", "hurdle", "regimes", "latent",
        "weighted resampling", "exponential smoothing",
    ),
    "regimes and latent": ("regimes", "latent"),
    "regimes and weighted": ("regimes", "weighted resampling"),
    "latent and weighted": ("latent", "weighted resampling"),
    "regimes, latent, weighted": ("regimes", "latent", "weighted resampling"),
    "regimes, latent, trend, weighted": (
        "regimes", "latent", "endemic-epidemic, trend", "weighted resampling",
    ),
    "regimes, latent, smoothing, weighted": (
        "regimes", "latent", "exponential smoothing", "weighted resampling",
    ),
}  # fmt: skip
"""Equal parts of the draws of several models."""


def weekly(file: Path, end: date) -> CountSeries:
    """The four streams of the study by week; nothing from `end` on is read."""
    study = Study.from_toml(STUDY)
    incidents = read(file, source="ucdp", window=Window(START, end))
    return CountSeries.from_incidents(incidents, study.streams, "week", study.actors)


DEFAULT = "default"
MEMBERS = ("regimes", "latent", "exponential smoothing", "weighted resampling")
"""The first default, chosen on origins to 2009: equal parts of the draws of these."""

SECOND = "second default"
SECOND_POOL = Candidate(("latent", "weighted resampling"), "quantile average")
"""The one that `backtest_pakistan_choosing.py` takes by its rule, on studies that end with 2009."""

SCORED = (
    "endemic-epidemic", "endemic-epidemic, trend", "log-linear", "hurdle", "regimes", "latent",
)  # fmt: skip
"""The models that are scored beside it."""


def every_four_weeks(first: date, last: date) -> list[date]:
    """Mondays four weeks apart."""
    return [first + timedelta(weeks=n) for n in range(0, (last - first).days // 7 + 1, 4)]


def pools(
    asked: argparse.Namespace,
    models: Mapping[str, Forecaster],
    series: CountSeries,
    origins: list[date],
    chosen: Mapping[str, tuple[str, ...]],
) -> list[tuple[str, pl.DataFrame]]:
    """Scores of pools, from the draws of their members that the store keeps."""
    store = Store(asked.store, models, {"": series}, keep_draws=True)
    names = list(models)
    out = []
    for name, members in chosen.items():
        share = DRAWS // len(members)
        for origin in origins:
            tasks = [
                Task(each, names.index(each), origin, HORIZON, SEED, DRAWS, blocks=BLOCKS)
                for each in members
            ]
            try:
                draws = np.concatenate([store.draws(task)[:share] for task in tasks])
            except ValueError:
                continue  # a member failed here
            task = replace(tasks[0], name=name)
            known = known_at(series, task)
            pool = Forecast.after(known.seen, draws, name)
            out.append((name, scored(task, pool, known.observed)))
    return out


def second(
    asked: argparse.Namespace,
    models: Mapping[str, Forecaster],
    series: CountSeries,
    origins: list[date],
) -> pl.DataFrame:
    """Scores of the second default, from the draws of its members that the store keeps.

    Where it learns weights or maps, it does so in the order of time, from 2008 on.
    """
    earlier: list[date] = []
    if SECOND_POOL.stacked is not None or SECOND_POOL.recalibrate:
        earlier = every_four_weeks(FIRST, CHOSEN - timedelta(weeks=HORIZON))
        backtest(models, series, earlier, asked)
    store = Store(asked.store, models, {"": series}, keep_draws=True)
    names = list(models)
    tasks, forecasts, observed = [], [], []
    for day in (*earlier, *origins):
        made = {}
        for name in SECOND_POOL.members:
            task = Task(name, names.index(name), day, HORIZON, SEED, DRAWS, blocks=BLOCKS)
            known = known_at(series, task)
            made[name] = Forecast.after(known.seen, store.draws(task), name)
        tasks.append(replace(task, name=SECOND))
        forecasts.append(made)
        observed.append(known.observed)
    past = PastForecasts(forecasts, observed)
    pool = pooled_over_time(SECOND_POOL, past, np.random.SeedSequence([SEED, len(names)]), DRAWS)
    rows = map(scored, tasks, pool, observed)
    return pl.concat(list(rows)[len(earlier) :])


def pooled(table: pl.DataFrame, baselines: Iterable[str]) -> pl.DataFrame:
    """Mean CRPS over streams, weeks and origins, the worst ratio to a baseline in any block."""
    own = table.filter(pl.col("stream") != ALL_STREAMS, pl.col("crps").is_not_null())
    sums = table.filter(pl.col("stream") == ALL_STREAMS, pl.col("crps").is_not_null())
    keys = [pl.col("crps", "log_score").mean()]
    blocks = [
        own.filter(pl.col("step").is_between(first, first + 3))
        .group_by("model").agg(pl.col("crps").mean().alias(f"crps {first}–{first + 3}"))
        for first in (1, 5, 9)
    ]  # fmt: skip
    out = own.group_by("model", maintain_order=True).agg(*keys, pl.col("capped").mean())
    for block in blocks:
        out = out.join(block, on="model")
    total = sums.group_by("model").agg(pl.col("crps").mean().alias("crps of the sum"))
    best = out.filter(pl.col("model").is_in(list(baselines)))["crps"].min()
    return out.join(total, on="model").with_columns(ratio=pl.col("crps") / best).sort("crps")


def backtest(
    models: Mapping[str, Forecaster], series: CountSeries, origins: list[date], asked
) -> Backtest:
    """Score models from all origins, on the processes asked for."""
    return run_backtest(
        models, series, origins, HORIZON, seed=SEED, draws=DRAWS, blocks=BLOCKS,
        executor=asked.workers or None, store=asked.store, keep_draws=True,
        progress=TimeLeft(60),
    )  # fmt: skip


def choose(asked: argparse.Namespace) -> None:
    """Print the figures by which the default was chosen; nothing after 2009 is read."""
    series = weekly(asked.file, CHOSEN)
    last = CHOSEN - timedelta(weeks=HORIZON)
    origins = every_four_weeks(FIRST, last)
    models = BASELINES | candidates()
    if asked.only:
        models = {name: model for name, model in models.items() if name in asked.only}
    found = backtest(models, series, origins, asked)
    tables = [table for _, table in pools(asked, models, series, origins, POOLS)]
    whole = pl.concat([found.table, *tables]).filter(pl.col("block").is_null())
    print(f"{len(origins)} origins from {origins[0]} to {origins[-1]}, {len(series)} weeks")
    with pl.Config(tbl_rows=60, tbl_cols=20, float_precision=3, tbl_width_chars=200):
        print(pooled(whole, BASELINES))
    for note in found.notes:
        print(note)


def score(asked: argparse.Namespace) -> None:
    """Score the defaults, the models and the baselines on 2010–2016, and keep the scores."""
    series = weekly(asked.file, END)
    origins = every_four_weeks(CHOSEN, END - timedelta(weeks=HORIZON))
    models = BASELINES | {name: model for name, model in candidates().items() if name in SCORED}
    found = backtest(models, series, origins, asked)
    tables = pools(asked, models, series, origins, {DEFAULT: MEMBERS})
    later = [second(asked, models, series, origins)]
    whole = pl.concat([*(table for _, table in tables), *later, found.table, found.sums])
    whole.write_parquet(asked.store / "scored.parquet")
    print(f"{len(origins)} origins from {origins[0]} to {origins[-1]}, {len(series)} weeks")
    for note in found.notes:
        print(note)


def main() -> None:
    """Choose the default, or score it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["choose", "score"])
    parser.add_argument("file", type=Path, help="UCDP's events of Pakistan, as a CSV file")
    parser.add_argument("--store", type=Path, default=ROOT / "build/backtest_pakistan")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--only", nargs="*", help="names of models")
    asked = parser.parse_args()
    {"choose": choose, "score": score}[asked.what](asked)


if __name__ == "__main__":
    main()
