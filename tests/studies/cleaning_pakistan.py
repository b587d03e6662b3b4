"""What each step of cleaning does to UCDP's events in Pakistan, and how near the border they are.

``python tests/studies/cleaning_pakistan.py FILE OUTLINES [--image PNG]`` wants the events of UCDP
GED and a GeoJSON file in which two features are called Afghanistan and Pakistan. It prints each
step by itself, the steps together, and events by distance; the image shows those within 100 km.
"""

import argparse
from datetime import date
from pathlib import Path

import polars as pl

from escalation import Cleaning, Incidents, Window, plots, read
from escalation.cleaning import Outlines

WINDOW = Window(date(1989, 1, 1), date(2022, 1, 1))
COUNTRIES = ("Pakistan", "Afghanistan")
SAME = ("source", "target", "incident_class", "place")
STEPS = {
    "clarity 1": Cleaning(clarity=1),
    "place known to the district": Cleaning(place_precision="district"),
    "two sources or more": Cleaning(reports=2),
    "a week at most": Cleaning(widest_span=7),
    "duplicates": Cleaning(duplicates=SAME),
    "spread": Cleaning(spans="spread"),
    "one a day": Cleaning(one_a_day=SAME[:3]),
    "all of them": Cleaning(
        clarity=1, place_precision="district", reports=2, widest_span=7, duplicates=SAME,
        spans="spread", one_a_day=SAME[:3],
    ),
}  # fmt: skip


def steps(incidents: Incidents) -> pl.DataFrame:
    """Incidents after each step, dropped, and added."""
    rows = []
    for name, cleaning in STEPS.items():
        found = cleaning.apply(incidents)
        report = found.report
        rows.append((name, int(report["dropped"].sum()), int(report["added"].sum()),
                     len(found.incidents)))  # fmt: skip
    return pl.DataFrame(rows, ["step", "dropped", "added", "after"], orient="row")


def by_distance(incidents: Incidents, outlines: Path) -> pl.DataFrame:
    """Events within so many km of the border."""
    rows = []
    for furthest in (10.0, 25.0, 50.0, 100.0, 200.0):
        cleaning = Cleaning(outlines=str(outlines), border=COUNTRIES, border_distance=furthest)
        kept = len(cleaning.apply(incidents).incidents)
        rows.append((furthest, kept, kept / len(incidents)))
    return pl.DataFrame(rows, ["km", "incidents", "share"], orient="row")


def draw(incidents: Incidents, outlines: Path, image: Path) -> None:
    """Events within 100 km of the border, and the others."""
    cleaning = Cleaning(outlines=str(outlines), border=COUNTRIES, border_distance=100)
    cleaned = cleaning.apply(incidents)
    with plots.style():
        drawing, axes = plots.figure(3.6, width=4.6)
        plots.places(
            axes[0, 0], cleaned.incidents.table, cleaned.dropped, Outlines.read(outlines),
            border=COUNTRIES,
        )  # fmt: skip
        drawing.savefig(image, dpi=160)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path)
    parser.add_argument("outlines", type=Path)
    parser.add_argument("--image", type=Path)
    given = parser.parse_args()
    incidents = read(given.file, WINDOW, source="ucdp")
    with pl.Config(tbl_rows=20, fmt_str_lengths=40):
        print(incidents, steps(incidents), by_distance(incidents, given.outlines), sep="\n")
    if given.image is not None:
        draw(incidents, given.outlines, given.image)


if __name__ == "__main__":
    main()
