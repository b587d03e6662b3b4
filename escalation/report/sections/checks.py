"""Checks: may the figures be trusted? Failed ones first, in red."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import NDArray

from escalation.checks import pearson
from escalation.counts.endemic_epidemic import EndemicEpidemic
from escalation.plots.checks import autocorrelation, predictive
from escalation.plots.style import colour, figure, wrapped
from escalation.report.sections.base import Block, Figure, Section, Table, Text
from escalation.report.wording import counts_between, number_word, sentence, short, some

if TYPE_CHECKING:
    from escalation.results import Results

REPLICATES = 200
ORDER = ("failed", "warned", "passed")


class Checks(Section):
    """A table of findings, and drawings of what failed."""

    title: ClassVar[str] = "Checks"
    place: ClassVar[int] = 9

    def blocks(self, results: Results) -> list[Block]:
        """Findings by severity."""
        findings = sorted(results.findings, key=lambda finding: ORDER.index(finding.status))
        if not findings:
            return [Text.of("No check was run.")]
        tally = {status: sum(f.status == status for f in findings) for status in ORDER}
        caption = (
            f"{some(tally['failed'], 'check')} failed, {number_word(tally['warned'])} warned, "
            f"{number_word(tally['passed'])} passed."
        )
        return [
            Table(
                caption=sentence(caption),
                header=("Result", "Check", "What it means for the figures before"),
                rows=tuple((f.status, f.name, f.text) for f in findings),
                widths=(0, 0.42, 1),
                align="lll",
                marks=tuple("failed" if f.status == "failed" else "" for f in findings),
            ),
            *drawings(results),
        ]


def drawings(results: Results) -> list[Figure]:
    """What each stream's counts and residuals look like beside those of the fitted model."""
    fit, series = results.fit, results.series
    if not isinstance(fit.model, EndemicEpidemic) or not series.counts.any():
        return []
    replicated = fit.replicate(np.random.default_rng(results.run.seed), REPLICATES)
    with np.errstate(invalid="ignore"):  # nothing is expected where nobody watched
        residuals = pearson(fit)
    used = np.isfinite(residuals).all(axis=1)
    groups = [range(series.n_streams)[n : n + 4] for n in range(0, series.n_streams, 4)]
    return [_panels(results, list(group), replicated[:, used], residuals, used) for group in groups]


def _panels(
    results: Results,
    group: list[int],
    replicated: NDArray[np.float64],
    residuals: NDArray[np.float64],
    used: NDArray[np.bool_],
) -> Figure:
    names, period = results.series.names, results.series.period
    drawing, axes = figure(3.5, 2, max(len(group), 3))
    for ax in axes[:, len(group) :].flat:
        ax.set_axis_off()
    for column, stream in enumerate(group):
        hue, observed = colour(stream), results.series.counts[used, stream]
        top = predictive(axes[0, column], observed, replicated[:, :, stream], hue=hue)
        top.set_title(wrapped(names[stream], 24, 2), parse_math=False, fontsize=8.5)
        top.set_xlabel(f"incidents a {period}", fontsize=8.5)
        bottom = autocorrelation(axes[1, column], residuals[:, stream], hue=hue)
        bottom.set_xlabel(f"lag, {period}s", fontsize=8.5)
    axes[0, 0].set_ylabel(f"{period}s", fontsize=8.5)
    axes[1, 0].set_ylabel("autocorrelation", fontsize=8.5)
    return Figure(
        caption=_zeros(results, group, replicated, used),
        drawing=drawing,
        alternative="Above, the distribution of counts observed and simulated from the fit, a "
        "panel a stream; below, the autocorrelation of the residuals.",
        source=f"Above: bars, {period}s observed with so many incidents; dots and lines, median "
        "and 90 % of series simulated from the fit. Below: autocorrelation of Pearson residuals; "
        "grey, where 95 % should lie without memory.",
    )


def _zeros(
    results: Results,
    group: list[int],
    replicated: NDArray[np.float64],
    used: NDArray[np.bool_],
) -> str:
    """The stream whose quiet periods the fitted model matches least, in a sentence."""
    seen = (results.series.counts[used][:, group] == 0).sum(axis=0)
    made = (replicated[:, :, group] == 0).sum(axis=1)
    below, above = (made <= seen).mean(axis=0), (made >= seen).mean(axis=0)
    worst = int(np.argmin(np.minimum(below, above)))
    low, high = np.quantile(made[:, worst], [0.05, 0.95])
    period = results.series.period
    name = short(results.series.names[group[worst]])
    return (
        f"{name} had {some(int(seen[worst]), period)} without incidents, where the fitted model "
        f"makes {counts_between(low, high)}"
        + (
            "; of quiet periods, the other streams had numbers nearer to the fit."
            if len(group) > 1
            else "."
        )
    )
