"""Ways to pool the members of the Pakistan backtest, from one origin after another."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from escalation.ensemble import PastForecasts, recalibrated_over_time
from escalation.forecast import Forecast
from escalation.own_history.paths import whole
from escalation.window import FloatArray


@dataclass(frozen=True)
class Candidate:
    """A way to pool members: equal weights unless given or learned.

    Learned weights and maps come from the study's earlier origins, in the order of time
    (`PastForecasts.weights`, `recalibrated_over_time`). `spread` draws what lies above zero in
    towards the median on the scale of logarithms, as `OwnHistoryPool` does.
    """

    members: tuple[str, ...]
    method: str = "linear pool"
    weights: tuple[float, ...] | None = None
    stacked: str | None = None
    recalibrate: bool = False
    spread: float = 1.0


def pooled_over_time(
    each: Candidate, past: PastForecasts, sequence: np.random.SeedSequence, draws: int
) -> tuple[Forecast, ...]:
    """The forecasts of a candidate from one origin after another."""
    rng = np.random.default_rng(sequence)
    m = len(each.members)
    own = PastForecasts(
        [{name: made[name] for name in each.members} for made in past.forecasts], past.observed
    )
    weights = np.tile(each.weights or np.full(m, 1 / m), (len(own.forecasts), 1))
    if each.stacked is not None:
        weights = own.weights(each.stacked)
    made = own.pooled(weights, method=each.method, draws=draws, rng=rng)
    if each.recalibrate:
        made = recalibrated_over_time(made, own.observed, rng=rng)
    if each.spread != 1:
        made = tuple(replace(one, draws=drawn_in(one.draws, each.spread)) for one in made)
    return made


def drawn_in(draws: FloatArray, spread: float) -> FloatArray:
    """Draws above zero moved towards the median of their cell, on the scale of logarithms."""
    logs = np.log1p(draws)
    middle = np.median(logs, axis=0)
    return whole(np.where(draws > 0, np.expm1(middle + spread * (logs - middle)), 0.0))
