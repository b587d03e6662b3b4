"""Phases of violence in Pakistan, 2007 to 2016, and the dates of their changes.

``python tests/studies/regimes_pakistan.py FILE`` reads UCDP's events of Pakistan, counts the four
streams of the study in ``data/pakistan`` by week, fits models of two, three and four phases by
NUTS, and prints the tables of the documentation; ``--image FILE`` draws the phases.
"""

import argparse
import os
from datetime import date
from pathlib import Path

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
import polars as pl

from escalation import read
from escalation.background import Background
from escalation.checks import check
from escalation.counts import Phases, Regimes
from escalation.counts.regimes import NAMES
from escalation.engines import NUTS, MaximumLikelihood
from escalation.plots import figure, phase_counts, phases, style
from escalation.series import CountSeries
from escalation.study import Study
from escalation.window import Window

STUDY = Path(__file__).parents[2] / "data/pakistan/study.toml"
START, END = date(2007, 1, 1), date(2017, 1, 1)
FLAT = Background(harmonics=0)


def weekly(file: Path) -> CountSeries:
    """The study's streams by week."""
    study = Study.from_toml(STUDY)
    incidents = read(file, source="ucdp", window=Window(START, END))
    return CountSeries.from_incidents(incidents, study.streams, "week", study.actors)


def draw(told: Phases, image: Path) -> None:
    """Probabilities of the phases above the counts of each stream."""
    streams = told.series.n_streams
    with style():
        drawn, axes = figure(
            1.6 + 1.15 * streams, 1 + streams, sharex=True, height_ratios=[1.1] + [1] * streams
        )
        phases(axes[0, 0], told)
        for k, name in enumerate(told.series.names):
            ax = phase_counts(axes[1 + k, 0], told, k)
            ax.set_title(name)
        drawn.savefig(image, dpi=150)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="UCDP's events of Pakistan, as a CSV file")
    parser.add_argument("--image", type=Path)
    parser.add_argument("--draws", type=int, default=1000)
    asked = parser.parse_args()
    series = weekly(asked.file)
    print(series, dict(zip(series.names, series.counts.sum(axis=0).tolist(), strict=True)))
    for number, names in NAMES.items():
        model = Regimes(names, background=FLAT)
        best = model.fit(series, MaximumLikelihood(draws=10))
        fit = model.fit(series, NUTS(draws=asked.draws))
        told = fit.diagnostics
        maxima = np.round(best.diagnostics["optima"], 1).tolist()
        print(
            f"\n{number} phases, {told['parameters']} parameters: AIC {best.aic:.1f}, maximum "
            f"{best.log_likelihood:.1f} of climbs to {maxima}; R-hat {told['r_hat']:.3f}, least "
            f"effective draws {told['ess']:.0f}, divergences {told['divergences']}"
        )
        found = model.phases_of(fit)
        with pl.Config(tbl_rows=100, tbl_cols=20, tbl_width_chars=160, fmt_str_lengths=60):
            print(found)
            print(found.stays())
            print(found.changes())
            print(found.outlook(12))
            if number == 3:
                print(check(fit).table())
        if number == 3 and asked.image is not None:
            draw(found, asked.image)


if __name__ == "__main__":
    main()
