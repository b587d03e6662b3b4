"""Dynamics: which stream is followed by more of which, how fast, how much is background."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import polars as pl

from escalation.parameters import (
    BoolArray,
    FloatArray,
    HalfNormal,
    Parameter,
    Stability,
    nonnegative_interval,
)

#: The joint prior of additive models: explosive reproduction matrices are unlikely.
STABLE = Stability("reproduction", 0.85)
SHARES = ("background", "self", "cross")


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
        if stream not in self.names:
            raise ValueError(f"no stream {stream!r}; the streams are {', '.join(self.names)}")
        reach = float(self.response_days[-1])
        if not 0 <= days <= reach:
            raise ValueError(f"days must be between 0 and {reach:g}, got {days:g}")
        grid = np.concatenate([[0.0], self.response_days])
        source = self.names.index(stream)
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
        lower, upper = self.interval(level)
        middle = np.median(self.reproduction, axis=0)
        streams = range(len(self.names))
        return pl.DataFrame(
            [
                {
                    "source": self.names[j],
                    "target": self.names[k],
                    "estimate": float(middle[k, j]),
                    "lower": float(lower[k, j]),
                    "upper": float(upper[k, j]),
                    "allowed": bool(self.arrows[k, j]),
                }
                for j in streams
                for k in streams
            ]
        )

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
        return (
            f"Dynamics({', '.join(self.names)}; R counts {self.unit}; "
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
