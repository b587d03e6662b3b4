"""Run a study, from incidents to results, and keep what was found in a cache."""

import shutil
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import replace
from pathlib import Path

from escalation.checks import (
    STATUSES,
    Finding,
    Findings,
    check,
    convergence,
    deaths_findings,
    identified,
    late_findings,
)
from escalation.fit import Fit
from escalation.incidents import Incidents
from escalation.results import NowcastResults, Results, RunInfo
from escalation.run.alternatives import backgrounds
from escalation.run.cache import cache_key, run_info
from escalation.run.coded import codes_finding
from escalation.run.deaths import death_records, deaths
from escalation.run.late import closed, headline, last_periods
from escalation.run.reading import cleaned, cleaning_finding, outline_files
from escalation.run.refits import origins, refit, track_record
from escalation.run.reports import report_files, reported
from escalation.run.simulation import truth
from escalation.run.tasks import Tell, generator, silent, told
from escalation.series import CountSeries
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

    Where the study asks for it, with the deaths to come, and with what is not reported yet.

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
        Whether the first bad row of the incidents is an error, or of what the nowcast reads.
    executor : concurrent.futures.Executor, optional
        Where the backtest's refits are made if they take long; its processes start by `spawn`.

    Raises
    ------
    DataError
        If the incidents cannot be read.
    ValueError
        If the incidents are too few, or too short a series, for the study; or have no deaths
        where the study asks for them.
    """
    tell = progress or silent
    path = Path(incidents_path) if incidents_path is not None else study.incidents_path
    raw = study.read(path, strict=strict)
    done = cleaned(study, raw)
    incidents = done.incidents
    info = run_info(study, incidents.provenance.sha256, incidents_path)
    info = replace(info, files=report_files(study) | outline_files(study))
    saved = Path(cache) / f"{cache_key(info)}.zip" if cache is not None else None
    series = CountSeries.from_incidents(
        incidents, study.streams, study.specification.period, study.actors
    )
    section, late = study.nowcast, None
    if strict and section is not None:  # before results are taken that were saved unstrictly
        late = reported(study, section, incidents, path, series, strict)
    if saved is not None and saved.is_file():
        try:
            found = Results.load(saved)
        except ValueError:
            saved.unlink()  # written by a version that broke off, or damaged
        else:
            return replace(found, study=study, incidents=incidents, run=info)
    store = saved.with_suffix(".backtest") if saved is not None else None
    if study.severity is not None:
        death_records(study, study.severity, incidents)  # before the long work, not after it
    nowcast = None
    if section is not None:
        triangle, origin = late or reported(study, section, incidents, path, series, strict)
        nowcast = told(
            tell, "Nowcast", lambda: last_periods(study, section, triangle, origin, series)
        )
    results = _found(study, incidents, series, nowcast, info, tell, store, executor)
    if study.cleaning.steps:
        findings = (*results.findings.items, cleaning_finding(done, len(raw)))
        results = replace(results, cleaning=done.report, findings=Findings(findings))
    if saved is not None and store is not None:
        results.save(saved)
        shutil.rmtree(store)
    return results


def _found(
    study: Study,
    incidents: Incidents,
    recorded: CountSeries,
    nowcast: NowcastResults | None,
    info: RunInfo,
    tell: Tell,
    store: Path | None,
    executor: Executor | None,
) -> Results:
    horizon = study.forecast.horizon
    known = closed(recorded, nowcast)
    if len(known) <= horizon + study.specification.lags:
        raise ValueError(
            f"{len(known)} {known.period}s are too few for a horizon of {horizon} and "
            f"{study.specification.lags} lags"
        )
    origins(study, known)  # before the long work, not after it
    fit, forecast, fits = told(
        tell, f"Fit ({study.specification.engine})", lambda: headline(study, recorded, nowcast)
    )
    dynamics = fit.dynamics()
    alternatives = backgrounds(study, fit.series, dynamics, tell)
    past, came = known.split(known.edges[len(known) - horizon].item())
    last_forecast = told(tell, "Last forecast", lambda: refit(study, past).forecast(
        horizon, generator(study, "last"), draws=study.forecast.draws
    ))  # fmt: skip
    backtest = track_record(study, known, tell, store, executor)
    severity = None
    if (section := study.severity) is not None:
        severity = told(tell, "Deaths", lambda: deaths(
            study, section, incidents, forecast, last_forecast, origins(study, known)
        ))  # fmt: skip
    found = Results(
        study=study,
        incidents=incidents,
        series=fit.series,
        fit=fit,
        dynamics=dynamics,
        alternatives=alternatives,
        identified=identified(dynamics, alternatives),
        forecast=forecast,
        last_forecast=last_forecast,
        last_observed=came.counts,
        backtest=backtest,
        findings=Findings(()),
        truth=truth(study),
        run=info,
        severity=severity,
        nowcast=nowcast,
    )
    return replace(found, findings=told(tell, "Checks", lambda: checked(found, fits)))


def checked(found: Results, fits: Sequence[Fit]) -> Findings:
    """Every check that results without findings, and the fits that they pool, can be put to."""
    general = check(
        found.fit,
        generator(found.study, "checks"),
        incidents=found.incidents,
        alternatives=found.alternatives,
        backtest=found.backtest,
    )
    items = (*agreed(general, fits), named(found.study, found.incidents))
    items += codes_finding(found.study, found.incidents)
    if (severity := found.severity) is not None:
        items += deaths_findings(severity.fit, severity.exceedances)
    if (nowcast := found.nowcast) is not None:
        items += late_findings(nowcast.fit, nowcast.recorded, completed=len(fits) > 1)
    return Findings(items)


def agreed(findings: Findings, fits: Sequence[Fit]) -> tuple[Finding, ...]:
    """The findings, that on convergence of the worst of several fits."""
    if len(fits) == 1:
        return findings.items
    worst = max((convergence(one) for one in fits), key=lambda one: STATUSES.index(one.status))
    text = f"Of {len(fits)} fits to completed series, the worst: {worst.text}"
    return tuple(
        replace(worst, text=text) if one.name == worst.name else one for one in findings.items
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
