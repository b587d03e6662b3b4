"""Releases compared, by hand; what was known when; delays against simulations and plain shares."""

from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
from matplotlib.figure import Figure

from escalation import (
    Incidents,
    Persistence,
    Releases,
    ReportingTriangle,
    Stream,
    Window,
    compare_releases,
    plots,
    reporting_delay,
    run_backtest,
)
from escalation.incidents import SCHEMA
from rows import incidents

JANUARY = Window(date(2020, 1, 1), date(2020, 2, 1))
FEBRUARY = Window(date(2020, 1, 1), date(2020, 3, 1))
ANY = (Stream("all", source=("A",)),)


def release(window: Window, **rows: dict[str, object]) -> Incidents:
    return incidents(*({"id": name, **row} for name, row in rows.items()), window=window)


def test_added_removed_and_revised() -> None:
    before = release(
        JANUARY,
        a={"deaths_best": 3, "place": "Mill"},
        b={},
        c={"date": "2020-01-20"},
        d={"date": "2020-01-30", "date_latest": "2020-01-31"},
    )
    after = release(
        FEBRUARY,
        a={"deaths_best": 5},
        c={"date": "2020-01-20"},
        d={"date": "2020-01-31"},
        e={"date": "2020-01-02"},
        f={"date": "2020-02-02"},
    )
    found = compare_releases(before, after)
    assert found.added.select("id", "late").rows() == [("e", True), ("f", False)]
    assert found.removed["id"].to_list() == ["b"]
    assert dict(found.removed.schema) == SCHEMA
    assert sorted(found.revised.rows()) == [
        ("a", "deaths_best", "3", "5"),
        ("a", "place", "Mill", None),
        ("d", "date", "2020-01-30", "2020-01-31"),
    ]
    assert found.same == 1
    assert found.summary().rows() == [
        ("added", "", 2), ("added to days already covered", "", 1), ("removed", "", 1),
        ("the same", "", 1), ("revised", "", 2), ("revised", "date", 1),
        ("revised", "deaths_best", 1), ("revised", "place", 1),
    ]  # fmt: skip
    assert "2 added, 1 removed, 2 revised, 1 the same" in repr(found)
    only = compare_releases(before, after, ["date"])
    assert only.revised["id"].to_list() == ["d"]
    assert only.same == 2


def test_a_release_and_itself() -> None:
    one = release(JANUARY, a={}, b={"deaths_best": 2})
    found = compare_releases(one, one)
    assert (len(found.added), len(found.removed), len(found.revised), found.same) == (0, 0, 0, 2)


def test_what_lies_outside_the_later_window_is_not_removed() -> None:
    later = Window(date(2020, 1, 10), date(2020, 2, 1))
    before = release(JANUARY, a={"date": "2020-01-02"}, b={"date": "2020-01-12"})
    assert compare_releases(before, release(later).where()).removed["id"].to_list() == ["b"]


def test_the_union_of_changes_makes_the_later_release(rng: np.random.Generator) -> None:
    """Removed, added and revised rows lead from the one release to the other."""

    def made(keep: float) -> Incidents:
        rows = {
            f"i{n}": {"date": JANUARY.start + timedelta(days=int(rng.integers(31))),
                      "deaths_best": int(rng.integers(3))}
            for n in range(300) if rng.random() < keep
        }  # fmt: skip
        return release(JANUARY, **rows)

    before, after = made(0.9), made(0.9)
    found = compare_releases(before, after)
    values = {row["id"]: row for row in before.table.cast(pl.String).to_dicts()}
    for one in found.removed["id"]:
        del values[one]
    for one, column, old, new in found.revised.rows():
        assert values[one][column] == old
        values[one][column] = new
    values |= {row["id"]: row for row in found.added.drop("late").cast(pl.String).to_dicts()}
    expected = {row["id"]: row for row in after.table.cast(pl.String).to_dicts()}
    assert values == expected
    assert found.same == len(after) - len(found.added) - found.revised["id"].n_unique()


def test_what_cannot_be_compared_is_one_line() -> None:
    one = release(JANUARY, a={})
    with pytest.raises(ValueError, match="no column 'deaths' to compare"):
        compare_releases(one, one, ["deaths"])
    twice = Incidents(pl.concat([one.table] * 2), one.window, one.provenance)
    with pytest.raises(ValueError, match="must be there and differ"):
        compare_releases(one, twice)


def reported(rng: np.random.Generator, size: int = 400) -> Incidents:
    """Incidents of two months that are reported up to 30 days later."""
    day = rng.integers(0, 60, size)
    start = np.datetime64("2020-01-01")
    late = start + day + rng.integers(0, 31, size)
    rows = (
        {"date": start + one, "reported_on": other} for one, other in zip(day, late, strict=True)
    )
    return incidents(*rows)


def test_as_of_views(rng: np.random.Generator) -> None:
    whole = reported(rng)
    days = [date(2020, 1, 20), date(2020, 2, 3), date(2020, 3, 1)]
    releases = Releases.from_reports(whole, days)
    assert releases.as_of(date(2020, 2, 10)) == releases.releases[date(2020, 2, 3)]
    for day in days:
        known = releases.as_of(day)
        rows = whole.table.filter((pl.col("reported_on") < day) & (pl.col("date") < day))
        assert known.table.equals(rows)
        assert known.window.end == min(day, whole.window.end)
    changes = releases.changes()
    assert changes["removed"].to_list() == [0, 0]
    assert (changes["late"] > 0).all()
    assert changes["incidents"].to_list() == [len(releases.as_of(day)) for day in days[1:]]
    with pytest.raises(ValueError, match="nothing is known as of 2020-01-19; the first release"):
        releases.as_of(date(2020, 1, 19))


def test_vintages_of_a_series(rng: np.random.Generator) -> None:
    whole = reported(rng)
    days = [date(2020, 1, 20), date(2020, 2, 3), date(2020, 2, 24)]
    found = Releases.from_reports(whole, days).vintages(ANY, "week")
    assert list(found.series) == days
    for day in days:
        first = date(2020, 1, 6)
        rows = whole.table.filter(
            (pl.col("reported_on") < day) & pl.col("date").is_between(first, day, closed="left")
        )
        assert found.as_of(day).counts.sum() == len(rows)
    grown = found.revisions()
    assert (grown["latest"] >= grown["first"]).all()
    assert grown["latest"].sum() > grown["first"].sum()


def test_the_triangle_of_releases_is_that_of_the_reports(rng: np.random.Generator) -> None:
    """Weekly releases tell the week of the report, as the days of report do."""
    whole = reported(rng)
    days = [date(2020, 1, 6) + timedelta(days=7 * week) for week in range(8)]
    releases = Releases.from_reports(whole, days)
    found = releases.triangle(ANY, "week", 4)
    table = whole.table.select(event="date", report="reported_on")
    direct = ReportingTriangle.from_table(table, days[0], days[-1], longest=4)
    assert np.array_equal(found.counts, direct.counts)


def test_a_backtest_sees_what_was_known(rng: np.random.Generator) -> None:
    """Persistence repeats the last count it saw: of the release, not of today's record."""
    window = Window(date(2019, 1, 7), date(2020, 1, 6))
    day = rng.integers(0, 364, 1500)
    late = np.datetime64("2019-01-07") + day + rng.integers(0, 31, 1500)
    both = zip(np.datetime64("2019-01-07") + day, late, strict=True)
    whole = incidents(*({"date": a, "reported_on": b} for a, b in both), window=window)
    origin = date(2019, 11, 4)
    releases = Releases.from_reports(whole, [origin, window.end + timedelta(days=40)])
    vintages = releases.vintages(ANY)
    models = {"last": Persistence()}
    now = run_backtest(models, vintages.latest, [origin], 4, seed=0)
    then = run_backtest(models, vintages, [origin], 4, seed=0)
    last_known = vintages.as_of(origin).counts[-1, 0]
    assert last_known < vintages.latest.counts[len(vintages.as_of(origin)) - 1, 0]
    # Judged by the same counts, told other ones.
    assert then.table["observed"].equals(now.table["observed"])
    assert not then.table["median"].equals(now.table["median"])


def test_releases_that_do_not_fit() -> None:
    with pytest.raises(ValueError, match="at least one release"):
        Releases({})
    with pytest.raises(ValueError, match="no day before its own"):
        Releases({date(2020, 1, 1): release(JANUARY, a={})})
    later = release(Window(date(2020, 1, 2), date(2020, 2, 1)), a={})
    with pytest.raises(ValueError, match="must begin on one day, got 2020-01-01 and 2020-01-02"):
        Releases({date(2020, 1, 20): release(JANUARY, a={}), date(2020, 2, 1): later})
    with pytest.raises(ValueError, match="tells when it was reported"):
        Releases.from_reports(release(JANUARY, a={}), [date(2020, 2, 1)])


SHARES = np.array([0.35, 0.25, 0.2, 0.12, 0.08])


def triangle(counts: np.ndarray) -> ReportingTriangle:
    edges = np.datetime64("2018-01-01") + 7 * np.arange(len(counts) + 1)
    window = Window(edges[0].item(), edges[-1].item())
    return ReportingTriangle(counts[:, :, None], edges, ("all",), window)


def test_the_share_of_whole_rows_is_the_plain_share(rng: np.random.Generator) -> None:
    """Where every period is old enough, nothing is to be corrected."""
    counts = rng.multinomial(30, SHARES, 40)
    counts[-4:] = 0
    found = reporting_delay(triangle(counts))
    plain = counts.sum(0).cumsum() / counts.sum()
    assert np.allclose(found["within"], plain)
    assert np.allclose(found["plain"], plain)
    assert found["within"][-1] == 1
    assert ((found["lower"] <= found["within"]) & (found["within"] <= found["upper"])).all()


def test_the_correction_is_that_of_a_maximum_of_the_likelihood(rng: np.random.Generator) -> None:
    """The shares maximise the product over reports of p(d) / P(d within what could be seen)."""
    from scipy.optimize import minimize

    given = triangle(rng.multinomial(9, SHARES, 8))
    counts, known = given.counts[:, :, 0], given.known

    def loss(free: np.ndarray) -> float:
        share = np.exp(free - np.logaddexp.reduce(free))
        seen = np.log((known * share).sum(1))
        return float(-(counts * known * (np.log(share) - seen[:, None])).sum())

    best = minimize(loss, np.zeros(5), method="BFGS", options={"gtol": 1e-9})
    share = np.exp(best.x - np.logaddexp.reduce(best.x))
    assert np.allclose(reporting_delay(given)["within"], share.cumsum(), atol=1e-4)


def test_the_interval_holds_the_truth_as_often_as_it_says(rng: np.random.Generator) -> None:
    """400 records of 20 periods: at 90 %, 400 tries have sd 1.5 points; 5 points are allowed."""
    truth = SHARES.cumsum()[:-1]
    held, plain = np.zeros((400, 4)), np.zeros((400, 4))
    for at in range(400):
        counts = rng.multinomial(1, SHARES, (20, 12)).sum(1)
        found = reporting_delay(triangle(counts))
        low, high, naive = (found[name].to_numpy()[:-1] for name in ("lower", "upper", "plain"))
        held[at], plain[at] = (low <= truth) & (truth <= high), naive
    assert np.abs(held.mean(0) - 0.9).max() < 0.05
    assert (plain.mean(0) - truth > 0.01).all()


def test_streams_without_reports_have_no_share(rng: np.random.Generator) -> None:
    counts = np.stack([rng.multinomial(30, SHARES, 20), np.zeros((20, 5), int)], axis=2)
    edges = np.datetime64("2018-01-01") + 7 * np.arange(21)
    window = Window(edges[0].item(), edges[-1].item())
    found = reporting_delay(ReportingTriangle(counts, edges, ("a", "b"), window))
    assert found.filter(stream="b")["within"].null_count() == 5
    assert found.filter(stream="a")["reports"].sum() > 400
    with pytest.raises(ValueError, match="level must lie between 0 and 1"):
        reporting_delay(triangle(counts[:, :, 0]), level=1.0)


def test_none_or_all_by_then_have_the_exact_interval() -> None:
    from scipy.stats import binomtest

    counts = np.zeros((12, 4), int)
    counts[:, 2] = 4
    found = reporting_delay(triangle(counts))
    assert found["within"].to_list() == [0, 0, 1, 1]
    none = binomtest(0, 40).proportion_ci(0.9, "exact")
    assert found["upper"].to_list() == pytest.approx([none.high, none.high, 1, 1])
    assert found["lower"].to_list()[:2] == [0, 0]
    # Nine of the twelve periods are old enough to have reports three periods late, and have none.
    whole = binomtest(36, 36).proportion_ci(0.9, "exact")
    assert found["lower"].to_list()[2:] == pytest.approx([whole.low, 1])


def test_drawings(rng: np.random.Generator) -> None:
    ax = Figure().subplots()
    table = reporting_delay(triangle(rng.multinomial(9, SHARES, 20)))
    assert plots.reporting_delay(ax, table) is ax
    steps = {patch.get_label(): patch.get_data() for patch in ax.patches}
    assert np.allclose(steps["share reported"].values, 100 * table["within"])
    days = [date(2020, 1, 20), date(2020, 2, 3), date(2020, 2, 24)]
    vintages = Releases.from_reports(reported(rng), days).vintages(ANY, "week")
    ax = plots.known_when(Figure().subplots(), vintages)
    heights = [bar.get_height() for bar in ax.containers[0]]
    assert heights == vintages.latest.counts[:, 0].tolist()
