"""Recalibration of forecasts by the isotonic distribution of their past PITs."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from escalation.ensemble.pooling import ordered_like
from escalation.scores.quantiles import ranks
from escalation.scores.shapes import paired
from escalation.window import FloatArray

FARTHEST = 35.0
"""Log-odds beyond which a probability is 0 or 1 to all digits."""

KNOTS = 300
"""Ends of past PITs that the map keeps."""

ROUNDS = 200

PRIOR = 100.0
"""What the identity is worth where cases follow each other in time: neighbours err alike, so that
the root of their number would be too little (docs/ensembles.md)."""


@dataclass(frozen=True, eq=False)
class Recalibration:
    r"""A rising map of probabilities, learned from past PITs: F becomes G(F).

    The PIT of a count is only known to lie in [F(y - 1), F(y)]. G is the distribution of the PITs
    with the highest

    .. math:: \sum_i \log\bigl[G\{F_i(y_i)\} - G\{F_i(y_i - 1)\}\bigr]
              + \kappa \int_0^1 \log G'(u)\,du,

    which is the log score of the recalibrated past forecasts, and a pull to the identity that is
    worth :math:`\kappa` cases. It is found by self-consistency (an EM algorithm): each PIT is
    spread over its interval as G says, G is their mean, and so on. The first round, where each is
    spread evenly, is the non-randomised PIT of Czado et al.; where counts are large it is the last
    too, and the isotonic regression of Kuleshov et al.

    So that a forecast that was too narrow can be widened beyond its draws, its law goes on past
    the outermost draw: half of the mass of that draw, 1 / (2n), falls off exponentially, at the
    mean excess of the outermost tenth of the draws, half a count at least.

    Parameters
    ----------
    nominal : array of float64, shape (J,)
        Rising log-odds of probabilities F.
    actual : array of float64, shape (J,)
        Log-odds of G there, rising.
    cases : int
        Cases that it was learned from.

    References
    ----------
    Dawid (1984), Journal of the Royal Statistical Society A 147; Turnbull (1976), Journal of the
    Royal Statistical Society B 38, for self-consistency; Kuleshov, Fenner and Ermon (2018),
    Proceedings of Machine Learning Research 80, section 3; Czado, Gneiting and Held (2009).
    """

    nominal: FloatArray
    actual: FloatArray
    cases: int

    @classmethod
    def learn(
        cls, lower: ArrayLike, upper: ArrayLike, prior: float | None = None
    ) -> "Recalibration":
        """Learn the map from the PITs of past cases.

        Parameters
        ----------
        lower, upper : array_like
            Ends of the PITs as log-odds, from `pit_log_odds`, any shape; NaN are left out.
        prior : float, optional
            Cases that the identity is worth, above 0; the root of the number of cases unless
            given, as in `scores.smoothed_pmf`, which is right for independent cases.
        """
        low, high = np.ravel(np.asarray(lower, float)), np.ravel(np.asarray(upper, float))
        low, high = low[~np.isnan(low)], high[~np.isnan(low)]
        kappa = max(np.sqrt(len(low)), 1.0) if prior is None else prior
        if kappa <= 0:
            raise ValueError(f"the prior must be worth more than 0 cases, not {kappa}")
        nominal = _knots(np.concatenate([low, high]))
        even = _masses(nominal)
        inside = _overlap(nominal, low, high)
        mass = even
        for _ in range(ROUNDS if len(low) else 0):
            reached = inside @ mass
            new = (kappa * even + mass * ((1 / reached) @ inside)) / (kappa + len(low))
            moved, mass = np.abs(new - mass).sum(), new
            if moved < 1e-5:
                break
        below = np.concatenate([[0.0], np.cumsum(mass)])
        above = np.concatenate([np.cumsum(mass[::-1])[::-1], [0.0]])
        with np.errstate(divide="ignore"):
            actual = np.clip(np.log(below) - np.log(above), -FARTHEST, FARTHEST)
        return cls(nominal, np.maximum.accumulate(actual), len(low))

    def apply(self, draws: ArrayLike, rng: np.random.Generator) -> FloatArray:
        """Recalibrated draws: which of them belong together stays.

        Parameters
        ----------
        draws : array_like, shape (n, ...)
            Counts; an infinite draw is the largest.
        rng : numpy.random.Generator
            Orders draws that are equal.

        Returns
        -------
        numpy.ndarray
            (n, ...) counts.
        """
        x = np.asarray(draws, dtype=np.float64)
        n = len(x)
        levels = (np.arange(n) + 0.5) / n
        wanted = np.interp(np.log(levels / (1 - levels)), self.actual, self.nominal)
        return ordered_like(_quantiles(np.sort(x, axis=0), wanted), x, rng)


def pit_log_odds(draws: ArrayLike, observed: ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Ends of the PIT, F(y - 1) and F(y), as log-odds, of the law that goes on past the draws.

    Parameters
    ----------
    draws, observed : array_like
        (n, ...) counts as draws and (...) observed counts.

    Returns
    -------
    lower, upper : numpy.ndarray
        (...) each, NaN where unobserved.
    """
    x, y = paired(draws, observed)
    x = np.sort(np.asarray(x, dtype=np.float64), axis=0)
    ends = [np.where(np.isnan(y), np.nan, _log_odds(x, at)) for at in (y - 1, y)]
    return ends[0], ends[1]


def _knots(ends: FloatArray) -> FloatArray:
    """Rising log-odds: an even grid, and the ends of the PITs, or as many of them as are kept."""
    ends = np.unique(ends)
    if len(ends) > KNOTS:
        ends = ends[np.linspace(0, len(ends) - 1, KNOTS).round().astype(np.int64)]
    grid = np.concatenate([ends, np.linspace(-20, 20, 81), [-FARTHEST, FARTHEST]])
    return np.unique(np.clip(grid, -FARTHEST, FARTHEST))


def _masses(nominal: FloatArray) -> FloatArray:
    """Probability between neighbouring log-odds, exact in both tails."""
    lower, upper = _probability(nominal), _probability(-nominal)
    return np.where(nominal[1:] <= 0, np.diff(lower), -np.diff(upper))


def _overlap(nominal: FloatArray, low: FloatArray, high: FloatArray) -> FloatArray:
    """The part of each cell between knots that lies in each PIT's interval, (N, J - 1)."""
    first, last = nominal[:-1], nominal[1:]
    reach = np.minimum(high[:, None], last) - np.maximum(low[:, None], first)
    part = np.clip(reach / (last - first), 0, 1)
    points = np.flatnonzero(part.sum(axis=1) == 0)
    cell = np.clip(np.searchsorted(nominal, high[points]) - 1, 0, len(first) - 1)
    part[points, cell] = 1.0
    return part


def _scales(x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean shortfall and mean excess of the outermost tenths of sorted draws, (...) each."""
    n = len(x)
    tenth = max(1, n // 10)
    finite = np.where(np.isinf(x), 0.0, x)
    low = (x[tenth] if n > tenth else x[-1]) - finite[:tenth].mean(axis=0)
    high = finite[n - tenth :].mean(axis=0) - finite[max(n - tenth - 1, 0)]
    low = np.where(np.isfinite(low), low, 0.5)
    return np.maximum(low, 0.5), np.maximum(high, 0.5)


def _log_odds(x: FloatArray, y: FloatArray) -> FloatArray:
    """Log-odds of P(X <= y) for sorted draws x (n, ...), with exponential tails."""
    n = len(x)
    low, high = _scales(x)
    share = np.clip((x <= y).mean(axis=0), 0.5 / n, 1 - 0.5 / n)
    middle = np.log(share) - np.log1p(-share)
    top = np.where(np.isinf(x[-1]), 0.0, x[-1])
    beyond = np.log(2 * n) + (y - top) / high
    before = -np.log(2 * n) - (x[0] - 1 - y) / low
    found = np.where((y >= x[-1]) & np.isfinite(x[-1]), beyond, np.where(y < x[0], before, middle))
    return np.where(y < 0, -FARTHEST, np.clip(found, -FARTHEST, FARTHEST))


def _quantiles(x: FloatArray, wanted: FloatArray) -> FloatArray:
    """Counts at log-odds (J,) for sorted draws x (n, ...), with exponential tails: (J, ...)."""
    n = len(x)
    low, high = _scales(x)
    place = ranks(n, _probability(wanted))
    edge = np.log(2 * n)
    tail = wanted.reshape(-1, *(1,) * (x.ndim - 1))
    above = x[-1] + np.ceil(high * np.maximum(tail - edge, 0.0))
    below = np.maximum(x[0] - np.ceil(low * np.maximum(-tail - edge, 0.0)), 0.0)
    inner = np.where(tail > edge, above, np.where(tail < -edge, below, x[place]))
    return np.asarray(inner)


def _probability(log_odds: FloatArray) -> FloatArray:
    from scipy.special import expit

    return np.asarray(expit(log_odds))
