"""Aftershocks of Tangshan: the power law with marks, against PtProcess (R)."""

import csv
import json
from dataclasses import replace

import numpy as np
import pytest

from escalation.hawkes import Hawkes
from escalation.hawkes.marks import Marks
from escalation.kernels import Lomax
from escalation.series import EventSeries


@pytest.fixture(scope="module")
def told(shared):
    values = json.loads((shared / "references/values.json").read_text("utf-8"))
    return values["hawkes"]["tangshan"]["etas"]


@pytest.fixture(scope="module")
def series(shared):
    with (shared / "references/data/PtProcess_Tangshan.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    times, marks = (np.array([float(row[name]) for row in rows]) for name in ("time", "magnitude"))
    return replace(EventSeries.from_times([times], 0, 4018), marks=(marks,))


@pytest.mark.parametrize(
    ("exact", "error", "close"), [(True, 1e-5, 2e-4), (False, 1e-3, 1e-3)], ids=["pairs", "mixture"]
)
def test_the_etas_fit_is_the_reference(series, told, exact, error, close):
    kernel = Lomax(exact=exact)
    model = Hawkes(kernel=kernel, marks=Marks("exponential", bound=8.0), ties="apart")
    fit = model.fit(series)
    assert abs(fit.log_likelihood - told["loglik"]) < error
    found, wanted = fit.estimate, told["mle"]
    theta = np.array([found["exponent"], found["scale"]])
    mean = np.exp(found["mark_exponent"][0] * series.marks[0]).mean()
    productivity = kernel.within(4018.0).productivity(found["reproduction"][0, 0], theta, mean)
    np.testing.assert_allclose(np.exp(found["level"]), wanted["mu"], rtol=close)
    np.testing.assert_allclose(productivity, wanted["A"], rtol=close)
    np.testing.assert_allclose(found["mark_exponent"], wanted["alpha"], rtol=close)
    np.testing.assert_allclose(theta, [wanted["p"], wanted["c"]], rtol=close)
