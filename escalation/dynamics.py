"""Dynamics: which stream is followed by more of which, how fast, how much is background."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from html import escape

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.parameters import BoolArray, FloatArray, Parameter, nonnegative_interval
from escalation.priors import HalfNormal, Stability
from escalation.series import stream_place

#: The joint prior of additive models: explosive reproduction matrices are unlikely.
STABLE = Stability("reproduction", 0.85)
SHARES = ("background", "self", "cross")


@dataclass(frozen=True, eq=False)
class MovingReproduction:
    r"""A reproduction matrix that moves from period to period.

    :math:`R_{kk}(t)` is the diagonal of the era's matrix times the own factor of stream k,
    :math:`R_{kj}(t)` the rest times its cross factor.

    Attributes
    ----------
    edges : ndarray of datetime64[D] (T + 1,)
    base : ndarray (n, E, K, K)
        Matrix of each era.
    own, cross : ndarray (n, T, K) or None
        Factors of the diagonal and of the rest of row k in each period; None: one.
    era : ndarray of int (T,)
    """

    edges: NDArray[np.datetime64]
    base: FloatArray
    own: FloatArray | None
    cross: FloatArray | None
    era: NDArray[np.int64]

    @property
    def constant(self) -> bool:
        """Whether R is the same in all periods."""
        return self.own is None and self.cross is None and self.base.shape[1] == 1

    def at(self, t: int) -> FloatArray:
        """R (n, K, K) in one period."""
        matrix = np.array(self.base[:, self.era[t]])
        diagonal = np.eye(matrix.shape[1], dtype=bool)
        if self.cross is not None:
            matrix = np.where(diagonal, matrix, matrix * self.cross[:, t, :, None])
        if self.own is not None:
            matrix = np.where(diagonal, matrix * self.own[:, t, :, None], matrix)
        return matrix

    def mean(self, inside: BoolArray) -> FloatArray:
        """Mean of R (n, K, K) over the chosen periods (T,)."""
        streams = self.base.shape[2]
        out = np.zeros((len(self.base), streams, streams))
        diagonal = np.eye(streams, dtype=bool)
        for e in range(self.base.shape[1]):
            here = inside & (self.era == e)
            if not here.any():
                continue
            cross = 1.0 if self.cross is None else self.cross[:, here].mean(axis=1)[:, :, None]
            own = 1.0 if self.own is None else self.own[:, here].mean(axis=1)[:, :, None]
            matrix = np.where(diagonal, self.base[:, e] * own, self.base[:, e] * cross)
            out += here.sum() / inside.sum() * matrix
        return out

    def offspring(self, past: FloatArray) -> tuple[FloatArray, FloatArray]:
        """What the own past and that of others bring (n, T, K), from lagged counts (n, T, K)."""
        own, cross = np.empty_like(past), np.empty_like(past)
        for e in range(self.base.shape[1]):
            inside = self.era == e
            matrix = self.base[:, e]
            own[:, inside] = np.einsum("nkk->nk", matrix)[:, None] * past[:, inside]
            off = matrix * (1 - np.eye(matrix.shape[1]))
            cross[:, inside] = np.einsum("nkj,ntj->ntk", off, past[:, inside])
        if self.own is not None:
            own *= self.own
        if self.cross is not None:
            cross *= self.cross
        return own, cross


@dataclass(frozen=True, eq=False)
class Dynamics:
    r"""What an additive model says of who is followed by more of whom, with its uncertainty.

    Attributes
    ----------
    reproduction : ndarray (n, K, K)
        Draws of R: ``[draw, k, j]`` is the expected number of incidents of stream k that directly
        follow one incident of stream j. `unit` says which of them are counted.
    shares : ndarray (n, K, 3)
        Draws of the parts of each stream's expected incidents over the window by immediate cause:
        background, the stream itself, the other streams.
    responses : ndarray (n, H, K, K)
        Draws of the expected further incidents of k within ``response_days[h]`` days after one
        more incident of j, descendants of descendants included.
    response_days : ndarray (H,)
    names : tuple of str
    unit : str
        "offspring in later weeks" for weekly counts, "all offspring" for exact times.
    arrows : ndarray of bool (K, K)
        Which entries of R the model allows.
    delay_median : ndarray (n,)
        Median delay of the direct offspring, days.
    same_period : ndarray (n,)
        Share of the offspring that falls into the incident's own period and is not in R, were the
        kernel to hold within the period too; zero for exact times.
    moving : MovingReproduction, optional
        R period by period, where it moves; `reproduction` is then a mean of it, and so is what
        follows from it: branching ratio, total effect, responses.
    """

    reproduction: FloatArray
    shares: FloatArray
    responses: FloatArray
    response_days: FloatArray
    names: tuple[str, ...]
    unit: str
    arrows: BoolArray
    delay_median: FloatArray
    same_period: FloatArray
    moving: MovingReproduction | None = None

    def __post_init__(self) -> None:
        streams = len(self.names)
        if self.reproduction.shape[1:] != (streams, streams):
            raise ValueError(
                f"reproduction has shape {self.reproduction.shape}, "
                f"wanted (n, {streams}, {streams})"
            )
        for name in ("reproduction", "shares", "responses", "response_days", "arrows"):
            getattr(self, name).setflags(write=False)

    @property
    def branching_ratio(self) -> FloatArray:
        """Draws (n,) of the spectral radius of R; at 1 or above the process does not settle."""
        return np.asarray(np.abs(np.linalg.eigvals(self.reproduction)).max(axis=1), float)

    def reproduction_at(self, when: date | str = "mean") -> FloatArray:
        """Draws (n, K, K) of R in the period that holds a date, or its mean over all periods.

        Parameters
        ----------
        when : date or "mean"

        Raises
        ------
        ValueError
            For a date outside the fitted periods, where R moves.
        """
        if self.moving is None:
            return self.reproduction
        edges = self.moving.edges
        if when == "mean":
            return self.moving.mean(np.ones(len(edges) - 1, bool))
        day = np.datetime64(when, "D")
        at = int(np.searchsorted(edges, day, side="right")) - 1
        if not 0 <= at < len(edges) - 1:
            raise ValueError(f"{day} does not lie in the periods from {edges[0]} to {edges[-1]}")
        return self.moving.at(at)

    def branching_over_time(
        self, level: float = 0.9, draws: int = 200, pair: tuple[str, str] | None = None
    ) -> pl.DataFrame:
        """Branching ratio by period: start, estimate (the median), lower, upper.

        Parameters
        ----------
        level : float
        draws : int
            How many of the draws are used, evenly spread over all of them.
        pair : (str, str), optional
            Source and target of an arrow: its R in place of the branching ratio.

        Raises
        ------
        ValueError
            If R does not move, or for an unknown stream.
        """
        if self.moving is None:
            raise ValueError("R is the same in all periods: see branching_ratio")
        for name in pair or ():
            stream_place(self.names, name)
        rows = np.unique(np.linspace(0, len(self.reproduction) - 1, draws).astype(int))
        tails = [0.5, (1 - level) / 2, (1 + level) / 2]
        own, cross = self.moving.own, self.moving.cross
        thin = replace(
            self.moving,
            base=self.moving.base[rows],
            own=None if own is None else own[rows],
            cross=None if cross is None else cross[rows],
        )
        found = []
        for t in range(len(self.moving.edges) - 1):
            matrix = thin.at(t)
            if pair is None:
                values = np.abs(np.linalg.eigvals(matrix)).max(axis=1)
            else:
                values = matrix[:, self.names.index(pair[1]), self.names.index(pair[0])]
            found.append(np.quantile(values, tails))
        middle, lower, upper = np.array(found).T
        return pl.DataFrame(
            {
                "start": self.moving.edges[:-1].copy(),
                "estimate": middle,
                "lower": lower,
                "upper": upper,
            }
        )

    @property
    def total_effect(self) -> FloatArray:
        """Draws (n, K, K) of all descendants of one incident, itself included: (I - R)^-1.

        Infinite in draws whose branching ratio is 1 or more.
        """
        settled = self.branching_ratio < 1
        out = np.full(self.reproduction.shape, np.inf)
        identity = np.eye(len(self.names))
        out[settled] = np.linalg.inv(identity - self.reproduction[settled])
        return out

    @property
    def supercritical(self) -> float:
        """Share of the draws whose branching ratio is 1 or more."""
        return float((self.branching_ratio >= 1).mean())

    def response(self, stream: str, days: float) -> FloatArray:
        """Draws (n, K) of the further incidents within `days` of one more in `stream`.

        Raises
        ------
        ValueError
            For an unknown stream, or more days than the responses reach.
        """
        source = stream_place(self.names, stream)
        reach = float(self.response_days[-1])
        if not 0 <= days <= reach:
            raise ValueError(f"days must be between 0 and {reach:g}, got {days:g}")
        grid = np.concatenate([[0.0], self.response_days])
        values: FloatArray = self.responses[:, :, :, source]
        padded: FloatArray = np.concatenate([np.zeros_like(values[:, :1]), values], axis=1)
        at = int(np.searchsorted(grid, days))
        if grid[at] == days:
            return padded[:, at]
        share = (days - grid[at - 1]) / (grid[at] - grid[at - 1])
        return np.asarray(padded[:, at - 1] * (1 - share) + padded[:, at] * share)

    def interval(self, level: float = 0.9) -> tuple[FloatArray, FloatArray]:
        """Lower and upper ends (K, K) of the interval of R; see `nonnegative_interval`."""
        return nonnegative_interval(self.reproduction, level)

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """R, a row an arrow: source, target, estimate (the median), lower, upper, allowed."""
        middle = np.median(self.reproduction, axis=0)
        return arrow_table(self.names, self.arrows, middle, *self.interval(level))

    def share_table(self, level: float = 0.9) -> pl.DataFrame:
        """Shares as a table: stream, share (background, self, cross), estimate, lower, upper."""
        tails = [0.5, (1 - level) / 2, (1 + level) / 2]
        middle, lower, upper = np.quantile(self.shares, tails, axis=0)
        return pl.DataFrame(
            [
                {
                    "stream": name,
                    "share": part,
                    "estimate": float(middle[k, i]),
                    "lower": float(lower[k, i]),
                    "upper": float(upper[k, i]),
                }
                for k, name in enumerate(self.names)
                for i, part in enumerate(SHARES)
            ]
        )

    def __repr__(self) -> str:
        """Say the streams and the branching ratio."""
        low, mid, high = np.quantile(self.branching_ratio, [0.05, 0.5, 0.95])
        mean = ""
        if self.moving is not None:
            eras = self.moving.base.shape[1] > 1
            mean = ", its mean over the last era" if eras else ", its mean over time"
        return (
            f"Dynamics({', '.join(self.names)}; R counts {self.unit}"
            f"{mean}; "
            f"branching ratio {mid:.2f}, 90 % interval {low:.2f} to {high:.2f})"
        )

    def _repr_html_(self) -> str:
        lower, upper = self.interval()
        middle = np.median(self.reproduction, axis=0)
        head = "".join(f"<th>{escape(name)}</th>" for name in self.names)
        rows = ""
        for k, name in enumerate(self.names):
            cells = "".join(
                f"<td>{middle[k, j]:.2f}<br>{lower[k, j]:.2f} to {upper[k, j]:.2f}</td>"
                if self.arrows[k, j]
                else "<td>no arrow</td>"
                for j in range(len(self.names))
            )
            rows += f"<tr><th>{escape(name)}</th>{cells}</tr>"
        return (
            f"<p>{escape(repr(self))}</p><table><thead><tr><th>more in, after one in</th>{head}"
            f"</tr></thead><tbody>{rows}</tbody></table>"
        )


def count_responses(reproduction: FloatArray, weights: FloatArray, horizon: int) -> FloatArray:
    """Cumulative expected descendants, period by period, of one incident.

    Parameters
    ----------
    reproduction : ndarray (n, K, K)
    weights : ndarray (n, L)
        Lag weights.
    horizon : int
        Number of periods.

    Returns
    -------
    ndarray (n, horizon, K, K)
        ``[draw, h, k, j]``: incidents of k within h + 1 periods after one of j.
    """
    draws, streams, _ = reproduction.shape
    lags = weights.shape[1]
    size = horizon + 1
    expected = np.zeros((draws, size, streams, streams))
    expected[:, 0] = np.eye(streams)
    for h in range(1, size):
        reach = min(lags, h)
        past = np.einsum("nl,nlkj->nkj", weights[:, :reach], expected[:, h - reach : h][:, ::-1])
        expected[:, h] = reproduction @ past
    return np.cumsum(expected[:, 1:], axis=1)


def arrow_table(
    names: tuple[str, ...],
    allowed: BoolArray,
    estimate: FloatArray,
    lower: FloatArray,
    upper: FloatArray,
) -> pl.DataFrame:
    """Matrices (K, K) by target and source as a table, a row an arrow."""
    return pl.DataFrame(
        [
            {
                "source": source,
                "target": target,
                "estimate": float(estimate[k, j]),
                "lower": float(lower[k, j]),
                "upper": float(upper[k, j]),
                "allowed": bool(allowed[k, j]),
            }
            for j, source in enumerate(names)
            for k, target in enumerate(names)
        ]
    )


def arrow_mask(arrows: tuple[tuple[bool, ...], ...] | None, streams: int) -> BoolArray:
    """Which entries (K, K) of R are allowed, [receiving, setting off].

    Raises
    ------
    ValueError
        If the mask is not K by K.
    """
    if arrows is None:
        return np.ones((streams, streams), bool)
    mask = np.array(arrows, dtype=bool)
    if mask.shape != (streams, streams):
        raise ValueError(f"arrows has shape {mask.shape}, the series has {streams} streams")
    return mask


def reproduction_parameter(mask: BoolArray, unit: str) -> Parameter:
    """The reproduction matrix with its default prior.

    Half-normal entries whose scales shrink with the number of streams; together with `STABLE`
    fewer than 1 % of prior draws have a branching ratio of 1 or more, for up to twelve streams.
    """
    streams = len(mask)
    scale = np.full(mask.shape, 0.9 / streams**1.15)
    np.fill_diagonal(scale, 0.4)
    return Parameter(
        "reproduction", mask.shape, "nonnegative", HalfNormal(scale),
        f"expected incidents of the target that directly follow one of the source; {STABLE}",
        unit, ("target", "source"), None if mask.all() else mask,
    )  # fmt: skip
