from datetime import date
from typing import Any

import polars as pl
import pytest

from escalation.actors import Actor, Actors
from escalation.incidents import Incidents
from escalation.sources import read
from escalation.streams import Stream, crosses_border, home_countries
from escalation.window import Window

ACTORS = Actors(
    (
        Actor("North army", ("Army of the North",), home="North"),
        Actor("Raiders", ("The Raiders",), home="South"),
        Actor("Villagers", home="North"),
        Actor("Wanderers"),
    )
)
ROWS = pl.DataFrame(
    [
        # source, target, dyad, class, country, certainty
        ("Army of the North", "the raiders", "N - R", "raid", "South", "confirmed"),
        ("Raiders", "North  Army", "N - R", "raid", "North", "alleged"),
        ("RAIDERS", "Villagers", None, "attack", "North", "reported"),
        ("Wanderers", "Villagers", None, "attack", "North", "denied"),
    ],
    schema=["source", "target", "dyad", "incident_class", "country", "certainty"],
    orient="row",
).with_columns(date=pl.lit("2020-02-03"))


@pytest.fixture
def incidents() -> Incidents:
    return read(ROWS, Window(date(2020, 1, 1), date(2021, 1, 1)))


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({}, [2, 3, 4, 5]),
        ({"source": ("North army",)}, [2]),
        ({"source": ("raiders",)}, [3, 4]),
        ({"source": ("Raiders",), "target": ("North army",)}, [3]),
        ({"source": ("Raiders",), "target": ("North army",), "directed": False}, [2, 3]),
        ({"source": ("Villagers",), "directed": False}, [4, 5]),
        ({"target": ("The Raiders",), "directed": False}, [2, 3, 4]),
        ({"dyad": ("n - r",)}, [2, 3]),
        ({"classes": ("Attack",), "countries": ("north",)}, [4, 5]),
        ({"certainty": ("alleged", "denied")}, [3, 5]),
        ({"source": ("nobody",)}, []),
    ],
)
def test_select(incidents: Incidents, given: dict[str, Any], lines: list[int]) -> None:
    chosen = Stream("s", **given).select(incidents, ACTORS)
    assert sorted(chosen.table["id"].cast(int)) == lines
    assert chosen.window is incidents.window


def test_aliases_count_only_through_actors(incidents: Incidents) -> None:
    stream = Stream("s", source=("Army of the North",))
    assert len(stream.select(incidents)) == 1
    assert len(Stream("s", source=("North army",)).select(incidents)) == 0


def test_misspelt_names_are_found(incidents: Incidents) -> None:
    stream = Stream("s", source=("Raider",), target=("Villagers",), countries=("Nrth",))
    assert stream.unmatched(incidents, ACTORS) == {"Raider": "Raiders", "Nrth": "North"}
    assert Stream("s", dyad=("N - R",), classes=("RAID",)).unmatched(incidents) == {}


@pytest.mark.parametrize(
    ("given", "crosses"),
    [
        ({"source": ("Raiders",), "countries": ("North",)}, True),
        ({"source": ("The Raiders",), "target": ("Villagers",)}, True),
        ({"source": ("Raiders",), "countries": ("south",)}, False),
        ({"source": ("North army",), "target": ("Villagers",)}, False),
        ({"source": ("Raiders", "North army"), "countries": ("North",)}, None),
        ({"source": ("Raiders",), "countries": ("North", "South")}, None),
        ({"source": ("Wanderers",), "countries": ("North",)}, None),
        ({"source": ("Raiders",)}, None),
        ({"dyad": ("N - R",)}, None),
        ({"source": ("North army",), "target": ("Raiders",), "directed": False}, True),
        ({"source": ("North army",), "target": ("Villagers",), "directed": False}, False),
        ({"source": ("North army",), "countries": ("North",), "directed": False}, None),
        ({"source": ("Raiders",), "countries": ("North",), "directed": False}, True),
    ],
)
def test_crosses_border(given: dict[str, Any], crosses: bool | None) -> None:
    assert Stream("s", **given).crosses_border(ACTORS) is crosses


def test_without_actors_no_border_is_known() -> None:
    assert Stream("s", source=("Raiders",), countries=("North",)).crosses_border() is None


@pytest.mark.parametrize(
    ("given", "label"),
    [
        ({"source": ("A", "B"), "target": ("C",)}, "A or B → C"),
        ({"target": ("C",)}, "anyone → C"),
        ({"source": ("A",), "target": ("C",), "directed": False}, "between A and C"),
        ({"dyad": ("A - C",), "directed": False}, "between A - C"),
        ({"source": ("A",), "directed": False}, "between A and others"),
        ({"classes": ("raid",)}, "s"),
    ],
)
def test_label_says_who_acts_only_where_it_is_known(given: dict[str, Any], label: str) -> None:
    assert Stream("s", **given).label == label


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": ""}, "needs a name"),
        ({"name": "s", "source": "TTP"}, "'s': source must be a tuple of names, got 'TTP'"),
        ({"name": "s", "certainty": ("sure",)}, "certainty must be among confirmed"),
    ],
)
def test_bad_streams(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Stream(**given)


CODED = pl.DataFrame(
    [
        # date, source, its country, target, its country, code, class, country, directed
        ("2020-01-01", "PAKMIL", "Pakistan", "AFGREB", "Afghanistan", "195", "air or drone strike",
         "Afghanistan", "true"),
        ("2020-01-02", "TTP", None, "PAKMIL", "PAK", "193", "armed clash", "Pakistan", "true"),
        ("2020-01-03", "Taliban (Afghanistan)", None, "Police (Pakistan)", None, "190",
         "armed clash", "PK", "true"),
        ("2020-01-04", "Government of Pakistan", None, "Taleban", None, "1", "state-based",
         "Islamic Republic of Pakistan", "false"),
        ("2020-01-05", "Police (Pakistan)", "Pakistan", "CVL", None, "141", "protest", "Pakistan",
         "true"),
        ("2020-01-06", "unknown", None, "PAKGOV", "Pakistan", "182", None, None, "true"),
        ("2020-01-07", "Army", None, "Civilians (Pakistan)", None, "1951", "air or drone strike",
         "Pakistan", "false"),
    ],
    schema=["date", "source", "source_country", "target", "target_country", "code",
            "incident_class", "country", "directed"],
    orient="row",
)  # fmt: skip
KNOWN = Actors(
    (
        Actor("TTP", home="AFG"),
        Actor("Taleban", home="Afghanistan"),
        Actor("Army", home="Pakistan", codes=("PAKMIL*",)),
    )
)


@pytest.fixture
def coded() -> Incidents:
    return read(CODED, Window(date(2020, 1, 1), date(2021, 1, 1)))


def days(incidents: Incidents) -> list[int]:
    return incidents.table["date"].dt.day().to_list()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"codes": ("190",)}, [3]),
        ({"codes": ("19*",)}, [1, 2, 3, 7]),
        ({"codes": ("195*", "141")}, [1, 5, 7]),
        ({"codes": ("99*",)}, []),
        ({"classes": ("armed clash",)}, [2, 3, 4]),
        ({"classes": ("state-based",)}, [4]),
        ({"classes": ("armed force",)}, [1, 2, 3, 4, 7]),
        ({"classes": ("Unrest", "air or drone strike")}, [1, 5, 7]),
        ({"countries": ("PAK",)}, [2, 3, 4, 5, 7]),
        ({"countries": ("Afghanistan", "586")}, [1, 2, 3, 4, 5, 7]),
        ({"source": ("Army",)}, [1, 7]),
        ({"source_homes": ("Afghanistan",)}, [2, 3]),
        ({"source_homes": ("AF",), "source": ("unknown",)}, [2, 3, 6]),
        ({"source_homes": ("Pakistan",)}, [1, 4, 5, 7]),
        ({"target_homes": ("Pakistan",)}, [2, 3, 6, 7]),
        ({"source_homes": ("Afghanistan",), "target_homes": ("Pakistan",)}, [2, 3]),
        ({"source_homes": ("Afghanistan",), "target_homes": ("Pakistan",), "directed": False},
         [1, 2, 3, 4]),
        ({"source": ("Taleban",), "target_homes": ("Pakistan",), "directed": False}, [4]),
        ({"source_homes": ("Kenya",)}, []),
    ],
)  # fmt: skip
def test_select_by_code_class_and_home(
    coded: Incidents, given: dict[str, Any], expected: list[int]
) -> None:
    assert days(Stream("s", **given).select(coded, KNOWN)) == expected


def test_homes_by_the_study_go_before_the_coding_and_the_coding_before_the_name() -> None:
    rows = pl.DataFrame(
        {
            "date": ["2020-01-01"] * 4,
            "source": ["Group (India)", "Group (India)", "Them", "Nobody"],
            "source_country": ["Nepal", None, "Nepal", None],
            "target": ["x"] * 4,
        }
    )
    table = read(rows, Window(date(2020, 1, 1), date(2021, 1, 1))).table
    known = Actors((Actor("Them", home="Bhutan"),))
    assert home_countries(table, "source", known).to_list() == ["nepal", "india", "bhutan", None]
    assert home_countries(table, "target", known).to_list() == [None] * 4


def test_each_incident_crosses_a_border_or_not(coded: Incidents) -> None:
    crossing = crosses_border(coded, KNOWN)
    assert crossing.to_list() == [True, True, True, True, False, None, False]
    # Without the study's word the homes of the TTP and the Taleban are not known.
    assert crosses_border(coded).to_list() == [True, None, True, None, False, None, None]
    assert crosses_border(coded.where(source="nobody"), KNOWN).to_list() == []


def test_crossings_of_a_stream(coded: Incidents) -> None:
    assert Stream("all").crossings(coded, KNOWN).rows() == [("all", 7, 4, 2, 1)]
    strikes = Stream("strikes", codes=("195*",))
    assert strikes.crossings(coded, KNOWN).rows() == [("strikes", 2, 1, 1, 0)]
    assert Stream("none", codes=("0",)).crossings(coded).rows() == [("none", 0, 0, 0, 0)]


@pytest.mark.parametrize(
    ("given", "crosses"),
    [
        ({"source_homes": ("Afghanistan",), "target_homes": ("Pakistan",)}, True),
        ({"source_homes": ("AFG",), "countries": ("Afghanistan",)}, False),
        ({"source": ("TTP",), "source_homes": ("Afghanistan",), "countries": ("PAK",)}, True),
        ({"source": ("TTP",), "source_homes": ("Pakistan",), "countries": ("PAK",)}, None),
        ({"source": ("Police (India)",), "countries": ("PAK",)}, True),
        ({"source_homes": ("India",), "target_homes": ("PAK",), "directed": False}, True),
        ({"target_homes": ("Pakistan",)}, None),
    ],
)
def test_a_stream_of_homes_crosses_the_border(given: dict[str, Any], crosses: bool | None) -> None:
    assert Stream("s", **given).crosses_border(KNOWN) is crosses


def test_what_is_unmatched_among_codes_classes_and_homes(coded: Incidents) -> None:
    stream = Stream(
        "s",
        codes=("19*", "1955"),
        classes=("unrest", "shelling", "armed clsh"),
        source_homes=("AFG", "Kenya"),
        countries=("PAK", "IND"),
    )
    assert stream.unmatched(coded, KNOWN) == {
        "1955": "195",
        "shelling": None,
        "armed clsh": "armed clash",
        "Kenya": None,
        "IND": None,
    }


def test_labels_of_homes() -> None:
    assert Stream("s", source_homes=("A", "B")).label == "anyone from A or B → anyone"
    mixed = Stream("s", source=("X",), source_homes=("A",), target_homes=("B",), directed=False)
    assert mixed.label == "between X or others from A and anyone from B"


def test_an_undirected_stream_of_one_side_with_homes(coded: Incidents) -> None:
    assert days(Stream("s", source_homes=("AFG",), directed=False).select(coded, KNOWN)) == [
        1, 2, 3, 4,
    ]  # fmt: skip
