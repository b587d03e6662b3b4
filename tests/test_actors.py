from typing import Any, cast

import pytest

from escalation.actors import Actor, Actors

KNOWN = Actors(
    (
        Actor("TTP", ("Tehrik-i-Taliban Pakistan", "ttp "), home="Afghanistan"),
        Actor("Army", home="Pakistan"),
    )
)


@pytest.mark.parametrize("name", ["TTP", "ttp", " Tehrik-i-Taliban   PAKISTAN "])
def test_any_name_finds_the_actor(name: str) -> None:
    assert KNOWN.canonical(name) == "TTP"
    assert KNOWN.home(name) == "Afghanistan"


def test_unknown_names_stay_as_they_are() -> None:
    assert KNOWN.canonical("Jundullah  group") == "Jundullah group"
    assert KNOWN.home("Jundullah") is None
    assert Actors().canonical("x") == "x"


def test_homes_may_be_unknown() -> None:
    assert Actors((Actor("A"),)).home("A") is None


def test_one_name_for_two_actors_is_an_error() -> None:
    with pytest.raises(ValueError, match="'The Army' names both 'A' and 'B'"):
        Actors((Actor("A", ("The Army",)), Actor("B", ("the army",))))


@pytest.mark.parametrize("wrong", [{"name": " "}, {"name": "A", "aliases": "B"}])
def test_bad_actors(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"a name|tuple of names"):
        Actor(**wrong)


def test_actors_are_equal_by_what_they_hold() -> None:
    lists: Any = [Actor("A", cast(Any, ["B"]))]
    assert Actors((Actor("A", ("B",)),)) == Actors(lists)
    assert len(KNOWN) == 2
    assert [actor.name for actor in KNOWN] == ["TTP", "Army"]
