"""Counts of many units, each watched over a span of its own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any, NoReturn, Self, override

import numpy as np

from escalation.series.counts import CountSeries, checked_names
from escalation.window import PERIOD_DAYS, DateArray, FloatArray, Window


@dataclass(frozen=True, eq=False, repr=False)
class PanelSeries(CountSeries):
    """Counts of U units (dyads, provinces, borders) in the same calendar, of unequal length.

    Each unit has S streams, the same *kinds* in every unit, and its own span of periods in which it
    was watched. The K = U × S streams stand side by side: those of the first unit, of the second,
    and so on. A count outside a unit's watch is zero and means nothing.

    Parameters
    ----------
    units : tuple of str
    kinds : tuple of str
        Names of the streams of a unit.
    shares : array of float64, shape (T, U)
        The part of each period's watched days in which the unit was watched; 0: not at all.

    The other parameters are those of `CountSeries`; ``exposure`` is that of the unit that was
    watched longest in the period.

    Raises
    ------
    ValueError
        If shapes disagree, a share lies outside 0 to 1, or an unwatched unit has a count.

    Examples
    --------
    >>> from datetime import date
    >>> north = CountSeries.from_counts([1, 0, 2, 1], date(2024, 1, 1), names=["attacks"])
    >>> south = CountSeries.from_counts([4, 3], date(2024, 1, 15), names=["attacks"])
    >>> PanelSeries.from_series({"north": north, "south": south}).shares.T
    array([[1., 1., 1., 1.],
           [0., 0., 1., 1.]])
    """

    units: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    shares: Any = None

    def __post_init__(self) -> None:
        super().__post_init__()
        units = checked_names(self.units, len(self.units))
        kinds = checked_names(self.kinds, len(self.kinds))
        shares = np.array(self.shares, dtype=np.float64)
        if len(units) * len(kinds) != self.n_streams or shares.shape != (len(self), len(units)):
            raise ValueError(
                f"{len(units)} units of {len(kinds)} kinds over {len(self)} periods want counts of "
                f"{len(units) * len(kinds)} streams and as many shares as units, got counts "
                f"{self.counts.shape} and shares {shares.shape}"
            )
        if not np.all((shares >= 0) & (shares <= 1)):
            raise ValueError("shares of watched days must lie between 0 and 1")
        seen = self.counts.reshape(len(self), len(units), -1).sum(axis=2)
        wrong = np.argwhere((shares * self.exposure[:, None] <= 0) & (seen > 0))
        if len(wrong):
            period, unit = wrong[0]
            raise ValueError(
                f"{units[unit]}: the {self.period} from {self.edges[period]} has counts, but was "
                "not watched"
            )
        shares.setflags(write=False)
        object.__setattr__(self, "shares", shares)

    @classmethod
    def from_series(cls, series: Mapping[str, CountSeries]) -> Self:
        """Put series of the same kinds of streams side by side, each with its own window.

        Parameters
        ----------
        series : dict of CountSeries
            By the name of the unit. Periods must fall on the same days where they overlap.

        Raises
        ------
        ValueError
            If there is none, or periods or streams differ.
        """
        if not series:
            raise ValueError("a panel needs at least one unit")
        first = next(iter(series.values()))
        for name, one in series.items():
            if one.period != first.period or one.names != first.names:
                raise ValueError(
                    f"{name} has {', '.join(one.names)} by {one.period}, the first unit "
                    f"{', '.join(first.names)} by {first.period}"
                )
        edges = _calendar([one.edges for one in series.values()], first.period)
        length, kinds = len(edges) - 1, first.n_streams
        counts = np.zeros((length, len(series) * kinds), np.int64)
        exposure = np.zeros((length, len(series)))
        for u, (name, one) in enumerate(series.items()):
            begin = int(np.searchsorted(edges, one.edges[0]))
            rows = slice(begin, begin + len(one))
            if not np.array_equal(edges[begin : begin + len(one) + 1], one.edges):
                raise ValueError(
                    f"{name}: its {one.period}s start on other days ({one.edges[0]}) than those "
                    f"of the first unit ({first.edges[0]})"
                )
            counts[rows, u * kinds : (u + 1) * kinds] = one.counts
            exposure[rows, u] = one.exposure
        most = exposure.max(axis=1)
        return cls(
            counts=counts,
            exposure=most,
            edges=edges,
            names=_stream_names(tuple(series), first.names),
            window=_window(edges, most),
            period=first.period,
            dropped="; ".join(f"{n}: {one.dropped}" for n, one in series.items() if one.dropped),
            units=tuple(series),
            kinds=first.names,
            shares=exposure / np.where(most > 0, most, 1.0)[:, None],
        )

    @property
    @override
    def uneven(self) -> bool:
        """Whether some unit was watched less than another."""
        return bool((self.shares[self.exposure > 0] < 1 - 1e-9).any())

    @property
    @override
    def watch(self) -> FloatArray:
        """The share of each period in which each stream's unit was watched, shape ``(T, K)``."""
        own = np.repeat(self.shares, len(self.kinds), axis=1)
        return np.asarray(super().watch * own)

    def unit(self, name: str) -> CountSeries:
        """The series of one unit, from its first to its last watched period."""
        if name not in self.units:
            raise ValueError(f"no unit {name!r}; the units are {', '.join(self.units)}")
        u, kinds = self.units.index(name), len(self.kinds)
        exposure = self.exposure * self.shares[:, u]
        seen = np.flatnonzero(exposure > 0)
        if not len(seen):
            raise ValueError(f"{name} was never watched")
        rows = slice(seen[0], seen[-1] + 1)
        edges = self.edges[seen[0] : seen[-1] + 2]
        return CountSeries(
            self.counts[rows, u * kinds : (u + 1) * kinds], exposure[rows], edges, self.kinds,
            _window(edges, exposure[rows]), self.period,
        )  # fmt: skip

    @override
    def split(self, day: date) -> tuple[PanelSeries, PanelSeries]:
        """The periods before the day and those from it on; the day must start a period."""
        plain = CountSeries(
            self.counts, self.exposure, self.edges, self.names, self.window, self.period,
            self.dropped,
        )  # fmt: skip
        before, after = plain.split(day)
        at = len(before)
        return self._of(before, self.shares[:at]), self._of(after, self.shares[at:])

    def _of(self, plain: CountSeries, shares: FloatArray) -> PanelSeries:
        return replace(
            self, counts=plain.counts, exposure=plain.exposure, edges=plain.edges,
            window=plain.window, shares=shares,
        )  # fmt: skip

    @override
    def coarser(self, period: str) -> NoReturn:
        """Refuse: make each unit coarser, then the panel of them."""
        raise ValueError("make each unit's series coarser, then put them side by side")

    @override
    def __eq__(self, other: object) -> bool:
        """Whether both hold the same counts over the same watch."""
        if not isinstance(other, PanelSeries):
            return NotImplemented
        return bool(
            super().__eq__(other)
            and self.units == other.units
            and self.kinds == other.kinds
            and np.array_equal(self.shares, other.shares)
        )

    __hash__ = None  # holds arrays

    @override
    def __repr__(self) -> str:
        """Say how many units, periods and incidents."""
        return f"Panel{super().__repr__()[5:-1]}, {len(self.units)} units)"


def _stream_names(units: tuple[str, ...], kinds: tuple[str, ...]) -> tuple[str, ...]:
    if len(kinds) == 1:
        return units
    return tuple(f"{unit}: {kind}" for unit in units for kind in kinds)


def _calendar(edges: list[DateArray], period: str) -> DateArray:
    """Edges of all periods from the first to the last of several calendars."""
    first, last = min(one[0] for one in edges), max(one[-1] for one in edges)
    if period == "month":
        after = last.astype("datetime64[M]") + np.timedelta64(1, "M")
        months = np.arange(first.astype("datetime64[M]"), after)
        return np.asarray(months.astype("datetime64[D]"))
    step = np.timedelta64(int(PERIOD_DAYS[period]), "D")
    return np.asarray(np.arange(first, last + step, step))


def _window(edges: DateArray, exposure: FloatArray) -> Window:
    """From the first to the last edge, with the runs of periods that nobody watched as gaps."""
    dark = np.flatnonzero(np.diff(np.concatenate([[0], exposure <= 0, [0]]).astype(int)))
    gaps = tuple(
        (edges[a].item(), edges[b].item()) for a, b in zip(dark[::2], dark[1::2], strict=True)
    )
    return Window(edges[0].item(), edges[-1].item(), gaps)
