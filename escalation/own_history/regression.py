"""Penalised regressions that are pulled towards a prior guess."""

from __future__ import annotations

import numpy as np

from escalation.window import FloatArray

NEWTON_STEPS = 50
HALVINGS = 20


def sigmoid(x: FloatArray) -> FloatArray:
    """The logistic function, away from 0 and 1 by e^-30."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))


def logistic(
    x: FloatArray, y: FloatArray, weight: FloatArray, penalty: FloatArray, prior: FloatArray
) -> FloatArray:
    r"""Coefficients of a logistic regression with the penalty :math:`p'(\beta - \beta_0)^2 / 2`.

    Newton's method, from the prior guess.

    Parameters
    ----------
    x : array, shape (R, P)
    y, weight : array, shape (R,)
        0 or 1, and what the row counts.
    penalty, prior : array, shape (P,)
    """
    beta = prior
    for _ in range(NEWTON_STEPS):
        p = sigmoid(x @ beta)
        curvature = (x * (weight * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ x
        slope = x.T @ (weight * (y - p)) - penalty * (beta - prior)
        step = np.linalg.solve(curvature + np.diag(penalty), slope)
        # A full step from far away may overshoot: it is halved until the sum, which is concave,
        # falls no steeper at its end than half of how it rose at its start.
        for _ in range(HALVINGS):
            there = beta + step
            ahead = x.T @ (weight * (y - sigmoid(x @ there))) - penalty * (there - prior)
            if step @ ahead >= -0.5 * (step @ slope):
                break
            step = step / 2
        beta = beta + step
        if np.abs(step).max() < 1e-6:
            break
    return beta


def least_squares(
    x: FloatArray, y: FloatArray, weight: FloatArray, penalty: FloatArray, prior: FloatArray
) -> FloatArray:
    """Coefficients of a least-squares regression with the penalty of `logistic`."""
    weighted = (x * weight[:, None]).T
    right = weighted @ y + penalty * prior
    return np.asarray(np.linalg.solve(weighted @ x + np.diag(penalty), right))


def weighted_quantiles(values: FloatArray, weight: FloatArray, levels: FloatArray) -> FloatArray:
    """Quantiles of weighted values, interpolated between the middles of their weights."""
    order = np.argsort(values)
    mass = np.cumsum(weight[order])
    return np.interp(levels, (mass - weight[order] / 2) / mass[-1], values[order])
