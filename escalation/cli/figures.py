"""The figures that the commands print, as tables and as JSON."""

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from escalation.forecast import ALL_STREAMS, Forecast
from escalation.incidents import Incidents
from escalation.parameters import FloatArray
from escalation.results import Results
from escalation.window import Window

MOST = 10
"""How many of the most frequent names are shown."""

NAMES = {
    "Classes": "incident_class",
    "Source actors": "source",
    "Target actors": "target",
    "Dyads": "dyad",
}


def day_span() -> Window:
    """Give a window that holds every day a file of incidents could name."""
    return Window(date(1800, 1, 1), date(2200, 1, 1))


def contents(incidents: Incidents) -> dict[str, Any]:
    """Say what a file of incidents holds."""
    table, origin = incidents.table, incidents.provenance
    return {
        "sha256": origin.sha256,
        "files": dict(origin.files),
        "licence": origin.licence,
        "citation": origin.citation,
        "version": origin.version,
        "remarks": origin.remarks,
        "rows": origin.rows_read,
        "taken": origin.rows_taken,
        "rejected_rows": origin.rows_rejected,
        "outside": origin.rows_outside,
        "left_out": origin.rows_left_out,
        "first": table["date"].min(),
        "last": table["date"].max(),
        "columns": [name for name in table.columns if table[name].null_count() < table.height],
        "most_frequent": {
            label: top for label, name in NAMES.items() if (top := frequent(table, name)).height
        },
        "rejected": incidents.rejected,
        "amended": incidents.amended,
    }


def frequent(table: pl.DataFrame, name: str) -> pl.DataFrame:
    """Give the most frequent values of a column, with their incidents."""
    counted = table.drop_nulls(name).group_by(name).agg(pl.len().alias("incidents"))
    return counted.sort(["incidents", name], descending=[True, False]).head(MOST)


def explained(
    found: dict[str, pl.DataFrame], table: pl.DataFrame, word: str
) -> dict[str, pl.DataFrame]:
    """Put beside the codes of a source's actors and events what they mean."""
    from escalation.actors import cameo_meaning
    from escalation.codes import SCHEMES

    told = dict(found)
    for label in ("Source actors", "Target actors"):
        if word == "gdelt" and label in told:  # its actors are codes
            told[label] = _beside(told[label], cameo_meaning)
    if word not in SCHEMES or not (codes := frequent(table, "code")).height:
        return told
    known = SCHEMES[word].codes
    codes = _beside(codes, lambda code: known[code].name if code in known else "")
    classes = {label: told.pop(label) for label in ("Classes",) if label in told}
    return classes | {"Codes": codes} | told


def _beside(table: pl.DataFrame, meaning: Callable[[str], str]) -> pl.DataFrame:
    words = pl.Series("meaning", [meaning(each) for each in table.to_series()], pl.String)
    # The codes of some sources are words.
    plain = words.is_in(["", *table.to_series()]).all()
    return table if plain else table.insert_column(1, words)


def summary(values: FloatArray) -> dict[str, float]:
    """Give the median of draws and their 90 % interval."""
    lower, middle, upper = np.quantile(values, [0.05, 0.5, 0.95])
    return {"estimate": float(middle), "lower": float(lower), "upper": float(upper)}


def ratios(results: Results) -> pl.DataFrame:
    """Give the branching ratio of the headline fit and under each background."""
    fits = {f"of the study, by {results.fit.engine}": results.dynamics}
    fits |= {f"{name}, by maximum likelihood": each for name, each in results.alternatives.items()}
    return pl.DataFrame(
        [{"background": name} | summary(each.branching_ratio) for name, each in fits.items()]
    )


def headline(results: Results) -> dict[str, Any]:
    """Give the numbers that every command's JSON begins with."""
    run = results.run
    return {
        "title": results.study.title,
        "simulated": results.study.data.simulated,
        "streams": results.series.names,
        "periods": len(results.series),
        "incidents": results.recorded.counts.sum(axis=0),
        "unit": results.dynamics.unit,
        "branching_ratio": summary(results.dynamics.branching_ratio),
        "identified": results.identified,
        "expected_incidents": summary(summed(results.forecast)),
        **(
            {"expected_deaths": summary(summed(results.severity.forecast))}
            if results.severity is not None
            else {}
        ),
        "findings": results.findings.table(),
        "run": {
            "version": run.version,
            "seed": run.seed,
            "data_hash": run.data_hash,
            "study_hash": run.study_hash,
        },
    }


def summed(forecast: Forecast) -> FloatArray:
    """Give the draws of the sum of all streams and periods."""
    return np.asarray(forecast.total().draws[:, :, 0].sum(axis=1))


def fitted(results: Results) -> dict[str, Any]:
    """Give what the fit found, and those of deaths and of late reports where there are any."""
    more: dict[str, Any] = {}
    if (deaths := results.severity) is not None:
        more["deaths"] = {
            "law": deaths.fit.table(),
            "exceedances": deaths.exceedances,
            "readings": deaths.readings,
        }
    if (late := results.nowcast) is not None:
        more["delays"] = late.fit.delays()
    return more | {
        "engine": results.fit.engine,
        "log_likelihood": results.fit.log_likelihood,
        "diagnostics": dict(results.fit.diagnostics),
        "reproduction": results.dynamics.table(),
        "shares": results.dynamics.share_table(),
        "backgrounds": {
            name: summary(each.branching_ratio) for name, each in results.alternatives.items()
        },
        "truth": results.truth,
    }


def expected(results: Results) -> dict[str, pl.DataFrame]:
    """Give the forecast period by period and in sum, and whether it is building up."""
    asked, ahead = results.study.forecast, results.forecast
    return {
        **tables(ahead, asked.thresholds),
        "escalation": ahead.escalation(periods=min(12, asked.horizon)),
    }


def tables(forecast: Forecast, at_least: Sequence[int]) -> dict[str, pl.DataFrame]:
    """Give a forecast period by period and in sum, the sum of the streams after them."""
    total = forecast.total()
    sums = [each.blocks([len(each.lengths)]).table(at_least=at_least) for each in (forecast, total)]
    return {
        "periods": pl.concat([forecast.table(), total.table()]).drop("step"),
        "sum": pl.concat(sums).drop("step"),
    }


def deaths_expected(results: Results) -> dict[str, pl.DataFrame]:
    """Give the deaths to come, nothing unless the study asks for them."""
    found, asked = results.severity, results.study.severity
    return {} if found is None or asked is None else tables(found.forecast, asked.at_least)


def last_periods(results: Results) -> pl.DataFrame | None:
    """Give what is reported of the last periods and the nowcast, where the study asks for it."""
    return None if results.nowcast is None else results.nowcast.fit.table()


def everything(table: pl.DataFrame) -> pl.DataFrame:
    """Give the rows of the sum of the streams."""
    return table.filter(pl.col("stream") == ALL_STREAMS).drop("stream")


def track_record(results: Results) -> dict[str, pl.DataFrame]:
    """Give skill, calibration and the largest misses of past forecasts."""
    backtest = results.backtest
    skill = backtest.skill("climatology")
    whole = pl.col("block") == f"1–{backtest.horizon}"
    scores = ("crps", "relative_crps", "relative_crps_lower", "relative_crps_upper", "log_score")
    calibration = backtest.calibration().filter(pl.col("model") == backtest.models[0])
    misses = backtest.misses(3, model=backtest.models[0])
    return {
        "skill": skill.filter(whole).select("model", "stream", *scores, "origins"),
        "calibration": calibration.drop("model"),
        "misses": misses.drop("model"),
    }
