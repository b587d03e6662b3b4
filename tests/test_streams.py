from datetime import date
from typing import Any

import polars as pl
import pytest

from escalation.actors import Actor, Actors
from escalation.incidents import Incidents
from escalation.sources import read
from escalation.streams import Stream
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
