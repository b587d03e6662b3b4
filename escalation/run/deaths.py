"""The deaths that a study asks for: their law, what is to be expected, and whether it held."""

from dataclasses import replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from escalation.forecast import Forecast
from escalation.incidents import Incidents
from escalation.results import SeverityResults
from escalation.run.tasks import sequence
from escalation.severity import DeathRecords, Severity, SeverityFit, exceedances, known_by
from escalation.severity.records import FIGURES
from escalation.study import SeveritySection, Study

LEVEL = 0.8
"""Of the intervals of `SeverityResults.readings`."""


def law(section: SeveritySection) -> Severity:
    """Make the law that the study specifies."""
    return Severity(section.tail, section.threshold, section.deaths, section.streams, section.tails)


def death_records(
    study: Study, section: SeveritySection, incidents: Incidents
) -> tuple[DeathRecords, DeathRecords]:
    """The deaths of the study's incidents: all of them, and those that the law is learned from.

    Raises
    ------
    ValueError
        If there are none that are known.
    """
    records = DeathRecords.from_incidents(incidents, study.streams, study.actors, section.longest)
    known = known_by(records, study.window.end, section.memory)
    if not len(known):
        raise ValueError(_nothing(section, records))
    return records, known


def deaths(
    study: Study,
    section: SeveritySection,
    incidents: Incidents,
    forecast: Forecast,
    last_forecast: Forecast,
    origins: list[date],
) -> SeverityResults:
    """Learn the law of deaths, compound both forecasts of incidents with it, and judge it.

    Parameters
    ----------
    study, section : Study, SeveritySection
    incidents : Incidents
    forecast, last_forecast : Forecast
        Of incidents.
    origins : list of date
        Days on which the law is learned anew and judged by what came later. These refits, and that
        of the last forecast, are by the quick engine; without partial pooling, which is not quick.

    Raises
    ------
    ValueError
        If nothing is recorded that a law could be learned from.
    """
    engine, refit = study.engine(section), study.quick_engine(section)
    seeds = sequence(study, "severity").spawn(3)
    rng, last_rng = (np.random.default_rng(seed) for seed in seeds[:2])
    records, known = death_records(study, section, incidents)
    model = law(section)
    quick = replace(model, streams="stream") if model.streams == "partial" else model
    fit = model.fit(known, engine, rng)
    fits = {
        figures: fit
        if figures == model.deaths
        else replace(model, deaths=figures).fit(known, engine, rng)
        for figures in ("interval", *FIGURES)
    }
    # The same random numbers for each.
    told = {
        figures: one.compound(forecast, np.random.default_rng(seeds[2]), records)
        for figures, one in fits.items()
    }
    before = quick.fit(_past(records, last_forecast.made_on, section), refit, last_rng)
    return SeverityResults(
        fit=fit,
        forecast=told[model.deaths],
        last_forecast=before.compound(last_forecast, last_rng, records),
        last_observed=np.stack([records.totals(last_forecast.edges, f) for f in FIGURES]),
        readings=pl.DataFrame([_reading(name, fits[name], told[name]) for name in fits]),
        exceedances=exceedances(quick, records, origins, refit, memory=section.memory),
    )


def _reading(figures: str, fit: SeverityFit, told: Forecast) -> dict[str, Any]:
    """A row of `SeverityResults.readings`."""
    whole = told.total().blocks([len(told.lengths)])
    ends = whole.interval(LEVEL)[:, 0, 0]
    index = fit.estimate.get("tail_index")
    return {
        "figures": figures,
        "recorded": int(getattr(fit.records, figures).sum()) if figures in FIGURES else None,
        "tail index": None if index is None else float(np.max(index)),
        "median": float(whole.quantile(0.5)[0, 0]),
        "lower": float(ends[0]),
        "upper": float(ends[1]),
    }


def _past(records: DeathRecords, day: date, section: SeveritySection) -> DeathRecords:
    """The records of the memory before a day; all before it where that has none."""
    past = known_by(records, day, section.memory)
    past = past if len(past) else known_by(records, day)
    if not len(past):
        raise ValueError(
            f"key 'severity': no incident before {day} has deaths that are known, so no forecast "
            "of deaths can be judged"
        )
    return past


def _nothing(section: SeveritySection, records: DeathRecords) -> str:
    if len(records):
        return (
            f"key 'severity.memory': no incident of the last {section.memory} days has deaths "
            f"that are known; {len(records)} earlier ones have"
        )
    dropped = f" ({records.dropped})" if records.dropped else ""
    return (
        "key 'severity': no incident of the streams has deaths that are known, in columns "
        f"deaths_low, deaths_best or deaths_high{dropped}"
    )
