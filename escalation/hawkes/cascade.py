"""Who set off whom: the probable parents of each incident, and the cascades they make."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from escalation.fit import pick
from escalation.hawkes.intensity import Intensity, require_additive
from escalation.kernels import ExponentialFamily
from escalation.parameters import FloatArray, Layout

if TYPE_CHECKING:
    from escalation.fit import Fit
    from escalation.hawkes.model import Hawkes
    from escalation.series import EventSeries

IntArray = NDArray[np.int64]

#: Steps of the sampler of within-day times before the first draw, and between draws.
BURN, BETWEEN = 60, 4
#: Upper ends of the classes of cluster sizes in the table; the last class is open.
SIZES = (1, 2, 4, 9, 19)
#: Generations told apart; later ones are lumped.
GENERATIONS = 4


@dataclass(frozen=True, eq=False)
class Cascade:
    r"""For each incident, how probable it is that it was background or set off by each other.

    .. math:: P(i\text{ is background}) = b_k(t_i) / \lambda_k(t_i), \qquad
              P(j\text{ set off }i) = R_{kj}\, y_j\, g_{kj}(t_i - t_j) / \lambda_k(t_i)

    averaged over draws of the parameters. "Set off" is the model's word for a pair; it is no proof
    of a cause. Incidents are numbered through the streams.

    Attributes
    ----------
    names : tuple of str
    times : ndarray (n,)
        Days since the start of the window.
    stream : ndarray of int (n,)
    background : ndarray (n,)
        Probability that each incident was background.
    child, parent : ndarray of int (p,)
        Pairs that are told, by child.
    probability : ndarray (p,)
    rest : ndarray (n,)
        Probability that an incident was set off by one of those not told.
    forests : ndarray of int (S, n)
        Draws of everyone's parent, -1 for the background; each from one draw of the parameters.
    method : str
        How within-day times were dealt with, and what was averaged over.
    """

    names: tuple[str, ...]
    times: FloatArray
    stream: IntArray
    background: FloatArray
    child: IntArray
    parent: IntArray
    probability: FloatArray
    rest: FloatArray
    forests: IntArray
    method: str

    def __post_init__(self) -> None:
        for value in (self.times, self.background, self.probability, self.rest, self.forests):
            value.setflags(write=False)

    @cached_property
    def most_likely(self) -> IntArray:
        """The most likely parent (n,) of each incident, -1 for the background.

        An incident is background if that is as probable as not; otherwise its parent is the most
        probable one, however improbable that one is by itself. Of two incidents of one day whose
        order is not known, the one that comes first in the series is taken for the earlier, with
        the probability that either set off the other.
        """
        place = np.empty(len(self.times), np.int64)
        place[self._order] = np.arange(len(self.times))
        back = place[self.parent] > place[self.child]
        child = np.where(back, self.parent, self.child)
        parent = np.where(back, self.child, self.parent)
        pair, share = _summed(child * len(self.times) + parent, self.probability)
        child, parent = np.divmod(pair, len(self.times))
        out = np.full(len(self.times), -1)
        best = np.where(self.background < 0.5, 0.0, np.inf)
        for c, p, s in zip(child, parent, share, strict=True):
            if s > best[c]:
                best[c], out[c] = s, p
        return out

    @cached_property
    def _order(self) -> IntArray:
        return np.argsort(self.times, kind="stable").astype(np.int64)

    def clusters(self, parent: IntArray) -> tuple[IntArray, IntArray]:
        """First ancestor and generation (n,) of each incident of one forest."""
        from escalation.likelihood.intensity import descend

        # Parents before children, also where the order within a day was drawn.
        depth = np.full(len(parent), -1)
        depth[parent < 0] = 0
        while (depth < 0).any():
            known = (depth < 0) & (depth[parent] >= 0)
            depth[known] = depth[parent[known]] + 1
        found: tuple[IntArray, IntArray] = descend(
            parent.astype(np.int64), np.argsort(depth, kind="stable")
        )
        return found

    def incidents(self) -> pl.DataFrame:
        """A row an incident: stream, day, background, most likely parent with its probability."""
        parent = self.most_likely
        known = dict(zip(zip(self.child, self.parent, strict=True), self.probability, strict=True))
        share = [
            None if p < 0 else float(known.get((i, p), 0.0) + known.get((p, i), 0.0))
            for i, p in enumerate(parent)
        ]
        return pl.DataFrame(
            {
                "incident": np.arange(len(self.times)),
                "stream": [self.names[k] for k in self.stream],
                "day": self.times,
                "background": self.background,
                "set_off_by": [None if p < 0 else int(p) for p in parent],
                "its_stream": [None if p < 0 else self.names[self.stream[p]] for p in parent],
                "its_day": [None if p < 0 else float(self.times[p]) for p in parent],
                "probability": share,
                "others": self.rest,
            }
        )

    def pairs(self, least: float = 0.1) -> pl.DataFrame:
        """A row a pair of at least so much probability, the most probable first."""
        keep = self.probability >= least
        child, parent = self.child[keep], self.parent[keep]
        return pl.DataFrame(
            {
                "incident": child,
                "stream": [self.names[k] for k in self.stream[child]],
                "day": self.times[child],
                "set_off_by": parent,
                "its_stream": [self.names[k] for k in self.stream[parent]],
                "its_day": self.times[parent],
                "probability": self.probability[keep],
            }
        ).sort("probability", descending=True, maintain_order=True)

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """Incidents of each stream by what set them off: expected number, lower, upper.

        A row a stream and source; the source "background" stands for none.
        """
        streams = len(self.names)
        source = np.where(self.forests < 0, streams, self.stream[self.forests])
        rows = []
        for k in range(streams):
            own = source[:, self.stream == k]
            for j in (streams, *range(streams)):
                number = (own == j).sum(axis=1)
                rows.append(
                    {
                        "stream": self.names[k],
                        "set_off_by": "background" if j == streams else self.names[j],
                        **_told(number, level),
                    }
                )
        return pl.DataFrame(rows)

    def cluster_sizes(self, level: float = 0.9) -> pl.DataFrame:
        """How many clusters there are of each size, over the drawn forests."""
        lower = (1, *(end + 1 for end in SIZES))
        counts = np.zeros((len(self.forests), len(lower)))
        for s, forest in enumerate(self.forests):
            root, _ = self.clusters(forest)
            size = np.bincount(root)
            at = np.searchsorted(lower, size[size > 0], side="right") - 1
            counts[s] = np.bincount(at, minlength=len(lower))
        labels = [
            f"{a}" if a == b else f"{a} to {b}" for a, b in zip(lower, SIZES, strict=False)
        ] + [f"{lower[-1]} or more"]
        return pl.DataFrame(
            [{"incidents": n, **_told(counts[:, i], level)} for i, n in enumerate(labels)]
        )

    def generations(self, level: float = 0.9) -> pl.DataFrame:
        """How many incidents are of each generation, over the drawn forests."""
        counts = np.zeros((len(self.forests), GENERATIONS + 1))
        for s, forest in enumerate(self.forests):
            _, generation = self.clusters(forest)
            capped = np.minimum(generation, GENERATIONS)
            counts[s] = np.bincount(capped, minlength=GENERATIONS + 1)
        labels = ["background", *map(str, range(1, GENERATIONS)), f"{GENERATIONS} and later"]
        return pl.DataFrame(
            [{"generation": n, **_told(counts[:, i], level)} for i, n in enumerate(labels)]
        )

    def __repr__(self) -> str:
        """Say how many incidents, and how many of them are background."""
        share = self.background.mean() if len(self.background) else np.nan
        return (
            f"Cascade({len(self.times)} incidents of {', '.join(self.names)}; "
            f"{100 * share:.0f} % background; {self.method})"
        )

    def _repr_html_(self) -> str:
        from html import escape

        return f"<p>{escape(repr(self))}</p>{self.table()._repr_html_()}"


def cascade(
    fit: Fit,
    rng: np.random.Generator | None = None,
    draws: int = 100,
    threshold: float = 0.002,
    parameters: bool = True,
) -> Cascade:
    """Decluster a fitted series: who was background, who was set off by whom.

    Of times known to the day the order within a day is not known, and same-day incidents may have
    set one another off either way: each draw then has times within the days of its own, from a
    Metropolis-within-Gibbs sampler of times and parents in turn (for kernels that are no mixture
    of exponentials: uniform within the day, which understates same-day pairs). What happened
    before the window is not known: its offspring count as background.

    Parameters
    ----------
    fit : Fit
        Of an additive `Hawkes` model.
    rng : numpy.random.Generator, optional
        Seeded with 0 if not given.
    draws : int
        Draws of forests, and of the parameters they come from.
    threshold : float
        Pairs of less probability in a draw are lumped into `Cascade.rest`.
    parameters : bool
        Average over the fit's draws; if not, every draw is at the estimate.

    Raises
    ------
    ValueError
        If the model is not additive: there is then no part of the rate that belongs to one
        incident.

    References
    ----------
    Zhuang, Ogata & Vere-Jones (2002), Journal of the American Statistical Association 97(458).
    """
    model: Hawkes = fit.model  # type: ignore[assignment]
    require_additive(model)
    if draws < 1:
        raise ValueError(f"draws must be at least 1, got {draws}")
    rng = np.random.default_rng(0) if rng is None else rng
    series = model.prepared(fit.series)
    layout = Layout(fit.parameters)
    theta = pick(fit.theta, draws, rng) if parameters else None
    days = series.resolution == "day"
    size = len(series)
    background = np.zeros(size)
    told: list[tuple[IntArray, FloatArray]] = []
    forests = np.empty((draws, size), np.int64)
    values = [fit.estimate if theta is None else layout.unpack(one) for one in
              (np.zeros(draws) if theta is None else theta)]  # fmt: skip
    placements = _placements(model, series, values, rng) if days else None
    fixed = None
    for s in range(draws):
        if placements is not None:
            intensity, identity = next(placements)
        else:
            identity = np.arange(size)
            intensity = fixed or Intensity.of(model, series, values[s])
            fixed = intensity if theta is None else None
        if s == 0 or theta is not None or days:
            child, parent, share, own, _ = intensity.parents(threshold)
            weight = 1 / draws if theta is not None or days else 1.0
            background[identity] += weight * own
            told.append((identity[child] * size + identity[parent], weight * share))
        forest = intensity.draw_parents(rng)
        forests[s, identity] = np.where(forest >= 0, identity[forest], -1)
    pair, share = _summed(
        np.concatenate([one[0] for one in told]), np.concatenate([one[1] for one in told])
    )
    child, parent = np.divmod(pair, max(size, 1))
    rest = 1 - background - np.bincount(child, share, size)
    return Cascade(
        names=series.names,
        times=np.concatenate(series.times),
        stream=np.repeat(np.arange(len(series.names)), [len(t) for t in series.times]),
        background=background,
        child=child,
        parent=parent,
        probability=share,
        rest=np.maximum(rest, 0.0),
        forests=forests,
        method=_method(model, series, parameters, draws),
    )


def _method(model: Hawkes, series: EventSeries, parameters: bool, draws: int) -> str:
    at = f"averaged over {draws} draws of the parameters" if parameters else "at the estimate"
    if series.resolution == "exact":
        return at
    if isinstance(model.bound_kernel(series), ExponentialFamily):
        return f"{at}; times within the days sampled with the parents"
    return f"{at}; times within the days uniform, which understates same-day pairs"


def _placements(
    model: Hawkes, series: EventSeries, values: Sequence[Mapping[str, FloatArray]],
    rng: np.random.Generator,
) -> Iterator[tuple[Intensity, IntArray]]:  # fmt: skip
    """One intensity a draw, with times within the days, and the incident of each of its events."""
    from escalation.likelihood.intensity import move_within_days

    day = np.concatenate(series.times)
    first = np.cumsum([0, *(len(t) for t in series.times)])
    stream = np.repeat(np.arange(len(series.names)), np.diff(first))
    times = day + rng.random(len(day))
    for s, one in enumerate(values):
        intensity, identity = _placed(model, series, one, times, first)
        mixtures = _mixtures(intensity)
        if mixtures is None:
            yield intensity, identity
            times = day + rng.random(len(day))
            continue
        for _ in range(BURN if s == 0 else BETWEEN):
            drawn = intensity.draw_parents(rng)
            parent = np.full(len(day), -1)
            parent[identity] = np.where(drawn >= 0, identity[drawn], -1)
            pair = stream * intensity.streams + stream[parent]
            move_within_days(times, day, parent, pair, mixtures, rng.random((len(day), 2)))
            intensity, identity = _placed(model, series, one, times, first)
        yield intensity, identity


def _placed(
    model: Hawkes, series: EventSeries, values: Mapping[str, FloatArray], times: FloatArray,
    first: IntArray,
) -> tuple[Intensity, IntArray]:  # fmt: skip
    """The intensity with times (n,) of the incidents in the place of their days."""
    orders = [np.argsort(times[a:b], kind="stable") for a, b in pairwise(first)]
    identity = np.concatenate([a + o for a, o in zip(first[:-1], orders, strict=True)])
    moved = replace(
        series,
        times=tuple(times[a + o] for a, o in zip(first[:-1], orders, strict=True)),
        marks=series.marks and tuple(m[o] for m, o in zip(series.marks, orders, strict=True)),
        resolution="exact",
    )
    return Intensity.of(model, moved, values), identity


def _mixtures(intensity: Intensity) -> FloatArray | None:
    """Exponentials (K K, 2 M) of each pair, or None for another kernel."""
    found = [
        intensity.mixture(k, j) for k in range(intensity.streams) for j in range(intensity.streams)
    ]
    return None if found[0] is None else np.array(found)


def _summed(key: IntArray, value: FloatArray) -> tuple[IntArray, FloatArray]:
    """Values of equal keys added up, keys in order."""
    keys, place = np.unique(key, return_inverse=True)
    return keys, np.bincount(place, value, len(keys))


def _told(values: FloatArray, level: float) -> dict[str, float]:
    tail = (1 - level) / 2
    lower, upper = np.quantile(values, [tail, 1 - tail])
    return {"expected": float(values.mean()), "lower": float(lower), "upper": float(upper)}
