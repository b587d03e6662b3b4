"""GDELT events: what the fields mean, and counts that the csv module finds too."""

import csv
import zipfile
from collections import Counter
from datetime import date
from pathlib import Path

import pytest

from escalation.actors import country
from escalation.codes import CAMEO
from escalation.incidents import Incidents
from escalation.sources import Gdelt, guess, read
from escalation.sources.gdelt import HEADS, NOBODY
from escalation.window import Window

SAMPLES = Path(__file__).parents[3] / "shared/data/samples"
WINDOW = Window(date(1970, 1, 1), date(2030, 1, 1))
NEW, OLD, OLDEST = HEADS


def row(head: tuple[str, ...] = NEW, **fields: str) -> str:
    """A line of an export file, good unless the fields say otherwise."""
    given = {
        "GlobalEventID": "900000001", "SQLDATE": "20200107", "Actor1Code": "PAK",
        "Actor2Code": "AFG", "IsRootEvent": "1", "EventCode": "190", "NumMentions": "3",
        "ActionGeo_Type": "4", "ActionGeo_FullName": "Mill, A, Pakistan",
        "ActionGeo_CountryCode": "PK", "ActionGeo_ADM1Code": "PK03", "ActionGeo_Lat": "30",
        "ActionGeo_Long": "70", "ActionGeo_FeatureID": "-1", "DATEADDED": "20200108",
    } | fields  # fmt: skip
    return "\t".join(given.get(name, "") for name in head) + "\n"


def taken(path: Path, *rows: str, **settings: bool) -> Incidents:
    path.write_text("".join(rows))
    return Gdelt(**settings).read(path, WINDOW)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "20200108.export.CSV"


def test_the_heads_have_the_numbers_of_fields_of_the_codebooks() -> None:
    assert [len(head) for head in HEADS] == [61, 58, 57]
    assert all(len(set(head)) == len(head) for head in HEADS)
    assert (NEW.index("EventCode"), NEW.index("DATEADDED"), OLD.index("DATEADDED")) == (26, 59, 56)


@pytest.mark.parametrize("name", ["gdelt1_export.tsv", "gdelt2_export.tsv"])
def test_the_sample_is_read_whole_and_counts_agree_with_the_csv_module(name: str) -> None:
    if not (SAMPLES / name).exists():
        pytest.skip("the samples are not here")
    with (SAMPLES / name).open(newline="") as file:
        lines = list(csv.reader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    heads = {len(head): head for head in HEADS}
    rows = [dict(zip(heads[len(line)], line, strict=True)) for line in lines]
    incidents = read(SAMPLES / name, WINDOW, "gdelt")
    table = incidents.table
    assert (len(rows), len(table), len(incidents.rejected)) == (100, 100, 0)
    assert table["reports"].sum() == sum(int(each["NumMentions"]) for each in rows)
    assert Counter(table["code"]) == Counter(each["EventCode"] for each in rows)
    assert Counter(table["incident_class"]) == Counter(
        CAMEO[each["EventCode"]].incident_class for each in rows
    )
    for side, field in (("source", "Actor1Code"), ("target", "Actor2Code")):
        assert Counter(table[side]) == Counter(each[field].strip() or NOBODY for each in rows)
    assert Counter(str(day).replace("-", "") for day in table["date"]) == Counter(
        each["SQLDATE"] for each in rows
    )
    assert Counter(str(day).replace("-", "") for day in table["reported_on"]) == Counter(
        each["DATEADDED"][:8] for each in rows
    )
    lands = [country(each["ActionGeo_CountryCode"], "fips") for each in rows]
    assert Counter(table["country"]) == Counter(land.name if land else None for land in lands)
    placed = [each for each in rows if each["ActionGeo_Type"] not in ("", "0")]
    assert table["place_precision"].count() == table["latitude"].count() == len(placed)
    assert table["latitude"].sum() == pytest.approx(
        sum(float(each["ActionGeo_Lat"]) for each in placed)
    )
    roots = sum(each["IsRootEvent"] == "1" for each in rows)
    assert len(Gdelt(root_only=True).read(SAMPLES / name, WINDOW)) == roots
    keys = ("SQLDATE", "Actor1Code", "Actor2Code", "EventCode", "ActionGeo_FeatureID")
    events = {tuple(each[key] for key in keys) for each in rows}
    assert len(Gdelt(once=True).read(SAMPLES / name, WINDOW)) == len(events)
    assert guess(SAMPLES / name)[0] == "gdelt"


def test_a_row_without_an_actor_is_an_event_of_an_unknown_one(path: Path) -> None:
    incidents = taken(path, row(Actor2Code=""), row(GlobalEventID="2", Actor1Code=" "))
    assert incidents.table.select("source", "target").rows() == [("PAK", NOBODY), (NOBODY, "AFG")]


def test_fields_mean_what_the_codebook_says(path: Path) -> None:
    incidents = taken(
        path,
        row(DATEADDED="20200109121500", Actor1CountryCode="PAK", Actor2CountryCode="AFR"),
        row(GlobalEventID="2", ActionGeo_Type="1", ActionGeo_ADM1Code="PK"),
        row(GlobalEventID="3", ActionGeo_Type="5", ActionGeo_ADM1Code="PK00"),
        row(GlobalEventID="4", ActionGeo_Type="0", ActionGeo_Lat="0", ActionGeo_Long="0",
            ActionGeo_FullName="", ActionGeo_CountryCode="", ActionGeo_ADM1Code=""),
    )  # fmt: skip
    first, second, third, fourth = incidents.table.iter_rows(named=True)
    assert (first["date"], first["reported_on"]) == (date(2020, 1, 7), date(2020, 1, 9))
    assert (first["source_country"], first["target_country"]) == ("Pakistan", "AFR")
    assert (first["country"], first["province"], first["place_precision"]) == (
        "Pakistan",
        "PK03",
        "place",
    )
    assert (first["reports"], first["incident_class"]) == (3, CAMEO["190"].incident_class)
    assert first["directed"] is True
    assert (second["province"], second["place_precision"]) == (None, "country")
    assert (third["province"], third["place_precision"]) == (None, "province")
    nowhere = [fourth[name] for name in ("country", "place", "latitude", "place_precision")]
    assert nowhere == [None] * 4


def test_codes_that_are_not_known_stay(path: Path) -> None:
    incidents = taken(path, row(EventCode="999", ActionGeo_CountryCode="OS"))
    assert incidents.table.select("code", "incident_class", "country").rows() == [
        ("999", None, "OS")
    ]


@pytest.mark.parametrize(
    ("fields", "column", "reason"),
    [
        ({"SQLDATE": "20201399"}, "SQLDATE", "is not a date (YYYY-MM-DD)"),
        ({"SQLDATE": ""}, "SQLDATE", "is missing"),
        ({"GlobalEventID": ""}, "GlobalEventID", "is missing"),
        ({"NumMentions": "-1"}, "NumMentions", "is negative"),
        ({"ActionGeo_Lat": "4#.5"}, "ActionGeo_Lat", "is not a number"),
        ({"ActionGeo_Long": "181"}, "ActionGeo_Long", "is not within 180 degrees"),
        ({"DATEADDED": "2020010812150"}, "DATEADDED", "is not a date (YYYY-MM-DD)"),
    ],
)
def test_a_fault_names_line_and_field(
    path: Path, fields: dict[str, str], column: str, reason: str
) -> None:
    incidents = taken(path, row(GlobalEventID="7"), row(**fields))
    assert len(incidents) == 1
    line, found, value, why = incidents.rejected.row(0)
    assert (line, found, value, why) == (2, column, fields[column], reason)


def test_rows_with_other_numbers_of_fields_are_kept_apart(path: Path) -> None:
    incidents = taken(path, row(), row()[:40] + "\n", row(GlobalEventID="2").replace("\n", "\tx\n"))
    assert incidents.rejected["line"].to_list() == [2, 3]
    assert incidents.provenance.rows_read == 3


def test_a_file_may_mix_the_layouts_of_version_1(path: Path) -> None:
    incidents = taken(
        path, row(OLDEST, GlobalEventID="1"), row(OLD, GlobalEventID="2"),
        row(OLDEST, GlobalEventID="3"),
    )  # fmt: skip
    assert incidents.table["id"].to_list() == ["1", "2", "3"]
    assert incidents.table["reported_on"].to_list() == [date(2020, 1, 8)] * 3


def test_a_quote_is_a_letter(path: Path) -> None:
    odd = row(GlobalEventID="1", SOURCEURL='http://x/"a', ActionGeo_FullName='"Mill')
    incidents = taken(path, odd, row(GlobalEventID="2"))
    assert incidents.table["place"].to_list() == ['"Mill', "Mill, A, Pakistan"]


def test_an_export_comes_zipped_or_with_the_names_of_its_columns(tmp_path: Path) -> None:
    packed = tmp_path / "20200108000000.export.CSV.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("20200108000000.export.CSV", row())
    named = tmp_path / "named.tsv"
    named.write_text("\t".join(NEW) + "\n" + row())
    expected = taken(tmp_path / "plain.CSV", row())
    for each in (packed, named):
        assert Gdelt().read(each, WINDOW).table.equals(expected.table)


def test_what_was_asked_to_be_left_out_is_counted_apart(path: Path) -> None:
    rows = (
        row(GlobalEventID="1"),
        row(GlobalEventID="2", NumMentions="9"),
        row(GlobalEventID="3", IsRootEvent="0"),
        row(GlobalEventID="4", EventCode="1"),
        row(GlobalEventID="5", SQLDATE="19601231"),
        row(GlobalEventID="6", ActionGeo_FeatureID="-2"),
        row(GlobalEventID="7", SQLDATE="never"),
    )
    told = taken(path, *rows).provenance
    assert (told.rows_taken, told.rows_left_out, told.remarks) == (5, 0, (Gdelt.caution,))
    once = taken(path, *rows, once=True)
    assert once.table["id"].to_list() == ["1", "4", "6"]
    told = once.provenance
    assert (told.rows_rejected, told.rows_outside, told.rows_left_out) == (1, 1, 2)
    assert told.remarks == (
        "2 rows left out: the event stands in an earlier row too",
        Gdelt.caution,
    )
    assert "2 left out as asked" in str(told)
    both = taken(path, *rows, once=True, root_only=True).provenance
    assert (both.rows_taken, both.rows_left_out) == (3, 2)


def test_an_event_that_was_left_out_or_rejected_is_not_the_earlier_row(path: Path) -> None:
    rows = (
        row(GlobalEventID="1", IsRootEvent="0"),
        row(GlobalEventID="2", ActionGeo_Lat="north"),
        row(GlobalEventID="3"),
    )
    assert taken(path, *rows, once=True, root_only=True).table["id"].to_list() == ["3"]
