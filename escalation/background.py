"""Background: the part of the rate that no earlier incident explains."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Self

import numpy as np
from numpy.typing import NDArray

from escalation.parameters import FloatArray, Layout, Parameter
from escalation.priors import Normal

YEAR = 365.25
TRENDS = ("spline", "steps")
#: Names of the parameters, in the order of the design matrix' columns.
TERMS = ("level", "season", "weekday", "covariate", "intervention", "trend")


@dataclass(frozen=True, eq=False)
class Covariates:
    """Daily values of what may move the background: a holiday, a closed crossing, a price.

    They must reach over the fitted window, and over a forecast's horizon where one is made. A
    period takes the mean over its days.

    Attributes
    ----------
    start : date
        Day of the first row.
    values : ndarray (days, C) or (days, K, C)
        The same for all streams, or one row a stream (models with components). Best centred and
        scaled by the caller; the coefficient of each is a log ratio a unit.
    names : tuple of str

    Raises
    ------
    ValueError
        If the shape does not match the names, or a value is missing.
    """

    start: date
    values: FloatArray
    names: tuple[str, ...]

    def __post_init__(self) -> None:
        values = np.array(self.values, float)
        wide = values.ndim in (2, 3) and values.shape[-1] == len(self.names)
        if not wide or not self.names or not len(values):
            raise ValueError(
                f"covariates {', '.join(self.names)}: wanted values of shape (days, "
                f"{len(self.names)}) or (days, streams, {len(self.names)}), got {values.shape}"
            )
        wrong = np.argwhere(~np.isfinite(values))
        if len(wrong):
            day, column = int(wrong[0][0]), int(wrong[0][-1])
            raise ValueError(
                f"covariate {self.names[column]!r}: the value of {self._day(day)} is missing"
            )
        values.setflags(write=False)
        object.__setattr__(self, "values", values)

    @classmethod
    def by_period(
        cls, edges: NDArray[np.datetime64], values: FloatArray, names: tuple[str, ...]
    ) -> Self:
        """Values (T, C) or (T, K, C), one row for each period between edges (T + 1,).

        Examples
        --------
        >>> edges = np.array(["2024-01-01", "2024-01-08", "2024-01-15"], "datetime64[D]")
        >>> Covariates.by_period(edges, np.array([[0.0], [1.0]]), ("closed",)).values.shape
        (14, 1)
        """
        days = np.diff(np.asarray(edges, "datetime64[D]")).astype(int)
        if len(days) != len(values):
            raise ValueError(f"{len(days)} periods want as many rows, got {len(values)}")
        first: date = np.asarray(edges, "datetime64[D]")[0].item()
        return cls(first, np.repeat(np.asarray(values, float), days, axis=0), names)

    @property
    def by_stream(self) -> bool:
        """Whether each stream has values of its own."""
        return self.values.ndim == 3

    def at(self, start: date, times: FloatArray, ends: FloatArray | None = None) -> FloatArray:
        """Values (len(times), ...) on the days of times counted from `start`.

        Parameters
        ----------
        start : date
        times : ndarray (T,)
        ends : ndarray (T,), optional
            The mean over the days from each time to this one.

        Raises
        ------
        ValueError
            If a day is not covered: the message names it.
        """
        rows = np.floor(times).astype(int) + (start - self.start).days
        stop = rows + 1
        if ends is not None:
            stop = np.floor(ends).astype(int) + (start - self.start).days
        for row in (rows[rows < 0], stop[stop > len(self.values)] - 1):
            if len(row):
                last = self._day(len(self.values) - 1)
                wanted = self._day(int(row[0]))
                raise ValueError(f"covariates run from {self.start} to {last}, {wanted} is wanted")
        if ends is None:
            return np.asarray(self.values[rows], float)
        # A day at a time: sums from the start of long series would lose digits.
        means = [self.values[a:b].mean(axis=0) for a, b in zip(rows, stop, strict=True)]
        return np.array(means, float).reshape(len(rows), *self.values.shape[1:])

    def _day(self, row: int) -> date:
        return self.start + timedelta(days=row)


@dataclass(frozen=True)
class Interventions:
    """Dated changes: shifts that last, and spikes of one day or period.

    A period that a shift divides counts in part, by its share of days on or after the date; a
    spike is 1 in the period (or on the day) that holds its date and 0 elsewhere.

    Attributes
    ----------
    shifts, spikes : tuple of date

    Raises
    ------
    ValueError
        If there is none, or one is named twice.

    Examples
    --------
    >>> fence = Interventions(shifts=(date(2024, 1, 3),), spikes=(date(2024, 1, 9),))
    >>> fence.columns(date(2024, 1, 1), np.array([0.0, 7.0]), np.array([7.0, 14.0])).round(2)
    array([[0.71, 0.  ],
           [1.  , 1.  ]])
    """

    shifts: tuple[date, ...] = ()
    spikes: tuple[date, ...] = ()

    def __post_init__(self) -> None:
        if not (*self.shifts, *self.spikes):
            raise ValueError("interventions want at least one date, in shifts or in spikes")
        for kind in ("shifts", "spikes"):
            dates = getattr(self, kind)
            if len(set(dates)) != len(dates):
                raise ValueError(f"a date stands twice among the {kind}: {dates}")

    @property
    def names(self) -> tuple[str, ...]:
        """What the columns are: "from 2024-01-03", "on 2024-01-09"."""
        return (*(f"from {day}" for day in self.shifts), *(f"on {day}" for day in self.spikes))

    def columns(self, start: date, times: FloatArray, ends: FloatArray | None = None) -> FloatArray:
        """Columns (T, number of dates) at times (T,) in days from `start`, or up to `ends`."""
        first = np.floor(np.asarray(times, float))
        last = first + 1 if ends is None else np.asarray(ends, float)
        out = []
        for day in self.shifts:
            after = np.minimum(last - (day - start).days, last - first)
            out.append(np.maximum(after, 0.0) / (last - first))
        for day in self.spikes:
            place = (day - start).days
            out.append(((first <= place) & (place < last)).astype(float))
        return np.column_stack(out)


@dataclass(frozen=True)
class Background:
    r"""A log-linear rate with a level, a season and a trend.

    .. math:: \log b_k(t) = \alpha_k + \sum_{s=1}^{S_k} \{\gamma_{ks}\sin(2\pi s t/P)
              + \delta_{ks}\cos(2\pi s t/P)\} + \sum_q \tau_{kq} B_q(t)

    with :math:`+ \omega_{k,\mathrm{weekday}(t)} + z(t)'\zeta_k + v(t)'\iota_k` where a day of the
    week, covariates or interventions are asked for. Time runs in days from the start of the fitted
    window; the season has period `season_length` days. The trend is a cubic B-spline with the
    given knot spacing, or steps of that length, centred over the window (so that the level is the
    window's mean) and carried on flat beyond its end.

    Attributes
    ----------
    harmonics : int or tuple of int
        Sine-cosine pairs, the same for every stream or one number a stream.
    season_length : float
        Days in a season; 365.25 unless stated (weekly tables of 52 weeks a year: 364).
    trend : float or None
        Days between the knots of the trend; None for no trend.
    trend_scale : float
        Standard deviation of the normal prior of the trend's coefficients, which every engine
        uses: without it the background could vanish over parts of the window.
    trend_kind : {"spline", "steps"}
    weekday : bool
        An effect of each day of the week, which sum to zero; for daily counts and event times.
    covariates : Covariates, optional
        Taken on the day (for counts: their mean over the days of the period).
    interventions : Interventions, optional
        Shifts and spikes by date, with a log ratio a stream.
    """

    harmonics: int | tuple[int, ...] = 1
    season_length: float = YEAR
    trend: float | None = None
    trend_scale: float = 1.0
    trend_kind: str = "spline"
    weekday: bool = False
    covariates: Covariates | None = None
    interventions: Interventions | None = None

    def __post_init__(self) -> None:
        orders = self.harmonics if isinstance(self.harmonics, tuple) else (self.harmonics,)
        if any(order < 0 for order in orders):
            raise ValueError(f"harmonics must be 0 or more, got {self.harmonics}")
        if not self.season_length > 0:
            raise ValueError(f"season_length must be positive (days), got {self.season_length}")
        if self.trend is not None and not self.trend > 0:
            raise ValueError(f"trend must be a positive knot spacing in days, got {self.trend}")
        if not self.trend_scale > 0:
            raise ValueError(f"trend_scale must be positive, got {self.trend_scale}")
        if self.trend_kind not in TRENDS:
            raise ValueError(f"trend_kind must be spline or steps, got {self.trend_kind!r}")

    @property
    def flat(self) -> bool:
        """Whether the rate is the same on every day."""
        orders = self.harmonics if isinstance(self.harmonics, tuple) else (self.harmonics,)
        still = self.trend is None and max(orders, default=0) == 0
        dated = self.covariates is not None or self.interventions is not None
        return still and not self.weekday and not dated

    def orders(self, streams: int) -> tuple[int, ...]:
        """Number of harmonics of each of so many streams."""
        if isinstance(self.harmonics, tuple):
            if len(self.harmonics) != streams:
                raise ValueError(
                    f"harmonics names {len(self.harmonics)} streams, the series has {streams}"
                )
            return self.harmonics
        return (self.harmonics,) * streams

    def trend_columns(self, days: float) -> int:
        """Number of trend coefficients a stream over a window of so many days."""
        if self.trend is None:
            return 0
        return self._segments(days) + (2 if self.trend_kind == "spline" else -1)

    def parameters(self, streams: int, days: float, unit: str) -> tuple[Parameter, ...]:
        """Parameters for a window of so many days; `unit` is that of the rate, per week say."""
        out = [
            Parameter(
                "level", (streams,), "real", Normal(0.0, 2.0),
                "log of the background rate, season and trend at their mean",
                f"log {unit}", ("stream",),
            )
        ]  # fmt: skip
        orders = self.orders(streams)
        if max(orders, default=0) > 0:
            free = np.arange(2 * max(orders)) < 2 * np.array(orders)[:, None]
            out.append(
                Parameter(
                    "season", free.shape, "real", Normal(0.0, 0.5),
                    "sine and cosine coefficients of the season, by harmonic",
                    "log ratio", ("stream", "harmonic"), None if free.all() else free,
                )
            )  # fmt: skip
        if self.weekday:
            out.append(
                Parameter(
                    "weekday", (streams, 6), "real", Normal(0.0, 0.5),
                    "effects of Monday to Saturday against the week's mean",
                    "log ratio", ("stream", "weekday"),
                )
            )  # fmt: skip
        if self.covariates is not None:
            number = len(self.covariates.names)
            out.append(
                Parameter(
                    "covariate", (streams, number), "real", Normal(0.0, 1.0),
                    "effects of " + ", ".join(self.covariates.names),
                    "log ratio a unit", ("stream", "covariate"),
                )
            )  # fmt: skip
        if self.interventions is not None:
            named = self.interventions.names
            out.append(
                Parameter(
                    "intervention", (streams, len(named)), "real", Normal(0.0, 1.0),
                    "effects of what happened " + ", ".join(named),
                    "log ratio", ("stream", "intervention"),
                )
            )  # fmt: skip
        columns = self.trend_columns(days)
        if columns:
            out.append(
                Parameter(
                    "trend", (streams, columns), "real", Normal(0.0, self.trend_scale),
                    "coefficients of the trend's spline", "log ratio", ("stream", "knot"),
                    penalised=True,
                )
            )  # fmt: skip
        return tuple(out)

    def design(
        self,
        times: FloatArray,
        days: float,
        start: date | None = None,
        ends: FloatArray | None = None,
    ) -> FloatArray:
        """Design matrix (len(times), columns).

        The columns: level, season pairs, weekdays, covariates, interventions, trend.

        Parameters
        ----------
        times : ndarray (T,)
            Days since the start of the fitted window; beyond its end for a forecast.
        days : float
            Length of the fitted window, which places the knots.
        start : date, optional
            First day of the window; weekdays, covariates and interventions want it.
        ends : ndarray (T,), optional
            Ends of periods that begin at the times: weekdays, covariates and interventions are
            then means over the days of the period. Season and trend stay those of its beginning.

        Raises
        ------
        ValueError
            If the start is wanted and missing, covariates do not reach over the times, or each
            stream has covariates of its own.
        """
        times = np.asarray(times, float)
        orders = self.harmonics if isinstance(self.harmonics, tuple) else (self.harmonics,)
        columns = [np.ones_like(times)]
        for s in range(1, max(orders, default=0) + 1):
            angle = 2 * np.pi * s * times / self.season_length
            columns += [np.sin(angle), np.cos(angle)]
        columns += self._dated(times, start, ends)
        out = np.column_stack(columns)
        if self.trend is None:
            return out
        basis = self._spline if self.trend_kind == "spline" else self._steps
        grid = basis(np.linspace(0.0, days, 400), days)
        # The columns sum to one: centring and dropping the first leaves the level as the mean
        # over the window.
        return np.column_stack([out, (basis(times, days) - grid.mean(axis=0))[:, 1:]])

    def _dated(
        self, times: FloatArray, start: date | None, ends: FloatArray | None
    ) -> list[FloatArray]:
        """Columns of weekdays, covariates and interventions, each (T,)."""
        if not self.weekday and self.covariates is None and self.interventions is None:
            return []
        if start is None:
            raise ValueError(
                "weekdays, covariates and interventions want the first day of the window"
            )
        out: list[FloatArray] = []
        if self.weekday:
            effects = np.vstack([np.eye(6), -np.ones(6)])
            first = np.floor(times).astype(int) + start.weekday()
            if ends is None:
                out += list(effects[first % 7].T)
            else:
                length = np.round(ends - times).astype(int)
                means = [
                    effects[(a + np.arange(n)) % 7].mean(axis=0)
                    for a, n in zip(first, length, strict=True)
                ]
                out += list(np.array(means).T)
        if self.covariates is not None:
            if self.covariates.by_stream:
                raise ValueError("covariates of each stream are for models with components")
            out += list(self.covariates.at(start, times, ends).T)
        if self.interventions is not None:
            out += list(self.interventions.columns(start, times, ends).T)
        return out

    def _segments(self, days: float) -> int:
        spacing = days if self.trend is None else self.trend
        return max(1, round(days / spacing))

    def _steps(self, times: FloatArray, days: float) -> FloatArray:
        number = self._segments(days)
        step = np.floor(times / days * number).astype(int)
        return np.asarray(np.eye(number)[np.clip(step, 0, number - 1)], float)

    def _spline(self, times: FloatArray, days: float) -> FloatArray:
        from scipy.interpolate import BSpline

        inner = np.linspace(0.0, days, self._segments(days) + 1)
        knots = np.concatenate([[0.0] * 3, inner, [days] * 3])
        clamped = np.clip(times, 0.0, days)
        return np.asarray(BSpline.design_matrix(clamped, knots, 3).toarray(), float)


def coefficient_places(layout: Layout, streams: int) -> NDArray[np.int64]:
    """Place (K, P) in a model's vector of the coefficient of each column of the design matrix."""
    columns = []
    for parameter in layout.parameters:
        if parameter.name in TERMS:
            width = parameter.size // streams
            first = layout.start(parameter.name)
            columns.append(first + np.arange(streams * width).reshape(streams, width))
    return np.concatenate(columns, axis=1).astype(np.int64)
