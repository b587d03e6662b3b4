"""The ignorance score of conflict forecasts: a log score over bins of fatalities."""

import numpy as np
from numpy.typing import ArrayLike

from escalation.scores.shapes import over_cells, paired
from escalation.window import FloatArray

BIN_EDGES = (0, 0.5, 2.5, 5.5, 10.5, 25.5, 50.5, 100.5, 250.5, 500.5, 1000.5)
"""Left edges of the bins: 0, 1-2, 3-5, 6-10, 11-25, 26-50, 51-100, 101-250, 251-500, … deaths."""

BINNINGS = ("challenge", "views-evaluation")


def ignorance(draws: ArrayLike, observed: ArrayLike, binning: str = "challenge") -> FloatArray:
    r"""Ignorance score of draws, :math:`-\log_2 \frac{n_b + 1}{n + B}`, in bits.

    n_b of the n draws lie in the bin of the observation; one more is put into each of the B bins.
    Two programs of the same team share the edges `BIN_EDGES` and differ at the upper end:

    - ``"challenge"``, the prediction challenge of 2023/24: 11 bins, the last from 1000.5 on.
    - ``"views-evaluation"``, the package of the running system: 10 bins that end at 1000.5. Draws
      beyond make an eleventh bin, for their cell alone; an observation beyond, where no draw is,
      has no bin. That package refuses it; here it scores infinity.

    Parameters
    ----------
    draws, observed
        (n, ...) draws and (...) observations, at least 0; an infinite draw lies in the last bin.
    binning : {"challenge", "views-evaluation"}

    Returns
    -------
    numpy.ndarray
        (...) scores.

    Raises
    ------
    ValueError
        For another binning or negative numbers.

    References
    ----------
    Hegre et al. (2024), The 2023/24 VIEWS prediction challenge, arXiv 2407.11045, section 4, and
    the repository prio-data/prediction_competition_2023, `IgnoranceScore.py`; the repository
    views-platform/views-evaluation, `native_metric_calculators.py` and `profiles/base.py`.

    Examples
    --------
    >>> float(ignorance([0, 0, 1, 7], 0).round(4))
    2.3219
    """
    x, y = paired(draws, observed)
    if binning not in BINNINGS:
        raise ValueError(f"binning must be one of {BINNINGS}, not {binning!r}")
    if np.any(x < 0) or np.any(y < 0):
        raise ValueError("draws and observations must not be negative")
    n, last = len(x), len(BIN_EDGES) - 1
    edges = np.array([*BIN_EDGES[1:], np.inf])

    def score(x: FloatArray, y: FloatArray) -> FloatArray:
        place = np.searchsorted(edges[:-1], y, side="right")
        low = np.where(place == 0, -np.inf, edges[place - 1])[:, None]
        # The last bin has no end, so that infinite draws lie in it.
        inside = (x >= low) & ((x < edges[place][:, None]) | (place == last)[:, None])
        near = inside.sum(axis=1)
        beyond = (x >= edges[-2]).any(axis=1) | (binning == "challenge")
        found = np.log2((n + last + beyond) / (near + 1))
        return np.where(np.isnan(y), np.nan, np.where((place == last) & ~beyond, np.inf, found))

    return over_cells(score, x, y)
