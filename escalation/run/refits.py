"""The backtest of a study: its model beside baselines, from one origin after another."""

import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from datetime import date
from multiprocessing import get_context
from pathlib import Path

import numpy as np

from escalation.backtest import Backtest, run_backtest
from escalation.backtest.tasks import Forecaster
from escalation.baselines import Climatology, Conflictology, Persistence, SeasonalGLM
from escalation.fit import Estimator, Fit
from escalation.run.tasks import Tell, generator, sequence, silent
from escalation.series import CountSeries
from escalation.study import Study

WORTH_WORKERS = 30.0
"""Seconds of backtest above which worker processes pay for their start."""


def track_record(
    study: Study,
    series: CountSeries,
    progress: Tell | None = None,
    store: Path | None = None,
    executor: Executor | None = None,
) -> Backtest:
    """Backtest the study's model, refitted by the quick engine, beside four baselines.

    Origins lie every ``backtest.every`` periods from ``backtest.start`` on, the last one a whole
    horizon before the end.
    """
    tell = progress or silent
    models: dict[str, Forecaster] = {
        study.specification.family: Estimator(study.model(), study.quick_engine()),
        "climatology": Climatology(),
        "persistence": Persistence(),
        "conflictology": Conflictology(),
        "seasonal GLM": SeasonalGLM(),
    }
    dates = origins(study, series)
    if executor is not None and not pays(study, series, len(dates)):
        executor = None
    return run_backtest(
        models,
        series,
        dates,
        study.backtest.horizon,
        seed=int(sequence(study, "backtest").generate_state(1)[0]),
        draws=study.backtest.draws,
        executor=executor,
        store=store,
        progress=lambda _, done, total: tell("Backtest", done, total),
    )


def origins(study: Study, series: CountSeries) -> list[date]:
    """Dates of the backtest's forecasts; each period up to the origin is known, none after it."""
    first = int(np.searchsorted(series.edges, np.datetime64(study.backtest_start, "D")))
    last = len(series) - study.backtest.horizon
    found = [series.edges[at].item() for at in range(first, last + 1, study.backtest.every)]
    if not found:
        raise ValueError(
            f"no whole horizon of {study.backtest.horizon} {series.period}s lies between "
            f"backtest.start ({study.backtest_start}) and the end ({series.window.end})"
        )
    return found


def refit(study: Study, series: CountSeries) -> Fit:
    """Fit the study's model to a part of the series, by the quick engine."""
    return study.model().fit(series, study.quick_engine(), generator(study, "last"))


def pays(study: Study, series: CountSeries, n_origins: int) -> bool:
    """Whether the refits take so long that worker processes pay for their start."""
    started = time.perf_counter()
    refit(study, series)
    return (time.perf_counter() - started) * n_origins > WORTH_WORKERS


@contextmanager
def workers() -> Iterator[Executor]:
    """Give worker processes, started when first used: by spawn, one thread each."""
    # They inherit the environment. Fork would hang after polars has run.
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
        os.environ.setdefault(name, "1")
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    with ProcessPoolExecutor(usable, mp_context=get_context("spawn")) as executor:
        yield executor
