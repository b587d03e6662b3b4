"""Two codings beside each other: which rows are of one incident, and how far they agree."""

from datetime import date, timedelta
from itertools import permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from escalation import cohen_kappa, compare_codings, krippendorff_alpha
from escalation.coding.matching import Rule, comparable, likeness, matched_rows
from escalation.coding.reading import open_coding
from escalation.sources import DataError

ROWS = {
    "id": ["1", "2", "3", "4"],
    "date": ["2031-05-04", "2031-05-04", "2031-05-09", "2031-06-01"],
    "date_latest": ["2031-05-04", "2031-05-06", "2031-05-09", "2031-06-30"],
    "source": ["North", "North", "South", "South"],
    "target": ["South", "South", "North", "East"],
    "code": ["190", "112", "195", "042"],
    "country": ["South", "South", "North", "East"],
    "place_precision": ["place", "country", "near", "province"],
    "deaths_best": ["3", "0", "", "0"],
    "certainty": ["alleged", "confirmed", "reported", "confirmed"],
}
FIRST = pl.DataFrame(ROWS)


@pytest.fixture
def seeded() -> np.random.Generator:
    return np.random.default_rng(5)


def test_a_coding_agrees_with_itself(seeded: np.random.Generator) -> None:
    found = compare_codings(FIRST, FIRST, rng=seeded, draws=50)
    assert (found.rows, found.matched, found.unit_agreement) == ((4, 4), 4, 1.0)
    assert found.rule == "by id"
    assert found.disagreements.is_empty()
    assert (found.table["same"] == 1).all()
    coefficients = found.table.select("kappa", "alpha").unpivot()["value"].drop_nulls().drop_nans()
    assert len(coefficients) > 10 and (coefficients == 1).all()


def test_the_coefficients_are_those_of_the_values(seeded: np.random.Generator) -> None:
    second = FIRST.with_columns(
        code=pl.Series(["193", "112", "112", "042"]),
        deaths_best=pl.Series(["5", "0", "1", "2"]),
        certainty=pl.Series(["denied", "reported", "reported", "confirmed"]),
        date_latest=pl.Series(["2031-05-05", "2031-05-06", "2031-05-09", "2031-06-03"]),
    )
    found = compare_codings(FIRST, second, rng=seeded, draws=50)
    table = {row["column"]: row for row in found.table.iter_rows(named=True)}
    code = table["code"]
    assert (code["both"], code["same"], code["one only"]) == (4, 0.5, 0)
    assert code["kappa"] == cohen_kappa(FIRST["code"].to_list(), second["code"].to_list())
    assert table["code: root"]["same"] == 0.75
    assert table["code: quad class"]["same"] == 0.75
    deaths = table["deaths_best"]
    assert (deaths["both"], deaths["one only"], deaths["kappa"]) == (3, 1, None)
    numbers = [[3, 0, np.nan, 0], [5, 0, 1, 2]]
    assert deaths["alpha"] == krippendorff_alpha(numbers, "ratio")
    sure = table["certainty"]
    order = [[2, 0, 1, 0], [3, 1, 1, 0]]
    assert sure["kappa"] == cohen_kappa(*order, "linear")
    assert sure["alpha"] == krippendorff_alpha(order, "ordinal")
    days = [[0, 2, 5, 57], [1, 2, 5, 30]]
    assert table["date_latest"]["alpha"] == pytest.approx(krippendorff_alpha(days, "interval"))
    assert code["kappa low"] <= code["kappa"] <= code["kappa high"]
    differing = found.disagreements.rows()
    assert len(differing) == 2 + 3 + 2 + 2
    assert ("3", "3", "deaths_best", "", "1") in differing
    assert ("1", "1", "code", "190", "193") in differing


def test_rows_are_found_by_content(seeded: np.random.Generator) -> None:
    """Other ids, another order, a day off, one row more and one less."""
    second = FIRST[[3, 1, 0]].with_columns(
        id=pl.Series(["x", "y", "z"]), date=pl.Series(["2031-06-02", "2031-05-05", "2031-05-04"])
    )
    extra = FIRST[:1].with_columns(id=pl.lit("w"), source=pl.lit("West"), target=pl.lit("East"))
    found = compare_codings(FIRST, pl.concat([second, extra]), rng=seeded, draws=20)
    assert found.rule.startswith("by content: days at most 3 apart")
    pairs = found.matches.select("first", "second").rows()
    assert pairs == [("1", "z"), ("2", "y"), ("4", "x"), ("3", None), (None, "w")]
    assert found.matched == 3
    assert found.unit_agreement == pytest.approx(6 / 8)
    assert found.matches["why"].to_list()[:2] == [
        "same days; same source, target, country and code",
        "1 day apart; same source, target, country and code",
    ]


def test_days_and_actors_bound_what_is_matched(seeded: np.random.Generator) -> None:
    later = FIRST.with_columns(
        id="n" + pl.col("id"), date=pl.lit("2031-07-09"), date_latest=pl.lit("2031-07-09")
    )
    assert compare_codings(FIRST, later, rng=seeded, draws=1, days=8).matched == 0
    assert compare_codings(FIRST, later, rng=seeded, draws=1, days=9).matched == 1
    others = FIRST.with_columns(id="n" + pl.col("id"), source=pl.lit("A"), target=pl.lit("B"))
    assert compare_codings(FIRST, others, rng=seeded, draws=1).matched == 0
    swapped = FIRST.with_columns(id="n" + pl.col("id"), source="target", target="source")
    assert compare_codings(FIRST, swapped, rng=seeded, draws=1).matched == 4


def test_the_way_of_matching_may_be_said(seeded: np.random.Generator) -> None:
    renamed = FIRST.with_columns(id=pl.Series(["1", "9", "8", "7"]))
    assert compare_codings(FIRST, renamed, rng=seeded, draws=1).rule != "by id"
    by_id = compare_codings(FIRST, renamed, rng=seeded, draws=1, by="id")
    assert by_id.matched == 1
    assert compare_codings(FIRST, FIRST, rng=seeded, draws=1, by="content").matched == 4
    assert compare_codings(FIRST, FIRST.drop("id"), rng=seeded, draws=1).matched == 4


@settings(max_examples=25)
@given(st.data())
def test_the_assignment_is_the_best_of_all(data: st.DataObject) -> None:
    """Against every way to pair up two small codings."""
    actors, codes = st.sampled_from("AB"), st.sampled_from(["190", "195", "112"])

    def coding(size: int) -> pl.DataFrame:
        days = [date(2031, 5, 1) + timedelta(data.draw(st.integers(0, 6))) for _ in range(size)]
        return pl.DataFrame(
            {
                "id": [str(place) for place in range(size)],
                "date": [day.isoformat() for day in days],
                "source": [data.draw(actors) for _ in range(size)],
                "target": [data.draw(st.sampled_from("BC")) for _ in range(size)],
                "code": [data.draw(codes) for _ in range(size)],
            }
        )

    first, second = open_coding(coding(3)), open_coding(coding(4))
    one, other = comparable(first), comparable(second)

    def worth(a: int, b: int) -> float:
        apart = abs((one[a]["date taken"] - other[b]["date taken"]).days)
        return (likeness(one[a], other[b]) or 0.0) if apart <= 3 else 0.0

    best = max(sum(map(worth, range(3), way)) for way in permutations(range(4), 3))
    found = matched_rows(first, second, Rule("content", 3))
    assert sum(worth(each.first, each.second) for each in found) == pytest.approx(best)
    assert len({each.second for each in found}) == len(found)
    assert all(worth(each.first, each.second) > 0 for each in found)


def test_faults_come_first(seeded: np.random.Generator) -> None:
    wrong = FIRST.with_columns(date=pl.lit("soon"))
    with pytest.raises(DataError, match=r"4 faults to mend .* line 2, column 'date': 'soon'"):
        compare_codings(FIRST, wrong, rng=seeded)
    with pytest.raises(ValueError, match="by must be 'id' or 'content', got 'name'"):
        compare_codings(FIRST, FIRST, rng=seeded, by="name")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="days must be at least 0"):
        compare_codings(FIRST, FIRST, rng=seeded, days=-1)


def test_empty_codings(seeded: np.random.Generator) -> None:
    found = compare_codings(FIRST[:0], FIRST, rng=seeded, draws=5)
    assert (found.matched, found.rows) == (0, (0, 4))
    assert found.table.is_empty() and found.disagreements.is_empty()
    assert np.isnan(compare_codings(FIRST[:0], FIRST[:0], rng=seeded, draws=5).unit_agreement)


def test_the_same_seed_gives_the_same_intervals() -> None:
    second = FIRST.with_columns(code=pl.Series(["193", "112", "195", "042"]))
    tables = [
        compare_codings(FIRST, second, rng=np.random.default_rng(3), draws=200).table
        for _ in range(2)
    ]
    assert tables[0].equals(tables[1])


def test_it_shows_in_a_notebook(seeded: np.random.Generator) -> None:
    second = FIRST.with_columns(source=pl.Series(["<i>", "North", "South", "South"]))
    found = compare_codings(FIRST, second, rng=seeded, draws=20)
    text = found._repr_html_()
    assert "Two codings" in text and "95% bootstrap" not in text
    assert "&lt;i&gt;" in text and "<i>" not in text
    shown = {row["column"]: row for row in found.shown().iter_rows(named=True)}
    assert shown["deaths_best"]["kappa"] == ""
    assert shown["target"]["alpha"] == "1.00"
    assert " to " in shown["source"]["kappa"]


def test_a_thousand_rows_are_matched_in_a_moment(seeded: np.random.Generator) -> None:
    size = 1000
    days = [(date(2031, 1, 1) + timedelta(int(day))).isoformat() for day in np.arange(size) // 3]
    first = pl.DataFrame(
        {
            "id": [f"a{place}" for place in range(size)],
            "date": days,
            "source": [f"S{place % 7}" for place in range(size)],
            "target": ["T"] * size,
            "place": [f"P{place % 5}" for place in range(size)],
        }
    )
    second = first.with_columns(id="b" + pl.col("id").str.slice(1)).sample(
        fraction=1, shuffle=True, seed=1
    )
    found = compare_codings(first, second, rng=seeded, draws=20)
    pairs = found.matches.select("first", "second").rows()
    assert [a[1:] for a, _ in pairs] == [b[1:] for _, b in pairs]
