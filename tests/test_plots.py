"""Every drawing takes an axes, returns it, takes text as text, and never opens pyplot."""

import subprocess
import sys
import xml.etree.ElementTree as ElementTree
from datetime import date

import numpy as np
import pytest
from matplotlib.axes import Axes

from escalation import plots
from escalation.plots.series import mark_gaps
from escalation.plots.style import (
    STREAM_COLOURS,
    calendar,
    colour,
    figure,
    ink_on,
    legible,
    style,
    svg,
    tint,
)
from escalation.results import Results
from report.fakes import HORIZON, results

ODD = ("#strong[x] $y$ *z* _w_ <b> @ref", "plain & simple", "_leading underscore")


@pytest.fixture(scope="module")
def full() -> Results:
    return results()


@pytest.fixture(scope="module")
def odd() -> Results:
    return results(ODD)


def drawings(found: Results) -> dict[str, Axes]:
    """Draw everything once, each on axes of its own."""
    made = {}

    def ax(name: str) -> Axes:
        made[name] = figure(2.0)[1][0, 0]
        return made[name]

    skill = found.backtest.skill("climatology", [(1, HORIZON)]).filter(model="endemic-epidemic")
    share = found.backtest.calibration().filter(model="endemic-epidemic")
    hues = {name: colour(k) for k, name in enumerate(found.series.names)}
    late = found.nowcast
    assert late is not None
    returned = {
        "timeline": plots.timeline(ax("timeline"), found.incidents, found.study.streams),
        "counts": plots.counts(ax("counts"), found.series, 0, eras=[("$now$", date(2019, 1, 1))]),
        "reproduction": plots.reproduction(ax("reproduction"), found.dynamics),
        "responses": plots.responses(ax("responses"), found.dynamics, 0, 1),
        "shares": plots.shares(ax("shares"), found.dynamics),
        "branching": plots.branching_by_background(
            ax("branching"), found.alternatives, found.dynamics
        ),
        "by background": plots.reproduction_by_background(
            ax("by background"), found.alternatives, [(0, 0), (1, 0)]
        ),
        "fan": plots.fan(ax("fan"), found.forecast, 0, thresholds=(2,)),
        "reported within": plots.reported_within(ax("reported within"), late.fit, 1),
        "cumulative": plots.cumulative(ax("cumulative"), found.forecast, 0, thresholds=(9,)),
        "skill": plots.skill(ax("skill"), skill, labels=skill["stream"].to_list()),
        "pit": plots.pit(ax("pit"), found.backtest, "endemic-epidemic", "all streams"),
        "calibration": plots.calibration(ax("calibration"), share, hues=hues),
        "autocorrelation": plots.autocorrelation(ax("autocorrelation"), np.arange(30.0) % 7),
        "predictive": plots.predictive(
            ax("predictive"), found.series.counts[:, 0], found.series.counts.T[:2].astype(float)
        ),
    }
    assert returned == made
    return made


def texts(ax: Axes) -> str:
    """All text of the drawn SVG, tags gone."""
    tree = ElementTree.fromstring(svg(ax.figure))
    return " ".join(
        "".join(node.itertext()) for node in tree.iter("{http://www.w3.org/2000/svg}text")
    )


def test_every_drawing_returns_its_axes_and_is_the_same_twice(full: Results) -> None:
    with style():
        first = {name: svg(ax.figure) for name, ax in drawings(full).items()}
        second = {name: svg(ax.figure) for name, ax in drawings(full).items()}
    assert first == second


def test_names_are_drawn_as_they_are_written(odd: Results) -> None:
    with style():
        made = drawings(odd)
        for name in ("timeline", "reproduction", "shares", "skill", "calibration"):
            drawn = texts(made[name]).replace(" ", "")
            for word in ODD[0].split():
                assert word in drawn, name
        assert "$now$" in texts(made["counts"])


def test_letters_are_text_in_the_face_of_the_report(full: Results) -> None:
    with style():
        ax = plots.shares(figure(2.0)[1][0, 0], full.dynamics)
        assert "Libertinus Serif" in svg(ax.figure)
        assert "Attacks on A" in texts(ax)


def test_an_arrow_that_is_ruled_out_has_an_empty_cell(full: Results) -> None:
    with style():
        ax = plots.reproduction(figure(3.0)[1][0, 0], full.dynamics)
    size = len(full.dynamics.names)
    assert not full.dynamics.arrows.all()
    assert len(ax.patches) == int(full.dynamics.arrows.sum()) == size**2 - 1


def test_an_interval_that_touches_zero_is_hollow(full: Results) -> None:
    with style():
        ax = plots.reproduction(figure(3.0)[1][0, 0], full.dynamics)
    hollow = [p for p in ax.patches if p.get_facecolor()[:3] == (1.0, 1.0, 1.0)]
    lower, _ = full.dynamics.interval(0.9)
    assert lower[0, -1] == 0
    assert len(hollow) == int(((lower < 0.005) & full.dynamics.arrows).sum()) < len(ax.patches)


def test_an_empty_stream_says_so() -> None:
    silent = results(silent=(1,))
    with style():
        for ax in (
            plots.counts(figure(2.0)[1][0, 0], silent.series, 1),
            plots.timeline(figure(2.0)[1][0, 0], silent.incidents, silent.study.streams),
            plots.fan(figure(2.0)[1][0, 0], silent.forecast, 1),
        ):
            assert "no incidents in the window" in texts(ax)


def test_paths_that_were_stopped_do_not_stop_the_fan(full: Results) -> None:
    draws = full.forecast.draws.copy()
    draws[:20, 6:] = np.inf
    from dataclasses import replace

    with style():
        ax = plots.fan(figure(2.0)[1][0, 0], replace(full.forecast, draws=draws), 0)
        svg(ax.figure)
    assert np.isfinite(ax.get_ylim()).all()


def test_what_came_is_drawn_from_its_lowest_to_its_highest_figure(full: Results) -> None:
    best = full.last_observed[:, 0]
    ends = np.stack([best, best + 50])
    with style():
        ax = plots.fan(figure(2.0)[1][0, 0], full.last_forecast, 0, observed=best, ends=ends)
    drawn = [line for each in ax.collections for line in each.get_segments()[: len(best)]
             if len(line) == 2]  # fmt: skip
    assert {tuple(line[:, 1]) for line in drawn} >= set(map(tuple, ends.T))
    assert ax.get_ylim()[1] >= best.max() + 50


def test_a_threshold_close_to_another_is_not_drawn(full: Results) -> None:
    with style():
        ax = plots.fan(
            figure(2.0)[1][0, 0], full.forecast, 0, top=100.0, thresholds=(1, 30, 31, 80)
        )
    assert [t.get_text() for t in ax.texts if t.get_text().isdigit()] == ["30", "80"]


def test_shares_reported_rise_to_all(full: Results) -> None:
    late = full.nowcast
    assert late is not None
    with style():
        ax = plots.reported_within(figure(2.0)[1][0, 0], late.fit)
    heights = [bar.get_height() for bar in ax.patches]
    assert heights == sorted(heights) and heights[-1] == pytest.approx(100)
    assert len(heights) == late.fit.triangle.longest + 1


def test_gaps_are_hatched() -> None:
    with style():
        ax = mark_gaps(figure(2.0)[1][0, 0], [(date(2020, 1, 1), date(2020, 2, 1))])
    assert ax.patches[0].get_hatch()


@pytest.mark.parametrize(
    ("start", "end"),
    [("2020-01-01", "2020-03-01"), ("2020-01-06", "2021-05-01"), ("1989-01-01", "2021-12-31")],
)
def test_calendar_ticks_are_few_and_inside(start: str, end: str) -> None:
    with style():
        ax = figure(2.0)[1][0, 0]
        calendar(ax, np.datetime64(start), np.datetime64(end))
    low, high = ax.get_xlim()
    assert 1 <= len(ax.get_xticks()) <= 9
    assert all(low <= tick <= high for tick in ax.get_xticks())


def test_hues_differ_and_letters_on_them_can_be_read() -> None:
    assert len({colour(k) for k in range(12)}) == 12
    assert ink_on(tint(STREAM_COLOURS[0], 1.0)) == "white"
    assert ink_on(tint(STREAM_COLOURS[0], 0.2)) != "white"


def test_characters_without_a_glyph_are_spelt_out() -> None:
    assert legible("中a\u200eñ") == "[U+4E2D]a[U+200E]ñ"


def test_drawing_leaves_pyplot_and_settings_alone() -> None:
    code = (
        "import sys, matplotlib as mpl\n"
        "before = dict(mpl.rcParams)\n"
        "import escalation.plots as plots\n"
        "with plots.style():\n"
        "    plots.svg(plots.figure(1.0)[0])\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
        "assert dict(mpl.rcParams) == before\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True)
