"""A maximum, and the algebra of information matrices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from escalation.parameters import BoolArray, FloatArray

#: Up to so many unknowns a linear system is small.
FEW = 40
#: Smallest eigenvalue of the scaled information that still counts as information.
SINGULAR = 1e-7
#: Second derivatives below this come from rounding alone.
SILENT = 1e-5


@dataclass(frozen=True)
class Optimum:
    """A maximum on the working scale.

    Attributes
    ----------
    x : ndarray (f,)
        Free entries on the working scale.
    value : float
    gradient : ndarray (f,)
    information : ndarray (f, f)
        Minus the Hessian on the working scale.
    bound : ndarray of bool (f,)
        Entries that sit on a bound.
    silent : ndarray of bool (f,)
        Entries that the function does not depend on at the maximum.
    converged : bool
    """

    x: FloatArray
    value: float
    gradient: FloatArray
    information: FloatArray
    bound: BoolArray
    silent: BoolArray
    converged: bool

    @property
    def vanishing(self) -> BoolArray:
        """Entries (f,) that the function would send to minus infinity, on a log scale.

        The log of a rate without a single event: the function falls like the rate itself.
        """
        curvature = np.diag(self.information)
        slope = -self.gradient
        falling = (slope > 0) & (slope < 1e-2) & (self.x < 0) & ~self.silent
        return np.asarray(falling & (curvature < 3 * slope + SILENT))

    def diagnostics(self, labels: Sequence[str]) -> dict[str, Any]:
        """Whether it was reached, how flat it is, and which entries sit on a bound."""
        return {
            "converged": bool(self.converged),
            "gradient": float(np.abs(self.gradient[~self.bound]).max(initial=0.0)),
            "at_bound": [labels[int(i)] for i in np.flatnonzero(self.bound)],
            "singular": self.singular,
        }

    @property
    def singular(self) -> bool:
        """Whether some direction off the bounds carries no information, silent entries apart."""
        inner = ~self.bound & ~self.silent & ~self.vanishing
        information = self.information[np.ix_(inner, inner)]
        diagonal = np.diag(information)
        if not np.all(diagonal > 0):
            return True
        scale = np.sqrt(diagonal)
        values = np.linalg.eigvalsh(information / np.outer(scale, scale))
        return bool(values.size and values[0] < SINGULAR)

    @property
    def evidence(self) -> float:
        """Laplace's approximation of the log of the integral, for a log-posterior.

        An entry on its bound contributes the integral of the exponential that falls from there.
        """
        inner = ~self.bound
        _, log_determinant = np.linalg.slogdet(self.information[np.ix_(inner, inner)])
        falling = np.maximum(np.abs(self.gradient[self.bound]), 1e-3)
        volume = 0.5 * inner.sum() * np.log(2 * np.pi) - 0.5 * log_determinant
        return float(self.value + volume - np.log(falling).sum())


def newton_step(information: FloatArray, gradient: FloatArray, damping: float) -> FloatArray:
    """Newton step, with negative or vanishing curvature replaced by its size."""
    scale = np.sqrt(np.maximum(np.abs(np.diag(information)), 1e-10))
    scaled = information / np.outer(scale, scale)
    try:
        raised = scaled + (damping + 1e-9) * np.eye(len(scaled))
        # Few entries: three quick calls, where SciPy's two spend most of their time on checks.
        if len(raised) <= FEW:
            half = np.linalg.cholesky(raised)
            found = np.linalg.solve(half.T, np.linalg.solve(half, gradient / scale))
            return np.asarray(found / scale)
        from scipy.linalg import cho_factor, cho_solve

        return np.asarray(cho_solve(cho_factor(raised), gradient / scale) / scale)
    except np.linalg.LinAlgError:
        values, vectors = np.linalg.eigh(scaled)
        values = np.maximum(np.abs(values), 1e-9) + damping
        return np.asarray(vectors @ ((vectors.T @ (gradient / scale)) / values) / scale)


def positive_part(matrix: FloatArray) -> FloatArray:
    """A symmetric matrix (f, f) without its negative eigenvalues."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


def inverse(information: FloatArray) -> FloatArray:
    """Covariance of an information matrix, directions without information kept wide."""
    scale = np.sqrt(np.maximum(np.diag(information), 1e-12))
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    values = np.maximum(values, SINGULAR)
    return np.asarray((vectors / values) @ vectors.T / np.outer(scale, scale))
