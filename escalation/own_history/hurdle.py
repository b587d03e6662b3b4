"""The smooth hurdle: whether anything happens, and how much, as smooth functions of the past."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from escalation.own_history.history import History, memory, silence
from escalation.own_history.model import OwnHistoryModel
from escalation.own_history.paths import middle_levels, whole
from escalation.window import FloatArray

HIGHEST_LOG = 14.0
"""No draw is above e^14, a million incidents a period."""


@dataclass(frozen=True)
class SmoothHurdle(OwnHistoryModel):
    r"""A hurdle law of the level whose parts are pooled regressions on memories of the past.

    .. math::
        \mathrm{logit}\, P(y_{t+h} > 0) = x_{th}'\beta, \qquad
        \log y_{t+h} \mid y_{t+h} > 0 = x_{th}'\mu + e^{x_{th}'\sigma} \varepsilon

    x holds exponentially weighted means (`half_lives`) of log(1 + y) and of the share of periods
    with incidents, log means of y, the time since the last incident, the log of the step h and its
    products with the shorter memories. The coefficients are common to all units, estimated by
    penalised maximum likelihood and least squares over all past origins with the steps `steps`,
    recent ones weighing more; the law of epsilon is that of the standardised residuals.

    Parameters
    ----------
    half_lives : tuple of float
        Of the memories, in periods, from short to long.
    steps : tuple of int
        Steps ahead at which the regressions are learned; others are read off log h, none beyond
        the last.
    age : float
        Half-life of an observation's weight in the estimation, in periods.
    ridge : float
        Penalty on a standardised coefficient, in observations.
    """

    name: ClassVar[str] = "smooth hurdle"
    half_lives: tuple[float, ...] = (1.0, 3.0, 9.0, 30.0, 120.0)
    steps: tuple[int, ...] = (3, 5, 8, 11, 14)
    age: float = 240.0
    ridge: float = 5.0

    def __post_init__(self) -> None:
        if not self.half_lives or min(self.half_lives) <= 0:
            raise ValueError(f"half_lives must be above 0, not {self.half_lives}")
        if not self.steps or min(self.steps) < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}")
        if self.age <= 0 or self.ridge <= 0:
            raise ValueError(f"age and ridge must be above 0, not {self.age} and {self.ridge}")

    def learn(self, history: History) -> Mapping[str, FloatArray]:
        """Estimate the coefficients of the three regressions and the law of the residuals."""
        x, y, weight = self._rows(history)
        scale = x.std(axis=0)
        scale[scale < 1e-9] = 1.0
        x = x / scale
        penalty = np.full(x.shape[1], self.ridge)
        penalty[0] = 1e-3
        occurrence = logistic(x, (y > 0).astype(np.float64), weight, penalty)
        some = y > 0
        x, weight, log_size = x[some], weight[some], np.log(y[some])
        size = least_squares(x, log_size, weight, penalty)
        residual = log_size - x @ size
        spread = least_squares(x, np.log(np.abs(residual) + 0.1), weight, 4 * penalty)
        shape = weighted_quantiles(residual / np.exp(x @ spread), weight, middle_levels(1000))
        return {
            "occurrence": occurrence / scale,
            "size": size / scale,
            "spread": spread / scale,
            "shape": shape,
        }

    def draws(
        self, history: History, learned: Mapping[str, FloatArray], horizon: int, n: int
    ) -> FloatArray:
        """Even draws of each coming period by itself: counts, shape (n, horizon, K)."""
        last = np.repeat(self._features(history)[-1][None], horizon, axis=0)
        ahead = np.minimum(np.arange(1.0, horizon + 1), max(self.steps))
        x = self._design(last, np.repeat(ahead[:, None], last.shape[1], axis=1))
        some = sigmoid(x @ learned["occurrence"])
        level = (middle_levels(n)[:, None, None] - (1 - some)) / some
        places = middle_levels(len(learned["shape"]))
        noise = np.interp(level, places, learned["shape"])
        log_size = x @ learned["size"] + np.exp(np.minimum(x @ learned["spread"], 3.0)) * noise
        size = np.maximum(np.exp(np.minimum(log_size, HIGHEST_LOG)), 1.0)
        return whole(np.where(level > 0, size, 0.0))

    def _features(self, history: History) -> FloatArray:
        """What is known of each unit at each period, shape (T, K, F)."""
        level, weight = history.level, history.weight
        logs = memory(np.log1p(level), weight, self.half_lives)
        busy = memory((level > 0).astype(np.float64), weight, self.half_lives)
        means = np.log1p(memory(level, weight, (3.0, 12.0, 60.0)))
        return np.stack([*logs, *busy, *means, silence(level, weight)], axis=-1)

    def _design(self, features: FloatArray, step: FloatArray) -> FloatArray:
        """Features (..., F) and steps (...) as a row of the regressions."""
        m = len(self.half_lives)
        places = [*range(min(3, m)), *range(m, m + min(3, m)), -1]
        log_step = np.log(step / 8.0)[..., None]
        parts = [
            np.ones_like(log_step), features, log_step, log_step * features[..., places],
        ]  # fmt: skip
        return np.concatenate(parts, axis=-1)

    def _rows(self, history: History) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Design (R, P), what came (R,) and weights (R,) of all past origins and steps."""
        features, end = self._features(history), len(history)
        known = history.weight > 0
        first = min(36, end // 3)
        found: list[tuple[FloatArray, FloatArray, FloatArray]] = []
        for step in self.steps:
            origins = np.arange(first, end - step)
            if len(origins) == 0:
                continue
            both = known[origins] & known[origins + step]
            y, age = history.level[origins + step], end - 1 - origins - step
            weight = 0.5 ** (age / self.age)[:, None] * history.weight[origins + step]
            rows = self._design(features[origins][both], np.full(int(both.sum()), float(step)))
            found.append((rows, y[both], weight[both]))
        x, y, weight = (np.concatenate(part) for part in zip(*found, strict=True))
        return x, y, weight


def sigmoid(x: FloatArray) -> FloatArray:
    """The logistic function, away from 0 and 1 by e^-30."""
    return np.asarray(1 / (1 + np.exp(-np.clip(x, -30, 30))))


def logistic(x: FloatArray, y: FloatArray, weight: FloatArray, penalty: FloatArray) -> FloatArray:
    """Coefficients of a penalised logistic regression, by Newton's method."""
    beta = np.zeros(x.shape[1])
    for _ in range(25):
        p = sigmoid(x @ beta)
        curvature = (x * (weight * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ x
        slope = x.T @ (weight * (y - p)) - penalty * beta
        step = np.linalg.solve(curvature + np.diag(penalty), slope)
        beta = beta + step
        if np.abs(step).max() < 1e-6:
            break
    return beta


def least_squares(
    x: FloatArray, y: FloatArray, weight: FloatArray, penalty: FloatArray
) -> FloatArray:
    """Coefficients of a penalised least-squares regression."""
    weighted = (x * weight[:, None]).T
    return np.asarray(np.linalg.solve(weighted @ x + np.diag(penalty), weighted @ y))


def weighted_quantiles(values: FloatArray, weight: FloatArray, levels: FloatArray) -> FloatArray:
    """Quantiles of weighted values, interpolated between the middles of their weights."""
    order = np.argsort(values)
    mass = np.cumsum(weight[order])
    return np.interp(levels, (mass - weight[order] / 2) / mass[-1], values[order])
