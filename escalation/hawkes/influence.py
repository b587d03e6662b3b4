"""Influence: who is followed by more, or by less, of whom, where no R is defined."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any, NoReturn

import numpy as np
import polars as pl

from escalation.dynamics import arrow_table
from escalation.fit import Fit
from escalation.parameters import BoolArray, FloatArray
from escalation.series import stream_place


@dataclass(frozen=True, eq=False)
class Influence:
    r"""What a process with a link says of who is followed by more, or by less, of whom.

    `reproduction`, `shares`, `branching_ratio` and `total_effect` are not defined for it.

    Attributes
    ----------
    influence : ndarray (n, K, K)
        Draws of A: ``[draw, k, j]`` is what one incident of j adds to the predictor of k, over
        time. Negative: it inhibits.
    names : tuple of str
    arrows : ndarray of bool (K, K)
        Which entries the model allows.
    link : str
    fit : Fit
        Which simulates the responses.
    """

    influence: FloatArray
    names: tuple[str, ...]
    arrows: BoolArray
    link: str
    fit: Fit

    def __post_init__(self) -> None:
        for array in (self.influence, self.arrows):
            array.setflags(write=False)

    @property
    def stability(self) -> FloatArray:
        """Draws (n,) of the spectral radius of abs(A) times the largest slope of the link.

        Below 1 the process settles (Brémaud & Massoulié 1996); at 1 or above it may still do so
        where influences are negative. NaN for the link exp, whose slope has no bound.
        """
        if self.link == "exp":
            return np.full(len(self.influence), np.nan)
        return np.asarray(np.abs(np.linalg.eigvals(np.abs(self.influence))).max(axis=1), float)

    @property
    def stability_text(self) -> str:
        """The stability in words."""
        if self.link == "exp":
            return "no guarantee"
        low, middle, high = np.quantile(self.stability, [0.05, 0.5, 0.95])
        return f"{middle:.2f}, 90 % interval {low:.2f} to {high:.2f}; below 1 the process settles"

    def response(
        self,
        stream: str,
        days: float,
        rng: np.random.Generator | None = None,
        draws: int = 200,
        paths: int = 50,
    ) -> FloatArray:
        """Draws (draws, K) of the further incidents within `days` of one more in `stream`.

        The incident comes at the end of the watch; the history stays. Paths with and without it
        share their random numbers (`thinning.coupled`). Negative: fewer incidents. The mean over
        `paths` leaves some noise of simulation in each draw; the mean over draws has little.

        Parameters
        ----------
        stream : str
        days : float
        rng : numpy.random.Generator, optional
            Seeded with 0 if not given.
        draws : int
            Draws of the parameters.
        paths : int
            Simulated pairs of paths for each.

        Raises
        ------
        ValueError
            For an unknown stream, or days that are not positive.
        """
        stream_place(self.names, stream)
        if not days > 0:
            raise ValueError(f"days must be positive, got {days:g}")
        rng = np.random.default_rng(0) if rng is None else rng
        model: Any = self.fit.model
        further: FloatArray = model.further(self.fit, stream, days, rng, draws, paths)
        return further

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """A, a row an arrow: source, target, estimate (the median), lower, upper, allowed."""
        tails = [0.5, (1 - level) / 2, (1 + level) / 2]
        return arrow_table(self.names, self.arrows, *np.quantile(self.influence, tails, axis=0))

    def __getattr__(self, name: str) -> NoReturn:
        """Say of what additive models alone have that it is not defined here."""
        if name in ("reproduction", "shares", "branching_ratio", "total_effect"):
            raise AttributeError(f"{name} is not defined for a process with a link: see influence")
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __repr__(self) -> str:
        """Say the streams, the link and the stability."""
        streams = ", ".join(self.names)
        return f"Influence({streams}; link {self.link}; stability {self.stability_text})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table()._repr_html_()}"
