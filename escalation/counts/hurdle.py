"""The hurdle model of counts: does anything happen in a period, and how much when it does."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, override

import numpy as np

from escalation.background import Background
from escalation.counts.component import Component
from escalation.counts.hurdle_paths import anew, begun, given_past, onward
from escalation.counts.model import SignedModel
from escalation.counts.periods import (
    DISPERSIONS,
    DISTRIBUTIONS,
    check_choice,
    dispersion_parameter,
    dispersion_places,
    dispersions,
    log_counts,
    vectors,
)
from escalation.counts.predictor import LEVEL, Predictor
from escalation.counts.signs import Signs
from escalation.counts.truncated import (
    log_probabilities,
    minus_log_empty,
    truncated_mean,
)
from escalation.dynamics import arrow_mask
from escalation.engines import NUTS, Engine, Problem
from escalation.fit import Fit
from escalation.kernels import Kernel, OneLag
from escalation.parameters import FloatArray, Layout, Parameter
from escalation.priors import Normal
from escalation.series import CountSeries

Part = Literal["occurrence", "size"]
PARTS: tuple[Part, Part] = ("occurrence", "size")
#: Where maximum likelihood stops: beyond it only mu times psi matters (the logarithmic law).
WIDEST = 100.0
INFLUENCES = ("both", "occurrence", "size", "none")


@dataclass(frozen=True)
class Hurdle(SignedModel):
    r"""Two questions of each period: does anything happen, and how much when it does.

    .. math::
        \mathrm{logit}\, P(y_{tk} > 0 \mid \text{past}) &= \alpha_k(t)
        + \sum_j A_{kj} \sum_{l=1}^{L} w_l \log(1 + y_{t-l,j})

        y_{tk} \mid y_{tk} > 0, \text{past} &\sim \mathrm{NB}(\mu_{tk}, \psi_k)
        \text{ without zero}, \qquad
        \log\mu_{tk} = \beta_k(t) + \sum_j B_{kj} \sum_{l=1}^{L} w_l \log(1 + y_{t-l,j})

    For streams in which almost nothing happens, but a good deal when it does. The influences A
    (`occurrence_influence`) and B (`size_influence`) are signed: a negative entry lowers. The past
    enters as log(1 + y), so that one huge period does not decide. :math:`\mu` is the mean of the
    law before zero is taken out; that of the counts above zero is :math:`\mu/(1 - P(0))`, at least
    one, and the expected count of a period is P(y > 0) times it (`means`). The kernel's lag
    weights w, which sum to one, are those of both questions.

    A period watched for a share e is empty with probability :math:`(1 - p)^e`, as if its parts
    were alike and independent, and :math:`\mu` counts e-fold. The first L periods are conditioned
    on, and so is every period whose past L periods were not watched throughout; without influence
    all watched periods are in the likelihood.

    Occurrence is bounded; sizes settle where the spectral radius of :math:`\max(B, 0)` is below 1.
    Where a stream's counts above zero are few, or all one, the data say little of its
    :math:`\mu` and :math:`\psi`: maximum likelihood then runs to an edge (it stops at a dispersion
    of 100, where the law above zero is the logarithmic one, and says so in ``at_bound``), and the
    posterior is the answer.

    Attributes
    ----------
    kernel : Kernel
        `OneLag` for the last period alone, or any kernel with a `pmf`; its time runs in periods.
    occurrence, size : Background
        :math:`\alpha` and :math:`\beta`; a `Component` for shared terms, offsets, random terms.
        Their parameters begin with ``occurrence_`` and ``size_``.
    distribution : {"negative binomial", "poisson"}
        Of the size, before zero is taken out.
    dispersion : {"stream", "shared"}
        One :math:`\psi` a stream, or one for all.
    arrows : tuple of tuples of bool, optional
        ``arrows[k][j]`` is false where stream j has no influence on k. None: all allowed.
    influence : {"both", "occurrence", "size", "none"}
        Which of A and B there are.
    lags : int
        L.

    References
    ----------
    Mullahy (1986), Journal of Econometrics 33(3), section 2, for the hurdle; Porter & White (2012),
    Annals of Applied Statistics 6(1), section 3, for one whose occurrence excites itself.

    Examples
    --------
    >>> from datetime import date
    >>> counts = np.random.default_rng(1).poisson(0.3, (80, 1))
    >>> series = CountSeries.from_counts(counts, date(2024, 1, 1), "week", ["raids"])
    >>> flat = Background(harmonics=0)
    >>> fit = Hurdle(occurrence=flat, size=flat, lags=1).fit(series)
    >>> sorted(fit.estimate)[:3]
    ['dispersion', 'occurrence_influence', 'occurrence_level']
    """

    kernel: Kernel = field(default_factory=OneLag)
    occurrence: Background = field(default_factory=Background)
    size: Background = field(default_factory=Background)
    distribution: str = "negative binomial"
    dispersion: str = "stream"
    arrows: tuple[tuple[bool, ...], ...] | None = None
    influence: str = "both"
    lags: int = 12

    name = "hurdle"
    settles = "is the spectral radius of the positive influence on the size < 1"

    def __post_init__(self) -> None:
        check_choice("distribution", self.distribution, DISTRIBUTIONS)
        check_choice("dispersion", self.dispersion, DISPERSIONS)
        check_choice("influence", self.influence, INFLUENCES)
        if self.lags < 1:
            raise ValueError(f"lags must be at least 1, got {self.lags}")

    # What the specification declares -----------------------------------------------------------

    @property
    @override
    def reach(self) -> int:
        """Number of earlier periods that a period depends on: `lags`, 0 without influence."""
        return 0 if self.influence == "none" else self.lags

    @property
    def predictors(self) -> tuple[Predictor, Predictor]:
        """Predictors of occurrence and size, without influences."""
        return Predictor(self.occurrence, "occurrence_", LEVEL), Predictor(self.size, "size_")

    def parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """Backgrounds, influences, dispersion, kernel, in this order."""
        streams, days = series.n_streams, series.window.days
        mask = arrow_mask(self.arrows, streams)
        out, influences = [], []
        for part, predictor in zip(PARTS, self.predictors, strict=True):
            for p in predictor.parameters(streams, days, ""):
                out.append(_worded(p, part, series.period))
            if self._moves(part):
                # Fewer than 1 % of prior draws of max(B, 0) have a spectral radius of 1.
                sd = (1.0 if part == "occurrence" else 0.38) / streams**0.36
                of, unit = SAID[part]
                influences.append(
                    Parameter(
                        f"{part}_influence", mask.shape, "real", Normal(0.0, sd),
                        f"change of the target's {of} for a change of log(1 + y) of the source",
                        unit, ("target", "source"), None if mask.all() else mask,
                    )
                )  # fmt: skip
        out += influences
        if self.distribution == "negative binomial":
            out.append(dispersion_parameter(self.dispersion, streams))
        return (*out, *self.kernel_parameters(series))

    # Fitting -----------------------------------------------------------------------------------

    @override
    def fit(
        self, series: Any, engine: Engine | None = None, rng: np.random.Generator | None = None
    ) -> Fit:
        """Learn the parameters from a series.

        Raises
        ------
        ValueError
            If a random walk or random intercepts leave their scale to the data and the engine is
            not the sampler: the joint maximum of a scale and what it multiplies means nothing.
        """
        for part in (self.occurrence, self.size):
            random = (part.walk, part.intercepts) if isinstance(part, Component) else ()
            free = any(one is not None and one.scale is None for one in random)
            if free and (engine is None or engine.name != NUTS.name):
                raise ValueError(
                    "a random walk or random intercepts of Hurdle want a given scale, or NUTS"
                )
        return super().fit(series, engine, rng)

    def problem(self, series: CountSeries) -> Problem:
        """The likelihood of the periods after the first `reach`."""
        from escalation.likelihood.hurdle import hurdle

        used, streams = self._accepted(series), series.n_streams
        layout = Layout(self.parameters(series))
        own = self.kernel_size(series)
        kernel: Kernel = self.kernel if self.reach else OneLag()
        columns = [one.places(layout, streams) for one in self.predictors]
        place = [layout.start(f"{part}_influence") if self._moves(part) else -1 for part in PARTS]
        return Problem(
            layout=layout,
            core=hurdle,
            shape=kernel.lag_weights(),
            constants=kernel.lag_constants(max(self.reach, 1)),
            groups=np.arange(layout.size - own, layout.size)[None],
            data=self._data(series, series.counts.astype(float)),
            structure=(
                *(np.concatenate([one[i] for one in columns], axis=1) for i in range(2)),
                np.cumsum([0, *(one[0].shape[1] for one in columns)]).astype(np.int64),
                np.array(place + dispersion_places(layout, streams), np.int64),
            ),
            rates=self._rates(series, used),
            starts=self._starts(layout, series),
            resample=lambda theta, rng: self._data(series, self._again(theta, series, rng)),
            rows=layout.rows(streams),
            bounds={"dispersion": (0.0, WIDEST)},
        )

    def _data(self, series: CountSeries, counts: FloatArray) -> dict[str, Any]:
        from escalation.likelihood.count_terms import count_tables

        used, edges = self.used(series), series.edges
        designs, offsets = [], []
        for one in self.predictors:
            factor = one.places(Layout(self.parameters(series)), series.n_streams)[2]
            designs.append(one.design(series, edges) * factor[:, None])
            offsets.append(one.offset(series, edges))
        scale = np.where(used, series.scale, 1.0)
        offsets[1] = offsets[1] + np.log(scale)
        some = counts.T > 0
        state = np.where(some, scale == 1.0, -scale) * used
        stream, period = np.nonzero(some & used)
        first = np.searchsorted(stream, np.arange(series.n_streams + 1))
        return {
            "state": np.ascontiguousarray(state),
            "logs": np.ascontiguousarray(log_counts(series, counts)[0].T),
            **count_tables(counts, used.astype(float)),
            "scale": scale,
            "busy": period.astype(np.int64),
            "busy_counts": np.ascontiguousarray(counts[period, stream]),
            "busy_first": first.astype(np.int64),
            "offset": np.stack(offsets),
            "design": np.ascontiguousarray(np.concatenate(designs, axis=1)),
        }

    def _starts(self, layout: Layout, series: CountSeries) -> tuple[FloatArray, ...]:
        seen = series.counts[self.used(series)].astype(float)
        some = (seen > 0).sum(axis=0)
        share = (some + 0.5) / (len(seen) + 1)
        # A truncated Poisson law of mean m has a mean of about m - 1/2 before truncation.
        above = np.maximum(seen.sum(axis=0) / np.maximum(some, 1) - 0.5, 0.5)
        _, typical = log_counts(series, series.counts.astype(float))
        levels = {"occurrence": np.log(share / (1 - share)), "size": np.log(above)}
        mask = arrow_mask(self.arrows, series.n_streams)
        out = []
        for own, psi, delay in ((0.2, 0.3, 1.0), (0.05, 1.0, 3.0), (0.4, 0.1, 0.5)):
            values: dict[str, FloatArray] = {p.name: np.zeros(p.shape) for p in layout.parameters}
            for part, level in levels.items():
                influence = np.where(mask, own * np.eye(series.n_streams), 0.0)
                if f"{part}_influence" in values:
                    values[f"{part}_influence"] = influence
                    level = level - influence @ typical
                name = f"{part}_level"
                values[name] = level if values[name].shape else np.array(level.mean())
                for term in ("level_spread", "walk_scale"):
                    if f"{part}_{term}" in values:
                        values[f"{part}_{term}"] = np.array(0.1)
            if "dispersion" in values:
                values["dispersion"] = np.full_like(values["dispersion"], psi)
            theta = layout.pack(values)
            if self.reach:
                theta[layout.size - self.kernel_size(series) :] = self.kernel.start(delay)
            out.append(theta)
        return tuple(out)

    # Answers -----------------------------------------------------------------------------------

    def probabilities(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Probabilities (n, T, K) that a period is not empty, given the past; like `means`."""
        seen = series or fit.series
        odds, _ = given_past(self, vectors(fit, theta), fit.series, seen)
        share = np.broadcast_to(seen.scale[:, None], odds.shape)
        out = np.exp(log_probabilities(odds, share)[1])
        out[:, : self.reach] = np.nan
        return out

    @override
    def means(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Expected counts (n, T, K) given the past, for draws theta (n, p); the estimate's if None.

        The probability that anything happens times the mean of what then does. NaN in the first
        `reach` periods. Of another series, as `pointwise` takes it, where given.
        """
        seen, rows = series or fit.series, vectors(fit, theta)
        _, mean = given_past(self, rows, fit.series, seen)
        size = truncated_mean(
            mean * seen.scale[:, None], self.overdispersion(rows, fit.series)[:, None]
        )
        return np.asarray(self.probabilities(fit, rows, seen) * size, float)

    @override
    def variances(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Variances (n, T, K) of the counts given the past, the empty periods included."""
        seen, rows = series or fit.series, vectors(fit, theta)
        _, mean = given_past(self, rows, fit.series, seen)
        mean = mean * seen.scale[:, None]
        psi = self.overdispersion(rows, fit.series)[:, None]
        some, size = self.probabilities(fit, rows, seen), truncated_mean(mean, psi)
        # The mean square without zeros is that with them over the probability of no zero.
        return np.asarray(some * size * (1 + (1 + psi) * mean) - (some * size) ** 2, float)

    @override
    def pointwise(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        from escalation.likelihood.pointwise import count_log_pmf

        seen, rows = series or fit.series, vectors(fit, theta)
        odds, mean = given_past(self, rows, fit.series, seen)
        psi = self.overdispersion(rows, fit.series)
        mean = np.maximum(mean * seen.scale[:, None], 1e-300)
        empty, some = log_probabilities(odds, np.broadcast_to(seen.scale[:, None], odds.shape))
        size = count_log_pmf(seen.counts, mean, psi)
        size -= np.log(-np.expm1(-minus_log_empty(mean, psi[:, None])))
        out = np.where(seen.counts == 0, empty, some + size)
        out[:, ~self.used(seen)] = np.nan
        return out

    def signs(self, fit: Fit, part: Part = "size") -> Signs:
        """Does j raise or lower k? The influence on one part with the probability of each sign.

        Raises
        ------
        ValueError
            If the model has no influence on that part.
        """
        if not self._moves(part):
            raise ValueError(f"this Hurdle has no influence on {part}; influence={self.influence}")
        mask = arrow_mask(self.arrows, fit.series.n_streams)
        return Signs(np.array(fit.draws[f"{part}_influence"]), fit.series.names, mask)

    # Paths -------------------------------------------------------------------------------------

    @override
    def _onward(
        self,
        theta: FloatArray,
        series: CountSeries,
        horizon: int,
        rng: np.random.Generator,
        repeats: int = 1,
        extra: int | None = None,
    ) -> tuple[FloatArray, FloatArray]:
        return onward(self, theta, series, horizon, rng, repeats, extra)

    @override
    def _anew(self, theta: FloatArray, series: CountSeries, rng: np.random.Generator) -> FloatArray:
        return anew(self, theta, series, rng)

    @override
    def _begun(
        self, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
    ) -> FloatArray:
        return begun(self, theta, like, rng, burn_in)

    def _moves(self, part: Part) -> bool:
        """Whether the past has an influence on a part."""
        return self.influence in ("both", part)

    def influences(self, theta: FloatArray, series: CountSeries) -> tuple[FloatArray, FloatArray]:
        """Influences (n, K, K) on occurrence and size, zero where there is none."""
        values = Layout(self.parameters(series)).unpack(theta)
        none = np.zeros((len(theta), series.n_streams, series.n_streams))
        occurrence, size = (values.get(f"{part}_influence", none) for part in PARTS)
        return occurrence, size

    def overdispersion(self, theta: FloatArray, series: CountSeries) -> FloatArray:
        """Overdispersion (n, K), zero of a Poisson model."""
        found = dispersions(Layout(self.parameters(series)), theta, series.n_streams)
        return np.zeros((len(theta), series.n_streams)) if found is None else found


#: What an influence on a part changes, and in which unit.
SAID = {
    "occurrence": ("log-odds of an incident", "log odds ratio"),
    "size": ("log-mean", "log ratio"),
}


def _worded(parameter: Parameter, part: Part, period: str) -> Parameter:
    """A background's parameter in the words of its part."""
    if parameter.name == f"{part}_level":
        said = {
            "occurrence": (f"log-odds that a {period} is not empty", "log odds"),
            "size": ("log-mean before zero is taken out", f"log incidents per {period}"),
        }
        meaning, unit = said[part]
        return replace(parameter, meaning=f"{meaning}; what moves it at its mean", unit=unit)
    if part == "occurrence" and parameter.unit.startswith("log ratio"):
        return replace(parameter, unit=parameter.unit.replace("log ratio", "log odds ratio"))
    return parameter
