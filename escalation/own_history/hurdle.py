"""The smooth hurdle: whether anything happens, and how much, as smooth functions of the past."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import ClassVar

import numpy as np

from escalation.own_history.history import HALF_LIVES, History
from escalation.own_history.model import OwnHistoryModel
from escalation.own_history.origins import past_origins
from escalation.own_history.paths import middle_levels, whole
from escalation.own_history.regression import (
    least_squares,
    logistic,
    sigmoid,
    weighted_quantiles,
)
from escalation.window import BoolArray, FloatArray

LEVELS = (
    *(f"log {h:g}" for h in HALF_LIVES),
    *(f"busy {h:g}" for h in HALF_LIVES),
    "mean 3",
    "mean 12",
    "mean 60",
    "silence",
)
CHANGES = ("jump 6", "jump 30", "flip 12", "most 12", "most 60", "log miss 12", "log miss 30")
FADING = ("log 1", "log 3", "log 9", "busy 1", "busy 3", "busy 9", "silence")
"""Memories whose coefficient depends on the step ahead."""

HIGHEST_LOG = 13.0
"""No draw is above e^13, some 440,000 incidents a period."""

NARROWEST = 0.2
"""The least standard deviation by which a column of the design is standardised."""

WIDEST = 2.0
"""The largest log scale of a size."""

GUESS = {
    "occurrence": {"one": -3.0, "busy 9": 6.0},
    "size": {"mean 12": 1.0},
    "spread": {"one": -1.0},
}
"""What the coefficients are before any data: the last year goes on."""


@dataclass(frozen=True)
class SmoothHurdle(OwnHistoryModel):
    r"""A hurdle law of the level whose parts are pooled regressions on memories of the past.

    .. math::
        \mathrm{logit}\, P(y_{t+h} > 0) = x_{th}'\beta, \qquad
        \log y_{t+h} \mid y_{t+h} > 0 = z_{th}'\mu + e^{x_{th}'\sigma} \varepsilon

    z holds memories of the level (`History.memories`), the log of the step h and its products with
    the shorter ones; x also memories of how much the level jumps, and of how far the unit went from
    where it stood. The coefficients are common to all units, estimated by penalised maximum
    likelihood (occurrence) and least squares (log size, and the log of its absolute residual) over
    all past origins with the steps `steps`, recent ones weighing more; the law of epsilon is that
    of the standardised residuals.

    Parameters
    ----------
    steps : tuple of int
        Steps ahead at which the regressions are learned; others are read off log h, none beyond
        the last.
    age : float
        Half-life of an observation's weight in the estimation, in periods.
    ridge : float
        Weight of the prior guess of a standardised coefficient, in observations.
    """

    name: ClassVar[str] = "smooth hurdle"
    steps: tuple[int, ...] = (3, 8, 14)
    age: float = 240.0
    ridge: float = 5.0

    def __post_init__(self) -> None:
        if not self.steps or min(self.steps) < 1:
            raise ValueError(f"steps must be at least 1, not {self.steps}")
        if self.age <= 0 or self.ridge <= 0:
            raise ValueError(f"age and ridge must be above 0, not {self.age} and {self.ridge}")

    def learn(self, history: History) -> Mapping[str, FloatArray]:
        """Estimate the coefficients of the three regressions and the law of the residuals."""
        x, y, weight = self._rows(history)
        levels = _is_level(x.shape[1])
        some = y > 0
        occurrence = _standardised(
            logistic, "occurrence", x, np.where(some, 1.0, 0.0), weight, self.ridge
        )
        x, weight, log_size = x[some], weight[some], np.log(y[some])
        z = x[:, levels]
        size = _standardised(least_squares, "size", z, log_size, weight, self.ridge)
        residual = log_size - z @ size
        log_residual = np.log(np.abs(residual) + 0.1)
        spread = _standardised(least_squares, "spread", x, log_residual, weight, 4 * self.ridge)
        # The scale is that of the median residual, so the prior guess has a wide unit.
        normal = NormalDist(0.0, 1.9)
        guess = np.array([normal.inv_cdf(p) for p in middle_levels(100).tolist()])
        values = np.concatenate([guess, residual / np.exp(x @ spread)])
        weight = np.concatenate([np.full(len(guess), self.ridge / len(guess)), weight])
        shape = weighted_quantiles(values, weight, middle_levels(1000))
        return {"occurrence": occurrence, "size": size, "spread": spread, "shape": shape}

    def draws(
        self, history: History, learned: Mapping[str, FloatArray], horizon: int, n: int
    ) -> FloatArray:
        """Even draws of each coming period by itself: counts, shape (n, horizon, K)."""
        ahead = np.minimum(np.arange(1, horizon + 1), max(self.steps))
        at = np.full(history.level.shape[1], len(history) - 1)
        everyone = np.arange(len(at))
        x = np.stack([_design(history, at, everyone, int(h)) for h in ahead])
        some = sigmoid(x @ learned["occurrence"])
        level = (middle_levels(n)[:, None, None] - (1 - some)) / some
        places = middle_levels(len(learned["shape"]))
        noise = np.interp(level, places, learned["shape"])
        scale = np.exp(np.minimum(x @ learned["spread"], WIDEST))
        log_size = x[..., _is_level(x.shape[-1])] @ learned["size"] + scale * noise
        size = np.maximum(np.exp(np.clip(log_size, 0.0, HIGHEST_LOG)), 1.0)
        return whole(np.where(level > 0, size, 0.0))

    def _rows(self, history: History) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Design (R, P), what came (R,) and weights (R,) of past origins and steps."""
        found = []
        for step in self.steps:
            at, unit, weight = past_origins(history, step, self.age)
            y = history.level[at + step, unit]
            found.append((_design(history, at, unit, step), y, weight))
        x, y, weight = (np.concatenate(part) for part in zip(*found, strict=True))
        return x, y, weight


def _columns() -> list[str]:
    """Names of the columns of the design; the part that is no change of the level first."""
    return ["one", *LEVELS, "step", *(f"step * {name}" for name in FADING), *CHANGES]


def _is_level(columns: int) -> BoolArray:
    return np.arange(columns) < columns - len(CHANGES)


def _design(history: History, at: np.ndarray, unit: np.ndarray, step: int) -> FloatArray:
    """Rows of the regressions, (R, P), for origins `at` of units at one step ahead."""
    known = history.memories
    log_step = np.log(step / 8.0)
    fading = [log_step * known[name][at, unit] for name in FADING]
    levels = [known[name][at, unit] for name in LEVELS]
    changes = [known[name][at, unit] for name in CHANGES]
    one = np.ones(len(at))
    return np.stack([one, *levels, log_step * one, *fading, *changes], axis=1)


def _standardised(
    regress: Callable[..., FloatArray],
    part: str,
    x: FloatArray,
    y: FloatArray,
    weight: FloatArray,
    ridge: float,
) -> FloatArray:
    """Coefficients of a regression whose penalty looks at standardised columns."""
    scale = x.std(axis=0) if len(x) else np.ones(x.shape[1])
    # What hardly differed among the rows must not decide about units that differ in it by much.
    scale = np.where(scale < 1e-9, 1.0, np.maximum(scale, NARROWEST))
    names = _columns()[: x.shape[1]]
    prior = np.array([GUESS[part].get(name, 0.0) for name in names]) * scale
    penalty = np.full(len(names), ridge)
    penalty[0] = 1e-3 if len(x) else ridge
    found = regress(x / scale, y, weight, penalty, prior)
    return found / scale
