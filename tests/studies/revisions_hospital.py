"""What a backtest on revised data hides: hospital dates of 2011, reported with delay.

``python tests/studies/revisions_hospital.py husO104Hosp.csv`` forecasts the daily counts five days
ahead from every second day of 16 May to 20 June, once from what was known on the day and once from
the figures as they are known now, and prints the mean CRPS by both judges.
"""

import argparse
from datetime import date, timedelta
from pathlib import Path

import numpy as np

from escalation.backtest import Vintages, run_backtest
from escalation.baselines import Conflictology, ExponentialSmoothing, Persistence
from escalation.nowcast import ReportingTriangle

MODELS = {
    "persistence": Persistence(),
    "conflictology, 14 days": Conflictology(14),
    "exponential smoothing": ExponentialSmoothing(),
}


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="husO104Hosp.csv")
    asked = parser.parse_args()
    triangle = ReportingTriangle.from_table(
        asked.file, date(2011, 5, 1), date(2011, 7, 5),
        event="dHosp", report="dReport", period="day", longest=20,
    )  # fmt: skip
    vintages = Vintages.from_triangle(triangle)
    table = vintages.revisions()
    print(f"{table['latest'].sum()} cases now; of the same days {table['first'].sum()} on the day")
    origins = [date(2011, 5, 16) + timedelta(days=n) for n in range(0, 36, 2)]
    print(
        "| | known then, judged now | known then, judged by first figures | known now, judged now |"
    )
    print("|---|---|---|---|")
    found = [
        run_backtest(MODELS, series, origins, 5, seed=0, draws=1000, judged=judged).table
        for series, judged in (
            (vintages, "latest"), (vintages, "first"), (vintages.latest, "latest"),
        )
    ]  # fmt: skip
    for name in MODELS:
        means = [one.filter(model=name, stream=triangle.names[0])["crps"].mean() for one in found]
        print(f"| {name} | {' | '.join(f'{np.float64(mean):.2f}' for mean in means)} |")


if __name__ == "__main__":
    main()
