"""Kernels: densities of the delay from an incident to those that follow it."""

from escalation.kernels.base import ContinuousKernel, ExponentialFamily, Kernel
from escalation.kernels.exponential import Exponential
from escalation.kernels.free_lags import FreeLags
from escalation.kernels.geometric_lags import GeometricLags
from escalation.kernels.histogram import Histogram
from escalation.kernels.lomax import Lomax
from escalation.kernels.mixture import Mixture
from escalation.kernels.one_lag import OneLag
from escalation.kernels.poisson_lags import PoissonLags
from escalation.kernels.weibull import Weibull
from escalation.kernels.whole_lags import WholeLags

__all__ = [
    "ContinuousKernel",
    "Exponential",
    "ExponentialFamily",
    "FreeLags",
    "GeometricLags",
    "Histogram",
    "Kernel",
    "Lomax",
    "Mixture",
    "OneLag",
    "PoissonLags",
    "Weibull",
    "WholeLags",
]
