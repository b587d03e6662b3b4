"""A smooth latent log-rate: a Gaussian process by its waves, going on by its state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, override

import numpy as np

from escalation.counts.latent_process import Process
from escalation.counts.latent_settings import GaussianProcess
from escalation.counts.waves import amplitudes, basis_rows, wave_numbers
from escalation.parameters import FloatArray
from escalation.priors import LogNormal, Prior


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
        out: FloatArray = -np.einsum("nm,im,jm->nij", variance, rows, rows)
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
