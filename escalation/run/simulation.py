"""Incidents drawn from the truth of a study."""

from typing import Any

import numpy as np
import polars as pl

from escalation.run.tasks import generator
from escalation.series import CountSeries, EventSeries
from escalation.study import Study, Truth


def truth(study: Study) -> dict[str, Any] | None:
    """What a simulated study was made from, with its branching ratio; None for real data."""
    if study.truth is None:
        return None
    reproduction = np.array(study.truth.reproduction)
    parameters = {name: np.array(value) for name, value in values(study).items()}
    return parameters | {"branching_ratio": float(np.abs(np.linalg.eigvals(reproduction)).max())}


def simulate(study: Study) -> pl.DataFrame:
    """Draw incidents from the truth of a study, with the columns that its file names.

    Counts per period come from the model's own `simulate`; within its period the day of an
    incident is uniform. Deaths: P(best >= x) = (1 + x / scale) ** -tail; ``low`` is binomial
    (best, 0.9) and ``high`` is best plus a Poisson number of mean best / 5. A share of the
    incidents is dated to a span that begins on the day and ends one to six days later.

    Returns
    -------
    polars.DataFrame
        A row an incident, by date; our column names are exchanged for those of ``data.columns``.
    """
    told = values(study)
    rng = generator(study, "simulate")
    window, names = study.window, study.names
    times = tuple(np.zeros(0) for _ in names)
    quiet = EventSeries(times, names, window, float(window.days), "day").counts(
        study.specification.period
    )
    series = study.model().simulate(told, quiet, rng)
    parts = [_incidents(study, series, k, rng) for k in range(series.n_streams)]
    table = pl.concat(parts).sort("date", maintain_order=True)
    ids = [f"{number:05d}" for number in range(1, table.height + 1)]
    table = table.insert_column(0, pl.Series("id", ids))
    columns = study.data.columns or {name: name for name in table.columns}
    known = {ours: theirs for ours, theirs in columns.items() if ours in table.columns}
    return table.select(*known).rename(known)


def _incidents(
    study: Study, series: CountSeries, at: int, rng: np.random.Generator
) -> pl.DataFrame:
    """Draw day, dates and deaths of each incident of one stream."""
    law, stream, counts = required(study), study.streams[at], series.counts[:, at]
    size = int(counts.sum())
    watched = np.flatnonzero(series.window.mask())
    first = np.searchsorted(watched, series.window.day_index(series.edges[:-1]))
    place = np.floor(rng.random(size) * np.repeat(series.exposure, counts)).astype(np.int64)
    days = watched[np.repeat(first, counts) + place]
    spans = np.where(rng.random(size) < law.imprecise, rng.integers(1, 7, size), 0)
    latest = np.minimum(days + spans, watched[-1])
    best = np.floor(law.deaths_scale * (rng.random(size) ** (-1 / law.deaths_tail) - 1))
    best = best.astype(np.int64)
    source, target = (names[0] if names else None for names in (stream.source, stream.target))
    words = {
        "source": source,
        "target": target,
        "incident_class": stream.classes[0] if stream.classes else None,
        "country": study.actors.home(target) if target else None,
    }
    return pl.DataFrame(
        {
            "date": series.edges[0] + days.astype("timedelta64[D]"),
            "date_latest": series.edges[0] + latest.astype("timedelta64[D]"),
            "deaths_low": rng.binomial(best, 0.9),
            "deaths_best": best,
            "deaths_high": best + rng.poisson(best / 5),
        }
    ).with_columns(pl.lit(text, dtype=pl.Utf8).alias(name) for name, text in words.items())


def values(study: Study) -> dict[str, Any]:
    """The truth under the names of the model's parameters."""
    law = required(study)
    named = {
        "level": law.level,
        "season": law.season,
        "reproduction": law.reproduction,
        "dispersion": law.dispersion,
        "decay": law.decay,
    }
    return {
        name: np.asarray(value, float) for name, value in named.items() if value not in (None, ())
    }


def required(study: Study) -> Truth:
    """Give the truth of a study; a `ValueError` if it has none."""
    if study.truth is None:
        raise ValueError("missing key 'truth': a study is simulated from its [truth] table")
    return study.truth
