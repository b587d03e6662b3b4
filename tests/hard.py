"""Series of counts that are hard on a model, for tests of every family."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np

from escalation import CountSeries, Covariates, PanelSeries

#: First day of these series; they are weekly.
START = date(2001, 1, 1)
Maker = Callable[[np.random.Generator], np.ndarray]


def weeks(counts: np.ndarray, **settings: Any) -> CountSeries:
    """Weekly counts, shape (T,) or (T, K), from the first day on."""
    return CountSeries.from_counts(counts, START, "week", **settings)


def hard_counts(rate: float = 2.0) -> dict[str, Maker]:
    """Makers of counts (T, K) by name, with so many incidents a week."""
    return {
        "an empty stream": lambda rng: np.column_stack([rng.poisson(rate, 200), np.zeros(200)]),
        "a huge week": lambda rng: np.where(
            np.arange(400).reshape(200, 2) == 201, 500, rng.poisson(rate / 2, (200, 2))
        ),
        "twenty weeks": lambda rng: rng.poisson(rate, (20, 2)),
        "twelve streams": lambda rng: rng.poisson(rate / 2, (200, 12)),
        "collinear covariates": lambda rng: rng.poisson(rate, (200, 2)),
        "nothing at all": lambda _: np.zeros((60, 2)),
    }


def collinear() -> Covariates:
    """Two covariates, the second twice the first."""
    wave = np.sin(np.arange(2000) / 30)
    return Covariates(START, np.column_stack([wave, 2 * wave]), ("one", "twice"))


def uneven(units: int = 4, kinds: int = 1, periods: int = 60, seed: int = 0) -> PanelSeries:
    """Units that begin to be watched one after another."""
    rng, out = np.random.default_rng(seed), {}
    for unit in range(units):
        counts = rng.poisson(1.0 + unit % 3, (periods - 5 * unit, kinds))
        begin = START + timedelta(weeks=5 * unit)
        names = [f"kind {s}" for s in range(kinds)]
        out[f"unit {unit}"] = CountSeries.from_counts(counts, begin, "week", names)
    return PanelSeries.from_series(out)
