"""Every drawing of the workflow, on what the checks give; drawn to bytes, the same ones twice."""

from datetime import date
from io import BytesIO

import numpy as np
import pytest

from escalation import plots
from escalation.background import Background
from escalation.checks import (
    Calibration,
    Comparison,
    power_scaling,
    predictive_check,
    prior_predictive,
    unrecorded,
)
from escalation.counts import EndemicEpidemic
from escalation.engines import MaximumLikelihood
from escalation.series import CountSeries

MODEL = EndemicEpidemic(background=Background(harmonics=0), lags=2)
QUICK = MaximumLikelihood(draws=60, starts=1)


@pytest.fixture(scope="module")
def fit():
    counts = np.random.default_rng(0).poisson(2.0, (80, 2))
    series = CountSeries.from_counts(counts, date(2020, 1, 6), "week", ["a_$1$", "b"])
    return MODEL.fit(series, QUICK)


@pytest.fixture(scope="module")
def drawn(fit):
    rng = np.random.default_rng(0)
    check = predictive_check(fit, rng, 50)
    prior = prior_predictive(MODEL, fit.series, rng, 50)
    away = np.r_[rng.integers(0, 20, (60, 2)).T, [np.full(60, 3)]].T
    calibration = Calibration(away, 19, ("level[0]", "decay", "off"), "m")
    scores = rng.normal(size=(40, 2))
    comparison = Comparison(("x", "y"), scores, fit.series.edges[:40], "how", ("", ""), 4)
    draws = rng.normal(size=400)
    sensitive = power_scaling({"mean": draws, "R": draws + 1}, -(draws**2), draws)
    lost = unrecorded(fit, (0.3,), thinnings=2, draws=50, engine=QUICK, horizon=3)
    return {
        "statistic": lambda ax: plots.statistic(ax, check, "largest count", "b"),
        "pair": lambda ax: plots.statistic(ax, check, "correlation between streams", "a_$1$ & b"),
        "ranks": lambda ax: plots.ranks(ax, check, "a_$1$"),
        "prior": lambda ax: plots.prior_counts(ax, prior),
        "calibration": lambda ax: plots.calibration_ranks(ax, calibration),
        "comparison": lambda ax: plots.score_differences(ax, comparison),
        "sensitivity": lambda ax: plots.power_scaling(ax, sensitive),
        "unrecorded": lambda ax: plots.unrecorded(ax, lost),
        "forecast": lambda ax: plots.unrecorded(ax, lost, "b, next 3 weeks"),
    }


NAMES = ("statistic", "pair", "ranks", "prior", "calibration", "comparison", "sensitivity",
         "unrecorded", "forecast")  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_it_draws_and_repeats(drawn, name):
    pictures = []
    for _ in range(2):
        with plots.style():
            figure, axes = plots.figure(2.5)
            assert drawn[name](axes[0, 0]) is axes[0, 0]
            buffer = BytesIO()
            figure.savefig(buffer, format="png", dpi=60)
        pictures.append(buffer.getvalue())
    assert pictures[0] == pictures[1]
    assert len(pictures[0]) > 1000


def test_what_is_outside_its_band_is_named(drawn):
    with plots.style():
        _, axes = plots.figure(2.5)
        drawn["calibration"](axes[0, 0])
    assert "off" in {text.get_text() for text in axes[0, 0].texts}


def test_unknown_names_are_told(fit, drawn):
    with plots.style():
        _, axes = plots.figure(2.0)
        with pytest.raises(ValueError, match="no statistic 'mode'"):
            plots.statistic(axes[0, 0], predictive_check(fit, None, 20), "mode", "b")
