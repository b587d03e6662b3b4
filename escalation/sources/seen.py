"""Which ids stand in an earlier row, over batches and files, in little memory."""

import numpy as np
import polars as pl

from escalation.window import BoolArray, IntArray

NUMBER = r"^[1-9][0-9]{0,17}$"
"""A whole number written in the one way that gives the same text back, and fits 64 bits."""


class Seen:
    """The ids that were seen so far.

    Whole numbers are kept as spans of consecutive ones: 16 bytes a span, so that the ids of a
    source that counts its records cost next to nothing. Any other text is kept as its 64-bit
    hash, 16 bytes an id; among ten million such ids, two different ones agree with a chance of
    3 in a million.

    Examples
    --------
    >>> import polars as pl
    >>> seen = Seen()
    >>> seen.repeated(pl.Series(["7", "8", "7", None])).to_list()
    [False, False, True, False]
    >>> seen.repeated(pl.Series(["9", "8"])).to_list()
    [False, True]
    """

    def __init__(self) -> None:
        self._numbers = _Spans()
        self._hashes = _Spans()

    def repeated(self, ids: pl.Series) -> pl.Series:
        """Which of the ids stand in an earlier row or batch; they are seen from now on.

        Parameters
        ----------
        ids : polars.Series
            Text; a null is no id, and never repeated.

        Returns
        -------
        polars.Series
            Boolean, of the same length.
        """
        whole = ids.str.contains(NUMBER).fill_null(False).to_numpy()
        words = ids.is_not_null().to_numpy() & ~whole
        found = np.zeros(len(ids), dtype=bool)
        if whole.any():
            some = ids if whole.all() else ids.filter(pl.Series(whole))
            found[whole] = self._numbers.add(some.cast(pl.Int64).to_numpy())
        if words.any():
            hashes = ids.filter(pl.Series(words)).hash()
            found[words] = self._hashes.add(hashes.to_numpy().view(np.int64))
        return pl.Series("repeated", found)


class _Spans:
    """A set of whole numbers, kept as levels of disjoint spans, each longer than the next."""

    def __init__(self) -> None:
        self._levels: list[tuple[IntArray, IntArray]] = []

    def add(self, values: IntArray) -> BoolArray:
        """Add the values, shape ``(n,)``; tell which stood earlier, here or in an older call."""
        order = np.argsort(values, kind="stable")
        ranked = values[order]
        again = np.zeros(len(values), dtype=bool)
        again[1:] = ranked[1:] == ranked[:-1]
        for starts, ends in self._levels:
            at = np.searchsorted(starts, ranked, side="right") - 1
            again |= (at >= 0) & (ranked <= ends[np.maximum(at, 0)])
        if not again.all():
            self._levels.append(_joined(ranked[~again], ranked[~again]))
            while len(self._levels) > 1 and len(self._levels[-1][0]) * 2 > len(self._levels[-2][0]):
                self._merge()
        found = np.empty(len(values), dtype=bool)
        found[order] = again
        return found

    def _merge(self) -> None:
        (starts, ends), (more, last) = self._levels.pop(), self._levels.pop()
        starts, ends = np.concatenate([starts, more]), np.concatenate([ends, last])
        order = np.argsort(starts, kind="stable")
        self._levels.append(_joined(starts[order], ends[order]))


def _joined(starts: IntArray, ends: IntArray) -> tuple[IntArray, IntArray]:
    """Join disjoint spans, in order, where one begins right after the other's end."""
    apart = starts[1:] - 1 != ends[:-1]
    return starts[np.concatenate([[True], apart])], ends[np.concatenate([apart, [True]])]
