"""Backtest: what past forecasts were worth."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import Any

import numpy as np
import polars as pl

from escalation.backtest.warnings import TOLD, overlap, record
from escalation.forecast import ALL_STREAMS
from escalation.scores import (
    block_interval,
    block_length,
    moving_blocks,
    pit_histogram,
    pit_share,
    relative_skill,
)
from escalation.window import FloatArray, IntArray

LEVELS = (0.5, 0.8, 0.9)
"""The central intervals whose ends are kept, and by which calibration is judged."""

SCHEMA = {
    "model": pl.String,
    "origin": pl.Date,
    "step": pl.Int64,
    "date": pl.Date,
    "end": pl.Date,
    "stream": pl.String,
    **dict.fromkeys(
        ("observed", "mean", "median", "crps", "log_score", "squared_error"), pl.Float64
    ),
    **dict.fromkeys(
        (f"{end}{level}" for level in (50, 80, 90) for end in ("lo", "hi", "in")), pl.Float64
    ),
    **dict.fromkeys(("pit_low", "pit_high", "capped"), pl.Float64),
    "failure": pl.String,
    "series": pl.String,
    "block": pl.Int64,
    **TOLD,
}
"""Columns of a backtest's table."""

SKILL = {
    "model": pl.String,
    "stream": pl.String,
    "block": pl.String,
    "origins": pl.Int64,
    **dict.fromkeys(
        (
            "crps", "log_score",
            "relative_crps", "relative_crps_lower", "relative_crps_upper",
            "log_score_difference", "log_score_difference_lower", "log_score_difference_upper",
        ),
        pl.Float64,
    ),
}  # fmt: skip
CALIBRATION = {
    "model": pl.String,
    "stream": pl.String,
    **dict.fromkeys(("level", "share", "lower", "upper"), pl.Float64),
    "origins": pl.Int64,
}


@dataclass(frozen=True, eq=False)
class Backtest:
    """Past forecasts of several models, scored against what came.

    Parameters
    ----------
    table : polars.DataFrame
        A row a model, origin, step and stream, the sum "all streams" included; columns as in
        `SCHEMA`: `origin` is the first day that was not known, `step` 1 the first period after it
        and `date` that period's first day, `end` the day after it; scores and intervals as in
        `Forecast.score`, null where the period was not watched in full. A forecast that failed is
        one row, with the reason in `failure` and everything else null. `series` names one of
        several ("" where there is one).
    horizon : int
        Periods of each forecast.
    seed : int
        The seed of its randomness.
    notes : tuple of str
        In words: origins left out, and forecasts that failed.
    sums : polars.DataFrame, optional
        The same columns for sums over blocks of the horizon: `step` is the first period of the
        block and `block` the number of its periods.
    """

    table: pl.DataFrame
    horizon: int
    seed: int
    notes: tuple[str, ...] = ()
    sums: pl.DataFrame | None = None

    def __post_init__(self) -> None:
        later: dict[str, pl.Expr] = {"series": pl.lit(""), "block": pl.lit(None, pl.Int64)}
        later |= {name: pl.lit(None, kind) for name, kind in TOLD.items()}
        later["end"] = pl.lit(None, pl.Date)
        more = {name: value for name, value in later.items() if name not in self.table.columns}
        object.__setattr__(self, "table", self.table.with_columns(**more))
        missing = set(SCHEMA) - set(self.table.columns)
        if missing:
            raise ValueError(f"a backtest's table lacks the columns {', '.join(sorted(missing))}")
        object.__setattr__(self, "notes", tuple(self.notes))

    @property
    def models(self) -> tuple[str, ...]:
        """The models compared, in their order."""
        return tuple(self.table["model"].unique(maintain_order=True))

    @property
    def streams(self) -> tuple[str, ...]:
        """The streams, the sum last."""
        return tuple(self.table["stream"].drop_nulls().unique(maintain_order=True))

    def of_sums(self) -> "Backtest":
        """The scores of the sums over blocks of the horizon, as a backtest of their own.

        Raises
        ------
        ValueError
            Where no sums were scored.
        """
        if self.sums is None:
            raise ValueError("no sums were scored: give run_backtest the sizes of the blocks")
        return replace(self, table=self.sums, sums=None)

    def warnings(self) -> pl.DataFrame:
        """Probabilities of escalation and onset that were told, and what came.

        Returns
        -------
        polars.DataFrame
            The table of a `WarningRecord`: a row a model, event, origin, block and stream.

        Raises
        ------
        ValueError
            Where no sums were scored.
        """
        return record(self.of_sums().table)

    def of_series(self, name: str) -> "Backtest":
        """The part on one of several series.

        Raises
        ------
        ValueError
            For a name that is not among them.
        """
        names = self.table["series"].unique(maintain_order=True).to_list()
        if name not in names:
            raise ValueError(f"no series {name!r} in this backtest; there are {names}")
        sums = None if self.sums is None else self.sums.filter(series=name)
        return replace(self, table=self.table.filter(series=name), sums=sums)

    @property
    def failures(self) -> pl.DataFrame:
        """The forecasts that failed: model, series (of several), origin, failure."""
        failed = self.table.filter(pl.col("failure").is_not_null())
        several = ["series"] if (failed["series"] != "").any() else []
        return failed.select("model", *several, "origin", "failure")

    def skill(
        self,
        reference: str,
        blocks: Sequence[tuple[int, int]] | None = None,
        *,
        level: float = 0.9,
        resamples: int = 1000,
        rng: np.random.Generator | None = None,
    ) -> pl.DataFrame:
        """Mean scores of each model beside those of a reference, on the same origins.

        Parameters
        ----------
        reference : str
            The model compared with.
        blocks : sequence of (first, last), optional
            Blocks of steps, both ends included; fours unless given. The whole horizon is added.
        level : float
            Probability of the intervals.
        resamples : int
            Resamples of the moving-block bootstrap over origins.
        rng : numpy.random.Generator, optional
            Its randomness; from the backtest's seed unless given, so that a table repeats.

        Returns
        -------
        polars.DataFrame
            `model`, `stream`, `block` ("1–4"), `origins` that count, mean `crps` and `log_score`;
            `relative_crps`, the ratio of the mean CRPS to the reference's (below 1 is better),
            with `relative_crps_lower` and `_upper`; `log_score_difference`, the mean log score
            less the reference's in nats (below 0 is better), with `_lower` and `_upper`. Intervals
            are null with fewer than four origins; a ratio to a reference without error is null.

        Raises
        ------
        ValueError
            When the reference is none of the models.
        """
        self._check_model(reference)
        rng = rng or np.random.default_rng(self.seed)
        chosen = list(blocks) if blocks is not None else _fours(self.horizon)
        chosen += [(1, self.horizon)] if (1, self.horizon) not in chosen else []
        seed = int(rng.integers(2**32))
        rows = []
        for block in chosen:
            means = self._by_origin(["crps", "log_score"], block)
            for stream in self.streams:
                theirs = means.filter(model=reference, stream=stream)
                for model in self.models:
                    ours = means.filter(model=model, stream=stream)
                    both = _each_origin(
                        ours.join(theirs, on=["series", "origin"], suffix="_reference")
                    )
                    row = {"model": model, "stream": stream, "block": f"{block[0]}–{block[1]}"}
                    resampled = self._resampled(both["origin"], resamples, seed)
                    rows.append(row | _compare(both, resampled, level))
        return pl.DataFrame(rows, schema=SKILL)

    def calibration(
        self,
        levels: Sequence[float] = LEVELS,
        *,
        level: float = 0.9,
        resamples: int = 1000,
        rng: np.random.Generator | None = None,
    ) -> pl.DataFrame:
        """Share of the non-randomised PIT in the central intervals, by model and stream.

        A calibrated forecast has the share equal to the level: fewer means that its intervals are
        too narrow, more that they are too wide.

        Parameters
        ----------
        levels : sequence of float
            Probabilities of the central intervals.
        level, resamples, rng
            Of the share's own interval, by moving-block bootstrap over origins, as in `skill`.

        Returns
        -------
        polars.DataFrame
            `model`, `stream`, `level`, `share`, `lower`, `upper`, `origins`.
        """
        rng = rng or np.random.default_rng(self.seed)
        seed = int(rng.integers(2**32))
        ends = self.table.select("pit_low", "pit_high").to_numpy().T
        names = [f"share {nominal}" for nominal in levels]
        shares = {
            name: pl.Series(pit_share(ends[0], ends[1], nominal)).fill_nan(None)
            for name, nominal in zip(names, levels, strict=True)
        }
        means = replace(self, table=self.table.with_columns(**shares))._by_origin(names)
        rows = []
        for model in self.models:
            for stream in self.streams:
                own = _each_origin(means.filter(model=model, stream=stream))
                index, blocks = self._resampled(own["origin"], resamples, seed)
                for name, nominal in zip(names, levels, strict=True):
                    values = own[name].to_numpy()
                    lower, upper = _interval(values[index].mean(axis=1), level, blocks)
                    rows.append(
                        {
                            "model": model,
                            "stream": stream,
                            "level": nominal,
                            "share": float(values.mean()) if len(values) else None,
                            "lower": lower,
                            "upper": upper,
                            "origins": len(values),
                        }
                    )
        return pl.DataFrame(rows, schema=CALIBRATION)

    def pit_histogram(self, model: str, stream: str = ALL_STREAMS, bins: int = 10) -> FloatArray:
        """Non-randomised PIT histogram, shape (bins,): shares that are 1 / bins if calibrated."""
        self._check_model(model)
        own = self.table.filter(pl.col("model") == model, pl.col("stream") == stream)
        ends = own.select("pit_low", "pit_high").drop_nulls()
        if own.is_empty():
            raise ValueError(f"no scored stream {stream!r}; the streams are {self.streams}")
        return pit_histogram(ends["pit_low"], ends["pit_high"], bins)

    def misses(self, n: int = 3, model: str | None = None) -> pl.DataFrame:
        """The largest misses by CRPS, each period and stream once a model, worst first.

        Parameters
        ----------
        n : int
            How many.
        model : str, optional
            Of this model only.

        Returns
        -------
        polars.DataFrame
            `model`, `stream`, `date`, `step`, `origin`, `observed`, `median`, `lo90`, `hi90`,
            `crps`. The sum of the streams is not among them.
        """
        table = self.table.filter(pl.col("crps").is_not_null(), pl.col("stream") != ALL_STREAMS)
        if model is not None:
            self._check_model(model)
            table = table.filter(pl.col("model") == model)
        return (
            table.sort("crps", "date", "stream", "step", descending=[True, False, False, False])
            .unique(["model", "stream", "date"], keep="first", maintain_order=True)
            .head(n)
            .select(
                "model", "stream", "date", "step", "origin", "observed",
                "median", "lo90", "hi90", "crps",
            )
        )  # fmt: skip

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same scores."""
        if not isinstance(other, Backtest):
            return NotImplemented
        same = (self.horizon, self.seed, self.notes) == (other.horizon, other.seed, other.notes)
        sums = (self.sums is None) == (other.sums is None)
        if sums and self.sums is not None and other.sums is not None:
            sums = self.sums.equals(other.sums)
        return same and sums and self.table.equals(other.table)

    __hash__ = None  # type: ignore[assignment]  # holds a table

    def __repr__(self) -> str:
        """Say how many models, origins and periods."""
        origins = self.table["origin"].n_unique()
        failed = self.failures.height
        return (
            f"Backtest(models: {len(self.models)}, origins: {origins}, periods: {self.horizon}"
            f"{f', failed: {failed}' if failed else ''})"
        )

    def _repr_html_(self) -> str:
        notes = "".join(f"<p><small>{escape(note)}</small></p>" for note in self.notes)
        mean = self.table.group_by("model", "stream", maintain_order=True).agg(
            pl.col("crps", "log_score", "in50", "in80", "in90").mean()
        )
        scored = mean.filter(pl.col("stream").is_not_null())
        return f"<p><b>Backtest</b>: {escape(repr(self)[9:-1])}</p>{scored._repr_html_()}{notes}"

    def _check_model(self, name: str) -> None:
        if name not in self.models:
            raise ValueError(f"no model {name!r} in this backtest; there are {self.models}")

    def _by_origin(
        self, columns: Sequence[str], block: tuple[int, int] | None = None
    ) -> pl.DataFrame:
        """Means over the steps of a block: a row a model, stream, series and origin with scores."""
        table = self.table.filter(pl.col("crps").is_not_null())
        if block is not None:
            table = table.filter(pl.col("step").is_between(*block))
        return table.group_by("model", "stream", "series", "origin").agg(pl.col(columns).mean())

    def _resampled(self, origins: pl.Series, resamples: int, seed: int) -> tuple[IntArray, float]:
        """Bootstrap indices of origins (R, N), the same for all these tables, and their blocks."""
        n = len(origins)
        if n < 4:
            return np.empty((0, n), dtype=np.int64), np.inf
        # Forecasts of neighbouring origins share periods.
        length = block_length(n, self._overlap(origins))
        return moving_blocks(n, length, resamples, np.random.default_rng(seed)), n / length

    def _overlap(self, origins: pl.Series) -> int:
        """How many neighbouring origins forecast the same period."""
        end = pl.coalesce("end", pl.col("date") + pl.duration(days=1)).max()
        return overlap(self.table.group_by("origin").agg(end=end).drop_nulls(), origins)


def _each_origin(means: pl.DataFrame) -> pl.DataFrame:
    """Means over the series of each origin, in the order of time."""
    ordered = means.sort("origin", "series")
    return ordered.group_by("origin", maintain_order=True).agg(pl.col(pl.Float64).mean())


def _fours(horizon: int) -> list[tuple[int, int]]:
    return [(first, min(first + 3, horizon)) for first in range(1, horizon + 1, 4)]


def _interval(values: FloatArray, level: float, blocks: float) -> tuple[float | None, float | None]:
    """Interval by bootstrap values of so many blocks; (None, None) where there is none."""
    values = values[~np.isnan(values)]
    if len(values) == 0:
        return None, None
    lower, upper = block_interval(values, level, blocks)
    return float(lower), float(upper)


def _compare(both: pl.DataFrame, resampled: tuple[IntArray, float], level: float) -> dict[str, Any]:
    """Scores of a model beside a reference's on the same origins, with bootstrap intervals."""
    index, blocks = resampled
    names = ("crps", "crps_reference", "log_score", "log_score_reference")
    crps, crps_reference, logs, logs_reference = (both[name].to_numpy() for name in names)
    row: dict[str, Any] = {"origins": both.height, "crps": both["crps"].mean()}
    row["log_score"] = both["log_score"].mean()
    ratio = float(relative_skill(crps, crps_reference)) if both.height else np.nan
    row["relative_crps"] = None if np.isnan(ratio) else ratio
    ends = _interval(relative_skill(crps[index], crps_reference[index]), level, blocks)
    row["relative_crps_lower"], row["relative_crps_upper"] = ends
    gap = logs - logs_reference
    row["log_score_difference"] = float(gap.mean()) if both.height else None
    ends = _interval(gap[index].mean(axis=1), level, blocks)
    row["log_score_difference_lower"], row["log_score_difference_upper"] = ends
    return row
