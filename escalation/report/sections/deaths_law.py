"""The law of deaths in the section on deaths: its curves, its points, and later incidents."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from escalation.checks.severity import INFINITE
from escalation.plots.severity import exceedance
from escalation.plots.style import figure, wrapped
from escalation.report.sections.base import Figure, Table, Text
from escalation.report.sections.panels import groups
from escalation.report.wording import (
    count,
    counts_between,
    estimate,
    joined,
    number_word,
    portion,
    rate,
    sentence,
    short,
    short_day,
    some,
)

if TYPE_CHECKING:
    from escalation.results import Results, SeverityResults


def laws(found: SeverityResults) -> list[Figure]:
    """The law of each stream beside its records, four a figure."""
    fit = found.fit
    reach = max(20.0, 3.0 * float(fit.records.high.max()))
    made: list[Figure] = []
    for group in groups(fit.records.n_streams):
        drawing, axes = figure(1.85, 1, max(len(group), 2))
        for ax in axes[0, len(group) :]:
            ax.set_axis_off()
        for n, (ax, stream) in enumerate(zip(axes[0], group, strict=False)):
            exceedance(ax, fit, stream, reach=reach, remark=False)
            ax.set_title(wrapped(fit.records.names[stream], 24, 2), parse_math=False, fontsize=8.5)
            ax.set_xlabel("")
            ax.set_ylabel("share with as many" if n == 0 else "", fontsize=8.5)
        drawn = [ax for ax in axes[0, : len(group)] if ax.get_yscale() == "log"]
        for ax in drawn:
            ax.set_ylim(bottom=min(other.get_ylim()[0] for other in drawn))
        drawing.supxlabel("deaths in an incident", fontsize=8.5)
        made.append(
            Figure(
                caption="The same, for the streams that follow." if made else _largest(found),
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
        f"The deadliest incident that the law has seen had {count(records.best[at])} deaths "
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
    left = f" {sentence(records.dropped)}." if records.dropped else ""
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
    few = (
        "none has"
        if not doubtful
        else f"{number_word(doubtful)} {'has' if doubtful == 1 else 'have'}"
    )
    verdict = (
        f"Of {len(table)} numbers of incidents beyond the law’s points, {few} a p-value below 0.05"
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
