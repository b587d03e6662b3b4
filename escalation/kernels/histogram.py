"""The histogram kernel: a delay density of no given form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.kernels.base import ContinuousKernel, IntArray, Pointwise, Shape
from escalation.parameters import FloatArray, Parameter
from escalation.priors import Normal

#: Edges in days, roughly doubling, up to two months.
EDGES = (0.0, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0)


@dataclass(frozen=True)
class Histogram(ContinuousKernel):
    r"""A piecewise constant delay density, smoothed.

    .. math:: g(u) = e^{\eta_b} \Big/ \sum_a (e_{a+1} - e_a)\, e^{\eta_a}, \qquad
              e_b \le u < e_{b+1}

    The logarithms of the heights start at :math:`\eta_0 = 0`, take the step `slope` from the first
    bin to the second, and change their step by `bend` from each bin to the next: second
    differences, whose normal law is the penalty on roughness. Every engine uses it, maximum
    likelihood too: heights that hold no pair of events would be lost without. With edges in
    geometric steps, no bend is a power law, with even ones, an exponential.

    Attributes
    ----------
    edges : tuple of float
        Edges of the bins, days or periods, rising from zero. Later offspring there are none.
    roughness : float
        Standard deviation of the bends: smaller is smoother.
    steepness : float
        Standard deviation of the first step.

    Raises
    ------
    ValueError
        If the edges do not rise from zero, or there are fewer than two bins.

    References
    ----------
    Marsan & Lengliné (2008), Science 319, for the kernel; Lewis & Mohler (2011), "A nonparametric
    EM algorithm for multiscale Hawkes processes", for the penalty.
    """

    edges: tuple[float, ...] = EDGES
    roughness: float = 0.7
    steepness: float = 2.0
    name = "histogram"

    def __post_init__(self) -> None:
        edges = np.array(self.edges, float)
        rising = edges.ndim == 1 and np.all(np.isfinite(edges)) and np.all(np.diff(edges) > 0)
        if not (rising and edges.size >= 3 and edges[0] == 0):
            raise ValueError(
                f"edges must rise from 0 and enclose two bins or more, got {self.edges}"
            )
        for name, value in (("roughness", self.roughness), ("steepness", self.steepness)):
            if not value > 0:
                raise ValueError(f"{name} must be positive, got {value}")

    @property
    @override
    def reach(self) -> float:
        return float(self.edges[-1])

    @property
    def bins(self) -> int:
        """Number of bins."""
        return len(self.edges) - 1

    @override
    def parameters(self, unit: str) -> tuple[Parameter, ...]:
        out = [
            Parameter(
                "slope", (), "real", Normal(0.0, self.steepness),
                "step of the log delay density from the first bin to the second", "log ratio",
                penalised=True,
            )
        ]  # fmt: skip
        if self.bins > 2:
            out.append(
                Parameter(
                    "bend", (self.bins - 2,), "real", Normal(0.0, self.roughness),
                    "change of that step from each bin to the next", "log ratio", ("bin",),
                    penalised=True,
                )
            )  # fmt: skip
        return tuple(out)

    @override
    def start(self, delay: float) -> FloatArray:
        # The step at which straight log heights put half the mass below the delay.
        width = np.diff(self.edges)
        place = np.arange(self.bins)
        low, high = -40.0, 40.0
        for _ in range(60):
            slope = (low + high) / 2
            theta = np.zeros(self.bins - 1)
            theta[0] = slope
            mass = width * np.exp(slope * place - max(slope * place[-1], 0.0))
            below = np.interp(delay, self.edges, np.concatenate([[0.0], np.cumsum(mass)]))
            low, high = (low, slope) if below < 0.5 * mass.sum() else (slope, high)
        return np.concatenate([[slope], np.zeros(self.bins - 2)])

    def heights(self, theta: FloatArray) -> FloatArray:
        """Density (..., bins) over each bin, per day or period."""
        theta = np.asarray(theta, float)
        steps = np.cumsum(theta, axis=-1)
        zero = np.zeros((*theta.shape[:-1], 1))
        logs = np.concatenate([zero, np.cumsum(steps, axis=-1)], axis=-1)
        rough = np.exp(logs - logs.max(axis=-1, keepdims=True))
        return np.asarray(rough / (rough * np.diff(self.edges)).sum(axis=-1, keepdims=True))

    def parameters_of(self, heights: FloatArray) -> FloatArray:
        """Slope and bends (..., bins - 1) of positive heights (..., bins), of any scale."""
        steps = np.diff(np.log(heights), axis=-1)
        return np.concatenate([steps[..., :1], np.diff(steps, axis=-1)], axis=-1)

    def _bin(self, age: FloatArray) -> IntArray:
        place = np.searchsorted(self.edges, age, side="right") - 1
        return np.clip(place, 0, self.bins - 1).astype(np.int64)

    def _at(self, table: FloatArray, place: IntArray) -> FloatArray:
        """Entries of tables (..., m) at places that broadcast with the leading axes."""
        lead = np.broadcast_shapes(table.shape[:-1], np.shape(place))
        wide = np.broadcast_to(table, (*lead, table.shape[-1]))
        return np.take_along_axis(wide, np.broadcast_to(place, lead)[..., None], -1)[..., 0]

    def _masses(self, heights: FloatArray) -> FloatArray:
        """Probability (..., bins + 1) of a delay up to each edge."""
        mass = np.cumsum(heights * np.diff(self.edges), axis=-1)
        return np.concatenate([np.zeros((*mass.shape[:-1], 1)), mass], axis=-1)

    @override
    def density(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        age = np.asarray(age, float)
        inside = (age > 0) & (age < self.reach)
        return np.where(inside, self._at(self.heights(theta), self._bin(age)), 0.0)

    @override
    def cdf(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        age = np.clip(np.asarray(age, float), 0.0, self.reach)
        heights, place = self.heights(theta), self._bin(age)
        rest = (age - np.array(self.edges)[place]) * self._at(heights, place)
        return np.asarray(np.minimum(self._at(self._masses(heights), place) + rest, 1.0))

    @override
    def quantile(self, probability: FloatArray, theta: FloatArray) -> FloatArray:
        heights = self.heights(theta)
        masses = self._masses(heights)
        probability = np.asarray(probability, float)
        place = (probability[..., None] >= masses[..., 1:-1]).sum(axis=-1).astype(np.int64)
        rest = (probability - self._at(masses, place)) / self._at(heights, place)
        return np.asarray(np.clip(np.array(self.edges)[place] + rest, 0.0, self.reach))

    @override
    def lag_weights(self) -> Shape:
        from escalation.kernels.compiled_histogram import histogram_lags

        shape: Shape = histogram_lags
        return shape

    @override
    def lag_constants(self, lags: int) -> FloatArray:
        # Share of each bin that falls l periods on: the integral of max(0, 1 - |u - l|) over it.
        edges = np.array(self.edges)
        past = edges - np.arange(1, lags + 1)[:, None]
        low, high = np.clip(past, -1.0, 0.0), np.clip(past, 0.0, 1.0)
        below = (1 + low) ** 2 / 2 + high - high**2 / 2
        shares = np.diff(below, axis=1)
        return np.concatenate([[float(lags), float(self.bins)], edges, shares.ravel()])

    @override
    def pair_densities(self) -> Shape:
        from escalation.kernels.compiled_histogram import histogram_values

        shape: Shape = histogram_values
        return shape

    @override
    def pair_constants(self) -> FloatArray:
        return np.array(self.edges, float)

    @override
    def pointwise(self, ages: FloatArray, elapsed: FloatArray) -> Pointwise:
        """The values are the heights, then the probabilities up to each edge, whatever the ages."""
        elapsed = np.clip(elapsed, 0.0, self.reach)
        place = self._bin(elapsed)
        entry = np.repeat(np.arange(len(elapsed)), 2)
        factor = np.stack([np.ones(len(elapsed)), elapsed - np.array(self.edges)[place]], axis=1)
        return Pointwise(
            self.pair_constants(),
            self._bin(ages),
            entry,
            np.stack([self.bins + place, place], axis=1).ravel(),
            factor.ravel(),
        )
