"""Coverage of a panel's forecasts, of its units and of one that it never saw, judged on the PIT.

``python tests/studies/panel_coverage.py --sets 40`` prints the table of the documentation. Each set
(seeds 0, 1, 2, …; none is dropped) is a panel of sixteen units from one population; fifteen are
learned from 104 weeks by Laplace, and the next 12 weeks of all sixteen are foretold. ``--out FILE``
keeps what is done.
"""

import argparse
import json
import os
from datetime import date
from pathlib import Path

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from escalation.background import Background
from escalation.counts import Panel
from escalation.engines import Laplace
from escalation.forecast import Forecast
from escalation.scores import coverage, implied_coverage, pit_bounds, pit_share
from escalation.series import CountSeries

UNITS, WEEKS, HORIZON = 15, 104, 12
MODEL = Panel(background=Background(harmonics=0), lags=4)
WHAT = ("watched units, weeks 1 to 12", "watched units, sum", "new unit, weeks 1 to 12", "new, sum")


def one_set(seed: int) -> np.ndarray:
    """PIT mass in the central 50, 80 and 90 %, held and implied 90 %, for each forecast (4, 5)."""
    rng = np.random.default_rng(seed)
    truth = {
        "level_mean": np.array(-0.3), "level_spread": np.array(0.8),
        "logit_reproduction_mean": np.array(-0.8), "logit_reproduction_spread": np.array(0.6),
        "log_dispersion_mean": np.array(-0.7), "log_dispersion_spread": np.array(0.5),
        "decay": np.array(0.7),
    }  # fmt: skip
    for name in ("level", "logit_reproduction", "log_dispersion"):
        truth[f"{name}_deviation"] = rng.standard_normal(UNITS + 1)
    like = CountSeries.from_counts(np.zeros((WEEKS + HORIZON, UNITS + 1)), date(2020, 1, 6))
    whole = MODEL.simulate(truth, like, rng)
    past = CountSeries.from_counts(whole.counts[:WEEKS, :UNITS], date(2020, 1, 6))
    coming = whole.counts[WEEKS:].astype(float)
    fit = MODEL.fit(past, Laplace(draws=500), rng)
    known = fit.forecast(HORIZON, rng, 2000)
    new = MODEL.forecast_new(fit, HORIZON, rng, 2000)
    return np.array(
        [
            figures(known, coming[:, :UNITS]),
            figures(known.blocks((HORIZON,)), coming[:, :UNITS].sum(axis=0, keepdims=True)),
            figures(new, coming[:, UNITS:]),
            figures(new.blocks((HORIZON,)), coming[:, UNITS:].sum(axis=0, keepdims=True)),
        ]
    )


def figures(forecast: Forecast, counts: np.ndarray) -> list[float]:
    """Means over weeks and units."""
    low, high = pit_bounds(forecast.draws, counts)
    masses = [float(pit_share(low, high, level).mean()) for level in (0.5, 0.8, 0.9)]
    ends = forecast.interval(0.9)
    held = float(coverage(ends[0], ends[1], counts).mean())
    return [*masses, held, float(implied_coverage(forecast.draws, ends[0], ends[1]).mean())]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=40)
    parser.add_argument("--out", type=Path, help="keeps what is done, a line a set")
    asked = parser.parse_args()
    sets, found = asked.sets, []
    if asked.out is not None and asked.out.exists():
        found = [json.loads(line) for line in asked.out.read_text("utf-8").splitlines()]
    for seed in range(len(found), sets):
        found.append(one_set(seed).tolist())
        if asked.out is not None:
            with asked.out.open("a", encoding="utf-8") as out:
                out.write(json.dumps(found[-1]) + "\n")
    print("| forecast | sets | PIT in 50 % | in 80 % | in 90 % | error | 90 % interval held |"
          " forecast implies |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    values = 100 * np.array(found[:sets])
    for row, what in enumerate(WHAT):
        mean, error = values[:, row].mean(axis=0), values[:, row, 2].std() / np.sqrt(sets)
        cells = " | ".join(f"{one:.1f}" for one in mean[:3])
        print(f"| {what} | {sets} | {cells} | {error:.1f} | {mean[3]:.1f} | {mean[4]:.1f} |")


if __name__ == "__main__":
    main()
