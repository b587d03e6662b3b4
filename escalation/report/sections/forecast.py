"""Forecast: what to expect, period by period and in sum."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from escalation.plots.forecast import cumulative, fan
from escalation.plots.style import figure, wrapped
from escalation.report.sections.base import Block, Figure, Section, Table
from escalation.report.sections.panels import PER_FIGURE, groups, one_scale
from escalation.report.wording import (
    count,
    counts_between,
    joined,
    number_word,
    percent,
    sentence,
    short,
    short_day,
    some,
)

if TYPE_CHECKING:
    from escalation.forecast import Forecast
    from escalation.results import Results

PAST = 52
"""Periods before a forecast that are drawn, and whose mean it is compared with."""


class ForecastSection(Section):
    """Fans of the streams with last year before them, and a table by horizon block."""

    title: ClassVar[str] = "Forecast"
    place: ClassVar[int] = 6

    def blocks(self, results: Results) -> list[Block]:
        """Fans by four, then the table."""
        forecast, thresholds = results.forecast, results.study.forecast.thresholds
        return [
            *fans(forecast, thresholds),
            block_table(forecast, thresholds, escalation_words(results)),
        ]


def fans(forecast: Forecast, thresholds: tuple[int, ...], what: str = "incidents") -> list[Figure]:
    """Fans of the streams, four a figure."""
    return [_fans(forecast, group, thresholds, what) for group in groups(len(forecast.names))]


def _fans(forecast: Forecast, group: list[int], thresholds: tuple[int, ...], what: str) -> Figure:
    """Up to four streams, one below the other."""
    period = forecast.period
    peaks = np.maximum(
        forecast.recent[-PAST:].max(axis=0, initial=0),
        np.minimum(forecast.quantile(0.975).max(axis=0), 1e6),
    )[group]
    together = one_scale(peaks)
    # Several figures: two of them fit a page.
    height = 0.96 if len(forecast.names) <= PER_FIGURE else 0.78
    drawing, axes = figure(
        0.35 + height * len(group), len(group), 2, sharex="col", width_ratios=(3, 1)
    )
    last = np.minimum(forecast.blocks([len(forecast.edges) - 1]).quantile(0.975)[0], 1e6)[group]
    for n, ((left, right), stream) in enumerate(zip(axes, group, strict=True)):
        top, sums = (peaks.max(), last.max()) if together else (None, None)
        fan(left, forecast, stream, past=PAST, top=top)
        cumulative(right, forecast, stream, thresholds=thresholds, top=sums)
        left.set_title(wrapped(forecast.names[stream], 60, 1), parse_math=False)
        if n == 0:
            right.set_title("in sum")
        for ax in (left, right):
            ax.tick_params(labelbottom=n == len(group) - 1)
    drawing.supylabel(f"{what} a {period}", fontsize=9)
    scale = "One scale." if together else "Each panel has its own scale."
    ends = forecast.blocks([len(forecast.edges) - 1]).interval(0.8)[:, 0]
    sums = joined(
        [
            f"{counts_between(ends[0, k], ends[1, k])} in {short(forecast.names[k], 36)}"
            for k in group
        ]
    )
    return Figure(
        caption=f"In the next {len(forecast.edges) - 1} {period}s the model expects "
        f"{'' if what == 'incidents' else f'{what}: '}{sums} (80 % intervals).",
        drawing=drawing,
        alternative=f"Fans of expected {what} a {period}, after the last {PAST} {period}s.",
        source=f"Left: {period} by {period}, grey what was observed. Right: summed up, thresholds "
        f"dotted. Bands: 50, 80 and 95 %; line: median. {scale}",
    )


def block_sizes(horizon: int) -> list[int]:
    """Thirds of the horizon, the last the longest: 12 gives 4, 4 and 4."""
    third = horizon // 3
    return [third, third, horizon - 2 * third] if third else [horizon]


def block_table(
    forecast: Forecast,
    thresholds: tuple[int, ...],
    caption: str,
    what: str = "incidents",
    *,
    blocks: bool = True,
) -> Table:
    """For each stream and the sum: median, intervals and probabilities.

    By block of the horizon and over the whole of it, or over the whole alone.
    """
    horizon, period = len(forecast.edges) - 1, forecast.period
    sizes = block_sizes(horizon) if blocks else [horizon]
    spans = [(int(a), int(b)) for a, b in pairwise(np.cumsum([0, *sizes]))]
    if len(sizes) > 1:
        spans.append((0, horizon))
    rows, marks = [], []
    total = forecast.total()
    nouns = [(forecast, k) for k in range(len(forecast.names))]
    for noun, stream in nouns if len(forecast.names) == 1 else [*nouns, (total, 0)]:
        for place, (first, last) in enumerate(spans):
            rows.append(_row(noun, stream, first, last, thresholds, place == 0))
            whole = len(sizes) > 1 and (first, last) == (0, horizon)
            marks.append("strong" if whole or (not blocks and noun is total) else "")
    heads = tuple(f"P (≥ {n})" for n in thresholds)
    return Table(
        caption=caption,
        header=(
            "Stream",
            f"{period.capitalize()}s",
            "Median",
            "50 %",
            "80 %",
            "95 %",
            *heads,
            f"More than\n{past_words(forecast)}",
        ),
        rows=tuple(rows),
        widths=(1, *(0,) * (6 + len(heads))),
        align="ll" + "r" * (5 + len(heads)),
        marks=tuple(marks),
        source=f"{sentence(what)} in the block, with intervals. P (≥ n): the probability of n or "
        f"more in the block. More than {past_words(forecast)}: the probability of more a {period} "
        f"than the mean of the last {known_past(forecast)} {period}s. Forecast made on "
        f"{short_day(np.datetime64(forecast.made_on))}.",
    )


def _row(
    forecast: Forecast, stream: int, first: int, last: int, thresholds: tuple[int, ...], named: bool
) -> tuple[str, ...]:
    block = forecast.blocks([first, last - first] if first else [last])
    at = 1 if first else 0
    ends = [block.interval(level)[:, at, stream] for level in (0.5, 0.8, 0.95)]
    return (
        forecast.names[stream] if named else "",
        f"{first + 1}–{last}" if last - first > 1 else f"{last}",
        count(block.quantile(0.5)[at, stream]),
        *(counts_between(low, high) for low, high in ends),
        *(percent(float(block.prob_at_least(n)[at, stream])) for n in thresholds),
        percent(float(block.prob_above_recent(PAST)[at, stream])),
    )


def known_past(forecast: Forecast) -> int:
    """Periods before a forecast that it is compared with: `PAST`, or fewer if fewer are known."""
    return min(PAST, len(forecast.recent))


def past_words(forecast: Forecast) -> str:
    """What a year of weeks is called, and any other past."""
    known = known_past(forecast)
    if forecast.period == "week" and known == PAST:
        return "last year"
    return f"the last {some(known, forecast.period)}"


def escalation_words(results: Results) -> str:
    """Which streams are likely to have more than in the past, in a sentence."""
    horizon = len(results.forecast.edges) - 1
    period = results.series.period
    table = results.forecast.escalation(periods=horizon, against=PAST)
    rising = [row["stream"] for row in table.iter_rows(named=True) if _likely(row, 0.8, 1.1)]
    falling = [row["stream"] for row in table.iter_rows(named=True) if _likely(row, -0.1, 0.2)]
    said = []
    before = past_words(results.forecast)
    if rising:
        said.append(f"more than {before} is likely in {_few(rising)}")
    if falling:
        said.append(f"less is likely in {_few(falling)}")
    start = f"Over {horizon} {period}s "
    if not said:
        return start + f"no stream is likely (80 % or more) to differ from the mean of {before}."
    return start + "; ".join(said) + "."


def _few(names: list[str]) -> str:
    if len(names) > 3:
        return f"{number_word(len(names))} of the rows below"
    return joined([short(name) for name in names])


def _likely(row: dict[str, float | None], low: float, high: float) -> bool:
    probability = row["probability"]
    return probability is not None and low <= probability <= high
