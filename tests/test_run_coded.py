from datetime import date
from pathlib import Path

import polars as pl
import pytest

from escalation.incidents import Incidents
from escalation.run.coded import codes_finding
from escalation.sources import Icews, read
from escalation.study import Study
from escalation.window import Window

TEXT = """
title = "t"
[data]
source = "{source}"
path = "x.tab"
start = 2018-01-01
end = 2019-01-01
[[streams]]
name = "a"
"""


def study(folder: Path, source: str) -> Study:
    path = folder / "study.toml"
    path.write_text(TEXT.format(source=source), "utf-8")
    return Study.from_toml(path)


def incidents(folder: Path, *codes: str) -> Incidents:
    path = folder / "x.tab"
    header, *rows = [line.split("\t") for line in Icews.specimen.splitlines()]
    for row, code in zip(rows, codes, strict=False):
        row[6] = code
    path.write_text("\n".join("\t".join(line) for line in [header, *rows]), "utf-8")
    return read(path, Window(date(2018, 1, 1), date(2019, 1, 1)), source="icews")


def test_known_codes_pass(tmp_path: Path) -> None:
    (finding,) = codes_finding(study(tmp_path, "icews"), incidents(tmp_path))
    assert (finding.name, finding.status) == ("Codes", "passed")
    assert finding.text == "CAMEO knows every code of the incidents."


def test_unknown_codes_are_a_warning_with_a_table(tmp_path: Path) -> None:
    (finding,) = codes_finding(study(tmp_path, "icews"), incidents(tmp_path, "1999", "1999", ""))
    assert finding.status == "warned"
    assert finding.text == (
        "3 of 3 incidents have a code that CAMEO lacks, and so no class: '1999' (the nearest is "
        "'19'), 2 of them; no code, 1 of them."
    )
    assert isinstance(finding.table, pl.DataFrame)
    assert len(finding.table) == 2


@pytest.mark.parametrize("source", ["table", "ucdp"])
def test_no_finding_where_there_is_nothing_to_know(tmp_path: Path, source: str) -> None:
    assert codes_finding(study(tmp_path, source), incidents(tmp_path)) == ()
