"""Whether the law holds for later incidents: exceedances of its points, counted and tested."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import ArrayLike

from escalation.severity.records import FIGURES, DeathRecords

if TYPE_CHECKING:
    from escalation.engines import Engine
    from escalation.severity.model import Severity


def exact_test(observed: int, chances: ArrayLike) -> float:
    """Two-sided p-value of a sum of independent events with their own probabilities.

    The probabilities of all numbers that are no likelier than the observed one, summed; with equal
    chances this is the exact binomial test.

    Parameters
    ----------
    observed : int
        Events that came.
    chances : array_like (n,)
        Probability of each.
    """
    law = np.ones(1)
    for chance in np.asarray(chances, float):
        law = np.convolve(law, [1 - chance, chance])
    return float(min(1.0, law[law <= law[observed] * (1 + 1e-7)].sum()))


def known_by(records: DeathRecords, day: date, memory: int | None = None) -> DeathRecords:
    """The records before a day, those of the last `memory` days alone if that is given."""
    past = records.split(day)[0] if day < records.window.end else records
    if memory is None or day - timedelta(days=memory) <= past.window.start:
        return past
    return past.split(day - timedelta(days=memory))[1]


def exceedances(
    model: Severity,
    records: DeathRecords,
    days: Sequence[date],
    engine: Engine,
    *,
    memory: int | None = None,
    shares: Sequence[float] = (0.9, 0.99),
) -> pl.DataFrame:
    """How many incidents exceeded the points of a law that was learned before them.

    On each day the law is learned anew, and judged by the incidents from then to the next day (of
    the last one: to the end of the window). A day before which nothing is recorded is passed over.

    Parameters
    ----------
    model : Severity
    records : DeathRecords
    days : sequence of date
        Rising, inside the window.
    engine : Engine
    memory : int, optional
        Days of past that the law is learned from; all if not given.
    shares : sequence of float
        Of incidents that the points leave below them, if the law is right.

    Returns
    -------
    polars.DataFrame
        A row a stream and share: stream; share; lowest, highest (the law's points); incidents;
        expected (beyond their points, by the law's own probability: deaths are whole numbers);
        beyond by best figures, and beyond low, beyond high by those; p of `exact_test`, null
        without incidents. Incidents are taken as independent given the law.
    """
    streams = records.n_streams
    kept: list[list[np.ndarray]] = [[] for _ in range(len(shares) * streams)]
    for first, last in pairwise([*days, records.window.end]):
        past = known_by(records, first, memory)
        if not len(past):
            continue
        fit = model.fit(past, engine, np.random.default_rng(0))
        inside = (records.days >= np.datetime64(first)) & (records.days < np.datetime64(last))
        for n, share in enumerate(shares):
            points = fit.predictive_quantile(share)
            chances = np.diagonal(fit.predictive_survival(points))
            for k in range(streams):
                own = inside & (records.stream == k)
                more = [getattr(records, figure)[own] > points[k] for figure in FIGURES]
                size = int(own.sum())
                row = np.stack([np.full(size, points[k]), np.full(size, chances[k]), *more])
                kept[k * len(shares) + n].append(row)
    rows = []
    for place, parts in enumerate(kept):
        points, chances, low, best, high = np.concatenate([np.zeros((5, 0)), *parts], axis=1)
        rows.append(
            {
                "stream": records.names[place // len(shares)],
                "share": float(shares[place % len(shares)]),
                "lowest": float(points.min()) if points.size else None,
                "highest": float(points.max()) if points.size else None,
                "incidents": points.size,
                "expected": float(chances.sum()),
                "beyond": int(best.sum()),
                "beyond low": int(low.sum()),
                "beyond high": int(high.sum()),
                "p": exact_test(int(best.sum()), chances) if points.size else None,
            }
        )
    schema = {"lowest": pl.Float64(), "highest": pl.Float64(), "p": pl.Float64()}
    return pl.DataFrame(rows, schema_overrides=schema)
