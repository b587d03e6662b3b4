"""The pages on deaths and on late reports, as the documentation shows them.

``python tests/studies/report_pages.py`` runs the study of the invented border to 5 July 2021, its
incidents with simulated dates of reports (geometric delays, 9 % reported a day; what that day does
not know of is taken out), and writes ``docs/images/report_deaths.png`` and ``report_late.png``. It
prints what was reported, nowcast and true of the last periods. ``--pages FOLDER`` writes all pages.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
import polars as pl

from escalation.report import write_report
from escalation.report.sections import DeathsSection, LateReports
from escalation.run import run
from escalation.series import CountSeries
from escalation.sources import read
from escalation.study import Study

ROOT = Path(__file__).parents[2]
BORDER = ROOT / "data/border"
ASKED = """
[nowcast]
report = "reported"
longest = 6
complete = true
fits = 10
"""
#: Share of what is not reported yet that is reported each day.
DAILY = 0.09


def late_border(folder: Path) -> tuple[Study, pl.DataFrame]:
    """The study with late reports, and its incidents with those that are not reported yet."""
    table = pl.read_csv(BORDER / "incidents.csv", try_parse_dates=True)
    delay = pl.Series(np.random.default_rng(0).geometric(DAILY, table.height) - 1)
    table = table.with_columns(reported=pl.col("date") + pl.duration(days=delay))
    text = (BORDER / "study.toml").read_text("utf-8")
    changes = {
        'engine = "nuts"': 'engine = "laplace"',
        "every = 8": "every = 24",
        "end = 2024-01-01": "end = 2021-07-05",
    }
    for old, new in changes.items():
        text = text.replace(old, new)
    file = folder / "study.toml"
    file.write_text(text + ASKED, encoding="utf-8")
    study = Study.from_toml(file)
    table.filter(pl.col("reported") < study.data.end).write_csv(folder / "incidents.csv")
    return study, table


def main() -> None:
    """Draw the pages."""
    import pypdfium2 as pdfium

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=Path, help="a folder for all pages")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        study, every = late_border(folder)
        results = run(study, progress=lambda label, done, _: print(label, done, flush=True))
        nowcast = results.nowcast
        assert nowcast is not None
        truth = CountSeries.from_incidents(
            read(every, study.window, columns=study.data.columns), study.streams, "week"
        ).counts[-6:]
        low, middle, high = np.quantile(nowcast.totals, [0.05, 0.5, 0.95], axis=0)
        for k, stream in enumerate(study.names):
            print(stream)
            for n in range(6):
                print(
                    f"  reported {nowcast.recorded.counts[n - 6, k]}, nowcast {middle[n, k]:.0f} "
                    f"({low[n, k]:.0f} to {high[n, k]:.0f}), in the end {truth[n, k]}"
                )
        pictures = {"report_deaths": [DeathsSection()], "report_late": [LateReports()]}
        for picture, sections in pictures.items():
            page = pdfium.PdfDocument(
                write_report(results, folder / f"{picture}.pdf", sections=sections)
            )[0]
            image = page.render(scale=1.6).to_pil()
            image.quantize(256).save(ROOT / f"docs/images/{picture}.png", optimize=True)
        if asked.pages is not None:
            pages = pdfium.PdfDocument(write_report(results, folder / "whole.pdf"))
            for number, page in enumerate(pages):
                page.render(scale=1.5).to_pil().save(asked.pages / f"{number:02d}.png")


if __name__ == "__main__":
    main()
