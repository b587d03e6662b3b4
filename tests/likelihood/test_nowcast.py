"""The terms of a triangle's likelihood against SciPy's."""

import numpy as np
import pytest
from scipy.special import gammaln
from scipy.stats import nbinom, poisson

from escalation.likelihood.nowcast import cell_terms, nowcast, triangle_tables

PLACE = np.array([0, -1, 1, 20, -1, 0, -1, 23, -1])


@pytest.mark.parametrize("psi", [0.0, 1e-6, 0.05, 2.0, 40.0])
@pytest.mark.parametrize("least", [1e-2, 1e-40])
def test_rising_factorials_are_those_of_plain_sums(rng, psi, least):
    counts = np.sort(rng.integers(1, 90, 50))[::-1]
    share = least ** rng.random(50)
    exceed = np.array([(counts > i).sum() for i in range(91)], float)
    term, product, slope = np.empty((3, 50))
    by_psi = cell_terms(share, exceed, 0, psi, term, product, slope)
    term += np.log(product)
    steps = [np.arange(n) for n in counts]
    rising = [p + i * psi for p, i in zip(share, steps, strict=True)]
    np.testing.assert_allclose(term, [np.log(one).sum() for one in rising], rtol=1e-12)
    np.testing.assert_allclose(
        slope, [(p / one).sum() for p, one in zip(share, rising, strict=True)], rtol=1e-12
    )
    whole = sum((i / one).sum() for i, one in zip(steps, rising, strict=True))
    np.testing.assert_allclose(by_psi, whole, rtol=1e-12)


@pytest.mark.parametrize("psi", [0.0, 0.02, 0.7, 5.0])
@pytest.mark.parametrize("mean", [0.2, 6.0, 150.0])
def test_the_value_is_that_of_scipys_laws(rng, psi, mean):
    scale = np.ones(20)
    scale[[4, 5, 11]] = 0.0, 0.0, 3 / 7
    counts = rng.poisson(mean * rng.gamma(0.5, 2.0, (20, 4, 1)) * scale[:, None, None]).astype(
        float
    )
    hidden = np.add.outer(np.arange(20), np.arange(4)) > 19
    counts[hidden | (scale == 0)[:, None]] = -1.0
    theta = np.concatenate([[np.log(4 * mean)], 0.1 * rng.normal(size=19), [-1.0, 0.2, 1.0, psi]])
    tables = triangle_tables(counts, scale)
    weekday = np.full(23, -1)
    value, _, _ = nowcast(
        theta, np.zeros((1, 1)), counts, *tables.values(), scale, weekday, np.zeros(3), PLACE
    )
    hazard = np.append(1 / (1 + np.exp(-theta[20:23])), 1.0)
    share = hazard * np.cumprod(np.append(1.0, 1 - hazard[:-1]))
    rate = scale * np.exp(theta[0] + np.cumsum(np.append(0.0, theta[1:20])))
    n, expected = counts[:, :, 0], rate[:, None] * share
    if psi == 0:
        terms = poisson.logpmf(n, expected)
    else:
        terms = nbinom.logpmf(n, share / psi, (1 / (1 + psi * rate))[:, None])
    np.testing.assert_allclose(value, terms[n >= 0].sum(), rtol=1e-11)


def test_tables_tell_all_of_a_triangle(rng):
    counts = rng.poisson(1.5, (6, 3, 2)).astype(float)
    counts[5, 1:], counts[4, 2:], counts[2] = -1.0, -1.0, -1.0
    scale = np.array([1.0, 0.5, 0.0, 1.0, 1.0, 1.0])
    tables = triangle_tables(counts, scale)
    known = np.maximum(counts, 0)
    np.testing.assert_array_equal(tables["total"], known.sum(axis=1).T)
    for k in range(2):
        number = int(tables["exceed"][k, 0])
        d, t = np.divmod(tables["cell"][k, :number], 6)
        assert (np.diff(known[t, d, k]) <= 0).all()
        assert known[t, d, k].sum() == known[:, :, k].sum()
        assert (tables["cell"][k, number:] == -1).all()
    same = 0.5 ** known[1].sum() / np.exp(gammaln(known + 1).sum())
    np.testing.assert_allclose(np.exp(tables["constant"]), same)
