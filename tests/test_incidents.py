from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from escalation.incidents import SCHEMA, Incidents, Provenance
from escalation.sources import read
from escalation.window import Window

WINDOW = Window(date(2020, 1, 1), date(2021, 1, 1))

ROWS = {
    "date": ["2020-03-01", "2020-01-05", "2020-02-01", "2020-06-01"],
    "date_latest": ["2020-03-01", "2020-01-09", "2020-02-01", "2020-06-01"],
    "source": ["A", "B", "A", "<script>alert(1)</script>"],
    "target": ["B", "A", "B", "A"],
    "incident_class": ["raid", "raid", "strike", None],
    "deaths_low": ["1", None, "0", None],
    "deaths_best": ["2", "3", "0", None],
    "deaths_high": ["5", None, "4", None],
    "certainty": ["confirmed", "alleged", "denied", "reported"],
    "directed": ["true", "false", "true", "true"],
}


@pytest.fixture
def incidents() -> Incidents:
    return read(pl.DataFrame(ROWS), WINDOW)


def test_incidents_stand_in_order_of_their_dates(incidents: Incidents) -> None:
    assert incidents.table["date"].is_sorted()
    assert dict(incidents.table.schema) == SCHEMA
    assert len(incidents) == 4


def test_summary_counts_each_class_and_all(incidents: Incidents) -> None:
    rows = {row["class"]: row for row in incidents.summary().to_dicts()}
    assert list(rows) == ["raid", "(no class)", "strike", "all"]
    assert rows["raid"] == {
        "class": "raid",
        "incidents": 2,
        "deaths low": 4,
        "deaths best": 5,
        "deaths high": 8,
        "deaths unknown": 0,
        "first": date(2020, 1, 5),
        "last": date(2020, 3, 1),
        "imprecise": 0.5,
        "disputed": 1,
        "undirected": 1,
    }
    assert rows["all"]["incidents"] == 4
    assert rows["all"]["deaths unknown"] == 1
    assert rows["all"]["disputed"] == 2
    assert rows["all"]["imprecise"] == 0.25


def test_where_takes_values_and_expressions(incidents: Incidents) -> None:
    assert len(incidents.where(incident_class="raid")) == 2
    assert len(incidents.where(certainty=["alleged", "denied"], source="A")) == 1
    killed = incidents.where(pl.col("deaths_best") > 0, target="B")
    assert killed.table["date"].to_list() == [date(2020, 3, 1)]
    assert killed.window is incidents.window
    assert incidents.where() is incidents
    with pytest.raises(
        ValueError, match="no column 'incident_clas', the nearest is 'incident_class'"
    ):
        incidents.where(incident_clas="raid")


def test_no_incidents_sum_up_to_nothing(incidents: Incidents) -> None:
    nothing = incidents.where(source="nobody")
    row = nothing.summary().to_dicts()
    assert [(each["class"], each["incidents"], each["first"]) for each in row] == [("all", 0, None)]
    assert "Incidents" in nothing._repr_html_()


def test_text_from_data_is_escaped(incidents: Incidents) -> None:
    hostile = replace(
        incidents,
        provenance=replace(incidents.provenance, file="<img src=x>.csv"),
        rejected=pl.DataFrame(
            {"line": [17], "column": ["date"], "value": ["<script>"], "reason": ["bad"]}
        ),
        table=incidents.table.with_columns(incident_class=pl.lit("<b>raid</b>")),
    )
    html = hostile._repr_html_()
    assert "<img" not in html
    assert "<script>" not in html
    assert "<b>raid" not in html
    assert "&lt;script&gt;" in html


def test_repr_is_one_short_line(incidents: Incidents) -> None:
    assert repr(incidents) == "Incidents(4 from table, 2020-01-01 to 2020-12-31 (366 days))"


def test_equal_by_what_they_hold(incidents: Incidents) -> None:
    assert incidents == replace(incidents)
    assert incidents != incidents.where(source="A")
    assert incidents != replace(incidents, window=Window(date(2020, 1, 1), date(2020, 12, 1)))


def test_incidents_refuse_what_is_not_theirs(incidents: Incidents) -> None:
    table = incidents.table
    for broken, message in [
        (table.rename({"dyad": "dyads"}), "no column 'dyad', the nearest is 'dyads'"),
        (table.with_columns(pl.col("deaths_low").cast(pl.Int32)), "'deaths_low' must be Int64"),
        (table.with_columns(source=pl.lit(None, pl.String)), "'source' has missing values"),
        (table.with_columns(certainty=pl.lit("rumoured")), "certainty must be one of"),
    ]:
        with pytest.raises(ValueError, match=message):
            replace(incidents, table=broken)
    with pytest.raises(ValueError, match="2020-01-05 lies outside 2020-02-01 to"):
        replace(incidents, window=Window(date(2020, 2, 1), date(2021, 1, 1)))


def test_provenance_adds_up() -> None:
    with pytest.raises(ValueError, match="10 rows read, but 7 taken, 1 rejected and 1 outside"):
        Provenance("f.csv", "0", "table", "", "", "", 10, 7, 1, 1)
