"""Phases of a series: which one it was when, how long they last, and what comes next."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from html import escape

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.parameters import FloatArray
from escalation.series import CountSeries


@dataclass(frozen=True, eq=False)
class Phases:
    """Probabilities of the phases over time, with draws.

    Attributes
    ----------
    names : tuple of str
        From the lowest to the highest.
    series : CountSeries
    smoothed : ndarray (n, T, S)
        Probability of each phase given the whole series.
    filtered : ndarray (n, T, S)
        Given the series up to that period: what could have been said at its end.
    transition : ndarray (n, S, S)
        ``[draw, a, b]``: probability that b follows a.
    rates : ndarray (n, S, K)
        Expected incidents of a wholly watched period in each phase: geometric mean over the
        periods of the series.
    path : ndarray of int (T,)
        The most likely path (Viterbi) at the estimate; -1 where a period is conditioned on.
    """

    names: tuple[str, ...]
    series: CountSeries
    smoothed: FloatArray
    filtered: FloatArray
    transition: FloatArray
    rates: FloatArray
    path: NDArray[np.int64]

    def __post_init__(self) -> None:
        for array in (self.smoothed, self.filtered, self.transition, self.rates, self.path):
            array.setflags(write=False)

    @property
    def probability(self) -> FloatArray:
        """Probability (T, S) of each phase given the whole series, parameters averaged over."""
        return np.asarray(self.smoothed.mean(axis=0), float)

    @property
    def today(self) -> FloatArray:
        """Probability (S,) of each phase in the last period."""
        return np.asarray(self.filtered[:, -1].mean(axis=0), float)

    @property
    def stay(self) -> FloatArray:
        """Draws (n, S) of the expected number of periods that a phase lasts, once begun."""
        kept = np.diagonal(self.transition, axis1=1, axis2=2)
        return np.asarray(1 / np.maximum(1 - kept, 1e-12), float)

    def ahead(self, horizon: int) -> FloatArray:
        """Draws (n, H, S) of the probability of each phase 1, …, H periods after the series."""
        out = np.empty((len(self.transition), horizon, len(self.names)))
        law = self.filtered[:, -1]
        for h in range(horizon):
            law = np.einsum("na,nab->nb", law, self.transition)
            out[:, h] = law
        return out

    def moving_up(self, horizon: int = 12) -> FloatArray:
        """Draws (n, H) of the probability to be, once within h periods, above the last phase.

        Above the phase of the last period, whichever that was, as probable as the series makes it;
        from the highest phase nothing goes up.
        """
        out = np.zeros((len(self.transition), horizon))
        for s in range(len(self.names) - 1):
            below = self.transition[:, : s + 1, : s + 1]
            law = np.zeros((len(below), s + 1))
            law[:, s] = self.filtered[:, -1, s]
            for h in range(horizon):
                law = np.einsum("na,nab->nb", law, below)
                out[:, h] += self.filtered[:, -1, s] - law.sum(axis=1)
        return np.maximum(out, 0.0)

    # Tables ------------------------------------------------------------------------------------

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """A row a period and phase: start, phase, probability, lower, upper, filtered, likeliest.

        The interval is that of the smoothed probability over the draws of the parameters.
        """
        periods, phases = self.probability.shape
        low, high = np.quantile(self.smoothed, _tails(level), axis=0)
        return pl.DataFrame(
            {
                "start": np.repeat(self.series.edges[:-1], phases),
                "phase": list(self.names) * periods,
                "probability": self.probability.ravel(),
                "lower": low.ravel(),
                "upper": high.ravel(),
                "filtered": self.filtered.mean(axis=0).ravel(),
                "likeliest": (self.path[:, None] == np.arange(phases)).ravel(),
            }
        )

    def changes(self, level: float = 0.9) -> pl.DataFrame:
        """The spans of the most likely path, a row each.

        Columns: start, end (the day after), periods, phase; probability, the mean smoothed
        probability of that phase over the span; earliest and latest start of it. Earliest is the
        first period from which on the probability to be on the new side of the change stays above
        (1 - level) / 2, latest the first one in which it reaches (1 + level) / 2; null where it
        does not within the span. Both are null for the first span.
        """
        first = int((self.path < 0).sum())
        path = self.path[first:]
        begins = first + np.concatenate([[0], np.flatnonzero(np.diff(path)) + 1])
        ends = np.concatenate([begins[1:], [len(self.path)]])
        rows = []
        for i, (begin, end) in enumerate(zip(begins, ends, strict=True)):
            phase = int(self.path[begin])
            early, late = (None, None) if i == 0 else self._when(begins[i - 1], begin, end, level)
            rows.append(
                {
                    "start": self._day(begin),
                    "end": self._day(end),
                    "periods": int(end - begin),
                    "phase": self.names[phase],
                    "probability": float(self.probability[begin:end, phase].mean()),
                    "earliest": None if early is None else self._day(early),
                    "latest": None if late is None else self._day(late),
                }
            )
        kinds = {"earliest": pl.Date, "latest": pl.Date}
        return pl.DataFrame(rows, schema_overrides=kinds)

    def _when(self, since: int, at: int, end: int, level: float) -> tuple[int, int | None]:
        """Earliest and latest period in which the phase of a span may have begun."""
        old, new = int(self.path[at - 1]), int(self.path[at])
        there = self.probability[:, new:] if new > old else self.probability[:, : new + 1]
        side = there.sum(axis=1)
        low, high = _tails(level)
        early = at
        while early > since and side[early - 1] >= low:
            early -= 1
        reached = np.flatnonzero(side[at:end] >= high)
        return early, int(at + reached[0]) if reached.size else None

    def _day(self, edge: int) -> date:
        day: date = self.series.edges[edge].item()
        return day

    def stays(self, level: float = 0.9) -> pl.DataFrame:
        """A row a phase: how long it lasts, and how many incidents a period it brings.

        Columns: phase; stay, lower, upper, the expected number of periods that it lasts once begun
        (median and interval over the draws); periods, the expected number of periods of the series
        in it; then the expected incidents of a period, stream by stream.
        """
        low, high = np.quantile(self.stay, _tails(level), axis=0)
        rate = np.median(self.rates, axis=0)
        columns = {
            "phase": list(self.names),
            "stay": np.median(self.stay, axis=0),
            "lower": low,
            "upper": high,
            "periods": self.probability[self.path >= 0].sum(axis=0),
        }
        for k, name in enumerate(self.series.names):
            columns[f"rate of {name}"] = rate[:, k]
        return pl.DataFrame(columns)

    def outlook(self, horizon: int = 12, level: float = 0.9) -> pl.DataFrame:
        """A row a period ahead.

        Columns: step; up, the probability to have been above the last period's phase by then, with
        lower and upper; then the probability of each phase in that period.
        """
        up, law = self.moving_up(horizon), self.ahead(horizon).mean(axis=0)
        low, high = np.quantile(up, _tails(level), axis=0)
        columns = {"step": np.arange(1, horizon + 1), "up": up.mean(axis=0)}
        columns |= {"lower": low, "upper": high}
        return pl.DataFrame(columns | {name: law[:, s] for s, name in enumerate(self.names)})

    def __repr__(self) -> str:
        """Say today's phase, since when, and the chance to move up."""
        now = int(self.today.argmax())
        spans = self.changes()
        last = spans.row(-1, named=True)
        up = float(self.moving_up(12)[:, -1].mean())
        unit = self.series.period
        told = f"{self.names[now]} with probability {self.today[now]:.2f}"
        if last["phase"] == self.names[now] and len(spans) > 1:
            told += f", since {last['start']}"
        return (
            f"Phases({len(self.path)} {unit}s, {len(spans) - 1} changes; at the end {told}; "
            f"higher within 12 {unit}s with probability {up:.2f})"
        )

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(row['phase'])}</th><td>{row['stay']:.1f}</td>"
            f"<td>{row['lower']:.1f} to {row['upper']:.1f}</td><td>{row['periods']:.0f}</td></tr>"
            for row in self.stays().iter_rows(named=True)
        )
        unit = escape(self.series.period)
        return (
            f"<p>{escape(repr(self))}</p><table><thead><tr><th>phase</th><th>lasts ({unit}s)</th>"
            f"<th>90 % interval</th><th>{unit}s in it</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )


def _tails(level: float) -> list[float]:
    return [(1 - level) / 2, (1 + level) / 2]
