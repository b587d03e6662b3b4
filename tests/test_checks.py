from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.checks import check, identified
from escalation.counts import EndemicEpidemic
from escalation.engines import Laplace
from escalation.hawkes import Hawkes
from escalation.series import CountSeries, EventSeries

MODEL = EndemicEpidemic(background=Background(harmonics=0))


def weeks(counts, names=None):
    return CountSeries.from_counts(counts, date(2015, 1, 5), "week", names)


def status(findings, name):
    return next(one.status for one in findings if one.name == name)


def truth(**changes):
    return {
        "level": np.log([1.0, 1.0]),
        "reproduction": np.array([[0.4, 0.1], [0.1, 0.3]]),
        "dispersion": np.array([0.2, 0.2]),
        "decay": np.array(0.4),
    } | changes


@pytest.fixture
def honest(rng):
    return MODEL.fit(MODEL.simulate(truth(), weeks(np.zeros((400, 2))), rng), Laplace())


def test_data_from_the_model_itself_pass(honest):
    findings = check(honest)
    assert [one.status for one in findings] == ["passed"] * len(findings)
    assert findings.failed == ()
    assert "passed" in repr(findings)
    assert findings.table().columns == ["name", "status", "text"]


def test_memory_that_the_model_cannot_see_is_found(rng):
    # What happened 26 weeks ago comes back; the model reaches back 12.
    counts = [rng.poisson(3.0, 2) for _ in range(26)]
    for _ in range(400):
        counts.append(rng.poisson(0.3 + 0.9 * counts[-4] * (np.arange(2) == 0) + 1.0))
    fit = EndemicEpidemic(background=Background(0), lags=2).fit(weeks(np.array(counts)), Laplace())
    assert status(check(fit), "Memory left over") != "passed"


def test_streams_that_move_together_within_a_week_are_found(rng):
    shock = rng.gamma(0.5, 2.0, 400)
    counts = rng.poisson(np.stack([2 * shock, 3 * shock], axis=1))
    assert status(check(MODEL.fit(weeks(counts), Laplace())), "Shared shocks") == "warned"


def test_a_delay_shorter_than_the_week_is_told(rng):
    series = MODEL.simulate(truth(decay=np.array(4.0)), weeks(np.zeros((400, 2))), rng)
    fit = MODEL.fit(series, Laplace())
    assert status(check(fit), "Delay against period") == "warned"


def test_peaks_that_a_poisson_fit_cannot_make_are_found(rng):
    counts = rng.negative_binomial(0.3, 0.1, (400, 2))
    model = EndemicEpidemic(background=Background(0), distribution="poisson")
    assert status(check(model.fit(weeks(counts), Laplace())), "Replicated series") == "warned"


def test_streams_with_few_or_no_incidents_are_named(rng):
    counts = np.stack([rng.poisson(2.0, 200), np.zeros(200, int)], axis=1)
    findings = check(MODEL.fit(weeks(counts, ["busy", "silent"]), Laplace()))
    assert status(findings, "Amount of data") == "failed"
    assert "silent" in next(one.text for one in findings if one.name == "Amount of data")


def test_a_level_shift_is_not_identified_as_contagion(rng):
    # Rates change slowly, nothing follows from anything: the classic trap.
    rate = 1 + 6 / (1 + np.exp(-(np.arange(520) - 260) / 40))
    series = weeks(rng.poisson(rate))
    constant = MODEL.fit(series, Laplace()).dynamics()
    trend = EndemicEpidemic(background=Background(0, trend=365.0)).fit(series, Laplace()).dynamics()
    alternatives = {"constant": constant, "trend": trend}
    assert np.median(constant.branching_ratio) > 0.6
    assert np.median(trend.branching_ratio) < 0.3
    assert not identified(constant, alternatives)


@pytest.mark.slow
def test_a_hawkes_fit_is_checked_too(rng):
    like = EventSeries.from_times([[]], 0.0, 500.0)
    values = {"level": np.log([0.3]), "reproduction": np.array([[0.5]]), "decay": np.array(1.0)}
    fit = Hawkes().fit(Hawkes().simulate(values, like, rng))
    assert status(check(fit), "Convergence") == "passed"
    assert status(check(fit), "Stability") == "passed"
