"""The whole report: text as text, in the page, tagged, the same twice, whole or not at all."""

import os
import re
import stat
import subprocess
import sys
from datetime import date
from pathlib import Path

import pypdfium2 as pdfium
import pytest

from escalation.report import write_report
from escalation.report.render import compile_pdf, document, printable
from escalation.report.sections import SECTIONS
from escalation.results import Results
from report import fakes
from report.test_sections import outside

ODD = "#strong[x] $y$ *z* _w_ <b> @ref"
LONG = "Movement " + "of the very long name " * 6 + "and" + "x" * 90


def words(path: Path) -> list[str]:
    """Text of each page, runs of blanks as one, and without the breaks inside long words."""
    pdf = pdfium.PdfDocument(path)
    pages = [page.get_textpage().get_text_range() for page in pdf]
    pdf.close()
    return [re.sub(r"[\s\u00a0]+", " ", text.replace("\u200b", "")) for text in pages]


@pytest.fixture(scope="module")
def full() -> Results:
    return fakes.results(gaps=((date(2019, 3, 4), date(2019, 4, 1)),))


@pytest.fixture(scope="module")
def report(full: Results, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_report(full, tmp_path_factory.mktemp("report") / "report.pdf")


def test_every_section_is_there_in_order(report: Path, full: Results) -> None:
    pdf = pdfium.PdfDocument(report)
    titles = [mark.get_title() for mark in pdf.get_toc() if mark.level == 1]
    pdf.close()
    assert titles == [section.title for section in SECTIONS]


def test_every_text_lies_inside_the_column(report: Path) -> None:
    assert outside(report) == []


@pytest.mark.slow
def test_another_process_writes_the_same_bytes(full: Results, report: Path, tmp_path: Path) -> None:
    code = (
        "import datetime, sys\n"
        "from report import fakes\n"
        "from escalation.report import write_report\n"
        "gaps = ((datetime.date(2019, 3, 4), datetime.date(2019, 4, 1)),)\n"
        "write_report(fakes.results(gaps=gaps), sys.argv[1])"
    )
    again = tmp_path / "again.pdf"
    paths = os.pathsep.join([str(Path(__file__).parents[1]), *sys.path])
    environment = os.environ | {"PYTHONHASHSEED": "12345", "PYTHONPATH": paths}
    subprocess.run([sys.executable, "-c", code, str(again)], check=True, env=environment)
    assert again.read_bytes() == report.read_bytes()


def test_a_simulated_study_says_so_on_every_page(report: Path) -> None:
    pages = words(report)
    assert len(pages) >= len(SECTIONS)
    assert all("Simulated data." in page for page in pages)


def test_real_data_are_not_called_simulated(tmp_path: Path) -> None:
    real = fakes.results(simulated=False)
    shown = (SECTIONS[0], SECTIONS[3])
    text = " ".join(words(write_report(real, tmp_path / "real.pdf", sections=shown)))
    assert "Simulated" not in text and "Truth beside estimate" not in text


def test_the_summary_has_its_numbers(report: Path) -> None:
    summary = words(report)[0]
    for said in (
        "not identified",
        "80 % interval",
        "Building up?",
        "is followed by",
        "Limits.",
        "The lull is late reporting",
        "deaths in the next 12 weeks",
    ):
        assert said in summary
    assert "caused" not in summary and "retaliat" not in summary


def test_deaths_and_late_reports_have_their_numbers(report: Path) -> None:
    text = " ".join(words(report))
    for said in (
        "P (≥ 100)",
        "deaths, exceeded by one incident in a hundred",
        "Somewhere from low to high",
        "Tail index (90 %)",
        "Expected beyond",
        "Within the same week",
        "Reported so far",
        "deaths: tail index",
        "reports: pace",
    ):
        assert said in text


@pytest.mark.slow
def test_text_from_data_is_never_read_as_markup(tmp_path: Path) -> None:
    odd = fakes.results((ODD, "中文 \\u{41} #panic()", '"; image("x") //'))
    path = write_report(odd, tmp_path / "odd.pdf")
    text = " ".join(words(path))
    assert text.count(ODD) > 5
    assert "[U+4E2D][U+6587] \\u{41} #panic()" in text
    assert '"; image("x") //' in text
    assert outside(path) == []


@pytest.mark.slow
def test_twelve_streams_with_long_names_fit(tmp_path: Path) -> None:
    many = fakes.results(tuple(f"{k} {LONG}" for k in range(12)), silent=(3, 11))
    path = write_report(many, tmp_path / "many.pdf")
    assert outside(path) == []
    assert "no incidents in the window" in " ".join(words(path))


def test_the_file_is_tagged_and_titled(report: Path, full: Results) -> None:
    pdf = pdfium.PdfDocument(report)
    assert pdf.get_metadata_value("Title") == full.study.title
    pdf.close()
    content = report.read_bytes()
    assert b"/MarkInfo" in content and b"/StructTreeRoot" in content


def test_an_old_report_stays_when_writing_fails(
    full: Results, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.pdf"
    path.write_text("old")

    def fail(*_: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_report(full, path, sections=SECTIONS[:1])
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["report.pdf"]


def test_others_may_read_the_file(full: Results, tmp_path: Path) -> None:
    path = write_report(full, tmp_path / "report.pdf", sections=SECTIONS[-1:])
    plain = tmp_path / "plain"
    plain.touch()
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)


def test_pages_are_few(full: Results, report: Path) -> None:
    # One page a section, two for Late reports, Dynamics, Deaths, Track record and Method.
    assert len(words(report)) <= 16


def test_long_words_may_break_but_checksums_do_not() -> None:
    assert "\u200b" in printable("x" * 60)
    assert printable("ab" * 32) == "ab" * 32
    assert printable({"svg": "x" * 60}) == {"svg": "x" * 60}


def test_a_missing_alternative_text_is_refused(full: Results) -> None:
    content = document(full, SECTIONS[:1])
    for block in content["sections"][0]["blocks"]:
        block["alternative"] = None
    with pytest.raises(RuntimeError, match="alt"):
        compile_pdf(content)
