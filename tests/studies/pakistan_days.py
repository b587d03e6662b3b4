"""UCDP Pakistan, day-coded: R with intervals under three backgrounds, and the checks of each.

``python tests/studies/pakistan_days.py ucdp_ged_pakistan.csv`` takes the streams of
``data/pakistan/study.toml``.
"""

import sys
import time
from pathlib import Path

import numpy as np
import polars as pl

from escalation.background import Background
from escalation.checks import check, identified
from escalation.hawkes import Hawkes
from escalation.kernels import Exponential, Mixture
from escalation.series import EventSeries
from escalation.sources import read
from escalation.study import Study

STUDY = Path(__file__).parents[2] / "data" / "pakistan" / "study.toml"
BACKGROUNDS = {
    "constant": Background(harmonics=0),
    "season": Background(harmonics=1),
    "trend": Background(harmonics=1, trend=365.25),
}


def series_of(path: str) -> EventSeries:
    """The study's streams as day-coded events."""
    study = Study.from_toml(STUDY)
    incidents = read(path, study.window, source="ucdp")
    return EventSeries.from_incidents(incidents, study.streams, study.actors)


def main(path: str) -> None:
    """Print the tables."""
    pl.Config.set_tbl_rows(40)
    pl.Config.set_fmt_str_lengths(60)
    pl.Config.set_tbl_width_chars(140)
    series = series_of(path)
    print(series, [len(t) for t in series.times])
    for kernel in (Exponential(), Mixture(scales=(1.0, 14.0))):
        found = {}
        for name, background in BACKGROUNDS.items():
            begin = time.perf_counter()
            fit = Hawkes(kernel=kernel, background=background).fit(series)
            dynamics = found[name] = fit.dynamics()
            print(f"\n== {kernel.name}, {name}: {time.perf_counter() - begin:.1f} s")
            print(f"log-likelihood {fit.log_likelihood:.1f}, AIC {fit.aic:.1f}")
            print(fit.diagnostics)
            ends = np.quantile(dynamics.branching_ratio, [0.05, 0.5, 0.95])
            print("branching ratio", ends.round(3))
            print("median delay, days", np.quantile(dynamics.delay_median, [0.05, 0.5, 0.95]))
            print(dynamics.table())
            print(dynamics.share_table())
            print(check(fit).table())
        print("identified apart from the background:", identified(found["constant"], found))


if __name__ == "__main__":
    main(sys.argv[1])
