import numpy as np
import pytest

from escalation.dynamics import Dynamics, arrow_mask, count_responses, reproduction_parameter

MATRIX = np.array([[[0.4, 0.2], [0.1, 0.3]], [[0.9, 0.5], [0.4, 0.6]]])


def dynamics(matrix=MATRIX, names=("a", "<b>")):
    n, k, _ = matrix.shape
    weights = np.tile([0.6, 0.4], (n, 1))
    return Dynamics(
        reproduction=matrix,
        shares=np.full((n, k, 3), 1 / 3),
        responses=count_responses(matrix, weights, 60),
        response_days=7.0 * np.arange(1, 61),
        names=names,
        unit="offspring in later weeks",
        arrows=np.ones((k, k), bool),
        delay_median=np.full(n, 7.0),
        same_period=np.zeros(n),
    )


def test_the_branching_ratio_is_the_spectral_radius():
    wanted = [np.abs(np.linalg.eigvals(one)).max() for one in MATRIX]
    np.testing.assert_allclose(dynamics().branching_ratio, wanted)
    assert dynamics().supercritical == 0.5


def test_total_effects_are_the_limit_of_the_responses_and_infinite_beyond_one():
    total = dynamics().total_effect
    np.testing.assert_allclose(total[0], np.linalg.inv(np.eye(2) - MATRIX[0]))
    assert np.isinf(total[1]).all()
    limit = dynamics().response("a", 420)[0]
    np.testing.assert_allclose(limit, total[0][:, 0] - [1, 0], rtol=1e-6)


def test_the_table_has_a_row_an_arrow():
    table = dynamics().table()
    assert table.height == 4
    row = table.filter(source="a", target="<b>").row(0, named=True)
    np.testing.assert_allclose(row["estimate"], 0.25)


def test_names_are_text():
    assert "&lt;b&gt;" in dynamics()._repr_html_()
    assert "<b>" not in dynamics()._repr_html_()


def test_faults_name_what_came():
    with pytest.raises(ValueError, match="no stream 'c'; the streams are a, <b>"):
        dynamics().response("c", 7)
    with pytest.raises(ValueError, match="days must be between 0 and 420, got 500"):
        dynamics().response("a", 500)
    with pytest.raises(ValueError, match="reproduction has shape"):
        dynamics(names=("a",))
    with pytest.raises(ValueError, match=r"arrows has shape \(1, 2\)"):
        arrow_mask(((True, False),), 2)


def test_a_masked_arrow_is_no_parameter():
    parameter = reproduction_parameter(np.array([[True, False], [True, True]]), "")
    assert parameter.mask.sum() == 3
