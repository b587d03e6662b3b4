"""Simulation-based calibration: whether a model's posterior means what it says."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from escalation.checks.finding import Finding
from escalation.checks.predictive import PRIOR
from escalation.engines import NUTS, Engine
from escalation.fit import Fit, Model
from escalation.parameters import BoolArray, FloatArray
from escalation.series import CountSeries

IntArray = NDArray[np.int64]

#: The false-alarm rate of a model's calibration, over all its parameters.
ALARM = 0.01
#: Probabilities closer than this are ties: the binomial law is symmetric about the middle.
NEARLY = 1 - 1e-9
#: What the log-likelihood is called among the quantities.
LOG_LIKELIHOOD = "log-likelihood"


@dataclass(frozen=True, eq=False)
class Calibration:
    """Ranks of true parameters among draws of their posterior, over series simulated from them.

    Each replication draws parameters from the prior, simulates a series, fits the model and ranks
    the truth among thinned draws. If prior, simulator, likelihood and sampler agree, every rank is
    uniform on 0, 1, …, `draws`.

    Attributes
    ----------
    ranks : ndarray of int (n, q)
        A row a replication, a column a quantity.
    draws : int
        Number of thinned draws L that the truth was ranked among.
    names : tuple of str
        The q quantities: each free scalar of the model, and the log-likelihood.
    model : str
    discarded : int
        Simulated series with an enormous count, replaced by the next ones. What is left out on the
        strength of the data alone leaves the ranks uniform.
    unsettled : int
        Replications whose sampler warned: R-hat above 1.01, or divergences. They are in `ranks`.

    References
    ----------
    Talts, Betancourt, Simpson, Vehtari & Gelman (2018), arXiv:1804.06788; Modrák et al. (2023),
    Bayesian Analysis 20(2), for the log-likelihood; Säilynoja, Bürkner & Vehtari (2022), Statistics
    and Computing 32, for the simultaneous bands.
    """

    ranks: IntArray
    draws: int
    names: tuple[str, ...]
    model: str
    discarded: int = 0
    unsettled: int = 0

    def __post_init__(self) -> None:
        ranks = np.array(self.ranks, np.int64)
        if ranks.ndim != 2 or ranks.shape[1] != len(self.names) or not len(ranks):
            raise ValueError(
                f"ranks must have shape (replications, {len(self.names)}), got {ranks.shape}"
            )
        if ranks.min() < 0 or ranks.max() > self.draws:
            raise ValueError(f"ranks must lie in 0, …, {self.draws}")
        ranks.setflags(write=False)
        object.__setattr__(self, "ranks", ranks)

    @cached_property
    def p_values(self) -> FloatArray:
        """P-value (q,) of each quantity's ranks, of the simultaneous test of `uniformity`."""
        return np.array([uniformity(column, self.draws) for column in self.ranks.T])

    @property
    def passed(self) -> bool:
        """Whether no quantity leaves its band, at 1 % over all quantities of the model."""
        return bool(self.p_values.min() * len(self.names) >= ALARM)

    def bands(self, level: float | None = None) -> tuple[FloatArray, FloatArray]:
        """Ends (draws,) of the band of one quantity's ECDF; by default of 1 % over all of them."""
        level = 1 - ALARM / len(self.names) if level is None else level
        return ecdf_bands(len(self.ranks), self.draws, level)

    def differences(self) -> FloatArray:
        """ECDF of each quantity's ranks minus the uniform one, (draws, q)."""
        found = _ecdf(self.ranks, self.draws) / len(self.ranks)
        return np.asarray(found - _points(self.draws)[:, None])

    def table(self) -> pl.DataFrame:
        """A row a quantity: mean rank as a share (½ if unbiased), spread against that of a
        uniform (1 if right), largest ECDF difference, p-value, whether it is inside its band.
        """  # noqa: D205
        shares = (self.ranks + 0.5) / (self.draws + 1)
        differences = self.differences()
        far = np.abs(differences).argmax(axis=0)
        return pl.DataFrame(
            {
                "quantity": list(self.names),
                "mean rank": shares.mean(axis=0),
                "spread": shares.std(axis=0) * np.sqrt(12),
                "largest difference": differences[far, np.arange(len(self.names))],
                "p_value": self.p_values,
                "inside": self.p_values * len(self.names) >= ALARM,
            }
        )

    def finding(self) -> Finding:
        """What the ranks say of the model's posterior."""
        n, worst = len(self.ranks), int(self.p_values.argmin())
        text = (
            f"Simulation-based calibration of {self.model}, {n} replications: smallest p of "
            f"{len(self.names)} quantities {self.p_values[worst]:.2g} ({self.names[worst]})"
        )
        status = "passed" if self.passed else "failed"
        end = "" if self.passed else ": prior, simulator, likelihood and sampler do not agree"
        return Finding("Calibration of the posterior", status, f"{text}{end}.", self.table())

    def __repr__(self) -> str:
        """Say how many replications and quantities, and how it ended."""
        n, quantities = self.ranks.shape
        outside = int((self.p_values * quantities < ALARM).sum())
        return (
            f"Calibration({self.model}, {n} replications, {quantities} quantities, {outside} "
            f"outside the band, smallest p {self.p_values.min():.2g})"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table()._repr_html_()}"


@dataclass(frozen=True)
class Replication:
    """One replication of the calibration: ranks (q,), and how the sampler fared."""

    ranks: tuple[int, ...]
    names: tuple[str, ...]
    discarded: int
    r_hat: float
    ess: float
    divergences: int

    @property
    def settled(self) -> bool:
        """Whether the sampler had nothing to warn of."""
        return self.r_hat <= 1.01 and not self.divergences


def replicate(
    model: Model,
    like: Any,
    rng: np.random.Generator,
    *,
    engine: Engine | None = None,
    draws: int = 49,
    largest: int = 5000,
    remake: Callable[[FloatArray, np.random.Generator], Any] | None = None,
) -> Replication:
    """Draw parameters from the prior, simulate, fit, and rank the truth among the draws.

    Parameters
    ----------
    model : Model
    like : CountSeries
        Gives the periods and names. The likelihood conditions on its first counts (as many as the
        model has lags), and so does the simulation: they belong to no draw.
    rng : numpy.random.Generator
    engine : Engine, optional
        NUTS with its defaults if not given.
    draws : int
        Thinned draws to rank among; the posterior must hold several times as many.
    largest : int
        A simulated series with a count beyond is discarded and told.
    remake : callable, optional
        (what `replicate` of the model simulated, rng) -> the series to fit, where `like` is no
        series of counts.
    """
    layout, discarded = model.problem(like).layout, -1
    counts = np.full(1, np.inf)
    while not counts.max() <= largest:
        discarded += 1
        values = layout.sample_prior(rng, 1)
        point = {name: value[0] for name, value in values.items()}
        known = Fit(model, like, values, point, 0.0, {"converged": True}, PRIOR)
        counts = known.replicate(rng, 1)[0]
    truth = layout.pack(point)
    if remake is None:
        series = replace(like, counts=counts.astype(np.int64), dropped="")
    else:
        series = remake(counts, rng)
    if repr(model.parameters(series)) != repr(layout.parameters):
        raise ValueError(f"the priors of {model.name} depend on the counts: no calibration")
    fit = model.fit(series, engine or NUTS(), rng)
    theta = fit.theta
    if len(theta) < 2 * draws:
        raise ValueError(f"{draws} thinned draws want {2 * draws} or more, got {len(theta)}")
    # Starts and ends of chains alike: no place of a chain is favoured.
    chosen = ((np.arange(draws) + 0.5) * len(theta) / draws).astype(int)
    both = np.concatenate([truth[None], theta[chosen]])
    quantities = np.column_stack([both[:, layout.free], _log_likelihood(model, fit, both)])
    told = fit.diagnostics
    return Replication(
        ranks=tuple((quantities[1:] < quantities[0]).sum(axis=0).tolist()),
        names=(*layout.labels, LOG_LIKELIHOOD),
        discarded=discarded,
        r_hat=float(told.get("r_hat", np.nan)),
        ess=float(told.get("ess", np.nan)),
        divergences=int(told.get("divergences", 0)),
    )


def calibrate(
    model: Model,
    like: CountSeries,
    replications: int,
    *,
    engine: Engine | None = None,
    draws: int = 49,
    seed: int = 0,
    progress: Callable[[int, int], None] | None = None,
) -> Calibration:
    """Simulation-based calibration of a count model through its declared priors.

    Parameters
    ----------
    model : Model
    like : CountSeries
        Periods, names and first counts of the simulated series; short ones are quick to fit.
    replications : int
    engine : Engine, optional
        NUTS with its defaults if not given. Another engine's posterior can be judged as well.
    draws : int
        Thinned draws of each posterior.
    seed : int
        Replication i has the random numbers of (seed, i).
    progress : callable, optional
        Called with the number done and the total.
    """
    found = []
    for i in range(replications):
        rng = np.random.default_rng(np.random.SeedSequence([seed, i]))
        found.append(replicate(model, like, rng, engine=engine, draws=draws))
        if progress is not None:
            progress(i + 1, replications)
    return gathered(found, draws, model.name)


def gathered(replications: list[Replication], draws: int, model: str) -> Calibration:
    """The calibration that single replications make together."""
    return Calibration(
        ranks=np.array([one.ranks for one in replications], np.int64),
        draws=draws,
        names=replications[0].names,
        model=model,
        discarded=sum(one.discarded for one in replications),
        unsettled=sum(not one.settled for one in replications),
    )


def ecdf_bands(n: int, draws: int, level: float) -> tuple[FloatArray, FloatArray]:
    r"""Simultaneous band of the ECDF of n independent uniform ranks.

    At each of the points :math:`z_j = (j + 1) / (L + 1)` the band is a central interval of the
    binomial law of the number of ranks up to j, all of the same pointwise level: the one at which
    an ECDF stays inside throughout with probability at least `level`, exactly.

    Parameters
    ----------
    n : int
        Number of ranks.
    draws : int
        L; the ranks are 0, 1, …, L.
    level : float
        Probability that no point is outside.

    Returns
    -------
    lower, upper : ndarray (L,)
        Ends as shares; an ECDF on an end is inside.

    References
    ----------
    Säilynoja, Bürkner & Vehtari (2022), Statistics and Computing 32, 32, section 2.

    Examples
    --------
    >>> lower, upper = ecdf_bands(100, 9, 0.95)
    >>> float(lower[4]), float(upper[4])
    (0.37, 0.63)
    """
    if not 0 < level < 1:
        raise ValueError(f"a level must lie between 0 and 1, not {level}")
    tails = _tails(n, draws)
    steps = np.unique(tails)
    low, high = 0, len(steps) - 1
    while low < high:
        middle = (low + high + 1) // 2
        if _coverage(tails >= steps[middle] * NEARLY, n) >= level:
            low = middle
        else:
            high = middle - 1
    inside = tails >= steps[low] * NEARLY
    return inside.argmax(axis=1) / n, (n - inside[:, ::-1].argmax(axis=1)) / n


def uniformity(ranks: ArrayLike, draws: int) -> float:
    """P-value of the hypothesis that ranks are independent and uniform on 0, 1, …, `draws`.

    The statistic is the smallest two-sided binomial probability over all points of the ECDF; its
    law is computed exactly, so that the test belongs to the bands of `ecdf_bands`.

    Parameters
    ----------
    ranks : array_like of int (n,)
    draws : int

    Examples
    --------
    >>> uniformity([0, 1, 2, 3, 4] * 10, 4) > 0.9, uniformity([0, 0, 1, 1, 1] * 10, 4) < 1e-6
    (True, True)
    """
    values = np.asarray(ranks, np.int64)
    n = len(values)
    tails = _tails(n, draws)
    seen = tails[np.arange(draws), _ecdf(values[:, None], draws)[:, 0]].min()
    return float(min(1.0, max(0.0, 1 - _coverage(tails > seen / NEARLY, n))))


def _points(draws: int) -> FloatArray:
    return np.arange(1, draws + 1) / (draws + 1)


def _ecdf(ranks: IntArray, draws: int) -> IntArray:
    """How many ranks (n, q) are at most 0, 1, …, draws - 1: (draws, q)."""
    return (ranks[None] <= np.arange(draws)[:, None, None]).sum(axis=1)


def _tails(n: int, draws: int) -> FloatArray:
    """Two-sided binomial probability (draws, n + 1) of each number of ranks at each point."""
    from scipy.special import bdtr, bdtrc

    z, numbers = _points(draws)[:, None], np.arange(n + 1)
    below = bdtr(numbers, n, z)
    above = np.column_stack([np.ones(draws), bdtrc(numbers[:-1], n, z)])
    return np.asarray(np.minimum(1.0, 2 * np.minimum(below, above)))


def _coverage(inside: BoolArray, n: int) -> float:
    """Probability that the ECDF of n uniform ranks stays inside at every point, exactly.

    The counts between the points are multinomial: independent Poisson numbers given their sum.
    """
    from scipy.special import gammaln

    points = len(inside)
    width = n / (points + 1)
    numbers = np.arange(n + 1)
    law = np.exp(numbers * np.log(width) - width - gammaln(numbers + 1))
    paths = np.zeros(n + 1)
    paths[0] = 1.0
    for allowed in inside:
        paths = np.convolve(paths, law)[: n + 1] * allowed
    total = float(paths @ law[::-1])
    return total / float(np.exp(n * np.log(n) - n - gammaln(n + 1)))


def _log_likelihood(model: Model, fit: Any, theta: FloatArray) -> FloatArray:
    return np.asarray(np.nansum(model.pointwise(fit, theta), axis=(1, 2)), float)
