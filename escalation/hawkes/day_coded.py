"""The likelihood of times known to the day, as a problem for an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from escalation.background import Background, coefficient_places
from escalation.dynamics import STABLE
from escalation.engines import Problem
from escalation.kernels import ExponentialFamily
from escalation.parameters import FloatArray, Layout
from escalation.series import EventSeries

if TYPE_CHECKING:
    from escalation.hawkes.model import Hawkes

#: A longer series (days) is first searched on its beginning, of half as many.
LONG = 1600
#: Draws of the times within a day for a first search.
COARSE = 8
#: With more states than these the days' scores would cost more than they save.
SCORED = 24


def day_problem(model: Hawkes, series: EventSeries) -> Problem:
    """The problem of a series whose times are whole days.

    Raises
    ------
    ValueError
        For a kernel that is not made of exponentials.
    """
    kernel = model.bound_kernel(series)
    if not isinstance(kernel, ExponentialFamily) or not kernel.covers(series.duration):
        raise ValueError(
            f"times known to the day want a kernel made of exponentials, not {kernel!r}: take "
            "Exponential, Mixture or Lomax without a shorter truncation, or day_coded='jitter'"
        )
    layout = Layout(model.parameters(series), STABLE)
    streams = len(series.names)
    common: dict[str, Any] = {
        "layout": layout,
        "shape": kernel.as_exponentials(),
        "constants": kernel.nodes(),
        "groups": model.kernel_places(layout, streams),
        "rates": model.mean_rates(series),
        "starts": model.starts(layout, series),
        "bounds": model.bounds(series),
        "rows": None,
    }
    if closed_form(model, series):
        return _closed_form(model, series, layout, common)
    return _fixed_draws(model, series, layout, kernel.terms, common)


def closed_form(model: Hawkes, series: EventSeries) -> bool:
    """Whether the filter needs no draws: one unmarked stream, one exponential, one R."""
    kernel = model.bound_kernel(series)
    single = len(series.names) == 1 and getattr(kernel, "terms", 0) == 1
    return single and model.marks is None and not model.eras


def _closed_form(
    model: Hawkes, series: EventSeries, layout: Layout, common: dict[str, Any]
) -> Problem:
    """One unmarked stream with one exponential."""
    from escalation.likelihood.day_filter import day_filter, filter_data
    from escalation.likelihood.day_filter_scores import day_filter_scores

    watched = series.window.mask().astype(float)
    design = day_design(model, series)

    def again(theta: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
        simulated = model.simulate(layout.unpack(theta), series, rng)
        return filter_data(day_counts(simulated)[:, 0], watched, design)

    data = filter_data(day_counts(series)[:, 0], watched, design)
    sketch = None
    if len(watched) > LONG and _alike(model.background):
        sketch = data | {name: data[name][: LONG // 2] for name in ("counts", "watched", "design")}
    return Problem(
        core=day_filter,
        data=data,
        sketch=sketch,
        scores=day_filter_scores,
        outer_information=True,
        structure=(
            np.array([int(model.start == "stationary")], np.int64),
            coefficient_places(layout, 1),
            np.array([layout.start("reproduction")], np.int64),
        ),
        resample=again,
        **common,
    )


def _fixed_draws(
    model: Hawkes, series: EventSeries, layout: Layout, terms: int, common: dict[str, Any]
) -> Problem:
    """Several streams, marks, eras or several exponentials."""
    from escalation.likelihood.day_clusters import pilot
    from escalation.likelihood.day_draws import day_draws
    from escalation.likelihood.day_scores import day_draws_scores
    from escalation.likelihood.day_times import day_data

    streams = len(series.names)
    watched = series.window.mask().astype(float)
    design = day_design(model, series)
    era = model.era_of(series, np.arange(float(series.window.days)))
    marked = model.marks is not None
    exponent = (
        layout.start("mark_exponent") + np.arange(streams) if marked else np.full(streams, -1)
    )

    def arrays(
        one: EventSeries, draws: int, hint: tuple[float, FloatArray] | None = None
    ) -> dict[str, Any]:
        marks = model.marks.sizes(one) if model.marks is not None else None
        counts = day_counts(one).astype(np.int64)
        return day_data(counts, watched, design, marks, era, draws, model.filter_seed, hint)

    def again(theta: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
        return arrays(model.simulate(layout.unpack(theta), series, rng), model.filter_draws)

    counts = day_counts(series).astype(np.int64)
    found = pilot(np.where(watched[:, None] > 0, counts, 0), watched)

    # A first search on coarse draws, of the beginning alone where it tells of every parameter.
    if len(watched) > LONG and not model.eras and not marked and _alike(model.background):
        part = slice(LONG // 2)
        sketch = day_data(
            counts[part], watched[part], design[part], None, era[part], COARSE, model.filter_seed,
            found,
        )  # fmt: skip
    else:
        sketch = arrays(series, COARSE, found)
    groups = model.kernel_groups(streams)
    blocks = 1 if (groups == groups[0]).all() else streams
    states = (len(model.eras) + 1) * blocks * streams * terms
    scored = states <= SCORED
    return Problem(
        core=day_draws,
        data=arrays(series, model.filter_draws, found),
        structure=(
            groups,
            np.array([int(model.start == "stationary")], np.int64),
            exponent.astype(np.int64),
            coefficient_places(layout, streams),
            np.array([layout.start("reproduction")], np.int64),
        ),
        resample=again,
        sketch=sketch,
        scores=day_draws_scores if scored else None,
        outer_information=scored,
        **common,
    )


def _alike(background: Background) -> bool:
    """Whether the beginning of a window tells of every term of the background."""
    dated = background.covariates or background.interventions
    return background.trend is None and not dated


def day_design(model: Hawkes, series: EventSeries) -> FloatArray:
    """Design matrix (days, P) at the middle of each day."""
    return model.design(series, np.arange(series.window.days + 1.0))


def day_counts(series: EventSeries) -> FloatArray:
    """Incidents (days, K) of each day and stream."""
    return np.stack(
        [np.bincount(days.astype(int), minlength=series.window.days) for days in series.times],
        axis=1,
    ).astype(float)
