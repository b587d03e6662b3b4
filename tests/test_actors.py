import csv
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.actors import (
    Actor,
    Actors,
    CameoActor,
    cameo_actor,
    cameo_meaning,
    countries,
    country,
    country_in_name,
    folded,
    near_duplicates,
    same_country,
)

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


CODED = Actors(
    (
        Actor("Pakistan", ("Government of Pakistan",), home="PAK", codes=("PAK", "PAKGOV*")),
        Actor("Army", home="Pakistan", codes=("PAKMIL", "142")),
        Actor("Afghans", codes=("AFG*",)),
        Actor("Taliban", home="Afghanistan", codes=("AFGINSTAL*",)),
    )
)


@pytest.mark.parametrize(
    ("name", "actor"),
    [
        ("PAK", "Pakistan"),
        ("PAKGOVMIL", "Pakistan"),
        ("pakmil", "Army"),
        ("142", "Army"),
        ("PAKMILX", None),
        ("AFGREB", "Afghans"),
        ("AFGINSTALREB", "Taliban"),
        ("government of  Pakistan", "Pakistan"),
        ("IND", None),
    ],
)
def test_codes_find_actors_the_longest_beginning_first(name: str, actor: str | None) -> None:
    found = CODED.find(name)
    assert (found.name if found else None) == actor


def test_a_home_that_is_not_said_is_told_by_the_names() -> None:
    assert CODED.home("AFGREB") == "Afghanistan"
    assert CODED.home("Police (India)") == "India"
    assert Actors((Actor("Them", ("Police Forces of Kenya (2013-2022)",)),)).home("them") == "Kenya"


def test_one_code_for_two_actors_is_an_error() -> None:
    with pytest.raises(ValueError, match="'PAK\\*' names both 'A' and 'B'"):
        Actors((Actor("A", codes=("PAK*",)), Actor("B", codes=("pak*",))))
    with pytest.raises(ValueError, match="would be every actor"):
        Actor("A", codes=(" * ",))
    with pytest.raises(ValueError, match="codes must be a tuple"):
        Actor("A", codes=cast(Any, "PAK"))


def test_a_country_as_an_actor() -> None:
    state = Actor.government("Burma")
    known = Actors((state, Actor.government("USA", name="America")))
    assert (state.name, state.home) == ("Myanmar", "Myanmar")
    for name in ("MMRMIL", "Government of Myanmar (Burma)", "Burma", "MMR"):
        assert known.canonical(name) == "Myanmar"
    assert known.canonical("Government of United States of America") == "America"
    assert known.find("MMRREB") is None
    assert Actors((Actor.government("Romania"),)).canonical("ROMGOV") == "Romania"
    codes = Actor.government("East Germany").codes
    assert codes[:5] == ("DDR", "DDRGOV*", "DDRMIL*", "DDRCOP*", "DDRSPY*")
    assert codes[5:7] == ("GME", "GMEGOV*")
    assert codes[10] == "Military Forces of East Germany (*"
    with pytest.raises(ValueError, match="'Ruritania' is no country"):
        Actor.government("Ruritania")


def test_a_country_has_the_forces_of_all_its_governments() -> None:
    known = Actors((Actor.government("Niger"), Actor.government("PAK")))
    assert known.canonical("Military Forces of Pakistan (2022-)") == "Pakistan"
    assert known.canonical("Police Forces of Pakistan (2018-2022)") == "Pakistan"
    assert known.find("Military Forces of Nigeria (2015-2023)") is None


def test_a_name_of_two_halves_is_near_each() -> None:
    rows = near_duplicates(["LeJ", "LeJ: Lashkar-e-Jhangvi", "Lashkar e Jhangvi", "A: B"]).rows()
    assert [row[:2] + row[3:] for row in rows] == [
        ("Lashkar e Jhangvi", "LeJ: Lashkar-e-Jhangvi", "a half of it"),
        ("LeJ", "Lashkar e Jhangvi", "initials"),
        ("LeJ", "LeJ: Lashkar-e-Jhangvi", "a half of it"),
    ]


def test_all_countries_can_be_actors_of_one_study() -> None:
    assert len(Actors(tuple(Actor.government(each.name) for each in countries()))) == 254


@pytest.mark.parametrize(
    ("text", "coding", "name"),
    [
        ("Pakistan", None, "Pakistan"),
        ("pk", None, "Pakistan"),
        ("PAK", None, "Pakistan"),
        ("586", None, "Pakistan"),
        ("4", None, "Afghanistan"),
        ("the  Gambia", None, "Gambia"),
        ("Côte d'Ivoire", None, "Ivory Coast"),
        ("Moldova, Republic of", None, "Moldova"),
        ("CH", "iso", "Switzerland"),
        ("CH", "fips", "China"),
        ("GZ", "fips", "Palestine"),
        ("GZS", "cameo", "Palestine"),
        ("770", "gleditsch-ward", "Pakistan"),
        ("345", "gleditsch-ward", "Serbia"),
        ("Ruritania", None, None),
        ("", None, None),
    ],
)
def test_countries_by_name_and_code(text: str, coding: Any, name: str | None) -> None:
    found = country(text, coding)
    assert (found.name if found else None) == name


def test_codes_and_names_of_countries_belong_to_one() -> None:
    for pick in ("alpha2", "alpha3", "numeric"):
        codes = [getattr(each, pick) for each in countries() if getattr(each, pick)]
        assert len(codes) == len(set(codes)) >= 249
    for pick in ("fips", "gleditsch_ward", "cameo"):
        codes = [code for each in countries() for code in getattr(each, pick)]
        assert len(codes) == len(set(codes))
    names = [folded(name) for each in countries() for name in (each.name, *each.other_names)]
    assert len(names) == len(set(names))
    with pytest.raises(ValueError, match="coding must be one of name, iso"):
        country("PK", cast(Any, "fifa"))


def test_the_same_country() -> None:
    assert same_country("Yemen (North Yemen)", "YEM") is True
    assert same_country("North Korea", "South Korea") is False
    assert same_country("Northland", "northland") is True
    assert same_country("Pakistan", "") is None


@pytest.mark.parametrize(
    ("name", "land"),
    [
        ("Government of Yemen (North Yemen)", "Yemen"),
        ("Military Forces of Afghanistan (2021-) Taliban", "Afghanistan"),
        ("Police Forces of Pakistan (2018-2022) Frontier Corps", "Pakistan"),
        ("Civilians (Pakistan)", "Pakistan"),
        ("Palestinian Territory, Occupied", "Palestine"),
        ("PAKISTAN", "Pakistan"),
        ("USAGOV", "United States"),
        ("MNCUSA", "United States"),
        ("Islamic State (Pakistan)", "Pakistan"),
        ("Islamic State", None),
        ("Tehrik-i-Taliban Pakistan", None),
        ("COMMUNIST", None),
        ("SOMALI", None),
        ("COP", None),
        ("142", None),
        ("Bank of America (2)", None),
    ],
)
def test_the_country_in_a_name(name: str, land: str | None) -> None:
    assert country_in_name(name) == land


def test_cameo_actor_codes() -> None:
    assert cameo_actor("AFGINSTAL") == CameoActor("Afghanistan", ("insurgents",), ("TAL",))
    assert cameo_actor("COPMIL") == CameoActor(None, ("police", "military"), ())
    for text in ("PAKXYZ", "pakmil", "PAKI", "", "PAK1AB"):
        assert cameo_actor(text) is None


def shown(names: list[str], similarity: float = 0.85) -> list[tuple[Any, ...]]:
    return [row[:2] + row[3:] for row in near_duplicates(names, similarity).rows()]


@pytest.mark.parametrize(
    ("names", "pairs"),
    [
        (["Lashkar-e-Taiba", "Lashkar e Tayyiba"], [("Lashkar e Tayyiba", "Lashkar-e-Taiba",
                                                      "spelling")]),
        (["Taliban", "Taleban", "Talibans"], [("Taliban", "Talibans", "spelling"),
                                              ("Taleban", "Taliban", "spelling")]),
        (["Army of God", "God's Army", "God Army"], [("Army of God", "God Army",
                                                     "the same words"),
                                                    ("God Army", "God's Army", "spelling")]),
        (["BLA", "Baloch Liberation Army"], [("BLA", "Baloch Liberation Army", "initials")]),
        (["Government of Niger", "Government of Nigeria"], []),
        (["Police (India)", "Police (Iran)", "Police"], [("Police", "Police (India)",
                                                          "but for the country"),
                                                         ("Police", "Police (Iran)",
                                                          "but for the country")]),
        (["Election Commission (India)", "Election Commission of India"],
         [("Election Commission (India)", "Election Commission of India", "the same words")]),
        (["Brigade 101", "Brigade 102"], []),
        (["A", "A ", " "], []),
        ([], []),
        (["Талибан", "Талибан Пакистана"], []),
    ],
)  # fmt: skip
def test_near_duplicates(names: list[str], pairs: list[tuple[str, str, str]]) -> None:
    assert sorted(shown(names)) == sorted(pairs)


def test_near_duplicates_are_found_among_thousands(rng: np.random.Generator) -> None:
    """Every name with one letter changed, among 3,000 others, and no more."""
    letters = rng.integers(97, 123, (3_000, 24), dtype=np.uint8)
    letters[:, [7, 15]] = 32
    names = [bytes(row).decode().title() for row in letters]
    changed = [name[:5] + ("q" if name[5] != "q" else "w") + name[6:] for name in names[:100]]
    found = {frozenset(row[:2]) for row in near_duplicates([*names, *changed]).rows()}
    wanted = [frozenset(pair) for pair in zip(names, changed, strict=False)]
    assert set(wanted) == found


def test_a_threshold_of_likeness() -> None:
    assert shown(["Taliban", "Taleban"], 0.9) == []
    with pytest.raises(ValueError, match="above 0 and at most 1"):
        near_duplicates([], 0)


SAMPLES = Path(__file__).parents[2] / "shared" / "data" / "samples"
samples = pytest.mark.skipif(not SAMPLES.exists(), reason="the shared samples are not here")


@samples
def test_the_numbers_of_countries_agree_with_those_in_ucdp() -> None:
    with (SAMPLES / "ucdp_candidate_23_0_10.csv").open(newline="") as file:
        for row in csv.DictReader(file):
            found = country(row["country"])
            assert found is not None
            assert row["country_id"] in found.gleditsch_ward
            government = country_in_name(row["side_a"])
            if row["side_a"].startswith("Government of") and government:
                by_name = country(government)
                assert by_name is not None
                assert by_name.ucdp_government == row["side_a_new_id"]


def test_the_governments_of_ucdp_have_the_ids_of_its_actor_dataset() -> None:
    known = {each.ucdp_government: each.name for each in countries() if each.ucdp_government}
    assert sorted(map(int, known)) == list(range(3, 160))  # each once; 2 is Hyderabad
    # Spellings of the UCDP Actor Dataset 22.1, with its ids.
    names = {
        "3": "United States of America", "47": "North Macedonia", "49": "Serbia (Yugoslavia)",
        "50": "Bosnia-Herzegovina", "57": "Russia (Soviet Union)", "76": "Ivory Coast",
        "89": "DR Congo (Zaire)", "101": "Zimbabwe (Rhodesia)", "113": "South Sudan",
        "123": "Yemen (North Yemen)", "124": "South Yemen", "137": "Taiwan",
        "144": "Myanmar (Burma)", "148": "Cambodia (Kampuchea)", "150": "Vietnam (North Vietnam)",
        "151": "South Vietnam", "159": "Tonga",
    }  # fmt: skip
    for number, name in names.items():
        found = country(country_in_name(f"Government of {name}") or "")
        assert found is not None
        assert found.ucdp_government == number


@samples
def test_homes_in_names_agree_with_the_countries_of_icews() -> None:
    told = 0
    with (SAMPLES / "icews_2018_sample.tab").open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            assert row["Country"] == "NA" or country(row["Country"])
            home = country_in_name(row["Source Name"])
            if home and row["Source Country"] != "NA":
                assert same_country(home, row["Source Country"])
                told += 1
    assert told > 2_000


@samples
def test_the_fips_codes_of_gdelt_agree_with_its_names_of_places() -> None:
    told = 0
    for line in (SAMPLES / "gdelt2_export.tsv").read_text("utf-8").splitlines():
        fields = line.split("\t")
        for kind, full, code in ((35, 36, 37), (43, 44, 45), (51, 52, 53)):
            if fields[kind] in ("", "0"):
                continue
            by_code, by_name = country(fields[code], "fips"), country(fields[full].split(", ")[-1])
            assert by_code is not None
            if fields[full].endswith("Republic Of"):
                continue  # "Vietnam, Republic Of"
            assert by_code == by_name, fields[full]
            told += 1
    assert told > 150


@given(st.text())
def test_any_text_is_a_name(text: str) -> None:
    found = country(text)
    assert found is None or found in countries()
    told = country_in_name(text)
    assert told is None or country(told) is not None
    assert isinstance(Actors().canonical(text), str)
    cameo_actor(text)


@given(st.lists(st.text(max_size=12), max_size=8))
def test_near_duplicates_do_not_hang_on_the_order_of_names(names: list[str]) -> None:
    found = near_duplicates(names)
    assert found.equals(near_duplicates(names[::-1]))
    assert (found["name"] != found["other"]).all()
    assert found["similarity"].is_between(0.85, 1).all()


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("PAKMIL", "Pakistan, military"),
        ("AFGREBTAL", "Afghanistan, rebels, Taliban"),
        ("MNCUSAMED", "multinational company, United States, media"),
        (
            "IGOMOSOIC",
            "intergovernmental organisation, Muslims, Organisation of Islamic Cooperation",
        ),
        ("MOSSUN", "Muslims, Sunni Muslims"),
        ("GMWGOV", "Germany, government"),
        ("EUR", "Europe"),
        ("SCGSRB", "Serbia"),
        ("kurREB", "ethnic group kur, rebels"),
        ("PAKXYZ", "Pakistan, XYZ"),
        ("XYZPAK", ""),
        ("unknown", ""),
        ("", ""),
        ("PAK MIL", ""),
    ],
)
def test_codes_of_actors_in_words(code: str, meaning: str) -> None:
    assert cameo_meaning(code) == meaning


def test_nearly_all_actors_of_gdelt_are_put_into_words(shared: Path) -> None:
    codes: list[str] = []
    for name in ("gdelt1_export.tsv", "gdelt2_export.tsv"):
        lines = (shared / "data" / "samples" / name).read_text("utf-8").splitlines()
        fields = [line.split("\t") for line in lines]
        codes += [row[at].strip() for row in fields for at in (5, 15) if row[at].strip()]
    assert len(codes) > 300
    assert [code for code in codes if not cameo_meaning(code)] == []
