"""Kernels: densities of the delay from an incident to those that follow it."""

from escalation.kernels.base import ContinuousKernel, ExponentialFamily, Kernel
from escalation.kernels.exponential import Exponential
from escalation.kernels.histogram import Histogram
from escalation.kernels.lomax import Lomax
from escalation.kernels.mixture import Mixture
from escalation.kernels.one_lag import OneLag
from escalation.kernels.weibull import Weibull

__all__ = [
    "ContinuousKernel",
    "Exponential",
    "ExponentialFamily",
    "Histogram",
    "Kernel",
    "Lomax",
    "Mixture",
    "OneLag",
    "Weibull",
]
