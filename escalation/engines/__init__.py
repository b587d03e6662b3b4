"""Engines: from a log-likelihood and declared parameters to draws."""

from escalation.engines.base import Engine, Posterior, Problem
from escalation.engines.laplace import Laplace
from escalation.engines.maximum_likelihood import MaximumLikelihood
from escalation.engines.nuts import NUTS
from escalation.engines.quasi import QuasiLikelihood

__all__ = [
    "NUTS",
    "Engine",
    "Laplace",
    "MaximumLikelihood",
    "Posterior",
    "Problem",
    "QuasiLikelihood",
]
