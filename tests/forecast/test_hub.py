"""Forecasts as tables of model output: the layout, the values, and the way back."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest

from escalation.forecast import Forecast
from escalation.scores import HUB_LEVELS, crps_draws
from escalation.series import CountSeries

MONDAY = date(2020, 1, 6)


@pytest.fixture
def forecast(rng):
    counts = rng.poisson(2.0, (60, 2))
    series = CountSeries.from_counts(counts, MONDAY, names=("A, then B", "=SUM(1)"))
    return Forecast.after(series, rng.poisson([2.0, 5.0], (40, 6, 2)), "a test")


def test_the_layout_is_that_of_forecast_hubs(forecast):
    table = forecast.to_hub(("mean", "median", "quantile", "cdf", "sample"), at_most=(0, 2.5))
    assert dict(table.schema) == {
        "reference_date": pl.Date,
        "target": pl.String,
        "horizon": pl.Int64,
        "location": pl.String,
        "target_end_date": pl.Date,
        "output_type": pl.String,
        "output_type_id": pl.String,
        "value": pl.Float64,
    }
    assert table.height == 12 * (1 + 1 + len(HUB_LEVELS) + 2 + 40)
    # As in weekly hubs: the target ends so many weeks after the reference date.
    weeks = table["target_end_date"] - table["reference_date"]
    assert (weeks == pl.Series([timedelta(weeks=1)] * table.height) * table["horizon"]).all()
    assert table["reference_date"][0] == forecast.made_on - timedelta(days=1)
    assert table["output_type_id"].null_count() == 24
    tasks = ["reference_date", "target", "horizon", "location", "output_type", "output_type_id"]
    assert not table.select(tasks).is_duplicated().any()


def test_values_are_those_of_the_forecast(forecast):
    table = forecast.to_hub(("mean", "quantile", "cdf"), at_most=(3,))
    cell = table.filter(pl.col("horizon") == 4, pl.col("location") == "=SUM(1)")
    own = forecast.draws[:, 3, 1]
    assert cell.filter(output_type="mean")["value"].item() == own.mean()
    assert cell.filter(output_type="cdf", output_type_id="3")["value"].item() == (own <= 3).mean()
    levels = cell.filter(output_type="quantile")
    assert levels["output_type_id"].cast(pl.Float64).to_list() == list(HUB_LEVELS)
    np.testing.assert_array_equal(levels["value"], forecast.quantile(HUB_LEVELS)[:, 3, 1])


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json"])
def test_samples_come_back_as_they_were(forecast, tmp_path, suffix):
    path = forecast.write(tmp_path / f"2021-03-01-team-model{suffix}")
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    again = Forecast.from_hub(path, model="a test", period="week")
    np.testing.assert_array_equal(again.draws, forecast.draws)
    np.testing.assert_array_equal(again.edges, forecast.edges)
    assert (again.names, again.made_on, again.lengths) == (
        forecast.names, forecast.made_on, forecast.lengths,
    )  # fmt: skip
    assert again.to_hub().equals(forecast.to_hub())


def test_the_order_of_rows_does_not_matter(forecast):
    table = forecast.to_hub(("sample",)).sample(fraction=1.0, shuffle=True, seed=1)
    again = Forecast.from_hub(table)
    place = [again.names.index(name) for name in forecast.names]
    paths = {path.tobytes() for path in np.ascontiguousarray(again.draws[:, :, place])}
    assert paths == {path.tobytes() for path in forecast.draws}


def test_blocks_and_months_come_back(forecast, rng):
    blocks = forecast.blocks((2, 4))
    again = Forecast.from_hub(blocks.to_hub(("sample",)))
    assert again.lengths == (2, 4)
    np.testing.assert_array_equal(again.edges, blocks.edges)
    months = CountSeries.from_counts(rng.poisson(2, 20), date(2020, 1, 1), "month")
    monthly = Forecast.after(months, rng.poisson(2, (5, 3, 1)), "a test")
    again = Forecast.from_hub(monthly.to_hub(("sample",), day="origin_date"))
    np.testing.assert_array_equal(again.edges, monthly.edges)


def test_a_forecast_read_back_scores_and_sums(forecast):
    again = Forecast.from_hub(forecast.to_hub())
    observed = np.full((6, 2), 2.0)
    assert again.score(observed)["crps"].equals(forecast.score(observed)["crps"])
    far = np.full((6, 2), 5000.0)
    plain = crps_draws(forecast.draws, far)
    found = again.score(far).filter(pl.col("stream") != "all streams")["crps"]
    np.testing.assert_allclose(found, plain.ravel())
    assert again.total().draws.shape == (40, 6, 1)
    assert np.isnan(again.prob_above_recent()).all()


def test_stopped_paths_survive(forecast, tmp_path):
    draws = forecast.draws.copy()
    draws[0] = np.inf
    capped = replace(forecast, draws=draws)
    for suffix in (".parquet", ".csv"):
        again = Forecast.from_hub(capped.write(tmp_path / f"x{suffix}"))
        np.testing.assert_array_equal(again.draws, capped.draws)


def test_json_has_no_infinity(forecast, tmp_path):
    draws = forecast.draws.copy()
    draws[0, 0, 0] = np.inf
    with pytest.raises(ValueError, match=r"1 of 480 values .* \.parquet or \.csv"):
        replace(forecast, draws=draws).write(tmp_path / "x.json", ("sample",))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("suffix", [".parquet", ".csv", ".json"])
def test_streams_that_are_called_by_numbers_keep_their_names(forecast, tmp_path, suffix):
    numbered = replace(forecast, names=("01", "2"))
    again = Forecast.from_hub(numbered.write(tmp_path / f"x{suffix}"))
    assert again.names == ("01", "2")
    np.testing.assert_array_equal(again.draws, forecast.draws)
    assert again.table()["stream"].dtype == pl.String


def test_locations_that_are_numbers_become_names(forecast, tmp_path):
    table = replace(forecast, names=("1", "2")).to_hub(("mean", "sample"))
    table = table.with_columns(pl.col("location").cast(pl.Int64))
    table.write_json(tmp_path / "x.json")
    for source in (table, tmp_path / "x.json"):
        again = Forecast.from_hub(source)
        assert again.names == ("1", "2")
        np.testing.assert_array_equal(again.draws, forecast.draws)


def test_a_table_of_text_is_read_as_what_it_says(forecast):
    table = forecast.to_hub()
    words = table.with_columns(pl.all().cast(pl.String))
    assert np.array_equal(Forecast.from_hub(words).draws, Forecast.from_hub(table).draws)
    assert Forecast.from_hub(words).to_hub().equals(Forecast.from_hub(table).to_hub())


def test_a_csv_without_a_column_says_which(forecast, tmp_path):
    forecast.to_hub().drop("location").write_csv(tmp_path / "x.csv")
    with pytest.raises(ValueError, match="lacks the columns location"):
        Forecast.from_hub(tmp_path / "x.csv")


def test_thresholds_keep_all_their_digits(forecast):
    thresholds = (0, 2.5, 1_234_567, 1_234_568, np.float64(0.1234567), np.inf)
    ids = forecast.to_hub(("cdf",), at_most=thresholds)["output_type_id"]
    assert ids.unique(maintain_order=True).to_list() == [
        "0", "2.5", "1234567", "1234568", "0.1234567", "inf",
    ]  # fmt: skip


def test_a_week_that_had_begun_is_horizon_zero(forecast):
    table = forecast.to_hub().with_columns(
        pl.col("horizon") - 1, pl.col("reference_date") + timedelta(weeks=1)
    )
    again = Forecast.from_hub(table)
    np.testing.assert_array_equal(again.edges, forecast.edges)
    np.testing.assert_array_equal(again.draws, forecast.draws)
    assert (again.made_on, again.lengths) == (forecast.made_on, forecast.lengths)
    with pytest.raises(ValueError, match=r"horizon 0 is a period that had begun: .* horizon 1"):
        Forecast.from_hub(table.filter(pl.col("horizon") == 0))


def test_a_month_that_had_begun_is_a_month(forecast):
    months = np.arange("2020-01", "2020-06", dtype="datetime64[M]").astype("datetime64[D]")
    monthly = replace(forecast, edges=months, made_on=months[0].item(), period="month",
                      draws=forecast.draws[:, :4], lengths=(1,) * 4)  # fmt: skip
    table = monthly.to_hub().with_columns(pl.col("horizon") - 1)
    again = Forecast.from_hub(table)
    np.testing.assert_array_equal(again.edges, months)
    assert again.made_on == months[0].item()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop("horizon"), "lacks the columns horizon"),
        (lambda t: t.filter(output_type="quantile"), "no samples"),
        (
            lambda t: t.with_columns(reference_date=pl.lit("soon")),
            r"reference_date .* must hold days",
        ),
        (
            lambda t: t.with_columns(target_end_date=pl.lit(None, pl.Date)),
            r"target_end_date .* must hold days",
        ),
        (lambda t: t.with_columns(value=pl.lit("many")), r"value .* must hold numbers"),
        (lambda t: t.filter(output_type="sample").head(-1), "each once, and the table has 479"),
        (lambda t: pl.concat([t, t]), "each once"),
        (
            lambda t: pl.concat([t, t.with_columns(target=pl.lit("deaths"))]),
            "one target is wanted, and the table has 2",
        ),
    ],
)
def test_what_makes_no_forecast_is_refused(forecast, change, message):
    with pytest.raises(ValueError, match=message):
        Forecast.from_hub(change(forecast.to_hub()))


def test_unknown_words_are_refused(forecast, tmp_path):
    with pytest.raises(ValueError, match="output types are"):
        forecast.to_hub(("pmf",))
    with pytest.raises(ValueError, match="reference_date or origin_date"):
        forecast.to_hub(day="forecast_date")
    with pytest.raises(ValueError, match="are written as"):
        forecast.write(tmp_path / "x.xlsx")
    (tmp_path / "x.txt").write_text("")
    with pytest.raises(ValueError, match="are read from"):
        Forecast.from_hub(tmp_path / "x.txt")
