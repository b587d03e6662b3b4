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
    level, own = np.meshgrid(np.linspace(-0.6, 1.2, 241), np.linspace(0, 0.7, 281), indexing="ij")
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


def test_another_series_of_the_same_rank_needs_no_compiling(series, fit):
    from escalation.engines import nuts

    known = len(nuts._COMPILED)
    counts = np.random.default_rng(3).poisson(6.0, 90)
    other = CountSeries.from_counts(counts, date(2022, 1, 3), "week", ["attacks"])
    again = MODEL.fit(other, NUTS(draws=200, tune=200, chains=2))
    assert len(nuts._COMPILED) == known
    mean = np.exp(again.draws["level"]) / (1 - again.draws["reproduction"][:, 0])
    np.testing.assert_allclose(np.median(mean), other.counts.mean(), rtol=0.15)


def test_to_pymc_has_named_priors_and_the_same_density(series):
    model = MODEL.to_pymc(series)
    assert {"level", "reproduction"} <= set(model.named_vars)
    assert model.coords["stream"] == ("attacks",)
    problem = MODEL.problem(series)
    point = {"level": np.array([0.4]), "reproduction_log__": np.log([[0.2]])}
    theta = np.array([0.4, 0.2])
    # PyMC samples the logarithm of R: its density has the Jacobian.
    wanted = problem.evaluate(theta)[0] + problem.layout.penalty(theta, every=True)[0] + np.log(0.2)
    np.testing.assert_allclose(model.compile_logp()(point), wanted, rtol=1e-10)
    gradient = model.compile_dlogp()(point)
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
