"""A pull of the arrows between streams towards zero."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from escalation.parameters import Parameter
from escalation.priors import ExponentialPrior, HalfNormal


@dataclass(frozen=True)
class Shrinkage:
    """A pull of the arrows between streams towards zero, in every engine, for many streams.

    Attributes
    ----------
    kind : {"lasso", "ridge"}
        An exponential law, whose maximum has exact zeros, or a half-normal one.
    scale : float
        Mean of the exponential law, or scale of the half-normal one.
    """

    kind: str = "lasso"
    scale: float = 0.05

    def __post_init__(self) -> None:
        if self.kind not in ("lasso", "ridge"):
            raise ValueError(f"shrinkage must be lasso or ridge, got {self.kind!r}")
        if not self.scale > 0:
            raise ValueError(f"the scale of a shrinkage must be positive, got {self.scale}")

    def apply(self, parameter: Parameter) -> Parameter:
        """The reproduction matrix with the pull as its prior; own effects keep a wide one."""
        scale = np.full(parameter.shape, self.scale)
        scale[..., np.eye(parameter.shape[-1], dtype=bool)] = 0.4
        law = ExponentialPrior(1 / scale) if self.kind == "lasso" else HalfNormal(scale)
        return replace(parameter, prior=law, penalised=True)
