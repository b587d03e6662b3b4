"""Vintages: a series as it was known on different days, and as it is known now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np
import polars as pl

from escalation.series import CountSeries

JUDGES = ("latest", "first")


@dataclass(frozen=True, eq=False)
class Vintages:
    """What was known of one series on different days: counts are added, moved and taken back.

    Parameters
    ----------
    series : mapping of date to CountSeries
        By the first day that was not known to the vintage. All have the same streams and kind of
        period, begin on the same day, and end no later than their own day.

    Raises
    ------
    ValueError
        Without a vintage, or where two of them do not belong to one series.
    """

    series: Mapping[date, CountSeries]

    def __post_init__(self) -> None:
        if not self.series:
            raise ValueError("at least one vintage is needed")
        ordered = {day: self.series[day] for day in sorted(self.series)}
        first = next(iter(ordered.values()))
        for day, one in ordered.items():
            if one.window.end > day:
                raise ValueError(f"the vintage of {day} cannot know of {one.window.end}")
            same = (one.names, one.period) == (first.names, first.period)
            length = min(len(one), len(first)) + 1
            if not same or not np.array_equal(one.edges[:length], first.edges[:length]):
                raise ValueError(f"the vintage of {day} has other streams or periods than the rest")
        object.__setattr__(self, "series", ordered)

    @classmethod
    def from_triangle(cls, triangle: Any) -> Vintages:
        """A vintage for each period of a `ReportingTriangle`: what had been reported by its end.

        Parameters
        ----------
        triangle : ReportingTriangle
        """
        ends = [day for day in triangle.edges.tolist() if day > triangle.edges[1].item()]
        return cls({day: triangle.as_of(day).series() for day in ends})

    @property
    def latest(self) -> CountSeries:
        """What is known now."""
        return self.series[max(self.series)]

    def as_of(self, day: date) -> CountSeries:
        """What was known on a day: the last vintage of that day or before.

        Raises
        ------
        ValueError
            Where none is as old.
        """
        known = [own for own in self.series if own <= day]
        if not known:
            raise ValueError(f"nothing is known as of {day}; the first vintage is of {self.first}")
        return self.series[known[-1]]

    @property
    def first(self) -> date:
        """Day of the first vintage."""
        return next(iter(self.series))

    def judge(self, by: str) -> CountSeries:
        """The truth: the latest vintage, or each period as the first vintage that holds it has it.

        Raises
        ------
        ValueError
            For another word.
        """
        if by not in JUDGES:
            raise ValueError(f"forecasts are judged by {' or '.join(JUDGES)}, not {by!r}")
        if by == "latest":
            return self.latest
        counts, exposure, done = self.latest.counts.copy(), self.latest.exposure.copy(), 0
        for one in self.series.values():
            counts[done : len(one)] = one.counts[done:]
            exposure[done : len(one)] = one.exposure[done:]
            done = max(done, len(one))
        return replace(self.latest, counts=counts, exposure=exposure)

    def revisions(self) -> pl.DataFrame:
        """How each period was revised: start, stream, first count, latest count."""
        first, latest = self.judge("first"), self.latest
        starts = np.repeat(latest.edges[:-1], latest.n_streams)
        return pl.DataFrame(
            {
                "start": starts,
                "stream": list(latest.names) * len(latest),
                "first": first.counts.ravel().copy(),
                "latest": latest.counts.ravel().copy(),
            }
        )

    def __repr__(self) -> str:
        """Say how many, and from when to when."""
        days = list(self.series)
        return f"Vintages({len(days)} from {days[0]} to {days[-1]}: {self.latest!r})"
