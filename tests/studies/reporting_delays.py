"""How late reports come: what a record that ends today seems to say, and what it says.

``python tests/studies/reporting_delays.py [--image PNG]`` simulates ten years of weeks, four and
twelve incidents a week, delays up to eight weeks, in records of 12, 26 and 104 weeks, 1,000 of
each, and prints the share reported in the first week and within two: true, plain, corrected, and
how often the 90 % interval holds the truth.
"""

import argparse
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from escalation import (
    Incidents,
    Releases,
    ReportingTriangle,
    Stream,
    Window,
    plots,
    read,
    reporting_delay,
)

SHARES = np.array([0.28, 0.22, 0.16, 0.11, 0.08, 0.06, 0.04, 0.03, 0.02])
RECORDS = 1000


def triangle(weeks: int, a_week: float, rng: np.random.Generator) -> ReportingTriangle:
    """A record that ends today."""
    counts = rng.multinomial(rng.poisson(a_week, weeks), SHARES)
    edges = np.datetime64("2018-01-01") + 7 * np.arange(weeks + 1)
    window = Window(edges[0].item(), edges[-1].item())
    return ReportingTriangle(counts[:, :, None], edges, ("all",), window)


def shares(rng: np.random.Generator) -> pl.DataFrame:
    """True, plain and corrected shares, and coverage."""
    rows = []
    for weeks in (12, 26, 104):
        for a_week in (4.0, 12.0):
            found = [reporting_delay(triangle(weeks, a_week, rng)) for _ in range(RECORDS)]
            for delay in (0, 1):
                table = pl.concat(one.slice(delay, 1) for one in found)
                truth = float(SHARES[: delay + 1].sum())
                held = (table["lower"] <= truth) & (table["upper"] >= truth)
                mean = [float(table[name].mean()) for name in ("plain", "within")]  # type: ignore[arg-type]
                rows.append((weeks, a_week, delay, truth, *mean, held.mean()))
    names = ["weeks", "a week", "delay", "true", "plain", "corrected", "covered"]
    return pl.DataFrame(rows, names, orient="row")


def record(rng: np.random.Generator) -> Incidents:
    """Incidents of 40 weeks with the day of report."""
    day = rng.integers(0, 280, 480)
    late = day + 7 * rng.choice(len(SHARES), 480, p=SHARES) + rng.integers(0, 7, 480)
    start = np.datetime64("2024-01-01")
    table = pl.DataFrame({"date": start + day, "reported_on": start + late}).with_columns(
        source=pl.lit("A"), target=pl.lit("B")
    )
    return read(table, Window(date(2024, 1, 1), date(2024, 10, 7)))


def draw(image: Path) -> None:
    """Releases of one record, and the delays in it."""
    incidents = record(np.random.default_rng(3))
    days = [date(2024, 8, 5) + timedelta(days=14 * step) for step in range(5)]
    vintages = Releases.from_reports(incidents, days).vintages((Stream("raids"),))
    rows = incidents.table.select(event="date", report="reported_on")
    delays = ReportingTriangle.from_table(rows, date(2024, 7, 1), days[-1], longest=8)
    with plots.style():
        drawing, axes = plots.figure(2.4, columns=2, width=7.6)
        plots.known_when(axes[0, 0], vintages, periods=18)
        plots.reporting_delay(axes[0, 1], reporting_delay(delays))
        axes[0, 1].set_xlabel("weeks until the report")
        drawing.savefig(image, dpi=160)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path)
    given = parser.parse_args()
    with pl.Config(tbl_rows=20):
        print(shares(np.random.default_rng(1)))
    if given.image is not None:
        draw(given.image)


if __name__ == "__main__":
    main()
