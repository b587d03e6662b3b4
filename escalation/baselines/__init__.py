"""Baselines: simple forecasts that a model must beat to be worth its trouble."""

from escalation.baselines.base import Baseline, FittedBaseline
from escalation.baselines.level import Persistence, Zero
from escalation.baselines.regression import SeasonalGLM
from escalation.baselines.resampling import (
    Analogue,
    Climatology,
    Conflictology,
    ExponentialResampling,
)
from escalation.baselines.smoothing import ExponentialSmoothing

__all__ = [
    "Analogue",
    "Baseline",
    "Climatology",
    "Conflictology",
    "ExponentialResampling",
    "ExponentialSmoothing",
    "FittedBaseline",
    "Persistence",
    "SeasonalGLM",
    "Zero",
]
