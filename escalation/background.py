"""Background: the part of the rate that no earlier incident explains."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from escalation.parameters import FloatArray, Layout, Normal, Parameter

YEAR = 365.25


@dataclass(frozen=True)
class Background:
    r"""A log-linear rate with a level, a season and a trend.

    .. math:: \log b_k(t) = \alpha_k + \sum_{s=1}^{S_k} \{\gamma_{ks}\sin(2\pi s t/P)
              + \delta_{ks}\cos(2\pi s t/P)\} + \sum_q \tau_{kq} B_q(t)

    Time runs in days from the start of the fitted window; the season has period `season_length`
    days. The trend is a cubic B-spline with the given knot spacing, centred over the window (so
    that the level is the window's mean) and carried on flat beyond its end.

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
    """

    harmonics: int | tuple[int, ...] = 1
    season_length: float = YEAR
    trend: float | None = None
    trend_scale: float = 1.0

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
        return 0 if self.trend is None else self._segments(days) + 2

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

    def design(self, times: FloatArray, days: float) -> FloatArray:
        """Design matrix (len(times), columns): level, season pairs, trend.

        Parameters
        ----------
        times : ndarray (T,)
            Days since the start of the fitted window; beyond its end for a forecast.
        days : float
            Length of the fitted window, which places the knots.
        """
        times = np.asarray(times, float)
        orders = self.harmonics if isinstance(self.harmonics, tuple) else (self.harmonics,)
        columns = [np.ones_like(times)]
        for s in range(1, max(orders, default=0) + 1):
            angle = 2 * np.pi * s * times / self.season_length
            columns += [np.sin(angle), np.cos(angle)]
        out = np.column_stack(columns)
        if self.trend is None:
            return out
        grid = self._spline(np.linspace(0.0, days, 400), days)
        # The columns of a B-spline sum to one: centring and dropping the first leaves the level
        # as the mean over the window.
        return np.column_stack([out, (self._spline(times, days) - grid.mean(axis=0))[:, 1:]])

    def _segments(self, days: float) -> int:
        spacing = days if self.trend is None else self.trend
        return max(1, round(days / spacing))

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
        if parameter.name in ("level", "season", "trend"):
            width = parameter.size // streams
            first = layout.start(parameter.name)
            columns.append(first + np.arange(streams * width).reshape(streams, width))
    return np.concatenate(columns, axis=1).astype(np.int64)
