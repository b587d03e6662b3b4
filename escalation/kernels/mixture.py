"""The kernel that mixes exponentials."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import override

import numpy as np

from escalation.kernels.base import ExponentialFamily, Shape
from escalation.parameters import FloatArray, Parameter
from escalation.priors import LogNormal, Normal


@dataclass(frozen=True)
class Mixture(ExponentialFamily):
    r"""Delays that are mixtures of exponential ones: fast and slow answers side by side.

    .. math:: g(u) = \sum_m w_m \beta_m e^{-\beta_m u}, \qquad \sum_m w_m = 1

    The weights are broken off a stick: :math:`w_m = v_m\prod_{i<m}(1-v_i)` with
    :math:`\mathrm{logit}\,v_m = z_m - \log(M-m)`, so that zeros mean equal weights. The rates are
    given through their mean delays, or learned: the fastest one and the logs of the ratios of
    each to the next, positive, which keeps them in order.

    Attributes
    ----------
    scales : tuple of float, optional
        Mean delays of the terms, days or periods, rising. Given, only the weights are learned.
    terms : int
        Number of exponentials to learn; with `scales`, their number.
    prior_decay, prior_decay_sd_log : float
        Log-normal prior of the fastest rate: median and standard deviation of the log.
    prior_ratio, prior_ratio_sd_log : float
        Log-normal prior of the log of the ratio between neighbouring rates.
    prior_stick : float
        Standard deviation of the normal prior of the sticks' logits.

    Raises
    ------
    ValueError
        If scales are not positive and rising, or fewer than two terms are to be learned.

    References
    ----------
    Hardiman, Bercot & Bouchaud (2013), European Physical Journal B 86, for mixtures as flexible
    kernels.
    """

    scales: tuple[float, ...] | None = None
    # mypy takes a field for writable, which a frozen one is not.
    terms: int = 2
    prior_decay: float = 2.0
    prior_decay_sd_log: float = 1.0
    prior_ratio: float = 2.3
    prior_ratio_sd_log: float = 0.5
    prior_stick: float = 1.5
    name = "mixture"

    def __post_init__(self) -> None:
        if self.scales is None:
            if self.terms < 2:
                raise ValueError(f"a mixture to learn has 2 terms or more, got {self.terms}")
            return
        scales = np.array(self.scales, float)
        if not (scales.size and np.all(scales > 0) and np.all(np.diff(scales) > 0)):
            raise ValueError(f"scales must be positive mean delays, rising, got {self.scales}")
        object.__setattr__(self, "terms", len(self.scales))

    @property
    @override
    def rates_vary(self) -> bool:
        return self.scales is None

    @override
    def parameters(self, unit: str) -> tuple[Parameter, ...]:
        out = []
        others = (self.terms - 1,)
        if self.scales is None:
            fastest = LogNormal(self.prior_decay, self.prior_decay_sd_log)
            ratio = LogNormal(self.prior_ratio, self.prior_ratio_sd_log)
            out = [
                Parameter("decay", (), "positive", fastest, "fastest decay", f"per {unit}"),
                Parameter(
                    "log_ratio", others, "positive", ratio,
                    "log of the ratio of each decay to the next", "log ratio", ("term",),
                ),
            ]  # fmt: skip
        if self.terms > 1:
            prior = Normal(0.0, self.prior_stick)
            meaning = "logit of the term's share of what faster terms leave, shifted"
            out.append(Parameter("stick", others, "real", prior, meaning, "logit", ("term",)))
        return tuple(out)

    @override
    def start(self, delay: float) -> FloatArray:
        sticks = np.zeros(self.terms - 1)
        if self.scales is not None:
            return sticks
        # Rates spread by tens; the logarithmic middle of the mean delays is the one asked for.
        steps = np.full(self.terms - 1, math.log(10))
        fastest = math.log(2) / delay * math.exp(steps.sum() / 2)
        return np.concatenate([[fastest], steps, sticks])

    @override
    def bounds(self, duration: float) -> dict[str, tuple[float, float]]:
        # A delay longer than the window cannot be told from a drift of the background; nor, mostly,
        # one a thousand times as long as the next faster.
        if not self.rates_vary:
            return {}
        return {"decay": (1 / duration, math.inf), "log_ratio": (0.0, math.log(1000))}

    def mixture(self, theta: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Weights and rates, both (..., terms)."""
        theta = np.asarray(theta, float)
        sticks = theta[..., theta.shape[-1] - (self.terms - 1) :]
        share = 1 / (1 + np.arange(self.terms - 1, 0, -1) * np.exp(-sticks))
        one = np.ones((*theta.shape[:-1], 1))
        left = np.concatenate([one, np.cumprod(1 - share, axis=-1)], axis=-1)
        weights = left * np.concatenate([share, one], axis=-1)
        if self.scales is not None:
            return weights, np.broadcast_to(1 / np.array(self.scales), weights.shape)
        fall = np.minimum(np.cumsum(theta[..., 1 : self.terms], axis=-1), 200.0)
        ratios = np.concatenate([one, np.exp(-fall)], axis=-1)
        return weights, theta[..., :1] * ratios

    @override
    def density(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        weights, rates = self.mixture(theta)
        age = np.asarray(age, float)[..., None]
        each = weights * rates * np.exp(-rates * np.maximum(age, 0.0))
        return np.where(age[..., 0] > 0, each.sum(axis=-1), 0.0)

    @override
    def cdf(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        weights, rates = self.mixture(theta)
        age = np.maximum(np.asarray(age, float), 0.0)[..., None]
        return np.asarray(-(weights * np.expm1(-rates * age)).sum(axis=-1))

    @override
    def quantile(self, probability: FloatArray, theta: FloatArray) -> FloatArray:
        # Newton's method on the log of the survival, which is convex in the age: from below it
        # never overshoots, and the fastest term alone is below.
        weights, rates = self.mixture(theta)
        target = np.log1p(-np.asarray(probability, float))
        shape = np.broadcast_shapes(target.shape, weights.shape[:-1])
        age = np.broadcast_to(-target / rates.max(axis=-1), shape).copy()
        for _ in range(200):
            alive = weights * np.exp(-rates * age[..., None])
            total = alive.sum(axis=-1)
            step = (np.log(total) - target) / ((rates * alive).sum(axis=-1) / total)
            age += step
            if not np.any(np.abs(step) > 1e-14 * (age + 1e-300)):
                break
        return np.maximum(age, 0.0)

    @override
    def sample(self, rng: np.random.Generator, theta: FloatArray, size: int) -> FloatArray:
        weights, rates = self.mixture(theta)
        place = rng.random(size)[:, None]
        term = (place > np.cumsum(weights, axis=-1)[..., :-1]).sum(axis=-1)
        rate = np.take_along_axis(np.broadcast_to(rates, (size, self.terms)), term[:, None], 1)
        return np.asarray(rng.exponential(size=size) / rate[:, 0])

    @override
    def same_period(self, theta: FloatArray) -> FloatArray:
        weights, rates = self.mixture(theta)
        return np.asarray((weights * (1 + np.expm1(-rates) / rates)).sum(axis=-1))

    @override
    def lag_weights(self) -> Shape:
        from escalation.kernels.compiled import given_mixture_lags, learned_mixture_lags

        shape: Shape = learned_mixture_lags if self.rates_vary else given_mixture_lags
        return shape

    @override
    def lag_constants(self, lags: int) -> FloatArray:
        return np.concatenate([[float(lags)], self.nodes()])

    @override
    def as_exponentials(self) -> Shape:
        from escalation.kernels.compiled import given_mixture, learned_mixture

        shape: Shape = learned_mixture if self.rates_vary else given_mixture
        return shape

    @override
    def nodes(self) -> FloatArray:
        return np.zeros(0) if self.scales is None else 1 / np.array(self.scales, float)

    @override
    def pair_densities(self) -> Shape:
        from escalation.kernels.compiled import given_mixture_pairs, learned_mixture_pairs

        shape: Shape = learned_mixture_pairs if self.rates_vary else given_mixture_pairs
        return shape

    @override
    def pair_constants(self) -> FloatArray:
        return self.nodes()
