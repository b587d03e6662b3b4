"""The incidents of one text with and without those that are disputed, side by side.

``python tests/studies/ttp_2025.py`` counts the streams of both studies in ``data/ttp_2025`` and
prints the table of the documentation; ``--image FILE`` draws the incidents and the counts,
``--agreement`` prints how far the two codings agree.
"""

import argparse
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl
from matplotlib.axes import Axes
from matplotlib.dates import date2num

from escalation import Incidents, Study, compare_codings, read
from escalation.codes import DISPUTED
from escalation.plots import figure, style
from escalation.plots.style import GREY, HAIR, INK, colour, wrapped

FOLDER = Path(__file__).parents[2] / "data/ttp_2025"
SHOWN = date(2025, 8, 19), date(2025, 8, 31)


def studies() -> tuple[Study, Study]:
    """The study of all incidents, and that of the undisputed ones."""
    whole = Study.from_toml(FOLDER / "study.toml")
    return whole, Study.from_toml(FOLDER / "study_undisputed.toml")


def incidents(study: Study) -> Incidents:
    """The incidents that a study reads."""
    return read(study.incidents_path, study.window, source=study.data.source)


def side_by_side() -> pl.DataFrame:
    """One row a stream: incidents and deaths, with and without the disputed ones."""
    whole, undisputed = studies()
    rows = []
    for all_of, rest_of in zip(whole.streams, undisputed.streams, strict=True):
        found = all_of.select(incidents(whole)), rest_of.select(incidents(undisputed))
        rows.append((all_of.name, *map(len, found), *map(deaths, found)))
    schema = ["stream", "incidents, all", "undisputed", "deaths, all", "deaths, undisputed"]
    return pl.DataFrame(rows, schema=schema, orient="row")


def deaths(found: Incidents) -> str:
    """Deaths of all incidents: low to high, and best where each incident has a best figure."""
    table = found.table
    low, high = table["deaths_low"].sum(), table["deaths_high"].sum()
    if low == high:
        return str(low)
    best = "" if table["deaths_best"].has_nulls() else f", best {table['deaths_best'].sum()}"
    return f"{low} to {high}{best}"


def draw(path: Path) -> None:
    """Draw the last days, a row a stream, and how many incidents each stream has."""
    whole, _ = studies()
    table = side_by_side()
    with style():
        drawing, axes = figure(2.9, 1, 2, width_ratios=(2.1, 1), sharey=True)
        days, counts = axes[0]
        for row, stream in enumerate(whole.streams):
            _draw_days(days, stream.select(incidents(whole)).table, row)
        _draw_counts(counts, table)
        days.set_yticks(range(len(table)), [wrapped(name, 24) for name in table["stream"]])
        days.invert_yaxis()
        drawing.savefig(path, dpi=200)


def _draw_days(ax: Axes, table: pl.DataFrame, row: int) -> None:
    """A bar for each incident over the days on which it may have been, hollow if disputed."""
    ax.axhline(row, color=HAIR, linewidth=0.5, zorder=0)
    start, end = SHOWN
    late = table.filter(pl.col("date_latest") >= start)
    step = 0.28
    for place, incident in enumerate(late.iter_rows(named=True)):
        disputed = incident["certainty"] in DISPUTED
        length = (incident["date_latest"] - incident["date"]).days + 1
        ax.barh(
            row + step * (place - (len(late) - 1) / 2), length - 0.16, 0.2,
            left=date2num(incident["date"]) + 0.08, color="white" if disputed else colour(row),
            edgecolor=colour(row), linewidth=1.1, hatch="////" if disputed else None,
        )  # fmt: skip
    if earlier := len(table) - len(late):
        note = f"and {earlier} earlier, on a day between 19 April and 17 July"
        ax.text(date2num(start) + 2.3, row, note, va="center", color=GREY, fontsize=7.5)
    ax.set_xlim(date2num(start), date2num(end + timedelta(days=1)))
    shown = range(start.day + 1, end.day + 1, 2)
    ax.set_xticks([date2num(start.replace(day=day)) + 0.5 for day in shown], map(str, shown))
    ax.set_xlabel("August 2025 (hatched: alleged, not confirmed)")
    ax.set_title("On which days it may have been")


def _draw_counts(ax: Axes, table: pl.DataFrame) -> None:
    for row, each in enumerate(table.iter_rows(named=True)):
        total, rest = each["incidents, all"], each["undisputed"]
        ax.barh(row - 0.17, total, 0.28, color="white", edgecolor=colour(row), linewidth=1.1)
        ax.barh(row + 0.17, rest, 0.28, color=colour(row), edgecolor=colour(row), linewidth=1.1)
        for shift, value in ((-0.17, total), (0.17, rest)):
            ax.text(value + 0.08, row + shift, str(value), va="center", color=INK, fontsize=8)
    ax.set_xlim(0, 3)
    ax.set_xticks([0, 1, 2])
    ax.tick_params(left=False)
    ax.set_xlabel("incidents (filled: undisputed)")
    ax.set_title("All, and undisputed")


def agreement() -> None:
    """Print how far the two codings agree."""
    paths = (FOLDER / f"{name}_coding.csv" for name in ("first", "second"))
    found = compare_codings(*paths, rng=np.random.default_rng(1))
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=160, fmt_str_lengths=90):
        print(found, found.shown(), found.disagreements, sep="\n")


def main() -> None:
    """Count, and draw or compare if asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--image", type=Path)
    parser.add_argument("--agreement", action="store_true")
    asked = parser.parse_args()
    with pl.Config(tbl_rows=-1, tbl_cols=-1, tbl_width_chars=200, fmt_str_lengths=60):
        print(side_by_side())
    if asked.agreement:
        agreement()
    if asked.image:
        draw(asked.image)


if __name__ == "__main__":
    main()
