"""Where an optimiser of an endemic-epidemic model starts."""

from __future__ import annotations

import numpy as np

from escalation.counts.structure import Structure
from escalation.parameters import FloatArray, Layout
from escalation.series import CountSeries

#: Share of the background, diagonal of R, rest of R, decay of the kernel.
GUESSES = ((0.6, 0.3, 0.02, 0.7), (0.9, 0.05, 0.01, 1.5), (0.3, 0.6, 0.02, 0.3))
#: Starting values of what has no better one.
PLAIN = {
    "dispersion": 0.3,
    "shock": 0.1,
    "order_weight": -1.0,
    "distance_decay": 1.5,
    "level_spread": 0.3,
    "own_level_spread": 0.3,
    "cross_level_spread": 0.3,
    "walk_scale": 0.1,
    "own_walk_scale": 0.1,
    "cross_walk_scale": 0.1,
}


def starts(
    structure: Structure, layout: Layout, series: CountSeries, mean: FloatArray
) -> tuple[FloatArray, ...]:
    """Vectors of all parameters, from most to least expected.

    Parameters
    ----------
    structure : Structure
    layout : Layout
    series : CountSeries
    mean : ndarray (K,)
        Incidents a period of each stream.
    """
    mask = structure.mask(series.n_streams)
    lift = structure.predictors[0].offset(series, series.edges).mean(axis=1)
    out = []
    for share, own, cross, decay in GUESSES:
        values: dict[str, FloatArray] = {}
        for p in layout.parameters:
            default = {"positive": decay, "unit": 1 - np.exp(-decay)}.get(p.support, 0.0)
            values[p.name] = np.full(p.shape, PLAIN.get(p.name, default))
        level = np.log(share * mean) - lift
        if not np.ndim(values["level"]):
            values["level"] = np.log(np.exp(level + lift).sum() / np.exp(lift).sum())
        else:
            values["level"] = level
        if "reproduction" in values:
            matrix = np.where(mask, cross + (own - cross) * np.eye(series.n_streams), 0.0)
            values["reproduction"] = np.broadcast_to(matrix, values["reproduction"].shape)
        else:
            values["own_level"] = np.full_like(values["own_level"], np.log(own))
            values["cross_level"] = _cross(structure, series, values["cross_level"], cross)
        out.append(layout.pack(values))
    return tuple(out)


def _cross(structure: Structure, series: CountSeries, like: FloatArray, share: float) -> FloatArray:
    """Log of the neighbours' part, their offset taken off."""
    cross = structure.predictors[2]
    assert cross is not None
    lift = cross.offset(series, series.edges).mean()
    return np.full_like(like, np.log(2 * share) - lift)
