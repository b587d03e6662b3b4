"""Sums of a forecast over streams and over periods; draws stay whole paths."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, cast

import numpy as np

from escalation.window import FloatArray

if TYPE_CHECKING:
    from escalation.forecast.forecast import Forecast

ALL_STREAMS = "all streams"
"""The name of the sum of the streams."""


def over_groups(forecast: Forecast, groups: Mapping[str, Sequence[str]]) -> Forecast:
    """The forecast that `Forecast.sums` describes.

    Raises
    ------
    ValueError
        For a stream that is not among them, or a group without one.
    """
    names = forecast.names
    unknown = {name for group in groups.values() for name in group} - set(names)
    if unknown or not groups or not all(groups.values()):
        raise ValueError(
            f"groups {dict(groups)} want one or more of the streams {', '.join(names)}"
        )
    member = np.array([[name in group for group in groups.values()] for name in names])
    parts = [np.flatnonzero(column) for column in member.T]
    watch = cast(FloatArray, forecast.recent_exposure)
    even = [(at, np.ptp(watch[:, at], axis=1) < 1e-9) for at in parts]
    return replace(
        forecast,
        draws=np.stack([forecast.draws[:, :, at].sum(axis=2) for at in parts], axis=2),
        recent=np.stack(
            [np.where(known, forecast.recent[:, at].sum(axis=1), 0) for at, known in even], axis=1
        ),
        recent_exposure=np.stack(
            [np.where(known, watch[:, at[0]], 0.0) for at, known in even], axis=1
        ),
        names=tuple(groups),
    )


def over_blocks(forecast: Forecast, sizes: Sequence[int]) -> Forecast:
    """The forecast that `Forecast.blocks` describes.

    Raises
    ------
    ValueError
        For blocks that are empty, or together longer than the horizon.
    """
    horizon = forecast.draws.shape[1]
    ends = np.cumsum([0, *sizes])
    if len(sizes) == 0 or min(sizes) < 1 or ends[-1] > horizon:
        raise ValueError(f"blocks of {list(sizes)} periods do not fit a horizon of {horizon}")
    lengths = np.add.reduceat(forecast.lengths[: ends[-1]], ends[:-1])
    return replace(
        forecast,
        draws=np.add.reduceat(forecast.draws[:, : ends[-1]], ends[:-1], axis=1),
        edges=forecast.edges[ends],
        lengths=tuple(lengths.tolist()),
    )


def followed_by_total(forecast: Forecast) -> Forecast:
    """The forecast that `Forecast.with_total` describes."""
    if ALL_STREAMS in forecast.names:
        return forecast
    total = forecast.total()
    return replace(
        forecast,
        draws=np.concatenate([forecast.draws, total.draws], axis=2),
        recent=np.concatenate([forecast.recent, total.recent], axis=1),
        recent_exposure=np.concatenate(
            [cast(FloatArray, one.recent_exposure) for one in (forecast, total)], axis=1
        ),
        names=(*forecast.names, ALL_STREAMS),
    )
