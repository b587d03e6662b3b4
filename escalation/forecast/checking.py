"""What the fields of a forecast must be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from escalation.window import FloatArray, IntArray

if TYPE_CHECKING:
    from escalation.forecast.forecast import Forecast


def own_arrays(forecast: Forecast) -> dict[str, NDArray[Any]]:
    """Copies of the arrays of a forecast by the names of their fields, which cannot be written to.

    Raises
    ------
    ValueError
        When the draws are no counts of shape (n, H, K).
    """
    draws = counts(forecast.draws)
    recent = np.array(forecast.recent, dtype=np.int64)
    exposure = watched(forecast.recent_exposure, recent, draws.shape[2])
    arrays = {
        "draws": draws,
        "edges": np.array(forecast.edges, dtype="datetime64[D]"),
        "recent": recent,
        "recent_edges": np.array(forecast.recent_edges, dtype="datetime64[D]"),
        "recent_exposure": exposure,
    }
    for array in arrays.values():
        array.setflags(write=False)
    return arrays


def counts(given: ArrayLike) -> FloatArray:
    """Draws, shape (n, H, K), which may be infinite.

    Raises
    ------
    ValueError
        For another shape, or a draw that is negative, no whole number or NaN.
    """
    draws = np.array(given, dtype=np.float64)
    if draws.ndim != 3 or 0 in draws.shape:
        raise ValueError(f"draws must have shape (draws, periods, streams), got {draws.shape}")
    if not np.all((draws >= 0) & (draws == np.floor(draws))):
        raise ValueError("draws must be counts: whole numbers, not negative and not NaN")
    return draws


def watched(given: ArrayLike | None, recent: IntArray, streams: int) -> FloatArray:
    """The share of each past period and stream that was watched, shape (m, K); all unless given."""
    exposure = np.array(np.ones(1) if given is None else given, dtype=np.float64)
    if exposure.ndim == 1 and len(exposure) in (1, len(recent)):
        exposure = np.repeat(np.resize(exposure, len(recent))[:, None], streams, axis=1)
    return exposure


def check_shapes(forecast: Forecast) -> None:
    """Raise a ValueError where the shapes of the fields disagree with that of the draws."""
    horizon, streams = forecast.draws.shape[1:]
    past = (len(forecast.recent_edges) - 1, streams)
    wanted = {
        "edges": (forecast.edges.shape, (horizon + 1,)),
        "names": ((len(forecast.names),), (streams,)),
        "lengths": ((len(forecast.lengths),), (horizon,)),
        "recent": (forecast.recent.shape, past),
        "recent_exposure": (np.asarray(forecast.recent_exposure).shape, past),
    }
    for name, (came, want) in wanted.items():
        if came != want:
            raise ValueError(
                f"draws of shape {forecast.draws.shape} want {name} of shape {want}, got {came}"
            )


def check_calendar(forecast: Forecast) -> None:
    """Raise a ValueError where edges do not rise, or a period begins before the forecast's day."""
    for name, edges in (("edges", forecast.edges), ("recent_edges", forecast.recent_edges)):
        if not np.all(np.diff(edges) > np.timedelta64(0, "D")):
            raise ValueError(f"{name} must rise")
    if forecast.edges[0] < np.datetime64(forecast.made_on, "D"):
        raise ValueError(
            f"a forecast made on {forecast.made_on} cannot begin on {forecast.edges[0]}"
        )
