"""The hurdle's terms: exact in their tails, and the same in rows."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from escalation.likelihood.hurdle import (
    occurrence_row,
    occurrence_term,
    truncated_row,
    truncated_term,
)


@pytest.fixture
def digits():
    """Numbers of three hundred digits."""
    with localcontext() as context:
        context.prec = 300
        yield Decimal


STEP = Decimal(10) ** -80


@pytest.mark.parametrize("odds", [-300.0, -1.0, 0.0, 2.0, 50.0])
@pytest.mark.parametrize("share", [1.0, 0.3])
def test_occurrence_is_exact_in_its_tails(odds, share, digits):
    def term(odds, happened):
        empty = (-digits(share) * (1 + odds.exp()).ln()).exp()
        return (1 - empty if happened else empty).ln()

    for happened in (False, True):
        value, slope = occurrence_term(happened, odds, share)
        wanted = term(digits(odds), happened)
        assert value == pytest.approx(float(wanted), rel=1e-12, abs=1e-300)
        rise = (term(digits(odds) + STEP, happened) - wanted) / STEP
        assert slope == pytest.approx(float(rise), rel=1e-9, abs=1e-300)


@pytest.mark.parametrize("psi", [0.0, 1e-12, 1e-5, 0.3, 40.0])
@pytest.mark.parametrize("exponent", [-250.0, -2.0, 1.0, 9.0])
@pytest.mark.parametrize("y", [1, 7])
def test_truncated_terms_are_exact_at_every_mean(y, exponent, psi, digits):
    def term(exponent, psi):
        mean = exponent.exp()
        q = (1 + psi * mean).ln() / psi if psi else mean
        return y * (exponent - (1 + psi * mean).ln()) - (q.exp() - 1).ln()

    at = digits(exponent), digits(psi)
    value, slope, bend = truncated_term(float(y), exponent, psi)
    wanted = term(*at)
    assert value == pytest.approx(float(wanted), rel=1e-11, abs=1e-11)
    rise = (term(at[0] + STEP, at[1]) - wanted) / STEP
    assert slope == pytest.approx(float(rise), rel=1e-9, abs=1e-11)
    rise = (term(at[0], at[1] + STEP) - wanted) / STEP
    assert bend == pytest.approx(float(rise), rel=1e-8, abs=1e-9)


def test_terms_beyond_the_range_of_numbers_are_their_limits():
    assert truncated_term(7.0, -900.0, 0.3) == (-5400.0, 6.0, 0.0)
    assert occurrence_term(True, -900.0, 0.3) == pytest.approx((np.log(0.3) - 900.0, 1.0))
    assert occurrence_term(False, 900.0, 0.5) == (-450.0, -0.5)


@pytest.mark.parametrize("psi", [0.0, 1e-7, 1e-4, 0.3, 40.0])
def test_rows_of_terms_are_the_single_terms(psi, rng):
    y = 1.0 + rng.poisson(2.0, 400)
    exponent = rng.uniform(-30.0, 9.0, 400)
    slope, *scratch = np.empty((4, 400))
    value, bend = truncated_row(y, exponent, psi, slope, *scratch)
    single = np.array([truncated_term(*one, psi) for one in zip(y, exponent, strict=True)])
    np.testing.assert_allclose([value, bend], single[:, [0, 2]].sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(slope, single[:, 1], rtol=1e-11, atol=1e-13)
    # Where a mean is no number any more, term by term.
    exponent[3] = -800.0
    value, _ = truncated_row(y, exponent, psi, slope, *scratch)
    single = [truncated_term(*one, psi)[0] for one in zip(y, exponent, strict=True)]
    np.testing.assert_allclose(value, sum(single), rtol=1e-12)
    exponent[3] = 40.0
    assert truncated_row(y, exponent, psi, slope, *scratch)[0] == -np.inf


def test_a_row_of_occurrences_is_the_sum_of_its_terms(rng):
    odds = np.concatenate([rng.uniform(-60.0, 60.0, 300), [0.0, -800.0, 800.0]])
    share = rng.choice([0.3, 1.0], odds.size)
    happened = (rng.random(odds.size) < 0.5) & (share == 1.0)
    state = np.where(happened, 1.0, -share)
    slope, scratch = np.empty((2, odds.size))
    value = occurrence_row(state, odds, slope, scratch)
    single = np.array([
        occurrence_term(*one) for one in zip(happened, odds, share, strict=True)
    ])  # fmt: skip
    np.testing.assert_allclose(value, single[:, 0].sum(), rtol=1e-12)
    np.testing.assert_allclose(slope, single[:, 1], rtol=1e-12, atol=1e-300)
    state[0], odds[0] = 0.0, np.inf
    assert np.isfinite(occurrence_row(state, odds, slope, scratch))
    state[0] = 1.0
    assert occurrence_row(state, odds, slope, scratch) == -np.inf
