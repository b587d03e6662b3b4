"""The likelihood of exact times, as a problem for an engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from escalation.background import coefficient_places
from escalation.dynamics import STABLE
from escalation.engines import Problem
from escalation.kernels import Exponential, ExponentialFamily
from escalation.parameters import FloatArray, Layout
from escalation.series import EventSeries

if TYPE_CHECKING:
    from escalation.hawkes.model import Hawkes

IntArray = NDArray[np.int64]

#: A longer series is first searched on its beginning, of half as many events.
LONG = 8000
#: Work (events times sources) above which two threads share the receiving streams.
SHARED = 40_000


def exact_problem(model: Hawkes, series: EventSeries) -> Problem:
    """The problem of a series of exact times."""
    layout = Layout(model.parameters(series), STABLE)
    fixed = watched_arrays(model, series)
    data = event_arrays(model, series) | fixed
    structure = structure_arrays(model, layout, series)
    streams = len(series.names)

    def again(theta: FloatArray, rng: np.random.Generator) -> dict[str, Any]:
        return event_arrays(model, model.simulate(layout.unpack(theta), series, rng)) | fixed

    common: dict[str, Any] = {
        "layout": layout,
        "groups": model.kernel_places(layout, streams),
        "rates": model.mean_rates(series),
        "starts": model.starts(layout, series),
        "bounds": model.bounds(series),
        "resample": again,
        "rows": layout.rows(streams),
    }
    kernel = model.bound_kernel(series)
    if not isinstance(kernel, ExponentialFamily) or not kernel.covers(series.duration):
        from escalation.hawkes.pairwise import pairwise_problem

        return pairwise_problem(model, series, kernel, data, structure, common)

    from escalation.hawkes.fixed_rates import fixed_rates_problem, keeps

    if keeps(model, series, kernel):
        return fixed_rates_problem(kernel, data, structure, common)
    from escalation.likelihood.curvature import hawkes_curvature
    from escalation.likelihood.hawkes import hawkes_exponential
    from escalation.likelihood.hawkes_scores import hawkes_scores

    targets = np.arange(streams)
    shares: tuple[tuple[Any, ...], ...] = ()
    if streams > 1 and len(series) * streams > SHARED:
        order = np.argsort([-len(times) for times in series.times], kind="stable")
        halves = order[::2], order[1::2]
        shares = tuple((*structure, np.sort(half)) for half in halves)

    return Problem(
        core=hawkes_exponential,
        curvature=hawkes_curvature if model.marks is None else None,
        straight=isinstance(kernel, Exponential),
        shape=kernel.as_exponentials(),
        constants=kernel.nodes(),
        data=data,
        structure=(*structure, targets),
        scores=hawkes_scores,
        shares=shares,
        sketch=_sketch(data, series) if len(series) > LONG else None,
        **common,
    )


def event_arrays(model: Hawkes, series: EventSeries) -> dict[str, Any]:
    """Times stream after stream, with the cell, era and size of each event."""
    times = np.concatenate(series.times)
    edges = model.cell_edges(series)
    cell, era = np.zeros(len(times), np.int64), np.zeros(len(times), np.int64)
    if len(edges) > 2:
        cell = np.clip(np.searchsorted(edges, times, side="right") - 1, 0, len(edges) - 2)
    if model.eras:
        era = model.era_of(series, times)
    sizes = np.concatenate(model.marks.sizes(series)) if model.marks is not None else np.zeros(0)
    first = np.concatenate([[0], np.cumsum([len(one) for one in series.times])])
    return {
        "times": times,
        "first": first.astype(np.int64),
        "cell": cell.astype(np.int64),
        "era": era,
        "sizes": sizes,
    }


def watched_arrays(model: Hawkes, series: EventSeries) -> dict[str, Any]:
    """Watched length and design of each cell, and the watched spans."""
    edges = model.cell_edges(series)
    spans = watched_spans(series, model.warmup)
    below = np.clip(edges[:, None], spans[:, 0], spans[:, 1]) - spans[:, 0]
    lengths = np.diff(below.sum(axis=1))
    return {"lengths": lengths, "design": model.design(series, edges), "spans": spans}


def watched_spans(series: EventSeries, begin: float = 0.0) -> FloatArray:
    """Spans (I, 2) in days that were watched, from `begin` on."""
    start = series.window.start
    ends = [begin]
    for first, last in series.window.gaps:
        ends += [float((first - start).days), float((last - start).days)]
    ends.append(series.duration)
    spans = np.array(ends).reshape(-1, 2)
    spans = np.maximum(spans, begin)
    return np.asarray(spans[spans[:, 1] > spans[:, 0]], float)


def structure_arrays(model: Hawkes, layout: Layout, streams_of: EventSeries) -> tuple[Any, ...]:
    """What the specification and the number of streams fix, in the order of the compiled code."""
    streams = len(streams_of.names)
    names = [p.name for p in layout.parameters]
    place = layout.start("reproduction") + np.arange(model.number_of_eras) * streams**2
    marked = "mark_exponent" in names
    mark_place = layout.start("mark_exponent") + np.arange(streams) if marked else np.zeros(streams)
    kernel = model.bound_kernel(streams_of)
    vary = kernel.rates_vary if isinstance(kernel, ExponentialFamily) else True
    return (
        coefficient_places(layout, streams),
        place.astype(np.int64),
        model.kernel_groups(streams),
        model.mask(streams).astype(np.int64),
        mark_place.astype(np.int64),
        np.array([int(vary), int(model.ties == "apart")], np.int64),
    )


def _sketch(data: dict[str, Any], series: EventSeries) -> dict[str, Any]:
    """The beginning of the series: its first events, the watch cut there."""
    first = data["first"]
    end = float(np.partition(data["times"], LONG // 2)[LONG // 2])
    spans = np.minimum(data["spans"], end)
    early = [np.searchsorted(own, end) for own in series.times]
    keep = np.concatenate([np.arange(i, i + n) for i, n in zip(first[:-1], early, strict=True)])
    out = data | {name: data[name][keep] for name in ("times", "cell", "era")}
    if data["sizes"].size:
        out["sizes"] = data["sizes"][keep]
    first = np.concatenate([[0], np.cumsum(early)])
    share = end / series.duration
    lengths = data["lengths"]
    if lengths.size == 1:
        lengths = lengths * share
    else:
        lengths = np.where(np.arange(lengths.size) < end, lengths, 0.0)
    return out | {
        "first": first.astype(np.int64),
        "spans": spans[spans[:, 1] > spans[:, 0]],
        "lengths": lengths,
    }
