"""The likelihood of exact times over all pairs of events, as a problem for an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from escalation.engines import Problem
from escalation.kernels import ContinuousKernel
from escalation.parameters import FloatArray
from escalation.series import EventSeries

if TYPE_CHECKING:
    from escalation.hawkes.model import Hawkes


def pairwise_problem(
    model: Hawkes,
    series: EventSeries,
    kernel: ContinuousKernel,
    data: dict[str, Any],
    structure: tuple[Any, ...],
    common: dict[str, Any],
) -> Problem:
    """The problem for a kernel that is no mixture of exponentials; cost O(pairs within reach).

    Parameters
    ----------
    model : Hawkes
    series : EventSeries
    kernel : ContinuousKernel
        Bound to the window.
    data, structure, common
        As `escalation.hawkes.exact.exact_problem` makes them.
    """
    from escalation.likelihood.pairs import find_pairs, hawkes_pairs

    group, allowed = structure[2], structure[3]
    apart = {"apart": True} if model.ties == "apart" else {}

    def with_pairs(arrays: dict[str, Any]) -> tuple[FloatArray, dict[str, Any]]:
        found = find_pairs(
            kernel, arrays["times"], arrays["first"], arrays["spans"], group, allowed, **apart
        )
        return found.constants, arrays | found.data()

    constants, whole = with_pairs(data)

    def again(theta: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
        # The ages, which the kernel takes as constants, change with the series.
        constants, whole = with_pairs(common["resample"](theta, rng))
        return whole | {"constants": constants}

    return Problem(
        core=hawkes_pairs,
        shape=kernel.pair_densities(),
        constants=constants,
        data=whole,
        structure=structure,
        **{**common, "resample": again},
    )
