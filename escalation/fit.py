"""Models, and fits: what a model learned from a series."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, ClassVar

import numpy as np
import polars as pl

from escalation.dynamics import Dynamics
from escalation.engines import Engine, MaximumLikelihood, Problem
from escalation.engines.threads import one_thread
from escalation.forecast import Forecast
from escalation.parameters import FloatArray, Layout, Parameter, nonnegative_interval
from escalation.series import CountSeries, EventSeries

Series = CountSeries | EventSeries


class Model(ABC):
    """A specification that can be fitted to a series; it never holds data.

    A concrete model is a frozen dataclass in one file, with its parameters declared as data.
    """

    name: ClassVar[str]

    @abstractmethod
    def parameters(self, series: Any) -> tuple[Parameter, ...]:
        """The parameters for a series of these names, window and period (counts are not read)."""

    @abstractmethod
    def problem(self, series: Any) -> Problem:
        """The log-likelihood of a series, ready for an engine."""

    @abstractmethod
    def dynamics(self, fit: Fit) -> Dynamics:
        """Reproduction matrix, shares and responses of a fit."""

    @abstractmethod
    def forecast(self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int) -> Forecast:
        """Predictive draws of the periods after the series."""

    @abstractmethod
    def replicate(self, fit: Fit, rng: np.random.Generator, draws: int) -> FloatArray:
        """Series simulated anew from draws of the parameters, (draws, T, K) counts."""

    def pointwise(
        self, fit: Fit, theta: FloatArray | None = None, series: Any = None
    ) -> FloatArray:
        """Log-likelihood of each period and stream given all before it.

        Parameters
        ----------
        fit : Fit
        theta : ndarray (n, p), optional
            Draws of all parameters; the estimate alone if not given.
        series : CountSeries, optional
            Another series that begins like the fit's and may be longer. What depends on the fitted
            window, such as the season's zero and the knots of a trend, stays that of `fit.series`.

        Returns
        -------
        ndarray (n, T, K)
            NaN where the likelihood leaves a period out; (n, T, 1) where the streams of a period
            depend on each other. The rest sums to the log-likelihood.

        Raises
        ------
        ValueError
            If the model has none.
        """
        raise ValueError(f"{self.name} has no likelihood of single periods")

    def fit(
        self, series: Any, engine: Engine | None = None, rng: np.random.Generator | None = None
    ) -> Fit:
        """Learn the parameters from a series.

        Parameters
        ----------
        series : CountSeries or EventSeries
            As the model asks.
        engine : Engine, optional
            Maximum likelihood if not given.
        rng : numpy.random.Generator, optional
            Source of the draws; seeded with 0 if not given, so that a fit repeats.
        """
        engine = engine or MaximumLikelihood()
        rng = np.random.default_rng(0) if rng is None else rng
        with one_thread():
            found = engine.run(self.problem(series), rng)
        return Fit(
            model=self,
            series=series,
            draws=_frozen(found.draws),
            estimate=_frozen(found.estimate),
            log_likelihood=found.log_likelihood,
            diagnostics=dict(found.diagnostics),
            engine=engine.name,
        )

    def carried_on(self, fit: Fit, series: Any) -> Fit | None:
        """The fit before the periods that follow a longer series; None where it cannot go on."""
        return None

    def to_pymc(self, series: Any) -> Any:
        """The same model as a ``pymc.Model``, with named variables and priors, to be extended."""
        from escalation.engines.nuts import own_cache

        own_cache()
        from escalation.engines.pymc_model import build

        names = list(series.names)
        return build(self.problem(series), {"stream": names, "target": names, "source": names})


def _frozen(arrays: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
    out = {name: np.array(value, float) for name, value in arrays.items()}
    for value in out.values():
        value.setflags(write=False)
    return out


@dataclass(frozen=True, eq=False)
class Fit:
    """What a model learned from a series.

    Attributes
    ----------
    model : Model
    series : CountSeries or EventSeries
    draws : dict of ndarray (n, ...)
        Draws of each parameter, whichever engine made them.
    estimate : dict of ndarray
        The maximum of the likelihood, or the posterior mean.
    log_likelihood : float
        At the estimate.
    diagnostics : dict
        What the engine says of itself.
    engine : str
    """

    model: Model
    series: Any
    draws: Mapping[str, FloatArray]
    estimate: Mapping[str, FloatArray]
    log_likelihood: float
    diagnostics: Mapping[str, Any]
    engine: str

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        """The parameters, as the model declares them for this series."""
        return self.model.parameters(self.series)

    @property
    def theta(self) -> FloatArray:
        """Draws (n, p) of all parameters in one array, in the order of `parameters`."""
        columns = [self.draws[p.name].reshape(-1, p.size) for p in self.parameters]
        return np.concatenate(columns, axis=1)

    @property
    def aic(self) -> float:
        """Akaike's criterion at the maximum; compare within the same periods only.

        Raises
        ------
        ValueError
            If the fit is not a maximum of the likelihood.
        """
        if self.engine != MaximumLikelihood.name:
            raise ValueError(f"AIC needs a maximum-likelihood fit, this one is by {self.engine}")
        return 2 * len(Layout(self.parameters).labels) - 2 * self.log_likelihood

    def summary(self, level: float = 0.9) -> pl.DataFrame:
        """A row for each scalar: parameter, meaning, unit, estimate, sd, lower, upper, prior."""
        tails = [(1 - level) / 2, (1 + level) / 2]
        rows = []
        for p in self.parameters:
            values = self.draws[p.name]
            if p.support == "nonnegative":
                lower, upper = nonnegative_interval(values, level)
            else:
                lower, upper = np.quantile(values, tails, axis=0)
            spread = values.std(axis=0)
            for where in zip(*np.nonzero(np.atleast_1d(p.mask)), strict=True):
                at = where if p.shape else ()
                rows.append(
                    {
                        "parameter": p.name + self._where(p, at),
                        "meaning": p.meaning,
                        "unit": p.unit,
                        "estimate": float(self.estimate[p.name][at]),
                        "sd": float(spread[at]),
                        "lower": float(lower[at]),
                        "upper": float(upper[at]),
                        "prior": str(p.prior),
                    }
                )
        return pl.DataFrame(rows)

    def _where(self, parameter: Parameter, at: tuple[int, ...]) -> str:
        streams = {"stream", "target", "source"}
        labels = [
            self.series.names[i] if dim in streams else str(i + 1)
            for dim, i in zip(parameter.dims, at, strict=True)
        ]
        if parameter.dims == ("target", "source"):
            labels = [f"{labels[1]} → {labels[0]}"]
        return f"[{', '.join(labels)}]" if labels else ""

    def dynamics(self) -> Dynamics:
        """Who is followed by more of whom."""
        return self.model.dynamics(self)

    def forecast(
        self, horizon: int, rng: np.random.Generator | None = None, draws: int = 1000
    ) -> Forecast:
        """Predictive draws of the `horizon` periods after the series, parameters uncertain."""
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1 period, got {horizon}")
        rng = np.random.default_rng(0) if rng is None else rng
        return self.model.forecast(self, horizon, rng, draws)

    def carried_on(self, series: Any) -> Fit | None:
        """The same draws of the parameters before the periods that follow a longer series.

        Parameters
        ----------
        series : CountSeries
            Begins as the fitted one does.

        Returns
        -------
        Fit or None
            None where something depends on the end of the fitted window: a trend, a latent path.
        """
        return self.model.carried_on(self, series)

    def replicate(self, rng: np.random.Generator, draws: int = 100) -> FloatArray:
        """Series simulated from the fitted model, (draws, T, K), for predictive checks."""
        return self.model.replicate(self, rng, draws)

    def to_arviz(self) -> Any:
        """The draws as an ArviZ ``DataTree``."""
        from escalation.engines.nuts import to_arviz

        chains = int(self.diagnostics.get("chains", 1))
        return to_arviz({k: v.reshape(chains, -1, *v.shape[1:]) for k, v in self.draws.items()})

    def __repr__(self) -> str:
        """Say the model, the engine and the log-likelihood."""
        return f"Fit({self.model!r} by {self.engine}, log-likelihood {self.log_likelihood:.3f})"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><th>{escape(row['parameter'])}</th><td>{row['estimate']:.3g}</td>"
            f"<td>{row['lower']:.3g} to {row['upper']:.3g}</td><td>{escape(row['unit'])}</td></tr>"
            for row in self.summary().iter_rows(named=True)
        )
        return (
            f"<p>{escape(self.model.name)} by {escape(self.engine)}, "
            f"log-likelihood {self.log_likelihood:.2f}</p><table><thead><tr><th>parameter</th>"
            f"<th>estimate</th><th>90 % interval</th><th>unit</th></tr></thead>"
            f"<tbody>{rows}</tbody></table>"
        )


@dataclass(frozen=True)
class Estimator:
    """A model together with the engine that fits it, for a backtest that refits it many times."""

    model: Model
    engine: Engine

    def fit(self, series: Any, rng: np.random.Generator | None = None) -> Fit:
        """Fit the model with the engine."""
        return self.model.fit(series, self.engine, rng)


def pick(theta: FloatArray, draws: int, rng: np.random.Generator) -> FloatArray:
    """So many rows of the draws: all of them in turn, the last round at random."""
    rounds, rest = divmod(draws, len(theta))
    rows = [np.arange(len(theta))] * rounds
    rows.append(rng.choice(len(theta), rest, replace=False))
    return theta[np.concatenate(rows)]
