"""Processes of a latent log-rate: what they are made of, their paths, and how they go on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, override

import numpy as np

from escalation.counts.component import RandomWalk
from escalation.counts.latent_settings import Autoregression, PathSetting
from escalation.counts.predictor import IntArray, walk_moves
from escalation.parameters import FloatArray
from escalation.priors import Beta, Prior

#: Prior of the correlation of two steps of an autoregression.
PERSISTENCE = Beta(4.0, 2.0)


@dataclass(frozen=True)
class Process(ABC):
    """A latent log-rate over a window, in units of its scale.

    Attributes
    ----------
    setting : RandomWalk, Autoregression or GaussianProcess
    days : float
        Length of the fitted window.
    """

    setting: PathSetting
    days: float
    #: What the compiled likelihood calls it.
    kind: ClassVar[int]
    #: Name, prior and meaning of the parameter beside the scale, if there is one.
    shape: ClassVar[str] = ""

    @property
    @abstractmethod
    def size(self) -> int:
        """Number M of innovations of a stream."""

    @property
    def scale_meaning(self) -> str:
        """What the scale is."""
        return "standard deviation of the latent log rate"

    def shape_parameter(self) -> tuple[str, str, Prior, str, str] | None:
        """Name, support, prior, meaning and unit of the parameter beside the scale."""
        return None

    def blocks(self, times: FloatArray) -> IntArray:
        """Step (T,) that each time, in days from the window's start, falls into."""
        step = getattr(self.setting, "step", self.days)
        return np.floor(np.maximum(times, 0.0) / step + 1e-9).astype(np.int64)

    @abstractmethod
    def paths(
        self, moves: FloatArray, shape: FloatArray, times: FloatArray, known: FloatArray
    ) -> FloatArray:
        """Paths (n, T, K) in units of the scale, at times within the window.

        Parameters
        ----------
        moves : ndarray (n, K, M)
            Innovations.
        shape : ndarray (n,)
            The parameter beside the scale; not read where there is none.
        times : ndarray (T,)
            Days from the window's start; those before it count as zero.
        known : ndarray (P,)
            Times of the fitted periods, over which a walk is centred.
        """

    def tables(self, known: FloatArray) -> dict[str, Any]:
        """What the compiled likelihood reads of the times (P,) of the fitted periods."""
        block = self.blocks(known)
        states = int(block.max()) + 1
        return {
            "first": np.searchsorted(block, np.arange(states + 1)).astype(np.int64),
            "share": np.bincount(block, minlength=states) / len(known),
            "basis": np.zeros((0, len(known))),
            "frequency": np.zeros(0),
        }

    @abstractmethod
    def onward(
        self,
        moves: FloatArray,
        shape: FloatArray,
        known: FloatArray,
        times: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Paths (n, H, K) in units of the scale, simulated on from the window's last state.

        Parameters
        ----------
        moves, shape : ndarray
            As in `paths`.
        known : ndarray (P,)
            As in `paths`.
        times : ndarray (H,)
            Rising times after it.
        rng : numpy.random.Generator
            Read in the order of time: a longer horizon begins with the same path.
        """


@dataclass(frozen=True)
class WalkProcess(Process):
    """A random walk, centred over the window's periods."""

    setting: RandomWalk
    kind = 0

    @property
    @override
    def size(self) -> int:
        return walk_moves(self.setting, self.days)

    @property
    @override
    def scale_meaning(self) -> str:
        return "standard deviation of a move of the latent log rate"

    def _states(self, moves: FloatArray, known: FloatArray) -> FloatArray:
        """States (M + 1, n, K), centred over the known times."""
        sums = np.cumsum(moves.transpose(2, 0, 1), axis=0)
        states = np.concatenate([np.zeros_like(sums[:1]), sums])
        return np.asarray(states - states[self.blocks(known)].mean(axis=0))

    @override
    def paths(
        self, moves: FloatArray, shape: FloatArray, times: FloatArray, known: FloatArray
    ) -> FloatArray:
        return self._states(moves, known)[self.blocks(times)].transpose(1, 0, 2)

    @override
    def onward(
        self,
        moves: FloatArray,
        shape: FloatArray,
        known: FloatArray,
        times: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        end = self._states(moves, known)[int(self.blocks(known)[-1])]
        ahead = self.blocks(times) - int(self.blocks(known)[-1])
        fresh = rng.standard_normal((int(ahead.max()), *end.shape))
        walk = np.concatenate([end[None], end + np.cumsum(fresh, axis=0)])
        return walk[ahead].transpose(1, 0, 2)


@dataclass(frozen=True)
class AutoregressionProcess(Process):
    """A stationary first-order autoregression in steps."""

    setting: Autoregression
    kind = 1
    shape = "persistence"

    @property
    @override
    def size(self) -> int:
        return max(1, int(np.ceil(self.days / self.setting.step - 1e-9)))

    @override
    def shape_parameter(self) -> tuple[str, str, Prior, str, str]:
        return (
            "persistence", "unit", PERSISTENCE,
            f"correlation of the latent log rate with itself {self.setting.step:g} days later", "",
        )  # fmt: skip

    def _states(self, moves: FloatArray, shape: FloatArray) -> FloatArray:
        out = np.empty((moves.shape[2], *moves.shape[:2]))
        keep = shape[:, None]
        fresh = np.sqrt(1 - keep**2)
        out[0] = moves[:, :, 0]
        for b in range(1, len(out)):
            out[b] = keep * out[b - 1] + fresh * moves[:, :, b]
        return out

    @override
    def paths(
        self, moves: FloatArray, shape: FloatArray, times: FloatArray, known: FloatArray
    ) -> FloatArray:
        return self._states(moves, shape)[self.blocks(times)].transpose(1, 0, 2)

    @override
    def onward(
        self,
        moves: FloatArray,
        shape: FloatArray,
        known: FloatArray,
        times: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        begin = int(self.blocks(known)[-1])
        ahead = self.blocks(times) - begin
        keep = shape[:, None]
        fresh = np.sqrt(1 - keep**2)
        states = [self._states(moves, shape)[begin]]
        for _ in range(int(ahead.max())):
            states.append(keep * states[-1] + fresh * rng.standard_normal(states[-1].shape))
        return np.stack(states)[ahead].transpose(1, 0, 2)
