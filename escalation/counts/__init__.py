"""Count models, one a file."""

from escalation.counts.component import (
    Component,
    Neighbours,
    RandomIntercepts,
    RandomWalk,
)
from escalation.counts.endemic_epidemic import EndemicEpidemic
from escalation.counts.hurdle import Hurdle
from escalation.counts.ingarch import Ingarch
from escalation.counts.latent import Latent
from escalation.counts.latent_path import LatentPath
from escalation.counts.latent_settings import Autoregression, GaussianProcess
from escalation.counts.log_linear import LogLinear
from escalation.counts.panel import Panel
from escalation.counts.panel_answers import UnitEstimates
from escalation.counts.phases import Phases
from escalation.counts.regimes import Regimes
from escalation.counts.response import Response
from escalation.counts.signs import Signs
from escalation.counts.what_if import WhatIf, what_if

__all__ = [
    "Autoregression",
    "Component",
    "EndemicEpidemic",
    "GaussianProcess",
    "Hurdle",
    "Ingarch",
    "Latent",
    "LatentPath",
    "LogLinear",
    "Neighbours",
    "Panel",
    "Phases",
    "RandomIntercepts",
    "RandomWalk",
    "Regimes",
    "Response",
    "Signs",
    "UnitEstimates",
    "WhatIf",
    "what_if",
]
