"""Findings on convergence: what optimisers and nested approximations say of themselves."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.checks.general import convergence
from escalation.checks.nowcast import weighed
from escalation.counts import EndemicEpidemic
from escalation.engines import MaximumLikelihood
from escalation.series import CountSeries

GOOD = {"converged": True, "at_bound": [], "singular": False, "intervals": "normal law"}
WEIGHED = {"pareto_shape": 0.3, "weights_power": 1.0, "path_shape": 0.2, "path_power": 1.0}


@pytest.fixture(scope="module")
def fit():
    series = CountSeries.from_counts(np.ones((40, 1), int), date(2020, 1, 6))
    model = EndemicEpidemic(background=Background(harmonics=0), lags=2, distribution="poisson")
    return model.fit(series, MaximumLikelihood(draws=5, starts=1))


@pytest.mark.parametrize(
    ("told", "status", "said"),
    [
        ({}, "passed", "maximum of the posterior"),
        (WEIGHED, "passed", "maximum of the posterior"),
        (WEIGHED | {"pareto_shape": -np.inf}, "passed", "maximum of the posterior"),
        (WEIGHED | {"pareto_shape": 0.84}, "warned", "Pareto shape 0.84"),
        (WEIGHED | {"pareto_shape": np.nan}, "warned", "Pareto shape nan"),
        (WEIGHED | {"path_shape": 0.91}, "warned", "Pareto shape 0.91"),
        (WEIGHED | {"weights_power": 0.4}, "warned", "evened out"),
        (WEIGHED | {"path_power": 0.9}, "warned", "evened out"),
        (WEIGHED | {"pareto_shape": 0.84, "converged": False}, "failed", "did not reach"),
        (WEIGHED | {"at_bound": ["width"]}, "warned", "At a bound"),
    ],
)
def test_what_the_approximation_says_of_itself_becomes_a_finding(fit, told, status, said):
    given = replace(fit, engine="Laplace", diagnostics=GOOD | told)
    found = convergence(given)
    assert (found.name, found.status) == ("Convergence", status)
    assert said in found.text
    late = weighed(given)
    assert (late.name, late.status, late.text) == ("Nowcast: convergence", status, found.text)


def test_a_fit_by_likelihood_speaks_of_the_likelihood(fit):
    found = convergence(replace(fit, diagnostics=GOOD))
    assert found.status == "passed" and "maximum of the likelihood" in found.text
