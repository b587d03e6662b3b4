"""Late reports: what the last periods probably had, and whether a lull is one."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from escalation.plots.reporting import nowcast, reported_within
from escalation.plots.style import TOTAL_COLOUR, figure, wrapped
from escalation.report.sections.base import Block, Figure, Section, Table, Text
from escalation.report.sections.panels import PER_FIGURE, groups, one_scale
from escalation.report.wording import (
    count,
    counts_between,
    percent,
    portion,
    rate,
    short_day,
    some,
)

if TYPE_CHECKING:
    from escalation.results import NowcastResults, Results

LEVEL = 0.9
BEFORE = 2
"""Periods drawn before those that are open, as a multiple of them."""


class LateReports(Section):
    """Reported against nowcast, the delays that were learned, and what follows for the lull."""

    title: ClassVar[str] = "Late reports"
    place: ClassVar[int] = 4

    def blocks(self, results: Results) -> list[Block]:
        """Words, panels by stream, tables, delays; nothing unless the study asks for it."""
        found = results.nowcast
        if found is None:
            return []
        return [
            words(results, found),
            *(panels(found, group) for group in groups(found.fit.triangle.n_streams)),
            by_stream(found),
            by_period(found),
            delays(found),
        ]


def words(results: Results, found: NowcastResults) -> Text:
    """Where the dates of reports come from, the lull, and what the model makes of it."""
    triangle, section = found.fit.triangle, results.study.nowcast
    period = triangle.period
    learned = (
        f"Known from {found.origin}; learned from the last {some(len(triangle), period)}. A report "
        f"counts if it comes within {some(triangle.longest, period)}."
    )
    if section is not None and section.complete:
        model = (
            f"The model is fitted to {some(section.fits, 'series', 'series')} that the nowcast "
            "completes, and all forecasts from them are taken together; past forecasts are judged "
            f"by the {period}s that are complete. Grey before a forecast is the mean of the series."
        )
    else:
        model = (
            "The model takes the last counts as they were reported, so its forecast starts too "
            f"low; past forecasts are judged by the {period}s that are complete."
        )
    paragraphs = [("Lull?", lull(found)), ("Reports", learned), ("In the model", model)]
    lost = [triangle.dropped] if triangle.dropped else []
    if len(triangle.rejected):
        row = triangle.rejected.row(0, named=True)
        lost.append(
            f"{some(len(triangle.rejected), 'row')} with a fault, the first in line {row['line']}: "
            f"{row['column']} {row['reason']}"
        )
    if lost:
        paragraphs.append(("Not counted", "; ".join(lost) + "."))
    return Text(tuple(paragraphs))


def usual(found: NowcastResults) -> NDArray[np.float64]:
    """Mean incidents (K,) of as many periods as are open, from those before them; NaN if none."""
    triangle = found.fit.triangle
    size = found.totals.shape[1]
    scale = triangle.scale[:-size].sum()
    before = triangle.reported[:-size].sum(axis=0)
    watched = triangle.scale[-size:].sum()
    return np.asarray(before / scale * watched if scale > 0 else np.full(before.shape, np.nan))


def lull(found: NowcastResults) -> str:
    """Whether the last periods were as quiet as their reports look, all streams together."""
    triangle, size = found.fit.triangle, found.totals.shape[1]
    drawn = found.totals.sum(axis=(1, 2))
    naive, before = int(triangle.reported[-size:].sum()), float(usual(found).sum())
    low, middle, high = _points(drawn)
    told = (
        f"of the last {some(size, triangle.period)} {some(naive, 'incident')} "
        f"{'is' if naive == 1 else 'are'} reported, and probably {count(middle)} happened "
        f"({counts_between(low, high)})"
    )
    if np.isnan(before):
        return f"There is nothing before to compare with: {told}."
    told += f"; usual in so many {triangle.period}s: {rate(before)}"
    if naive >= before:
        return f"No lull: {told}."
    more = float((drawn >= before).mean())
    if more >= 0.8:
        verdict = "The lull is late reporting"
    elif more <= 0.2:
        verdict = "The lull is real"
    else:
        verdict = "It cannot be told yet whether there is a lull"
    return f"{verdict}: {told}, reached with a probability of {percent(more)}."


def panels(found: NowcastResults, group: list[int]) -> Figure:
    """Up to four streams, one below the other: reported so far, and the nowcast."""
    fit, size = found.fit, found.totals.shape[1]
    period = fit.triangle.period
    last = (1 + BEFORE) * size
    highest = np.quantile(found.totals, 0.95, axis=0).max(axis=0)
    peaks = np.maximum(fit.triangle.reported[-last:].max(axis=0), highest)[group]
    together = one_scale(peaks)
    height = 1.05 if fit.triangle.n_streams <= PER_FIGURE else 0.8
    drawing, axes = figure(0.45 + height * len(group), len(group), 1, sharex=True)
    for ax, stream in zip(axes[:, 0], group, strict=True):
        top = float(peaks.max()) if together else None
        nowcast(ax, fit, stream, last=last, ticks=8, legend=False, top=top)
        ax.set_title(wrapped(fit.triangle.names[stream], 70, 1), parse_math=False)
    drawing.supylabel(f"incidents a {period}", fontsize=9)
    scale = "The panels share one scale." if together else "Each panel has its own scale."
    now = int(fit.triangle.reported[-1].sum())
    low, middle, high = _points(found.totals[:, -1].sum(axis=1))
    return Figure(
        caption=f"Of the last {period}, {some(now, 'incident')} of all streams "
        f"{'is' if now == 1 else 'are'} reported so far; there were probably {count(middle)} "
        f"({counts_between(low, high)}).",
        drawing=drawing,
        alternative=f"Bars of the incidents reported so far, by {period}, and the nowcast of the "
        f"last {size} as bands.",
        source="Grey: reported so far. Line and bands: what there probably was, median, 50 and "
        f"90 %. {scale}",
    )


def by_stream(found: NowcastResults) -> Table:
    """A row a stream: the open periods together, beside as many before them."""
    triangle, size = found.fit.triangle, found.totals.shape[1]
    drawn = found.totals.sum(axis=1)
    reported = triangle.reported[-size:].sum(axis=0)
    known = usual(found)
    every = list(zip(triangle.names, reported, drawn.T, known, strict=True))
    if triangle.n_streams > 1:
        every.append(("All streams", reported.sum(), drawn.sum(axis=1), known.sum()))
    rows = []
    for name, naive, draws, before in every:
        low, middle, high = _points(draws)
        rows.append(
            (
                name,
                count(naive),
                count(middle),
                counts_between(low, high),
                rate(before),
                percent(float((draws >= before).mean())) if before == before else "–",
            )
        )
    _, probable, _ = _points(drawn.sum(axis=1))
    missing = 1 - float(reported.sum()) / max(probable, 1e-12)
    said = f"Of the incidents of the last {some(size, triangle.period)}, "
    return Table(
        caption=f"{said}{portion(missing)} are probably not reported yet."
        if probable
        else f"{said}none is reported or expected.",
        header=("Stream", "Reported", "Nowcast", "90 %", "Usual", "P (as many\nas usual)"),
        rows=tuple(rows),
        widths=(1, 0, 0, 0, 0, 0),
        align="lrrrrr",
        marks=("",) * triangle.n_streams + ("strong",) * (triangle.n_streams > 1),
        source=f"Sums over the last {some(size, triangle.period)}. Usual: the mean of as many "
        f"{triangle.period}s before, as learned from.",
    )


def by_period(found: NowcastResults) -> Table:
    """A row an open period, all streams together."""
    triangle, size = found.fit.triangle, found.totals.shape[1]
    drawn = found.totals.sum(axis=2)
    rows = []
    for n in range(size):
        at = len(triangle) - size + n
        naive = int(triangle.reported[at].sum())
        low, middle, high = _points(drawn[:, n])
        share = naive / middle if middle > 0 else np.nan
        rows.append(
            (
                short_day(triangle.edges[at]),
                count(naive),
                count(middle),
                counts_between(low, high),
                portion(share) if share == share else "–",
            )
        )
    period = triangle.period
    return Table(
        caption=f"The later the {period}, the more is still to be reported.",
        header=(f"{period.capitalize()} from", "Reported", "Nowcast", "90 %", "Reported so far"),
        rows=tuple(rows),
        widths=(1, 1, 1, 1, 1),
        align="lrrrr",
        source="All streams. Reported so far: reported incidents as a share of the nowcast.",
    )


def delays(found: NowcastResults) -> Figure:
    """Share reported within so many periods; a panel a stream where they differ."""
    fit = found.fit
    names, period = fit.triangle.names, fit.triangle.period
    own = getattr(fit.model, "delays", "shared") == "stream"
    shown = list(range(len(names))) if own else [0]
    rows = -(-len(shown) // PER_FIGURE)
    drawing, axes = figure(1.5 * rows, rows, min(len(shown), PER_FIGURE), sharey=True)
    for ax in axes.flat[len(shown) :]:
        ax.set_axis_off()
    for ax, stream in zip(axes.flat, shown, strict=False):
        reported_within(ax, fit, stream, hue=None if own else TOTAL_COLOUR)
        if own:
            ax.set_title(wrapped(names[stream], 28, 2), parse_math=False, fontsize=8.5)
    drawing.supxlabel(f"{period}s after the incident, at most", fontsize=9)
    table = fit.delays()
    first = table.filter(table["delay"] == 0)
    low, high = float(first["share"].min()), float(first["share"].max())  # type: ignore[arg-type]
    at_once = (
        portion(low) if portion(low) == portion(high) else f"{portion(low)} to {portion(high)}"
    )
    return Figure(
        caption=f"Within the same {period} {at_once} of the incidents are reported.",
        drawing=drawing,
        alternative=f"Bars: share of the incidents reported within so many {period}s.",
        source=f"As learned for the last {period}, of those reported within "
        f"{some(fit.triangle.longest, period)}; lines: 90 % intervals."
        + ("" if own else " One law of delays for all streams."),
    )


def _points(draws: NDArray[np.int64]) -> tuple[float, float, float]:
    """Lower end, median and upper end of the 90 % interval."""
    tails = [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2]
    low, middle, high = np.quantile(draws, tails, method="inverted_cdf")
    return float(low), float(middle), float(high)
