import csv
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from escalation.codes import CAMEO, INCIDENT_CLASSES, unknown_codes
from escalation.incidents import Incidents
from escalation.sources import Icews, read
from escalation.streams import crosses_border
from escalation.window import Window

SAMPLE = Path(__file__).parents[3] / "shared" / "data" / "samples" / "icews_2018_sample.tab"
WINDOW = Window(date(2018, 1, 1), date(2019, 1, 1))


@pytest.fixture
def lines() -> list[list[str]]:
    return [line.split("\t") for line in Icews.specimen.splitlines()]


def taken(lines: list[list[str]], folder: Path) -> Incidents:
    path = folder / "events.tab"
    path.write_text("\n".join("\t".join(line) for line in lines) + "\n", "utf-8")
    return read(path, WINDOW, source="icews")


def test_what_a_row_becomes(lines: list[list[str]], tmp_path: Path) -> None:
    rows = taken(lines, tmp_path).table.rows(named=True)
    by_id = {row["id"]: row for row in rows}
    first = by_id["1 2018-06-01"]
    assert (first["source"], first["source_country"]) == ("Military (Alpha)", "Alpha")
    assert (first["target"], first["target_country"]) == ("Red Army", None)
    assert (first["code"], first["incident_class"]) == ("195", "air or drone strike")
    assert (first["place"], first["place_precision"]) == ("Mill", "place")
    second, last = by_id["2 2018-06-02"], by_id["3 2018-06-01"]
    assert second["target"] == 'The "Lions"'
    assert (second["place"], second["place_precision"]) == ("Ford District", "district")
    assert [last[name] for name in ("place", "province", "country", "latitude")] == [None] * 4
    assert last["place_precision"] is None
    assert all(row["directed"] for row in rows)


def test_an_id_may_return_on_another_day(lines: list[list[str]], tmp_path: Path) -> None:
    lines[2][0] = lines[1][0]
    incidents = taken(lines, tmp_path)
    assert len(incidents) == 3
    lines[2][1] = lines[1][1]
    assert taken(lines, tmp_path).rejected["reason"].to_list() == ["stands in an earlier row too"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [("40", "040"), ("10", "010"), ("311", "0311"), ("141", "141"), ("0311", "0311"),
     ("190", "190"), ("1999", "1999"), ("", None)],
)  # fmt: skip
def test_codes_that_lost_their_zero_get_it_back(
    lines: list[list[str]], tmp_path: Path, written: str, meant: str | None
) -> None:
    lines[1][6] = written
    incidents = taken(lines, tmp_path)
    row = next(row for row in incidents.table.rows(named=True) if row["id"].startswith("1 "))
    assert row["code"] == meant
    assert row["incident_class"] == (
        CAMEO[meant].incident_class if meant and meant in CAMEO else None
    )


def test_an_unknown_code_is_kept_and_told(lines: list[list[str]], tmp_path: Path) -> None:
    lines[1][6] = "1999"
    incidents = taken(lines, tmp_path)
    assert len(incidents) == 3
    assert incidents.summary()["class"].to_list().count("(no class)") == 1
    assert unknown_codes(incidents.table["code"], "icews").rows() == [("1999", 1, "19")]


def test_a_row_with_too_few_fields_is_rejected(lines: list[list[str]], tmp_path: Path) -> None:
    lines[2] = lines[2][:7]
    incidents = taken(lines, tmp_path)
    assert len(incidents) == 2
    assert incidents.rejected["line"].to_list() == [3]
    assert "7 fields" in incidents.rejected["reason"][0]


@pytest.mark.skipif(not SAMPLE.exists(), reason="the shared samples are not here")
def test_the_sample_agrees_with_a_count_by_the_csv_module() -> None:
    incidents = read(SAMPLE, WINDOW, source="icews")
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    provenance = incidents.provenance
    assert (len(rows), provenance.rows_read, provenance.rows_taken) == (3705, 3705, 3705)
    assert incidents.rejected.is_empty()
    table = incidents.table
    assert Counter(table["code"]) == Counter(row["CAMEO Code"] for row in rows)
    assert Counter(table["date"].cast(str)) == Counter(row["Event Date"] for row in rows)
    pairs = Counter((row["Source Name"], row["Target Name"]) for row in rows)
    assert Counter(zip(table["source"], table["target"], strict=True)) == pairs
    missing = {"place": ("City", "District"), "province": ("Province",), "country": ("Country",),
               "source_country": ("Source Country",), "latitude": ("Latitude",)}  # fmt: skip
    for ours, theirs in missing.items():
        blank = sum(all(row[name] == "NA" for name in theirs) for row in rows)
        assert table[ours].null_count() == blank
    assert unknown_codes(table["code"], "icews").is_empty()
    for row in rows:
        code = CAMEO[row["CAMEO Code"]]
        assert code.name.casefold() == row["Event Text"].casefold()
        assert code.score == float(row["Intensity"])
    # Roots 18 to 20 by their first digits, but for the codes mapped to classes of other families.
    force = set(INCIDENT_CLASSES) & {"armed clash", "armed attack", "air or drone strike",
                                     "shelling", "bombing", "unconventional weapon",
                                     "violence against civilians", "abduction",
                                     "territory taken"}  # fmt: skip
    expected = sum(
        row["CAMEO Code"] == "175"
        or (row["CAMEO Code"][:2] in ("18", "19", "20") and row["CAMEO Code"] != "191")
        for row in rows
    )
    assert table["incident_class"].is_in(list(force)).sum() == expected


@pytest.mark.skipif(not SAMPLE.exists(), reason="the shared samples are not here")
def test_border_crossings_of_the_sample_agree_with_a_count_by_hand() -> None:
    incidents = read(SAMPLE, WINDOW, source="icews")
    with SAMPLE.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    known = [row for row in rows if "NA" not in (row["Source Country"], row["Country"])]
    across = sum(row["Source Country"] != row["Country"] for row in known)
    crossing = crosses_border(incidents)
    # Some of the 147 rows without a source country tell one in the name, which the text lacks.
    assert crossing.filter(incidents.table["source_country"].is_not_null()).sum() == across
    assert crossing.null_count() <= len(rows) - len(known)
