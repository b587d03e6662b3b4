"""The calendar of a forecast: the periods that follow a series."""

from typing import cast

import numpy as np

from escalation.series import CountSeries
from escalation.window import PERIOD_DAYS, DateArray


def future_edges(series: CountSeries, horizon: int) -> DateArray:
    """Edges of the periods that follow a series, shape (horizon + 1,): its calendar carried on.

    Raises
    ------
    ValueError
        For a horizon below one period.
    """
    if horizon < 1:
        raise ValueError(f"a horizon is at least one period, not {horizon}")
    last, steps = series.edges[-1], np.arange(horizon + 1)
    if series.period == "month":
        return cast(DateArray, (last.astype("datetime64[M]") + steps).astype("datetime64[D]"))
    return cast(DateArray, last + steps * int(PERIOD_DAYS[series.period]))
