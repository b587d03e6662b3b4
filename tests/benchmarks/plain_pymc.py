"""The rival: the endemic-epidemic model as one would write it in PyMC.

Same likelihood, priors and parameters as `escalation.EndemicEpidemic` with an exponential kernel,
one dispersion a stream and every arrow; the lags are shifted arrays, the rest is a graph.
"""

from typing import Any

import numpy as np


def plain_model(series: Any, model: Any) -> Any:
    """The `pymc.Model` of an endemic-epidemic model of a series without gaps."""
    import pymc as pm
    import pytensor.tensor as pt

    prior = {p.name: p.prior for p in model.parameters(series)}
    problem = model.problem(series)
    counts = np.asarray(series.counts, float)
    periods, streams = counts.shape
    lags = model.lags
    shifted = np.stack([counts[lags - lag : periods - lag] for lag in range(1, lags + 1)])
    days = (series.edges[lags:-1] - series.edges[0]).astype(float)
    design = model.background.design(days, series.window.days)
    with pm.Model() as out:
        level = pm.Normal("level", prior["level"].mean, prior["level"].sd, shape=streams)
        season = pm.Normal(
            "season", prior["season"].mean, prior["season"].sd, shape=(streams, design.shape[1] - 1)
        )
        matrix = pm.HalfNormal(
            "reproduction", prior["reproduction"].scale, shape=(streams, streams)
        )
        dispersion = pm.HalfNormal("dispersion", prior["dispersion"].scale, shape=streams)
        decay = pm.LogNormal("decay", np.log(prior["decay"].median), prior["decay"].sd_log)
        weights = pt.exp(-decay * np.arange(lags))
        weights = weights / weights.sum()
        past = pt.tensordot(weights, shifted, axes=([0], [0]))
        coefficients = pt.concatenate([level[:, None], season], axis=1)
        mean = pt.exp(design @ coefficients.T) + past @ matrix.T
        pm.NegativeBinomial("counts", mu=mean, alpha=1 / dispersion, observed=counts[lags:])
        square = matrix / problem.layout.joint.radius
        for _ in range(2):
            square = square @ square
        pm.Potential("stability", -pt.sum(square * square.T))
    return out
