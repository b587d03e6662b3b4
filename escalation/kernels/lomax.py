"""The power-law kernel."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Self, override

import numpy as np

from escalation.kernels.base import ExponentialFamily, Shape
from escalation.parameters import FloatArray, Parameter
from escalation.priors import LogNormal


@dataclass(frozen=True)
class Lomax(ExponentialFamily):
    r"""Delays that follow a power law (Lomax, Omori–Utsu), cut off at an age A.

    .. math:: g(u) = \frac{(1 + u/c)^{-p}}{\int_0^A (1 + v/c)^{-p}\,dv}, \qquad 0 \le u \le A

    Any exponent p > 0 is allowed, since A is finite: by default the length of the window, which
    `within` sets; R then counts the offspring within A. Before that, only `pmf` is defined.

    The likelihood runs on a mixture of exponentials, in O(n). The integral

    .. math:: (1 + u/c)^{-p} = \frac{1}{\Gamma(p)} \int_{-\infty}^\infty
              s^p e^{-s} e^{-su/c}\,d\log s

    is taken by the trapezoid rule over fixed rates :math:`\rho_m = s/c` in geometric steps, so
    that only the weights, :math:`\propto (c\rho_m)^p e^{-c\rho_m}`, depend on the parameters. The
    slow tail of the sum is put on the two slowest rates and an all but constant term, up to the
    second order in the rate; the weights are normalised over [0, A]. The relative error of the
    density is then below `tolerance` at every age in [0, A], for exponents up to
    `largest_exponent` and scales between `smallest_scale` and A; the tests measure it. Maximum
    likelihood stays within these bounds. An estimate at the largest exponent says that the delays
    fall faster than a power law: take another kernel, since the mixture's rates, which stand
    still, cannot follow a law that is nearly exponential.

    Attributes
    ----------
    truncation : float, optional
        The age A, days or periods. None: the window's length.
    exact : bool
        Take the likelihood over all pairs, O(n²), for checking.
    smallest_scale : float
        Smallest scale c, days, that the mixture is made for; smaller ones take more terms.
    largest_exponent : float
        Largest exponent p, 2 to 5, that the mixture is made for; larger ones take more terms.
    tolerance : float
        Wanted bound of the mixture's relative error, 1e-5 to 0.1: 25 terms at 1e-3 and 31 at
        1e-4 for a window of a thousand days.
    prior_exponent, prior_exponent_sd_log, prior_scale, prior_scale_sd_log : float
        Log-normal priors of p and c: medians, and standard deviations of the logs.

    Raises
    ------
    ValueError
        For a truncation, scale or tolerance out of range; for a density before A is known.

    References
    ----------
    Ogata (1988), Journal of the American Statistical Association 83, for the law of aftershocks;
    Beylkin & Monzón (2010), Applied and Computational Harmonic Analysis 28, for the mixture.
    """

    truncation: float | None = None
    exact: bool = False
    smallest_scale: float = 0.005
    largest_exponent: float = 3.0
    tolerance: float = 1e-3
    prior_exponent: float = 1.3
    prior_exponent_sd_log: float = 0.4
    prior_scale: float = 0.5
    prior_scale_sd_log: float = 1.5
    name = "lomax"

    def __post_init__(self) -> None:
        if self.truncation is not None and not 0 < self.truncation < math.inf:
            raise ValueError(f"truncation must be a positive age, got {self.truncation}")
        if not self.smallest_scale > 0:
            raise ValueError(f"smallest_scale must be positive, got {self.smallest_scale}")
        if not 2 <= self.largest_exponent <= 5:
            raise ValueError(
                f"largest_exponent must lie between 2 and 5, got {self.largest_exponent}"
            )
        if not 1e-5 <= self.tolerance <= 0.1:
            raise ValueError(f"tolerance must lie between 1e-5 and 0.1, got {self.tolerance}")

    @override
    def within(self, duration: float) -> Self:
        return self if self.truncation is not None else replace(self, truncation=duration)

    @property
    @override
    def reach(self) -> float:
        if self.truncation is None:
            raise ValueError(
                "the power law has no density before its truncation is known: give "
                "Lomax(truncation=...), or bind it to a window by within(duration)"
            )
        return self.truncation

    @override
    def parameters(self, unit: str) -> tuple[Parameter, ...]:
        exponent = LogNormal(self.prior_exponent, self.prior_exponent_sd_log)
        scale = LogNormal(self.prior_scale, self.prior_scale_sd_log)
        return (
            Parameter("exponent", (), "positive", exponent, "exponent of the delay's power law"),
            Parameter("scale", (), "positive", scale, "delay at which the power law sets in", unit),
        )

    @override
    def start(self, delay: float) -> FloatArray:
        # At exponent 2, without truncation, the median delay is the scale.
        return np.array([2.0, delay])

    @override
    def bounds(self, duration: float) -> dict[str, tuple[float, float]]:
        longest = duration if self.truncation is None else self.truncation
        return {
            "exponent": (0.0, self.largest_exponent),
            "scale": (self.smallest_scale, max(longest, 2 * self.smallest_scale)),
        }

    def mass(self, theta: FloatArray) -> FloatArray:
        r"""Integral :math:`\int_0^A (1 + u/c)^{-p}\,du`, (...,), in days."""
        scale = theta[..., 1]
        return np.asarray(scale * _integral(1 - theta[..., 0], np.log1p(self.reach / scale)))

    def reproduction(
        self, productivity: FloatArray, theta: FloatArray, mark_mean: float = 1.0
    ) -> FloatArray:
        r"""R of the ETAS rate :math:`A \sum_i e^{\alpha m_i}(1 + (t - t_i)/c)^{-p}`.

        Parameters
        ----------
        productivity : ndarray (...,)
            The factor A, per day.
        theta : ndarray (..., 2)
            p and c.
        mark_mean : float
            Mean of :math:`e^{\alpha m}` over the fitted marks: R is per average event.
        """
        return np.asarray(productivity * mark_mean * self.mass(theta))

    def productivity(
        self, reproduction: FloatArray, theta: FloatArray, mark_mean: float = 1.0
    ) -> FloatArray:
        """The factor A of ETAS, per day, for a reproduction R: the inverse of `reproduction`."""
        return np.asarray(reproduction / mark_mean / self.mass(theta))

    @override
    def density(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        age = np.asarray(age, float)
        power = np.exp(-theta[..., 0] * np.log1p(np.maximum(age, 0.0) / theta[..., 1]))
        return np.where((age > 0) & (age <= self.reach), power / self.mass(theta), 0.0)

    @override
    def cdf(self, age: FloatArray, theta: FloatArray) -> FloatArray:
        age = np.clip(np.asarray(age, float), 0.0, self.reach)
        tail, scale = 1 - theta[..., 0], theta[..., 1]
        whole = _integral(tail, np.log1p(self.reach / scale))
        return np.asarray(_integral(tail, np.log1p(age / scale)) / whole)

    @override
    def quantile(self, probability: FloatArray, theta: FloatArray) -> FloatArray:
        tail, scale = 1 - theta[..., 0], theta[..., 1]
        part = probability * _integral(tail, np.log1p(self.reach / scale))
        flat = np.where(tail == 0, 1.0, tail)
        log = np.where(tail == 0, part, np.log1p(np.maximum(flat * part, -1.0)) / flat)
        return np.asarray(np.minimum(scale * np.expm1(log), self.reach))

    @override
    def lag_weights(self) -> Shape:
        from escalation.kernels.compiled_lomax import lomax_lags

        shape: Shape = lomax_lags
        return shape

    @override
    def lag_constants(self, lags: int) -> FloatArray:
        return np.array([float(lags), math.inf if self.truncation is None else self.truncation])

    @override
    def pair_densities(self) -> Shape:
        from escalation.kernels.compiled_lomax import lomax_pairs

        shape: Shape = lomax_pairs
        return shape

    @override
    def pair_constants(self) -> FloatArray:
        return np.array([self.reach])

    @override
    def covers(self, duration: float) -> bool:
        # The exponentials go on beyond A, the density does not.
        return not self.exact and self.reach >= duration

    @property
    @override
    def approximation_error(self) -> float:
        return self.tolerance

    @property
    @override
    def rates_vary(self) -> bool:
        return False

    @property
    @override
    def terms(self) -> int:
        return len(self._rates()[1])

    @override
    def as_exponentials(self) -> Shape:
        from escalation.kernels.compiled_lomax import lomax_exponentials

        shape: Shape = lomax_exponentials
        return shape

    @override
    def nodes(self) -> FloatArray:
        step, rates = self._rates()
        return np.concatenate([[self.reach, step], rates])

    def _rates(self) -> tuple[float, FloatArray]:
        """Step of the grid's logarithm, and the rates, rising, the all but constant one first.

        The trapezoid rule's relative error is 2 |Γ(p + 2πi/h)| / Γ(p), here by Stirling's formula;
        the cut at the fast end costs Γ(p, s)/Γ(p); the slow end the cube of rate times age.
        """
        p, rest = self.largest_exponent, math.lgamma(self.largest_exponent)
        turn, fastest = 8.0, 8.0
        for _ in range(60):
            aliased = math.log(2 * math.sqrt(2 * math.pi)) + (p - 0.5) * math.log(turn) - rest
            turn = 2 / math.pi * (aliased - math.log(0.6 * self.tolerance))
            fastest = (p - 1) * math.log(fastest) - rest - math.log(0.3 * self.tolerance)
        step = 2 * math.pi / turn
        slowest = 2 * self.tolerance ** (1 / 3) / self.reach
        last = max(fastest / self.smallest_scale, 4 * slowest)
        number = math.ceil(math.log(last / slowest) / step) + 1
        rates = slowest * np.exp(step * np.arange(number))
        return step, np.concatenate([[0.01 * self.tolerance / self.reach], rates])


def _integral(tail: FloatArray, log: FloatArray) -> FloatArray:
    """Integral of exp(tail * t) over t from 0 to `log`: the mass of the power law over c."""
    x = tail * log
    safe = np.where(x == 0, 1.0, x)
    return np.asarray(log * np.where(x == 0, 1.0, np.expm1(safe) / safe))
