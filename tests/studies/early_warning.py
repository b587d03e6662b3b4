"""Early warnings by province of Pakistan: what they were worth.

``python tests/studies/early_warning.py FILE`` reads UCDP's events of Pakistan, forecasts the weekly
events of each province from origins every four weeks of 2010–2016, and prints what the warnings of
escalation (a mean above 1.5 times that of the last twelve weeks) were worth. ``--images FOLDER``
draws the pictures of the documentation. Finished forecasts stay in ``--store``.
"""

import argparse
import os
import sys
from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package

from panel_pooling import provinces

from escalation import plots
from escalation.backtest import TimeLeft, run_backtest
from escalation.backtest.tasks import Forecaster
from escalation.baselines import Analogue, Climatology, Conflictology, ExponentialResampling
from escalation.early_warning import EarlyWarning, WarningRecord
from escalation.ensemble import Ensemble
from escalation.plots.style import colour
from escalation.series import CountSeries

START, FIRST, END = date(2007, 1, 1), date(2010, 1, 4), date(2017, 1, 2)
HORIZON, BLOCKS, COST_RATIO = 12, (4, 4, 4), 4.0
MODELS: dict[str, Forecaster] = {
    "own history": Ensemble.default(),
    "weighted resampling": ExponentialResampling(),
    "analogue": Analogue(),
    "conflictology": Conflictology(),
    "climatology": Climatology(),
}


def weekly(file: Path) -> CountSeries:
    """Weekly events of every province, to the end of 2016."""
    panel = provinces(file, START)
    whole = CountSeries.from_counts(panel.counts, START, "week", panel.units)
    return whole.split(END)[0]


def table(record: WarningRecord) -> str:
    """The summary as a table of Markdown."""
    lines = [
        "| weeks | model | events of cases | area | mean precision | Brier skill | net benefit |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in record.summary(COST_RATIO).iter_rows(named=True):
        cells = [
            f"{row[name]:.{digits}f} ({row[name + '_lower']:.{digits}f}–"
            f"{row[name + '_upper']:.{digits}f})"
            for name, digits in (
                ("area", 2), ("average_precision", 2), ("brier_skill", 2), ("benefit", 3),
            )
        ]  # fmt: skip
        head = f"| {row['block']} | {row['model']} | {row['events']} of {row['cases']} |"
        lines.append(f"{head} {' | '.join(cells)} |".replace("-", "−"))
    return "\n".join(lines)


def draw(record: WarningRecord, warning: EarlyWarning, folder: Path) -> None:
    """The ranking on the last origin, and the four curves of the first block."""
    hues = {name: colour(place) for place, name in enumerate(MODELS)}
    shown: Mapping[str, str] = {name: hues[name] for name in list(MODELS)[:3]}
    block = record.blocks[0]
    with plots.style():
        made, axes = plots.figure(2.6)
        plots.ranking(axes[0, 0], warning)
        made.savefig(folder / "early_warning_ranking.png", dpi=160)
        made, axes = plots.figure(5.8, 2, 2)
        plots.reliability(axes[0, 0], record, "own history", block)
        plots.roc(axes[0, 1], record, block, models=shown)
        plots.precision_recall(axes[1, 0], record, block, models=shown)
        plots.decision_curve(axes[1, 1], record, block, models=shown, cost_ratio=COST_RATIO)
        made.savefig(folder / "early_warning_curves.png", dpi=160)


def main() -> None:
    """Print the table, and draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("--store", type=Path, default=Path("build/early_warning"))
    parser.add_argument("--images", type=Path)
    asked = parser.parse_args()
    series = weekly(asked.file)
    origins = [FIRST + timedelta(weeks=4 * n) for n in range(92)]
    backtest = run_backtest(
        MODELS, series, origins, HORIZON, seed=0, draws=1000, blocks=BLOCKS,
        store=asked.store, progress=TimeLeft(),
    )  # fmt: skip
    record = WarningRecord.of(backtest)
    print(table(record))
    if asked.images is not None:
        fitted = MODELS["own history"].fit(series, rng=np.random.default_rng(0))
        forecast = fitted.forecast(HORIZON, np.random.default_rng(1), 1000)
        draw(record, EarlyWarning(forecast), asked.images)


if __name__ == "__main__":
    main()
