"""Signs: whether one stream raises or lowers another."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import polars as pl

from escalation.dynamics import arrow_table
from escalation.parameters import BoolArray, FloatArray


@dataclass(frozen=True, eq=False)
class Signs:
    """The signed influence matrix, and how sure its signs are.

    Attributes
    ----------
    influence : ndarray (n, K, K)
        Draws: ``[draw, k, j]`` is the influence of stream j on stream k.
    names : tuple of str
    arrows : ndarray of bool (K, K)
        Which entries the model allows.
    """

    influence: FloatArray
    names: tuple[str, ...]
    arrows: BoolArray

    def __post_init__(self) -> None:
        self.influence.setflags(write=False)
        self.arrows.setflags(write=False)

    @property
    def below(self) -> FloatArray:
        """P(influence < 0), (K, K): the share of draws in which j lowers k."""
        return np.asarray((self.influence < 0).mean(axis=0), float)

    @property
    def above(self) -> FloatArray:
        """P(influence > 0), (K, K): the share of draws in which j raises k."""
        return np.asarray((self.influence > 0).mean(axis=0), float)

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """A row an allowed arrow: source, target, estimate (the median), lower, upper, P's."""
        tails = [0.5, (1 - level) / 2, (1 + level) / 2]
        table = arrow_table(self.names, self.arrows, *np.quantile(self.influence, tails, axis=0))
        # Rows of the table go source by source.
        signs = {"p_negative": self.below.T.ravel(), "p_positive": self.above.T.ravel()}
        return (
            table.with_columns(**{name: pl.Series(p) for name, p in signs.items()})
            .filter("allowed")
            .drop("allowed")
        )

    def __repr__(self) -> str:
        """Name the arrows whose sign is sure at 0.95."""
        told = []
        for k, j in zip(*np.nonzero(self.arrows), strict=True):
            if self.below[k, j] > 0.95:
                told.append(f"{self.names[j]} lowers {self.names[k]} (P {self.below[k, j]:.3f})")
            elif self.above[k, j] > 0.95:
                told.append(f"{self.names[j]} raises {self.names[k]} (P {self.above[k, j]:.3f})")
        return f"Signs({'; '.join(told) or 'none is sure'})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(row['source'])} → {escape(row['target'])}</td>"
            f"<td>{row['estimate']:+.2f}</td><td>{row['lower']:+.2f} to {row['upper']:+.2f}</td>"
            f"<td>{row['p_negative']:.3f}</td><td>{row['p_positive']:.3f}</td></tr>"
            for row in self.table().iter_rows(named=True)
        )
        return (
            f"<p>{escape(repr(self))}</p><table><thead><tr><th>arrow</th><th>influence</th>"
            f"<th>90 % interval</th><th>P(lowers)</th><th>P(raises)</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )
