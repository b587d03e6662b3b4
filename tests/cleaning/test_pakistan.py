"""Cleaning of UCDP's events in Pakistan, against pandas."""

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from escalation import Cleaning, Incidents, Window, read
from escalation.incidents import PLACE_PRECISIONS

SAME = ("source", "target", "incident_class")


@pytest.fixture(scope="module")
def path(shared: Path) -> Path:
    return shared / "data" / "ucdp_ged_pakistan_1989_2021.csv"


@pytest.fixture(scope="module")
def pakistan(path: Path) -> Incidents:
    return read(path, Window(date(1989, 1, 1), date(2022, 1, 1)), source="ucdp")


@pytest.fixture(scope="module")
def raw(path: Path) -> pd.DataFrame:
    frame = pd.read_csv(path)
    for name in ("date_start", "date_end"):
        frame[name] = pd.to_datetime(frame[name]).dt.normalize()
    return frame


def left(cleaning: Cleaning, incidents: Incidents) -> int:
    return len(cleaning.apply(incidents).incidents)


def test_filters(pakistan: Incidents, raw: pd.DataFrame) -> None:
    days = (raw.date_end - raw.date_start).dt.days + 1
    assert left(Cleaning(clarity=1), pakistan) == (raw.event_clarity == 1).sum()
    assert left(Cleaning(widest_span=7), pakistan) == (days <= 7).sum()
    assert left(Cleaning(least_deaths=1), pakistan) == (raw.best >= 1).sum()
    few = (raw.number_of_sources >= 0) & (raw.number_of_sources < 2)
    assert left(Cleaning(reports=2), pakistan) == (~few).sum()
    box = raw.longitude.between(69, 72) & raw.latitude.between(32, 35)
    assert left(Cleaning(box=(69, 32, 72, 35)), pakistan) == box.sum()
    corners = ((69, 32), (72, 32), (72, 35), (69, 35))
    # A polygon has two of its four edges, a box all of them.
    inside = raw.longitude.between(69, 72, "left") & raw.latitude.between(32, 35, "left")
    assert abs(left(Cleaning(polygon=corners), pakistan) - inside.sum()) <= (
        box.sum() - inside.sum()
    )
    coarse = pakistan.table["place_precision"].is_in(PLACE_PRECISIONS[3:]).sum()
    assert left(Cleaning(place_precision="district"), pakistan) == 6416 - coarse


def test_duplicates(pakistan: Incidents, raw: pd.DataFrame) -> None:
    keys = raw.assign(
        where=raw.where_coordinates.str.casefold().str.split().str.join(" "),
        one=np.where(raw.type_of_violence == 3, raw.side_a, raw[["side_a", "side_b"]].min(axis=1)),
        two=np.where(raw.type_of_violence == 3, raw.side_b, raw[["side_a", "side_b"]].max(axis=1)),
    )
    named = ["date_start", "date_end", "one", "two", "type_of_violence", "where"]
    expected = len(keys.drop_duplicates(named))
    assert not keys[named].isna().any().any()
    assert left(Cleaning(duplicates=(*SAME, "place")), pakistan) == expected
    exact = keys[keys.date_start == keys.date_end]
    daily = len(exact.drop_duplicates(["date_start", "one", "two", "type_of_violence"]))
    assert left(Cleaning(one_a_day=SAME), pakistan) == daily + len(keys) - len(exact)


def test_spreading(pakistan: Incidents, raw: pd.DataFrame) -> None:
    days = (raw.date_end - raw.date_start).dt.days + 1
    cleaned = Cleaning(spans="spread").apply(pakistan)
    assert len(cleaned.incidents) + len(cleaned.dropped) == days.sum()
    table = cleaned.incidents.table
    assert table["deaths_best"].sum() + cleaned.dropped["deaths_best"].sum() == raw.best.sum()
    assert ((table["deaths_low"] <= table["deaths_best"])
            & (table["deaths_best"] <= table["deaths_high"])).all()  # fmt: skip
