"""Scores of forecasts: arrays in, arrays out.

Everywhere the draws are the **first** axis: ``draws`` has shape (n, ...), ``observed`` the shape
(...) of the cells, and a score comes back cell by cell, never averaged. Lower is better. A cell
whose observation is NaN (nobody watched) scores NaN; draws hold no NaN. A draw of infinity is a
path that was stopped above its cap: it counts as larger than every number.
"""

from escalation.scores.binned import ignorance
from escalation.scores.calibration import pit_bounds, pit_histogram, pit_share
from escalation.scores.comparison import (
    DieboldMariano,
    PairwiseSkill,
    block_interval,
    block_length,
    diebold_mariano,
    moving_blocks,
    pairwise_skill,
    relative_skill,
)
from escalation.scores.discrimination import (
    average_precision,
    net_benefit,
    precision_recall,
    roc_area,
    roc_curve,
)
from escalation.scores.draws import (
    crps_draws,
    dawid_sebastiani,
    dawid_sebastiani_draws,
    log_score_draws,
    mean_difference,
    smoothed_pmf,
    squared_error,
)
from escalation.scores.laws import (
    crps_negative_binomial,
    crps_poisson,
    log_score_negative_binomial,
    log_score_pmf,
    log_score_poisson,
    rps_pmf,
)
from escalation.scores.multivariate import energy_score, variogram_score
from escalation.scores.probabilities import (
    BrierDecomposition,
    brier,
    brier_corp,
    brier_murphy,
    isotonic_probability,
)
from escalation.scores.quantiles import (
    HUB_LEVELS,
    WeightedIntervalScore,
    absolute_error,
    bias_quantiles,
    coverage,
    implied_coverage,
    interval_score,
    quantile_draws,
    quantile_score,
    weighted_interval_score,
    weighted_interval_score_draws,
)
from escalation.scores.wei_held import (
    CalibrationTest,
    calibration_test,
    calibration_test_draws,
)

__all__ = [
    "HUB_LEVELS",
    "BrierDecomposition",
    "CalibrationTest",
    "DieboldMariano",
    "PairwiseSkill",
    "WeightedIntervalScore",
    "absolute_error",
    "average_precision",
    "bias_quantiles",
    "block_interval",
    "block_length",
    "brier",
    "brier_corp",
    "brier_murphy",
    "calibration_test",
    "calibration_test_draws",
    "coverage",
    "crps_draws",
    "crps_negative_binomial",
    "crps_poisson",
    "dawid_sebastiani",
    "dawid_sebastiani_draws",
    "diebold_mariano",
    "energy_score",
    "ignorance",
    "implied_coverage",
    "interval_score",
    "isotonic_probability",
    "log_score_draws",
    "log_score_negative_binomial",
    "log_score_pmf",
    "log_score_poisson",
    "mean_difference",
    "moving_blocks",
    "net_benefit",
    "pairwise_skill",
    "pit_bounds",
    "pit_histogram",
    "pit_share",
    "precision_recall",
    "quantile_draws",
    "quantile_score",
    "relative_skill",
    "roc_area",
    "roc_curve",
    "rps_pmf",
    "smoothed_pmf",
    "squared_error",
    "variogram_score",
    "weighted_interval_score",
    "weighted_interval_score_draws",
]
