"""Real rows through the played interfaces are read as those of the file that they came from."""

import csv
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from polars.testing import assert_frame_equal

from escalation.fetch import GdeltRequest, Policy, UcdpRequest
from escalation.sources import read
from escalation.window import Window
from played import UCDP_TOKEN, Gdelt, Ucdp, zipped
from served import serve

QUICK = Policy(pause=0, backoff=0, attempts=1, timeout=10)
ALWAYS = Window(date(1970, 1, 1), date(2030, 1, 1))


def as_the_api(text: str) -> Any:
    """A cell as JSON has it: numbers and truth as such, nothing as null."""
    if text in ("", "true", "false"):
        return {"": None, "true": True, "false": False}[text]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def test_candidate_events_of_ucdp(
    tmp_path: Path, shared: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UCDP_TOKEN", UCDP_TOKEN)
    sample = shared / "data/samples/ucdp_candidate_23_0_10.csv"
    with sample.open(newline="", encoding="utf-8-sig") as file:
        rows = [{k: as_the_api(v) for k, v in row.items()} for row in csv.DictReader(file)]
    with serve(Ucdp(rows)) as served:
        found = UcdpRequest("23.0.10", base=served.base).fetch(tmp_path / "c.csv", policy=QUICK)
    assert (found.rows, found.files, found.notes) == (2391, 3, ())
    ours, theirs = (read(path, ALWAYS, source="ucdp") for path in (found.path, sample))
    assert_frame_equal(ours.table, theirs.table)
    assert ours.provenance.rows_rejected == theirs.provenance.rows_rejected


@pytest.mark.parametrize(
    ("generation", "name"), [(2, "20230101000000.export.CSV"), (1, "20230101.export.CSV")]
)
def test_export_lines_of_gdelt(tmp_path: Path, shared: Path, generation: int, name: str) -> None:
    sample = shared / f"data/samples/gdelt{generation}_export.tsv"
    api = Gdelt({f"{name}.zip": zipped(name, sample.read_bytes())}, generation=generation)
    with serve(api) as served:
        request = GdeltRequest(
            date(2023, 1, 1), date(2023, 1, 2), generation=generation, base=served.base
        )
        found = request.fetch(tmp_path / "gdelt", policy=QUICK)
    assert (found.files, found.missing) == (1, ())
    ours = read(found.path / f"{name}.zip", ALWAYS, source="gdelt")
    theirs = read(sample, ALWAYS, source="gdelt")
    assert ours.provenance.rows_read == 100
    assert_frame_equal(ours.table, theirs.table)
