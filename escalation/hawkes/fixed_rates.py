"""The likelihood of exact times where the kernel's rates are given: sums are computed once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from escalation.engines import Problem
from escalation.kernels import ExponentialFamily
from escalation.parameters import FloatArray
from escalation.series import EventSeries

if TYPE_CHECKING:
    from escalation.hawkes.model import Hawkes

#: More numbers than this are not kept (160 MB).
MOST = 20_000_000


def keeps(model: Hawkes, series: EventSeries, kernel: ExponentialFamily) -> bool:
    """Whether the decayed sums at the events depend on the data alone, and fit in memory."""
    numbers = len(series) * len(series.names) * model.number_of_eras * kernel.terms
    return not kernel.rates_vary and model.marks is None and numbers <= MOST


def fixed_rates_problem(
    kernel: ExponentialFamily,
    data: Mapping[str, Any],
    structure: tuple[Any, ...],
    common: Mapping[str, Any],
) -> Problem:
    """The problem of `escalation.hawkes.exact.exact_problem` with the sums kept as its data.

    Parameters
    ----------
    kernel : ExponentialFamily
    data : dict of arrays
    structure : tuple of arrays
    common : dict
        What the two problems share; its `resample` gives data like those above.
    """
    from escalation.likelihood.fixed_rates import fixed_rates_scores, hawkes_fixed_rates

    column, place, group, allowed = structure[:4]

    def again(theta: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
        return held_arrays(kernel, common["resample"](theta, rng), structure)

    # Starts that differ in the delay alone are the same here.
    starts = np.unique(np.array(common["starts"]), axis=0)
    return Problem(
        core=hawkes_fixed_rates,
        shape=kernel.as_exponentials(),
        constants=kernel.nodes(),
        data=held_arrays(kernel, data, structure),
        structure=(column, place, group, allowed),
        scores=fixed_rates_scores,
        **{**common, "resample": again, "starts": tuple(starts)},
    )


def held_arrays(
    kernel: ExponentialFamily, given: Mapping[str, Any], structure: tuple[Any, ...]
) -> dict[str, Any]:
    """Sums, masses and cells of the events of a series, in the order of the compiled code.

    Parameters
    ----------
    kernel : ExponentialFamily
    given : dict of arrays
        The data of `escalation.hawkes.exact.exact_problem`.
    structure : tuple of arrays
        Its structure, without the receiving streams.
    """
    from escalation.likelihood.fixed_rates import held_sums

    _, place, group, allowed, _, flags = structure
    times, first, spans = given["times"], given["first"], given["spans"]
    values, _ = kernel.as_exponentials()(kernel.start(1.0), kernel.nodes())
    groups = np.tile(values, (int(group.max()) + 1, 1))
    held, gone = held_sums(
        groups, times, first, given["era"], place.size, spans, group, allowed, bool(flags[1])
    )
    history = [np.searchsorted(own, spans[0, 0]) for own in np.split(times, first[1:-1])]
    return {
        "held": held,
        "gone": gone,
        "first": first,
        "scored": first[:-1] + np.array(history, np.int64),
        "cell": given["cell"],
        "lengths": given["lengths"],
        "design": given["design"],
    }
