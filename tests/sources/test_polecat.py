from datetime import date
from pathlib import Path

import pytest

from escalation.codes import PLOVER, unknown_codes
from escalation.incidents import Incidents
from escalation.sources import Polecat, read
from escalation.window import Window

WINDOW = Window(date(2023, 1, 1), date(2024, 1, 1))


class File:
    def __init__(self, folder: Path) -> None:
        self.path = folder / "weekly.txt"
        self.header, *self.rows = [line.split("\t") for line in Polecat.specimen.split("\n")]

    def put(self, row: int, **values: str) -> None:
        for name, value in values.items():
            self.rows[row][self.header.index(name.replace("_", " "))] = value

    def read(self, **options: bool) -> Incidents:
        lines = ["\t".join(line) for line in [self.header, *self.rows]]
        self.path.write_text("\n".join(lines) + "\n", "utf-8")
        return read(self.path, WINDOW, source="polecat", options=options)


@pytest.fixture
def file(tmp_path: Path) -> File:
    return File(tmp_path)


def test_what_a_row_becomes(file: File) -> None:
    first, second, third = file.read().table.rows(named=True)
    assert (first["code"], first["incident_class"]) == ("ASSAULT/drone", "air or drone strike")
    assert (first["source"], first["target"]) == ("Alpha Air Force", "Red Army")
    assert (first["source_country"], first["country"]) == ("ALP", "BET")
    assert first["reported_on"] == date(2023, 3, 7)
    assert (first["place"], first["place_precision"], first["directed"]) == ("Mill", "place", True)
    assert (second["code"], second["incident_class"]) == ("PROTEST/demo", "protest")
    assert (second["target"], second["place_precision"]) == ("unknown", "province")
    assert (third["source"], third["target"]) == ("Alpha; Beta", "unknown")
    assert (third["code"], third["incident_class"]) == ("CONSULT", "diplomatic contact")
    assert (third["source_country"], third["directed"]) == (None, False)
    assert file.read().provenance.version == "NGEC_coder-Vers001"


@pytest.mark.parametrize(
    ("mode", "code", "incident_class", "directed"),
    [
        ("Firearms", "ASSAULT/firearms", "armed attack", True),
        ("sideAB", "ASSAULT/sideAB", "armed clash", False),
        ("", "ASSAULT", "armed attack", True),
        ("None", "ASSAULT", "armed attack", True),
        ("shouting", "ASSAULT/shouting", "armed attack", True),
    ],
)
def test_modes(file: File, mode: str, code: str, incident_class: str, directed: bool) -> None:
    file.put(0, Event_Mode=mode)
    incidents = file.read()
    row = incidents.table.row(0, named=True)
    assert (row["code"], row["incident_class"], row["directed"]) == (code, incident_class, directed)
    unknown = unknown_codes(incidents.table["code"], "polecat")
    assert unknown["code"].to_list() == ([] if code in PLOVER else [code])


def test_an_unknown_type_is_kept_and_told(file: File) -> None:
    file.put(1, Event_Type="PROTESST", Event_Mode="")
    incidents = file.read()
    assert len(incidents) == 3
    assert incidents.table["incident_class"].null_count() == 1
    assert unknown_codes(incidents.table["code"], "polecat").rows() == [("PROTESST", 1, "PROTEST")]


def test_names_that_were_not_resolved_are_those_of_the_story(file: File) -> None:
    file.put(0, Actor_Name="", Actor_Name_Raw="gunmen|armed men", Recipient_Name="None",
             Recipient_Name_Raw="a convoy")  # fmt: skip
    row = file.read().table.row(0, named=True)
    assert (row["source"], row["target"]) == ("gunmen; armed men", "a convoy")


def test_an_event_without_an_actor_is_rejected(file: File) -> None:
    file.put(0, Actor_Name="")
    assert file.read().rejected.rows() == [(2, "Actor Name", "", "is missing")]


@pytest.mark.parametrize("context", ["hypothetical", "military; Future", "negation"])
def test_what_did_not_happen_is_left_out_and_counted(file: File, context: str) -> None:
    file.put(0, Contexts=context)
    incidents = file.read()
    provenance = incidents.provenance
    assert (provenance.rows_read, provenance.rows_taken, provenance.rows_left_out) == (3, 2, 1)
    assert "a context says the event did not happen then" in provenance.remarks[0]
    assert len(file.read(unreal=True)) == 3


def test_a_header_with_more_names_than_the_rows_have_columns(file: File) -> None:
    expected = file.read().table
    file.header = [*file.header[:38], "Headline", "Text", *file.header[38:]]
    incidents = file.read()
    assert incidents.table.equals(expected)
    assert "the header names 42 columns, the first row has 40" in incidents.provenance.remarks[0]


def test_needless_tabs_at_the_end_of_each_line(file: File) -> None:
    expected = file.read().table
    file.header += ["", ""]
    file.rows = [[*row, "", ""] for row in file.rows]
    incidents = file.read()
    assert incidents.table.equals(expected)
    assert incidents.provenance.remarks[0].startswith("2 columns without a name")


def test_a_row_with_too_few_fields_is_rejected(file: File) -> None:
    file.rows[1] = file.rows[1][:9]
    assert file.read().rejected["reason"].to_list() == ["the row has 9 fields, the header 40"]
