"""Drawings of early warnings: the ranking, and what past warnings were worth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter

from escalation.parameters import FloatArray
from escalation.plots.style import GREY, HAIR, INK, PAST, TOTAL_COLOUR, colour, say, tint, wrapped

if TYPE_CHECKING:
    from escalation.early_warning import EarlyWarning, WarningRecord

Block = tuple[int, int]


def ranking(ax: Axes, warning: EarlyWarning, *, top: int = 15) -> Axes:
    """Probability of escalation of the `top` units, the likeliest first.

    Beside each bar stand the mean of the last periods and the mean that is expected.
    """
    table = warning.table().drop_nulls("probability").head(top)
    if table.is_empty():
        return say(ax, "no unit was watched")
    rows = list(range(table.height))
    values = table["probability"].to_numpy()
    ax.barh(rows, np.ones(len(rows)), height=0.62, color=tint(PAST, 0.25), linewidth=0)
    ax.barh(rows, values, height=0.62, color=TOTAL_COLOUR, linewidth=0)
    for row, told in zip(rows, table.iter_rows(named=True), strict=True):
        ax.text(
            1.02, row, f"{told['past_mean']:.2g} → {told['expected']:.2g}", va="center",
            color=INK, fontsize=8.5, parse_math=False,
        )  # fmt: skip
    ax.set_yticks(rows, [wrapped(name, 26, 1) for name in table["unit"]], parse_math=False)
    ax.set_ylim(len(rows) - 0.4, -0.6)
    _shares(ax, "x")
    ax.tick_params(axis="y", length=0)
    ax.spines["left"].set_visible(False)
    ax.set_xlabel(
        f"probability that the next {warning.periods} {warning.forecast.period}s exceed "
        f"{warning.factor:g} times the last {warning.against}",
        color=GREY,
    )
    ax.text(
        1.02, -0.75, f"a {warning.forecast.period}", va="bottom", color=GREY, fontsize=8.5,
        clip_on=False,
    )  # fmt: skip
    return ax


def reliability(
    ax: Axes,
    record: WarningRecord,
    model: str,
    block: Block,
    *,
    event: str = "escalation",
    level: float = 0.9,
    resamples: int = 500,
    rng: np.random.Generator | None = None,
) -> Axes:
    """How often it happened, given the probability that was told; on the diagonal if calibrated.

    The line is the isotonic regression of outcomes on probabilities, the band where it would lie
    with probability `level` were the probabilities right (Dimitriadis, Gneiting & Jordan 2021,
    PNAS 118); outcomes are taken as independent, so the band is too narrow where horizons overlap.
    Bars below: how often each probability was told.
    """
    from escalation.scores import isotonic_probability

    told, outcome, _ = record.cases(model, block, event)
    _square(ax, "probability that was told", "it happened")
    ax.plot([0, 1], [0, 1], color=INK, linewidth=0.7, linestyle=(0, (3, 2)))
    if not len(told):
        return say(ax, "no warnings")
    rng = rng or np.random.default_rng(0)
    order = np.argsort(told)
    grid = told[order]
    again = np.stack([
        isotonic_probability(grid, (rng.random(len(grid)) < grid).astype(float))
        for _ in range(resamples)
    ])  # fmt: skip
    ends = np.quantile(again, [(1 - level) / 2, (1 + level) / 2], axis=0)
    ax.fill_between(grid, *ends, color=tint(TOTAL_COLOUR, 0.22), linewidth=0)
    ax.plot(grid, isotonic_probability(grid, outcome[order]), color=TOTAL_COLOUR, linewidth=1.5)
    heights, edges = np.histogram(told, bins=20, range=(0, 1))
    ax.stairs(0.16 * heights / heights.max(), edges, fill=True, color=tint(GREY, 0.55), zorder=0)
    return ax


def roc(
    ax: Axes,
    record: WarningRecord,
    block: Block,
    *,
    models: Mapping[str, str] | None = None,
    event: str = "escalation",
) -> Axes:
    """Hits against false alarms as the threshold falls, a line a model; the diagonal is no skill.

    `models` maps names to colours; all models, in the colours of streams, unless given.
    """
    from escalation.scores import roc_area, roc_curve

    _square(ax, "false alarms, share of quiet cases", "hits, share of events")
    ax.plot([0, 1], [0, 1], color=INK, linewidth=0.7, linestyle=(0, (3, 2)))
    for model, hue, told, outcome in _cases(record, models, block, event):
        if 0 < outcome.sum() < len(outcome):
            false, true, _ = roc_curve(told, outcome)
            ax.plot(false, true, color=hue, label=f"{model}: {roc_area(told, outcome):.2f}")
    return _legend(ax, "area under the curve", "lower right")


def precision_recall(
    ax: Axes,
    record: WarningRecord,
    block: Block,
    *,
    models: Mapping[str, str] | None = None,
    event: str = "escalation",
) -> Axes:
    """Share of alarms that were right against share of events that had one, a line a model.

    The broken line is the share of events: the precision of alarms without skill.
    """
    from escalation.scores import average_precision
    from escalation.scores import precision_recall as curve

    _square(ax, "events with an alarm", "alarms that were right")
    for model, hue, told, outcome in _cases(record, models, block, event):
        if not outcome.sum():
            continue
        precision, recall, _ = curve(told, outcome)
        ax.step(
            np.concatenate([[0.0], recall]), np.concatenate([precision[:1], precision]), color=hue,
            where="pre", label=f"{model}: {average_precision(told, outcome):.2f}",
        )  # fmt: skip
        ax.axhline(outcome.mean(), color=INK, linewidth=0.7, linestyle=(0, (3, 2)))
    return _legend(ax, "mean precision", "upper right")


def decision_curve(
    ax: Axes,
    record: WarningRecord,
    block: Block,
    *,
    models: Mapping[str, str] | None = None,
    event: str = "escalation",
    most: float = 0.6,
    cost_ratio: float | None = None,
) -> Axes:
    """Net benefit of acting on warnings by the probability from which one acts.

    Grey: always acting; zero: never acting (Vickers & Elkin 2006). A vertical line marks the
    probability of a stated `cost_ratio`: an event without warning against acting in vain.
    """
    from escalation.scores import net_benefit

    thresholds = np.linspace(0.01, most, 119)
    ax.axhline(0, color=INK, linewidth=0.7)
    top, always = 0.0, None
    for model, hue, told, outcome in _cases(record, models, block, event):
        if not len(told):
            continue
        benefit = net_benefit(told, outcome, thresholds)
        always = net_benefit(np.ones(len(told)), outcome, thresholds)
        top = max(top, float(benefit.max()), float(always.max()))
        ax.plot(thresholds, benefit, color=hue, label=model)
    if always is None:
        return say(ax, "no warnings")
    ax.plot(thresholds, always, color=GREY, linestyle=(0, (4, 2)), label="always acting")
    if cost_ratio is not None:
        ax.axvline(1 / cost_ratio, color=GREY, linewidth=0.7)
        ax.text(
            1 / cost_ratio, -0.1 * top, f" cost ratio {cost_ratio:g}", color=GREY, fontsize=8,
            va="bottom",
        )  # fmt: skip
    ax.set_ylim(-0.12 * max(top, 0.01), 1.06 * max(top, 0.01))
    ax.set_xlim(0, most)
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:.0f} %"))
    ax.set_xlabel("probability from which one acts", color=GREY)
    ax.set_ylabel("net benefit, events a case", color=GREY)
    ax.legend(frameon=False, fontsize=8, loc="upper right", handlelength=1.4)
    return ax


def _cases(
    record: WarningRecord, models: Mapping[str, str] | None, block: Block, event: str
) -> Iterator[tuple[str, str, FloatArray, FloatArray]]:
    """Name and colour of each model, the probabilities that it told (n,), and outcomes (n,)."""
    if models is None:
        models = {name: colour(place) for place, name in enumerate(record.models)}
    for model, hue in models.items():
        told, outcome, _ = record.cases(model, block, event)
        yield model, hue, told, outcome


def _square(ax: Axes, x: str, y: str) -> None:
    ax.set_aspect("equal")
    ax.set_ylim(0, 1)
    for axis in ("x", "y"):
        _shares(ax, axis)
    ax.set_xlabel(x, color=GREY)
    ax.set_ylabel(y, color=GREY)


def _shares(ax: Axes, axis: str) -> None:
    """Percentages on one axis."""
    ticks, labels = [0, 0.25, 0.5, 0.75, 1], ["0", "25 %", "50 %", "75 %", "100 %"]
    if axis == "x":
        ax.set_xlim(0, 1)
        ax.set_xticks(ticks, labels)
    else:
        ax.set_yticks(ticks, labels)
    ax.grid(axis=axis, color=HAIR, linewidth=0.4)  # type: ignore[arg-type]
    ax.set_axisbelow(True)


def _legend(ax: Axes, title: str, place: Literal["lower right", "upper right"]) -> Axes:
    if not ax.get_legend_handles_labels()[0]:
        return say(ax, "no events")
    drawn = ax.legend(frameon=False, fontsize=8, loc=place, handlelength=1.4, title=title)
    drawn.get_title().set_fontsize(8)
    drawn.get_title().set_color(GREY)
    return ax
