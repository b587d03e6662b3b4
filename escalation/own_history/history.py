"""What is known of many units, as arrays: levels with their watch, and memories of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from escalation.series import CountSeries
from escalation.window import BoolArray, FloatArray

HALF_LIVES = (1.0, 3.0, 9.0, 30.0, 120.0)
"""Of the memories of the log level and of busy periods, in periods."""

LONGEST_SILENCE = 120.0
"""Periods without incidents after which a unit is as quiet as it gets."""

AHEAD = 8
"""Periods over which a unit's own past errors are measured."""

USUAL_MISS = 0.6
"""What the mean past error is taken to be before there is any."""

QUIET = 0.01
"""A unit is quiet when the busy share of its last periods (half-life 30) is below this."""


@dataclass(frozen=True, eq=False)
class History:
    """Levels of K units over T periods.

    Parameters
    ----------
    level : array of float64, shape (T, K)
        Incidents per fully watched period; NaN where the unit was not watched.
    weight : array of float64, shape (T, K)
        The share of the period in which the unit was watched, 0 to 1.
    """

    level: FloatArray
    weight: FloatArray

    @classmethod
    def of(cls, series: CountSeries) -> History:
        """Read a series: every stream is a unit, and those of a panel have a watch of their own."""
        weight = series.watch
        level = np.full(weight.shape, np.nan)
        np.divide(series.counts, weight, out=level, where=weight > 0)
        return cls(level, weight)

    def __len__(self) -> int:
        """Count the periods, T."""
        return len(self.level)

    @property
    def known(self) -> BoolArray:
        """Where a unit was watched, (T, K)."""
        return np.asarray(self.weight > 0)

    @property
    def quiet(self) -> BoolArray:
        """Where a unit had hardly any incident in its last periods, (T, K)."""
        return np.asarray(self.memories["busy 30"] < QUIET)

    @cached_property
    def memories(self) -> Mapping[str, FloatArray]:
        """What was known of each unit at the end of each period, (T, K) each.

        Exponentially weighted means with the half-life in the name: "log 3" of log(1 + y), "busy 9"
        of whether y > 0, "mean 12" of y (then log(1 + .)), "jump 6" of the distance of log(1 + y)
        from "log 3" of the period before, "flip 12" the like of "busy 3"; "miss 12" of its distance
        from "log 3" of eight periods before, the error that a plain forecast made of this unit,
        and "log miss 12" the log of .1 more than that; "busy jump 12" of the distance of log y from
        its own mean (half-life 3) before, periods with y = 0 left out; "most 12", the highest
        log(1 + y) of as many periods; and "silence", the log of the periods since y > 0.
        """
        logs = np.log1p(self.level)
        busy = np.where(self.known, self.level > 0, np.nan)
        found = named("log", logs, self.weight, HALF_LIVES)
        found |= named("busy", busy, self.weight, HALF_LIVES)
        means = named("mean", self.level, self.weight, (3.0, 12.0, 60.0))
        found |= {name: np.log1p(values) for name, values in means.items()}
        jumps = np.abs(logs - before(found["log 3"]))
        found |= named("jump", jumps, self.weight, (6.0, 30.0))
        misses = missed(logs, found["log 3"], self.weight)
        found |= misses | {f"log {name}": np.log(mean + 0.1) for name, mean in misses.items()}
        found |= {"busy jump 12": busy_jumps(self.level, self.weight)}
        found |= named("flip", np.abs(busy - before(found["busy 3"])), self.weight, (12.0,))
        found |= {f"most {w}": highest(np.nan_to_num(logs), w) for w in (12, 60)}
        return found | {"silence": silence(self.level, self.weight)}


def named(
    name: str, values: FloatArray, weight: FloatArray, half_lives: Sequence[float]
) -> dict[str, FloatArray]:
    """Memories by their names, as in "log 3"."""
    means = memory(values, weight, half_lives)
    return {f"{name} {h:g}": mean for h, mean in zip(half_lives, means, strict=True)}


def memory(values: FloatArray, weight: FloatArray, half_lives: Sequence[float]) -> FloatArray:
    r"""Exponentially weighted means of what was known up to and with each period.

    .. math:: m_t = \sum_{s \le t} 2^{-(t-s)/h} w_s x_s \Big/ \sum_{s \le t} 2^{-(t-s)/h} w_s

    Parameters
    ----------
    values : array, shape (T, K)
        Not looked at where the weight is 0.
    weight : array, shape (T, K)
    half_lives : sequence of float
        In periods, M of them.

    Returns
    -------
    array, shape (M, T, K)
        0 before anything was known; kept while nothing more is.
    """
    decay = 0.5 ** (1 / np.asarray(half_lives, dtype=np.float64))[:, None]
    weighted = np.where(weight > 0, values, 0.0) * weight
    means = np.zeros((len(decay), *weight.shape))
    total = np.zeros((len(decay), weight.shape[1]))
    mass = np.zeros_like(total)
    for t in range(len(weight)):
        # Without new weight the mean stays, also where its mass would fade below any number.
        fade = np.where(weight[t] > 0, decay, 1.0)
        total = total * fade + weighted[t]
        mass = mass * fade + weight[t]
        np.divide(total, mass, out=means[:, t], where=mass > 0)
    return means


def before(values: FloatArray, periods: int = 1) -> FloatArray:
    """Values of so many periods before, 0 for the first ones."""
    return np.vstack([np.zeros((periods, values.shape[1])), values])[: len(values)]


def missed(logs: FloatArray, middle: FloatArray, weight: FloatArray) -> dict[str, FloatArray]:
    """Memories of how far the log level was from where it stood `AHEAD` periods before.

    A unit that was not yet watched then made no error; before its first one, it is `USUAL_MISS`.
    """
    weight = np.where(before(np.cumsum(weight, axis=0), AHEAD) > 0, weight, 0.0)
    found = named("miss", np.abs(logs - before(middle, AHEAD)), weight, (12.0, 30.0))
    any_yet = np.cumsum(weight, axis=0) > 0
    return {name: np.where(any_yet, mean, USUAL_MISS) for name, mean in found.items()}


def busy_jumps(level: FloatArray, weight: FloatArray) -> FloatArray:
    """Memory of how far the log of a level above zero is from the last ones above zero."""
    some = (weight > 0) & (level > 0)
    logs, weight = np.log(np.where(some, level, 1.0)), np.where(some, weight, 0.0)
    (middle,) = memory(logs, weight, (3.0,))
    earlier = before(np.cumsum(weight, axis=0)) > 0
    jumps = np.abs(logs - before(middle))
    return np.asarray(memory(jumps, np.where(earlier, weight, 0.0), (12.0,))[0])


def highest(values: FloatArray, periods: int) -> FloatArray:
    """Highest value of the last periods, shape (T, K)."""
    padded = np.vstack([np.zeros((periods - 1, values.shape[1])), values])
    windows = np.lib.stride_tricks.sliding_window_view(padded, periods, axis=0)
    return np.asarray(windows.max(axis=-1))


def silence(level: FloatArray, weight: FloatArray) -> FloatArray:
    """Log of one more than the periods since the last incident, shape (T, K).

    A period that was not watched counts as one without incidents. Before the first incident, and
    after 120 periods, it is as long as it gets.
    """
    since = np.full(level.shape[1], LONGEST_SILENCE)
    found = np.zeros(level.shape)
    for t in range(len(level)):
        busy = (weight[t] > 0) & (level[t] > 0)
        since = np.where(busy, 0.0, np.minimum(since + 1, LONGEST_SILENCE))
        found[t] = since
    return np.log1p(found)
