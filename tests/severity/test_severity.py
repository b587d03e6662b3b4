"""The law of deaths per incident: likelihood, estimates, answers, and what breaks it."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import log_ndtr
from scipy.stats import chisquare, genpareto, lognorm

from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.fit import Fit
from escalation.forecast import Forecast
from escalation.hawkes import Hawkes, Marks
from escalation.likelihood.severity import beyond_threshold, log_between, severity_term
from escalation.series import CountSeries, EventSeries
from escalation.severity import DeathRecords, Severity
from escalation.severity.law import deaths_at, means, survival

REFERENCES = Path(__file__).parents[1] / "references"
LAWS = np.array(
    [
        [0.1, 1.2, 1.0, 10.0, 0.5],
        [0.5, -1.0, 2.0, 3.0, 0.0],
        [0.01, 3.0, 0.3, 50.0, 1.4],
        [0.3, 0.0, 0.05, 0.2, 1e-7],
    ]
)
INTERVALS = [
    (0, 0),
    (0, 4),
    (1, 1),
    (3, 3),
    (2, 9),
    (12, 12),
    (5, 40),
    (13, 13),
    (30, 90),
    (0, 500),
]


def naive_survival(y, law, threshold):
    """P(Y > y) by SciPy's laws."""
    none, level, spread, scale, index = law
    if y < 0:
        return 1.0
    body = (1 - none) * lognorm.sf(min(max(y, 0), threshold), spread, scale=np.exp(level))
    return body if y <= threshold else body * genpareto.sf(y - threshold, index, scale=scale)


def drawn(law, number, threshold, seed=0):
    uniform = np.random.default_rng(seed).random(number)
    return deaths_at(uniform, np.broadcast_to(law, (number, 5)), threshold)


def term(low, high, law, threshold, out):
    """`severity_term` of one interval."""
    beyond = np.zeros(3)
    beyond_threshold(law, threshold, beyond)
    return severity_term(low, high, law, threshold, beyond, out)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("threshold", [12.0, 1.0, np.inf])
def test_probabilities_are_those_of_scipys_laws(law, threshold):
    out = np.zeros(13)
    for low, high in INTERVALS:
        wanted = naive_survival(low - 1, law, threshold) - naive_survival(high, law, threshold)
        got = np.exp(term(low, high, law, threshold, out))
        np.testing.assert_allclose(got, wanted, rtol=1e-8, atol=1e-13)
    everything = term(0.0, np.inf, law, threshold, out)
    np.testing.assert_allclose(everything, 0.0, atol=1e-12)
    numbers = np.array([0.0, 1.0, 5.0, 12.0, 13.0, 400.0])
    wanted = [naive_survival(y, law, threshold) for y in numbers]
    np.testing.assert_allclose(survival(numbers, law, threshold), wanted, rtol=1e-6, atol=1e-14)


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize("threshold", [12.0, np.inf])
def test_slopes_are_those_of_differences(law, threshold):
    out = np.zeros(13)
    inside = np.maximum(law, 1e-4)
    for low, high in [*INTERVALS, (20, np.inf)]:
        value = term(low, high, inside, threshold, out)
        if value < -600:
            continue
        slopes = out[:5].copy()
        for i in range(5):
            step = 1e-6 * max(inside[i], 1e-2)
            more, less = inside.copy(), inside.copy()
            more[i] += step
            less[i] -= step
            ends = [term(low, high, one, threshold, out) for one in (more, less)]
            np.testing.assert_allclose(
                slopes[i], (ends[0] - ends[1]) / (2 * step), rtol=2e-4, atol=1e-4
            )


def test_far_tails_of_the_normal_law_keep_their_digits():
    for low, high in [(-40, -39.9), (3.0, 3.001), (24.9, 25.1), (30, np.inf), (-0.1, 0.1), (-9, 9)]:
        # By symmetry in the lower half, where SciPy's logarithm keeps its digits.
        near, far = (high, low) if high <= 0 else (-low, -high)
        share = np.exp(log_ndtr(far) - log_ndtr(near))
        np.testing.assert_allclose(
            log_between(low, high), log_ndtr(near) + np.log1p(-share), rtol=1e-10, atol=1e-15
        )


@pytest.mark.parametrize("threshold", [6.0, np.inf])
def test_draws_follow_the_law(threshold):
    law, size = LAWS[0], 20_000
    seen = drawn(law, size, threshold)
    ends = np.array([-1, 0, 1, 2, 3, 4, 6, 9, 15, 30, np.inf])
    sf = np.array([naive_survival(y, law, threshold) for y in ends])
    counts = np.histogram(seen, ends + 0.5)[0]
    # False alarms: 1 in 1000.
    assert chisquare(counts, size * (sf[:-1] - sf[1:])).pvalue > 1e-3


@pytest.mark.parametrize("threshold", [4.0, 12.0, np.inf])
def test_means_are_sums_of_survivals(threshold):
    for law in LAWS[:2]:
        grid = np.arange(0, 3_000_000, dtype=float)
        summed = survival(grid, law[None], threshold).sum()
        np.testing.assert_allclose(means(law, threshold), summed, rtol=2e-3)
    assert np.isinf(means(LAWS[2], 12.0))


def test_a_quantile_is_the_smallest_number_not_exceeded_too_often():
    for law in LAWS[:3]:
        for share in (0.05, 0.3, 0.9, 0.99, 0.9999):
            q = float(deaths_at(np.array(share), law, 12.0))
            assert naive_survival(q, law, 12.0) <= 1 - share + 1e-9
            assert q == 0 or naive_survival(q - 1, law, 12.0) > 1 - share - 1e-9


def test_the_maximum_is_that_of_a_direct_search():
    deaths = drawn(LAWS[0], 600, 12.0)
    wide = np.random.default_rng(1).random(600) < 0.3
    low = np.where(wide, np.floor(deaths / 2), deaths)
    high = np.where(wide, 2 * deaths + 1, deaths)
    records = DeathRecords.from_deaths(deaths, low, high)
    fit = Severity(threshold=12).fit(records)
    found = np.array([fit.estimate[p.name].ravel()[0] for p in fit.parameters])

    def loss(x):
        law = [1 / (1 + np.exp(-x[0])), x[1], *np.exp(x[2:])]
        body = lognorm.sf(np.minimum(grid, 12), law[2], scale=np.exp(law[1]))
        tail = genpareto.sf(np.maximum(grid - 12, 0), law[4], scale=law[3])
        sf = np.where(grid < 0, 1.0, (1 - law[0]) * np.where(grid < 1, 1.0, body) * tail)
        return -np.sum(number * np.log(sf[place[0]] - sf[place[1]]))

    pairs, number = np.unique(np.stack([low, high]), axis=1, return_counts=True)
    grid, place = np.unique(np.stack([pairs[0] - 1, pairs[1]]), return_inverse=True)
    place = place.reshape(2, -1)
    start = np.array([np.log(found[0] / (1 - found[0])), found[1], *np.log(found[2:])])
    best = minimize(loss, start + 0.05, method="Nelder-Mead", options={"maxfev": 300})
    assert fit.log_likelihood >= -best.fun - 1e-6
    np.testing.assert_allclose(fit.log_likelihood, -best.fun, atol=1e-2)
    np.testing.assert_allclose(fit.log_likelihood, fit.model.pointwise(fit).sum(), rtol=1e-10)


def test_fine_units_give_scipys_continuous_estimates():
    rng = np.random.default_rng(3)
    body = np.ceil(1000 * rng.lognormal(1.0, 0.8, 1500))
    fit = Severity(tail="none").fit(DeathRecords.from_deaths(body))
    shape, _, scale = lognorm.fit(body - 0.5, floc=0)
    np.testing.assert_allclose(fit.estimate["level"], np.log(scale), rtol=1e-4)
    np.testing.assert_allclose(fit.estimate["spread"], shape, rtol=1e-4)


def test_the_danish_fire_losses_have_the_published_tail():
    told = json.loads((REFERENCES / "danish_fire.json").read_text("utf-8"))
    above = np.ceil(100 * np.array(told["above"]))
    below = np.full(told["losses"] - above.size, 200.0)
    records = DeathRecords.from_deaths(np.concatenate([above, below]))
    fit = Severity(threshold=1000).fit(records, MaximumLikelihood(draws=4000))
    published = told["published"]
    index, _, scale = genpareto.fit(above - 1000 - 0.5, floc=0)
    np.testing.assert_allclose(fit.estimate["tail_index"], index, rtol=1e-3)
    np.testing.assert_allclose(fit.estimate["tail_scale"], scale, rtol=1e-3)
    assert abs(float(fit.estimate["tail_index"]) - published["tail_index"]) < 0.005
    assert abs(float(fit.estimate["tail_scale"]) / 100 - published["tail_scale"]) < 0.05
    assert abs(fit.draws["tail_index"].std() - published["se_tail_index"]) < 0.02
    assert abs(fit.draws["tail_scale"].std() / 100 - published["se_tail_scale"]) < 0.15


def test_intervals_recover_what_draws_inside_them_would_exaggerate():
    truth = drawn(LAWS[0], 3000, 12.0)
    edges = np.array([0, 1, 3, 10, 30, 100, 1000, 1e6])
    # Coarsening at random: three records in ten tell only the class that the number lies in.
    wide = np.random.default_rng(4).random(truth.size) < 0.3
    at = np.searchsorted(edges, truth, side="right") - 1
    low = np.where(wide, edges[at], truth)
    high = np.where(wide, edges[at + 1] - 1, truth)
    flat = np.floor(low + np.random.default_rng(5).random(truth.size) * (high - low + 1))
    model = Severity(threshold=12)
    coarse = model.fit(DeathRecords.from_deaths(np.clip(truth, low, high), low, high))
    invented = model.fit(DeathRecords.from_deaths(flat))
    names = [p.name for p in coarse.parameters]
    z = [(coarse.estimate[n].ravel()[0] - t) / coarse.draws[n].std()
         for n, t in zip(names, LAWS[0], strict=True)]  # fmt: skip
    assert np.abs(z).max() < 3.5
    beyond = [fit.predictive_survival(50).item() for fit in (coarse, invented)]
    assert abs(beyond[0] / float(survival(np.array(50.0), LAWS[0], 12.0)) - 1) < 0.4
    assert beyond[1] > 1.1 * beyond[0]


def test_streams_may_share_a_law_or_be_drawn_together():
    deaths = np.concatenate([drawn(LAWS[0], 300, 8.0, 1), drawn(LAWS[0], 40, 8.0, 2)])
    place = np.repeat([0, 1], [300, 40])
    records = DeathRecords.from_deaths(deaths, stream=place, names=["a", "b"])
    shared = Severity(threshold=8, streams="shared").fit(records)
    alone = Severity(threshold=8).fit(DeathRecords.from_deaths(deaths))
    np.testing.assert_allclose(shared.log_likelihood, alone.log_likelihood, rtol=1e-9)
    np.testing.assert_allclose(shared.law()[:, 0], shared.law()[:, 1])
    own = Severity(threshold=8, tails="stream").fit(records)
    assert own.log_likelihood > shared.log_likelihood
    with pytest.raises(ValueError, match="wants NUTS"):
        Severity(streams="partial").fit(records)


@pytest.mark.slow
def test_partial_pooling_draws_a_short_stream_to_the_others():
    deaths = np.concatenate([drawn(LAWS[0], 400, 8.0, k) for k in range(4)] + [[300.0, 40.0]])
    place = np.repeat(np.arange(5), [400] * 4 + [2])
    records = DeathRecords.from_deaths(deaths, stream=place)
    engine = NUTS(draws=400, tune=300, chains=2)
    together = Severity(threshold=8, streams="partial").fit(records, engine)
    apart = Severity(threshold=8).fit(records, engine)
    assert together.diagnostics["r_hat"] < 1.03
    level = [fit.law()[:, 4, 1].mean() for fit in (together, apart)]
    assert abs(level[0] - 1.2) < abs(level[1] - 1.2)


@pytest.mark.slow
def test_engines_agree_where_data_are_many():
    records = DeathRecords.from_deaths(drawn(LAWS[0], 4000, 12.0))
    model = Severity(threshold=12)
    fits = [model.fit(records, e) for e in (MaximumLikelihood(), Laplace(), NUTS(draws=500))]
    assert fits[2].diagnostics["r_hat"] < 1.02
    for p in fits[0].parameters:
        middle = [float(fit.draws[p.name].mean()) for fit in fits]
        spread = float(fits[2].draws[p.name].std())
        np.testing.assert_allclose(middle, middle[2], atol=0.35 * spread)


def test_the_rule_for_the_threshold_leaves_at_most_a_tenth_beyond():
    deaths = np.r_[np.ones(85), np.full(10, 7), np.arange(20, 25)]
    records = DeathRecords.from_deaths(deaths)
    u = Severity().used_threshold(records)
    assert u == 7
    assert (deaths > u).mean() <= 0.1 < (deaths > u - 1).mean()
    assert Severity(tail="none").used_threshold(records) == np.inf
    table = Severity().thresholds(DeathRecords.from_deaths(drawn(LAWS[0], 400, 12.0)), [5, 12])
    assert table["threshold"].to_list() == [5, 12]


def test_an_infinite_mean_is_said_plainly():
    law = np.array([0.05, 1.0, 1.0, 10.0, 1.6])
    fit = Severity(threshold=5).fit(DeathRecords.from_deaths(drawn(law, 2000, 5.0)))
    row = fit.table().row(0, named=True)
    assert row["mean"] == np.inf
    assert row["infinite mean"] > 0.99
    assert row["note"].startswith("the mean is infinite (tail index >= 1 with probability 1.00)")
    assert "P(infinite mean) 1.00" in repr(fit)
    assert np.isfinite(fit.quantiles()["deaths"].to_numpy()).all()


def forecast(draws, names=("a", "b")):
    past = CountSeries.from_counts(
        np.ones((10, len(names)), int), date(2020, 1, 6), "week", list(names)
    )
    return Forecast.after(past, draws, "counts")


def test_deaths_of_a_forecast_have_the_moments_of_a_random_sum():
    deaths = np.concatenate([drawn(LAWS[0], 500, 12.0, 1), drawn(LAWS[0] / 2, 500, 12.0, 2)])
    records = DeathRecords.from_deaths(deaths, stream=np.repeat([0, 1], 500), names=["b", "a"],
                                       start=date(2020, 1, 6))  # fmt: skip
    fit = Severity(tail="none").fit(records, MaximumLikelihood(draws=50))
    rng = np.random.default_rng(0)
    incidents = rng.poisson([[[3.0, 5.0], [0.0, 7.0]]], (20_000, 2, 2)).astype(float)
    coming = forecast(incidents)
    told = fit.compound(coming, rng)
    assert told.draws.shape == incidents.shape
    assert (told.draws[:, 1, 0] == 0).all()
    mean = means(fit.law(), np.inf).mean(axis=0)[::-1]  # the records name b first
    np.testing.assert_allclose(told.mean, [[3, 5], [0, 7]] * mean, rtol=0.05)
    assert told.model == "deaths of counts"
    weeks = records.totals(coming.recent_edges)[:, ::-1]
    np.testing.assert_array_equal(told.recent, weeks)
    again = fit.compound(coming, np.random.default_rng(1))
    np.testing.assert_array_equal(again.draws, fit.compound(coming, np.random.default_rng(1)).draws)
    # Paths that ran away stay so; streams that nobody knows are refused.
    wild = np.full((4, 1, 2), np.inf)
    assert np.isinf(fit.compound(forecast(wild), rng).draws).all()
    with pytest.raises(ValueError, match="no records of 'c'"):
        fit.compound(forecast(np.ones((4, 1, 2)), ("a", "c")), rng)
    with pytest.raises(ValueError, match="before their total"):
        fit.compound(coming.total(), rng)


def test_one_law_serves_every_stream_and_other_windows():
    fit = Severity(threshold=9).fit(DeathRecords.from_deaths(drawn(LAWS[0], 200, 9.0)))
    told = fit.compound(forecast(np.ones((50, 3, 2))), np.random.default_rng(0))
    assert told.recent.shape == (0, 2)
    assert told.quantile(0.5).shape == (3, 2)
    sampled = fit.sample(7, np.random.default_rng(0), draws=20)
    assert sampled.shape == (20, 7)
    with pytest.raises(ValueError, match="no stream 'x'"):
        fit.sample(7, np.random.default_rng(0), "x")


def test_a_law_gives_marks_to_the_incidents_of_a_hawkes_process():
    rng = np.random.default_rng(2)
    times = np.sort(rng.uniform(0, 300, 150))
    marks = drawn(LAWS[0], 150, 12.0)
    series = EventSeries.from_times(
        [times], date(2020, 1, 1), date(2020, 10, 27), resolution="exact", marks=[marks]
    )
    fit = Severity(threshold=12).fit(DeathRecords.from_deaths(marks))
    model = Hawkes(marks=Marks(law=fit.sizes(series.names)))
    values = {"level": [np.log(0.5)], "reproduction": [[0.3]], "mark_exponent": [0.2],
              "decay": 1.0}  # fmt: skip
    new = model.simulate({k: np.array(v) for k, v in values.items()}, series, rng)
    assert new.marks is not None
    assert not set(np.rint(new.marks[0])) <= set(marks)
    np.testing.assert_allclose(new.marks[0], np.rint(new.marks[0]), rtol=1e-12)
    bad = Marks(law=lambda rng, stream: np.full(len(stream), -1.0))
    with pytest.raises(ValueError, match="law of marks gives some outside"):
        bad.drawn(rng, np.zeros(2, int))


@pytest.mark.parametrize(
    "deaths",
    [[0] * 30, [1] * 30, [500] + [0] * 20, [3], [0], [1, 2, 3, 100_000]],
    ids=["no deaths", "always one", "one huge", "one record", "one without", "four"],
)
def test_hard_records_have_an_answer(deaths):
    records = DeathRecords.from_deaths(deaths)
    for engine in (MaximumLikelihood(draws=100), Laplace(draws=100)):
        fit = Severity().fit(records, engine)
        assert np.isfinite(fit.log_likelihood)
        assert np.isfinite(fit.quantiles()["deaths"].to_numpy()).all()
        assert fit.table().height == 1
        assert "converged" in fit.diagnostics


def test_faults_name_the_record():
    with pytest.raises(ValueError, match="record 1: low 5, best 3 and high 9 are not in order"):
        DeathRecords.from_deaths([1, 3], [1, 5], [1, 9])
    with pytest.raises(ValueError, match=r"record 2: low 1\.5 is not a whole number"):
        DeathRecords.from_deaths([1, 2, 1.5])
    with pytest.raises(ValueError, match="record 0: high -1"):
        DeathRecords.from_deaths([0], high=[-1])
    with pytest.raises(ValueError, match="wants records, got none"):
        Severity().fit(DeathRecords.from_deaths([]))
    with pytest.raises(ValueError, match="needs DeathRecords"):
        Severity().fit(CountSeries.from_counts([1, 2], date(2020, 1, 6)))
    with pytest.raises(ValueError, match="threshold must be"):
        Severity(threshold=0)
    fit = Severity().fit(DeathRecords.from_deaths([1, 2, 3]))
    with pytest.raises(ValueError, match="compound"):
        fit.forecast(3)
    with pytest.raises(ValueError, match="not defined for Severity"):
        fit.dynamics()
    with pytest.raises(ValueError, match="between 0 and 1"):
        fit.predictive_quantile(1.0)


def test_a_fit_prints_replicates_and_repeats():
    records = DeathRecords.from_deaths(drawn(LAWS[0], 100, 12.0))
    fit, again = (Severity().fit(records) for _ in range(2))
    np.testing.assert_array_equal(fit.theta, again.theta)
    assert isinstance(fit, Fit)
    assert fit.replicate(np.random.default_rng(0), 5).shape == (5, 100)
    assert "log-normal" in fit.summary()["meaning"][1]
    before, after = records.split(date(2000, 2, 1))
    assert len(before) + len(after) == 100
    assert fit.model.pointwise(fit, series=after).shape == (1, len(after), 1)
    assert records.summary().height == 1
    assert "<table" in records._repr_html_()
