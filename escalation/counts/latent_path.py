"""What a fit says of a latent path: its band over time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import polars as pl

from escalation.parameters import FloatArray
from escalation.window import DateArray


@dataclass(frozen=True, eq=False)
class LatentPath:
    """Latent log-rates of K streams over T periods, with their uncertainty.

    Attributes
    ----------
    log_factor : ndarray (n, T, K)
        Draws of the path: by what factor, in logs, the rate lies above its level and season.
    log_rate : ndarray (n, T, K)
        Draws of the log of the expected incidents a period, level and season included, what
        earlier incidents add left out.
    edges : ndarray of datetime64[D] (T + 1,)
    names : tuple of str
    period : str
        What a period is called: "week", say.
    """

    log_factor: FloatArray
    log_rate: FloatArray
    edges: DateArray
    names: tuple[str, ...]
    period: str

    def __post_init__(self) -> None:
        self.log_factor.setflags(write=False)
        self.log_rate.setflags(write=False)

    def band(self, level: float = 0.9, *, of: str = "rate") -> FloatArray:
        """Lower end, median and upper end (3, T, K) of the rate, or of the path's factor.

        Parameters
        ----------
        level : float
        of : {"rate", "factor"}
        """
        if of not in ("rate", "factor"):
            raise ValueError(f"of must be rate or factor, got {of!r}")
        tails = [(1 - level) / 2, 0.5, (1 + level) / 2]
        logs = self.log_rate if of == "rate" else self.log_factor
        return np.asarray(np.exp(np.quantile(logs, tails, axis=0)))

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """A row a period and stream: start, stream, factor and rate, each with its interval."""
        columns: dict[str, object] = {
            "start": np.repeat(self.edges[:-1], len(self.names)),
            "stream": list(self.names) * (len(self.edges) - 1),
        }
        for of in ("factor", "rate"):
            lower, middle, upper = self.band(level, of=of)
            columns |= {
                of: middle.ravel(), f"{of}_lower": lower.ravel(), f"{of}_upper": upper.ravel()
            }  # fmt: skip
        return pl.DataFrame(columns)

    def __repr__(self) -> str:
        """Say where each stream's rate stands at the end, and the range of its medians."""
        lower, middle, upper = self.band()
        told = "; ".join(
            f"{name} {middle[-1, k]:.2g} ({lower[-1, k]:.2g} to {upper[-1, k]:.2g}), "
            f"medians {middle[:, k].min():.2g} to {middle[:, k].max():.2g}"
            for k, name in enumerate(self.names)
        )
        return f"LatentPath(incidents a {self.period} in the last one: {told})"

    def _repr_html_(self) -> str:
        return f"<p>{self!r}</p>{self.table()._repr_html_()}"
