"""Ensembles: pools of forecasts, weights by stacking, recalibration; nothing from the future."""

from escalation.ensemble.model import Ensemble, FittedEnsemble, Learning
from escalation.ensemble.over_time import (
    PastForecasts,
    pool_forecasts,
    recalibrated,
    recalibrated_over_time,
)
from escalation.ensemble.pooling import linear_pool, quantile_average
from escalation.ensemble.recalibration import Recalibration, pit_log_odds
from escalation.ensemble.stacking import (
    best_on_simplex,
    crps_parts,
    stack_crps,
    stack_log_scores,
    weights_over_time,
)

__all__ = [
    "Ensemble",
    "FittedEnsemble",
    "Learning",
    "PastForecasts",
    "Recalibration",
    "best_on_simplex",
    "crps_parts",
    "linear_pool",
    "pit_log_odds",
    "pool_forecasts",
    "quantile_average",
    "recalibrated",
    "recalibrated_over_time",
    "stack_crps",
    "stack_log_scores",
    "weights_over_time",
]
