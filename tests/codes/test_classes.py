import pytest

from escalation.codes import (
    FAMILIES,
    FAMILY_OF,
    INCIDENT_CLASSES,
    SCHEMES,
    SOURCE_WORDS,
    class_words,
    common_class,
)


def test_families_hold_every_class_once() -> None:
    assert sum(len(names) for names in FAMILIES.values()) == len(INCIDENT_CLASSES) == 27
    assert set(FAMILY_OF) == set(INCIDENT_CLASSES)
    assert not set(FAMILIES) & set(INCIDENT_CLASSES) - {"other"}


def test_every_class_is_used_by_some_scheme() -> None:
    used = {code.incident_class for scheme in SCHEMES.values() for code in scheme}
    assert used == set(INCIDENT_CLASSES)


@pytest.mark.parametrize(
    ("word", "words"),
    [
        ("shelling", {"shelling"}),
        ("Armed  Clash", {"armed clash", "state-based", "non-state"}),
        ("one-sided", {"one-sided"}),
        ("unrest", {"unrest", "protest", "riot"}),
        ("raid", {"raid"}),
    ],
)
def test_the_words_of_a_class(word: str, words: set[str]) -> None:
    assert class_words(word) == words


def test_a_family_takes_in_the_words_of_its_classes() -> None:
    assert class_words("armed force") >= {*FAMILIES["armed force"], *SOURCE_WORDS}


def test_common_class() -> None:
    assert {common_class(word) for word in SOURCE_WORDS} <= set(INCIDENT_CLASSES)
    with pytest.raises(ValueError, match="'shelin' is no class of incidents, the nearest is 'she"):
        common_class("shelin")
