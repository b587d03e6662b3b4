import numpy as np
import pytest

from escalation.likelihood.phase_chain import both_ways


@pytest.mark.parametrize("phases", [2, 3, 4])
@pytest.mark.parametrize("least", [0.1, 1e-3, 1e-60])
def test_both_passes_are_those_of_plain_products_of_matrices(rng, phases, least):
    matrix = rng.dirichlet(np.ones(phases), phases)
    begin = rng.dirichlet(np.ones(phases))
    seen = least ** rng.random((phases, 60))
    ahead, later, scale = both_ways(begin, matrix, seen)
    come = begin
    for t in range(60):
        here = come * seen[:, t]
        np.testing.assert_allclose(scale[t], here.sum(), rtol=1e-13)
        np.testing.assert_allclose(ahead[:, t], here / here.sum(), rtol=1e-11, atol=1e-300)
        come = ahead[:, t] @ matrix
    gone = np.full(phases, 1 / phases)
    for t in range(59, -1, -1):
        np.testing.assert_allclose(later[:, t] / later[:, t].sum(), gone, rtol=1e-11)
        gone = matrix @ (gone * seen[:, t])
        gone /= gone.sum()
