"""The R package surveillance, run live as a separate program where it is installed."""

import shutil
import subprocess
from datetime import date
from pathlib import Path

import numpy as np
import pytest

from escalation.background import Background, Covariates
from escalation.counts import Component, EndemicEpidemic, Neighbours
from escalation.engines import MaximumLikelihood
from escalation.kernels import OneLag
from escalation.series import CountSeries

SCRIPT = Path(__file__).with_name("hhh4.R")


@pytest.fixture(scope="module")
def hhh4():
    """What the script wrote: numbers by model and name, and tables by name."""
    program = shutil.which("Rscript")
    if program is None:
        pytest.skip("no Rscript on this machine")
    asked = [program, "-e", 'quit(status = !requireNamespace("surveillance", quietly = TRUE))']
    if subprocess.run(asked, capture_output=True, timeout=120, check=False).returncode:
        pytest.skip("R is here, its package surveillance is not")
    ran = subprocess.run(
        [program, str(SCRIPT)], capture_output=True, text=True, timeout=600, check=True
    )
    numbers, tables, current = {}, {}, None
    for line in ran.stdout.splitlines():
        if line.startswith("#"):
            current = tables.setdefault(line[1:], [])
        elif current is None:
            model, name, value = line.split("\t")
            numbers.setdefault(model, {})[name] = float(value)
        else:
            current.append([float(cell) for cell in line.split(",")])
    return numbers, {name: np.array(rows) for name, rows in tables.items()}


def weeks(counts):
    return CountSeries.from_counts(counts, date(2001, 1, 1), "week")


@pytest.mark.parametrize("case", ["negbin", "autoregression"])
def test_one_stream(hhh4, case):
    told = hhh4[0][case]
    model = EndemicEpidemic(
        OneLag(), Background(1, 364.0), lags=1, arrows=((case == "autoregression",),)
    )
    fit = model.fit(weeks(hhh4[1]["counts"]), MaximumLikelihood(draws=10))
    np.testing.assert_allclose(fit.log_likelihood, told["logLik"], atol=1e-4)
    np.testing.assert_allclose(fit.estimate["level"][0], told["end.1"], atol=1e-3)
    if case == "autoregression":
        matrix = fit.estimate["reproduction"]
        np.testing.assert_allclose(np.log(matrix[0, 0]), told["ar.1"], atol=1e-3)


@pytest.mark.parametrize("case", ["measles", "powerlaw"])
def test_neighbours(hhh4, case):
    told, tables = hhh4[0][case], hhh4[1]
    series = weeks(tables["measles"])
    order = tuple(map(tuple, tables["order"]))
    shape = (len(series), series.n_streams, 1)
    trend = np.broadcast_to(np.arange(len(series))[:, None, None], shape)
    model = EndemicEpidemic(
        OneLag(),
        Component(
            1, 364.0, shared=True, offset=tuple(np.log(tables["population"][:, 0])),
            covariates=Covariates.by_period(series.edges, trend, ("t",)),
        ),
        dispersion="shared",
        lags=1,
        own=Component(shared=True),
        cross=Component(shared=True),
        neighbours=Neighbours(order, "adjacency", normalise=False)
        if case == "measles"
        else Neighbours(order, "power law"),
    )  # fmt: skip
    fit = model.fit(series, MaximumLikelihood(draws=10))
    np.testing.assert_allclose(fit.log_likelihood, told["logLik"], atol=1e-3)
    for name, key in (("own_level", "ar.1"), ("cross_level", "ne.1"), ("level", "end.1")):
        np.testing.assert_allclose(fit.estimate[name], told[key], atol=2e-3)
    if case == "powerlaw":
        decay = fit.estimate["distance_decay"]
        np.testing.assert_allclose(decay, told["neweights.d"], atol=2e-3)
