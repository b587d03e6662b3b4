"""The tables of a study file, each as a frozen dataclass with its defaults."""

from dataclasses import dataclass, field
from datetime import date
from typing import Annotated, Literal

import msgspec

from escalation.sources import Layout

Count = Annotated[int, msgspec.Meta(ge=1)]
Natural = Annotated[int, msgspec.Meta(ge=0)]
Positive = Annotated[float, msgspec.Meta(gt=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]


@dataclass(frozen=True)
class DataSection:
    """``[data]``: which files are read, by which source, and which days were watched.

    ``path`` is a file, a pattern (``"events/*.csv"``), or a list of these. ``columns`` maps our
    column names to those of the file (``source = "table"`` only), ``options`` are those of the
    source.
    ``encoding``, ``separator``, ``decimal``, ``dates`` and ``sheet`` are what a file does not say
    of itself, see `Layout`.
    """

    path: str | tuple[str, ...]
    start: date
    end: date
    source: str = "table"
    gaps: tuple[tuple[date, date], ...] = ()
    simulated: bool = False
    columns: dict[str, str] = field(default_factory=dict)
    options: dict[str, bool | int | float | str | tuple[str, ...]] = field(default_factory=dict)
    encoding: str = ""
    separator: str = ""
    decimal: str = "."
    dates: str = ""
    sheet: str = ""

    @property
    def layout(self) -> Layout:
        """What a file does not say of itself."""
        return Layout(self.encoding, self.separator, self.decimal, self.dates, self.sheet)


@dataclass(frozen=True)
class ActorSection:
    """``[actors."NAME"]``: other spellings and codes of an actor, and the country of its home."""

    aliases: tuple[str, ...] = ()
    home: str | None = None
    codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelSection:
    """``[model]``: the family, its terms, and the engine of the headline fit."""

    family: Literal["endemic-epidemic"] = "endemic-epidemic"
    period: Literal["day", "week", "month"] = "week"
    distribution: Literal["negative binomial", "poisson"] = "negative binomial"
    dispersion: Literal["stream", "shared"] = "stream"
    harmonics: Natural | tuple[Natural, ...] = 1
    season_length: Positive = 365.25
    kernel: Literal["exponential", "one lag"] = "exponential"
    lags: Count = 12
    no_arrows: tuple[tuple[str, str], ...] = ()
    engine: Literal["nuts", "laplace", "maximum likelihood"] = "nuts"
    draws: Count = 1000
    tune: Count = 500
    chains: Count = 4


@dataclass(frozen=True)
class ForecastSection:
    """``[forecast]``: how many periods ahead, how many draws, and which counts matter."""

    horizon: Count = 12
    draws: Count = 4000
    thresholds: tuple[Count, ...] = (5, 10)


@dataclass(frozen=True)
class BacktestSection:
    """``[backtest]``: first origin, periods between origins, horizon and draws.

    Without ``start`` the first origin lies after two thirds of the window.
    """

    start: date | None = None
    every: Count = 8
    horizon: Count = 12
    draws: Count = 500


@dataclass(frozen=True)
class SeveritySection:
    """``[severity]``: the law of deaths per incident, and which numbers of deaths matter.

    ``tail``, ``threshold``, ``deaths``, ``streams`` and ``tails`` are those of `Severity`.

    Attributes
    ----------
    memory : int or None
        Days of past that the law is learned from; the whole window if None.
    longest : int or None
        Records that span more days are left out.
    at_least : tuple of int
        Deaths in a block of periods whose probability is given.
    """

    tail: Literal["pareto", "none"] = "pareto"
    threshold: Count | None = None
    deaths: Literal["interval", "best", "low", "high"] = "interval"
    streams: Literal["stream", "shared", "partial"] = "stream"
    tails: Literal["shared", "stream"] = "shared"
    memory: Count | None = None
    longest: Count | None = None
    at_least: tuple[Count, ...] = (10, 100)
    engine: Literal["laplace", "nuts", "maximum likelihood"] = "laplace"
    draws: Count = 1000


@dataclass(frozen=True)
class Release:
    """One of ``[[nowcast.releases]]``: a file of incidents, and the last day it tells of."""

    day: date
    path: str


@dataclass(frozen=True)
class NowcastSection:
    """``[nowcast]``: when incidents were reported, and what is made of it.

    Dates of reports stand in the column ``report`` of the incidents file; or in a table of their
    own, ``reports``, with columns ``event``, ``report`` and ``stream``; or follow from successive
    ``releases`` of the incidents. ``delays``, ``pace``, ``momentum`` and ``weekday`` are those of
    `Nowcast`.

    Attributes
    ----------
    periods : int
        The last periods that rates and delays are learned from.
    longest : int
        Periods after which a report counts no more.
    complete : bool
        Whether the headline model is fitted to series that the nowcast completes.
    fits : int
        To how many of them.
    """

    reports: str | None = None
    releases: tuple[Release, ...] = ()
    event: str = "event"
    report: str = "report"
    stream: str = "stream"
    periods: Annotated[int, msgspec.Meta(ge=3)] = 52
    longest: Count = 8
    delays: Literal["shared", "stream"] = "shared"
    pace: bool = True
    momentum: bool = False
    weekday: bool = False
    engine: Literal["laplace", "nuts"] = "laplace"
    draws: Count = 1000
    complete: bool = False
    fits: Annotated[int, msgspec.Meta(ge=2)] = 20


@dataclass(frozen=True)
class Era:
    """One of ``[[eras]]``: a named day that figures mark."""

    name: str
    start: date


@dataclass(frozen=True)
class ReportSection:
    """``[report]``: what the author adds in words."""

    note: str = ""


@dataclass(frozen=True)
class Truth:
    """``[truth]``: what a simulated study was made from.

    Attributes
    ----------
    reproduction : tuple of tuple of float
        (K, K), receiver by source, offspring in later periods, in the order of the streams.
    level : tuple of float
        (K,) log expected background incidents a period.
    season : tuple of tuple of float
        (K, 2 harmonics): sine and cosine coefficients on the log scale.
    decay : float
        Rate per period at which the delay density falls (exponential kernel).
    dispersion : tuple of float
        (K,), or one number if shared: variance = mean (1 + dispersion × mean).
    imprecise : float
        Share of incidents recorded with a span of days instead of one.
    deaths_scale, deaths_tail : float
        P(deaths >= x) = (1 + x / scale) ** -tail for x = 0, 1, 2, …
    """

    reproduction: tuple[tuple[NotNegative, ...], ...]
    level: tuple[float, ...]
    season: tuple[tuple[float, ...], ...] = ()
    decay: Positive | None = None
    dispersion: tuple[NotNegative, ...] = ()
    imprecise: Annotated[float, msgspec.Meta(ge=0, le=1)] = 0.0
    deaths_scale: Positive = 2.0
    deaths_tail: Positive = 1.8
