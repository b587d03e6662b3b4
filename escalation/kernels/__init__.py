"""Kernels: densities of the delay from an incident to those that follow it."""

from escalation.kernels.base import ContinuousKernel, ExponentialFamily, Kernel
from escalation.kernels.exponential import Exponential
from escalation.kernels.mixture import Mixture
from escalation.kernels.one_lag import OneLag

__all__ = ["ContinuousKernel", "Exponential", "ExponentialFamily", "Kernel", "Mixture", "OneLag"]
