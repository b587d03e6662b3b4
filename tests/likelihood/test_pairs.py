import csv
import json

import numpy as np
import pytest

from escalation.kernels import Exponential, Histogram, Lomax, Mixture, Weibull
from escalation.likelihood.hawkes import hawkes_exponential
from escalation.likelihood.pairs import find_pairs, hawkes_pairs

KERNELS = [
    Exponential(),
    Mixture(terms=2),
    Lomax(truncation=12.0),
    Weibull(truncation=9.0),
    Weibull(),
    Histogram((0.0, 0.5, 2.0, 6.0, 15.0)),
]
ONE = np.zeros((2, 2), np.int64)
PAIRWISE = np.arange(4).reshape(2, 2)


class Case:
    """Two streams with ties, history, a gap, two eras, marks and a season, in arrays."""

    def __init__(self, kernel, group=ONE, marked=True, allowed=None, apart=False):
        rng = np.random.default_rng(4)
        a, b = np.sort(rng.uniform(0, 40, 25)), np.sort(rng.uniform(0, 40, 18))
        b = np.sort(np.append(b, a[4]))  # the same time in the other stream: no effect
        inside = [t[(t < 20) | (t >= 23)] for t in (a, b)]
        if not isinstance(kernel, Weibull):
            inside[0][7] = inside[0][6]  # a tie within the stream: follows
        self.kernel, self.group, self.apart = kernel, group, apart
        self.times = np.concatenate(inside)
        self.first = np.array([0, len(inside[0]), len(self.times)])
        self.stream = np.repeat([0, 1], np.diff(self.first))
        self.spans = np.array([[2.0, 20.0], [23.0, 40.0]])
        edges = np.arange(41.0)
        watched = (edges[:-1] >= 2) & ((edges[:-1] < 20) | (edges[:-1] >= 23))
        self.lengths = watched.astype(float)
        self.design = np.column_stack([np.ones(40), np.sin(edges[:-1] / 6)])
        self.cell = np.floor(self.times).astype(np.int64)
        self.era = (self.times > 15).astype(np.int64)
        self.sizes = rng.exponential(size=len(self.times)) if marked else np.zeros(0)
        self.allowed = np.ones((2, 2), np.int64) if allowed is None else np.array(allowed)
        self.column = np.array([[0, 2], [1, 3]])
        self.place = np.array([4, 8])
        self.mark_place = np.array([12, 13])
        q = sum(p.size for p in kernel.parameters("day"))
        self.groups = 14 + np.arange((group.max() + 1) * q).reshape(-1, q)
        own = np.concatenate(
            [
                kernel.start(1.0 + 0.7 * g) * (1 + 0.1 * np.arange(q))
                for g in range(len(self.groups))
            ]
        )
        level = [-1.0, -1.3, 0.2, -0.3]
        matrices = np.stack([[[0.4, 0.2], [0.3, 0.1]], [[0.2, 0.5], [0.15, 0.6]]]) * self.allowed
        self.theta = np.concatenate([level, matrices.ravel(), [0.3, -0.2], own])
        self.data = (
            self.times, self.first, self.cell, self.era, self.sizes, self.lengths, self.design,
            self.spans,
        )  # fmt: skip
        self.structure = (
            self.column, self.place, self.group, self.allowed, self.mark_place,
            np.array([1, int(apart)]),
        )  # fmt: skip

    def compiled(self, theta):
        found = find_pairs(
            self.kernel, self.times, self.first, self.spans, self.group, self.allowed,
            apart=self.apart,
        )  # fmt: skip
        shape = self.kernel.pair_densities()
        constants = np.atleast_2d(found.constants)
        parts = [shape(theta[w], constants[g]) for g, w in enumerate(self.groups)]
        values = np.stack([part[0] for part in parts])
        arrays = found.data().values()
        value, gradient, by_values = hawkes_pairs(
            theta, values, *self.data, *arrays, *self.structure
        )
        for g, (_, jacobian) in enumerate(parts):
            gradient[self.groups[g]] += by_values[g] @ jacobian
        return value, gradient

    def naive(self, theta):
        rate = np.exp(self.design @ theta[self.column].T)
        weight = np.ones(len(self.times))
        if self.sizes.size:
            for j in (0, 1):
                own = self.stream == j
                effect = np.exp(theta[self.mark_place[j]] * self.sizes[own])
                weight[own] = effect / effect.mean()
        total = -(rate * self.lengths[:, None]).sum()
        for k in (0, 1):
            for i in np.flatnonzero(self.stream == k):
                if self.times[i] < self.spans[0, 0]:
                    continue
                intensity = rate[self.cell[i], k]
                for s, time in enumerate(self.times):
                    age, j = self.times[i] - time, self.stream[s]
                    if age > 0 or (age == 0 and j == k and s < i and not self.apart):
                        reach = theta[self.place[self.era[s]] + 2 * k + j]
                        own = theta[self.groups[self.group[k, j]]]
                        density = self.kernel.density(np.asarray(max(age, 1e-12)), own)
                        intensity += reach * weight[s] * density
                total += np.log(intensity)
            for s, time in enumerate(self.times):
                j = self.stream[s]
                reach = theta[self.place[self.era[s]] + 2 * k + j]
                own = theta[self.groups[self.group[k, j]]]
                for begin, end in self.spans:
                    ages = np.maximum(np.array([begin, end]) - time, 0.0)
                    total -= reach * weight[s] * np.diff(self.kernel.cdf(ages, own))[0]
        return total


def close_gradient(case, floor=1e-6):
    value, gradient = case.compiled(case.theta)
    for i in range(case.theta.size):
        if case.theta[i] == 0:
            continue
        step = 1e-6 * (np.arange(case.theta.size) == i)
        rise = case.compiled(case.theta + step)[0] - case.compiled(case.theta - step)[0]
        np.testing.assert_allclose(gradient[i], rise / 2e-6, rtol=1e-6, atol=floor)
    return value


@pytest.mark.parametrize(
    "group", [ONE, np.array([[0, 0], [1, 1]]), PAIRWISE], ids=["all", "target", "pair"]
)
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: type(kernel).__name__)
def test_the_likelihood_and_its_gradient_are_those_of_the_definition(kernel, group):
    case = Case(kernel, group)
    np.testing.assert_allclose(close_gradient(case), case.naive(case.theta), rtol=1e-9)


def test_without_marks_and_with_a_missing_arrow():
    case = Case(Weibull(truncation=9.0), marked=False, allowed=[[1, 0], [1, 1]])
    np.testing.assert_allclose(close_gradient(case), case.naive(case.theta), rtol=1e-9)


def test_ties_kept_apart():
    case = Case(Lomax(truncation=12.0), apart=True)
    value = close_gradient(case)
    np.testing.assert_allclose(value, case.naive(case.theta), rtol=1e-9)
    assert abs(value - Case(Lomax(truncation=12.0)).compiled(case.theta)[0]) > 0.01


@pytest.mark.parametrize("apart", [False, True], ids=["ordered", "apart"])
@pytest.mark.parametrize("group", [ONE, PAIRWISE], ids=["all", "pair"])
def test_the_recursion_of_exponentials_agrees(group, apart):
    case = Case(Mixture(terms=2), group, apart=apart)
    shape, nodes = case.kernel.as_exponentials(), case.kernel.nodes()
    values = np.stack([shape(case.theta[w], nodes)[0] for w in case.groups])
    structure = (*case.structure, np.arange(2))
    value, gradient, _ = hawkes_exponential(case.theta, values, *case.data, *structure)
    mine = case.compiled(case.theta)
    np.testing.assert_allclose(mine[0], value, rtol=1e-12)
    np.testing.assert_allclose(mine[1][:14], gradient[:14], rtol=1e-9)


def arrays_of_one(times, end, apart=False):
    """Data and structure of one unmarked stream with a constant background."""
    n = len(times)
    zeros = np.zeros(n, np.int64)
    data = (
        times, np.array([0, n]), zeros, zeros, np.zeros(0), np.array([end]), np.ones((1, 1)),
        np.array([[0.0, end]]),
    )  # fmt: skip
    one = np.zeros((1, 1), np.int64)
    return data, (one, np.array([1]), one, one + 1, np.array([2]), np.array([0, int(apart)]))


@pytest.mark.parametrize("times", [[], [3.0], [3.0, 3.0]])
def test_no_events_and_few(times):
    times = np.array(times)
    kernel = Lomax(truncation=10.0)
    data, structure = arrays_of_one(times, 10.0)
    found = find_pairs(kernel, times, data[1], data[-1], structure[2], structure[3])
    own = np.array([1.2, 0.5])
    theta = np.concatenate([[np.log(0.3), 0.4, 0.0], own])
    values = kernel.pair_densities()(own, found.constants)[0][None]
    value, _, _ = hawkes_pairs(theta, values, *data, *found.data().values(), *structure)
    intensity = [0.3, 0.3 + 0.4 / kernel.mass(own)][: len(times)]
    gone = 0.4 * kernel.cdf(10 - times, own).sum()
    np.testing.assert_allclose(value, np.log(intensity).sum() - 3 - gone, rtol=1e-12)


def test_too_many_pairs_are_refused():
    times = np.linspace(0, 10, 100)
    data, structure = arrays_of_one(times, 10.0)
    with pytest.raises(ValueError, match=r"4950 pairs .* more than 4000: take a mixture"):
        find_pairs(Weibull(), times, data[1], data[-1], structure[2], structure[3], cap=4000)


def test_ties_are_refused_where_the_density_is_unbounded():
    times = np.array([1.0, 1.0, 2.0])
    data, structure = arrays_of_one(times, 10.0)
    with pytest.raises(ValueError, match="1 pairs of events share their time"):
        find_pairs(Weibull(), times, data[1], data[-1], structure[2], structure[3])


def test_the_etas_model_of_tangshan(shared):
    told = json.loads((shared / "references/values.json").read_text("utf-8"))
    told = told["hawkes"]["tangshan"]["etas"]
    with (shared / "references/data/PtProcess_Tangshan.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    times, marks = (np.array([float(row[name]) for row in rows]) for name in ("time", "magnitude"))
    at, wanted = told["at"], told["loglik_at"]
    kernel = Lomax(truncation=4018.0)
    own = np.array([at["p"], at["c"]])
    mean = np.exp(at["alpha"] * marks).mean()
    reproduction = kernel.reproduction(at["A"], own, mean)
    np.testing.assert_allclose(kernel.productivity(reproduction, own, mean), at["A"])
    theta = np.concatenate([[np.log(at["mu"]), reproduction, at["alpha"]], own])
    # In the reference an event does not follow another of the very same time; there are two.
    data, structure = arrays_of_one(times, 4018.0, apart=True)
    data = (*data[:4], marks, *data[5:])
    found = find_pairs(kernel, times, data[1], data[-1], structure[2], structure[3], apart=True)
    values = kernel.pair_densities()(own, found.constants)[0][None]
    value, _, _ = hawkes_pairs(theta, values, *data, *found.data().values(), *structure)
    assert abs(value - wanted) < 1e-6
    # The mixture of exponentials: a tenth of its bound for each event is ample.
    for tolerance in (1e-3, 1e-4):
        kernel = Lomax(truncation=4018.0, tolerance=tolerance)
        values = kernel.as_exponentials()(own, kernel.nodes())[0][None]
        value, _, _ = hawkes_exponential(theta, values, *data, *structure, np.arange(1))
        assert abs(value - wanted) < 0.1 * tolerance * len(times)
