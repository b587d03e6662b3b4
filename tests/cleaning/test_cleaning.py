"""Every step of cleaning: by hand on a few rows, and what holds for any incidents."""

from collections import Counter
from datetime import date, timedelta
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure

from escalation import Actors, Cleaned, Cleaning, Incidents, Stream, Window, plots
from escalation.cleaning import Outlines
from escalation.cleaning.steps import DROPPED
from escalation.incidents import SCHEMA
from escalation.series import EventSeries
from rows import SIDES, WINDOW, incidents, outlines, square


def ids(cleaned: Cleaned) -> list[str]:
    return cleaned.incidents.table["id"].to_list()


def test_nothing_asked_is_nothing_done() -> None:
    given_ = incidents({}, {"clarity": 2})
    cleaned = Cleaning().apply(given_)
    assert cleaned.incidents is given_
    assert cleaned.report.is_empty()
    assert Cleaning().steps == ()


def test_duplicates_keep_the_one_with_most_reports_else_the_first() -> None:
    rows = [
        {"place": "Mill", "reports": 1},
        {"place": " mill", "reports": 5},
        {"place": "MILL", "reports": 5},
        {"place": "Ford"},
        {"place": "Ford"},
        {},
        {},
        {"place": "Mill", "source": "a ", "date": "2020-01-08"},
    ]
    cleaned = Cleaning(duplicates=(*SIDES, "place")).apply(incidents(*rows))
    assert ids(cleaned) == ["2", "4", "6", "7", "8"]
    gone = cleaned.dropped.select("id", "kept", "reason")
    assert gone.rows() == [
        ("1", "2", "the same as 2"), ("3", "2", "the same as 2"), ("5", "4", "the same as 4"),
    ]  # fmt: skip
    assert cleaned.report.row(0)[:6] == ("duplicates", 8, 3, 0, 0, 5)


def test_sides_have_no_order_without_direction() -> None:
    turned = {"source": "B", "target": "A"}
    open_ = {"directed": False}
    rows = [open_, {**turned, **open_}, {}, turned]
    assert ids(Cleaning(duplicates=SIDES).apply(incidents(*rows))) == ["1", "3", "4"]


def test_duplicates_have_the_same_span() -> None:
    span = {"date_latest": "2020-01-09"}
    assert ids(Cleaning(duplicates=SIDES).apply(incidents({}, span, span))) == ["1", "2"]


def test_one_a_day_leaves_unknown_days_alone() -> None:
    span = {"date_latest": "2020-01-09"}
    rows = [{}, {}, span, span, {"date": "2020-01-08"}, {"incident_class": "raid"}]
    assert ids(Cleaning(one_a_day=SIDES).apply(incidents(*rows))) == ["1", "3", "4", "5"]
    by_class = Cleaning(one_a_day=(*SIDES, "incident_class"))
    assert "6" in ids(by_class.apply(incidents(*rows)))


def test_spans_start() -> None:
    cleaned = Cleaning(spans="start").apply(incidents({"date_latest": "2020-01-09"}, {}))
    assert cleaned.incidents.table["date_latest"].to_list() == [date(2020, 1, 7)] * 2
    assert cleaned.changed.rows() == [("spans", "1", "date_latest", "2020-01-09", "2020-01-07")]
    assert cleaned.report.row(0)[:6] == ("spans", 2, 0, 1, 0, 2)


def test_drawn_days_are_those_of_redated_and_stay(rng: np.random.Generator) -> None:
    gap = Window(WINDOW.start, WINDOW.end, ((date(2020, 1, 8), date(2020, 1, 9)),))
    given_ = incidents(*[{"date_latest": "2020-01-10"}] * 3000, window=gap)
    drawn = Cleaning(spans="draw").apply(given_, np.random.default_rng(3)).incidents
    days = Counter(drawn.table["date"])
    assert set(days) == {date(2020, 1, 7), date(2020, 1, 9), date(2020, 1, 10)}
    # 1,000 expected of 3,000, sd 26: false alarm below one in a million
    assert max(abs(number - 1000) for number in days.values()) < 130
    assert (drawn.table["date"] == drawn.table["date_latest"]).all()
    assert drawn.redated(rng).table.equals(drawn.table)
    again = given_.redated(np.random.default_rng(3)).table.sort("id")
    assert again["date"].equals(drawn.table.sort("id")["date"])


def test_kept_spans_can_still_be_redrawn() -> None:
    given_ = incidents({"date_latest": "2020-01-31", "place": "Mill"}, {})
    cleaned = Cleaning(duplicates=(*SIDES, "place"), widest_span=40).apply(given_).incidents
    assert cleaned.redated(np.random.default_rng(1)).table["date"][1] > date(2020, 1, 7)


def test_spreading_shares_deaths_and_keeps_their_order() -> None:
    row = {"date_latest": "2020-01-09", "deaths_low": 1, "deaths_best": 5, "deaths_high": 7}
    cleaned = Cleaning(spans="spread").apply(incidents(row, {"deaths_best": 4}))
    table = cleaned.incidents.table
    assert sorted(ids(cleaned)) == ["1#1", "1#2", "1#3", "2"]
    days = table.filter(pl.col("id").str.starts_with("1#"))
    assert days["date"].to_list() == [date(2020, 1, day) for day in (7, 8, 9)]
    assert days["date_latest"].equals(days["date"].alias("date_latest"))
    assert days["deaths_low"].to_list() == [1, 0, 0]
    assert days["deaths_best"].to_list() == [2, 2, 1]
    assert days["deaths_high"].to_list() == [3, 2, 2]
    assert cleaned.report.row(0)[:6] == ("spans", 2, 0, 0, 2, 4)


def test_days_past_the_window_are_told() -> None:
    row = {"date": "2020-02-28", "date_latest": "2020-03-02", "deaths_best": 4}
    cleaned = Cleaning(spans="spread").apply(incidents(row))
    assert ids(cleaned) == ["1#1", "1#2"]
    assert cleaned.dropped["id"].to_list() == ["1#3", "1#4"]
    assert cleaned.dropped["deaths_best"].to_list() == [1, 1]
    assert cleaned.report.row(0)[:6] == ("spans", 1, 2, 0, 3, 2)


def test_only_summaries_are_spread() -> None:
    span = {"date_latest": "2020-01-09"}
    rows = [{**span, "clarity": 2}, {**span, "clarity": 1}, span]
    assert len(ids(Cleaning(summaries="spread").apply(incidents(*rows)))) == 5
    assert ids(Cleaning(summaries="drop").apply(incidents(*rows))) == ["2", "3"]


def test_filters_by_grade_tell_of_the_unknown() -> None:
    rows = [
        {"clarity": 1, "reports": 3, "place_precision": "place", "deaths_best": 0},
        {"clarity": 2, "reports": 1, "place_precision": "province", "deaths_high": 9},
        {},
    ]
    given_ = incidents(*rows)
    for asked, kept in [
        ({"clarity": 1}, ["1", "3"]),
        ({"reports": 2}, ["1", "3"]),
        ({"place_precision": "district"}, ["1", "3"]),
        ({"least_deaths": 1}, ["2", "3"]),
    ]:
        cleaned = Cleaning(**asked).apply(given_)
        assert ids(cleaned) == kept
        assert "1 of unknown" in cleaned.report["why"][0]
        strict = Cleaning(**asked, unknown="drop").apply(given_)
        assert ids(strict) == kept[:1]
        assert "is not known" in strict.dropped["reason"].to_list()[-1]


def test_wide_dates_are_dropped() -> None:
    rows = [{"date_latest": f"2020-01-{day:02}"} for day in (7, 8, 9, 31)]
    assert ids(Cleaning(widest_span=2).apply(incidents(*rows))) == ["1", "2"]
    assert ids(Cleaning(widest_span=1).apply(incidents(*rows))) == ["1"]


def test_deaths_as_intervals_or_one_figure() -> None:
    rows = [
        {"deaths_best": 3},
        {"deaths_low": 2, "deaths_high": 2},
        {"deaths_low": 2, "deaths_best": 4, "deaths_high": 6},
        {"deaths_high": 5},
        {},
    ]

    def figures(which: str) -> list[tuple[int | None, ...]]:
        table = Cleaning(deaths=which).apply(incidents(*rows)).incidents.table
        return table.select("deaths_low", "deaths_best", "deaths_high").rows()

    none = (None, None, None)
    assert figures("interval") == [(3, 3, 3), (2, 2, 2), (2, 4, 6), (None, None, 5), none]
    assert figures("low") == [none, (2, 2, 2), (2, 2, 2), none, none]
    assert figures("high") == [none, (2, 2, 2), (6, 6, 6), (5, 5, 5), none]


def places() -> Incidents:
    return incidents(
        {"longitude": 0.5, "latitude": 0.5},
        {"longitude": 1.5, "latitude": 0.5},
        {"longitude": 1.05, "latitude": 0.5},
        {"longitude": 179.5, "latitude": 0.5},
        {},
        {"longitude": 0.5},
    )


def test_boxes_and_polygons(tmp_path: Any) -> None:
    given_ = places()
    assert ids(Cleaning(box=(0, 0, 1.2, 1)).apply(given_)) == ["1", "3"]
    assert ids(Cleaning(box=(179, 0, 0.6, 1)).apply(given_)) == ["1", "4"]
    corners = tuple(map(tuple, square(0, 0).tolist()))
    cleaned = Cleaning(polygon=corners).apply(given_)
    assert ids(cleaned) == ["1"]
    reasons = cleaned.dropped["reason"].to_list()
    assert reasons.count("it has no coordinates") == 2
    path = outlines(tmp_path / "o.json", A=square(0, 0), B=square(1, 0))
    assert ids(Cleaning(outlines=str(path), within=("a", "B")).apply(given_)) == ["1", "2", "3"]


def test_distance_to_a_border(tmp_path: Any) -> None:
    path = str(outlines(tmp_path / "o.json", A=square(0, 0), B=square(1, 0)))
    near = Cleaning(outlines=path, border=("A", "B"), border_distance=6)
    # .05 degrees of longitude are 5.57 km here, .5 are 55.66.
    assert ids(near.apply(places())) == ["3"]
    wide = Cleaning(outlines=path, border=("A", "B"), border_distance=55.7)
    assert ids(wide.apply(places())) == ["1", "2", "3"]
    assert ids(
        Cleaning(outlines=path, border=("A", "B"), border_distance=55.6).apply(places())
    ) == ["3"]


def test_a_map_of_what_is_kept(tmp_path: Any) -> None:
    path = outlines(tmp_path / "o.json", A=square(0, 0), B=square(1, 0))
    near = Cleaning(outlines=str(path), border=("A", "B"), border_distance=6).apply(places())
    ax = Figure().subplots()
    drawn = plots.places(
        ax, near.incidents.table, near.dropped, Outlines.read(path), border=("A", "B")
    )
    assert drawn is ax
    dropped, kept, line = ax.collections
    assert (len(kept.get_offsets()), len(dropped.get_offsets())) == (1, 5)
    assert len(line.get_segments()) > 100
    assert len(ax.lines) == 2


def test_filters_come_before_duplicates() -> None:
    """Of two records of one incident, that with more reports would be kept, but is not exact."""
    rows = [{"reports": 9, "place_precision": "country"}, {"place_precision": "place"}]
    cleaned = Cleaning(duplicates=SIDES, place_precision="near").apply(incidents(*rows))
    assert ids(cleaned) == ["2"]
    assert cleaned.report["step"].to_list() == ["place_precision", "duplicates"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"spans": "middle"}, "spans must be one of keep, start, draw, spread, got 'middle'"),
        ({"deaths": "median"}, "deaths must be one of"),
        ({"place_precision": "city"}, "place_precision must be one of place, near"),
        ({"clarity": 0}, "clarity must be at least 1"),
        ({"widest_span": 1.5}, "widest_span must be a whole number"),
        ({"reports": True}, "reports must be a whole number"),
        ({"duplicates": "source"}, "duplicates must be a list, got 'source'"),
        ({"duplicates": ("sources",)}, "cannot compare the column 'sources', the nearest is"),
        ({"one_a_day": ("date",)}, "one_a_day cannot compare the column 'date'"),
        ({"box": (1, 2, 3)}, "box wants west, south, east and north"),
        ({"box": (60, 40, 70, 30)}, "box must be west, south, east and north"),
        ({"polygon": ((1, 2), (3, 4))}, "polygon wants three or more"),
        ({"polygon": ((30, 100), (31, 100), (30, 101))}, "in that order"),
        ({"border": ("A", "B")}, "border and border_distance"),
        ({"border": ("A", "B"), "border_distance": 5}, "outlines .* goes together"),
        ({"border": ("A",), "border_distance": 5, "outlines": "o"}, "two neighbours"),
        ({"border": ("A", "B"), "border_distance": -5, "outlines": "o"}, "above 0 km"),
        ({"outlines": "o"}, "goes together with within or border"),
    ],
)
def test_bad_settings_are_one_line(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        Cleaning(**settings)


ROWS = st.fixed_dictionaries(
    {"date": st.dates(date(2020, 1, 1), date(2020, 2, 29)), "wide": st.integers(0, 40)},
    optional={
        "source": st.sampled_from("AB"),
        "place": st.sampled_from(("Mill", "mill ", "Ford")),
        "clarity": st.integers(1, 2),
        "reports": st.integers(0, 3),
        "deaths_best": st.integers(0, 9),
        "longitude": st.floats(-3, 3),
        "latitude": st.floats(-3, 3),
        "place_precision": st.sampled_from(("place", "country")),
        "directed": st.booleans(),
    },
)
SETTINGS = st.fixed_dictionaries(
    {},
    optional={
        "box": st.just((-1.0, -1.0, 2.0, 2.0)),
        "place_precision": st.just("near"),
        "clarity": st.just(1),
        "reports": st.just(2),
        "widest_span": st.integers(1, 30),
        "least_deaths": st.integers(0, 3),
        "duplicates": st.just((*SIDES, "place")),
        "one_a_day": st.just(SIDES),
        "spans": st.sampled_from(("keep", "start", "draw", "spread")),
        "summaries": st.sampled_from(("keep", "drop", "spread")),
        "deaths": st.sampled_from(("interval", "best", "high")),
        "unknown": st.sampled_from(("keep", "drop")),
    },
)


@settings(max_examples=20)
@given(rows=st.lists(ROWS, max_size=12), chosen=SETTINGS)
def test_every_incident_is_accounted_for(rows: list[dict[str, Any]], chosen: Any) -> None:
    """Rows before = rows after + dropped - added; what is not there is listed, once, with why."""
    rows = [
        {**row, "date_latest": row["date"] + timedelta(days=wide)}
        for row in rows for wide in [row.pop("wide")]
    ]  # fmt: skip
    given_ = incidents(*rows)
    cleaned = Cleaning(**chosen).apply(given_)
    at = len(given_)
    for _, before, dropped, _, added, after, why in cleaned.report.rows():
        assert before == at
        assert after == before - dropped + added
        assert why
        at = after
    assert at == len(cleaned.incidents)
    assert cleaned.dropped.schema == DROPPED
    assert not cleaned.dropped["reason"].has_nulls()
    whole = set(ids(cleaned)) | set(cleaned.dropped["id"])
    assert {one.partition("#")[0] for one in whole} == set(given_.table["id"])
    assert len(ids(cleaned)) + len(cleaned.dropped) == len(whole)
    if "deaths" not in chosen:
        kept = cleaned.incidents.table["deaths_best"].sum() + cleaned.dropped["deaths_best"].sum()
        assert kept == given_.table["deaths_best"].sum()
    assert dict(cleaned.incidents.table.schema) == SCHEMA
    assert cleaned.incidents.table["date"].is_sorted()
    assert Cleaning(**chosen).apply(given_).incidents == cleaned.incidents
    stream = Stream("s", source=("A",), directed=False)
    assert len(stream.select(cleaned.incidents, Actors())) <= len(cleaned.incidents)
    EventSeries.from_incidents(cleaned.incidents, (stream,))
