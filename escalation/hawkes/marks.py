"""Marks: the size of an incident scales how many it sets off."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from escalation.parameters import FloatArray
from escalation.series import EventSeries

EFFECTS = ("power", "exponential")


@dataclass(frozen=True)
class Marks:
    r"""How the offspring of an event grow with its mark m.

    ``"power"``: :math:`(1 + m)^\gamma` for :math:`m \ge 0`, deaths say. ``"exponential"``:
    :math:`e^{\gamma m}`, for marks with a known `bound` only (magnitudes, scores): under a heavy
    tail its mean would be infinite. The effect is divided by its mean over the fitted marks of the
    stream, so that R counts the offspring of an average event.

    Attributes
    ----------
    effect : {"power", "exponential"}
    bound : float or None
        Largest mark there can be; "exponential" wants it.
    law : callable, optional
        (rng, streams (m,)) -> marks (m,) of events to come, `SeverityFit.sizes` for instance.
        Resampled from the fitted ones if not given.

    Raises
    ------
    ValueError
        For an unknown effect, or an exponential one without a bound.

    References
    ----------
    Ogata (1988), Journal of the American Statistical Association 83(401).
    """

    effect: str = "power"
    bound: float | None = None
    law: Callable[[np.random.Generator, NDArray[np.int64]], FloatArray] | None = field(
        default=None, repr=False
    )

    def __post_init__(self) -> None:
        if self.effect not in EFFECTS:
            raise ValueError(f"effect must be power or exponential, got {self.effect!r}")
        if self.effect == "exponential" and self.bound is None:
            raise ValueError(
                "an exponential effect of marks wants their bound: under a heavy tail its mean is "
                "infinite; give bound=, or take effect='power'"
            )

    def sizes(self, series: EventSeries) -> tuple[FloatArray, ...]:
        """Marks of each stream on the scale in which the effect is exponential.

        Raises
        ------
        ValueError
            If a mark is missing, negative (power) or above the bound (exponential).
        """
        if series.marks is None:
            raise ValueError("the model has marks, the series has none")
        out = []
        for name, marks in zip(series.names, series.marks, strict=True):
            wrong = ~np.isfinite(marks)
            why = "is not a number"
            if self.effect == "power":
                wrong, why = wrong | (marks < 0), "is negative or not a number"
            elif self.bound is not None:
                wrong, why = wrong | (marks > self.bound), f"is not at most {self.bound:g}"
            if wrong.any():
                at = int(np.flatnonzero(wrong)[0])
                raise ValueError(f"stream {name!r}, event {at}: mark {marks[at]:g} {why}")
            out.append(np.log1p(marks) if self.effect == "power" else np.array(marks))
        return tuple(out)

    def drawn(self, rng: np.random.Generator, stream: NDArray[np.int64]) -> FloatArray:
        """Sizes (m,) of events to come, by `law`, on the scale in which the effect is exponential.

        Raises
        ------
        ValueError
            If there is no law, or it gives a mark that is out of range.
        """
        if self.law is None:
            raise ValueError("there is no law of marks to draw from")
        marks = np.asarray(self.law(rng, stream), float)
        lowest, highest = (0.0, np.inf) if self.effect == "power" else (-np.inf, self.bound)
        if not np.all((marks >= lowest) & (marks <= highest)):
            raise ValueError(f"the law of marks gives some outside {lowest:g} to {highest:g}")
        return np.log1p(marks) if self.effect == "power" else marks

    def effects(self, series: EventSeries, exponent: FloatArray) -> tuple[FloatArray, ...]:
        """Effects of the fitted events, relative to their stream's mean.

        Parameters
        ----------
        series : EventSeries
        exponent : ndarray (n, K)
            Draws of the exponents.

        Returns
        -------
        effects : tuple of K ndarray (n, n_k)
        """
        out = []
        for k, sizes in enumerate(self.sizes(series)):
            raw = np.exp(exponent[:, k, None] * (sizes - sizes.max(initial=0.0)))
            out.append(raw / raw.mean(axis=1, keepdims=True) if sizes.size else raw)
        return tuple(out)
