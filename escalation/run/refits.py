"""The backtest of a study: its model beside baselines, from one origin after another."""

import os
import time
from concurrent.futures import Executor
from contextlib import AbstractContextManager
from datetime import date
from pathlib import Path

import numpy as np

from escalation.backtest import Backtest, processes, run_backtest
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
        by_default = "" if study.backtest.start else ", two thirds of the window unless given"
        raise ValueError(
            f"no whole horizon of {study.backtest.horizon} {series.period}s lies between "
            f"backtest.start ({study.backtest_start}{by_default}) and the end "
            f"({series.window.end}): an earlier start or a shorter backtest.horizon would leave one"
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


def workers() -> AbstractContextManager[Executor]:
    """Worker processes, as many as there are processors to use, started when first used."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return processes(usable or 1)
