"""Deaths: what to expect, how heavy the tail is, and whether the law held."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from escalation.plots.forecast import fan
from escalation.plots.severity import exceedance
from escalation.plots.style import TOTAL_COLOUR, figure, wrapped
from escalation.report.sections.base import Block, Figure, Note, Section, Table, Text
from escalation.report.sections.forecast import block_table, fans
from escalation.report.wording import (
    count,
    counts_between,
    estimate,
    joined,
    number_word,
    percent,
    portion,
    rate,
    sentence,
    short,
    short_day,
    some,
)

if TYPE_CHECKING:
    from escalation.results import Results, SeverityResults

PER_FIGURE = 4
PAST = 52
INFINITE = 0.05
READINGS = {
    "interval": "somewhere from low to high",
    "low": "low figure",
    "best": "best figure",
    "high": "high figure",
}


class DeathsSection(Section):
    """Deaths expected, the law of deaths per incident, its tail, and later incidents against it."""

    title: ClassVar[str] = "Deaths"
    place: ClassVar[int] = 7

    def blocks(self, results: Results) -> list[Block]:
        """Forecast, law, figures, check; nothing unless the study asks for it."""
        found, section = results.severity, results.study.severity
        if found is None or section is None:
            return []
        at_least = section.at_least
        return [
            box(found, at_least),
            *fans(found.forecast, at_least, "deaths"),
            block_table(found.forecast, at_least, likely(found, at_least), "deaths", blocks=False),
            *laws(found),
            law_table(results, found),
            readings(found),
            last_forecast(found),
            exceeded(found),
        ]


def box(found: SeverityResults, at_least: tuple[int, ...]) -> Note:
    """Three headline figures."""
    horizon, period = len(found.forecast.edges) - 1, found.forecast.period
    whole = found.forecast.total().blocks([horizon])
    low, high = whole.interval(0.8)[:, 0, 0]
    expected = (
        count(whole.quantile(0.5)[0, 0]),
        f"deaths expected in the next {horizon} {period}s, all streams",
        f"80 % interval {counts_between(low, high)}",
    )
    more = float(whole.prob_above_recent(PAST)[0, 0])
    past = min(PAST, len(found.forecast.recent))
    second = (
        percent(more),
        f"probability of more a {period} than the mean of the last {past} {period}s",
        f"which was {rate(float(found.forecast.total().recent[-PAST:].mean()))} deaths"
        if past
        else "of which nothing is known",
    )
    if at_least:
        number = at_least[-1]
        second = (
            percent(float(whole.prob_at_least(number)[0, 0])),
            f"probability of {number:,} deaths or more in these {horizon} {period}s",
            f"more than the mean of last year: {percent(more)}",
        )
    stream = busiest(found)
    point = found.fit.predictive_quantile(0.99)[stream]
    third = (
        count(point),
        "deaths, exceeded by one incident in a hundred",
        short(found.forecast.names[stream], 40),
    )
    return Note("box", figures=(expected, second, third))


def busiest(found: SeverityResults) -> int:
    """The stream of which most incidents are recorded."""
    return int(
        np.bincount(found.fit.records.stream, minlength=found.fit.records.n_streams).argmax()
    )


def likely(found: SeverityResults, at_least: tuple[int, ...]) -> str:
    """What to expect of all streams together, in a sentence."""
    horizon, period = len(found.forecast.edges) - 1, found.forecast.period
    whole = found.forecast.total().blocks([horizon])
    low, high = whole.interval(0.95)[:, 0, 0]
    text = f"In {horizon} {period}s {counts_between(low, high)} deaths are to be expected (95 %)"
    if at_least:
        chances = [
            f"{number:,} or more with a probability of "
            f"{percent(float(whole.prob_at_least(number)[0, 0]))}"
            for number in at_least
        ]
        text += f"; {joined(chances)}"
    return text + "."


def expected_words(results: Results) -> str:
    """Deaths to come, in a sentence of the summary."""
    found = results.severity
    if found is None:
        return ""
    horizon, period = len(found.forecast.edges) - 1, found.forecast.period
    whole = found.forecast.total().blocks([horizon])
    low, high = whole.interval(0.8)[:, 0, 0]
    stream = busiest(found)
    point = found.fit.predictive_quantile(0.99)[stream]
    return (
        f"{count(whole.quantile(0.5)[0, 0])} deaths in the next {horizon} {period}s (80 % interval "
        f"{counts_between(low, high)}); one incident in a hundred of "
        f"{short(found.forecast.names[stream])} has more than {count(point)}."
    )


def laws(found: SeverityResults) -> list[Figure]:
    """The law of each stream beside its records, four a figure."""
    fit = found.fit
    streams = list(range(fit.records.n_streams))
    reach = max(20.0, 3.0 * float(fit.records.high.max()))
    made = []
    for first in range(0, len(streams), PER_FIGURE):
        group = streams[first : first + PER_FIGURE]
        drawing, axes = figure(1.85, 1, max(len(group), 2))
        for ax in axes[0, len(group) :]:
            ax.set_axis_off()
        for n, (ax, stream) in enumerate(zip(axes[0], group, strict=False)):
            exceedance(ax, fit, stream, reach=reach, remark=False)
            ax.set_title(wrapped(fit.records.names[stream], 24, 2), parse_math=False, fontsize=8.5)
            ax.set_xlabel("")
            ax.set_ylabel("share with at least so many" if n == 0 else "", fontsize=8.5)
        bottom = min(ax.get_ylim()[0] for ax in axes[0, : len(group)])
        for ax in axes[0, : len(group)]:
            ax.set_ylim(bottom=bottom)
        drawing.supxlabel("deaths in an incident", fontsize=8.5)
        made.append(
            Figure(
                caption="The same, for the streams that follow." if first else _largest(found),
                drawing=drawing,
                alternative="Share of the incidents with at least so many deaths, recorded and by "
                "the law, on logarithmic axes, a panel a stream.",
                source="Line and band: the law with its 90 % interval. Dots: best figures; small "
                "marks: low and high figures. Dashed: the threshold, from which the Pareto tail "
                "holds.",
            )
        )
    return made


def _largest(found: SeverityResults) -> str:
    """The deadliest recorded incident beside the law, in a sentence."""
    records = found.fit.records
    at = int(np.argmax(records.best))
    stream = int(records.stream[at])
    chance = float(found.fit.predictive_survival(records.best[at] - 1.0)[stream])
    return (
        f"The deadliest incident recorded had {count(records.best[at])} deaths "
        f"({short_day(records.days[at])}, {short(records.names[stream])}); by the law one in "
        f"{_one_in(chance)} of that stream has so many."
    )


def _one_in(chance: float) -> str:
    if chance <= 0:
        return "countless"
    number = 1 / chance
    digits = max(0, int(np.floor(np.log10(number))) - 1)
    return f"{round(number, -digits):,.0f}"


def law_table(results: Results, found: SeverityResults) -> Table:
    """A row a stream: quantiles, mean and tail of the deaths of an incident."""
    table, records = found.fit.table(), found.fit.records
    rows = tuple(
        (
            row["stream"],
            count(row["incidents"]),
            portion(row["without"]),
            *(count(row[f"{q} %"]) for q in (50, 90, 99)),
            _mean(row),
            "–"
            if row["tail index"] is None
            else estimate(row["tail index"], row["index lower"], row["index upper"]),
        )
        for row in table.iter_rows(named=True)
    )
    odd = [row["stream"] for row in table.iter_rows(named=True) if row["infinite mean"] > INFINITE]
    if odd:
        where = "any stream" if len(odd) == len(rows) > 1 else joined([short(name) for name in odd])
        caption = f"The tail is so heavy that the mean may not exist in {where}: read the points."
    else:
        caption = (
            "Most incidents have few deaths, a few have many: the mean exists, but the points say "
            "more."
        )
    left = f" Left out: {records.dropped}." if records.dropped else ""
    return Table(
        caption=caption,
        header=(
            "Stream", "Incidents", "Without\ndeaths", "Median", "90 %\npoint", "99 %\npoint",
            "Mean (90 %)", "Tail index (90 %)",
        ),
        rows=rows,
        widths=(1, 0, 0, 0, 0, 0, 0, 0),
        align="lrrrrrrr",
        source=f"Deaths in an incident, learned from {_span(results, found)}. Points: exceeded by "
        "one incident in two, ten and a hundred. The mean is infinite from a tail index of 1 on."
        + left
        + _truth(results),
    )  # fmt: skip


def _truth(results: Results) -> str:
    """What the deaths of a simulated study were drawn from."""
    law = results.study.truth
    if law is None:
        return ""
    points = [
        np.ceil(law.deaths_scale * ((1 - share) ** (-1 / law.deaths_tail) - 1)) - 1
        for share in (0.5, 0.9, 0.99)
    ]
    none = 1 - (1 + 1 / law.deaths_scale) ** -law.deaths_tail
    return (
        f" The truth of every stream: {portion(none)} without deaths, points "
        f"{joined([count(max(point, 0.0)) for point in points])}, tail index "
        f"{rate(1 / law.deaths_tail)}."
    )


def _mean(row: dict[str, float]) -> str:
    if row["infinite mean"] > INFINITE:
        return "may not exist"
    return estimate(row["mean"], row["mean lower"], row["mean upper"])


def _span(results: Results, found: SeverityResults) -> str:
    """The days of which the records are."""
    window = found.fit.records.window
    whole = window.start <= results.study.window.start
    return "the whole window" if whole else f"the last {some(window.days, 'day')}"


def readings(found: SeverityResults) -> Table:
    """The forecast of all streams by each way to read the figures."""
    horizon, period = len(found.forecast.edges) - 1, found.forecast.period
    rows = [
        (
            sentence(READINGS[row["figures"]]),
            "–" if row["recorded"] is None else count(row["recorded"]),
            "–" if row["tail index"] is None else rate(row["tail index"]),
            count(row["median"]),
            counts_between(row["lower"], row["upper"]),
        )
        for row in found.readings.iter_rows(named=True)
    ]
    own = found.readings["figures"].to_list().index(getattr(found.fit.model, "deaths", "interval"))
    middles = found.readings["median"]
    return Table(
        caption=f"Depending on which figures are believed, the median of the deaths in {horizon} "
        f"{period}s is {counts_between(float(middles.min()), float(middles.max()))}.",  # type: ignore[arg-type]
        header=("Deaths of an incident", "Recorded", "Tail index", "Median", "80 %"),
        rows=tuple(rows),
        widths=(1, 0, 0, 0, 0),
        align="lrrrr",
        marks=tuple("strong" if n == own else "" for n in range(len(rows))),
        source="All streams. In bold, what the pages use. Recorded: deaths in the incidents that "
        "the law is learned from.",
    )


def last_forecast(found: SeverityResults) -> Figure:
    """The deaths forecast one horizon before the end, and those that came."""
    forecast = found.last_forecast.total()
    low, best, high = found.last_observed.sum(axis=2)
    ends = forecast.interval(0.8)[:, :, 0]
    inside = int(((ends[0] <= best) & (best <= ends[1])).sum())
    whole = forecast.blocks([len(best)])
    span = counts_between(*whole.interval(0.8)[:, 0, 0])
    drawing, axes = figure(1.65)
    fan(axes[0, 0], forecast, 0, past=26, observed=best, ends=np.stack([low, high]),
        hue=TOTAL_COLOUR)  # fmt: skip
    axes[0, 0].set_ylabel(f"deaths a {forecast.period}")
    return Figure(
        caption=f"On {short_day(np.datetime64(forecast.made_on))} {span} deaths were to be "
        f"expected in {len(best)} {forecast.period}s (80 %); {count(best.sum())} came "
        f"({counts_between(low.sum(), high.sum())} by low and high figures), {inside} of the "
        f"{len(best)} {forecast.period}s inside their 80 % intervals.",
        drawing=drawing,
        alternative=f"Fan of the deaths of all streams as forecast, by {forecast.period}, and the "
        "deaths that came.",
        source="Dots: deaths that came, best figure; lines: low to high. Bands: 50, 80 and 95 %; "
        f"grey: the {forecast.period}s before.",
    )


def exceeded(found: SeverityResults) -> Table | Text:
    """Later incidents against the points of laws learned before them."""
    table = found.exceedances.filter(found.exceedances["incidents"] > 0)
    if table.is_empty():
        return Text.of("No later incident can be compared with the law.")
    rows = []
    for name in table["stream"].unique(maintain_order=True):
        own = list(table.filter(table["stream"] == name).iter_rows(named=True))
        cells = [cell for row in own for cell in _exceeded_cells(row)]
        rows.append((name, count(own[0]["incidents"]), *cells))
    shares = table["share"].unique(maintain_order=True)
    doubtful = int((table["p"] < 0.05).sum())
    verdict = (
        f"Of {len(table)} numbers of incidents beyond the law’s points, {number_word(doubtful)} "
        f"{'has' if doubtful == 1 else 'have'} a p-value below 0.05"
    )
    return Table(
        caption=f"{verdict}.",
        header=(
            "Stream", "Later\nincidents",
            *(
                head
                for share in shares
                for head in (
                    f"{portion(share)}\npoint", "Expected\nbeyond", "Beyond\n(low to high)", "p",
                )
            ),
        ),
        rows=tuple(rows),
        widths=(1, 0, *(0,) * 4 * len(shares)),
        align="lr" + "rrrr" * len(shares),
        source="The law learned anew at each forecast of the track record, judged by the incidents "
        "until the next. Expected: by the law’s own probability. p: exact two-sided test; "
        "incidents of one time are alike, so true values are larger.",
    )  # fmt: skip


def _exceeded_cells(row: dict[str, float]) -> tuple[str, ...]:
    """Point, expected beyond, beyond and p of one row."""
    return (
        counts_between(row["lowest"], row["highest"]),
        rate(row["expected"]),
        f"{count(row['beyond'])} ({counts_between(row['beyond low'], row['beyond high'])})",
        _p_value(row["p"]),
    )


def _p_value(p: float) -> str:
    return "< 0.001" if p < 0.001 else f"{p:.3f}" if p < 0.1 else f"{p:.2f}"
