"""What a severity law learned from records answers: quantiles, exceedances, deaths to come."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, cast, override

import numpy as np
import polars as pl
from numpy.typing import ArrayLike, NDArray

from escalation.fit import Fit, pick
from escalation.forecast import ALL_STREAMS, Forecast
from escalation.parameters import FloatArray
from escalation.severity.law import deaths_at, means, survival
from escalation.severity.records import DeathRecords

if TYPE_CHECKING:
    from escalation.severity.model import Severity

IntArray = NDArray[np.int64]
Sizes = Callable[[np.random.Generator, IntArray], FloatArray]
INFINITE = "infinite mean"
#: Incidents of a compound forecast that are drawn at once.
CHUNK = 2_000_000
#: Incidents of a period above which a path counts as one that ran away.
MANY = 100_000


@dataclass(frozen=True, eq=False)
class SeverityFit(Fit):
    """A law of deaths per incident with its uncertainty; see `Severity`."""

    @property
    def records(self) -> DeathRecords:
        """What it was learned from."""
        return cast(DeathRecords, self.series)

    @property
    def threshold(self) -> float:
        """Where the Pareto tail begins; infinite without one."""
        return self._model.used_threshold(self.records)

    @property
    def _model(self) -> Severity:
        return cast("Severity", self.model)

    def law(self) -> FloatArray:
        """Draws (n, K, 5) of p0, mu, sigma, beta, xi of each stream."""
        return self._model.law(self.theta, self.records)

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """A row a stream: incidents, tail index, mean and quantiles of the deaths of an incident.

        Columns: stream; incidents; without (P(no deaths)); mean, mean lower, mean upper (median
        and interval of its draws; infinite where the tail index is 1 or more); 50 %, 90 %, 99 %
        (quantiles of the next incident's deaths, parameters uncertain); tail index, index lower,
        index upper (null without a Pareto tail); infinite mean (probability that the tail index is
        1 or more); note, which says so in words where that is more likely than 1 in 20.
        """
        law = self.law()
        every = means(law, self.threshold)
        tails = [0.5, (1 - level) / 2, (1 + level) / 2]
        middle, lower, upper = np.quantile(every, tails, axis=0, method="inverted_cdf")
        points = [self.predictive_quantile(q) for q in (0.5, 0.9, 0.99)]
        pareto = np.isfinite(self.threshold)
        index = np.quantile(law[:, :, 4], tails, axis=0)
        infinite = (law[:, :, 4] >= 1).mean(axis=0) if pareto else np.zeros(law.shape[1])
        rows = []
        for k, name in enumerate(self.records.names):
            own: dict[str, Any] = {
                "stream": name,
                "incidents": int((self.records.stream == k).sum()),
                "without": float(law[:, k, 0].mean()),
                "mean": float(middle[k]),
                "mean lower": float(lower[k]),
                "mean upper": float(upper[k]),
            }
            own |= {f"{q} %": float(one[k]) for q, one in zip((50, 90, 99), points, strict=True)}
            for column, values in zip(("tail index", "index lower", "index upper"), index,
                                      strict=True):  # fmt: skip
                own[column] = float(values[k]) if pareto else None
            own[INFINITE] = float(infinite[k])
            own["note"] = _note(float(infinite[k]))
            rows.append(own)
        return pl.DataFrame(rows)

    def predictive_survival(self, deaths: ArrayLike) -> FloatArray:
        """P(more deaths in the next incident), parameters uncertain; shape of `deaths` and (K,)."""
        numbers = np.asarray(deaths, float)
        flat = survival(numbers.reshape(-1, 1, 1), self.law()[None], self.threshold).mean(axis=1)
        return np.asarray(flat.reshape(*numbers.shape, -1))

    def predictive_quantile(self, share: float) -> FloatArray:
        """The smallest number (K,) that the next incident exceeds with at most 1 - share."""
        if not 0 < share < 1:
            raise ValueError(f"a share must lie between 0 and 1, not {share}")
        law = self.law()
        each = deaths_at(np.full(law.shape[:2], share), law, self.threshold)
        # The mixture's quantile lies between the smallest and the largest of its parts.
        low, high = each.min(axis=0) - 1, each.max(axis=0)
        while np.any(high - low > 1):
            middle = np.floor((low + high) / 2)
            enough = survival(middle, law, self.threshold).mean(axis=0) <= 1 - share
            low, high = np.where(enough, low, middle), np.where(enough, middle, high)
        return np.asarray(high)

    def quantiles(self, shares: ArrayLike = (0.5, 0.9, 0.99), level: float = 0.9) -> pl.DataFrame:
        """Quantiles of the deaths of an incident: stream, share, deaths, lower, upper, observed.

        `deaths` is that of the next incident, parameters uncertain; the interval that of the law's
        own quantile; `observed` that of the best figures.
        """
        law = self.law()
        rows = []
        for share in np.atleast_1d(np.asarray(shares, float)):
            middle = self.predictive_quantile(float(share))
            each = deaths_at(np.full(law.shape[:2], share), law, self.threshold)
            ends = np.quantile(each, [(1 - level) / 2, (1 + level) / 2], axis=0,
                               method="inverted_cdf")  # fmt: skip
            for k, name in enumerate(self.records.names):
                best = self.records.best[self.records.stream == k]
                seen = np.quantile(best, share, method="inverted_cdf") if best.size else np.nan
                rows.append(
                    {"stream": name, "share": float(share), "deaths": float(middle[k]),
                     "lower": float(ends[0, k]), "upper": float(ends[1, k]),
                     "observed": float(seen)}
                )  # fmt: skip
        return pl.DataFrame(rows, nan_to_null=True)

    def exceedance(self, deaths: ArrayLike, level: float = 0.9) -> pl.DataFrame:
        """Probability of more deaths in an incident: a row a stream and number.

        Columns: stream, deaths, probability, lower, upper, observed (share of the incidents whose
        best figure exceeds it) and its ends by low and high figures.
        """
        law, numbers = self.law(), np.atleast_1d(np.asarray(deaths, float))
        tails = [(1 - level) / 2, (1 + level) / 2]
        rows = []
        for number in numbers:
            each = survival(np.array(number), law, self.threshold)
            lower, upper = np.quantile(each, tails, axis=0)
            for k, name in enumerate(self.records.names):
                own = self.records.stream == k
                seen = {
                    column: float((getattr(self.records, figure)[own] > number).mean())
                    if own.any() else np.nan
                    for column, figure in (("observed", "best"), ("observed low", "low"),
                                           ("observed high", "high"))
                }  # fmt: skip
                rows.append(
                    {"stream": name, "deaths": float(number),
                     "probability": float(each[:, k].mean()), "lower": float(lower[k]),
                     "upper": float(upper[k]), **seen}
                )  # fmt: skip
        return pl.DataFrame(rows, nan_to_null=True)

    def sample(
        self, incidents: int, rng: np.random.Generator, stream: str | int = 0, draws: int = 1000
    ) -> FloatArray:
        """Deaths (draws, incidents) in so many incidents of a stream, parameters uncertain."""
        names = self.records.names
        place = names.index(stream) if isinstance(stream, str) and stream in names else stream
        if not isinstance(place, int) or not 0 <= place < len(names):
            raise ValueError(f"no stream {stream!r}; there are {', '.join(names)}")
        law = self._picked(draws, rng)[:, place, None]
        return deaths_at(rng.random((draws, incidents)), law, self.threshold)

    def compound(
        self,
        forecast: Forecast,
        rng: np.random.Generator,
        records: DeathRecords | None = None,
    ) -> Forecast:
        """The forecast of deaths that a forecast of incidents makes.

        Each path of incidents takes one draw of the law, and each of its incidents deaths of its
        own: so the uncertainty of paths, parameters and single incidents is in the draws, and, with
        ``deaths="interval"``, that of the figures which the law was learned from. A path that ran
        away, or has more than 100,000 incidents in a period, is infinite in deaths.

        Parameters
        ----------
        forecast : Forecast
            Of incidents, its streams by the names of the records; records of a single stream hold
            for every stream of the forecast.
        rng : numpy.random.Generator
        records : DeathRecords, optional
            Deaths before the forecast (best figures), which become its `recent`; those that the
            law was learned from if not given. Periods outside their window are left out.

        Raises
        ------
        ValueError
            If the forecast has a stream without records, or is a sum of streams.
        """
        place = _places(forecast.names, self.records.names)
        paths, horizon, streams = forecast.draws.shape
        law = self._picked(paths, rng)
        counts = forecast.draws.reshape(-1)
        path, stream = np.divmod(np.arange(counts.size), horizon * streams)
        which = place[stream % streams]
        out = np.where(counts <= MANY, 0.0, np.inf)
        number = np.where(counts <= MANY, counts, 0).astype(np.int64)
        ends = np.searchsorted(np.cumsum(number), np.arange(CHUNK, number.sum() + CHUNK, CHUNK))
        start = 0
        for end in np.unique(np.minimum(ends + 1, counts.size)):
            own = np.repeat(np.arange(start, end), number[start:end])
            drawn = deaths_at(rng.random(own.size), law[path[own], which[own]], self.threshold)
            out[start:end] += np.bincount(own - start, drawn, minlength=int(end) - start)
            start = int(end)
        known = self.records if records is None else records
        return replace(
            forecast,
            draws=out.reshape(forecast.draws.shape),
            model=f"deaths of {forecast.model}",
            **_recent(forecast, known),
        )

    def sizes(
        self, names: tuple[str, ...]
    ) -> Callable[[np.random.Generator, IntArray], FloatArray]:
        """A callable (rng, streams (m,)) -> deaths (m,) for ``Marks(law=...)``.

        Streams are places in `names`; each incident takes a draw of the law.
        """
        place, law, threshold = _places(names, self.records.names), self.law(), self.threshold

        def drawn(rng: np.random.Generator, stream: IntArray) -> FloatArray:
            rows = rng.integers(len(law), size=len(stream))
            return deaths_at(rng.random(len(stream)), law[rows, place[stream]], threshold)

        return drawn

    def _picked(self, draws: int, rng: np.random.Generator) -> FloatArray:
        law = self.law()
        return pick(law.reshape(len(law), -1), draws, rng).reshape(draws, *law.shape[1:])

    @override
    def __repr__(self) -> str:
        """Say the law, the engine, the threshold and whether the mean may be infinite."""
        said = super().__repr__()[:-1]
        if np.isfinite(self.threshold):
            worst = float((self.draws["tail_index"] >= 1).mean(axis=0).max())
            said += f", threshold {self.threshold:.0f}, P(infinite mean) {worst:.2f}"
        return said + ")"


def _note(infinite: float) -> str:
    if infinite <= 0.05:
        return ""
    said = "the mean is infinite" if infinite > 0.5 else "the mean may be infinite"
    return f"{said} (tail index >= 1 with probability {infinite:.2f}): read quantiles, not means"


def _recent(forecast: Forecast, records: DeathRecords) -> dict[str, Any]:
    """Deaths in the forecast's recent periods that lie in the records' window, with their edges."""
    edges, window = forecast.recent_edges, records.window
    inside = (edges[:-1] >= np.datetime64(window.start)) & (edges[1:] <= np.datetime64(window.end))
    start = len(inside) - int(np.cumprod(inside[::-1]).sum())
    if records.n_streams == 1 and len(forecast.names) > 1:
        # One law for all streams: nobody knows whose the recorded deaths are.
        start = len(inside)
    return {
        "recent": records.totals(edges[start:])[:, _places(forecast.names, records.names)],
        "recent_edges": edges[start:],
        "recent_exposure": cast(FloatArray, forecast.recent_exposure)[start:],
    }


def _places(names: tuple[str, ...], own: tuple[str, ...]) -> IntArray:
    """Place of each name among the names of records; those of one stream hold for all."""
    if len(own) == 1:
        return np.zeros(len(names), np.int64)
    missing = [name for name in names if name not in own]
    if missing:
        hint = "; compound the streams before their total" if ALL_STREAMS in missing else ""
        raise ValueError(f"no records of {missing[0]!r}, only of {', '.join(own)}{hint}")
    return np.array([own.index(name) for name in names], np.int64)
