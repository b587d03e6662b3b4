"""Free lag weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.kernels.base import Shape
from escalation.kernels.whole_lags import WholeLags
from escalation.parameters import FloatArray, Parameter
from escalation.priors import Normal


@dataclass(frozen=True)
class FreeLags(WholeLags):
    r"""A weight of its own for each of some lags, none beyond: :math:`w_l \propto e^{\omega_l}`.

    :math:`\omega_1 = 0`; the weights sum to one. Source: Bracher & Held (2022), International
    Journal of Forecasting 38(3).

    Attributes
    ----------
    number : int
        How many lags have a weight, at least 2.
    prior_mean, prior_sd : float
        Normal prior of each :math:`\omega_l`, the log of a weight against the first lag's.

    Raises
    ------
    ValueError
        If the number is less than 2.
    """

    number: int = 3
    prior_mean: float = -1.0
    prior_sd: float = 1.5
    name = "free lags"

    def __post_init__(self) -> None:
        if self.number < 2:
            raise ValueError(f"free lags want a number of 2 or more, got {self.number}")

    @override
    def parameters(self, unit: str) -> tuple[Parameter, ...]:
        prior = Normal(self.prior_mean, self.prior_sd)
        return (
            Parameter(
                "lag_weight", (self.number - 1,), "real", prior,
                f"log weight of the second {unit} and on, against the first", "log ratio", ("lag",),
            ),
        )  # fmt: skip

    @override
    def start(self, delay: float) -> FloatArray:
        return -np.arange(1.0, self.number) / max(delay, 0.1)

    @override
    def lag_weights(self) -> Shape:
        from escalation.kernels.compiled_lags import free_lags

        shape: Shape = free_lags
        return shape
