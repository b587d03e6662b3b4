"""Track record: whether such forecasts were right."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
import polars as pl

from escalation.forecast import ALL_STREAMS
from escalation.plots.forecast import fan
from escalation.plots.scores import calibration, pit, skill
from escalation.plots.style import TOTAL_COLOUR, colour, figure, wrapped
from escalation.report.sections.base import Block, Figure, Section, Table, Text
from escalation.report.sections.method import refitted
from escalation.report.wording import (
    count,
    counts_between,
    portion,
    short_day,
    some,
)

if TYPE_CHECKING:
    from escalation.backtest import Backtest
    from escalation.results import Results

LEVELS = (50, 80, 90)
MISSES = 3
PER_ROW = 5


class TrackRecord(Section):
    """The last forecast against what came, skill, PIT, calibration, and the largest misses."""

    title: ClassVar[str] = "Track record"
    place: ClassVar[int] = 8

    def blocks(self, results: Results) -> list[Block]:
        """From the last forecast to all of them."""
        blocks: list[Block] = [*last_forecasts(results)]
        if headline(results.backtest) == "":
            return [*blocks, Text.of("There are no past forecasts to judge by.")]
        return [*blocks, skills(results), pits(results), calibrations(results), misses(results)]


@dataclass(frozen=True)
class Skill:
    """How the model fared against its best baseline, all streams over the whole horizon."""

    reference: str
    origins: int
    value: float
    lower: float
    upper: float


def headline(backtest: Backtest) -> str:
    """The study's own model: the first one; "" if no forecast was scored."""
    scored = backtest.table.filter(pl.col("crps").is_not_null())
    return backtest.models[0] if len(scored) else ""


def best_baseline(backtest: Backtest) -> str:
    """The baseline with the smallest mean CRPS of the sum of the streams; "" if there is none."""
    means = (
        backtest.table.filter(pl.col("stream") == ALL_STREAMS, pl.col("crps").is_not_null())
        .filter(pl.col("model") != backtest.models[0])
        .group_by("model")
        .agg(pl.col("crps").mean())
        .sort("crps", "model")
    )
    return str(means["model"][0]) if len(means) else ""


def record_skill(backtest: Backtest) -> Skill | None:
    """Skill against the best baseline; None where there are no forecasts, or nothing beside."""
    if not headline(backtest) or not best_baseline(backtest):
        return None
    row = whole_horizon(backtest, best_baseline(backtest)).filter(pl.col("stream") == ALL_STREAMS)
    found = row.row(0, named=True)
    if found["relative_crps"] is None:
        return None
    return Skill(
        best_baseline(backtest),
        found["origins"],
        1 - found["relative_crps"],
        _less(found["relative_crps_upper"]),
        _less(found["relative_crps_lower"]),
    )


def _less(ratio: float | None) -> float:
    return float("nan") if ratio is None else 1 - ratio


def whole_horizon(backtest: Backtest, reference: str) -> pl.DataFrame:
    """The model's skill by stream over all steps together."""
    table = backtest.skill(reference, [(1, backtest.horizon)])
    return table.filter(pl.col("model") == headline(backtest))


def coverage_of(backtest: Backtest, model: str, level: int, stream: str = ALL_STREAMS) -> float:
    """Share of the PIT mass of one stream in the central interval of ``level`` per cent."""
    table = backtest.calibration([level / 100]).filter(
        (pl.col("model") == model) & (pl.col("stream") == stream)
    )
    share = table["share"][0] if len(table) else None
    return float("nan") if share is None else float(share)


def last_forecasts(results: Results) -> list[Figure]:
    """The forecast made one horizon before the end, and what came: the sum, then each stream."""
    forecast, observed = results.last_forecast, results.last_observed
    inside = (forecast.interval(0.8)[0] <= observed) & (observed <= forecast.interval(0.8)[1])
    names, period = forecast.names, results.series.period
    panels = [(forecast.total(), 0, observed.sum(axis=1), TOTAL_COLOUR, "All streams")]
    if len(names) > 1:
        panels += [(forecast, k, observed[:, k], colour(k), name) for k, name in enumerate(names)]
    made = []
    for first in range(0, len(panels), 6):
        part = panels[first : first + 6]
        rows = -(-len(part) // 2)
        drawing, axes = figure(0.3 + 1.45 * rows, rows, min(2, len(panels)))
        for ax in axes.flat[len(part) :]:
            ax.set_axis_off()
        for ax, (noun, stream, came, hue, name) in zip(axes.flat, part, strict=False):
            fan(
                ax, noun, stream, past=26, observed=came, labels=False, hue=hue, ticks=6,
            )  # fmt: skip
            ax.set_title(wrapped(name, 46, 1), parse_math=False)
        made.append(
            Figure(
                caption="The same forecast, for the streams that follow."
                if first
                else f"The forecast made on {short_day(np.datetime64(forecast.made_on))}: of "
                f"{count(inside.size)} outcomes ({len(observed)} {period}s of "
                f"{some(len(names), 'stream')}) {count(inside.sum())} "
                f"({portion(float(inside.mean()))}) fell into the 80 % interval.",
                drawing=drawing,
                alternative=f"Fans of the last forecast with the incidents that came, by {period}.",
                source=f"Dots: what came. Bands: 50, 80 and 95 %; grey: the 26 {period}s before. "
                "Each panel has its own scale.",
            )
        )
    return made


def skills(results: Results) -> Figure:
    """Left: all streams against every baseline. Right: each stream against the best one."""
    backtest, model = results.backtest, headline(results.backtest)
    baselines = [name for name in backtest.models if name != model]
    best = best_baseline(backtest)
    tables = {name: whole_horizon(backtest, name) for name in baselines}
    row = 0.33 if max(map(len, backtest.streams)) > 30 else 0.26
    drawing, axes = figure(0.75 + row * max(len(baselines), len(backtest.streams) - 1), 1, 2)
    sums = pl.concat([t.filter(pl.col("stream") == ALL_STREAMS) for t in tables.values()])
    skill(axes[0, 0], sums, labels=baselines)
    single = tables[best].filter(pl.col("stream") != ALL_STREAMS)
    hues = [colour(results.series.names.index(name)) for name in single["stream"]]
    skill(axes[0, 1], single, labels=single["stream"].to_list(), hues=hues)
    axes[0, 0].set_title("All streams, against each baseline")
    axes[0, 1].set_title(f"Each stream, against {best}")
    drawing.supxlabel("smaller error than the baseline (CRPS)  →", fontsize=8.5)
    return Figure(
        caption=skill_sentence(backtest),
        drawing=drawing,
        alternative="Relative skill against baselines with intervals, for all streams together and "
        "for each stream.",
        source=f"Mean CRPS over the {backtest.horizon} steps of each forecast, "
        f"{refitted(results.study)} at each origin; 90 % intervals by moving-block "
        "bootstrap over origins.",
    )


def skill_sentence(backtest: Backtest) -> str:
    """The skill against the best baseline, in a sentence."""
    found = record_skill(backtest)
    if found is None:
        return "The model cannot be compared with a baseline."
    verdict = (
        "beats" if found.lower > 0 else "loses to" if found.upper < 0 else "does not clearly beat"
    )
    return (
        f"Over {some(found.origins, 'forecast')} the model {verdict} {found.reference}, the best "
        f"baseline: its error is {gain(found)}."
    )


def gain(found: Skill) -> str:
    """A skill as per cent: ``8 % smaller (2 to 14)``, in words where the sign changes."""
    more_or_less = "smaller" if found.value >= 0 else "larger"
    said = f"{abs(found.value) * 100:.0f}\u00a0% {more_or_less}"
    if np.isnan(found.lower) or np.isnan(found.upper):
        return f"{said} (too few forecasts for an interval)"
    ends = [
        f"{abs(end) * 100:.0f}\u00a0% {'smaller' if end >= 0 else 'larger'}"
        for end in (found.lower, found.upper)
    ]
    return f"{said} (90\u00a0% interval {ends[0]} to {ends[1]})"


def pits(results: Results) -> Figure:
    """PIT histograms of the headline model, the sum first."""
    backtest, model = results.backtest, headline(results.backtest)
    names = [ALL_STREAMS, *(n for n in backtest.streams if n != ALL_STREAMS)]
    rows = -(-len(names) // PER_ROW)
    drawing, axes = figure(1.2 * rows, rows, PER_ROW)
    for ax in axes.flat[len(names) :]:
        ax.set_axis_off()
    for ax, name in zip(axes.flat, names, strict=False):
        total = name == ALL_STREAMS
        hue = TOTAL_COLOUR if total else colour(results.series.names.index(name))
        pit(ax, backtest, model, name, hue=hue)
        title = "All streams" if total else wrapped(name, 21, 2)
        ax.set_title(title, fontsize=8.5, parse_math=False)
    return Figure(
        caption=pit_sentence(backtest, model),
        drawing=drawing,
        alternative="Histograms of the probability integral transform of past forecasts.",
        source="Where outcomes fell in their forecasts (non-randomised PIT); level at the dashed "
        "line if calibrated, a U if intervals were too narrow, a hump if too wide.",
    )


def pit_sentence(backtest: Backtest, model: str) -> str:
    """How much of the outcomes fell into the lowest and highest tenth."""
    heights = backtest.pit_histogram(model, ALL_STREAMS, 10)
    low, high = portion(float(heights[0])), portion(float(heights[-1]))
    return (
        f"Of all streams together, {low} of the outcomes fell into the lowest tenth of their "
        f"forecasts and {high} into the highest; 10\u00a0% each would be right."
    )


def calibrations(results: Results) -> Figure:
    """Calibration by stream."""
    backtest, model = results.backtest, headline(results.backtest)
    table = backtest.calibration().filter(pl.col("model") == model)
    hues = {
        name: TOTAL_COLOUR if name == ALL_STREAMS else colour(results.series.names.index(name))
        for name in backtest.streams
    }
    drawing, axes = figure(0.35 + 0.32 * len(hues))
    calibration(axes[0, 0], table, hues=hues)
    eighty = table.filter((pl.col("level") == 0.8) & pl.col("share").is_not_null())["share"]
    low, high = (f"{100 * share:.0f}" for share in (min(eighty), max(eighty)))
    return Figure(
        caption=f"The 80 % intervals held {low} to {high} % of "
        "the outcomes, depending on the stream.",
        drawing=drawing,
        alternative="Share of outcomes in the 50, 80 and 90 % intervals, a row a stream.",
        source="Dots: share of the outcomes (of PIT mass) in the central 50, 80 and 90 % "
        "intervals, with 90 % bootstrap intervals; dashed: where they should lie.",
    )


def misses(results: Results) -> Table:
    """The three largest misses, with their dates."""
    table = results.backtest.misses(MISSES, headline(results.backtest))
    period = results.series.period
    return Table(
        caption=f"The {some(len(table), 'largest miss', 'largest misses')}.",
        header=("Stream", f"{period.capitalize()} from", "Forecast on", "Median", "90 %", "Came"),
        rows=tuple(
            (
                row["stream"],
                short_day(row["date"]),
                short_day(row["origin"]),
                count(row["median"]),
                counts_between(row["lo90"], row["hi90"]),
                count(row["observed"]),
            )
            for row in table.iter_rows(named=True)
        ),
        widths=(1, 0, 0, 0, 0, 0),
        align="lrrrrr",
        source=f"By CRPS, each {period} of a stream once. "
        + " ".join(f"{note}." for note in results.backtest.notes),
    )
