"""Score forecasts of deaths by country and month against conflictology, window by window.

    python tests/benchmarks/challenge.py TABLE.csv[.gz] --windows 2018 2019 2020 [--json]

The table has the columns country_id, month_id (121 is January 1990), deaths, and if wanted isoab. A
country-month without a row, or with an empty count, is missing and not zero. Counts with a fraction
are scored as they are and rounded for the models; the first is told on standard error. For a window
Y the models see the months up to and with October of Y-1 and forecast January to December of Y.
Scored are the known months of Y of all countries with a known month among the last twelve seen.

Both benchmarks are computed from the table: conflictology as published (12 draws, spread to 1,000
by `scipy.signal.resample` and clipped at 0 for IGN) and honest (1,000 draws, evenly from the 12).
"""

import argparse
import gzip
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl
from scipy.signal import resample

from escalation import PanelSeries
from escalation.own_history import OwnHistoryPool
from escalation.scores import crps_draws, ignorance, interval_score
from escalation.window import Window

SCORES = ("CRPS", "IGN", "MIS")
BENCHMARKS = ("conflictology, published", "conflictology, honest")
MODEL = "own history"
JANUARY_1990 = 121
LEAD = 2  # November and December lie between the last month seen and the first forecast
DRAWS = 1000
LARGEST = 1e12

Parts = np.ndarray  # scores of the cells of a window, shape (3, 12, countries), NaN if not scored


@dataclass(frozen=True)
class Table:
    """Deaths by month and country: `deaths` (T, K), NaN where missing."""

    deaths: np.ndarray
    first: int  # the month_id of the first row
    countries: tuple[int, ...]
    labels: tuple[str, ...]

    def rows(self, start: int, end: int) -> np.ndarray:
        """Deaths from one month_id to before another, NaN beyond the table."""
        found = np.full((max(end - start, 0), len(self.countries)), np.nan)
        a, b = max(start, self.first), min(end, self.first + len(self.deaths))
        if a < b:
            found[a - start : b - start] = self.deaths[a - self.first : b - self.first]
        return found


def january(window: int) -> int:
    """The month_id of January of a year."""
    return JANUARY_1990 + 12 * (window - 1990)


def read(path: Path) -> Table:
    """Read a table; ``ValueError`` names file, row and column of the first fault."""
    try:
        raw = path.read_bytes()
        text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
        frame = pl.read_csv(text.rstrip(), infer_schema=False).rename(str.strip)
    except (OSError, EOFError, pl.exceptions.PolarsError) as error:
        raise ValueError(f"{path}: cannot be read as a table: {error}") from None
    for column in ("country_id", "month_id", "deaths"):
        if column not in frame.columns:
            raise ValueError(f"{path}: no column {column!r}, only {', '.join(frame.columns)}")
    if frame.height == 0:
        raise ValueError(f"{path}: no rows")
    country = whole(frame, "country_id", path, 0)
    month = whole(frame, "month_id", path, 1)
    if month.max() - month.min() > 12 * 500:
        row = int(np.argmax(np.abs(month - np.median(month))))
        fault(path, row, "month_id", "months of at most 500 years", month[row])
    deaths = numbers(frame, "deaths", path, missing=True)
    wrong = np.flatnonzero((deaths < 0) | (deaths > LARGEST))
    if len(wrong):
        fault(path, wrong[0], "deaths", f"a number from 0 to {LARGEST:g}", deaths[wrong[0]])
    parted = np.flatnonzero(deaths % 1 > 0)
    if len(parted):
        told = f"{len(parted)} counts with a fraction, the first {deaths[parted[0]]}"
        print(f"note: {path}, line {parted[0] + 2}, column deaths: {told}", file=sys.stderr)
    ids, place = np.unique(country, return_inverse=True)
    first = int(month.min())
    row = month - first
    found = np.full((int(month.max()) - first + 1, len(ids)), np.nan)
    cell = row * len(ids) + place
    _, at, times = np.unique(cell, return_index=True, return_counts=True)
    if (times > 1).any():
        place_of = int(np.flatnonzero(cell == cell[at[np.argmax(times > 1)]])[1])
        fault(path, place_of, "month_id", f"one row for country {country[place_of]}", "a second")
    found[row, place] = deaths
    labels = np.array([str(i) for i in ids], dtype=object)
    if "isoab" in frame.columns:
        labels[place] = frame["isoab"].fill_null("").to_list()
    return Table(found, first, tuple(ids.tolist()), tuple(labels.tolist()))


def numbers(frame: pl.DataFrame, column: str, path: Path, missing: bool = False) -> np.ndarray:
    """Read a column as numbers, NaN for an empty one where that may be."""
    text = frame[column].str.strip_chars()
    if missing:
        text = text.replace(["", "NA", "NaN", "nan"], [None] * 4)
    values = text.cast(pl.Float64, strict=False)
    wrong = values.is_null() & (text.is_not_null() if missing else True)
    wrong = (wrong | (~values.is_finite())).fill_null(not missing)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        fault(path, row, column, "a number", repr(frame[column][row]))
    return values.fill_null(float("nan")).to_numpy()


def whole(frame: pl.DataFrame, column: str, path: Path, least: int) -> np.ndarray:
    """Read a column as whole numbers."""
    values = numbers(frame, column, path)
    wrong = np.flatnonzero((values != np.floor(values)) | (values < least) | (values > 1e9))
    if len(wrong):
        wanted = f"a whole number from {least} on"
        fault(path, wrong[0], column, wanted, values[wrong[0]])
    return values.astype(np.int64)


def fault(path: Path, row: int, column: str, wanted: str, came: object) -> None:
    """Stop with where the fault is; the header is line 1."""
    raise ValueError(f"{path}, line {row + 2}, column {column}: wanted {wanted}, got {came}")


def as_series(past: np.ndarray, first: int, labels: Sequence[str]) -> PanelSeries:
    """The months seen, (T, K) with NaN where missing, as a panel of one stream a country."""
    known = ~np.isnan(past)
    start = np.datetime64("1990-01", "M") + np.timedelta64(first - JANUARY_1990, "M")
    edges = (start + np.arange(len(past) + 1, dtype="timedelta64[M]")).astype("datetime64[D]")
    days = np.diff(edges).astype(np.float64)
    window = Window(edges[0].item(), edges[-1].item())
    return PanelSeries(
        counts=np.rint(np.where(known, past, 0.0)).astype(np.int64),
        exposure=days * known.any(axis=1),
        edges=edges,
        names=tuple(labels),
        window=window,
        period="month",
        units=tuple(labels),
        kinds=("deaths",),
        shares=known.astype(np.float64),
    )


def scored(draws: np.ndarray, observed: np.ndarray, smooth: np.ndarray | None = None) -> Parts:
    """CRPS, IGN and MIS of draws (n, 12, K); NaN where nothing is known of what came."""
    safe = np.nan_to_num(observed)
    parts = np.stack(
        [
            crps_draws(draws, safe),
            ignorance(draws if smooth is None else smooth, safe),
            interval_score(*np.quantile(draws, [0.05, 0.95], axis=0), safe, 0.9),
        ]
    )
    return np.where(np.isnan(observed), np.nan, parts)


def conflictology(past: np.ndarray, observed: np.ndarray) -> dict[str, Parts]:
    """Both benchmarks: the known ones of the last twelve months (12, K) as the forecast."""
    found = {name: np.full((3, *observed.shape), np.nan) for name in BENCHMARKS}
    for k in range(observed.shape[1]):
        last = past[~np.isnan(past[:, k]), k]
        cell = np.s_[:, :, k : k + 1]
        came = observed[:, k : k + 1]
        spread = np.clip(resample(last, DRAWS), 0, None)
        even = last[np.arange(DRAWS) * len(last) // DRAWS]
        few, many, smooth = (
            np.repeat(v[:, None], len(observed), axis=1)[:, :, None] for v in (last, even, spread)
        )
        found[BENCHMARKS[0]][cell] = scored(few, came, smooth)
        found[BENCHMARKS[1]][cell] = scored(many, came)
    return found


def score_window(table: Table, window: int, models: Mapping[str, object]) -> tuple[dict, dict]:
    """Score all models in one window: scores of the cells by model, and what is told of it."""
    begin = january(window)
    past, observed = table.rows(table.first, begin - LEAD), table.rows(begin, begin + 12)
    if len(past) < 12 or np.isnan(past).all():
        raise ValueError(f"window {window}: fewer than 12 months are known before it")
    if np.isnan(observed).all():
        raise ValueError(f"window {window}: no month of it is in the table")
    come = ~np.isnan(observed).all(axis=0)
    seen = ~np.isnan(past[-12:]).all(axis=0)
    ever = ~np.isnan(past).all(axis=0)
    kept = come & seen
    names = [f"{i} {label}" for i, label in zip(table.countries, table.labels, strict=True)]
    found = conflictology(past[-12:, kept], observed[:, kept])
    series = as_series(past[:, ever], table.first, [names[k] for k in np.flatnonzero(ever)])
    seconds = {}
    for name, model in models.items():
        start = time.perf_counter()
        rng = np.random.default_rng(window)
        forecast = model.fit(series).forecast(LEAD + 12, rng, DRAWS)
        found[name] = scored(forecast.draws[:, LEAD:, kept[ever]], observed[:, kept])
        seconds[name] = round(time.perf_counter() - start, 2)
    everyone = {}
    for name, parts in found.items():
        everyone[name] = np.full((3, *observed.shape), np.nan)
        everyone[name][:, :, kept] = parts
    told = {
        "window": window,
        "countries": int(kept.sum()),
        "cells": int((~np.isnan(observed[:, kept])).sum()),
        "left_out": [names[k] for k in np.flatnonzero(come & ~seen)],
        "largest": largest(observed, kept, names, begin),
        "seconds": seconds,
    }
    return everyone, told


def largest(observed: np.ndarray, kept: np.ndarray, names: Sequence[str], begin: int) -> list[list]:
    """The two scored cells with most deaths: month within the window, country, name, deaths."""
    size = np.where(np.isnan(observed) | ~kept, -1.0, observed)
    places = np.argsort(-size, axis=None, kind="stable")[:2]
    rows, columns = np.unravel_index(places, size.shape)
    return [
        [int(r), int(k), names[k], float(size[r, k])] for r, k in zip(rows, columns, strict=True)
    ]


def without(parts: Parts, cells: Sequence[Sequence]) -> Parts:
    """The scores without some cells."""
    found = parts.copy()
    for row, column, *_ in cells:
        found[:, row, column] = np.nan
    return found


def sums(parts: Parts) -> np.ndarray:
    """Sums over the months of each country and their number: (4, K)."""
    return np.vstack([np.nansum(parts, axis=1), (~np.isnan(parts[:1])).sum(axis=1)])


def means(total: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """Mean scores (..., 3) from sums (4, K) with countries weighted by `weight` (..., K)."""
    whole_sum = weight @ total.T
    return whole_sum[..., :3] / whole_sum[..., 3:]


def ratios(
    total: np.ndarray, against: np.ndarray, resampled: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Ratios (3,) of mean scores, and those of resampled countries (B, 3)."""
    plain = np.ones(total.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        one = means(total, plain) / means(against, plain)
        many = means(total, resampled) / means(against, resampled)
    return one, many


def summary(
    results: Sequence[tuple[dict, dict]], resamples: int, drop: bool
) -> tuple[list[dict], list[dict]]:
    """Rows of scores and ratios by window and model, and geometric means over the windows."""
    countries = next(iter(results[0][0].values())).shape[2]
    rng = np.random.default_rng(0)
    weight = rng.multinomial(countries, np.full(countries, 1 / countries), resamples).astype(float)
    rows, logs = [], {}
    for cells, told in results:
        kept = {n: sums(without(p, told["largest"]) if drop else p) for n, p in cells.items()}
        for name, total in kept.items():
            row = {"window": told["window"], "model": name}
            row |= dict(zip(SCORES, means(total, np.ones(countries)).tolist(), strict=True))
            for against in BENCHMARKS:
                one, many = ratios(total, kept[against], weight)
                logs.setdefault((name, against), []).append((np.log(one), np.log(many)))
                row[against] = described(one, many)
            rows.append(row)
    together = {}
    for (name, against), found in logs.items():
        one = np.exp(np.mean([a for a, _ in found], axis=0))
        many = np.exp(np.mean([b for _, b in found], axis=0))
        together.setdefault(name, {"model": name})[against] = described(one, many)
    return rows, list(together.values())


def described(one: np.ndarray, many: np.ndarray) -> dict[str, list[float]]:
    """Ratio with the ends of its 90 % interval, for each score."""
    never = np.isnan(many).all(axis=0)  # as where the benchmark has no fault at all
    ends = np.nanquantile(np.where(never, 0.0, many), [0.05, 0.95], axis=0)
    low, high = np.where(never, np.nan, ends)
    return {s: [float(one[i]), float(low[i]), float(high[i])] for i, s in enumerate(SCORES)}


def printed(rows: Sequence[dict], title: str) -> None:
    """Print rows as a table."""
    print(f"\n{title}")
    head = f"{'window':>7} {'model':26}" + "".join(f"{s:>10}" for s in SCORES)
    for against in ("published", "honest"):
        head += f"   {'/ ' + against + ': CRPS':>26}{'IGN':>20}{'MIS':>20}"
    print(head)
    for row in rows:
        line = f"{row.get('window', ''):>7} {row['model']:26}"
        for score, digits in zip(SCORES, (4, 4, 2), strict=True):
            line += f"{row[score]:>10.{digits}f}" if score in row else " " * 10
        for against in BENCHMARKS:
            line += "   "
            for score, width in zip(SCORES, (26, 20, 20), strict=True):
                one, low, high = row[against][score]
                line += f"{f'{one:.3f} ({low:.3f}-{high:.3f})':>{width}}"
        print(line)


def report(table: Table, windows: Sequence[int], models: Mapping, resamples: int) -> dict:
    """Everything that is printed, as plain data."""
    results = [score_window(table, window, models) for window in windows]
    rows, together = summary(results, resamples, drop=False)
    rows_less, together_less = summary(results, resamples, drop=True)
    return {
        "windows": [told for _, told in results],
        "rows": rows,
        "geometric_means": together,
        "rows_without_two_largest": rows_less,
        "geometric_means_without_two_largest": together_less,
    }


def finite(value: object) -> object:
    """The same plain data with null for what is no number, as JSON wants it."""
    if isinstance(value, dict):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not np.isfinite(value) else value


def draw(found: dict, path: Path) -> None:
    """Draw the model's ratios to published conflictology by window, one axes a score."""
    from escalation import plots

    windows = [told["window"] for told in found["windows"]]
    with plots.style():
        figure, axes = plots.figure(5.4, rows=3)
        for ax, score in zip(axes[:, 0], SCORES, strict=True):
            ours = [row for row in found["rows"] if row["model"] == MODEL]
            ratios = [row[BENCHMARKS[0]][score] for row in ours]
            plots.score_ratios(ax, windows, ratios, f"{score}, ratio to published conflictology")
        figure.savefig(path, dpi=150)


def main(arguments: Sequence[str] | None = None) -> int:
    """Read the table, forecast, score and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--windows", type=int, nargs="+", required=True, metavar="YEAR")
    parser.add_argument("--resamples", type=int, default=1000, help="of the country bootstrap")
    parser.add_argument("--image", type=Path, help="draw the ratios by window into this file")
    parser.add_argument("--json", action="store_true", help="plain data instead of tables")
    options = parser.parse_args(arguments)
    try:
        if options.resamples < 1:
            raise ValueError(f"--resamples must be at least 1, not {options.resamples}")
        table = read(options.table)
        windows = list(dict.fromkeys(options.windows))
        found = report(table, windows, {MODEL: OwnHistoryPool()}, options.resamples)
    except ValueError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    if options.image is not None:
        draw(found, options.image)
    if options.json:
        print(json.dumps(finite(found), indent=1, allow_nan=False))
        return 0
    for told in found["windows"]:
        left = f"; left out, nothing known before: {', '.join(told['left_out'])}"
        most = ", ".join(f"{name} month {row + 1}: {y:,.0f}" for row, _, name, y in told["largest"])
        print(
            f"{told['window']}: {told['countries']} countries, {told['cells']} cells, largest "
            f"{most}; seconds {told['seconds']}{left if told['left_out'] else ''}"
        )
    printed(found["rows"], "All cells; ratios with 90 % intervals over resampled countries")
    printed(found["geometric_means"], "Geometric means of the ratios over the windows")
    printed(found["rows_without_two_largest"], "Without the two largest cells of each window")
    printed(found["geometric_means_without_two_largest"], "Geometric means without these cells")
    return 0


if __name__ == "__main__":
    sys.exit(main())
