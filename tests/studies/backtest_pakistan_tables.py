"""Tables and picture of the Pakistan backtest, from the scores that it kept.

``python tests/studies/backtest_pakistan_tables.py SCORED [--of NAME] [--picture FILE]`` reads the
Parquet file that ``backtest_pakistan.py score`` leaves in its store, and sets the second default,
or the model named, beside the others.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from pathlib import Path

import polars as pl

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package

from backtest_pakistan import BASELINES, DEFAULT, HORIZON, SCORED, SECOND, SEED

from escalation.backtest import Backtest
from escalation.forecast import ALL_STREAMS

BLOCKS = [(1, 4), (5, 8), (9, 12)]
POOLED = "four streams"


def figure(row: dict, name: str, digits: int = 2) -> str:
    """A ratio or difference with its interval, bold where the interval leaves out no skill."""
    value, low, high = (row[f"{name}{end}"] for end in ("", "_lower", "_upper"))
    if value is None:
        return "–"
    none = 1.0 if name == "relative_crps" else 0.0
    text = f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})".replace("-", "−")
    return f"**{text}**" if high < none else f"*{text}*" if low > none else text


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> None:
    """Print a table of Markdown."""
    head = list(head)
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    for row in rows:
        print(f"| {' | '.join(row)} |")
    print()


def pick(skill: pl.DataFrame, **at: str) -> dict:
    """One row."""
    [row] = skill.filter(**at).rows(named=True)
    return row


def tables(cells: Backtest, sums: Backtest, of: str) -> None:
    """Print everything."""
    pooled = Backtest(
        cells.table.filter((pl.col("stream") != ALL_STREAMS) | pl.col("failure").is_not_null())
        .with_columns(stream=pl.when(pl.col("stream").is_not_null()).then(pl.lit(POOLED))),
        HORIZON, SEED,
    )  # fmt: skip
    names = [name for name in pooled.models if name != of]
    blocks = [f"{a}–{b}" for a, b in BLOCKS] + [f"1–{HORIZON}"]
    skills = {name: pooled.skill(name, BLOCKS) for name in names}
    plain = pooled.skill(of, BLOCKS)
    print("Mean scores over the four streams\n")
    rows = []
    for name in (of, *names):
        own = [pick(plain, model=name, block=block) for block in blocks]
        label = f"*{name}*" if name in BASELINES else name
        rows.append([label, *(f"{r['crps']:.3f}" for r in own), f"{own[-1]['log_score']:.3f}"])
    order = sorted(rows, key=lambda row: float(row[4]))
    table(("", *(f"CRPS {block}" for block in blocks), "log score"), order)
    print("The default beside each baseline and model: CRPS ratio, log score difference\n")
    table(
        ("beside", *blocks, f"log score 1–{HORIZON}"),
        [
            [name]
            + [figure(pick(skills[name], model=of, block=b), "relative_crps") for b in blocks]
            + [figure(pick(skills[name], model=of, block=blocks[-1]), "log_score_difference")]
            for name in names
        ],
    )
    print(f"Each model beside each baseline, weeks 1–{HORIZON}: CRPS ratio\n")
    own = [of, *SCORED]
    table(
        ("baseline", *own),
        [
            [base]
            + [figure(pick(skills[base], model=m, block=blocks[-1]), "relative_crps") for m in own]
            for base in BASELINES
        ],
    )
    print(f"The default by stream, weeks 1–{HORIZON} and sums over four weeks: CRPS ratio\n")
    streams = [name for name in cells.streams]
    beside = [name for name in BASELINES if name != "zero"]
    by_stream = {name: cells.skill(name, []) for name in beside}
    by_sum = {name: sums.skill(name, []) for name in beside}
    for what, found in (("weeks", by_stream), ("sums of four weeks", by_sum)):
        table(
            (what, *streams),
            [
                [base]
                + [figure(pick(found[base], model=of, stream=s), "relative_crps") for s in streams]
                for base in beside
            ],
        )
    print("Share of the non-randomised PIT in the central intervals\n")
    for what, found in (("weeks", cells), ("sums of four weeks", sums)):
        shares = found.calibration((0.5, 0.8, 0.9))
        for model in (of, *SCORED):
            table(
                (f"{what}: {model}", "50 %", "80 %", "90 %"),
                [
                    [stream]
                    + [
                        "{:.1f} ({:.1f}–{:.1f})".format(
                            *(100 * r[name] for name in ("share", "lower", "upper"))
                        )
                        for r in shares.filter(model=model, stream=stream).iter_rows(named=True)
                    ]
                    for stream in streams
                ],
            )


def picture(cells: Backtest, path: Path, of: str) -> None:
    """Draw skill and calibration of the default."""
    from escalation.plots import calibration, skill
    from escalation.plots.style import TOTAL_COLOUR, colour, style
    from escalation.plots.style import figure as drawing

    names = [name for name in BASELINES if name != "zero"]
    streams = [name for name in cells.streams if name != ALL_STREAMS]
    hues = {ALL_STREAMS: TOTAL_COLOUR} | {name: colour(k) for k, name in enumerate(streams)}
    with style():
        made, axes = drawing(2.6, 1, 2)
        rows = [cells.skill(name, []).filter(model=of, stream=ALL_STREAMS) for name in names]
        skill(axes[0, 0], pl.concat(rows), labels=names)
        shares = cells.calibration().filter(model=of)
        calibration(axes[0, 1], shares, hues=hues)
        axes[0, 0].set_title("CRPS less than, sum of streams", fontsize=9)
        axes[0, 1].set_title("Share of outcomes inside", fontsize=9)
        made.savefig(path, dpi=160)


def main() -> None:
    """Read, print and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("scored", type=Path)
    parser.add_argument("--of", choices=[DEFAULT, SECOND], default=SECOND)
    parser.add_argument("--picture", type=Path)
    asked = parser.parse_args()
    whole = pl.read_parquet(asked.scored)
    cells = Backtest(whole.filter(pl.col("block").is_null()), HORIZON, SEED)
    sums = Backtest(whole.filter(pl.col("block").is_not_null()), HORIZON, SEED)
    tables(cells, sums, asked.of)
    if asked.picture:
        picture(cells, asked.picture, asked.of)


if __name__ == "__main__":
    main()
