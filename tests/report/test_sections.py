"""What every section of the report must do, applied to all of them by discovery."""

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pypdfium2 as pdfium
import pytest

import escalation.report.sections as package
from discover import concrete
from escalation.plots.style import style
from escalation.report import write_report
from escalation.report.render import document
from escalation.report.sections import SECTIONS, DeathsSection, LateReports, Section
from escalation.report.sections.base import Figure, Note, Table, Text
from escalation.report.sections.deaths import box
from escalation.report.sections.deaths_law import law_table
from escalation.report.sections.late import by_period, by_stream, lull, usual
from escalation.report.sections.method import streams
from escalation.results import Results
from report import fakes

POINTS = 72 / 2.54  # of a centimetre
MARGIN = 2.25 * POINTS
NAMES = [type(section).__name__ for section in SECTIONS]
STUDIES = ("full", "empty", "one stream")


@cache
def study(name: str) -> Results:
    if name == "empty":
        return fakes.results(rate=0.0)
    if name == "one stream":
        return fakes.results(("Only",), simulated=False, failed=False)
    return fakes.results()


def outside(path: Path) -> list[str]:
    """Characters of a PDF that do not lie inside the text column of their page."""
    found = []
    document = pdfium.PdfDocument(path)
    for number, page in enumerate(document, start=1):
        width, height = page.get_size()
        text = page.get_textpage()
        for at in range(text.count_chars()):
            left, bottom, right, top = text.get_charbox(at)
            if left == right or text.get_text_range(at, 1).isspace():
                continue
            inside = MARGIN - 1 <= left and right <= width - MARGIN + 1
            if not (inside and bottom >= POINTS and top <= height - POINTS):
                around = text.get_text_range(max(at - 10, 0), 20)
                found.append(f"page {number}: {around!r} at {left:.0f}–{right:.0f}")
    document.close()
    return found


def test_every_section_is_exported_and_in_its_place() -> None:
    assert {type(section) for section in SECTIONS} == set(concrete(Section, package))
    assert [section.place for section in SECTIONS] == list(range(1, len(SECTIONS) + 1))


@pytest.mark.parametrize("section", SECTIONS, ids=NAMES)
@pytest.mark.parametrize(
    "name", [pytest.param(each, marks=[pytest.mark.slow] * (each == "full")) for each in STUDIES]
)
def test_a_section_alone_stays_in_its_pages_and_is_the_same_twice(
    section: Section, name: str, tmp_path: Path
) -> None:
    path = write_report(study(name), tmp_path / "one.pdf", sections=[section])
    assert outside(path) == []
    if name == "full":
        again = write_report(study(name), tmp_path / "two.pdf", sections=[section])
        assert again.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("section", SECTIONS, ids=NAMES)
@pytest.mark.parametrize("name", ("full", "empty"))
def test_blocks_say_what_to_see(section: Section, name: str) -> None:
    with style():
        blocks = section.blocks(study(name))
    asked = not isinstance(section, DeathsSection) or study(name).severity is not None
    assert bool(blocks) == asked
    for block in blocks:
        match block:
            case Figure():
                assert block.caption.endswith((".", "%")) and block.alternative
            case Table():
                assert block.caption.endswith(".") and block.rows and block.rows[0][0]
            case Text():
                assert all(said for _, said in block.paragraphs)
            case Note():
                assert block.text or block.figures


@pytest.mark.parametrize("section", [DeathsSection(), LateReports()], ids=lambda one: one.title)
def test_a_section_that_is_not_asked_for_is_left_out(section: Section) -> None:
    plain = fakes.results(deaths=False, late=False)
    assert section.blocks(plain) == []
    assert document(plain, [section])["sections"] == []


def test_a_simulated_law_has_its_truth_beside_it() -> None:
    found = study("full").severity
    assert found is not None
    told = law_table(study("full"), found).source
    # P(deaths >= x) = (1 + x / 2) ** -1.8
    assert "52 % without deaths, points 0, 5 and 23, tail index 0.56" in told.replace("\u00a0", " ")
    assert "truth" not in law_table(fakes.results(simulated=False), found).source


def test_a_stream_without_deaths_is_drawn_beside_the_others(tmp_path: Path) -> None:
    quiet = fakes.results(silent=(1,))
    assert outside(write_report(quiet, tmp_path / "one.pdf", sections=[DeathsSection()])) == []


def test_a_tail_without_a_mean_is_said() -> None:
    found = study("full").severity
    assert found is not None
    draws = found.fit.draws | {"tail_index": 1.0 + found.fit.draws["tail_index"]}
    heavy = law_table(study("full"), replace(found, fit=replace(found.fit, draws=draws)))
    assert "the mean may not exist in any stream" in heavy.caption
    assert {row[6] for row in heavy.rows} == {"may not exist"}


def test_a_lull_is_judged_by_the_nowcast() -> None:
    found = study("full").nowcast
    assert found is not None
    size = found.totals.shape[1]
    reported = found.fit.triangle.reported[-size:]
    before = usual(found).sum()
    assert reported.sum() < before

    def verdict(total: float) -> str:
        """Say what all streams together having so many would mean."""
        each = np.zeros_like(found.totals)
        each[:, 0, 0] = total
        return lull(replace(found, totals=each))

    assert verdict(before + 1).startswith("The lull is late reporting")
    assert verdict(before - 1).startswith("The lull is real")
    assert "with a probability of over 99" in verdict(before + 1).replace("\u00a0", " ")


def test_one_wild_draw_does_not_change_what_is_probable() -> None:
    found = study("full").nowcast
    assert found is not None
    wild = np.array(found.totals)
    wild[0] = 10**9
    other = replace(found, totals=wild)
    assert by_stream(other).caption == by_stream(found).caption
    shares = [[row[4] for row in by_period(one).rows] for one in (found, other)]
    assert shares[0] == shares[1]


def test_a_median_of_nothing_is_not_called_late() -> None:
    found = study("empty").nowcast
    assert found is not None
    few = np.array(found.totals)
    few[0] = 1
    assert "none is reported or expected" in by_stream(replace(found, totals=few)).caption


@pytest.mark.parametrize(
    ("period", "wanted"), [("week", "last year"), ("month", "the last 52 months")]
)
def test_the_past_is_said_in_its_periods(period: str, wanted: str) -> None:
    found = study("full").severity
    assert found is not None
    told = box(replace(found, forecast=replace(found.forecast, period=period)), (10,))
    assert wanted in told.figures[1][2].replace("\u00a0", " ")


def test_usual_is_what_as_many_watched_periods_had() -> None:
    found = study("full").nowcast
    assert found is not None
    size, triangle = found.totals.shape[1], found.fit.triangle
    np.testing.assert_allclose(usual(found), size * triangle.reported[:-size].mean(axis=0))


def test_a_table_with_a_row_too_short_is_refused() -> None:
    with pytest.raises(ValueError, match="2 columns wanted"):
        Table("Few.", ("a", "b"), (("only",),), (1, 0), "ll")


def test_crossings_are_counted_where_places_are_known() -> None:
    """The first stream's source is at home in A, its target in B; of the others nothing is told."""
    found = fakes.results()
    assert [row[-1] for row in streams(found).rows] == ["yes", *["not known"] * 3]
    table = found.incidents.table
    first = pl.int_range(pl.len()).over("source")
    place = pl.when(first < 5).then(pl.lit("A")).when(first < 12).then(pl.lit("B"))
    placed = replace(found.incidents, table=table.with_columns(place.alias("country")))
    rows = streams(replace(found, incidents=placed)).rows
    assert [row[-1] for row in rows] == ["7 of 12", *["not known"] * 3]
