import os
import subprocess
import sys
from datetime import date

import numpy as np
import pytest

from escalation.background import Background
from escalation.counts import EndemicEpidemic
from escalation.engines import NUTS
from escalation.kernels import OneLag
from escalation.series import CountSeries

MODEL = EndemicEpidemic(
    kernel=OneLag(), lags=1, distribution="poisson", background=Background(harmonics=0)
)


@pytest.fixture(scope="module")
def series():
    counts = np.random.default_rng(2).poisson(2.0, 120)
    return CountSeries.from_counts(counts, date(2022, 1, 3), "week", ["attacks"])


@pytest.fixture(scope="module")
def fit(series):
    return MODEL.fit(series, NUTS(draws=1000, tune=300, chains=2))


def test_the_posterior_agrees_with_a_grid(series, fit):
    problem = MODEL.problem(series)
    level, own = np.meshgrid(np.linspace(-0.6, 1.2, 91), np.linspace(0, 0.7, 106), indexing="ij")
    log_density = np.array(
        [
            problem.evaluate(theta)[0] + problem.layout.penalty(theta, every=True)[0]
            for theta in np.stack([level.ravel(), own.ravel()], axis=1)
        ]
    )
    weight = np.exp(log_density - log_density.max())
    weight /= weight.sum()
    for name, values in (("level", level), ("reproduction", own)):
        mean = (weight * values.ravel()).sum()
        sd = np.sqrt((weight * (values.ravel() - mean) ** 2).sum())
        draws = fit.draws[name].ravel()
        # Four standard errors at an effective sample of 200.
        assert abs(draws.mean() - mean) < 4 * sd / np.sqrt(200)
        assert 0.8 < draws.std() / sd < 1.25


def test_the_diagnostics_say_what_they_must(fit):
    assert fit.diagnostics["divergences"] == 0
    assert fit.diagnostics["r_hat"] < 1.05
    assert fit.diagnostics["ess"] > 100
    assert fit.to_arviz().posterior["level"].shape == (2, 1000, 1)


def test_the_same_seed_gives_the_same_draws(series, fit):
    again = MODEL.fit(series, NUTS(draws=1000, tune=300, chains=2))
    np.testing.assert_array_equal(again.draws["reproduction"], fit.draws["reproduction"])
    other = MODEL.fit(series, NUTS(draws=1000, tune=300, chains=2), np.random.default_rng(1))
    assert not np.array_equal(other.draws["reproduction"], fit.draws["reproduction"])


def test_diagnostics_are_given_by_parameter(fit):
    by_parameter = fit.diagnostics["by_parameter"]
    assert list(by_parameter) == ["level[0]", "reproduction[0, 0]"]
    assert max(one[0] for one in by_parameter.values()) == fit.diagnostics["r_hat"]
    assert min(min(one[1:]) for one in by_parameter.values()) == fit.diagnostics["ess"]
    assert 0.3 < fit.diagnostics["e_bfmi"] < 2


@pytest.mark.slow
def test_the_sampler_of_the_declared_model_agrees(series, fit):
    other = MODEL.fit(series, NUTS(draws=1000, tune=300, chains=2, via="pymc"))
    for name, draws in fit.draws.items():
        gap = draws.mean(axis=0) - other.draws[name].mean(axis=0)
        # Four standard errors of a difference at an effective sample of 300 each.
        assert (np.abs(gap) < 4 * draws.std(axis=0) * np.sqrt(2 / 300)).all()


def test_chains_that_disagree_are_lengthened(series):
    fit = MODEL.fit(series, NUTS(draws=8, tune=5, chains=4))
    assert fit.diagnostics["lengthened"]
    assert fit.draws["level"].shape == (4 * 16, 1)


@pytest.mark.parametrize("wrong", [{"chains": 1}, {"draws": 3}, {"via": "stan"}])
def test_impossible_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="got"):
        NUTS(**wrong)


def test_to_pymc_has_named_priors_and_the_same_density(series):
    model = MODEL.to_pymc(series)
    assert {"level", "reproduction"} <= set(model.named_vars)
    assert model.coords["stream"] == ("attacks",)
    problem = MODEL.problem(series)
    point = {"level": np.array([0.4]), "reproduction_log__": np.log([[0.2]])}
    theta = np.array([0.4, 0.2])
    # PyMC samples the logarithm of R: its density has the Jacobian.
    wanted = problem.evaluate(theta)[0] + problem.layout.penalty(theta, every=True)[0] + np.log(0.2)
    np.testing.assert_allclose(model.compile_logp(mode="FAST_COMPILE")(point), wanted, rtol=1e-10)
    gradient = model.compile_dlogp(mode="FAST_COMPILE")(point)
    slope = problem.evaluate(theta)[1]
    np.testing.assert_allclose(gradient[0], slope[0] - 0.4 / 4, rtol=1e-8)


COLD_AND_WARM = """
import sys
from datetime import date
import numpy as np
from escalation.counts import EndemicEpidemic
from escalation.engines import NUTS
from escalation.series import CountSeries
counts = np.random.default_rng(5).poisson(2.0, (120, 2))
series = CountSeries.from_counts(counts, date(2022, 1, 3), "week", ["a", "b"])
fit = EndemicEpidemic().fit(series, NUTS(draws=100, tune=200, chains=2))
sys.stdout.write(fit.draws["reproduction"].tobytes().hex())
"""


@pytest.mark.slow
def test_draws_do_not_depend_on_what_was_compiled_before(tmp_path):
    environment = {k: v for k, v in os.environ.items() if k != "PYTENSOR_FLAGS"}
    environment |= {
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        "NUMBA_CACHE_DIR": str(tmp_path / "numba"),
    }
    runs = [
        subprocess.run(
            [sys.executable, "-W", "ignore", "-c", COLD_AND_WARM],
            env=environment, check=True, capture_output=True, text=True,
        ).stdout
        for _ in range(2)
    ]  # fmt: skip
    assert len(runs[0]) > 1000
    assert runs[0] == runs[1]
