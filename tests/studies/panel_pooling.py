"""Log scores of units held out: partially pooled, each by itself, all alike.

``python tests/studies/panel_pooling.py --sets 20`` simulates panels of twenty units of unequal
length and prints the table of the documentation; with ``--file FILE``, UCDP's events of Pakistan,
it also scores the weeks of 2020 and 2021 by province, after ten years (2010 to 2019) and after one
(2019); with ``--rolling`` each year from 2011 to 2019 after the one before instead. Every week is
foretold one step ahead with the parameters learned before the split; a score is the sum over units
and weeks of the log of the mean probability over 300 draws by Laplace. Seeds are 0, 1, 2, …;
``--out FOLDER`` keeps what is done.
"""

import argparse
import json
import os
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl

from escalation.background import Background
from escalation.counts import EndemicEpidemic, Panel
from escalation.engines import Laplace
from escalation.series import CountSeries, PanelSeries

UNITS, HELD, LAGS = 20, 52, 4
#: Watched weeks before the split: half of the units are new.
LENGTHS = (16, 26, 39, 52, 260)
FLAT = Background(harmonics=0)
ENGINE = Laplace(draws=300)
POOLINGS = ("partial", "none", "complete")
NAMES = (*POOLINGS, "separate models")
SPLIT = date(2019, 12, 30)
BEGINNINGS = {"2010 to 2019": date(2010, 1, 4), "2019 alone": date(2018, 12, 31)}
#: Years that are learned from to foretell the next, all before those held out.
YEARS = range(2010, 2019)


def simulated(seed: int) -> tuple[PanelSeries, date]:
    """Units from one population, watched for unequal lengths, and the day of the split."""
    rng = np.random.default_rng(seed)
    truth = {
        "level_mean": np.array(-0.5), "level_spread": np.array(0.8),
        "logit_reproduction_mean": np.array(-0.8), "logit_reproduction_spread": np.array(0.6),
        "log_dispersion_mean": np.array(-0.5), "log_dispersion_spread": np.array(0.5),
        "decay": np.array(0.7),
    }  # fmt: skip
    for name in ("level", "logit_reproduction", "log_dispersion"):
        truth[f"{name}_deviation"] = rng.standard_normal(UNITS)
    most = max(LENGTHS)
    names = [f"unit {u + 1}" for u in range(UNITS)]
    like = CountSeries.from_counts(np.zeros((most + HELD, UNITS)), date(2015, 1, 5), "week", names)
    whole = Panel(background=FLAT, lags=LAGS).simulate(truth, like, rng)
    units = {}
    for u, name in enumerate(names):
        begin = most - LENGTHS[u % len(LENGTHS)]
        start = whole.edges[begin].item()
        units[name] = CountSeries.from_counts(whole.counts[begin:, u], start, "week", ["incidents"])
    return PanelSeries.from_series(units), whole.edges[most].item()


def provinces(file: Path, start: date) -> PanelSeries:
    """Weekly events of each province from a day on, those dated to a week or better."""
    table = pl.read_csv(file, infer_schema_length=None).filter(
        (pl.col("adm_1") != "") & (pl.col("date_prec") <= 3)
    )
    days = table["date_start"].str.slice(0, 10).str.to_date().to_numpy()
    place = table["adm_1"].to_numpy()
    weeks = (np.datetime64("2022-01-03") - np.datetime64(start)).astype(int) // 7
    edges = np.datetime64(start) + 7 * np.arange(weeks + 1)
    # The last week reaches into 2022, beyond the file: it is left out.
    edges = edges[edges <= np.datetime64("2022-01-01")]
    units = {}
    for name in sorted(set(table["adm_1"])):
        at = np.searchsorted(edges, days[place == name], side="right") - 1
        inside = (at >= 0) & (at < len(edges) - 1)
        counts = np.bincount(at[inside], minlength=len(edges) - 1)
        units[name] = CountSeries.from_counts(counts, start, "week", ["events"])
    return PanelSeries.from_series(units)


def windows(file: Path) -> Iterator[tuple[int, PanelSeries, date]]:
    """Each year and the next by province, and the day between them."""
    for year in YEARS:
        begin, split, end = (_first_monday(year + i) for i in range(3))
        yield year, provinces(file, begin).split(end)[0], split


def _first_monday(year: int) -> date:
    """The Monday of the week of New Year's Day."""
    day = date(year, 1, 1)
    return day - timedelta(days=day.weekday())


def scores(whole: PanelSeries, split: date, background: Background) -> dict[str, list[float]]:
    """Log score of each unit over the weeks from the split on, for each way to pool."""
    past, _ = whole.split(split)
    out = {}
    for pooling in POOLINGS:
        model = Panel(background=background, lags=LAGS, pooling=pooling)
        fit = model.fit(past, ENGINE, np.random.default_rng(0))
        log = model.pointwise(fit, fit.theta, whole)[:, len(past) :]
        out[pooling] = sums_of(log)
    each = []
    for name in whole.units:
        own = whole.unit(name)
        before, _ = own.split(split)
        model = EndemicEpidemic(background=background, lags=LAGS)
        fit = model.fit(before, ENGINE, np.random.default_rng(0))
        each += sums_of(model.pointwise(fit, fit.theta, own)[:, len(before) :])
    out["separate models"] = each
    return out


def sums_of(log: np.ndarray) -> list[float]:
    """Sums over the periods of the log of the mean probability, of each stream."""
    top = log.max(axis=0)
    return (top + np.log(np.exp(log - top).mean(axis=0))).sum(axis=0).tolist()


def study(sets: int, folder: Path | None) -> list[dict[str, list[float]]]:
    """Scores of simulated panels; those in the folder's file are not made again."""
    file = None if folder is None else folder / "panel_pooling.jsonl"
    found = []
    if file is not None and file.exists():
        found = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for seed in range(len(found), sets):
        found.append(scores(*simulated(seed), FLAT))
        print(f"set {seed} done", file=sys.stderr, flush=True)
        if file is not None:
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(found[-1]) + "\n")
    return found[:sets]


def rolling(file: Path) -> None:
    """Print the scores of each year after the one before, and what partial pooling gains."""
    print(f"| learned | scored | events | {' | '.join(NAMES)} |")
    print("|---|---|---|" + "---|" * len(NAMES))
    sums: dict[str, list[float]] = {way: [] for way in NAMES}
    for year, whole, split in windows(file):
        found = scores(whole, split, Background(harmonics=1))
        for way in NAMES:
            sums[way].append(sum(found[way]))
        events = " / ".join(str(one.counts.sum()) for one in whole.split(split))
        cells = " | ".join(f"{sums[way][-1]:.1f}" for way in NAMES)
        print(f"| {year} | {year + 1} | {events} | {cells} |", flush=True)
    values = {way: np.array(own) for way, own in sums.items()}
    cells = " | ".join(ahead(values["partial"], values[way]) for way in NAMES[1:])
    print(f"| partial ahead of | | | | {cells} |")


def ahead(scored: np.ndarray, other: np.ndarray) -> str:
    """Mean gain over splits or sets, its standard error, and in how many it is positive."""
    gain = scored - other
    error = gain.std(ddof=1) / np.sqrt(len(gain)) if len(gain) > 1 else np.nan
    return f"{gain.mean():.1f} ({error:.1f}); {(gain > 0).sum()} of {len(gain)}"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--file", type=Path, help="UCDP's events of Pakistan, as a CSV file")
    parser.add_argument("--rolling", action="store_true", help="years before those held out")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
    if asked.rolling:
        rolling(asked.file)
    elif asked.file is not None:
        print("| learned from | province | weekly events, learned / held out |"
              f" {' | '.join(NAMES)} |")  # fmt: skip
        print("|---|---|---|" + "---|" * len(NAMES))
        for told, start in BEGINNINGS.items():
            whole = provinces(asked.file, start)
            found = scores(whole, SPLIT, Background(harmonics=1))
            before, after = whole.split(SPLIT)
            for u, name in enumerate(whole.units):
                cells = " | ".join(f"{found[way][u]:.1f}" for way in NAMES)
                rates = [one.counts[:, u].mean() for one in (before, after)]
                print(f"| {told} | {name} | {rates[0]:.2f} / {rates[1]:.2f} | {cells} |")
            cells = " | ".join(f"{sum(found[way]):.1f}" for way in NAMES)
            print(f"| {told} | all | | {cells} |", flush=True)
    found = study(asked.sets, asked.out)
    if not found:
        return
    print("| watched before | ahead of no pooling | of complete | of separate models |")
    print("|---|---|---|---|")
    values = {way: np.array([one[way] for one in found]) for way in NAMES}
    for weeks in (*LENGTHS, None):
        own = [u for u in range(UNITS) if weeks is None or LENGTHS[u % len(LENGTHS)] == weeks]
        cells = []
        for way in NAMES[1:]:
            cells.append(ahead(*(values[one][:, own].sum(axis=1) for one in ("partial", way))))
        print(f"| {weeks or 'all'} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
