"""Tables by which the second default of the Pakistan backtest was chosen.

``python tests/studies/backtest_pakistan_choosing_tables.py CHOSEN`` reads the Parquet file of
scores that ``backtest_pakistan_choosing.py choose`` leaves in its store.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package

from backtest_pakistan import BASELINES, SEED
from backtest_pakistan_choosing import CANDIDATES, NEAR

from escalation.backtest.track_record import LEVELS
from escalation.forecast import ALL_STREAMS
from escalation.scores import block_interval, block_length, moving_blocks, pit_share
from escalation.window import FloatArray, IntArray

WEIGHTED = "weighted resampling"
RESAMPLES, OVERLAP = 1000, 3

Means = dict[tuple[str, str], FloatArray]
"""Mean scores an origin, (O,), by study and forecaster."""


def by_origin(table: pl.DataFrame) -> dict[str, Means]:
    """Means an origin of the streams' CRPS, the sum's, and the streams' log score."""
    total = pl.col("stream") == ALL_STREAMS
    means = table.group_by("study", "model", "origin", maintain_order=True).agg(
        streams=pl.col("crps").filter(~total).mean(),
        sum=pl.col("crps").filter(total).mean(),
        log=pl.col("log_score").filter(~total).mean(),
    )
    parts = list(means.sort("origin").group_by("study", "model", maintain_order=True))
    return {
        what: {(str(key[0]), str(key[1])): part[what].to_numpy() for key, part in parts}
        for what in ("streams", "sum", "log")
    }


def off_nominal(table: pl.DataFrame) -> pl.DataFrame:
    """How far the central shares are off nominal, in points: mean over levels, streams, studies."""
    ends = table.select("pit_low", "pit_high").to_numpy().T
    shares = {str(level): pl.Series(pit_share(ends[0], ends[1], level)) for level in LEVELS}
    means = (
        table.with_columns(**shares)
        .group_by("study", "model", "stream", maintain_order=True)
        .agg(pl.col(list(shares)).mean())
    )
    off = sum((pl.col(name) - float(name)).abs() for name in shares) * 100 / len(shares)
    over = sum(pl.col(name) - float(name) for name in shares) * 100 / len(shares)
    return (
        means.with_columns(off=off, over=over)
        .group_by("study", "model", maintain_order=True).agg(pl.col("off", "over").mean())
    )  # fmt: skip


class Comparison:
    """Ratios of mean scores over the studies, with intervals by blocks of each one's origins."""

    def __init__(self, means: Mapping[str, Means], studies: list[str]) -> None:
        rng = np.random.default_rng(SEED)
        self.means, self.index, self.blocks = means, {}, 0.0
        for study in studies:
            n = len(means["streams"][study, "zero"])
            length = block_length(n, OVERLAP)
            self.index[study]: IntArray = moving_blocks(n, length, RESAMPLES, rng)
            self.blocks += n / length

    def ratio(self, what: str, name: str, beside: Mapping[str, str]) -> tuple[float, float, float]:
        """Geometric mean of the ratios to each study's reference, and its 90 % interval."""
        logs, again = [], np.zeros(RESAMPLES)
        for study, at in self.index.items():
            ours, theirs = (self.means[what][study, each] for each in (name, beside[study]))
            logs.append(np.log(ours.mean() / theirs.mean()))
            again += np.log(ours[at].mean(axis=1) / theirs[at].mean(axis=1)) / len(self.index)
        low, high = block_interval(np.exp(again), 0.9, self.blocks)
        return float(np.exp(np.mean(logs))), float(low), float(high)


def tables(table: pl.DataFrame) -> None:
    """Print the figures over the studies and in each, and what the rule takes."""
    means, off = by_origin(table), off_nominal(table)
    names = table["model"].unique(maintain_order=True).to_list()
    studies = table["study"].unique(maintain_order=True).to_list()
    compare = Comparison(means, studies)
    best = {
        study: min(BASELINES, key=lambda name: means["streams"][study, name].mean())
        for study in studies
    }
    weighted = dict.fromkeys(studies, WEIGHTED)
    rows = []
    for name in names:
        value, low, high = compare.ratio("streams", name, weighted)
        gaps = [(means["log"][s, name] - means["log"][s, WEIGHTED]).mean() for s in studies]
        row = {"forecaster": name, "best baseline": compare.ratio("streams", name, best)[0]}
        row |= {"weighted": value, "low": low, "high": high}
        row |= {"sum": compare.ratio("sum", name, weighted)[0], "log score": float(np.mean(gaps))}
        own = off.filter(model=name)
        rows.append(row | {"off": own["off"].mean(), "over": own["over"].mean()})
    found = pl.DataFrame(rows).sort("best baseline")
    wide = {"tbl_rows": 60, "tbl_cols": 20, "tbl_width_chars": 200, "fmt_str_lengths": 60}
    with pl.Config(float_precision=3, **wide):
        print(found)
        for study in studies:
            n = len(means["streams"][study, WEIGHTED])
            print(f"{study}: {n} origins, best baseline {best[study]}")
            print(_one(study, best[study], means, off, names))
    tried = found.filter(pl.col("forecaster").is_in(list(CANDIDATES)))
    near = tried.filter(pl.col("best baseline") <= tried["best baseline"].min() + NEAR)
    print("The rule takes:", near.sort("off")["forecaster"][0])


def _one(
    study: str, beside: str, means: Mapping[str, Means], off: pl.DataFrame, names: list[str]
) -> pl.DataFrame:
    """A study's ratios to its best baseline, and points off nominal."""
    rows = []
    for name in names:
        row: dict[str, object] = {"forecaster": name}
        for what in ("streams", "sum"):
            row[what] = float(means[what][study, name].mean() / means[what][study, beside].mean())
        own = off.filter(study=study, model=name)
        rows.append(row | {"off": own["off"].item(), "over": own["over"].item()})
    return pl.DataFrame(rows).sort("streams")


def main() -> None:
    """Read and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chosen", type=Path)
    tables(pl.read_parquet(parser.parse_args().chosen))


if __name__ == "__main__":
    main()
