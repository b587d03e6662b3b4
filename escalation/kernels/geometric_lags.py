"""Geometric lag weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.kernels.base import Shape
from escalation.kernels.whole_lags import WholeLags
from escalation.parameters import FloatArray, Parameter
from escalation.priors import Beta


@dataclass(frozen=True)
class GeometricLags(WholeLags):
    r"""Weights :math:`w_l \propto p(1-p)^{l-1}` for l = 1, ..., L.

    What `Exponential` gives in periods, with :math:`p = 1 - e^{-\beta}`; here p is the parameter,
    as in hhh4addon. Source: Bracher & Held (2022), International Journal of Forecasting 38(3).

    Attributes
    ----------
    prior_a, prior_b : float
        Beta prior of the first lag's share p.
    """

    prior_a: float = 2.0
    prior_b: float = 2.0
    name = "geometric lags"

    @override
    def parameters(self, unit: str) -> tuple[Parameter, ...]:
        prior = Beta(self.prior_a, self.prior_b)
        meaning = f"weight of the first {unit}, were there no last one"
        return (Parameter("first_share", (), "unit", prior, meaning),)

    @override
    def start(self, delay: float) -> FloatArray:
        return np.array([1 - 0.5 ** (1 / max(delay, 0.1))])

    @override
    def lag_weights(self) -> Shape:
        from escalation.kernels.compiled_lags import geometric_lags

        shape: Shape = geometric_lags
        return shape
