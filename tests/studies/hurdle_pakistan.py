"""One-step log scores of the hurdle on a stream in which almost nothing happens.

``python tests/studies/hurdle_pakistan.py FILE`` reads UCDP's events of Pakistan, counts the streams
of the study in ``data/pakistan`` by week, foretells each week of "Afghan fighting spilling over"
one step ahead, and prints the tables of the documentation. Draws come from Laplace and are carried
on by weights; a fit is made anew after a year at the latest.
"""

import argparse
from datetime import date
from pathlib import Path

import numpy as np

from escalation import read
from escalation.background import Background
from escalation.checks import compare
from escalation.counts import EndemicEpidemic, Hurdle, LogLinear
from escalation.engines import MaximumLikelihood
from escalation.fit import Model
from escalation.series import CountSeries
from escalation.study import Study
from escalation.window import Window

STUDY = Path(__file__).parents[2] / "data/pakistan/study.toml"
STREAM = "Afghan fighting spilling over"
FLAT = Background(harmonics=0)
SPANS = {
    "2007-2016": (date(2007, 1, 1), date(2017, 1, 1), date(2010, 1, 4)),
    "1989-2021": (date(1989, 1, 2), date(2022, 1, 1), date(2007, 1, 1)),
}


def models() -> dict[str, Model]:
    """The hurdles, and the negative binomials beside them."""
    flat = {"occurrence": FLAT, "size": FLAT, "lags": 1}
    return {
        "negative binomial": EndemicEpidemic(background=FLAT, arrows=((False,),), lags=1),
        "endemic-epidemic": EndemicEpidemic(background=FLAT, lags=1),
        "log-linear": LogLinear(background=FLAT, lags=1),
        "hurdle": Hurdle(**flat),
        "hurdle, occurrence alone moved": Hurdle(**flat, influence="occurrence"),
        "hurdle, nothing moved": Hurdle(**flat, influence="none"),
    }


def weekly(file: Path, start: date, end: date) -> CountSeries:
    """The stream by week."""
    study = Study.from_toml(STUDY)
    incidents = read(file, source="ucdp", window=Window(start, end))
    streams = [stream for stream in study.streams if stream.name == STREAM]
    return CountSeries.from_incidents(incidents, streams, "week", study.actors)


def main() -> None:
    """Print what the stream is, and the table of scores, for each span."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="UCDP's events of Pakistan, as a CSV file")
    asked = parser.parse_args()
    for name, (start, end, first) in SPANS.items():
        series = weekly(asked.file, start, end)
        counts = series.counts[:, 0]
        print(f"{name}: {len(series)} weeks, {(counts == 0).mean():.1%} empty, {counts.sum()}"
              f" incidents; weeks by count: {np.bincount(counts).tolist()}")  # fmt: skip
        for label, model in models().items():
            best = model.fit(series, MaximumLikelihood(draws=10))
            told = float(np.nansum(model.pointwise(best)[0, 1:]))
            spread = float(best.estimate["dispersion"][0])
            print(f"{label}: maximum {told:.2f} (weeks 2 on), dispersion {spread:.1f}")
        found = compare(models(), series, first, every=52)
        print(found.table())
        for other in ("endemic-epidemic", "log-linear"):
            gain, error = found.difference("hurdle", other)
            print(f"hurdle minus {other}: {gain:+.2f}, standard error {error:.2f}")


if __name__ == "__main__":
    main()
