"""What one more incident is followed by, where no reproduction number says it."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

import numpy as np
import polars as pl

from escalation.parameters import FloatArray


@dataclass(frozen=True, eq=False)
class Response:
    """Expected further incidents after one more in a stream, by period; negative: fewer.

    Attributes
    ----------
    further : ndarray (n, H, K)
        ``[draw, h, k]``: incidents of stream k in the period h + 1 after it, with it minus
        without; infinite where a path ran away.
    names : tuple of str
    stream : str
        The stream of the incident.
    period : str
        What a period is called: "week", say.
    """

    further: FloatArray
    names: tuple[str, ...]
    stream: str
    period: str

    def __post_init__(self) -> None:
        self.further.setflags(write=False)

    @property
    def total(self) -> FloatArray:
        """Draws (n, H, K) of the further incidents up to each period."""
        return np.cumsum(self.further, axis=1)

    def interval(self, level: float = 0.9, *, total: bool = False) -> FloatArray:
        """Lower end, median and upper end (3, H, K), by period or up to each."""
        tails = [(1 - level) / 2, 0.5, (1 + level) / 2]
        values = self.total if total else self.further
        # No interpolation, which has no meaning beside an infinite draw.
        return np.quantile(values, tails, axis=0, method="inverted_cdf")

    def table(self, level: float = 0.9) -> pl.DataFrame:
        """A row a period and stream.

        Columns: step, stream, estimate (the median), lower, upper, and total, total_lower,
        total_upper for the sum up to that period.
        """
        lower, middle, upper = self.interval(level)
        low, mid, high = self.interval(level, total=True)
        horizon, streams = middle.shape
        steps = np.repeat(np.arange(1, horizon + 1), streams)
        return pl.DataFrame(
            {
                "step": steps,
                "stream": list(self.names) * horizon,
                "estimate": middle.ravel(),
                "lower": lower.ravel(),
                "upper": upper.ravel(),
                "total": mid.ravel(),
                "total_lower": low.ravel(),
                "total_upper": high.ravel(),
            }
        )

    def __repr__(self) -> str:
        """Say the stream and the sum over the horizon, stream by stream."""
        lower, middle, upper = (one[-1] for one in self.interval(total=True))
        told = "; ".join(
            f"{name} {middle[k]:+.2f} ({lower[k]:+.2f} to {upper[k]:+.2f})"
            for k, name in enumerate(self.names)
        )
        periods = f"{self.further.shape[1]} {self.period}s"
        return f"Response(one more in {self.stream}, within {periods}: {told})"

    def _repr_html_(self) -> str:
        lower, middle, upper = self.interval()
        head = "".join(f"<th>{escape(name)}</th>" for name in self.names)
        rows = "".join(
            f"<tr><th>{h + 1}</th>"
            + "".join(
                f"<td>{middle[h, k]:+.3f}<br>{lower[h, k]:+.3f} to {upper[h, k]:+.3f}</td>"
                for k in range(len(self.names))
            )
            + "</tr>"
            for h in range(len(middle))
        )
        return (
            f"<p>{escape(repr(self))}</p><table><thead><tr><th>{escape(self.period)}</th>{head}"
            f"</tr></thead><tbody>{rows}</tbody></table>"
        )
