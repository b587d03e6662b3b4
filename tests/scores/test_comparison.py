"""Comparison of forecasters: relative skill, bootstrap blocks, Diebold-Mariano, pairwise skill."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.scores import (
    block_interval,
    block_length,
    diebold_mariano,
    moving_blocks,
    pairwise_skill,
    relative_skill,
)


def test_relative_skill_is_undefined_over_zero():
    assert relative_skill([[1, 1], [2, 4]], [[2, 2], [1, 1]]).tolist() == [0.5, 3.0]
    assert np.isnan(relative_skill([1.0], [0.0]))
    assert np.isnan(relative_skill([np.inf], [np.inf]))
    assert relative_skill([np.inf], [1.0]) == np.inf


@given(st.integers(1, 30), st.integers(1, 40))
def test_moving_blocks_are_runs(cases, length):
    index = moving_blocks(cases, length, 20, np.random.default_rng(1))
    assert index.shape == (20, cases)
    assert index.min() >= 0
    assert index.max() < cases
    inside = np.arange(1, cases) % min(length, cases) != 0
    assert (np.diff(index, axis=1)[:, inside] == 1).all()


def test_moving_blocks_widen_the_spread_of_a_mean_of_alike_neighbours(rng):
    values = np.repeat(rng.normal(size=50), 10)
    spread = [values[moving_blocks(500, length, 400, rng)].mean(axis=1).std() for length in (1, 10)]
    assert spread[1] > 2 * spread[0]


def test_a_block_is_twice_as_long_as_the_overlap_and_at_most_half():
    assert [block_length(n, 4) for n in (1, 6, 20, 1000)] == [1, 3, 8, 10]
    assert block_length(30) == 3


def test_an_expanded_interval_of_a_mean_is_students(rng):
    from scipy.stats import t

    values = rng.normal(size=8)
    means = values[rng.integers(8, size=(200_000, 8))].mean(axis=1)
    found = block_interval(means, 0.9, 8)
    half = t.ppf(0.95, 7) * values.std(ddof=1) / np.sqrt(8)
    # As wide; the place follows the skewness of the sample.
    assert found[1] - found[0] == pytest.approx(2 * half, rel=0.05)
    with pytest.raises(ValueError, match="more than one block"):
        block_interval(means, 0.9, 1)


def test_diebold_mariano_without_overlap_is_the_t_test(rng):
    from scipy.stats import ttest_rel

    ours, theirs = rng.gamma(2.0, size=30), rng.gamma(2.2, size=30)
    found, expected = diebold_mariano(ours, theirs), ttest_rel(ours, theirs)
    # Harvey's factor (n - 1) / n turns the variance over n into that over n - 1.
    assert found.statistic == pytest.approx(expected.statistic)
    assert found.p_value == pytest.approx(expected.pvalue)
    assert found.difference == pytest.approx((ours - theirs).mean())


def test_diebold_mariano_with_overlap_is_its_formula(rng):
    gap = np.convolve(rng.normal(size=63), np.ones(4), "valid") + 0.5
    n, h = len(gap), 4
    apart = gap - gap.mean()
    covariance = [(apart[: n - k] * apart[k:]).sum() / n for k in range(h)]
    variance = (covariance[0] + 2 * sum(covariance[1:])) / n
    factor = (n + 1 - 2 * h + h * (h - 1) / n) / n
    found = diebold_mariano(gap, np.zeros(n), h)
    assert found.statistic == pytest.approx(gap.mean() * np.sqrt(factor / variance))


def test_diebold_mariano_keeps_its_size_where_a_plain_test_does_not(rng):
    """2,000 series of 100 cases, four ahead; Harvey et al. (1997) find 6 to 8 % for 5 %."""
    noise = rng.normal(size=(2000, 103))
    gap = noise[:, 3:] + noise[:, 2:-1] + noise[:, 1:-2] + noise[:, :-3]
    alarms = [(diebold_mariano(gap, 0 * gap, h).p_value < 0.05).mean() for h in (1, 4)]
    assert alarms[0] > 0.2
    assert 0.03 < alarms[1] < 0.1


def test_diebold_mariano_falls_back_on_a_positive_variance():
    # Alternating differences: the flat sum of autocovariances is negative.
    gap = np.tile([1.0, -0.5], 20)
    found = diebold_mariano(gap, 0 * gap, 2)
    assert np.isfinite(found.statistic)


def test_diebold_mariano_leaves_unobserved_cases_out():
    found = diebold_mariano([1.0, np.nan, 3.0, 2.0], [2.0, 1.0, 3.5, 2.2])
    whole = diebold_mariano([1.0, 3.0, 2.0], [2.0, 3.5, 2.2])
    assert found.statistic == pytest.approx(float(whole.statistic))
    same = diebold_mariano([[1.0, 2.0], [np.nan, np.nan]], [[1.0, 2.0], [1.0, 2.0]])
    assert np.isnan(same.statistic).all()
    with pytest.raises(ValueError, match="between 1 and 1"):
        diebold_mariano([1.0, 2.0], [1.0, 2.0], 2)


def test_pairwise_skill_is_its_definition(rng):
    scores = rng.gamma(3.0, size=(4, 30, 5))
    scores[1, :10] = np.nan
    scores[2, rng.uniform(size=(30, 5)) < 0.3] = np.nan
    found = pairwise_skill(scores, 2, rng=rng, resamples=50)
    skill = []
    for i in range(4):
        ratios = []
        for j in range(4):
            both = ~np.isnan(scores[i]) & ~np.isnan(scores[j])
            ratios.append(scores[i][both].mean() / scores[j][both].mean())
        np.testing.assert_allclose(found.ratios[i], ratios)
        skill.append(np.prod(ratios) ** 0.25)
    np.testing.assert_allclose(found.skill, skill)
    np.testing.assert_allclose(found.scaled, np.array(skill) / skill[2])
    assert found.lower[2] == found.upper[2] == 1.0
    assert (found.lower <= found.upper).all()


def test_pairwise_skill_is_fair_to_whoever_took_the_hard_cases(rng):
    """The second scores 10 % worse everywhere, but skipped the hard half."""
    hard = np.repeat([1.0, 10.0], 20)
    scores = np.stack([hard, 1.1 * hard]) * rng.uniform(0.95, 1.05, (2, 40))
    scores[1, 20:] = np.nan
    found = pairwise_skill(scores, rng=rng)
    assert np.nanmean(scores[1]) < np.nanmean(scores[0])
    assert found.scaled[1] == pytest.approx(1.1, rel=0.02)


def test_intervals_of_pairwise_skill_hold_what_they_say(rng):
    """300 sets of 60 origins, overlapping three deep: 90 % intervals of a true ratio."""
    hits = 0
    for _ in range(300):
        noise = rng.gamma(2.0, 0.5, (2, 62))
        smooth = (noise[:, 2:] + noise[:, 1:-1] + noise[:, :-2]) / 3
        scores = smooth * np.array([[1.0], [0.8]])
        found = pairwise_skill(scores, overlap=3, resamples=200, rng=rng)
        hits += found.lower[1] <= 0.8 <= found.upper[1]
    # Somewhat short in 60 cases: 85 % in 600 sets; four standard errors.
    assert 0.77 < hits / 300 <= 0.97


def test_intervals_of_pairwise_skill_bear_a_forecaster_with_few_cases(rng):
    """The third has one case of 20: a third of the resamples do without, and are left out."""
    scores = rng.uniform(1.0, 2.0, (3, 20)) + np.array([[0.0], [1.0], [0.5]])
    scores[2] = np.where(np.arange(20) == 3, scores[2], np.nan)
    found = pairwise_skill(scores, rng=np.random.default_rng(0))
    assert np.isfinite([found.lower, found.upper]).all()
    assert found.lower[0] == found.upper[0] == 1.0
    assert found.lower[1] < found.scaled[1] < found.upper[1]
    # By hand: the same resamples, those with the third's case.
    length = block_length(20)
    index = moving_blocks(20, length, 1000, np.random.default_rng(0))
    scaled = []
    for rows in index[(index == 3).any(axis=1)]:
        means = scores[:, rows]
        both = means[:, rows == 3].mean(axis=1)
        ratio = means[:2].mean(axis=1)
        first, second = (np.cbrt(ratio[i] / ratio[1 - i] * both[i] / both[2]) for i in (0, 1))
        scaled.append(second / first)
    expected = block_interval(scaled, 0.9, 20 / length)
    np.testing.assert_allclose([found.lower[1], found.upper[1]], expected)


def test_pairwise_skill_says_what_it_cannot_know(rng):
    scores = np.array([[1.0, 2.0, np.nan, np.nan], [np.nan, np.nan, 1.0, 1.0]])
    found = pairwise_skill(scores, rng=rng)
    assert np.isnan(found.ratios[0, 1])
    assert np.isnan([found.skill, found.lower, found.upper]).all()
    with pytest.raises(ValueError, match="baseline"):
        pairwise_skill(scores, 2, rng=rng)
