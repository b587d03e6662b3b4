"""Matches of two sources: against all pairs by hand, and against duplicates that are known."""

from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from pyproj import Geod

from escalation import Actor, Actors, Incidents, Matches, Matching, Window, read
from escalation.merging.matching import best_other, one_to_one
from escalation.sources import DataError
from rows import incidents
from studies.merging_recovery import recorded, world

GEOD = Geod(ellps="WGS84")


def one_pair(first: dict[str, Any], second: dict[str, Any], **rule: Any) -> dict[str, Any]:
    """Match two single records; their match, empty if there is none."""
    spot = {"longitude": 70, "latitude": 30, "incident_class": "bombing"}
    found = Matching(**rule).match(incidents({**spot, **first}), incidents({**spot, **second}))
    return found.table.to_dicts()[0] if len(found) else {}


def test_the_same_record_agrees_in_everything() -> None:
    match = one_pair({}, {})
    assert (match["score"], match["criteria"], match["best"]) == (1.0, 4, True)
    assert match["accepted"] is None


@pytest.mark.parametrize(
    ("second", "days", "apart"),
    [
        ({"date": "2020-01-08"}, 1, 1),
        ({"date": "2020-01-09"}, 1, None),
        ({"date": "2020-01-09"}, 2, 2),
        ({"date": "2020-01-01", "date_latest": "2020-01-06"}, 1, 1),
        ({"date": "2020-01-01", "date_latest": "2020-02-06"}, 0, 0),
        ({"date": "2020-01-08", "date_latest": "2020-02-06"}, 0, None),
    ],
)
def test_days_apart(second: dict[str, Any], days: int, apart: int | None) -> None:
    match = one_pair({}, second, days=days)
    assert match.get("days apart") == apart
    if apart is not None:
        assert match["days"] == pytest.approx(1 - apart / (days + 1))


def test_distance_is_that_of_geodesics() -> None:
    match = one_pair({}, {"longitude": 70.1, "latitude": 30.15})
    expected = GEOD.inv(70, 30, 70.1, 30.15)[2] / 1000
    assert match["km apart"] == pytest.approx(expected, rel=1e-3)
    assert match["distance"] == pytest.approx(1 - expected / 25, rel=1e-2)
    assert one_pair({}, {"longitude": 70.1, "latitude": 30.15}, kilometres=19) == {}
    assert one_pair({"longitude": 179.99}, {"longitude": -179.99})["km apart"] < 2


def test_actors_agree_by_alias_country_and_either_order() -> None:
    known = Actors((Actor("TTP", ("Tehrik-i-Taliban Pakistan",)), Actor("X", home="India")))
    pakistan = {"source": "Government of Pakistan", "target": "TTP"}
    acled = {"source": "Military Forces of Pakistan (2018-)", "target": "Tehrik-i-Taliban Pakistan"}
    assert one_pair(pakistan, acled, actors=known)["actors"] == 0.75
    assert one_pair(pakistan, acled)["actors"] == 0.25
    turned = {"source": acled["target"], "target": acled["source"]}
    assert one_pair(pakistan, turned, actors=known)["actors"] == 0
    open_ = {"directed": False}
    assert one_pair(pakistan, {**turned, **open_}, actors=known)["actors"] == 0.75
    assert one_pair(pakistan, {"source": "Unknown", "target": "TTP"})["actors"] == 1
    nobody = {"source": "Unknown", "target": "nobody named"}
    assert one_pair(pakistan, nobody)["actors"] is None
    assert one_pair(pakistan, nobody)["criteria"] == 3


def test_kinds_agree_by_class_family_and_table() -> None:
    assert one_pair({}, {"incident_class": "shelling"})["kind"] == 0.5
    assert one_pair({}, {"incident_class": "protest"})["kind"] == 0
    assert (
        one_pair({"incident_class": "state-based"}, {"incident_class": "Armed clash"})["kind"] == 1
    )
    words = {"Sprengung": "bombing"}
    assert one_pair({}, {"incident_class": "Sprengung"}, classes=words)["kind"] == 1
    assert one_pair({}, {"incident_class": ""})["kind"] is None


def test_what_must_agree_is_no_candidate_otherwise() -> None:
    other = {"source": "C", "target": "D"}
    assert one_pair({}, other)["actors"] == 0
    assert one_pair({}, other, must_agree=("actors",)) == {}
    unknown = {"source": "Unknown", "target": "unknown"}
    assert one_pair({}, unknown, must_agree=("actors",))["actors"] is None


def test_weights() -> None:
    other = {"source": "C", "target": "D"}
    assert one_pair({}, other)["score"] == 0.75
    assert one_pair({}, other, weights={"actors": 0})["score"] == 1
    assert one_pair({}, other, weights={"actors": 3})["score"] == 0.5


def test_without_coordinates_the_place_must_have_the_same_name() -> None:
    bare = {"longitude": "", "latitude": "", "country": "A", "place": "Mill"}
    match = one_pair(bare, {**bare, "place": "mill "})
    assert (match["km apart"], match["distance"], match["criteria"]) == (None, None, 3)
    assert one_pair(bare, {**bare, "place": "Ford"}) == {}
    assert one_pair(bare, {"place": "Mill", "country": "A"})["score"] == 1
    assert one_pair(bare, {"place": "Mill", "country": "B"}) == {}
    assert one_pair({**bare, "place": ""}, {**bare, "place": ""}) == {}
    assert one_pair(bare, {**bare, "place": ""}) == {}


def by_hand(first: Incidents, second: Incidents, days: int, kilometres: float) -> set[Any]:
    """Every pair of two sources, compared one by one with geodesic distances."""
    found = set()
    for one in first.table.to_dicts():
        for other in second.table.to_dicts():
            gap = max((one["date"] - other["date_latest"]).days,
                      (other["date"] - one["date_latest"]).days, 0)  # fmt: skip
            points = [one["longitude"], one["latitude"], other["longitude"], other["latitude"]]
            if gap <= days and GEOD.inv(*points)[2] / 1000 <= kilometres:
                found.add((one["id"], other["id"]))
    return found


def scattered(rng: np.random.Generator, size: int, where: float, wide: int) -> Incidents:
    rows = [
        {
            "date": np.datetime64("2020-01-01") + day,
            "date_latest": np.datetime64("2020-01-01") + day + extra,
            "longitude": x,
            "latitude": y,
        }
        for day, extra, x, y in zip(
            rng.integers(0, 40, size), rng.integers(0, wide, size),
            rng.uniform(-1, 1, size) + where, rng.uniform(-1, 1, size), strict=True,
        )
    ]  # fmt: skip
    for row in rows:
        row["longitude"] = (row["longitude"] + 180) % 360 - 180
    return incidents(*rows)


@pytest.mark.parametrize(("days", "kilometres", "where"), [(0, 40, 0), (2, 17, 70), (3, 60, 180)])
def test_blocking_loses_no_pair(
    rng: np.random.Generator, days: int, kilometres: float, where: float
) -> None:
    first, second = scattered(rng, 60, where, 6), scattered(rng, 60, where, 20)
    found = Matching(days=days, kilometres=kilometres).match(first, second).table
    pairs = set(found.select("id first", "id second").rows())
    assert len(pairs) == len(found)
    assert pairs == by_hand(first, second, days, kilometres)
    assert len(pairs) > 20


def test_names_of_places_lose_no_pair(rng: np.random.Generator) -> None:
    """Half of the records have no coordinates; those compare by name, the others by distance."""

    def record(size: int) -> Incidents:
        days, spans = rng.integers(0, 40, size), rng.integers(0, 9, size)
        start = np.datetime64("2020-01-01")
        places = [
            {"place": name, "country": "N", **({"longitude": 70, "latitude": 30} if known else {})}
            for name, known in zip(rng.choice(["Mill", "Ford"], size), rng.random(size) < 0.5,
                                   strict=True)
        ]  # fmt: skip
        return incidents(*(
            {"date": start + day, "date_latest": start + day + span, **place}
            for day, span, place in zip(days, spans, places, strict=True)
        ))  # fmt: skip

    first, second = record(50), record(50)
    expected = set()
    for one in first.table.to_dicts():
        for other in second.table.to_dicts():
            gap = max((one["date"] - other["date_latest"]).days,
                      (other["date"] - one["date_latest"]).days)  # fmt: skip
            placed = one["longitude"] is not None and other["longitude"] is not None
            if gap <= 2 and (placed or one["place"] == other["place"]):
                expected.add((one["id"], other["id"]))
    found = Matching(days=2).match(first, second).table.select("id first", "id second").rows()
    assert len(found) == len(set(found))
    assert set(found) == expected


def test_one_to_one_is_greedy_by_order(rng: np.random.Generator) -> None:
    for _ in range(50):
        first, second = rng.integers(0, 8, 30), rng.integers(0, 8, 30)
        order = rng.permutation(30)
        taken, rows, columns = np.zeros(30, bool), set(), set()
        for at in order:
            if first[at] not in rows and second[at] not in columns:
                taken[at] = True
                rows.add(first[at])
                columns.add(second[at])
        assert np.array_equal(one_to_one(first, second, order), taken)


def test_the_best_other_score_of_a_record(rng: np.random.Generator) -> None:
    record, score = rng.integers(0, 9, 40), rng.integers(0, 20, 40) / 20
    found = best_other(record, score)
    for at in range(40):
        others = [score[one] for one in range(40) if record[one] == record[at] and one != at]
        assert found[at] == max(others, default=0)


def table_of_thresholds(size: int, rng: np.random.Generator) -> pl.DataFrame:
    """Precision and recall by the lowest score that is accepted."""
    truth = world(size, rng, towns=False)
    first, second = (recorded(truth, rng) for _ in range(2))
    both = len(set(first.table["id"]) & set(second.table["id"]))
    found = Matching(days=1, kilometres=25).match(first, second).table.filter("best")
    right = pl.col("id first") == pl.col("id second")
    return pl.concat(
        found.filter(pl.col("score") >= at_least).select(
            pl.lit(at_least).alias("at least"),
            pl.len().alias("accepted"),
            right.mean().alias("precision"),
            (right.sum() / both).alias("recall"),
        )
        for at_least in (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
    )


def test_known_duplicates_are_recovered(rng: np.random.Generator) -> None:
    """20,000 incidents of ten years in an area like Pakistan, each source having 70 % of them."""
    found = table_of_thresholds(20_000, rng)
    assert (found["precision"] > 0.99).all()
    assert found["precision"].is_sorted()
    assert found["recall"].is_sorted(descending=True)
    # Pairs that differ by two days, one early and one late, are out of reach: 2/81 of them.
    assert found["recall"][0] == pytest.approx(1 - 2 / 81, abs=0.01)
    assert found["recall"][2] > 0.9


def test_a_file_matched_with_itself(shared: Path) -> None:
    """Every one of UCDP's events in Pakistan is its own best match."""
    path = shared / "data" / "ucdp_ged_pakistan_1989_2021.csv"
    events = read(path, Window(date(1989, 1, 1), date(2022, 1, 1)), source="ucdp")
    found = Matching(days=0, kilometres=10).match(events, events).table.filter("best")
    assert len(found) == len(events) == 6416
    assert (found["score"] == 1).all()
    assert (found["id first"] == found["id second"]).all()


def test_accepting_is_one_to_one() -> None:
    spot = {"longitude": 70, "latitude": 30}
    found = Matching().match(incidents(spot, {**spot, "source": "C"}), incidents(spot))
    assert found.table["best"].to_list() == [True, False]
    assert found.table["lead"].to_list() == pytest.approx([1 / 6, -1 / 6])
    assert len(found.accept().accepted) == 1
    assert len(found.accept(at_least=1.1).accepted) == 0
    assert found.accept(pl.col("days apart") > 0).table["accepted"].to_list() == [False, None]
    other = found.accept(pairs=[("2", "1")])
    assert other.accepted["id first"].to_list() == ["2"]
    with pytest.raises(ValueError, match="stands in several accepted matches"):
        other.accept(at_least=0.5)
    with pytest.raises(ValueError, match="no match of '3' and '1'"):
        found.accept(pairs=[("3", "1")])


def test_a_review_in_a_file(tmp_path: Path) -> None:
    spot = {"longitude": 70, "latitude": 30, "place": '=1+1, "Mill"'}
    found = Matching().match(incidents(spot, {"place": "x"}), incidents(spot))
    path = tmp_path / "matches.csv"
    found.write(path)
    assert Matches.read(path).table.equals(found.table)
    text = pl.read_csv(path, infer_schema=False).with_columns(accepted=pl.lit(" TRUE"))
    text.write_csv(path)
    assert len(Matches.read(path).accepted) == 1
    text.with_columns(accepted=pl.lit("yes")).write_csv(path)
    with pytest.raises(DataError, match="'accepted' must be true, false or empty, got 'yes'"):
        Matches.read(path)
    text.drop("score").write_csv(path)
    with pytest.raises(DataError, match="no column 'score'"):
        Matches.read(path)
    text.with_columns(score=pl.lit("high")).write_csv(path)
    with pytest.raises(DataError):
        Matches.read(path)
    with pytest.raises(DataError, match="cannot be read"):
        Matches.read(tmp_path / "none.csv")


def test_nothing_to_compare() -> None:
    empty = incidents({}).where(pl.lit(False))
    assert len(Matching().match(empty, empty)) == 0
    assert len(Matching().match(empty, incidents({})).accept()) == 0


@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ({"days": -1}, "days must be a whole number"),
        ({"kilometres": 0}, "kilometres must lie between"),
        ({"must_agree": ("place",)}, "no criterion 'place'"),
        ({"weights": {"days": -1}}, "weights must be positive"),
        ({"weights": dict.fromkeys(("days", "distance", "actors", "kind"), 0)}, "positive"),
    ],
)
def test_bad_rules_are_one_line(rule: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Matching(**rule)


def test_ids_must_differ() -> None:
    twice = incidents({})
    with pytest.raises(ValueError, match="must be there and differ"):
        Matching().match(
            Incidents(pl.concat([twice.table] * 2), twice.window, twice.provenance), twice
        )
