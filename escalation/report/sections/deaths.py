"""Deaths: what to expect, how heavy the tail is, and whether the law held."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from escalation.plots.forecast import fan
from escalation.plots.style import TOTAL_COLOUR, figure
from escalation.report.sections.base import Block, Figure, Note, Section, Table
from escalation.report.sections.deaths_law import exceeded, law_table, laws
from escalation.report.sections.forecast import PAST, block_table, fans, known_past, past_words
from escalation.report.wording import (
    count,
    counts_between,
    joined,
    percent,
    rate,
    sentence,
    short,
    short_day,
)

if TYPE_CHECKING:
    from escalation.forecast import Forecast
    from escalation.results import Results, SeverityResults

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
    whole, ahead = summed(found.forecast)
    period, past = whole.period, known_past(found.forecast)
    low, high = whole.interval(0.8)[:, 0, 0]
    expected = (
        count(whole.quantile(0.5)[0, 0]),
        f"deaths expected in the next {ahead}, all streams",
        f"80 % interval {counts_between(low, high)}",
    )
    more = float(whole.prob_above_recent(PAST)[0, 0])
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
            f"probability of {number:,} deaths or more in these {ahead}",
            f"more than the mean of {past_words(found.forecast)}: {percent(more)}",
        )
    name, point = busiest(found)
    third = (
        count(point),
        "deaths, exceeded by one incident in a hundred",
        short(name, 40),
    )
    return Note("box", figures=(expected, second, third))


def summed(forecast: Forecast) -> tuple[Forecast, str]:
    """The sum of all streams over the whole horizon as one block, and that horizon in words."""
    horizon = len(forecast.lengths)
    return forecast.total().blocks([horizon]), f"{horizon} {forecast.period}s"


def busiest(found: SeverityResults) -> tuple[str, float]:
    """The stream of which most incidents are recorded, and its 99 % point of the deaths in one."""
    records = found.fit.records
    stream = int(np.bincount(records.stream, minlength=records.n_streams).argmax())
    return found.forecast.names[stream], float(found.fit.predictive_quantile(0.99)[stream])


def likely(found: SeverityResults, at_least: tuple[int, ...]) -> str:
    """What to expect of all streams together, in a sentence."""
    whole, ahead = summed(found.forecast)
    low, high = whole.interval(0.95)[:, 0, 0]
    text = f"In {ahead} {counts_between(low, high)} deaths are to be expected (95 %)"
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
    whole, ahead = summed(found.forecast)
    low, high = whole.interval(0.8)[:, 0, 0]
    name, point = busiest(found)
    return (
        f"{count(whole.quantile(0.5)[0, 0])} deaths in the next {ahead} (80 % interval "
        f"{counts_between(low, high)}); one incident in a hundred of {short(name)} has more than "
        f"{count(point)}."
    )


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
