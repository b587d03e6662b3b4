from datetime import date

import numpy as np
import pytest
from scipy import stats

from escalation.background import Background
from escalation.checks.sensitivity import (
    ALPHAS,
    CONFLICT,
    STRONG,
    log_prior,
    power_scaling,
    sensitivity,
)
from escalation.counts import EndemicEpidemic
from escalation.engines import Laplace, MaximumLikelihood
from escalation.engines.loo import jensen_shannon, leave_one_out, power_weights, smoothed_weights
from escalation.series import CountSeries


def distance(first, second):
    """Cumulative Jensen–Shannon distance of two normal laws by quadrature, both directions."""

    def one(p, q, x):
        width = x[1] - x[0]
        mean = (p + q) / 2
        with np.errstate(divide="ignore", invalid="ignore"):
            pq = np.where(p > 0, p * np.log2(p / mean), 0.0).sum() * width
            qp = np.where(q > 0, q * np.log2(q / mean), 0.0).sum() * width
        slack = (q.sum() - p.sum()) * width / 2 / np.log(2)
        total = max(pq + slack, 0) + max(qp - slack, 0)
        return np.sqrt(total / ((p.sum() + q.sum()) * width))

    return lambda x: max(
        one(first.cdf(x), second.cdf(x), x), one(first.sf(x)[::-1], second.sf(x)[::-1], x)
    )


def posterior(n, mean, prior_sd, alpha_prior=1.0, alpha_likelihood=1.0):
    """Law of a normal mean with known sd 1 under a normal prior about zero, components scaled."""
    precision = alpha_prior / prior_sd**2 + alpha_likelihood * n
    return stats.norm(alpha_likelihood * n * mean / precision, precision**-0.5)


CASES = {
    "agreeing": (20, 0.2, 2.0, ""),
    "conflict": (20, 4.0, 0.5, CONFLICT),
    "strong prior": (2, 0.0, 0.02, STRONG),
}


@pytest.mark.parametrize("case", CASES)
def test_it_is_the_closed_form_of_a_normal_mean(case, rng):
    n, mean, sd, said = CASES[case]
    exact = posterior(n, mean, sd)
    # Draws at the law's quantiles, in random order: no noise of sampling.
    draws = exact.ppf((rng.permutation(8000) + 0.5) / 8000)
    prior = stats.norm(0, sd).logpdf(draws)
    likelihood = -0.5 * n * (mean - draws) ** 2
    found = power_scaling({"mean": draws}, prior, likelihood)
    # The draws' own range: beyond it the distance of empirical laws knows nothing.
    grid = np.linspace(draws.min(), draws.max(), 20001)
    for component, value in (("prior", found.prior[0]), ("likelihood", found.likelihood[0])):
        wanted = np.mean(
            [
                distance(exact, posterior(n, mean, sd, **{f"alpha_{component}": alpha}))(grid)
                / abs(np.log2(alpha))
                for alpha in ALPHAS
            ]
        )
        np.testing.assert_allclose(value, wanted, rtol=0.02, atol=5e-4)
    assert found.diagnoses == (said,)
    for a, alpha in enumerate(ALPHAS):
        shift = (posterior(n, mean, sd, alpha).mean() - exact.mean()) / exact.std()
        np.testing.assert_allclose(found.moved[a, 0], shift, atol=0.01)
    assert found.finding().status == ("warned" if said else "passed")
    assert repr(found).startswith("Sensitivity(1 quantities, all priors scaled")


def test_weights_are_arvizs_and_of_the_right_target(rng):
    draws = rng.normal(size=4000)
    weights, shape = smoothed_weights(-0.5 * (draws - 0.5) ** 2 + 0.5 * draws**2)
    assert shape < 0.5
    assert np.isclose(np.exp(weights).sum(), 1)
    np.testing.assert_allclose(np.exp(weights) @ draws, 0.5, atol=0.08)
    flat, shape = smoothed_weights(np.zeros(7))
    np.testing.assert_allclose(np.exp(flat), 1 / 7)
    assert shape == -np.inf
    assert jensen_shannon(draws, power_weights(np.zeros(4000), 0.8)[0]) < 1e-2
    assert jensen_shannon(np.ones(9), np.zeros(9)) == 0


def test_leaving_one_out_is_exact_for_a_normal_mean(rng):
    y = rng.normal(size=12)
    precision = 1 + len(y)
    draws = rng.normal(y.sum() / precision, precision**-0.5, 40_000)
    elpd, shape, effective = leave_one_out(stats.norm(draws[:, None], 1.0).logpdf(y))
    wanted = [
        stats.norm((y.sum() - one) / (precision - 1), np.sqrt(1 + 1 / (precision - 1))).logpdf(one)
        for one in y
    ]
    np.testing.assert_allclose(elpd, wanted, atol=0.01)
    assert shape.max() < 0.5
    assert 0.3 < effective.sum() < 2


def test_chance_is_not_taken_for_sensitivity(rng):
    # Twelve quantities that neither component knows anything of, and few draws.
    draws = rng.normal(size=(13, 150))
    quantities = {f"x{i}": one for i, one in enumerate(draws[1:])}
    found = power_scaling(quantities, -2 * draws[0] ** 2, -3 * draws[0])
    assert found.noise > 0.05
    assert found.threshold == found.noise
    assert found.diagnoses.count("") >= 10
    assert "take more" in found.finding().text


MODEL = EndemicEpidemic(background=Background(harmonics=0), lags=3)


@pytest.fixture(scope="module")
def fit():
    rng = np.random.default_rng(3)
    truth = {
        "level": np.log([1.0, 1.0]), "reproduction": np.array([[0.4, 0.1], [0.1, 0.3]]),
        "dispersion": np.array([0.2, 0.2]), "decay": np.array(0.7),
    }  # fmt: skip
    like = CountSeries.from_counts(np.zeros((200, 2)), date(2015, 1, 5), "week", ["a", "b"])
    return MODEL.fit(MODEL.simulate(truth, like, rng), Laplace(draws=800))


def test_every_scalar_and_the_branching_ratio_is_told(fit):
    found = sensitivity(fit)
    assert found.names[-1] == "branching ratio"
    assert "reproduction[b → a]" in found.names
    assert len(found.names) == len(fit.summary()) + 1
    assert (found.prior >= 0).all()
    # 200 weeks say much of the levels, and the priors are wide.
    level = found.names.index("level[a]")
    assert found.likelihood[level] > found.prior[level]
    assert found.table()["prior"].is_sorted(descending=True)


def test_one_prior_alone_can_be_scaled(fit):
    many = CountSeries.from_counts(fit.series.counts * 60, date(2015, 1, 5), "week", ["a", "b"])
    short, _ = many.split(many.edges[25].item())
    found = sensitivity(MODEL.fit(short, Laplace(draws=800)), priors=["level"])
    assert found.scaled == "priors of level"
    # Levels far above the prior's mean of zero: a stronger prior draws them down.
    level = found.names.index("level[a]")
    assert found.moved[1, level] < 0 < found.moved[0, level]


def test_the_log_prior_is_that_of_the_layout(fit):
    layout = MODEL.problem(fit.series).layout
    found = log_prior(layout, fit.theta[:5])
    wanted = [layout.penalty(theta, every=True)[0] for theta in fit.theta[:5]]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)
    parts = [log_prior(layout, fit.theta[:5], [p.name]) for p in layout.parameters]
    np.testing.assert_allclose(sum(parts), wanted, rtol=1e-10)
    with pytest.raises(ValueError, match="no parameter 'rho'"):
        log_prior(layout, fit.theta, ["rho"])


def test_maximum_likelihood_has_no_prior(fit):
    with pytest.raises(ValueError, match="needs a posterior"):
        sensitivity(MODEL.fit(fit.series, MaximumLikelihood(draws=5, starts=1)))
