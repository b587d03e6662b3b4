"""Summary: one page in plain words, with the headline numbers and the limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from escalation.plots.dynamics import quantiles
from escalation.plots.forecast import fan
from escalation.plots.style import figure
from escalation.report.sections.base import Block, Figure, Note, Section, Text
from escalation.report.sections.deaths import expected_words
from escalation.report.sections.dynamics import LEVEL, clear_arrows
from escalation.report.sections.forecast import PAST, known_past
from escalation.report.sections.late import lull
from escalation.report.sections.track_record import coverage_of, gain, headline, record_skill
from escalation.report.wording import (
    between,
    count,
    counts_between,
    day,
    estimate,
    joined,
    last_day,
    number_word,
    percent,
    portion,
    rate,
    sentence,
    short,
    some,
)

if TYPE_CHECKING:
    from escalation.results import Results

LATELY = 12
LIMITS = (
    "The report speaks of recorded incidents: what nobody recorded is missing, and recording may "
    "change over time. “Is followed by more” is a pattern in time, not a proof of cause, and says "
    "nothing of who struck first. Forecasts hold as long as the pattern does."
)


class Summary(Section):
    """What was watched, what happened lately, what to expect, and whether to trust it."""

    title: ClassVar[str] = "Summary"
    place: ClassVar[int] = 1

    def blocks(self, results: Results) -> list[Block]:
        """Box, sentences, one wide figure, limits."""
        blocks: list[Block] = [box(results), overview(results), Text(sentences(results))]
        if results.study.report.note:
            blocks.append(Note("warning", results.study.report.note))
        return [*blocks, Note("limits", LIMITS)]


def box(results: Results) -> Note:
    """Three headline figures."""
    horizon, period, past = _horizon(results), results.series.period, known_past(results.forecast)
    total = results.forecast.total().blocks([horizon])
    low, high = total.interval(0.8)[:, 0, 0]
    probability = total.prob_above_recent(PAST)[0, 0]
    expected = (
        count(float(total.quantile(0.5)[0, 0])),
        f"incidents expected in the next {horizon} {period}s, all streams",
        f"80 % interval {counts_between(low, high)}",
    )
    more = (
        percent(float(probability)),
        f"probability of more than the mean of the last {past} {period}s",
        past_mean(results),
    )
    return Note("box", figures=(expected, more, ratio_figure(results)))


def past_mean(results: Results) -> str:
    """The mean that the forecast is compared with."""
    mean = _escalation(results)["past_mean"]
    if mean is None:
        return "nobody watched them"
    return f"which was {rate(mean)} incidents a {results.series.period}"


def ratio_figure(results: Results) -> tuple[str, str, str]:
    """The branching ratio, or that it is not identified and its range over backgrounds."""
    if not results.series.counts.any():
        return ("–", "branching ratio", "no incidents to estimate it from")
    if not results.identified:
        points = _points(results)
        remark = f"{rate(min(points))} to {rate(max(points))}, by background"
        return ("not identified", "branching ratio, apart from the background", remark)
    low, middle, high = quantiles(results.dynamics.branching_ratio, LEVEL)
    return (
        rate(middle), "branching ratio: below 1, bursts die down",
        f"90 % interval {between(low, high)}",
    )  # fmt: skip


def overview(results: Results) -> Figure:
    """The last year and the forecast of all streams together."""
    total, period = results.forecast.total(), results.series.period
    # The page has room for the sentences on late reports and on deaths only below a lower figure.
    more = (results.nowcast is not None) + (results.severity is not None)
    drawing, axes = figure(2.35 - 0.35 * more)
    ax = fan(axes[0, 0], total, 0, past=PAST)
    ax.set_ylabel(f"incidents a {period}")
    level = total.interval(0.8)[:, :, 0]
    low, high = np.median(level[0]), np.median(level[1])
    recent = total.recent[-PAST:, 0]
    if not recent.any():
        caption = f"There were no incidents in the last {len(recent)} {period}s."
        return Figure(caption, drawing, caption)
    direction = _escalation(results)["probability"]
    moved = "about as many"
    if direction is not None and direction >= 0.8:
        moved = "more"
    elif direction is not None and direction <= 0.2:
        moved = "fewer"
    return Figure(
        caption=f"All streams together had {counts_between(recent.min(), recent.max())} "
        f"incidents a {period} in the last {len(recent)} {period}s; the model expects {moved}, "
        f"typically {counts_between(low, high)} a {period}.",
        drawing=drawing,
        alternative=f"Incidents a {period} of all streams over the last {len(recent)} {period}s, "
        f"and the forecast of {_horizon(results)} {period}s as a fan.",
        source="Grey: observed. Bands: 50, 80 and 95 % of the forecast; line: median.",
    )


def sentences(results: Results) -> tuple[tuple[str, str], ...]:
    """The page's sentences, each with its lead."""
    if not results.series.counts.any():
        return (("Watched", watched(results)), ("Checks", checked(results)))
    late = results.nowcast
    return (
        ("Watched", watched(results)),
        ("Lately", lately(results)),
        *((("Late reports", lull(late)),) if late is not None else ()),
        ("Building up?", building(results)),
        ("Expected", expected(results)),
        *((("Deaths", expected_words(results)),) if results.severity is not None else ()),
        ("Followed by", followed(results)),
        ("Background", background(results)),
        ("Track record", record(results)),
        ("Checks", checked(results)),
    )


def watched(results: Results) -> str:
    """What was watched, and how much was recorded."""
    series, origin = results.recorded, results.incidents.provenance
    total = int(series.counts.sum())
    named = some(len(origin.files), "file") if origin.files else origin.file
    return sentence(
        f"{some(total, 'incident')} in {some(series.n_streams, 'stream')} were counted from "
        f"{day(series.edges[0])} to {day(last_day(series.edges[-1]))} ({count(len(series))} "
        f"{series.period}s); source: {origin.source} ({named}), "
        f"{some(origin.rows_rejected, 'row')} rejected."
    )


def lately(results: Results) -> str:
    """The last periods against the last year."""
    series, period, past = results.recorded, results.series.period, known_past(results.forecast)
    recent = series.counts[-LATELY:]
    now = _mean(results, LATELY)
    before = _mean(results, PAST)
    name = short(series.names[int(np.argmax(recent.sum(axis=0)))])
    if not recent.sum():
        return (
            f"The last {len(recent)} {period}s had no incident; the last {past} had "
            f"{rate(before)} a {period}."
        )
    return (
        f"The last {len(recent)} {period}s had {some(int(recent.sum()), 'incident')}, {rate(now)} "
        f"a {period}, against {rate(before)} over the last {past}; most were in {name} "
        f"({count(recent.sum(axis=0).max())})."
    )


def building(results: Results) -> str:
    """Is it building up: probability and ratio."""
    row, period = _escalation(results), results.series.period
    if row["probability"] is None or row["ratio"] is None:
        return sentence(row["note"] or "the past tells nothing to compare with") + "."
    probability = float(row["probability"])
    if probability >= 0.9:
        verdict = "Yes"
    elif probability >= 0.7:
        verdict = "Perhaps"
    elif probability > 0.3:
        verdict = "No clear sign"
    elif probability > 0.1:
        verdict = "Probably not"
    else:
        verdict = "No"
    ratio = estimate(row["ratio"], row["lower"], row["upper"])
    return (
        f"{verdict}: the mean of the next {row['ahead']} {period}s exceeds that of the last "
        f"{row['past']} with a probability of {percent(probability)}; the ratio of the two is "
        f"{ratio}."
    )


def expected(results: Results) -> str:
    """What the next periods bring, in all and in the busiest stream."""
    horizon, period = _horizon(results), results.series.period
    whole = results.forecast.blocks([horizon])
    total = whole.total()
    middle = whole.quantile(0.5)[0]
    top = int(np.argmax(middle))
    low, high = total.interval(0.8)[:, 0, 0]
    ends = whole.interval(0.8)[:, 0, top]
    text = (
        f"{count(total.quantile(0.5)[0, 0])} incidents in the next {horizon} {period}s (80 % "
        f"interval {counts_between(low, high)})"
    )
    if len(whole.names) > 1:
        text += f", of which {counts_between(*ends)} in {short(whole.names[top])}"
    return text + "."


def followed(results: Results) -> str:
    """Which stream is followed by more of which."""
    dynamics = results.dynamics
    clear = clear_arrows(dynamics)
    own = np.median(np.diagonal(dynamics.reproduction, axis1=1, axis2=2), axis=0)
    self_most = int(np.argmax(own))
    if not clear:
        text = "No stream is clearly followed by more of another (every interval touches zero)"
    else:
        parts = [
            f"one incident in {short(r['source'])} is followed by "
            f"{estimate(r['estimate'], r['lower'], r['upper'])} more in {short(r['target'])}"
            for r in clear[:2]
        ]
        text = sentence("; ".join(parts))
    return (
        f"{text}. {short(dynamics.names[self_most])} is followed by most of its own kind "
        f"({rate(float(own[self_most]))}). Counted are {dynamics.unit}."
    )


def background(results: Results) -> str:
    """How much is background, and whether the branching ratio stands apart from it."""
    weights = results.series.counts.sum(axis=0) / results.series.counts.sum()
    draws = results.dynamics.shares[:, :, 0] @ weights
    low, middle, high = quantiles(draws, LEVEL)
    ends = f"{portion(float(low))} to {portion(float(high))}"
    text = f"{portion(float(middle))} of the incidents ({ends}) are background by immediate cause; "
    points = _points(results)
    ends = f"{rate(min(points))} to {rate(max(points))}"
    if results.identified:
        ratio = quantiles(results.dynamics.branching_ratio, LEVEL)
        return text + (
            f"the branching ratio is {estimate(ratio[1], ratio[0], ratio[2])} and hardly depends "
            f"on the background assumed ({ends})."
        )
    return text + (
        f"the branching ratio is not identified apart from the background: {ends} under "
        f"{joined(list(results.alternatives))} backgrounds."
    )


def record(results: Results) -> str:
    """Whether such forecasts were right before."""
    skill = record_skill(results.backtest)
    if skill is None:
        return "There are no past forecasts to judge by."
    covered = coverage_of(results.backtest, headline(results.backtest), 80)
    verdict = (
        "better than" if skill.lower > 0 else "worse than" if skill.upper < 0 else "no better than"
    )
    return (
        f"Over {some(skill.origins, 'past forecast')} the model was {verdict} {skill.reference}, "
        f"the best baseline: its error was {gain(skill)}. Its 80 % intervals held "
        f"{portion(covered)} of what came."
    )


def checked(results: Results) -> str:
    """How the checks ended, with what failed."""
    findings = list(results.findings)
    failed = [f.name for f in findings if f.status == "failed"]
    warned = [f.name for f in findings if f.status == "warned"]
    passed = len(findings) - len(failed) - len(warned)
    text = f"Of {some(len(findings), 'check')} {number_word(passed)} passed"
    if warned:
        text += f", {number_word(len(warned))} warned ({joined(warned)})"
    if failed:
        text += f", {number_word(len(failed))} failed: {joined(failed)}"
        text += " (read the figures with this in mind)"
    return text + "."


def _horizon(results: Results) -> int:
    return len(results.forecast.edges) - 1


def _points(results: Results) -> list[float]:
    return [float(np.median(each.branching_ratio)) for each in results.alternatives.values()]


def _mean(results: Results, periods: int) -> float:
    scale = results.series.scale[-periods:].sum()
    return float(results.recorded.counts[-periods:].sum() / scale) if scale > 0 else float("nan")


def _escalation(results: Results) -> dict[str, Any]:
    table = results.forecast.total().escalation(periods=_horizon(results), against=PAST)
    return table.row(-1, named=True)
