"""Dynamics: which stream is followed by more of which, how fast, and how much is background."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from escalation.plots.dynamics import (
    CLEAR_OF_ZERO,
    MANY,
    branching_by_background,
    quantiles,
    reproduction,
    reproduction_by_background,
    responses,
    shares,
)
from escalation.plots.style import figure, wrapped
from escalation.report.sections.base import Block, Figure, Note, Section, Table, Text
from escalation.report.sections.panels import PER_FIGURE, groups
from escalation.report.wording import (
    between,
    count,
    estimate,
    joined,
    percent,
    portion,
    rate,
    short,
)

if TYPE_CHECKING:
    from escalation.dynamics import Dynamics
    from escalation.results import Results

LEVEL = 0.9
PAIRS = 8
INSIDE = "yes", "no"


class DynamicsSection(Section):
    """Reproduction matrix, responses, shares, and what they owe to the background."""

    title: ClassVar[str] = "Dynamics"
    place: ClassVar[int] = 5

    def blocks(self, results: Results) -> list[Block]:
        """Heat map, truth, backgrounds, shares, responses."""
        if not results.series.counts.any():
            return [Text.of("There were no incidents, so there is nothing to say of dynamics.")]
        dynamics = results.dynamics
        blocks: list[Block] = [
            Text.of(f"{reading(dynamics)} {same_period(results)}"),
            matrix(results),
        ]
        if results.truth is not None:
            blocks.append(truth_table(results))
        blocks += [share_bars(dynamics), backgrounds(results), identification(results)]
        return [*blocks, *response_panels(dynamics)]


def reading(dynamics: Dynamics) -> str:
    """How to read the matrix."""
    return (
        f"An entry of the reproduction matrix is the expected number of further incidents "
        f"({dynamics.unit}) that directly follow one incident. It is a pattern in time, not a "
        f"proof of cause."
    )


def same_period(results: Results) -> str:
    """How fast the offspring come, and how many of them the counts cannot show."""
    period, delay = results.series.period, quantiles(results.dynamics.delay_median, LEVEL)
    text = f"Half of them come within {estimate(delay[1], delay[0], delay[2])} days."
    share = float(np.median(results.dynamics.same_period))
    if share >= 0.01:
        text += (
            f" Offspring in the incident's own {period} are not in it; were the delay to hold "
            f"within the {period} too, they would be {percent(share)} of all."
        )
    return text


def matrix(results: Results) -> Figure:
    """The reproduction matrix, with the truth in its cells if the study is simulated."""
    dynamics = results.dynamics
    size = len(dynamics.names)
    truth = None if results.truth is None else np.asarray(results.truth["reproduction"])
    drawing, axes = figure(0.7 + min(5.0, (0.54 if truth is not None else 0.6) * size))
    reproduction(axes[0, 0], dynamics, level=LEVEL, truth=truth)
    shown = ", and the truth of the simulation" if truth is not None else ""
    if size > MANY:
        shown += "; columns are numbered as the rows"
    return Figure(
        caption=strongest(dynamics),
        drawing=drawing,
        alternative="Reproduction matrix. "
        + "; ".join(
            f"after one incident in {row['source']}, {row['estimate']:.2f} "
            f"({row['lower']:.2f} to {row['upper']:.2f}) more in {row['target']}"
            for row in dynamics.table(LEVEL).iter_rows(named=True)
            if row["allowed"]
        ),
        source=f"Median, 90 % interval{shown}. Hollow: the interval touches zero. "
        "Empty: ruled out.",
    )


def clear_arrows(dynamics: Dynamics) -> list[dict[str, Any]]:
    """Arrows from one stream to another whose interval is clear of zero, strongest first."""
    rows = [
        row
        for row in dynamics.table(LEVEL).iter_rows(named=True)
        if row["allowed"] and row["source"] != row["target"] and row["lower"] >= CLEAR_OF_ZERO
    ]
    return sorted(rows, key=lambda row: -row["estimate"])


def strongest(dynamics: Dynamics) -> str:
    """The strongest arrow from one stream to another, in a sentence."""
    clear = clear_arrows(dynamics)
    if not clear:
        return "No stream is clearly followed by more of another: every such interval touches zero."
    first = clear[0]
    return (
        f"One incident in {short(first['source'])} is followed by "
        f"{estimate(first['estimate'], first['lower'], first['upper'])} more in "
        f"{short(first['target'])}, the strongest arrow between streams that is clear of zero."
    )


def truth_table(results: Results) -> Table:
    """Truth beside estimate, for what the study was simulated from."""
    truth, dynamics = results.truth or {}, results.dynamics
    names = dynamics.names
    low, high = dynamics.interval(LEVEL)
    true = np.asarray(truth["reproduction"], float)
    positive = (true > 0) & np.asarray(dynamics.arrows)
    inside = (low <= true) & (true <= high)
    rows = [_beside("Branching ratio", truth["branching_ratio"], dynamics.branching_ratio)]
    for parameter in results.fit.parameters:
        if parameter.name == "reproduction" or parameter.name not in truth:
            continue
        given, draws = np.asarray(truth[parameter.name], float), results.fit.draws[parameter.name]
        if given.shape != draws.shape[1:] or given.ndim > 1:
            continue
        for at in np.ndindex(given.shape):
            label = parameter.name.capitalize() + (f", {names[at[0]]}" if at else "")
            rows.append(_beside(label, float(given[at]), draws[(slice(None), *at)]))
    outside = [f"{names[j]} → {names[k]}" for k, j in np.argwhere(positive & ~inside)]
    missed = f" Outside: {joined(outside)}." if outside else ""
    return Table(
        caption=f"Truth beside estimate: {count((inside & positive).sum())} of "
        f"{count(positive.sum())} positive entries of the matrix lie in their 90 % interval.",
        header=("Quantity", "Truth", "Estimate", "90 % interval", "Inside"),
        rows=tuple(rows),
        widths=(1, 0, 0, 0, 0),
        align="lrrrr",
        source="About nine in ten should lie inside." + missed,
    )


def _beside(label: str, true: float, draws: np.ndarray) -> tuple[str, ...]:
    low, middle, high = (float(q) for q in quantiles(draws, LEVEL))
    inside = INSIDE[0] if low <= true <= high else INSIDE[1]
    return (label, rate(true), rate(middle), between(low, high), inside)


def backgrounds(results: Results) -> Figure:
    """The branching ratio and the strongest entries of R under each background."""
    alternatives, dynamics = results.alternatives, results.dynamics
    pairs = strongest_pairs(dynamics)
    drawing, axes = figure(0.6 + 0.31 * max(len(pairs), 4), 1, 2, width_ratios=(0.8, 1.2))
    branching_by_background(axes[0, 0], alternatives, dynamics, level=LEVEL)
    reproduction_by_background(axes[0, 1], alternatives, pairs, level=LEVEL)
    axes[0, 0].set_title("Branching ratio")
    axes[0, 1].set_title("Further incidents after one")
    points = [float(np.median(each.branching_ratio)) for each in alternatives.values()]
    said = "is identified" if results.identified else "is not identified"
    return Figure(
        caption=f"The branching ratio {said} apart from the background: it lies between "
        f"{rate(min(points))} and {rate(max(points))} under {joined(list(alternatives))} "
        "backgrounds.",
        drawing=drawing,
        alternative="Medians and intervals of the branching ratio and of single arrows under "
        + joined(list(alternatives))
        + " backgrounds.",
        source="Median and 90 % interval, by maximum likelihood; headline: the study's own "
        "fit. Circle: constant, square: seasonal, diamond: trend background. Dotted: "
        "the ratio of 1.",
    )


def identification(results: Results) -> Note:
    """What the comparison of backgrounds means, with the rule that was used."""
    if results.identified:
        said = "The figures for who is followed by whom do not hang on the choice of background."
    else:
        said = (
            "Slow change of the rate and fast triggering look alike in these data: read the "
            "reproduction matrix as a range over backgrounds, not as one number."
        )
    rule = (
        "The rule: not identified where the ratio moves between backgrounds by more than half the "
        "width of the headline's 90 % interval."
    )
    return Note("warning", f"{said} {rule}")


def strongest_pairs(dynamics: Dynamics) -> list[tuple[int, int]]:
    """The largest entries (receiver, source) of R, at most eight, in the order of the streams."""
    middle = np.where(dynamics.arrows, np.median(dynamics.reproduction, axis=0), -1)
    order = np.argsort(-middle, axis=None, kind="stable")[:PAIRS]
    pairs = [(int(n) // len(middle), int(n) % len(middle)) for n in order]
    return sorted(p for p in pairs if middle[p] >= 0)


def share_bars(dynamics: Dynamics) -> Figure:
    """Background, own past and other streams, a bar a stream."""
    drawing, axes = figure(0.3 + 0.28 * len(dynamics.names))
    shares(axes[0, 0], dynamics)
    mean = np.mean(dynamics.shares[:, :, 0], axis=0)
    low, high = (short(dynamics.names[int(pick(mean))]) for pick in (np.argmin, np.argmax))
    return Figure(
        caption=f"By immediate cause, {portion(float(mean.max()))} of {high} is background, but "
        f"{portion(float(mean.min()))} of {low}."
        if len(mean) > 1
        else f"By immediate cause, {portion(float(mean[0]))} of {high} is background.",
        drawing=drawing,
        alternative="Stacked bars of the shares of expected incidents by background, own past and "
        "other streams.",
        source="Means of the draws, over the window. Immediate cause: the term of the model that "
        "expects the incident.",
    )


def response_panels(dynamics: Dynamics) -> list[Figure]:
    """After one incident in a row's stream, more in a column's: four by four panels a figure."""
    each = groups(len(dynamics.names))
    return [_responses(dynamics, sources, targets) for sources in each for targets in each]


def _responses(dynamics: Dynamics, sources: list[int], targets: list[int]) -> Figure:
    part = dynamics.responses[:, -1][:, targets][:, :, sources]
    top = float(np.quantile(part, 0.95, axis=0).max()) * 1.05 or 1.0
    # Several figures: two of them fit a page.
    height = 0.95 if len(dynamics.names) <= PER_FIGURE else 0.72
    drawing, axes = figure(
        0.55 + height * len(sources), len(sources), len(targets), sharex=True, sharey=True
    )
    for row, source in enumerate(sources):
        for column, target in enumerate(targets):
            ax = responses(axes[row, column], dynamics, source, target, top=min(top, 20.0))
            ax.tick_params(labelleft=column == 0, labelbottom=row == len(sources) - 1)
            ax.locator_params(axis="both", nbins=4)
            if row == 0:
                ax.set_title(
                    f"more in\n{wrapped(dynamics.names[target], 22, 2)}",
                    parse_math=False,
                    fontsize=8.5,
                )
        axes[row, 0].set_ylabel(
            f"after one in\n{wrapped(dynamics.names[source], 17, 3)}",
            parse_math=False,
            fontsize=8.5,
            rotation=0,
            ha="right",
            va="center",
            labelpad=6,
            linespacing=1.0,
        )
    drawing.supxlabel("days since", fontsize=8.5)
    horizon = float(dynamics.response_days[-1])
    middle = np.median(part, axis=0)
    to, of = np.unravel_index(int(np.argmax(middle)), middle.shape)
    first, then = (short(dynamics.names[n]) for n in (sources[int(of)], targets[int(to)]))
    return Figure(
        caption=f"Descendants included, one more incident in {first} is followed within "
        f"{horizon:.0f} days by {rate(float(middle.max()))} more in {then}.",
        drawing=drawing,
        alternative="Cumulative responses by day, one panel for each pair of streams.",
        source="Rows: the stream of the first incident. Columns: the stream of those that follow. "
        "Line: median; bands: 50 and 90 %. One scale.",
    )
