"""The additive mean of counts, for draws: background and reproduction by period."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from escalation.counts.paths import CAP
from escalation.counts.predictor import Predictor, later_moves
from escalation.counts.structure import Structure
from escalation.dynamics import MovingReproduction
from escalation.parameters import FloatArray, Layout
from escalation.series import CountSeries
from escalation.window import PERIOD_DAYS, DateArray


@dataclass(frozen=True, eq=False)
class Additive:
    r"""Parts of the mean :math:`b_k(t) + \sum_j R_{kj}(t) z_{tj}` over some periods.

    Attributes
    ----------
    background : ndarray (n, T, K)
    moving : MovingReproduction
    """

    background: FloatArray
    moving: MovingReproduction

    @classmethod
    def of(
        cls,
        structure: Structure,
        layout: Layout,
        theta: FloatArray,
        fitted: CountSeries,
        edges: DateArray,
    ) -> Additive:
        """The parts for draws theta (n, p), in the periods between edges (T + 1,)."""
        background, own, cross = structure.predictors

        def factor(one: Predictor | None) -> FloatArray | None:
            return None if one is None else np.exp(one.log_rates(layout, theta, fitted, edges))

        moving = MovingReproduction(
            edges,
            structure.base(layout, theta, fitted.n_streams),
            factor(own),
            factor(cross),
            structure.era_of(edges),
        )
        return cls(np.exp(background.log_rates(layout, theta, fitted, edges)), moving)

    @classmethod
    def early(
        cls,
        structure: Structure,
        layout: Layout,
        theta: FloatArray,
        like: CountSeries,
        burn_in: int,
    ) -> Additive:
        """The parts over the periods of a series with so many before its first one.

        Nothing is known of covariates before the window: those of the first period hold.
        """
        if not any(one is not None and one.dated for one in structure.predictors):
            days = np.timedelta64(round(PERIOD_DAYS[like.period]), "D")
            early = like.edges[0] + np.arange(-burn_in, 0) * days
            return cls.of(structure, layout, theta, like, np.concatenate([early, like.edges]))
        found = cls.of(structure, layout, theta, like, like.edges)

        def longer(values: FloatArray | None) -> FloatArray | None:
            if values is None:
                return None
            return np.concatenate([np.repeat(values[:, :1], burn_in, axis=1), values], axis=1)

        background = longer(found.background)
        assert background is not None
        moving = replace(
            found.moving,
            own=longer(found.moving.own),
            cross=longer(found.moving.cross),
            era=np.concatenate([np.repeat(found.moving.era[:1], burn_in), found.moving.era]),
        )
        return cls(background, moving)

    def step(self, h: int, past: FloatArray) -> FloatArray:
        """Mean (n, K) of the h-th period given its lagged counts (n, K)."""
        moving = self.moving
        still = moving.own is None and moving.cross is None
        matrix = moving.base[:, moving.era[h]] if still else moving.at(h)
        return np.asarray(self.background[:, h] + np.einsum("nkj,nj->nk", matrix, past))

    def walked_on(
        self,
        structure: Structure,
        layout: Layout,
        theta: FloatArray,
        fitted: CountSeries,
        rng: np.random.Generator,
    ) -> Additive:
        """The parts after the window's end with the random walks going on."""
        factors: list[FloatArray | None] = []
        for one in structure.predictors:
            moves = None
            if one is not None:
                moves = later_moves(one, layout, theta, fitted, self.moving.edges, rng)
            factors.append(None if moves is None else np.exp(moves))
        background, own, cross = (
            values if factor is None or values is None else values * factor
            for values, factor in zip(
                (self.background, self.moving.own, self.moving.cross), factors, strict=True
            )
        )
        assert background is not None
        return Additive(background, replace(self.moving, own=own, cross=cross))


def additive_paths(
    parts: Additive,
    weights: FloatArray,
    spreads: tuple[FloatArray | None, ...],
    history: FloatArray,
    scale: FloatArray,
    rng: np.random.Generator,
) -> FloatArray:
    """Simulated counts (n, H, K), infinite from where a mean is above the cap.

    Parameters
    ----------
    parts : Additive
        Of the H periods.
    weights : ndarray (n, L)
        Lag weights.
    spreads : tuple of ndarray (n, K) or (n, 1), or None
        Overdispersions: each is that of a gamma factor with mean one.
    history : ndarray (n, L, K)
    scale : ndarray (H,)
        Exposure of each period.
    rng : numpy.random.Generator
    """
    draws, lags, streams = history.shape
    path = np.concatenate([history, np.zeros((draws, len(scale), streams))], axis=1)
    gone = np.zeros(draws, bool)
    for h in range(len(scale)):
        window = np.where(gone[:, None, None], 0.0, path[:, h : h + lags][:, ::-1])
        mean = parts.step(h, np.einsum("nl,nlj->nj", weights, window))
        mean *= scale[h]
        gone |= (mean > CAP).any(axis=1)
        mean[gone] = 0.0
        for spread in spreads:
            if spread is not None:
                shape = 1 / np.maximum(spread, 1e-9)
                mean = mean * rng.gamma(shape) / shape
        path[:, lags + h] = rng.poisson(mean)
        path[gone, lags + h] = np.inf
    return path[:, lags:]
