"""Complete results of an invented study, made without fitting anything."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl

from escalation.actors import Actor, Actors
from escalation.backtest import Backtest
from escalation.backtest.track_record import SCHEMA as SCORES
from escalation.checks import Finding, Findings
from escalation.counts.endemic_epidemic import EndemicEpidemic
from escalation.dynamics import Dynamics
from escalation.fit import Fit
from escalation.forecast import Forecast
from escalation.incidents import REJECTED, SCHEMA, Incidents, Provenance, empty
from escalation.nowcast import Nowcast, NowcastFit, ReportingTriangle
from escalation.results import NowcastResults, Results, RunInfo, SeverityResults
from escalation.series import CountSeries
from escalation.severity import DeathRecords, Severity, SeverityFit, known_by
from escalation.streams import Stream
from escalation.study import DataSection, Era, NowcastSection, SeveritySection, Study, Truth
from escalation.window import Window

DRAWS = 200
HORIZON = 12
LONGEST = 6
START, END = date(2018, 1, 1), date(2021, 1, 4)
NAMES = ("Attacks on A", "Strikes on militants", "Fire from B on A", "Fire from A on B")


def results(
    names: tuple[str, ...] = NAMES,
    *,
    rate: float = 1.5,
    simulated: bool = True,
    silent: tuple[int, ...] = (),
    gaps: tuple[tuple[date, date], ...] = (),
    failed: bool = True,
    deaths: bool = True,
    late: bool = True,
) -> Results:
    """Make results of so many streams; ``silent`` ones have no incidents, rate 0 silences all.

    ``deaths`` and ``late`` say whether the study asks for deaths and for the last periods.
    """
    rng = np.random.default_rng(1)
    size, window = len(names), Window(START, END, gaps)
    streams = tuple(
        Stream(name, source=(f"source {k}",), target=(f"target {k}",), directed=k % 3 != 1)
        for k, name in enumerate(names)
    )
    reproduction = 0.4 / size * np.ones((size, size)) + 0.25 * np.eye(size)
    reproduction[0, -1] = 0.0
    study = Study(
        title="Cross-border escalation: an invented border",
        data=DataSection(
            path="incidents.csv", start=START, end=END, gaps=gaps, simulated=simulated
        ),
        streams=streams,
        seed=7,
        actors=Actors((Actor("source 0", home="A"), Actor("target 0", home="B"))),
        eras=(Era("A new era", date(2019, 7, 1)),),
        severity=SeveritySection(memory=700, at_least=(10, 100)) if deaths and rate else None,
        nowcast=NowcastSection(longest=LONGEST, periods=40) if late else None,
        truth=Truth(
            tuple(map(tuple, reproduction.tolist())),
            (-1.0,) * size,
            ((0.1, 0.1),) * size,
            0.5,
            (0.3,) * size,
        )
        if simulated
        else None,
    )
    incidents = _incidents(streams, window, rate, silent, rng)
    series = CountSeries.from_incidents(incidents, streams, "week", study.actors)
    model = study.model()
    fit = _fit(model, series, reproduction, rng)
    dynamics = _dynamics(names, reproduction, rng)
    origin = series.edges[len(series) - HORIZON].item()
    past, came = series.split(origin)
    forecast, last_forecast = _forecast(series, rng), _forecast(past, rng)
    return Results(
        study=study,
        incidents=incidents,
        series=series,
        fit=fit,
        dynamics=dynamics,
        alternatives={
            name: _dynamics(names, reproduction * factor, rng)
            for name, factor in (("constant", 1.1), ("seasonal", 1.0), ("trend", 0.7))
        },
        identified=False,
        forecast=forecast,
        last_forecast=last_forecast,
        last_observed=came.counts,
        backtest=_backtest(series, rng),
        findings=_findings(failed),
        truth={"reproduction": reproduction, "branching_ratio": 0.65, "decay": 0.5}
        if simulated
        else None,
        run=RunInfo(
            version="0.1.0",
            versions={"python": "3.13.0", "numpy": "2.5.5"},
            seed=7,
            data_hash="ab" * 32,
            study_hash="cd" * 32,
            command="escalation report study.toml",
        ),
        severity=_severity(study, incidents, forecast, last_forecast) if study.severity else None,
        nowcast=_nowcast(series, rng) if late else None,
    )


def _incidents(
    streams: tuple[Stream, ...],
    window: Window,
    rate: float,
    silent: tuple[int, ...],
    rng: np.random.Generator,
) -> Incidents:
    watched = np.flatnonzero(window.mask())
    rows = []
    for k, stream in enumerate(streams):
        level = 0.0 if k in silent else rate * (1 + 0.3 * k) / 7
        swing = 1 + 0.6 * np.sin(2 * np.pi * watched / 365)
        number = rng.poisson(level * swing * rng.gamma(2, 0.5, len(watched)))
        for day in np.repeat(watched, number):
            when = window.start + timedelta(days=int(day))
            late = when + timedelta(days=int(rng.integers(0, 3)) * int(rng.random() < 0.1))
            died = int(rng.pareto(1.5) * 2)
            rows.append(
                {
                    "id": f"{len(rows)}",
                    "date": when,
                    "date_latest": min(late, window.end),
                    "source": stream.source[0],
                    "target": stream.target[0],
                    "incident_class": "attack",
                    "deaths_low": died,
                    "deaths_best": died,
                    "deaths_high": died + 2,
                    "certainty": "alleged" if rng.random() < 0.05 else "reported",
                    "directed": stream.directed,
                }
            )
    table = pl.DataFrame(rows, schema_overrides=SCHEMA) if rows else empty(SCHEMA)
    for name, kind in SCHEMA.items():
        if name not in table.columns:
            table = table.with_columns(pl.lit(None, kind).alias(name))
    rejected = pl.DataFrame(
        [
            {"line": 17, "column": "date", "value": "2019-02-30", "reason": "not a date"},
            {"line": 40, "column": "deaths_best", "value": "-3", "reason": "negative"},
        ],
        schema=REJECTED,
    )
    made = Provenance(
        "incidents.csv", "ab" * 32, "an invented table", "1", "CC0", "Nobody (2021)",
        len(table) + 6, len(table), 2, 4,
    )  # fmt: skip
    return Incidents(table.sort("date"), window, made, rejected)


def _fit(
    model: EndemicEpidemic, series: CountSeries, reproduction: np.ndarray, rng: np.random.Generator
) -> Fit:
    draws = {}
    for parameter in model.parameters(series):
        middle = reproduction if parameter.name == "reproduction" else np.full(parameter.shape, 0.4)
        spread = rng.normal(0, 0.05, (DRAWS, *parameter.shape))
        draws[parameter.name] = np.abs(middle + spread)
    estimate = {name: values.mean(axis=0) for name, values in draws.items()}
    return Fit(model, series, draws, estimate, -1234.5, {"chains": 4}, "NUTS")


def _dynamics(
    names: tuple[str, ...], reproduction: np.ndarray, rng: np.random.Generator
) -> Dynamics:
    size = len(names)
    draws = reproduction * rng.gamma(20, 1 / 20, (DRAWS, size, size))
    days = 7.0 * np.arange(1, 13)
    arrows = np.ones((size, size), bool)
    if size > 2:
        arrows[2, 1] = False
    draws = draws * arrows
    growth = (1 - np.exp(-days / 20))[None, :, None, None]
    return Dynamics(
        reproduction=draws,
        shares=rng.dirichlet([4, 3, 2], (DRAWS, size)),
        responses=1.4 * draws[:, None] * growth,
        response_days=days,
        names=names,
        unit="offspring in later weeks",
        arrows=arrows,
        delay_median=rng.gamma(50, 0.2, DRAWS),
        same_period=np.full(DRAWS, 0.4),
    )


def _forecast(series: CountSeries, rng: np.random.Generator) -> Forecast:
    level = series.counts[-52:].mean(axis=0)
    spread = rng.gamma(3, 1 / 3, (DRAWS, 1, series.n_streams))
    draws = rng.poisson(level * spread * np.ones((1, HORIZON, 1)))
    return Forecast.after(series, draws.astype(float), "endemic-epidemic")


def _backtest(series: CountSeries, rng: np.random.Generator) -> Backtest:
    tables = []
    for place, name in enumerate(("endemic-epidemic", "climatology", "conflictology")):
        for at in range(60, len(series) - HORIZON, 12):
            origin = series.edges[at].item()
            known, coming = series.split(origin)
            made = _forecast(known, rng)
            if place:
                made = replace(made, draws=made.draws + rng.integers(0, 2, made.draws.shape))
            scores = made.score(coming.counts[:HORIZON], (0.5, 0.8, 0.9)).with_columns(
                model=pl.lit(name), origin=pl.lit(origin), series=pl.lit("")
            )
            rest = [pl.lit(None, kind).alias(n) for n, kind in SCORES.items() if n not in scores]
            tables.append(scores.with_columns(rest).select(list(SCORES)).cast(SCORES))
    return Backtest(pl.concat(tables), HORIZON, 1)


def _severity(
    study: Study, incidents: Incidents, forecast: Forecast, last_forecast: Forecast
) -> SeverityResults:
    rng = np.random.default_rng(2)
    records = DeathRecords.from_incidents(incidents, study.streams, study.actors)
    known = known_by(records, END, 700)
    model = Severity()
    middle = {"without": 0.4, "level": 0.8, "spread": 1.0, "tail_scale": 8.0, "tail_index": 0.6}
    draws = {
        p.name: middle[p.name] * rng.gamma(100, 0.01, (DRAWS, *p.shape))
        for p in model.parameters(known)
    }
    estimate = {name: values.mean(axis=0) for name, values in draws.items()}
    fit = SeverityFit(model, known, draws, estimate, -99.0, {"chains": 4}, "Laplace")
    figures = ("interval", "low", "best", "high")
    stream, share = ([name for name in study.names for _ in (0, 1)], [0.9, 0.99] * len(study.names))
    size = len(stream)
    return SeverityResults(
        fit=fit,
        forecast=fit.compound(forecast, rng, records),
        last_forecast=fit.compound(last_forecast, rng, records),
        last_observed=np.stack([records.totals(last_forecast.edges, f) for f in figures[1:]]),
        readings=pl.DataFrame(
            {
                "figures": figures,
                "recorded": [None, 800, 900, 1000],
                "tail index": [0.6, 0.5, 0.6, 0.7],
                "median": [300.0, 280.0, 300.0, 340.0],
                "lower": [200.0, 190.0, 200.0, 240.0],
                "upper": [500.0, 480.0, 500.0, 560.0],
            }
        ),
        exceedances=pl.DataFrame(
            {
                "stream": stream,
                "share": share,
                "lowest": [8.0, 40.0] * (size // 2),
                "highest": [9.0, 55.0] * (size // 2),
                "incidents": [120] * size,
                "expected": [11.5, 1.1] * (size // 2),
                "beyond": [14, 0] * (size // 2),
                "beyond low": [12, 0] * (size // 2),
                "beyond high": [19, 2] * (size // 2),
                "p": [0.43, 0.66] * (size // 2),
            }
        ),
    )


def _nowcast(series: CountSeries, rng: np.random.Generator) -> NowcastResults:
    """Reports of the last 40 weeks, half of them a week late; the newest are missing."""
    recent = series.split(series.edges[len(series) - 40].item())[1]
    law = 0.5 ** np.arange(1, LONGEST + 2)
    law[-1] *= 2
    counts = np.moveaxis(
        [[rng.multinomial(n, law) for n in row] for row in recent.counts], 2, 1
    ).astype(np.int64)
    triangle = ReportingTriangle(counts, recent.edges, recent.names, recent.window, "week")
    model = Nowcast()
    draws = {}
    for p in model.parameters(triangle):
        level = {"level": 0.5, "change": 0.05, "dispersion": 0.1, "pace_memory": 0.5}.get(p.name, 0)
        draws[p.name] = np.abs(level + rng.normal(0, 0.02, (DRAWS, *p.shape)))
    estimate = {name: values.mean(axis=0) for name, values in draws.items()}
    fit = NowcastFit(model, triangle, draws, estimate, -50.0, {"chains": 4}, "Laplace")
    totals = fit.totals(rng, DRAWS)[:, -LONGEST:].astype(np.int64)
    if not series.counts.any():
        totals = np.zeros_like(totals)
    return NowcastResults(fit, totals, "the column “reported” of incidents.csv", series)


def _findings(failed: bool) -> Findings:
    found = [
        Finding("delays against the period", "passed", "Delays are longer than a week.", None),
        Finding("imprecise dates", "warned", "One date in ten is imprecise.", None),
    ]
    if failed:
        found.append(Finding("zeros", "failed", "There are more quiet weeks than expected.", None))
    return Findings(tuple(found))
