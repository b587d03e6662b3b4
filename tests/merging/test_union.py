"""Merged records, by hand: values, deaths, dates, provenance."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from escalation import Incidents, Matching, Merged, Window, merge, read
from escalation.incidents import SCHEMA
from rows import incidents

SPOT = {"longitude": 70, "latitude": 30}
NAMES = ("A", "B")


def merged(first: dict[str, Any], second: dict[str, Any], **how: Any) -> Merged:
    one, other = incidents({**SPOT, **first}), incidents({**SPOT, **second})
    found = Matching(days=3).match(one, other).accept()
    assert len(found.accepted) == 1
    return merge(one, other, found, **{"names": NAMES, **how})


def row(*records: dict[str, Any], **how: Any) -> dict[str, Any]:
    return merged(*records, **how).incidents.table.to_dicts()[0]


def test_only_accepted_matches_are_merged() -> None:
    one, other = incidents(SPOT, {**SPOT, "date": "2020-02-01"}), incidents(SPOT, {})
    found = Matching().match(one, other)
    with pytest.raises(ValueError, match="no match was judged"):
        merge(one, other, found, names=NAMES)
    none = merge(one, other, found.accept(at_least=2), names=NAMES)
    assert sorted(none.incidents.table["id"]) == ["A:1", "A:2", "B:1", "B:2"]
    some = merge(one, other, found.accept(), names=NAMES)
    assert sorted(some.incidents.table["id"]) == ["A:1", "A:2", "B:2"]
    assert some.origin.sort("id").rows() == [
        ("A:1", "1", "1", 1.0), ("A:2", "2", None, None), ("B:2", None, "2", None),
    ]  # fmt: skip
    assert "3 from table" in repr(some)
    assert "1 of them in both" in repr(some)


@pytest.mark.parametrize(
    ("first", "second", "figures"),
    [
        ({"deaths_best": 3}, {"deaths_best": 5}, (3, 3, 5)),
        ({"deaths_best": 4}, {"deaths_best": 4}, (4, 4, 4)),
        ({"deaths_low": 1, "deaths_best": 2, "deaths_high": 9}, {"deaths_best": 3}, (1, 2, 9)),
        ({"deaths_low": 2, "deaths_high": 4}, {"deaths_best": 9}, (2, 9, 9)),
        ({"deaths_best": 3}, {}, (None, 3, None)),
        ({}, {"deaths_low": 3}, (3, None, None)),
        ({}, {}, (None, None, None)),
    ],
)
def test_conflicting_deaths_are_intervals(
    first: dict[str, Any], second: dict[str, Any], figures: tuple[int | None, ...]
) -> None:
    found = row(first, second)
    assert (found["deaths_low"], found["deaths_best"], found["deaths_high"]) == figures


@pytest.mark.parametrize(
    ("first", "second", "span"),
    [
        ({}, {"date": "2020-01-01", "date_latest": "2020-01-20"}, (7, 7)),
        ({"date": "2020-01-05", "date_latest": "2020-01-10"},
         {"date": "2020-01-08", "date_latest": "2020-01-12"}, (8, 10)),
        ({}, {"date": "2020-01-09"}, (7, 9)),
        ({"date": "2020-01-09"}, {}, (7, 9)),
    ],
)  # fmt: skip
def test_dates_are_the_days_that_both_allow(
    first: dict[str, Any], second: dict[str, Any], span: tuple[int, int]
) -> None:
    found = row(first, second)
    assert (found["date"].day, found["date_latest"].day) == span


def test_the_preferred_source_speaks_and_the_other_fills() -> None:
    first = {"place": "Mill", "reports": 2, "source": "A", "target": "B"}
    second = {"place": "The mill", "country": "North", "source": "B", "target": "A"}
    second |= {"directed": False, "certainty": "alleged"}
    found = row(first, second)
    assert (found["place"], found["country"], found["reports"]) == ("Mill", "North", 2)
    assert (found["source"], found["directed"], found["certainty"]) == ("A", True, "reported")
    other = merged(first, second, prefer="second")
    turned = other.incidents.table.to_dicts()[0]
    assert (turned["id"], turned["place"], turned["reports"]) == ("B:1", "The mill", 2)
    assert (turned["source"], turned["directed"]) == ("B", False)
    said = {name: values for _, name, *values in other.differences.rows()}
    assert said["place"] == ["Mill", "The mill", "The mill"]
    assert said["certainty"] == ["reported", "alleged", "alleged"]
    assert "country" not in said
    assert other.differences["id"].unique().to_list() == ["B:1"]


def test_coordinates_come_from_one_record_and_the_earlier_report_counts() -> None:
    bare = {"longitude": "", "country": "N", "place": "Mill", "reported_on": "2020-01-20"}
    full = {"country": "N", "place": "Mill", "place_precision": "near", "latitude": 31,
            "reported_on": "2020-01-10"}  # fmt: skip
    found = row(bare, full)
    assert (found["longitude"], found["latitude"], found["place_precision"]) == (70, 31, "near")
    assert found["reported_on"] == date(2020, 1, 10)


def test_provenance_of_both_is_kept() -> None:
    found = merged({"deaths_best": 3}, {"deaths_best": 4}).incidents
    told = found.provenance
    assert told.rows_read == 2
    assert len(told.files) == 2
    assert told.remarks[-1].startswith("1 records of A and B merged, of 1 pairs compared")
    assert dict(found.table.schema) == SCHEMA


def test_a_third_source_can_be_merged_in() -> None:
    two = merged({}, {}).incidents
    third = incidents(SPOT, {**SPOT, "date": "2020-02-02"})
    found = Matching().match(two, third).accept()
    three = merge(two, third, found, names=("two", "C"))
    assert sorted(three.incidents.table["id"]) == ["C:2", "two:A:1"]
    assert len(three.incidents.provenance.files) == 3


def test_merged_incidents_go_through_the_door_again(tmp_path: Path) -> None:
    found = merged({"deaths_best": 3, "place": 'Mill, "old"'}, {"deaths_best": 4}).incidents
    path = tmp_path / "merged.csv"
    found.table.write_csv(path)
    again = read(path, found.window)
    assert again.rejected.is_empty()
    assert again.table.equals(found.table)


def test_what_does_not_fit_is_one_line() -> None:
    one, other = incidents(SPOT), incidents(SPOT)
    found = Matching().match(one, other).accept()
    with pytest.raises(ValueError, match="two different names"):
        merge(one, other, found)
    with pytest.raises(ValueError, match="prefer must be"):
        merge(one, other, found, names=NAMES, prefer="best")
    with pytest.raises(ValueError, match="which is not there"):
        merge(one.where(pl.lit(False)), other, found, names=NAMES)
    window = Window(date(2020, 1, 1), date(2020, 4, 1))
    late = Incidents(one.table, window, one.provenance)
    with pytest.raises(ValueError, match="the same window"):
        merge(late, other, found, names=NAMES)
