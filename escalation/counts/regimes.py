"""Counts that switch between phases: quiet, tense, escalated."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, override

import numpy as np
from numpy.typing import NDArray

from escalation.background import Background
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
from escalation.counts.phase_starts import phase_starts
from escalation.counts.phases import Phases
from escalation.counts.predictor import LEVEL, Predictor
from escalation.counts.random_scales import refuse_free_scales
from escalation.counts.regime_paths import anew, begun, onward, phase_passes, phases_of
from escalation.dynamics import arrow_mask
from escalation.engines import Engine, Problem
from escalation.fit import Fit, pick
from escalation.kernels import Kernel, OneLag
from escalation.parameters import FloatArray, Layout, Parameter
from escalation.priors import Beta, LogNormal, Normal
from escalation.series import CountSeries, stream_place
from escalation.window import PERIOD_DAYS

#: Names of phases, from low to high, of models that give none.
NAMES = {
    2: ("quiet", "escalated"),
    3: ("quiet", "tense", "escalated"),
    4: ("quiet", "tense", "escalated", "extreme"),
}
#: Days that the prior's stay in a phase is worth.
STAY_DAYS = 126.0
#: A phase that holds fewer periods than this was hardly visited.
FEWEST = 3.0


@dataclass(frozen=True)
class Regimes(SignedModel):
    r"""Counts whose level switches between phases that all streams share.

    .. math::
        P(s_t = b \mid s_{t-1} = a) &= P_{ab}, \qquad s_t \in \{1, \ldots, S\}

        y_{tk} \mid s_t &\sim \mathrm{NB}(\mu_{tk}, \mathrm{var} = \mu_{tk}(1 + \psi_k\mu_{tk})),
        \qquad \log\mu_{tk} = \log e_t + \log b_k(t) + \sum_{r=2}^{s_t} \Delta_{rk}

    :math:`b_k` is the background in the lowest phase, :math:`e_t` the exposure. From one phase to
    the next, the log-level of stream k moves by :math:`\Delta_{rk}`. Phases are ordered, so that
    they cannot change names: the mean of :math:`\Delta_{rk}` over the streams is positive
    (`rise`), and the streams depart from it (`departure`, contrasts that sum to zero over the
    streams); or, given `order`, that stream's own :math:`\Delta` is the positive rise, and the
    departures are those of the other streams from it.

    A phase is kept with its probability `stay`. Else a move goes up with probability `up` (always
    from the lowest, never from the highest phase), and passes over each phase on its way with
    probability `jump`. The first phase has the chain's stationary law. In a period that nobody
    watched the phase goes on and nothing is seen.

    With `influence` the counts also move with those before, as in `LogLinear` and alike in every
    phase: :math:`\log\mu_{tk}` has :math:`\sum_j A_{kj} \sum_l w_l \log(1 + y_{t-l,j})` besides.
    Long stays and a long memory look alike: A is what the counts of neighbouring periods have in
    common beyond their phase. It is signed and not additive, so that the phase's level stays a
    factor. The first L periods are then conditioned on.

    Attributes
    ----------
    phases : tuple of str
        Two to four names, from the lowest to the highest.
    background : Background
        A trend competes with the phases for slow changes. A `Component` for shared terms, offsets,
        random terms with a given scale, or by NUTS.
    distribution : {"negative binomial", "poisson"}
    dispersion : {"stream", "shared"}
        One :math:`\psi` a stream, or one for all; the same in all phases.
    order : str, optional
        The stream that orders the phases. None: the streams' common level.
    jumps : bool
        Whether a move may pass over a phase.
    influence : bool
        Whether earlier counts move the log-mean.
    kernel : Kernel
        Of the influence.
    arrows : tuple of tuples of bool, optional
        ``arrows[k][j]`` is false where stream j has no influence on k. None: all allowed.
    lags : int
        L, of the influence.

    References
    ----------
    Zucchini, MacDonald & Langrock (2016), Hidden Markov Models for Time Series, chapters 1 to 5;
    Hamilton (1989), Econometrica 57(2), for switching with memory.

    Examples
    --------
    >>> from datetime import date
    >>> rate = np.repeat([0.5, 6.0, 0.5], [40, 20, 40])
    >>> counts = np.random.default_rng(0).poisson(rate)[:, None]
    >>> series = CountSeries.from_counts(counts, date(2024, 1, 1), "week", ["raids"])
    >>> model = Regimes(("quiet", "escalated"), background=Background(harmonics=0))
    >>> model.phases_of(model.fit(series)).changes()["phase"].to_list()
    ['quiet', 'escalated', 'quiet']
    """

    phases: tuple[str, ...] = NAMES[3]
    background: Background = field(default_factory=Background)
    distribution: str = "negative binomial"
    dispersion: str = "stream"
    order: str | None = None
    jumps: bool = True
    influence: bool = False
    kernel: Kernel = field(default_factory=OneLag)
    arrows: tuple[tuple[bool, ...], ...] | None = None
    lags: int = 12

    name = "regimes"
    settles = "is the spectral radius of the positive influence < 1"

    def __post_init__(self) -> None:
        if not 2 <= len(set(self.phases)) == len(self.phases) <= 4:
            raise ValueError(f"phases must be two to four different names, got {self.phases}")
        check_choice("distribution", self.distribution, DISTRIBUTIONS)
        check_choice("dispersion", self.dispersion, DISPERSIONS)
        if self.lags < 1:
            raise ValueError(f"lags must be at least 1, got {self.lags}")

    # What the specification declares -----------------------------------------------------------

    @property
    @override
    def reach(self) -> int:
        """Number of earlier periods that a period depends on: `lags`, 0 without influence."""
        return self.lags if self.influence else 0

    @property
    def predictor(self) -> Predictor:
        """The background's predictor, in the lowest phase."""
        return Predictor(self.background, "", LEVEL)

    def parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """Background, rises, departures, stay, up, jump, influence, dispersion, kernel."""
        streams, number = series.n_streams, len(self.phases)
        out = []
        for p in self.predictor.parameters(
            streams, series.window.days, f"incidents per {series.period}"
        ):
            lowest = f"log rate in the lowest phase, {self.phases[0]}: season and trend at mean"
            out.append(replace(p, meaning=lowest) if p.name == "level" else p)
        whose = "the streams' mean log-level" if self.order is None else f"{self.order}'s log-level"
        out.append(
            Parameter(
                "rise", (number - 1,), "positive", LogNormal(1.0, 0.6),
                f"by how much {whose} is higher than one phase below", "log ratio", ("phase",),
            )
        )  # fmt: skip
        if streams > 1:
            out.append(
                Parameter(
                    "departure", (number - 1, streams - 1), "real", Normal(0.0, 0.7),
                    "how the streams' rises differ from that, by contrasts", "log ratio",
                    ("phase", "contrast"),
                )
            )  # fmt: skip
        return (*out, *self._chain(series), *self._memory(series))

    def _chain(self, series: CountSeries) -> list[Parameter]:
        number = len(self.phases)
        kept = 1 + STAY_DAYS / PERIOD_DAYS[series.period]
        out = [
            Parameter(
                "stay", (number,), "unit", Beta(kept, 2.0),
                f"probability that a phase lasts to the next {series.period}", "", ("phase",),
            )
        ]  # fmt: skip
        inner = number - 2
        if inner:
            out.append(
                Parameter(
                    "up", (inner,), "unit", Beta(2.0, 2.0),
                    "probability that a move from an inner phase goes up", "", ("phase",),
                )
            )  # fmt: skip
        if inner and self.jumps:
            free = np.arange(number)[:, None] != np.arange(1, number - 1)
            out.append(
                Parameter(
                    "jump", free.shape, "unit", Beta(1.0, 3.0),
                    "probability that a move from one phase passes over another", "",
                    ("from", "over"), free,
                )
            )  # fmt: skip
        return out

    def _memory(self, series: CountSeries) -> list[Parameter]:
        out = []
        streams = series.n_streams
        if self.influence:
            mask = arrow_mask(self.arrows, streams)
            out.append(
                Parameter(
                    "influence", mask.shape, "real", Normal(0.0, 0.36 / streams**0.35),
                    "change of the target's log-mean for a change of log(1 + y) of the source",
                    "log ratio", ("target", "source"), None if mask.all() else mask,
                )
            )  # fmt: skip
        if self.distribution == "negative binomial":
            out.append(dispersion_parameter(self.dispersion, streams))
        return [*out, *self.kernel_parameters(series)]

    def mix(self, series: CountSeries) -> FloatArray:
        """From a phase's rise and departures to the streams' increments, (K, K)."""
        streams = series.n_streams
        out = np.ones((streams, streams))
        if self.order is not None:
            out[:, 1:] = np.delete(np.eye(streams), stream_place(series.names, self.order), axis=1)
        elif streams > 1:
            from scipy.linalg import helmert

            # Each stream departs with the prior's standard deviation.
            out[:, 1:] = helmert(streams).T * np.sqrt(streams / (streams - 1))
        return out

    def place(self, layout: Layout, streams: int) -> NDArray[np.int64]:
        """Where the likelihood finds its parameters."""
        have = {p.name for p in layout.parameters}
        names = ("rise", "departure", "influence", "stay", "up", "jump")
        starts = [layout.start(name) if name in have else -1 for name in names]
        return np.array([*starts, len(self.phases), *dispersion_places(layout, streams)], np.int64)

    # Fitting -----------------------------------------------------------------------------------

    @override
    def fit(
        self, series: Any, engine: Engine | None = None, rng: np.random.Generator | None = None
    ) -> Fit:
        """Learn the parameters from a series.

        The diagnostics name the phases that hold fewer than three periods (``unvisited``: their
        parameters are little more than the prior, or without meaning in maximum likelihood) and
        the streams without incidents (``empty``: nothing can be said of them).

        Raises
        ------
        ValueError
            If a random walk or random intercepts leave their scale to the data and the engine is
            not the sampler.
        """
        refuse_free_scales(type(self).__name__, (self.background,), engine)
        found = super().fit(series, engine, rng)
        held = phase_passes(self, found, vectors(found, None)).smoothed[0].sum(axis=0)
        total = series.counts.sum(axis=0)
        unvisited = [one for one, n in zip(self.phases, held, strict=True) if n < FEWEST]
        empty = [one for one, n in zip(series.names, total, strict=True) if n == 0]
        told = {**found.diagnostics, "unvisited": unvisited, "empty": empty}
        return replace(found, diagnostics=told)

    def problem(self, series: CountSeries) -> Problem:
        """The likelihood of the periods after the first `reach`."""
        from escalation.likelihood.regimes import regimes

        used, streams = self._accepted(series), series.n_streams
        layout = Layout(self.parameters(series))
        own = self.kernel_size(series)
        kernel: Kernel = self.kernel if self.reach else OneLag()
        column, multiplier, _ = self.predictor.places(layout, streams)
        return Problem(
            layout=layout,
            core=regimes,
            shape=kernel.lag_weights(),
            constants=kernel.lag_constants(max(self.reach, 1)),
            groups=np.arange(layout.size - own, layout.size)[None],
            data=self._data(layout, series, series.counts.astype(float)),
            structure=(column, multiplier, self.mix(series), self.place(layout, streams)),
            rates=self._rates(series, used),
            starts=phase_starts(self, layout, series),
            resample=lambda theta, rng: self._data(layout, series, self._again(theta, series, rng)),
            explosive=True,
        )

    def _data(
        self, layout: Layout, series: CountSeries, counts: FloatArray
    ) -> dict[str, FloatArray]:
        from escalation.likelihood.count_terms import count_tables

        used, edges = self.used(series), series.edges
        factor = self.predictor.places(layout, series.n_streams)[2]
        scale = np.log(np.where(used, series.scale, 1.0))
        return {
            "counts": np.ascontiguousarray(counts.T),
            "logs": np.ascontiguousarray(log_counts(series, counts)[0].T),
            **count_tables(counts, used.astype(float)),
            "used": used.astype(float),
            "offset": self.predictor.offset(series, edges) + scale,
            "design": self.predictor.design(series, edges) * factor[:, None],
        }

    # Answers -----------------------------------------------------------------------------------

    @override
    def means(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Expected counts (n, T, K) given the past, for draws theta (n, p); the estimate's if None.

        Over the phases, as probable as the past makes them. NaN in the first `reach` periods. Of
        another series, as `pointwise` takes it, where given.
        """
        return self._moments(fit, theta, series)[0]

    @override
    def variances(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Variances (n, T, K) of the counts given the past, the uncertain phase included."""
        mean, square = self._moments(fit, theta, series)
        return square - mean**2

    def _moments(
        self, fit: Fit, theta: FloatArray | None, series: CountSeries | None
    ) -> tuple[FloatArray, FloatArray]:
        """Mean and mean square (n, T, K) of the counts given the past."""
        rows, seen = vectors(fit, theta), series or fit.series
        found = phase_passes(self, fit, rows, seen)
        psi = dispersions(Layout(fit.parameters), rows, seen.n_streams)
        mean = np.zeros((len(rows), *seen.counts.shape))
        square = np.zeros_like(mean)
        for s in range(len(self.phases)):
            share, one = found.predicted[:, :, s, None], found.means(s)
            mean += share * one
            square += share * (one + one**2 * (1 if psi is None else 1 + psi[:, None]))
        mean[:, : self.reach] = square[:, : self.reach] = np.nan
        return mean, square

    @override
    def pointwise(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Log-likelihood (n, T, 1) of each period given those before: streams share the phase."""
        seen = series or fit.series
        out = phase_passes(self, fit, vectors(fit, theta), seen).density[:, :, None].copy()
        out[:, ~self.used(seen)] = np.nan
        return out

    def phases_of(
        self, fit: Fit, draws: int = 400, rng: np.random.Generator | None = None
    ) -> Phases:
        """Which phase it was when, how long phases last, and what comes next.

        Parameters
        ----------
        fit : Fit
        draws : int
            Draws of the parameters that the answers average over.
        rng : numpy.random.Generator, optional
            Seeded with 0 if not given.
        """
        rng = np.random.default_rng(0) if rng is None else rng
        return phases_of(self, fit, pick(fit.theta, draws, rng))

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
    def _begun(
        self, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
    ) -> FloatArray:
        return begun(self, theta, like, rng, burn_in)

    @override
    def _anew(self, theta: FloatArray, series: CountSeries, rng: np.random.Generator) -> FloatArray:
        return anew(self, theta, series, rng)
