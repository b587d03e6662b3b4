"""The models of `surveillance`'s vignette on measles in Weser-Ems, by maximum likelihood."""

import csv
import json
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from escalation.background import Covariates
from escalation.counts import Component, EndemicEpidemic, Neighbours
from escalation.engines import MaximumLikelihood
from escalation.kernels import OneLag
from escalation.series import CountSeries

MEASLES = json.loads((Path(__file__).parents[1] / "references/measles.json").read_text("utf-8"))
FOLDER = Path(__file__).parents[3] / "shared/references/data"
CASES = [case for case in MEASLES if case != "source"]


def numbers(name):
    with (FOLDER / name).open(encoding="utf-8") as file:
        rows = list(csv.reader(file))[1:]
    return np.array([[float(cell) for cell in row[1:]] for row in rows])


@pytest.fixture(scope="module")
def measles():
    if not FOLDER.is_dir():
        pytest.skip("no folder of reference data beside the repository")
    counts = numbers("measlesWeserEms_counts.csv")
    series = CountSeries.from_counts(counts, date(2001, 1, 1), "week")
    order = numbers("measlesWeserEms_nbOrder.csv")
    population, susceptible = numbers("measlesWeserEms_units.csv").T
    return series, tuple(map(tuple, order)), population, susceptible


def columns(series, **values):
    shape = (len(series), series.n_streams)
    stacked = np.stack([np.broadcast_to(value, shape) for value in values.values()], axis=2)
    return Covariates.by_period(series.edges, stacked, tuple(values))


def model(case, measles):
    series, order, population, susceptible = measles
    weeks = np.arange(len(series))[:, None]
    terms = {"t": weeks}
    if case not in ("basic", "poisson"):
        terms["Sprop"] = np.log(susceptible)
    cross = Component(shared=True)
    if case in ("gravity", "power law", "second order"):
        cross = Component(shared=True, covariates=columns(series, pop=np.log(population)))
    weights = {
        "power law": Neighbours(order, "power law", max_order=5),
        "second order": Neighbours(order, "order", max_order=2),
    }
    return EndemicEpidemic(
        kernel=OneLag(),
        lags=1,
        distribution="poisson" if case == "poisson" else "negative binomial",
        dispersion="shared",
        background=Component(
            1,
            364.0,
            shared=True,
            offset=tuple(np.log(population)),
            covariates=columns(series, **terms),
        ),
        own=Component(shared=True),
        cross=cross,
        neighbours=weights.get(case, Neighbours(order, "adjacency", normalise=False)),
    )


def found(values):
    """Values of the parameters (..., each) under the names of the references."""
    out = {name: values[name] for name in ("level", "own_level", "cross_level", "dispersion")
           if name in values}  # fmt: skip
    out["sine"], out["cosine"] = np.moveaxis(values["season"], -1, 0)
    out |= dict(zip(("t", "Sprop"), np.moveaxis(values["covariate"], -1, 0), strict=False))
    if "cross_covariate" in values:
        out["cross_pop"] = values["cross_covariate"][..., 0]
    for name in ("distance_decay", "order_weight"):
        if name in values:
            out["distance"] = values[name].reshape(values["level"].shape)
    return out


@pytest.mark.parametrize("case", CASES)
def test_maximum_likelihood_is_that_of_hhh4(case, measles):
    told = MEASLES[case]
    one = model(case, measles)
    fit = one.fit(measles[0], MaximumLikelihood(draws=4000, starts=2))
    assert fit.diagnostics["converged"]
    np.testing.assert_allclose(fit.log_likelihood, told["log_likelihood"], atol=1e-5)
    estimate = found(fit.estimate)
    assert estimate.keys() == told["estimate"].keys()
    for name, value in told["estimate"].items():
        np.testing.assert_allclose(estimate[name], value, atol=1e-3)
    draws = found(fit.draws)
    for name, value in told["error"].items():
        # The positive decay is drawn on the log scale: its law is skewed.
        wide = 0.16 if name == "distance" else 0.06
        np.testing.assert_allclose(draws[name].std(), value, rtol=wide)
    if "eigenvalue" in told:
        matrix = one.additive(fit).moving.at(1)[0]
        radius = np.abs(np.linalg.eigvals(matrix)).max()
        np.testing.assert_allclose(radius, told["eigenvalue"], atol=1e-5)
