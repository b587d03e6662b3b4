"""Reporting triangles and their nowcast: likelihood, answers, and what breaks them."""

from dataclasses import replace
from datetime import date

import numpy as np
import polars as pl
import pytest
from scipy.special import gammaln
from scipy.stats import nbinom

from escalation.background import Background
from escalation.counts import EndemicEpidemic
from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.engines.marginal import Peak
from escalation.fit import pick
from escalation.likelihood.nowcast_curvature import nowcast_curvature
from escalation.nowcast import Nowcast, NowcastFit, ReportingTriangle, fit_over_nowcasts
from escalation.nowcast.marginal import NowcastMarginal
from escalation.plots import figure, nowcast, style, svg
from escalation.series import CountSeries
from escalation.sources import read
from escalation.streams import Stream
from escalation.window import Window

QUICK = NUTS(draws=150, tune=200, chains=2)


def triangle(counts, period="week", gaps=(), start="2020-01-06"):
    """A triangle of counts (T, D + 1, K)."""
    step = {"day": 1, "week": 7}[period]
    edges = np.datetime64(start) + step * np.arange(len(counts) + 1)
    window = Window(edges[0].item(), edges[-1].item(), gaps)
    names = tuple(f"s{k}" for k in range(counts.shape[2]))
    return ReportingTriangle(counts, edges, names, window, period)


def simulated(periods=30, longest=4, streams=1, seed=0, mean=8.0, start=0.4):
    rng = np.random.default_rng(seed)
    law = start * (1 - start) ** np.arange(longest + 1)
    law[-1] += 1 - law.sum()
    totals = rng.poisson(mean, (periods, streams))
    counts = np.stack([[rng.multinomial(n, law) for n in row] for row in totals])
    return triangle(np.moveaxis(counts, 2, 1)), totals


def somewhere(model, series, rng):
    """A vector of parameters about the first start."""
    layout = model.problem(series).layout
    theta = model.problem(series).starts[0] + rng.normal(0, 0.3, layout.size)
    names = np.array([label.partition("[")[0] for label in layout.labels])
    positive = np.isin(names, ["change", "pace", "dispersion"])
    theta = np.where(positive, np.abs(theta) + 0.05, theta)
    return np.where(np.isin(names, ["pace_memory", "momentum"]), 0.6, theta)


def fitted(model, series, theta):
    """A fit that holds one vector of parameters."""
    point = model.problem(series).layout.unpack(theta)
    draws = {name: value[None] for name, value in point.items()}
    return NowcastFit(model, series, draws, point, 0.0, {}, "given")


CASES = {
    "plain": (Nowcast(change=0.2, pace=False), "week", 1),
    "walk and pace": (Nowcast(), "week", 1),
    "momentum": (Nowcast(change=0.2, pace=False, momentum=True), "week", 1),
    "two streams": (Nowcast(delays="stream", momentum=True), "week", 2),
    "days": (Nowcast(weekday=True), "day", 1),
}


@pytest.mark.parametrize("case", CASES)
def test_the_likelihood_is_that_of_scipys_laws(case, rng):
    model, period, streams = CASES[case]
    counts = rng.poisson(2.0, (12, 4, streams))
    series = triangle(counts, period)
    problem = model.problem(series)
    theta = somewhere(model, series, rng)
    rate, share, psi = (one[0] for one in model.rates(theta[None], series))
    np.testing.assert_allclose(share.sum(axis=1), 1.0)
    value = 0.0
    for t in range(12):
        for k in range(streams):
            for d in range(4):
                if t + d < 12:
                    shape = share[t, d, k] / psi[k]
                    chance = 1 / (1 + psi[k] * rate[t, k])
                    value += nbinom.logpmf(series.counts[t, d, k], shape, chance)
    np.testing.assert_allclose(problem.evaluate(theta)[0], value, rtol=1e-9)
    known = fitted(model, series, theta)
    np.testing.assert_allclose(np.nansum(model.pointwise(known)), value, rtol=1e-9)


@pytest.mark.parametrize("case", CASES)
def test_the_gradient_is_that_of_differences(case, rng):
    model, period, streams = CASES[case]
    series = triangle(rng.poisson(2.0, (12, 4, streams)), period)
    problem, theta = model.problem(series), somewhere(model, series, rng)
    gradient = problem.evaluate(theta)[1]
    for i in range(theta.size):
        step = 1e-6 * (np.arange(theta.size) == i)
        ends = [problem.evaluate(theta + s)[0] for s in (step, -step)]
        np.testing.assert_allclose(gradient[i], (ends[0] - ends[1]) / 2e-6, rtol=1e-5, atol=1e-5)


def test_cells_are_a_negative_binomial_total_split_by_a_dirichlet_multinomial_law(rng):
    model = Nowcast(change=0.2, pace=False)
    series = triangle(rng.poisson(2.0, (8, 3, 1)))
    theta = somewhere(model, series, rng)
    rate, share, psi = (one[0] for one in model.rates(theta[None], series))
    fit = fitted(model, series, theta)
    n = series.counts[0, :, 0]
    weight = share[0, :, 0] / psi[0]
    total = nbinom.logpmf(n.sum(), 1 / psi[0], 1 / (1 + psi[0] * rate[0, 0]))
    split = gammaln(n.sum() + 1) + gammaln(weight.sum()) - gammaln(n.sum() + weight.sum())
    split += np.sum(gammaln(n + weight) - gammaln(weight) - gammaln(n + 1))
    np.testing.assert_allclose(model.pointwise(fit)[0, 0, 0], total + split)


def test_what_is_not_reported_has_the_law_of_the_open_cells(rng):
    series, _ = simulated()
    fit = Nowcast(change=0.1, pace=False).fit(series, Laplace(draws=40))
    draws = 8000
    left = fit.unreported(np.random.default_rng(1), draws)[:, -4:, 0]
    theta = pick(fit.theta, draws, np.random.default_rng(2))
    cells = fit.model._anew(theta, series, np.random.default_rng(3))
    open_cells = (cells * ~series.known[None, :, :, None]).sum(axis=2)[:, -4:, 0]
    np.testing.assert_allclose(left.mean(axis=0), open_cells.mean(axis=0), rtol=0.05)
    np.testing.assert_allclose(left.var(axis=0), open_cells.var(axis=0), rtol=0.12)
    assert (fit.unreported()[:, :-4] == 0).all()


def test_a_lull_is_told_from_late_reports():
    series, totals = simulated(40, seed=3)
    fit = Nowcast(change=0.1, pace=False).fit(series, Laplace(draws=500))
    table = fit.table(last=4)
    naive, middle = table["reported"].to_numpy(), table["median"].to_numpy()
    truth = totals[-4:, 0]
    assert np.abs(middle - truth).mean() < np.abs(naive - truth).mean()
    assert table["share reported"].is_sorted(descending=True)
    assert (table["lower"] >= table["reported"]).all()
    share = fit.delays()["share"].to_numpy()
    np.testing.assert_allclose(share[-1], 1.0)
    assert abs(share[0] - 0.4) < 0.1


def quicker(periods=40, size=30, seed=0):
    """A triangle whose delays halve over its periods, and its totals (T,)."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((periods, 7, 1), int)
    for t in range(periods):
        start = 0.2 + 0.4 * t / periods
        law = start * (1 - start) ** np.arange(7)
        counts[t, :, 0] = rng.multinomial(size, law / law.sum())
    return triangle(counts), counts.sum(axis=(1, 2))


def test_delays_that_halve_are_followed():
    series, totals = quicker()
    errors = {}
    for moves in (True, False):
        fit = Nowcast(pace=moves).fit(series, Laplace())
        assert fit.diagnostics["converged"]
        errors[moves] = np.abs(np.median(fit.totals(), axis=0)[:, 0] - totals)[-5:].mean()
    assert errors[True] < 0.6 * errors[False]


@pytest.mark.slow
@pytest.mark.parametrize("momentum", [False, True])
def test_the_nested_approximation_agrees_with_nuts(momentum):
    model, (series, _) = Nowcast(momentum=momentum), quicker(size=12, seed=1)
    ends = [0.05, 0.5, 0.95]
    found = []
    for engine in (Laplace(), NUTS(draws=600, tune=500, chains=2)):
        fit = model.fit(series, engine)
        totals = fit.totals(draws=6000)[:, -5:, 0]
        log_pace = np.log(fit.draws["pace"])
        found.append((np.quantile(totals, ends, axis=0), totals.mean(axis=0),
                      log_pace.mean(), fit.draws["change"].mean()))  # fmt: skip
    quick, slow = found
    assert np.abs(quick[0] - slow[0]).max() <= 2
    np.testing.assert_allclose(quick[1], slow[1], rtol=0.05)
    assert abs(quick[2] - slow[2]) < 0.3
    assert abs(quick[3] - slow[3]) < 0.03


def test_a_table_keeps_its_faults_and_tells_what_it_leaves_out():
    table = pl.DataFrame(
        {
            "happened": ["2020-01-06", "2020-01-15", "2020-01-20", "x", "2020-01-10", "2020-01-08",
                         "2019-12-01", "2020-01-07"],
            "told": ["2020-01-07", "2020-01-30", "2020-01-10", "2020-01-20", None, "2020-03-30",
                     "2020-01-08", "2020-02-26"],
        }
    )  # fmt: skip
    found = ReportingTriangle.from_table(
        table, date(2020, 1, 6), date(2020, 3, 2), event="happened", report="told", longest=4
    )
    assert found.reported.sum() == 2
    assert found.rejected.rows() == [
        (4, "told", "2020-01-10", "is before the event"),
        (5, "happened", "x", "is no date"),
        (6, "told", None, "is no date"),
    ]
    assert found.dropped == (
        "1 incident outside 2020-01-06 to 2020-03-02; 1 incident not reported by then; "
        "1 incident reported more than 4 weeks later"
    )
    assert found.counts[0, 0, 0] == 1
    assert found.counts[1, 2, 0] == 1
    with pytest.raises(ValueError, match="no column 'event', the nearest is"):
        ReportingTriangle.from_table(table.rename({"happened": "events"}), date(2020, 1, 6),
                                     date(2020, 3, 2), report="told")  # fmt: skip


def test_a_csv_file_and_streams_are_read(tmp_path):
    file = tmp_path / "reports.csv"
    file.write_text("event,report,side\n2020-01-06,2020-01-14,b\n2020-01-07,2020-01-07,a\n")
    found = ReportingTriangle.from_table(
        file, date(2020, 1, 6), date(2020, 2, 3), stream="side", longest=2
    )
    assert found.names == ("a", "b")
    assert found.counts[0].T.tolist() == [[1, 0, 0], [0, 1, 0]]
    assert found.table().height == 8
    assert "2 streams" in repr(found)


def test_an_earlier_day_knows_less_and_forgets_nothing():
    series, _ = simulated(20)
    earlier = series.as_of(series.edges[15].item())
    assert len(earlier) == 15
    assert (earlier.counts[~earlier.known] == 0).all()
    np.testing.assert_array_equal(earlier.counts[:11], series.counts[:11])
    assert len(series.latest(6)) == 6
    np.testing.assert_array_equal(series.latest(6).reported, series.reported[-6:])
    with pytest.raises(ValueError, match="starts on"):
        series.as_of(date(2020, 1, 8))
    np.testing.assert_array_equal(np.isnan(series.totals[:, 0]), np.arange(20) >= 16)


def release(rows):
    """Incidents by id and date."""
    frame = pl.DataFrame(
        {"id": list(rows), "date": list(rows.values()), "source": ["A"] * len(rows),
         "target": ["B"] * len(rows)}
    )  # fmt: skip
    return read(frame, Window(date(2020, 1, 1), date(2021, 1, 1)))


def test_releases_of_a_data_set_make_a_triangle():
    first = {"1": "2020-01-05", "2": "2020-01-20"}
    second = first | {"3": "2020-02-03", "4": "2020-02-20", "5": "2020-03-02"}
    third = second | {"6": "2020-02-11", "7": "2020-03-15"}
    del third["4"]
    found = ReportingTriangle.from_vintages(
        {date(2020, 2, 10): release(first), date(2020, 3, 10): release(second),
         date(2020, 4, 10): release(third)},
        [Stream("raids", source=("A",), target=("B",))], longest=2,
    )  # fmt: skip
    # February: one known in March, one more in April, one withdrawn. March: two known in April.
    assert [edge.item() for edge in found.edges] == [
        date(2020, 2, 1), date(2020, 3, 1), date(2020, 4, 1)
    ]  # fmt: skip
    assert found.counts[:, :, 0].tolist() == [[1, 1, 0], [2, 0, 0]]
    assert found.dropped.startswith("1 incident withdrawn by a later release")
    with pytest.raises(ValueError, match="at least 2 releases"):
        ReportingTriangle.from_vintages({date(2020, 2, 10): release(first)}, [])


def test_completed_series_go_into_models_of_counts():
    series, _ = simulated(40)
    fit = Nowcast(change=0.1, pace=False).fit(series, Laplace(draws=200))
    completed = fit.completed(draws=3)
    assert all(isinstance(one, CountSeries) for one in completed)
    assert (completed[0].counts >= series.reported).all()
    model = EndemicEpidemic(background=Background(harmonics=0), lags=2)
    pooled = fit_over_nowcasts(model, fit, fits=3, engine=MaximumLikelihood(draws=50))
    assert len(pooled.theta) == 150
    assert pooled.forecast(4, draws=100).draws.shape == (100, 4, 1)
    with pytest.raises(ValueError, match="at least 2 fits"):
        fit_over_nowcasts(model, fit, fits=1)


HARD = {
    "nothing at all": np.zeros((20, 4, 1), int),
    "one huge week": np.pad(np.full((1, 4, 1), 125), ((12, 7), (0, 0), (0, 0))),
    "three periods": np.ones((3, 3, 1), int),
    "one delay": np.ones((10, 2, 1), int),
    "never at once": np.tile(np.array([0, 0, 3])[None, :, None], (20, 1, 1)),
    "always at once": np.tile(np.array([3, 0, 0])[None, :, None], (20, 1, 1)),
    "longer delays than periods": np.ones((5, 9, 1), int),
}


@pytest.mark.parametrize("case", HARD)
@pytest.mark.parametrize("engine", [Laplace(), pytest.param(QUICK, marks=pytest.mark.slow)],
                         ids=["Laplace", "NUTS"])  # fmt: skip
def test_hard_triangles_have_an_answer(case, engine):
    model = Nowcast() if engine is QUICK else Nowcast(change=0.3, pace=False)
    fit = model.fit(triangle(HARD[case]), engine)
    told = fit.table()
    assert np.isfinite(told.select("mean", "lower", "upper").to_numpy()).all()
    assert {"converged", "r_hat"} & set(fit.diagnostics)
    if case == "nothing at all":
        assert told["median"].max() == 0


def test_periods_that_nobody_watched_say_nothing():
    series, _ = simulated(30)
    gap = (series.edges[10].item(), series.edges[12].item())
    counts = series.counts.copy()
    counts[10:12] = 0
    watched = triangle(counts, gaps=(gap,))
    model = Nowcast(change=0.1, pace=False)
    fit = model.fit(watched, Laplace(draws=200))
    assert np.isnan(model.pointwise(fit)[0, 10:12]).all()
    assert (fit.totals()[:, 10:12] == 0).all()
    assert fit.totals()[:, 9].mean() > 4


def test_faults_are_told():
    series, _ = simulated()
    with pytest.raises(ValueError, match="wants NUTS or Laplace, or a given change"):
        Nowcast().fit(series, MaximumLikelihood())
    with pytest.raises(ValueError, match="needs a ReportingTriangle"):
        Nowcast().fit(CountSeries.from_counts([1, 2], date(2020, 1, 6)))
    with pytest.raises(ValueError, match="want days, not weeks"):
        Nowcast(weekday=True).fit(series)
    with pytest.raises(ValueError, match="wants 3 periods"):
        Nowcast().fit(series.latest(2))
    with pytest.raises(ValueError, match="change must be positive"):
        Nowcast(change=0.0)
    with pytest.raises(ValueError, match="must not be negative"):
        replace(series, counts=series.counts - 1)
    with pytest.raises(ValueError, match="must have shape"):
        triangle(np.zeros((4, 1, 1), int))
    fit = Nowcast(change=0.1, pace=False).fit(series, Laplace(draws=20))
    with pytest.raises(ValueError, match="fit_over_nowcasts"):
        fit.forecast(3)
    with pytest.raises(ValueError, match="not defined for Nowcast"):
        fit.dynamics()
    assert fit.replicate(np.random.default_rng(0), 5).shape == (5, 30, 5, 1)


def test_the_drawing_shows_reports_and_bands():
    series, totals = simulated(24)
    fit = Nowcast(change=0.1, pace=False).fit(series, Laplace(draws=100))
    with style():
        drawn, axes = figure(2.5)
        nowcast(axes[0, 0], fit, last=10, truth=totals.astype(float))
        text = svg(drawn)
    for word in ("reported so far", "nowcast, 90 %", "reported in the end", "incidents a week"):
        assert word in text


@pytest.mark.parametrize("case", CASES)
def test_second_derivatives_by_the_paths_are_those_of_differences(case, rng):
    model, period, streams = CASES[case]
    series = triangle(rng.poisson(2.0, (12, 4, streams)), period)
    problem, theta = model.problem(series), somewhere(model, series, rng)
    marginal = NowcastMarginal(problem)
    states = marginal.held(theta)
    data = [problem.data[name] for name in ("counts", "scale", "weekday", "offset")]
    bend = nowcast_curvature(theta, *data, *problem.structure)
    found = states.T @ bend @ states
    for row, i in zip(found, marginal.paths, strict=True):
        step = 1e-5 * (np.arange(theta.size) == i)
        ends = [problem.evaluate(theta + s)[1][marginal.paths] for s in (step, -step)]
        np.testing.assert_allclose(row, (ends[1] - ends[0]) / 2e-5, rtol=1e-5, atol=1e-5)


def test_new_scales_keep_log_rates_and_pace(rng):
    model, series = Nowcast(momentum=True), triangle(rng.poisson(2.0, (12, 4, 2)))
    marginal = NowcastMarginal(model.problem(series))
    theta = somewhere(model, series, rng) * 0.2
    here = Peak(marginal.start(theta), theta, (np.eye(1),), 0.0, True)
    moved = marginal.carried(here.scales + 0.3, here)
    before, after = (marginal.held(one) @ one[marginal.paths] for one in (theta, moved))
    np.testing.assert_allclose(after, before, atol=1e-9)
    assert not np.allclose(theta, moved)


@pytest.mark.parametrize("momentum", [pytest.param(True, marks=pytest.mark.slow), False])
def test_a_stream_without_reports_has_no_rate_beyond_measure(momentum):
    counts = np.zeros((52, 9, 2), int)
    counts[:, :, 0] = np.random.default_rng(5).poisson(0.5, (52, 9))
    model, series = Nowcast(momentum=momentum), triangle(counts)
    fit = model.fit(series, Laplace(draws=300), np.random.default_rng(0))
    rate = model.rates(fit.theta, series)[0]
    assert rate.max() < 1e4
    totals = fit.totals(np.random.default_rng(0))[:, -8:].sum(axis=1)
    assert totals[:, 1].mean() < 20
    # The busy stream has 4.5 a week.
    assert 25 < np.median(totals[:, 0]) < 50
