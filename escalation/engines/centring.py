r"""Mean, spread and deviations of a hierarchical model in coordinates that are easy to sample.

The declared deviation z of a unit has a standard normal prior and acts as an effect
:math:`\mu + \tau z`. With few units the posterior of these parameters is a funnel twice over: as
:math:`\tau` falls deviations pass from what the data know to what the prior knows, and the
population mean is known the better the smaller :math:`\tau`. If the log-likelihood of an effect e
is :math:`h e - \kappa e^2 / 2`, normal laws give what is left at every :math:`\tau`,

.. math::
    z &= (h - \kappa\mu)\,\tau a + y \sqrt{a}, \qquad a = \frac{1}{1 + \kappa\tau^2}

    \mu &= \frac{\mu_0 / \sigma_0^2 + \sum h a}{p} + \frac{v}{\sqrt p}, \qquad
    p = \frac{1}{\sigma_0^2} + \sum \kappa a

with sums over units and :math:`\mathrm{Normal}(\mu_0, \sigma_0^2)` the prior of the mean: y and v
are standard normal whatever the spread. The map holds for any :math:`\kappa \ge 0` and h, and the
posterior is the same; they come from the likelihood near the mode. With :math:`\kappa = 0` it is
the non-centred form, with a large :math:`\kappa` the centred one. The coordinate of a spread is the
standard normal quantile of its half-normal prior: its logarithm has a long tail to the left and
falls like a wall to the right. Source: Papaspiliopoulos, Roberts & Sköld (2007), Statistical
Science 22(1), section 4, whose weights are for one :math:`\tau`.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import erf, erfc, exp, log, pi, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from escalation.parameters import FloatArray

IntArray = NDArray[np.int64]

#: Steps to a quantile; beyond `FAR` standard deviations its limit is taken.
STEPS, FAR = 5, 25.0


@dataclass(frozen=True, eq=False)
class Centring:
    r"""Which entries are means, spreads and deviations, and what the data say of the effects.

    Attributes
    ----------
    mean, spread : ndarray of int (m,)
        Places of the mean and the spread of each effect.
    deviation : ndarray of int (m, U)
        Places of its deviations.
    information, score : ndarray (m, U)
        :math:`\kappa` and h.
    law : ndarray (m, 3)
        Centre and precision of the normal prior of the mean; scale of the half-normal prior of
        the spread.
    """

    mean: IntArray
    spread: IntArray
    deviation: IntArray
    information: FloatArray
    score: FloatArray
    law: FloatArray

    @property
    def arrays(self) -> tuple[IntArray, IntArray, IntArray, FloatArray, FloatArray, FloatArray]:
        """What the compiled functions take."""
        return self.mean, self.spread, self.deviation, self.information, self.score, self.law

    def to(self, theta: FloatArray) -> FloatArray:
        """A copy of theta (p,) with coordinates in place of means, spreads and deviations."""
        from scipy.special import erf, ndtr, ndtri

        out = np.array(theta, float)
        ratio = np.maximum(theta[self.spread] / self.law[:, 2], 1e-6)
        out[self.spread] = np.where(
            ratio < 1, ndtri(erf(ratio / sqrt(2))), -ndtri(2 * ndtr(-ratio))
        )
        mean, spread = theta[self.mean][:, None], theta[self.spread][:, None]
        left = 1.0 / (1.0 + self.information * spread**2)
        known = (self.score - self.information * mean) * spread * left
        out[self.deviation] = (theta[self.deviation] - known) / np.sqrt(left)
        centre, precision, _ = self.law.T
        weight = precision + (self.information * left).sum(axis=1)
        place = (precision * centre + (self.score * left).sum(axis=1)) / weight
        out[self.mean] = (theta[self.mean] - place) * np.sqrt(weight)
        return out


@njit(cache=True, nogil=True, error_model="numpy")
def half_normal(x: float) -> float:
    """Quantile of the half-normal law of scale one at the probability of a standard normal x.

    By Newton steps, from below: the distribution function and the log of its complement are
    concave.
    """
    if x > FAR:
        return sqrt(x * x + log(4.0))
    if x < 0.0:
        wanted = 0.5 * erfc(-x / sqrt(2.0))
        out = sqrt(pi / 2.0) * wanted
        for _ in range(STEPS):
            out += (wanted - erf(out / sqrt(2.0))) / (sqrt(2.0 / pi) * exp(-0.5 * out * out))
        return out
    wanted = log(0.5 * erfc(x / sqrt(2.0)))
    out = sqrt(x * x + 0.45)
    for _ in range(STEPS):
        above = erfc(out / sqrt(2.0))
        out += (log(above) - wanted) * above / (sqrt(2.0 / pi) * exp(-0.5 * out * out))
    return out


@njit(cache=True, nogil=True, error_model="numpy")
def to_deviations(
    theta: FloatArray,
    kept: FloatArray,
    mean: IntArray,
    spread: IntArray,
    deviation: IntArray,
    information: FloatArray,
    score: FloatArray,
    law: FloatArray,
) -> float:
    """Put means, spreads and deviations in the place of their coordinates.

    Parameters
    ----------
    theta : ndarray (p,)
        Changed at means, spreads and deviations.
    kept : ndarray (m, 2)
        Filled for `to_slopes`: coordinates of the spreads, and slopes of the spreads by them.
    mean, spread, deviation, information, score, law
        Of a `Centring`.

    Returns
    -------
    float
        Log of the Jacobian, but for the spreads'.
    """
    volume = 0.0
    for i in range(mean.size):
        x = theta[spread[i]]
        ratio = half_normal(x)
        tau = law[i, 2] * ratio
        theta[spread[i]] = tau
        kept[i, 0] = x
        kept[i, 1] = 0.5 * law[i, 2] * exp(0.5 * (ratio - x) * (ratio + x))
        weight, place = law[i, 1], law[i, 0] * law[i, 1]
        for u in range(deviation.shape[1]):
            left = 1.0 / (1.0 + information[i, u] * tau * tau)
            weight += information[i, u] * left
            place += score[i, u] * left
        middle = place / weight + theta[mean[i]] / np.sqrt(weight)
        theta[mean[i]] = middle
        volume -= 0.5 * np.log(weight)
        for u in range(deviation.shape[1]):
            left = 1.0 / (1.0 + information[i, u] * tau * tau)
            known = (score[i, u] - information[i, u] * middle) * tau * left
            at = deviation[i, u]
            theta[at] = known + theta[at] * np.sqrt(left)
            volume += 0.5 * np.log(left)
    return volume


@njit(cache=True, nogil=True, error_model="numpy")
def to_slopes(
    theta: FloatArray,
    by_theta: FloatArray,
    kept: FloatArray,
    mean: IntArray,
    spread: IntArray,
    deviation: IntArray,
    information: FloatArray,
    score: FloatArray,
    law: FloatArray,
) -> float:
    """Log-prior of means, spreads and deviations; slopes become those by the coordinates.

    Parameters
    ----------
    theta : ndarray (p,)
        With means, spreads and deviations.
    by_theta : ndarray (p,)
        Slopes of the log-likelihood; changed: these priors and the Jacobian are added.
    kept : ndarray (m, 2)
        From `to_deviations`.
    mean, spread, deviation, information, score, law
        Of a `Centring`.
    """
    value = 0.0
    for i in range(mean.size):
        tau, middle = theta[spread[i]], theta[mean[i]]
        away = middle - law[i, 0]
        value -= 0.5 * law[i, 1] * away * away
        by_mean = by_theta[mean[i]] - law[i, 1] * away
        by_spread = by_theta[spread[i]]
        weight, place = law[i, 1], law[i, 0] * law[i, 1]
        weight_moves, place_moves = 0.0, 0.0
        for u in range(deviation.shape[1]):
            kappa, at = information[i, u], deviation[i, u]
            left = 1.0 / (1.0 + kappa * tau * tau)
            moves = -2.0 * kappa * tau * left * left
            weight += kappa * left
            place += score[i, u] * left
            weight_moves += kappa * moves
            place_moves += score[i, u] * moves
            z, pull = theta[at], score[i, u] - kappa * middle
            value -= 0.5 * z * z
            slope = by_theta[at] - z
            rest = z - pull * tau * left
            by_spread += slope * (pull * left * (2.0 * left - 1.0) - rest * kappa * tau * left)
            by_spread -= kappa * tau * left
            by_mean -= slope * kappa * tau * left
            by_theta[at] = slope * np.sqrt(left)
        place /= weight
        by_spread += by_mean * (place_moves - 0.5 * (place + middle) * weight_moves) / weight
        by_spread -= 0.5 * weight_moves / weight
        # The prior of a spread and the Jacobian of its coordinate are a standard normal law.
        value -= 0.5 * kept[i, 0] * kept[i, 0]
        by_theta[spread[i]] = by_spread * kept[i, 1] - kept[i, 0]
        by_theta[mean[i]] = by_mean / np.sqrt(weight)
    return value
