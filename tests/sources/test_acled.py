"""ACLED's columns, old and new, against what its codebook says; every row is invented."""

import csv
import io
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from escalation import Actors, Window, read
from escalation.codes import INCIDENT_CLASSES, unknown_codes
from escalation.incidents import Incidents
from escalation.sources import Acled, DataError
from escalation.sources.acled import ACTOR_KINDS, NOBODY

WINDOW = Window(date(1990, 1, 1), date(2030, 1, 1))
FIRST = next(csv.DictReader(io.StringIO(Acled.specimen)))


def acled(*rows: dict[str, str], rename: dict[str, str] | None = None) -> Incidents:
    """Rows like the first of the specimen, each with changes."""
    usual = [{**FIRST, "event_id_cnty": f"X{n}", **row} for n, row in enumerate(rows)]
    return read(pl.DataFrame(usual).rename(rename or {}), WINDOW, source="acled")


def test_the_columns_are_those_of_an_export(shared: Path) -> None:
    path = shared / "data" / "samples" / "acled_columns.txt"
    names = path.read_text().strip().split(",")
    assert next(csv.reader(io.StringIO(Acled.specimen))) == names
    wanted = {**Acled.columns, **Acled.more, **Acled.used}
    assert {theirs[0] for theirs in wanted.values()} <= set(names)


def test_every_type_of_event_has_a_class(shared: Path) -> None:
    listed = pl.read_csv(shared / "data" / "samples" / "acled_event_categories.csv")
    rows = listed.select("event_type", "sub_event_type").to_dicts()
    found = acled(*rows).table
    assert len(found) == 25
    assert set(found["incident_class"]) <= set(INCIDENT_CLASSES)
    assert set(found["code"]) == set(listed["sub_event_type"])
    assert unknown_codes(found["code"], "acled").is_empty()
    force = [*range(9), 22, 23, 24]  # battles, explosions and violence against civilians
    by_code = dict(found.select("code", "incident_class").rows())
    violent = {by_code[rows[at]["sub_event_type"]] for at in force}
    assert violent == {
        "armed clash", "unconventional weapon", "air or drone strike", "bombing", "shelling",
        "violence against civilians", "abduction",
    }  # fmt: skip


def test_the_older_event_types_without_sub_events() -> None:
    older = [
        "Battle-No change of territory", "Battle-Government regains territory", "Remote violence",
        "Battle-Non-state actor overtakes territory", "Violence against civilians",
        "Riots/Protests", "Non-violent transfer of territory", "Strategic development",
        "Headquarters or base established",
    ]  # fmt: skip
    table = acled(*({"event_type": kind, "sub_event_type": ""} for kind in older)).table
    assert table["code"].to_list() == older
    assert not table["incident_class"].has_nulls()
    directed = dict(table.select("code", "directed").rows())
    assert [kind for kind in older if directed[kind]] == [
        "Remote violence", "Violence against civilians",
    ]  # fmt: skip


def test_an_unknown_type_is_kept_without_a_class_and_told() -> None:
    found = acled({"sub_event_type": "Armed clsh"})
    assert found.rejected.is_empty()
    assert found.table["incident_class"].to_list() == [None]
    assert unknown_codes(found.table["code"], "acled")["code"].to_list() == ["Armed clsh"]


@pytest.mark.parametrize(
    ("day", "precision", "first", "last"),
    [
        ("2023-05-17", "1", date(2023, 5, 17), date(2023, 5, 17)),
        ("2023-05-17", "", date(2023, 5, 17), date(2023, 5, 17)),
        ("2023-05-17", "2", date(2023, 5, 14), date(2023, 5, 20)),
        ("2023-01-02", "2", date(2022, 12, 30), date(2023, 1, 5)),
        ("2023-05-17", "3", date(2023, 5, 1), date(2023, 5, 31)),
        ("2024-02-29", "3", date(2024, 2, 1), date(2024, 2, 29)),
        ("17 May 2023", "1", date(2023, 5, 17), date(2023, 5, 17)),
        ("07 January 1997", "2", date(1997, 1, 4), date(1997, 1, 10)),
        ("19970107", "2", date(1997, 1, 4), date(1997, 1, 10)),
        ("7-Sep-2014", "1", date(2014, 9, 7), date(2014, 9, 7)),
        ("2023-05-17 00:00:00", "3", date(2023, 5, 1), date(2023, 5, 31)),
    ],
)
def test_precision_of_time_is_a_span(day: str, precision: str, first: date, last: date) -> None:
    found = acled({"event_date": day, "time_precision": precision})
    assert found.table.select("date", "date_latest").rows() == [(first, last)]


@pytest.mark.parametrize("day", ["30 February 2020", "17 Mai 2020", "32 May 2020", "May 2020 1"])
def test_a_day_that_does_not_exist_is_a_fault(day: str) -> None:
    rejected = acled({"event_date": day}).rejected
    assert rejected.rows() == [(2, "event_date", day, "is not a date (YYYY-MM-DD)")]


def test_unknown_precisions_are_faults() -> None:
    rejected = acled({"time_precision": "4"}, {"geo_precision": "9"}).rejected
    assert rejected.select("line", "column", "value").rows() == [
        (2, "time_precision", "4"), (3, "geo_precision", "9"),
    ]  # fmt: skip


def test_numbers_and_words_for_kinds_of_actors_mean_the_same() -> None:
    numbers = acled(*({"inter1": code, "inter2": "7"} for code in ACTOR_KINDS))
    words = acled(*({"inter1": word, "inter2": "Civilians"} for word in ACTOR_KINDS.values()))
    assert numbers.table["dyad"].equals(words.table["dyad"])
    assert numbers.table["dyad"][0] == "State forces - Civilians"
    older = acled(
        {"inter1": "State Forces", "inter2": "Rebel Groups"},
        {"inter1": "External/Other Forces", "inter2": "0"},
        {"inter1": "Aliens", "inter2": "1"},
    )
    assert older.table["dyad"].to_list() == [
        "State forces - Rebel group", None, "Aliens - State forces",
    ]  # fmt: skip


def test_who_acts_on_whom() -> None:
    rows = [
        {"event_type": "Battles"},
        {"event_type": "Explosions/Remote violence", "sub_event_type": "Grenade"},
        {"event_type": "Protests", "sub_event_type": "Peaceful protest", "actor2": ""},
        {"event_type": "Explosions/Remote violence", "actor2": "",
         "civilian_targeting": "Civilian targeting"},
        {"event_type": "Riots", "sub_event_type": "Mob violence"},
    ]  # fmt: skip
    table = acled(*rows).table
    assert table["directed"].to_list() == [False, True, True, True, False]
    blue = "BLA: Blue Army"
    assert table["target"].to_list() == [blue, blue, "nobody named", "Civilians", blue]
    assert table["certainty"].unique().to_list() == ["reported"]


@pytest.mark.parametrize("kind", ["7", "Civilians", "civilians", ""])
def test_civilians_act_on_nobody(kind: str) -> None:
    """Releases of 2015 and 2016 have them first where the police killed them."""
    first = {"actor1": "Civilians (Alpha)", "inter1": kind, "inter2": "1"}
    second = {"actor2": "Civilians (Alpha)", "inter1": "1", "inter2": kind}
    rows = [{"event_type": "Violence against civilians", **each} for each in (first, second)]
    table = acled(*rows).table
    assert table["directed"].to_list() == [False, True]
    assert table["source"].to_list() == ["Civilians (Alpha)", FIRST["actor1"]]  # as in the file


def test_a_release_of_2015_as_it_was_written(tmp_path: Path) -> None:
    """Header and forms are those of releases 5 to 7 (two repositories hold them), rows invented."""
    header = (
        "GWNO,EVENT_ID_CNTY,EVENT_ID_NO_CNTY,EVENT_DATE,YEAR,TIME_PRECISION,EVENT_TYPE,ACTOR1,"
        "ALLY_ACTOR_1,INTER1,ACTOR2,ALLY_ACTOR_2,INTER2,INTERACTION,COUNTRY,ADMIN1,ADMIN2,ADMIN3,"
        "LOCATION,LATITUDE,LONGITUDE,GEO_PRECISION,SOURCE,NOTES,FATALITIES"
    )
    rows = [
        "999,1ALP,1,01-January-2015,2015,1,Riots/Protests,Rioters (Alpha),,5,,,0,50,Alpha,Hills,,,"
        'Mill,30.5,70.25,3,Gazette,"Two lines,\nwith a ""word"".",0',
        "999,2ALP,2,02-January-2015,2015,2,Remote violence,Red Army,,2,,,0,20,Alpha,Hills,,,"
        "Ford,31,71,1,Gazette,Invented.,2",
    ]
    path = tmp_path / "acled.csv"
    path.write_text("\n".join([header, *rows]), "utf-8")
    incidents = read(path, WINDOW, source="acled")
    assert incidents.rejected.is_empty()
    second, first = incidents.table.rows(named=True)  # by their first possible days
    assert (first["id"], first["date"], first["target"]) == ("1ALP", date(2015, 1, 1), NOBODY)
    assert (first["place_precision"], first["dyad"]) == ("province", None)
    assert (second["date"], second["date_latest"]) == (date(2014, 12, 30), date(2015, 1, 5))
    assert (second["code"], second["deaths_best"]) == ("Remote violence", 2)
    # Other releases write the day as 18/04/2001, which must be said.
    path.write_text("\n".join([header, rows[1].replace("02-January-2015", "18/04/2001")]), "utf-8")
    assert read(path, WINDOW, source="acled").rejected["column"].to_list() == ["EVENT_DATE"]
    said = read(path, WINDOW, source="acled", dates="day first").table
    assert said.select("date", "date_latest").rows() == [(date(2001, 4, 15), date(2001, 4, 21))]


def test_rows_of_the_old_interface_as_a_data_frame_writes_them(tmp_path: Path) -> None:
    """A first column without a name, names in lower case and in the order of the alphabet."""
    text = (
        ",actor1,actor2,admin1,admin2,admin3,ally_actor_1,ally_actor_2,country,data_id,event_date,"
        "event_id_cnty,event_id_no_cnty,event_type,fatalities,geo_precision,gwno,inter1,inter2,"
        "interaction,latitude,location,longitude,notes,source,time_precision,year\n"
        "0,Red Army,Civilians (Alpha),Hills,Low,,,,Alpha,83522,2016-07-02,8188RTA,,"
        "Violence against civilians,6,2,999,2,7,27,30.5,Mill,70.25,Invented. ,Gazette ,1,2016\n"
    )
    path = tmp_path / "acled.csv"
    path.write_text(text, "utf-8")
    row = read(path, WINDOW, source="acled").table.row(0, named=True)
    assert (row["source"], row["target"]) == ("Red Army", "Civilians (Alpha)")
    assert (row["directed"], row["deaths_best"]) == (True, 6)


@pytest.mark.parametrize(
    ("name", "country"),
    [
        ("Military Forces of Pakistan (2018-2022)", "Pakistan"),
        ("Police Forces of Pakistan (2022-) Frontier Corps", "Pakistan"),
        ("Civilians (Afghanistan)", "Afghanistan"),
        ("Unidentified Armed Group (India)", "India"),
        ("BLA: Baloch Liberation Army", None),
    ],
)
def test_the_home_of_an_actor_is_read_off_its_name(name: str, country: str | None) -> None:
    assert Actors().home(acled({"actor1": name}).table["source"][0]) == country


def test_the_day_of_the_upload() -> None:
    days = acled({"timestamp": "1683590400"}, {"timestamp": ""}, {"timestamp": "2023-05-10"})
    assert days.table["reported_on"].to_list() == [date(2023, 5, 9), None, date(2023, 5, 10)]
    assert acled({"timestamp": "soon"}).rejected["column"].to_list() == ["timestamp"]


def test_columns_in_capitals_and_without_what_is_newer() -> None:
    expected = acled({}).table
    upper = acled({}, rename={name: name.upper() for name in FIRST}).table
    assert upper.equals(expected)
    newer = ("disorder_type", "civilian_targeting", "tags", "timestamp", "admin1", "geo_precision")
    frame = pl.DataFrame([{**FIRST, "event_id_cnty": "X0"}]).drop(newer)
    older = read(frame, WINDOW, source="acled").table
    assert older.drop("reported_on", "province", "place_precision").equals(
        expected.drop("reported_on", "province", "place_precision")
    )
    with pytest.raises(DataError, match=r"no column 'actor2' \(the nearest is 'actor1'\)|actor2"):
        read(frame.drop("actor2"), WINDOW, source="acled")


def test_place_and_deaths() -> None:
    table = acled(*({"geo_precision": grade, "fatalities": "7"} for grade in "123")).table
    assert table["place_precision"].to_list() == ["place", "district", "province"]
    assert table["deaths_best"].to_list() == [7, 7, 7]
    assert table["deaths_low"].null_count() == 3
    rejected = acled({"fatalities": "2.5"}, {"fatalities": "about 5"}).rejected
    assert rejected["column"].to_list() == ["fatalities"] * 2
