"""Forecasts as tables of model output in the layout of the hubverse."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl

from escalation.forecast.files import write_whole
from escalation.window import DateArray, FloatArray

if TYPE_CHECKING:
    from escalation.forecast.forecast import Forecast

DAYS = ("reference_date", "origin_date")
TYPES = ("mean", "median", "quantile", "cdf", "sample")
COLUMNS = (
    "target", "horizon", "location", "target_end_date", "output_type", "output_type_id", "value",
)  # fmt: skip

WORDS = ("target", "location", "output_type", "output_type_id")
"""Columns that hold text, whatever it looks like."""


def to_hub(
    forecast: Forecast,
    types: Sequence[str],
    target: str,
    quantiles: Sequence[float],
    at_most: Sequence[float],
    day: str,
) -> pl.DataFrame:
    """The table that `Forecast.to_hub` describes."""
    if day not in DAYS:
        raise ValueError(f"the day's column is {' or '.join(DAYS)}, not {day!r}")
    unknown = [name for name in types if name not in TYPES]
    if unknown or not types:
        raise ValueError(f"output types are {', '.join(TYPES)}, not {list(types)}")
    levels = {"quantile": quantiles, "cdf": at_most}
    return pl.concat(
        [
            _rows(forecast, name, target, day, *_values(forecast, name, levels.get(name, ())))
            for name in types
        ]
    )


def _values(
    forecast: Forecast, name: str, levels: Sequence[float]
) -> tuple[list[str | None], FloatArray]:
    """Identifiers of one output type, and its values (ids, H, K)."""
    if name == "mean":
        return [None], forecast.mean[None]
    if name == "median":
        return [None], forecast.quantile([0.5])
    if name == "sample":
        return [str(at) for at in range(len(forecast.draws))], forecast.draws
    if name == "quantile":
        return [f"{level:g}" for level in levels], forecast.quantile(list(levels))
    shares = [(forecast.draws <= level).mean(axis=0) for level in levels]
    labels: list[str | None] = [
        str(int(level)) if float(level).is_integer() else repr(float(level)) for level in levels
    ]
    return labels, np.reshape(shares, (len(labels), *forecast.draws.shape[1:]))


def _rows(
    forecast: Forecast,
    name: str,
    target: str,
    day: str,
    labels: list[str | None],
    values: FloatArray,
) -> pl.DataFrame:
    """Rows (id, horizon, location) of one output type; values (ids, H, K)."""
    periods, streams = forecast.draws.shape[1:]
    cells = periods * streams
    horizon = np.repeat(np.cumsum(forecast.lengths), streams)
    ends = np.repeat(forecast.edges[1:] - np.timedelta64(1, "D"), streams)
    known = forecast.made_on - timedelta(days=1)
    n = len(labels)
    return pl.DataFrame(
        {
            day: pl.Series([known], dtype=pl.Date).new_from_index(0, n * cells),
            "target": [target] * (n * cells),
            "horizon": np.tile(horizon, n),
            "location": list(forecast.names) * (periods * n),
            "target_end_date": np.tile(ends, n),
            "output_type": [name] * (n * cells),
            "output_type_id": pl.Series(
                [label for label in labels for _ in range(cells)], dtype=pl.String
            ),
            "value": np.asarray(values, dtype=np.float64).ravel(),
        }
    )


def from_hub(table: pl.DataFrame | Path | str) -> dict[str, Any]:
    """Draws, edges, names, day and lengths of the forecast in a table of samples."""
    rows, day = _samples(table if isinstance(table, pl.DataFrame) else _read(Path(table)))
    ends = rows.select("horizon", "target_end_date").unique().sort("horizon")
    horizons = ends["horizon"].to_list()
    draws, names = _draws(rows, horizons)
    after: DateArray = ends["target_end_date"].to_numpy().astype("datetime64[D]")
    after = after + np.timedelta64(1, "D")
    first = np.datetime64(day + timedelta(days=1), "D")
    if horizons[0] < 1:
        first = _before(after, horizons)
    edges = np.concatenate([[first], after])
    return {
        "draws": draws,
        "edges": edges,
        "names": tuple(names),
        "made_on": first.item(),
        "recent": np.empty((0, len(names)), np.int64),
        "recent_edges": edges[:1],
        "lengths": tuple(np.diff(horizons, prepend=min(horizons[0] - 1, 0)).tolist()),
    }


def _samples(rows: pl.DataFrame) -> tuple[pl.DataFrame, date]:
    """The samples among the rows of a table, all of one target, and the one day of the table."""
    day = next((name for name in DAYS if name in rows.columns), DAYS[0])
    missing = [name for name in (day, *COLUMNS) if name not in rows.columns]
    if missing:
        raise ValueError(f"a table of model output lacks the columns {', '.join(missing)}")
    rows = rows.with_columns(pl.col(*WORDS).cast(pl.String))
    rows = rows.filter(pl.col("output_type") == "sample")
    if rows.is_empty():
        raise ValueError("the table has no samples; quantiles do not say how periods depend")
    for name in (day, "target_end_date", "horizon", "value"):
        text, days = pl.col(name), name.endswith("date")
        if rows[name].dtype == pl.String:
            number = text.cast(pl.Int64 if name == "horizon" else pl.Float64, strict=False)
            rows = rows.with_columns(text.str.to_date("%F", strict=False) if days else number)
        if rows[name].has_nulls():
            wanted = "days (YYYY-MM-DD)" if days else "numbers"
            raise ValueError(f"column {name} of a table of model output must hold {wanted} alone")
    for name in (day, "target"):
        if rows[name].n_unique() > 1:
            raise ValueError(f"one {name} is wanted, and the table has {rows[name].n_unique()}")
    return rows, rows[day][0]


def _draws(rows: pl.DataFrame, horizons: list[int]) -> tuple[FloatArray, list[str]]:
    """Draws (paths, horizons, locations) in the rows of samples, and the names of the locations."""
    names = rows["location"].unique(maintain_order=True).to_list()
    ids = rows["output_type_id"].unique(maintain_order=True).to_list()
    columns = ("output_type_id", "horizon", "location")
    shape = (len(ids), len(horizons), len(names))
    if len(rows) != np.prod(shape) or rows.select(columns).is_duplicated().any():
        raise ValueError(
            f"{shape[0]} paths of {shape[1]} horizons and {shape[2]} locations want "
            f"{np.prod(shape)} rows, each once, and the table has {len(rows)}"
        )
    order = [{name: at for at, name in enumerate(found)} for found in (ids, horizons, names)]
    at = tuple(
        rows[column].replace_strict(place, return_dtype=pl.Int64).to_numpy()
        for column, place in zip(columns, order, strict=True)
    )
    draws = np.empty(shape)
    draws[at] = rows["value"].to_numpy()
    return draws, names


def _before(after: DateArray, horizons: list[int]) -> np.datetime64:
    """First day of a period that was running, or over, on the day of the table.

    Hubs number it 0 (or below): its length is that of the next one, or a month where the next one
    is a month.
    """
    if len(after) < 2 or horizons[1] != horizons[0] + 1:
        raise ValueError(
            f"horizon {horizons[0]} is a period that had begun: when it began is not known "
            f"without horizon {horizons[0] + 1}"
        )
    months = after[:2].astype("datetime64[M]")
    month = np.timedelta64(1, "M")
    if np.all(months.astype("datetime64[D]") == after[:2]) and months[1] - months[0] == month:
        return np.datetime64(months[0] - month, "D")
    return np.datetime64(after[0] - (after[1] - after[0]), "D")


def _read(path: Path) -> pl.DataFrame:
    if path.suffix == ".parquet":
        return pl.read_parquet(path)
    days = dict.fromkeys((*DAYS, "target_end_date"), pl.Date)
    if path.suffix == ".json":
        # All rows are looked at: the first ones may be means, which have no output_type_id.
        rows = pl.read_json(path, infer_schema_length=None)
        return rows.with_columns(
            pl.col(name).cast(pl.String).str.to_date() for name in days if name in rows.columns
        ).with_columns(pl.col("value").cast(pl.Float64))
    if path.suffix == ".csv":
        kinds = {**days, **dict.fromkeys(WORDS, pl.String), "value": pl.Float64}
        header = pl.read_csv(path, n_rows=0).columns
        return pl.read_csv(
            path, schema_overrides={name: kinds[name] for name in header if name in kinds}
        )
    raise ValueError(f"forecasts are read from .parquet, .csv and .json, not {path.name}")


def write_table(table: pl.DataFrame, path: Path) -> Path:
    """Write a table by its suffix, whole or not at all."""
    writers = {
        ".parquet": table.write_parquet, ".csv": table.write_csv, ".json": table.write_json,
    }  # fmt: skip
    if path.suffix not in writers:
        raise ValueError(f"forecasts are written as {', '.join(writers)}, not {path.name}")
    endless = int(table["value"].is_infinite().sum())
    if path.suffix == ".json" and endless:
        raise ValueError(
            f"{path.name}: JSON has no infinity, and {endless} of {len(table)} values are "
            "infinite; write .parquet or .csv"
        )
    write_whole(path, writers[path.suffix])  # type: ignore[arg-type]
    return path
