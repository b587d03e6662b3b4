"""Series: the level, season, bursts and gaps of each stream's counts."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from escalation.plots.series import counts
from escalation.plots.style import figure, wrapped
from escalation.report.sections.base import Block, Figure, Section, Table
from escalation.report.sections.panels import PER_FIGURE, groups, one_scale
from escalation.report.wording import count, joined, number_word, rate, sentence, short, short_day

if TYPE_CHECKING:
    from escalation.results import Results
    from escalation.series import CountSeries

MONTHS = ("January", "February", "March", "April", "May", "June", "July", "August", "September",
          "October", "November", "December")  # fmt: skip


class SeriesSection(Section):
    """Counts per period, one panel a stream, on one time axis."""

    title: ClassVar[str] = "Series"
    place: ClassVar[int] = 3

    def blocks(self, results: Results) -> list[Block]:
        """Small multiples by four, and a table of level, bursts and season."""
        each = [panels(results, group) for group in groups(results.series.n_streams)]
        return [*each, levels(results.recorded)]


def panels(results: Results, group: list[int]) -> Figure:
    """Up to four streams, one below the other."""
    series = results.recorded
    peaks = series.counts[:, group].max(axis=0)
    positive = peaks[peaks > 0]
    together = len(positive) > 0 and one_scale(positive)
    # Several figures: two of them fit a page.
    height = 1.25 if series.n_streams <= PER_FIGURE else 0.85
    drawing, axes = figure(0.45 + height * len(group), len(group), 1, sharex=True)
    eras = [(era.name, era.start) for era in results.study.eras]
    for n, (ax, stream) in enumerate(zip(axes[:, 0], group, strict=True)):
        shown = [("", start) if n else (name, start) for name, start in eras]
        counts(ax, series, stream, eras=shown, top=float(positive.max()) if together else None)
        ax.set_title(wrapped(series.names[stream], 70, 1), parse_math=False)
    drawing.supylabel(f"incidents a {series.period}", fontsize=9)
    scale = "The panels share one scale." if together else "Each panel has its own scale."
    gaps = " Hatched: not watched." if series.window.gaps else ""
    marks = " Dotted: " + joined([name for name, _ in eras]) + "." if eras else ""
    names = joined([series.names[stream] for stream in group])
    return Figure(
        caption=peak_sentence(series, group),
        drawing=drawing,
        alternative=f"Bars of incidents a {series.period} for {names}.",
        source=scale + gaps + marks,
    )


def peak_sentence(series: CountSeries, group: list[int]) -> str:
    """The busiest period among these streams, and their levels."""
    part = series.counts[:, group]
    if not part.any():
        return "None of these streams had an incident in the window."
    period, column = np.unravel_index(np.argmax(part), part.shape)
    name = short(series.names[group[int(column)]])
    return (
        f"The busiest {series.period} of any one stream began on "
        f"{short_day(series.edges[int(period)])}: {count(part.max())} incidents in {name}, against "
        f"{rate(part[:, int(column)].sum() / series.scale.sum())} on average."
    )


def levels(series: CountSeries) -> Table:
    """Level, change, bursts and season of each stream, as numbers."""
    rows = tuple(_row(series, stream) for stream in range(series.n_streams))
    bursty = [r[0] for r, v in zip(rows, _dispersions(series), strict=True) if v > 1.5]
    period = series.period
    named = (
        joined([short(name) for name in bursty])
        if len(bursty) <= 3
        else sentence(f"{_of(len(bursty), len(rows))} streams")
    )
    caption = (
        f"{named} {'comes' if len(bursty) == 1 else 'come'} in bursts: the variance is more than "
        "one and a half times the mean."
        if bursty
        else f"No stream comes in strong bursts at the scale of a {period}."
    )
    return Table(
        caption=caption,
        header=(
            "Stream",
            f"Mean a\n{period}",
            "First\nhalf",
            "Second\nhalf",
            "Variance\n/ mean",
            f"Busiest\n{period}",
            "It began",
            "Busiest month",
        ),
        rows=rows,
        widths=(1, 0, 0, 0, 0, 0, 0, 0),
        align="lrrrrrrl",
        source="Variance / mean is 1 where incidents come independently at a constant rate; a "
        "season or a changing level raises it too. Busiest month: its mean rate over all years, as "
        "a multiple of the stream's mean; only where the window holds two years or more.",
    )


def _of(some: int, every: int) -> str:
    if some == every:
        return f"all {number_word(every)}"
    return f"{number_word(some)} of {number_word(every)}"


def _row(series: CountSeries, stream: int) -> tuple[str, ...]:
    values, scale = series.counts[:, stream], series.scale
    if not values.any():
        return (series.names[stream], "0", *("–",) * 6)
    half = len(values) // 2
    peak = int(np.argmax(values))
    return (
        series.names[stream],
        rate(values.sum() / scale.sum()),
        rate(_mean(values[:half], scale[:half])),
        rate(_mean(values[half:], scale[half:])),
        rate(_dispersions(series)[stream]),
        count(values[peak]),
        short_day(series.edges[peak]),
        _season(series, stream),
    )


def _mean(values: np.ndarray, scale: np.ndarray) -> float:
    return float(values.sum() / scale.sum()) if scale.sum() > 0 else float("nan")


def _dispersions(series: CountSeries) -> list[float]:
    watched = series.counts[series.exposure > 0]
    means = watched.mean(axis=0)
    spread = watched.var(axis=0, ddof=1) if len(watched) > 1 else np.zeros_like(means)
    return [float(v / m) if m > 0 else 0.0 for v, m in zip(spread, means, strict=True)]


def _season(series: CountSeries, stream: int) -> str:
    if series.window.days < 2 * 365:
        return "–"
    month = series.edges[:-1].astype("datetime64[M]").astype(int) % 12
    rates = np.array(
        [_mean(series.counts[month == m, stream], series.scale[month == m]) for m in range(12)]
    )
    best = int(np.nanargmax(rates))
    mean = series.counts[:, stream].sum() / series.scale.sum()
    return f"{MONTHS[best]} (× {rates[best] / mean:.1f})"
