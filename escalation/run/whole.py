"""Run a study, from incidents to results, and keep what was found in a cache."""

import shutil
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from escalation.checks import Finding, Findings, check, identified
from escalation.incidents import Incidents
from escalation.results import Results, RunInfo
from escalation.run.alternatives import backgrounds
from escalation.run.cache import cache_key, run_info
from escalation.run.refits import refit, track_record
from escalation.run.simulation import truth
from escalation.run.tasks import Tell, generator, silent, told
from escalation.series import CountSeries
from escalation.sources import read
from escalation.study import Study


def run(
    study: Study,
    *,
    incidents_path: str | Path | None = None,
    cache: str | Path | None = None,
    progress: Tell | None = None,
    strict: bool = False,
    executor: Executor | None = None,
) -> Results:
    """Run a study: read, fit, ask again under other backgrounds, forecast, backtest, check.

    Parameters
    ----------
    study : Study
    incidents_path : path, optional
        Another file of incidents than the study names.
    cache : path, optional
        Folder of saved results, see `default_cache`; without one everything is fitted anew. The
        key is the incidents file, the study, the version and the package's own source.
    progress : callable, optional
        Called with (label, done, total) as the work goes on.
    strict : bool
        Whether the first bad row of the incidents is an error.
    executor : concurrent.futures.Executor, optional
        Where the backtest's refits are made if they take long; its processes start by `spawn`.

    Raises
    ------
    DataError
        If the incidents cannot be read.
    ValueError
        If the incidents are too few, or too short a series, for the study.
    """
    tell = progress or silent
    path = Path(incidents_path) if incidents_path is not None else study.incidents_path
    incidents = read(
        path, study.window, source=study.data.source, columns=study.data.columns or None,
        strict=strict,
    )  # fmt: skip
    info = run_info(study, incidents.provenance.sha256, incidents_path)
    saved = Path(cache) / f"{cache_key(info)}.zip" if cache is not None else None
    if saved is not None and saved.is_file():
        try:
            found = Results.load(saved)
        except ValueError:
            saved.unlink()  # written by a version that broke off, or damaged
        else:
            return replace(found, study=study, incidents=incidents, run=info)
    series = CountSeries.from_incidents(
        incidents, study.streams, study.specification.period, study.actors
    )
    store = saved.with_suffix(".backtest") if saved is not None else None
    results = _found(study, incidents, series, info, tell, store, executor)
    if saved is not None and store is not None:
        results.save(saved)
        shutil.rmtree(store)
    return results


def _found(
    study: Study,
    incidents: Incidents,
    series: CountSeries,
    info: RunInfo,
    tell: Tell,
    store: Path | None,
    executor: Executor | None,
) -> Results:
    horizon = study.forecast.horizon
    if len(series) <= horizon + study.specification.lags:
        raise ValueError(
            f"{len(series)} {series.period}s are too few for a horizon of {horizon} and "
            f"{study.specification.lags} lags"
        )
    fit = told(tell, f"Fit ({study.specification.engine})", lambda: study.model().fit(
        series, engine=study.engine(), rng=generator(study, "fit")
    ))  # fmt: skip
    dynamics = fit.dynamics()
    alternatives = backgrounds(study, series, dynamics, tell)
    forecast = told(tell, "Forecast", lambda: fit.forecast(
        horizon, generator(study, "forecast"), draws=study.forecast.draws
    ))  # fmt: skip
    origin = series.edges[len(series) - horizon].item()
    past, came = series.split(origin)
    last_forecast = told(tell, "Last forecast", lambda: refit(study, past).forecast(
        horizon, generator(study, "last"), draws=study.forecast.draws
    ))  # fmt: skip
    backtest = track_record(study, series, tell, store, executor)
    findings = told(
        tell,
        "Checks",
        lambda: check(
            fit,
            generator(study, "checks"),
            incidents=incidents,
            alternatives=alternatives,
            backtest=backtest,
        ),
    )
    return Results(
        study=study,
        incidents=incidents,
        series=series,
        fit=fit,
        dynamics=dynamics,
        alternatives=alternatives,
        identified=identified(dynamics, alternatives),
        forecast=forecast,
        last_forecast=last_forecast,
        last_observed=came.counts,
        backtest=backtest,
        findings=Findings((*findings.items, named(study, incidents))),
        truth=truth(study),
        run=info,
    )


def named(study: Study, incidents: Incidents) -> Finding:
    """Whether each name that a stream selects by occurs in the incidents at all."""
    missing = [
        f"{name!r} of stream {stream.name!r}" + (f" (the nearest is {near!r})" if near else "")
        for stream in study.streams
        for name, near in stream.unmatched(incidents, study.actors).items()
    ]
    if missing:
        text = f"No incident in the window names {', '.join(missing)}: is it misspelt?"
        return Finding("Names", "warned", text)
    return Finding("Names", "passed", "Each name that a stream asks for occurs in the incidents.")
