"""Early warning: units ranked by the chance of escalation, and what past warnings were worth."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np
import polars as pl

from escalation.backtest import Backtest
from escalation.backtest.warnings import EVENTS, RECORD, overlap
from escalation.forecast import ALL_STREAMS, Forecast
from escalation.scores import (
    average_precision,
    block_interval,
    block_length,
    brier,
    brier_corp,
    moving_blocks,
    net_benefit,
    roc_area,
)
from escalation.window import FloatArray

INTERVALS = ("area", "average_precision", "brier_skill", "benefit")
SUMMARY = {
    "model": pl.String,
    "block": pl.String,
    **dict.fromkeys(("origins", "cases", "events"), pl.Int64),
    **dict.fromkeys(("base_rate", "brier", "miscalibration", "discrimination"), pl.Float64),
    **{name + end: pl.Float64 for name in INTERVALS for end in ("", "_lower", "_upper")},
    "benefit_always": pl.Float64,
}
"""Columns of `WarningRecord.summary`."""


@dataclass(frozen=True, eq=False)
class EarlyWarning:
    """The units of one forecast, ranked by the probability of escalation.

    Escalation is a mean over the next `periods` above `factor` times the mean of the last `against`
    known ones, as in `Forecast.escalation`; onset is any incident ahead where the last `against`
    periods had none.

    Parameters
    ----------
    forecast : Forecast
        Of one or many streams: countries, provinces, dyads.
    periods : int
        Periods averaged, from the first on.
    against : int
        Known periods averaged.
    factor : float
        How many times the past mean is an escalation.

    Raises
    ------
    ValueError
        For a horizon that the forecast does not reach, or a factor that is not positive.
    """

    forecast: Forecast
    periods: int = 12
    against: int = 12
    factor: float = 1.5

    def __post_init__(self) -> None:
        if not self.factor > 0:
            raise ValueError(f"factor must be positive, not {self.factor}")
        if self.against < 1:
            raise ValueError(f"against must be at least one period, not {self.against}")
        if not 1 <= self.periods <= self.forecast.draws.shape[1]:
            raise ValueError(
                f"periods = {self.periods}, but the forecast has {self.forecast.draws.shape[1]}"
            )

    def table(self) -> pl.DataFrame:
        """A row a unit, the likeliest escalation first.

        Returns
        -------
        polars.DataFrame
            `rank`, `unit`, `probability` of escalation, `onset` (probability of any incident,
            null where there were incidents of late), `past_mean` and `expected`, incidents a
            period, and `ratio` of the two with the `lower` and `upper` end of its 90 % interval;
            null where the past had none. Units without a watched past come last, without a
            probability.
        """
        told = self.forecast.escalation(self.periods, self.against, factor=self.factor)
        onset = pl.Series(self.forecast.onset(self.against)[self.periods - 1]).fill_nan(None)
        return (
            told.head(len(self.forecast.names))
            .with_columns(onset=onset)
            .sort(
                "probability", "expected", "stream",
                descending=[True, True, False], nulls_last=True,
            )
            .with_row_index("rank", offset=1)
            .select(
                "rank", pl.col("stream").alias("unit"), "probability", "onset", "past_mean",
                "expected", "ratio", "lower", "upper",
            )
        )  # fmt: skip

    def __repr__(self) -> str:
        """Say what is ranked."""
        return (
            f"EarlyWarning(units: {len(self.forecast.names)}, made on {self.forecast.made_on}, "
            f"next {self.periods} against {self.factor:g} times the last {self.against} "
            f"{self.forecast.period}s)"
        )

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.table().head(20)._repr_html_()}"


@dataclass(frozen=True, eq=False)
class WarningRecord:
    """Warnings given at past origins, and what came.

    Parameters
    ----------
    table : polars.DataFrame
        Columns as in `backtest.warnings.RECORD`: a row a model, event, origin, block and unit.
        `Backtest.warnings` has them. Rows without an outcome are left out of every figure.

    Raises
    ------
    ValueError
        For missing columns, probabilities outside [0, 1], and outcomes other than 0 and 1.
    """

    table: pl.DataFrame

    def __post_init__(self) -> None:
        missing = [name for name in RECORD if name not in self.table.columns]
        if missing:
            raise ValueError(f"a warning record lacks the columns {', '.join(missing)}")
        known = self.table.drop_nulls(["probability", "outcome"])
        if not known["probability"].is_between(0, 1).all():
            raise ValueError("probabilities of a warning record must lie in [0, 1]")
        if not known["outcome"].is_in([0.0, 1.0]).all():
            raise ValueError("outcomes of a warning record must be 0 or 1")

    @property
    def models(self) -> tuple[str, ...]:
        """The models compared, in their order."""
        return tuple(self.table["model"].unique(maintain_order=True))

    @property
    def blocks(self) -> tuple[tuple[int, int], ...]:
        """First and last step of each block."""
        return tuple(self.table.select("first", "last").unique().sort("first", "last").iter_rows())

    @classmethod
    def of(cls, backtest: Backtest) -> WarningRecord:
        """The warnings of a backtest in which sums over blocks were scored.

        The sum of several streams is no unit, and left out.
        """
        table = backtest.warnings()
        units = table.filter(pl.col("stream") != ALL_STREAMS)
        return cls(units if units.height else table)

    def cases(
        self, model: str, block: tuple[int, int], event: str = "escalation"
    ) -> tuple[FloatArray, FloatArray, pl.Series]:
        """Probabilities (N,), outcomes (N,) and origins (N,) of one model and block.

        Raises
        ------
        ValueError
            For a model, block or event that is not in the record.
        """
        for name, value, known in (
            ("model", model, self.models), ("block", tuple(block), self.blocks),
            ("event", event, EVENTS),
        ):  # fmt: skip
            if value not in known:
                raise ValueError(f"no {name} {value!r} in this record; there are {known}")
        own = self._own(model, block, event)
        return own["probability"].to_numpy(), own["outcome"].to_numpy(), own["origin"]

    def summary(
        self,
        cost_ratio: float = 5.0,
        event: str = "escalation",
        *,
        level: float = 0.9,
        resamples: int = 1000,
        rng: np.random.Generator | None = None,
    ) -> pl.DataFrame:
        """How well the warnings told, by model and block.

        Parameters
        ----------
        cost_ratio : float
            How many times worse an event without a warning is than acting in vain; above one.
            Whoever holds that to be so acts from a probability of 1 / cost_ratio on.
        event : {"escalation", "onset"}
        level, resamples, rng
            Of the intervals, by moving-block bootstrap over origins; all units of an origin stay
            together, and a block holds origins whose periods overlap.

        Returns
        -------
        polars.DataFrame
            `model`, `block`, `origins`, `cases`, `events`, `base_rate`; `brier` with its
            `miscalibration` and `discrimination` (CORP; Dimitriadis, Gneiting & Jordan 2021);
            with ends of intervals `area` under the ROC curve, `average_precision`, `brier_skill`
            over always saying the base rate, and `benefit` (net benefit of acting from
            1 / cost_ratio on, in events found a case; Vickers & Elkin 2006); `benefit_always`,
            that of always acting.
        """
        if not cost_ratio > 1:
            raise ValueError(f"cost_ratio must be above one, not {cost_ratio}")
        rng = rng or np.random.default_rng(0)
        seed = int(rng.integers(2**32))
        rows = []
        for block in self.blocks:
            for model in self.models:
                own = self._own(model, block, event)
                if own.is_empty():
                    continue
                row = {"model": model, "block": f"{block[0]}–{block[1]}"}
                rows.append(row | _figures(own, 1 / cost_ratio, level, resamples, seed))
        return pl.DataFrame(rows, schema=SUMMARY)

    def _own(self, model: str, block: tuple[int, int], event: str) -> pl.DataFrame:
        return self.table.filter(
            model=model, event=event, first=block[0], last=block[1]
        ).drop_nulls(["probability", "outcome"])

    def __repr__(self) -> str:
        """Say how many models, origins and units."""
        origins, units = (self.table[name].n_unique() for name in ("origin", "stream"))
        return f"WarningRecord(models: {len(self.models)}, origins: {origins}, units: {units})"

    def _repr_html_(self) -> str:
        return f"<p>{escape(repr(self))}</p>{self.summary(resamples=200)._repr_html_()}"


def _figures(
    own: pl.DataFrame, threshold: float, level: float, resamples: int, seed: int
) -> dict[str, Any]:
    """The figures of one model and block, with bootstrap intervals over origins."""
    p, y = own["probability"].to_numpy(), own["outcome"].to_numpy()
    origins = own["origin"].unique().sort()
    place = origins.search_sorted(own["origin"]).to_numpy()
    parts = brier_corp(p, y)
    row: dict[str, Any] = {
        "origins": len(origins),
        "cases": len(p),
        "events": int(y.sum()),
        "base_rate": float(y.mean()),
        "brier": parts.score,
        "miscalibration": parts.miscalibration,
        "discrimination": parts.discrimination,
        "benefit_always": float(net_benefit(np.ones(len(p)), y, [threshold])[0]),
    }
    once = _told(p, y, np.ones(len(p)), threshold)
    ends = np.full((2, len(INTERVALS)), np.nan)
    if len(origins) >= 4:
        length = block_length(len(origins), overlap(own, origins))
        index = moving_blocks(len(origins), length, resamples, np.random.default_rng(seed))
        again = np.array([
            _told(p, y, np.bincount(one, minlength=len(origins))[place].astype(float), threshold)
            for one in index
        ])  # fmt: skip
        for j, values in enumerate(again.T):
            if not np.isnan(values).all():
                defined = values[~np.isnan(values)]
                ends[:, j] = block_interval(defined, level, len(origins) / length)
    for name, value, lower, upper in zip(INTERVALS, once, *ends, strict=True):
        for end, one in (("", value), ("_lower", lower), ("_upper", upper)):
            row[name + end] = None if np.isnan(one) else float(one)
    return row


def _told(p: FloatArray, y: FloatArray, weights: FloatArray, threshold: float) -> tuple[float, ...]:
    """The figures of `INTERVALS`, in their order."""
    happened = weights @ y
    if not 0 < happened < weights.sum():
        return (np.nan,) * 3 + (float(net_benefit(p, y, [threshold], weights)[0]),)
    rate = happened / weights.sum()
    return (
        roc_area(p, y, weights),
        average_precision(p, y, weights),
        float(1 - (weights @ brier(p, y) / weights.sum()) / (rate * (1 - rate))),
        float(net_benefit(p, y, [threshold], weights)[0]),
    )
