"""What a count model makes of a Hawkes process counted by day or week.

``python tests/studies/binned.py --sets 20`` prints the table of the documentation.
"""

import argparse
from datetime import date

import numpy as np

from escalation.background import Background
from escalation.counts import EndemicEpidemic
from escalation.hawkes import Hawkes
from escalation.series import EventSeries

START, END = date(2010, 1, 4), date(2019, 12, 30)
TRUE = 0.6


def row(decay: float, period: str, sets: int) -> str:
    """Mean R and its 90 % range, median delay and overdispersion of the count model."""
    values = {
        "level": np.log([0.5]), "reproduction": np.array([[TRUE]]), "decay": np.array(decay),
    }  # fmt: skip
    like = EventSeries.from_times([[]], START, END)
    model = EndemicEpidemic(background=Background(harmonics=0), lags=30 if period == "day" else 12)
    found, delays, spread, lost = [], [], [], []
    for seed in range(sets):
        series = Hawkes().simulate(values, like, np.random.default_rng(seed)).counts(period)
        fit = model.fit(series)
        found.append(float(fit.estimate["reproduction"][0, 0]))
        delays.append(np.log(2) / float(fit.estimate["decay"]))
        spread.append(float(fit.estimate["dispersion"][0]))
        kernel = np.array([decay * (1 if period == "day" else 7)])
        lost.append(float(model.kernel.same_period(kernel)))
    ends = np.quantile(found, [0.05, 0.95])
    expected = TRUE * (1 - lost[0])
    return (
        f"| {decay:g} | {np.log(2) / decay:.1f} days | {period} | {100 * lost[0]:.0f} % | "
        f"{expected:.2f} | {np.mean(found):.2f} ({ends[0]:.2f}–{ends[1]:.2f}) | "
        f"{np.median(delays):.2g} {period}s | {np.mean(spread):.2f} |"
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--sets", type=int, default=20)
    asked = parser.parse_args()
    print("| decay, a day | median delay | counted by | direct offspring in the same period | "
          "R of later periods, expected | R of the count model, mean (90 % of sets) | "
          "its median delay | its overdispersion |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for decay in (1.5, 0.2, 0.05):
        for period in ("day", "week"):
            print(row(decay, period, asked.sets), flush=True)
