"""What the growth of the media does to counts of told events, on made-up exports.

``python tests/studies/gdelt_volume.py --image docs/images/gdelt_volume.png`` makes eight years of
GDELT 2.0 exports in which a fight goes on at the same rate while the articles about everything grow
tenfold, counts them in three ways, and prints the means of the first and the last year.
"""

import argparse
import tempfile
from datetime import date
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from escalation import CountSeries, Stream, Window, count_streams
from escalation.plots.style import colour
from escalation.sources.gdelt import HEADS, Gdelt

WINDOW = Window(date(2015, 1, 5), date(2023, 1, 2))
RATE, FIRST, LAST = 3.0, 60.0, 600.0  # fights a day; other events told a day, at start and end
TOLD = 150.0  # other events told a day at which a fight is told by one article on average
STREAMS = (Stream("fights", ("AAA",), ("BBB",)), Stream("all"))
FIELDS = (
    "GlobalEventID", "SQLDATE", "Actor1Code", "Actor2Code", "EventCode", "ActionGeo_FeatureID",
    "ActionGeo_Type", "NumMentions", "DATEADDED",
)  # fmt: skip


def make(path: Path) -> np.ndarray:
    """Write the exports; give the fights that happened each day."""
    rng = np.random.default_rng(4)
    volume = FIRST * (LAST / FIRST) ** np.linspace(0, 1, WINDOW.days)
    fights = rng.poisson(RATE, WINDOW.days)
    number = 0
    with path.open("w") as file:
        for at, day in enumerate(np.datetime64(WINDOW.start) + np.arange(WINDOW.days)):
            stamp = str(day).replace("-", "")
            tellings = rng.poisson(volume[at] / TOLD, fights[at])
            places = [f"{stamp}{k}" for k, times in enumerate(tellings) for _ in range(times)]
            rows = [("AAA", "BBB", "190", place) for place in places]
            rows += [("CCC", "", "042", str(k)) for k in range(rng.poisson(volume[at]))]
            for source, target, code, place in rows:
                number += 1
                told = (number, stamp, source, target, code, place, "0", "1", stamp)
                fields = dict(zip(FIELDS, map(str, told), strict=True))
                file.write("\t".join(fields.get(name, "") for name in HEADS[0]) + "\n")
    return fights


def main() -> None:
    """Make, count, print, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "made_up.export.CSV"
        fights = make(path)
        rows = count_streams(path, WINDOW, STREAMS, "week").series
        once = count_streams(path, WINDOW, STREAMS, "week", Gdelt(once=True)).series
    true = fights[: 7 * len(rows)].reshape(-1, 7).sum(axis=1)
    share = 1000 * rows.counts[:, 0] / rows.counts[:, 1]
    lines = {
        "fights that happened": true,
        "rows of fights": rows.counts[:, 0],
        "the same, each event once": once.counts[:, 0],
        "rows of fights in 1,000 rows of all": share,
    }
    print("| a week | first year | last year |\n|---|---|---|")
    for name, values in lines.items():
        print(f"| {name} | {values[:52].mean():.1f} | {values[-52:].mean():.1f} |")
    if chosen.image:
        draw(rows, lines).savefig(chosen.image, dpi=150)


def draw(series: CountSeries, lines: dict[str, np.ndarray]) -> Figure:
    """The weekly counts, and the share."""
    figure = Figure(figsize=(7.5, 4.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[2, 1])
    for at, (name, values) in enumerate(lines.items()):
        axes = lower if name.startswith("rows of fights in") else upper
        means = np.convolve(values, np.ones(4) / 4, "valid")
        axes.plot(series.edges[3:-1], means, lw=1.2, color=colour(at), label=name)
    for axes, label in ((upper, "a week"), (lower, "rows of fights\nin 1,000 rows")):
        axes.set_ylim(0)
        axes.set_ylabel(label)
        axes.spines[["top", "right"]].set_visible(False)
    upper.legend(frameon=False, loc="upper left", fontsize=8)
    upper.set_title(
        "One fight of constant strength, and ten times as many articles about everything\n"
        "(made up; means of four weeks)",
        fontsize=10,
    )
    return figure


if __name__ == "__main__":
    main()
