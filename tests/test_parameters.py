import numpy as np
import pytest
from scipy import stats

from escalation.parameters import Layout, Parameter, WorkingScale, nonnegative_interval
from escalation.priors import HalfNormal, LogNormal, Normal, Stability

MASK = np.array([[True, False], [True, True]])
PARAMETERS = (
    Parameter("level", (2,), "real", Normal(0.5, 2.0), "level"),
    Parameter("reproduction", (2, 2), "nonnegative", HalfNormal(0.3), "R", free=MASK),
    Parameter("share", (), "unit", Normal(), "a share"),
    Parameter("decay", (), "positive", LogNormal(0.7, 1.0), "decay"),
)


def test_values_survive_packing_and_unpacking(rng):
    layout = Layout(PARAMETERS)
    values = layout.sample_prior(rng, 5)
    theta = np.stack([layout.pack({k: v[i] for k, v in values.items()}) for i in range(5)])
    back = layout.unpack(theta)
    for name, value in values.items():
        np.testing.assert_array_equal(back[name], value)


def test_fixed_entries_are_zero_and_not_free(rng):
    layout = Layout(PARAMETERS)
    assert (layout.sample_prior(rng, 100)["reproduction"][:, 0, 1] == 0).all()
    assert layout.start("reproduction") + 1 not in layout.free
    assert layout.labels == [
        "level[0]", "level[1]", "reproduction[0, 0]", "reproduction[1, 0]", "reproduction[1, 1]",
        "share", "decay",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("prior", "law"),
    [
        (Normal(0.5, 2.0), stats.norm(0.5, 2.0)),
        (LogNormal(0.7, 0.8), stats.lognorm(0.8, scale=0.7)),
        (HalfNormal(0.4), stats.halfnorm(scale=0.4)),
    ],
    ids=lambda item: type(item).__name__,
)
def test_priors_agree_with_scipy(prior, law, rng):
    x = law.rvs(50, random_state=np.random.default_rng(3))
    np.testing.assert_allclose(prior.log_density(x), law.logpdf(x))
    # False alarm once in a thousand.
    assert stats.kstest(prior.sample(rng, (2000,)), law.cdf).pvalue > 0.001


def test_the_working_scale_its_slope_and_its_jacobian():
    scale = WorkingScale(tuple(Layout(PARAMETERS).supports))
    values = np.array([0.3, -1.0, 0.2, 0.0, 0.4, 0.7, 2.0])
    working = scale.to(values)
    np.testing.assert_allclose(scale.back(working), values)
    h = 1e-6
    steps = h * np.eye(len(values))
    slope = (scale.back(working + steps) - scale.back(working - steps)) / (2 * h)
    np.testing.assert_allclose(np.diag(slope), scale.slope(values), rtol=1e-6)
    jacobian = [scale.jacobian(scale.back(working + s))[0] for s in steps]
    below = [scale.jacobian(scale.back(working - s))[0] for s in steps]
    numerical = (np.array(jacobian) - np.array(below)) / (2 * h)
    np.testing.assert_allclose(scale.jacobian(values)[1], numerical, atol=1e-8)


def test_penalties_are_priors_with_their_slopes():
    layout = Layout(PARAMETERS, Stability())
    theta = np.array([0.3, -1.0, 0.2, 0.0, 0.1, 0.4, 0.7, 2.0])
    value, gradient = layout.penalty(theta, every=True)
    matrix = np.array([[0.2, 0.0], [0.1, 0.4]])
    wanted = (
        stats.norm(0.5, 2.0).logpdf([0.3, -1.0]).sum()
        + stats.halfnorm(scale=0.3).logpdf([0.2, 0.1, 0.4]).sum()
        + stats.norm().logpdf(0.7)
        + stats.lognorm(1.0, scale=0.7).logpdf(2.0)
        - (np.linalg.eigvals(matrix / 0.85) ** 8).sum().real
    )
    np.testing.assert_allclose(value, wanted)
    for i in layout.free:
        step = 1e-6 * (np.arange(theta.size) == i)
        above, below = layout.penalty(theta + step, True)[0], layout.penalty(theta - step, True)[0]
        np.testing.assert_allclose(gradient[i], (above - below) / 2e-6, atol=1e-6)
    assert layout.penalty(theta, every=False)[0] == 0


def test_an_interval_reaches_zero_where_the_density_is_highest_there(rng):
    draws = np.stack([np.abs(rng.normal(0, 1, 4000)), rng.normal(5, 1, 4000)], axis=1)
    lower, upper = nonnegative_interval(draws, 0.9)
    assert lower[0] == 0
    np.testing.assert_allclose([lower[1], upper[1]], [3.355, 6.645], atol=0.12)
    np.testing.assert_allclose(upper[0], 1.96, atol=0.1)


def test_faults_name_the_parameter():
    with pytest.raises(ValueError, match="level: support must be one of"):
        Parameter("level", (), "reel", Normal(), "")
    with pytest.raises(ValueError, match=r"R: free has shape \(2, 2\), wanted \(3, 3\)"):
        Parameter("R", (3, 3), "real", Normal(), "", free=MASK)


def test_draws_of_the_joint_prior_are_those_of_its_density(rng):
    parameter = Parameter("reproduction", (1, 1), "nonnegative", HalfNormal(1.0), "R")
    layout = Layout((parameter,), Stability(radius=0.8))
    draws = layout.sample_prior(rng, 4000)["reproduction"].ravel()
    grid = np.linspace(0, 3, 3001)
    density = np.array([np.exp(layout.penalty(np.array([x]), True)[0]) for x in grid])
    cdf = np.cumsum(density) / density.sum()
    # False alarm once in a thousand.
    assert stats.kstest(draws, lambda x: np.interp(x, grid, cdf)).pvalue > 0.001
