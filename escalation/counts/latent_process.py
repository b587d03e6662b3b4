"""Processes of a latent log-rate: what they are made of, their paths, and how they go on."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, override

import numpy as np

from escalation.counts.component import RandomWalk
from escalation.counts.latent_settings import Autoregression, GaussianProcess, PathSetting
from escalation.counts.predictor import IntArray, walk_moves
from escalation.counts.random_scales import GRID, FreeScale
from escalation.counts.waves import amplitudes, basis_rows, wave_numbers
from escalation.parameters import (
    Beta,
    FloatArray,
    HalfNormal,
    LogNormal,
    Normal,
    Parameter,
    Prior,
)

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


@dataclass(frozen=True)
class SmoothProcess(Process):
    """A Matérn 3/2 process by its waves."""

    setting: GaussianProcess
    kind = 2
    shape = "length"

    @property
    @override
    def size(self) -> int:
        one = self.setting
        if one.waves is not None:
            return one.waves
        return max(4, int(np.ceil(3.42 * self.domain / one.prior_length)))

    @property
    def domain(self) -> float:
        """Width of the domain of the waves, in days."""
        one = self.setting
        if one.margin is not None:
            return one.margin * self.days
        # Half a window times the margin 4.5 length / half a window, on either side.
        return max(1.4 * self.days, 9.0 * one.prior_length)

    @override
    def shape_parameter(self) -> tuple[str, str, Prior, str, str]:
        return (
            "length", "positive", LogNormal(self.setting.prior_length, 0.5),
            "length-scale of the latent log rate", "days",
        )  # fmt: skip

    def basis(self, times: FloatArray) -> FloatArray:
        """Waves (M, T) at times in days from the window's start."""
        return basis_rows(times, self.days, self.domain, self.size)

    @override
    def paths(
        self, moves: FloatArray, shape: FloatArray, times: FloatArray, known: FloatArray
    ) -> FloatArray:
        basis = self.basis(np.maximum(times, 0.0))
        weights = moves * amplitudes(wave_numbers(self.domain, self.size), shape)[:, None]
        return np.asarray(np.einsum("nkm,mt->ntk", weights, basis))

    @override
    def tables(self, known: FloatArray) -> dict[str, Any]:
        return {
            "first": np.array([0, len(known)], np.int64),
            "share": np.ones(1),
            "basis": self.basis(known),
            "frequency": wave_numbers(self.domain, self.size),
        }

    def missing(self, shape: FloatArray, time: float) -> FloatArray:
        """Covariance (n, 2, 2) of value and slope at a time that the waves leave out."""
        waves = wave_numbers(self.domain, self.size)
        variance = amplitudes(waves, shape) ** 2
        rows = np.stack([
            self.basis(np.array([time]))[:, 0],
            basis_rows(np.array([time]), self.days, self.domain, self.size, slope=True)[:, 0],
        ])  # fmt: skip
        out = -np.einsum("nm,im,jm->nij", variance, rows, rows)
        out[:, 0, 0] += 1.0
        out[:, 1, 1] += 3 / shape**2
        return out

    @override
    def onward(
        self,
        moves: FloatArray,
        shape: FloatArray,
        known: FloatArray,
        times: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        # Value and slope are the process' whole state (Hartikainen & Särkkä 2010).
        end = float(known[-1])
        waves = wave_numbers(self.domain, self.size)
        weights = moves * amplitudes(waves, shape)[:, None]
        slope = basis_rows(np.array([end]), self.days, self.domain, self.size, slope=True)[:, 0]
        state = np.stack([weights @ self.basis(np.array([end]))[:, 0], weights @ slope], axis=2)
        state = state + _noise(self.missing(shape, end), state.shape, rng)
        rate = np.sqrt(3.0) / shape
        whole = np.zeros((len(shape), 2, 2))
        whole[:, 0, 0], whole[:, 1, 1] = 1.0, rate**2
        out = np.empty((len(times), *state.shape[:2]))
        for h, gap in enumerate(np.diff(times, prepend=end)):
            turn = np.exp(-rate * gap)[:, None, None] * np.stack([
                np.stack([1 + rate * gap, np.full_like(rate, gap)], axis=1),
                np.stack([-(rate**2) * gap, 1 - rate * gap], axis=1),
            ], axis=1)  # fmt: skip
            fresh = whole - turn @ whole @ turn.transpose(0, 2, 1)
            state = np.einsum("nij,nkj->nki", turn, state) + _noise(fresh, state.shape, rng)
            out[h] = state[:, :, 0]
        return out.transpose(1, 0, 2)


def _noise(covariance: FloatArray, shape: tuple[int, ...], rng: np.random.Generator) -> FloatArray:
    """Normal draws (n, K, 2) with covariances (n, 2, 2), negative eigenvalues taken as zero."""
    # Scaled: a slope in log rates a day is small beside a value.
    spread = np.sqrt(np.maximum(np.einsum("nii->ni", covariance), 1e-300))
    values, vectors = np.linalg.eigh(covariance / (spread[:, :, None] * spread[:, None]))
    root = vectors * np.sqrt(np.maximum(values, 0.0))[:, None] * spread[:, :, None]
    return np.asarray(np.einsum("nij,nkj->nki", root, rng.standard_normal(shape)))


def process_of(setting: PathSetting, days: float) -> Process:
    """The process of a setting over a window of so many days."""
    if isinstance(setting, RandomWalk):
        return WalkProcess(setting, days)
    if isinstance(setting, Autoregression):
        return AutoregressionProcess(setting, days)
    if isinstance(setting, GaussianProcess):
        return SmoothProcess(setting, days)
    raise ValueError(
        "path must be a RandomWalk, an Autoregression or a GaussianProcess, "
        f"got {type(setting).__name__}"
    )


def path_parameters(process: Process, streams: int) -> tuple[Parameter, ...]:
    """Innovations of each stream, their scale, and the parameter beside it."""
    setting = process.setting
    out = [
        Parameter(
            "path", (streams, process.size), "real", Normal(0.0, 1.0),
            "innovations of the latent log rate, in units of their scale", "",
            ("stream", "move"), penalised=True,
        )
    ]  # fmt: skip
    if setting.scale is None:
        out.append(
            Parameter(
                "path_scale", (), "nonnegative", HalfNormal(setting.prior_scale),
                process.scale_meaning, "log ratio",
            )
        )  # fmt: skip
    shape = process.shape_parameter()
    if shape is not None and getattr(setting, process.shape) is None:
        name, support, prior, meaning, unit = shape
        out.append(Parameter(name, (), support, prior, meaning, unit))
    return tuple(out)


def free_of(setting: PathSetting) -> tuple[FreeScale, ...]:
    """Numbers of a process that are left to the data, and the values that are tried for them."""
    out = []
    if setting.scale is None:
        prior = HalfNormal(setting.prior_scale)
        out.append(FreeScale(("path", "scale"), "path_scale", prior, GRID * setting.prior_scale))
    if isinstance(setting, Autoregression) and setting.persistence is None:
        odds = np.exp(np.linspace(-1.5, 4.5, 9))
        out.append(
            FreeScale(
                ("path", "persistence"), "persistence", PERSISTENCE, odds / (1 + odds), unit=True
            )
        )  # fmt: skip
    if isinstance(setting, GaussianProcess) and setting.length is None:
        prior = LogNormal(setting.prior_length, 0.5)
        grid = np.geomspace(0.5, 4.0, 9) * setting.prior_length
        out.append(FreeScale(("path", "length"), "length", prior, grid))
    return tuple(out)
