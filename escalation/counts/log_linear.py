"""The log-linear model of counts, in which one stream may lower another."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import override

import numpy as np

from escalation.background import Background, coefficient_places
from escalation.counts.model import SignedModel
from escalation.counts.paths import CAP, draw_counts
from escalation.counts.periods import (
    DISPERSIONS,
    DISTRIBUTIONS,
    check_choice,
    design_matrix,
    dispersion_parameter,
    dispersion_places,
    dispersions,
    early_design,
    lagged_past,
    latest_logs,
    log_counts,
    vectors,
)
from escalation.counts.signs import Signs
from escalation.dynamics import arrow_mask
from escalation.engines import Problem
from escalation.fit import Fit
from escalation.forecast import future_edges
from escalation.kernels import Kernel, OneLag
from escalation.parameters import FloatArray, Layout, Parameter
from escalation.priors import Beta, Normal
from escalation.series import CountSeries


@dataclass(frozen=True)
class LogLinear(SignedModel):
    r"""Counts whose *log*-mean moves with earlier counts, up or down.

    .. math::
        y_{tk} \mid \text{past} &\sim \mathrm{NB}(\mu_{tk},\ \mathrm{var} = \mu_{tk}
        (1 + \psi_k\mu_{tk})), \qquad \log\mu_{tk} = \log e_t + \log b_k(t) + z_{tk}

        z_{tk} &= \delta_k z_{t-1,k} + (1 - \delta_k) \sum_j A_{kj} \sum_{l=1}^{L} w_l
        \log(1 + y_{t-l,j})

    The influence A is signed: where :math:`A_{kj} < 0`, acts of j are followed by *fewer* of k
    (deterrence), which no additive model can say. :math:`A_{kj}` is the lasting change of the
    log-mean of k for a lasting change of :math:`\log(1 + y_j)` by one. :math:`b_k` is the
    background: the mean after a past without incidents; :math:`e_t` the exposure; :math:`w` the
    kernel's lag weights, which sum to one.

    The feedback :math:`\delta_k \in (0, 1)` is that of Fokianos & Tjøstheim (2011), written for
    the deviation of the log-mean from its background: with one stream, a constant background and
    one lag their :math:`\nu_t = d + a\nu_{t-1} + b\log(1 + y_{t-1})` has :math:`a = \delta`,
    :math:`b = (1-\delta)A` and :math:`d = (1-\delta)\log b_k`. It is a geometric memory without
    end of the receiving stream.

    Counts settle where the spectral radius of :math:`\max(A, 0)` is below 1, whatever the
    feedback; negative entries cannot make them explode. The first L periods are conditioned on,
    and so is every period whose past L periods were not watched throughout. There, and before the
    first period, the recursion of the feedback takes the stream's mean of log(1 + y).

    Attributes
    ----------
    kernel : Kernel
        `OneLag` for plain autoregression, or any kernel with a `pmf`; its time runs in periods.
    background : Background
    distribution : {"negative binomial", "poisson"}
    dispersion : {"stream", "shared"}
        One :math:`\psi` a stream, or one for all.
    arrows : tuple of tuples of bool, optional
        ``arrows[k][j]`` is false where stream j has no influence on k. None: all allowed.
    feedback : bool
        Whether there is a :math:`\delta` a stream; without, it is zero.
    lags : int
        L; with `OneLag` the periods before the last one are conditioned on and not used, so that
        models of different kernels can be compared.

    References
    ----------
    Fokianos & Tjøstheim (2011), Journal of Multivariate Analysis 102(3), section 2; Fokianos,
    Støve, Tjøstheim & Doukhan (2020), Bernoulli 26(1), for several streams; Liboschik, Fokianos &
    Fried (2017), Journal of Statistical Software 82(5).

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> counts = np.random.default_rng(1).poisson(3.0, (80, 2))
    >>> series = CountSeries.from_counts(counts, date(2024, 1, 1), "week", ["strikes", "attacks"])
    >>> model = LogLinear(background=Background(harmonics=0), lags=1)
    >>> model.signs(model.fit(series)).table().columns[-2:]
    ['p_negative', 'p_positive']
    """

    kernel: Kernel = field(default_factory=OneLag)
    background: Background = field(default_factory=Background)
    distribution: str = "negative binomial"
    dispersion: str = "stream"
    arrows: tuple[tuple[bool, ...], ...] | None = None
    feedback: bool = False
    lags: int = 12

    name = "log-linear"
    settles = "is the spectral radius of the positive influence < 1"

    def __post_init__(self) -> None:
        check_choice("distribution", self.distribution, DISTRIBUTIONS)
        check_choice("dispersion", self.dispersion, DISPERSIONS)
        if self.lags < 1:
            raise ValueError(f"lags must be at least 1, got {self.lags}")

    # What the specification declares -----------------------------------------------------------

    def parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """Background, influence, feedback, dispersion, kernel, in this order."""
        streams = series.n_streams
        mask = arrow_mask(self.arrows, streams)
        unit = f"incidents per {series.period}"
        # Fewer than 1 % of prior draws of max(A, 0) have a spectral radius of 1, to 12 streams.
        influence = Parameter(
            "influence", mask.shape, "real", Normal(0.0, 0.36 / streams**0.35),
            "lasting change of the target's log-mean for a change of log(1 + y) of the source",
            "log ratio", ("target", "source"), None if mask.all() else mask,
        )  # fmt: skip
        out = [*self.background.parameters(streams, series.window.days, unit), influence]
        if self.feedback:
            out.append(
                Parameter(
                    "feedback", (streams,), "unit", Beta(2.0, 2.0),
                    "share of the log-mean's deviation that lasts to the next period", "",
                    ("stream",),
                )
            )  # fmt: skip
        if self.distribution == "negative binomial":
            out.append(dispersion_parameter(self.dispersion, streams))
        return (*out, *self.kernel.parameters(series.period))

    # Fitting -----------------------------------------------------------------------------------

    def problem(self, series: CountSeries) -> Problem:
        """The likelihood of the periods after the first `lags`."""
        from escalation.likelihood.log_linear import log_linear

        used, streams = self._accepted(series), series.n_streams
        layout = Layout(self.parameters(series))
        own = self.kernel_size(series)
        place = [layout.start("influence"), layout.start("feedback") if self.feedback else -1]
        mean = self._rates(series, used)
        return Problem(
            layout=layout,
            core=log_linear,
            shape=self.kernel.lag_weights(),
            constants=self.kernel.lag_constants(self.lags),
            groups=np.arange(layout.size - own, layout.size)[None],
            data=self._data(series, series.counts.astype(float)),
            structure=(
                coefficient_places(layout, streams),
                np.array(place + dispersion_places(layout, streams), np.int64),
            ),
            rates=mean,
            starts=self._starts(layout, series, mean),
            resample=lambda theta, rng: self._data(series, self._again(theta, series, rng)),
            rows=layout.rows(streams),
            moments=lambda theta: self._moments(theta, series),
            explosive=True,
        )

    def _data(self, series: CountSeries, counts: FloatArray) -> dict[str, FloatArray]:
        from escalation.likelihood.count_terms import count_tables

        used = self.used(series)
        logs, typical = log_counts(series, counts)
        scale = np.where(used, series.scale, 1.0)
        return {
            "counts": np.ascontiguousarray(counts.T),
            "logs": np.ascontiguousarray(logs.T),
            "typical": typical,
            **count_tables(counts, used.astype(float)),
            "used": used.astype(float),
            "log_scale": np.log(scale),
            "design": np.ascontiguousarray(design_matrix(self.background, series, series.edges).T),
        }

    def _starts(
        self, layout: Layout, series: CountSeries, mean: FloatArray
    ) -> tuple[FloatArray, ...]:
        mask = arrow_mask(self.arrows, series.n_streams)
        _, typical = log_counts(series, series.counts.astype(float))
        out = []
        for own, memory, delay in ((0.2, 0.3, 1.0), (0.05, 0.7, 3.0), (0.4, 0.1, 0.5)):
            values: dict[str, FloatArray] = {p.name: np.zeros(p.shape) for p in layout.parameters}
            influence = np.where(mask, own * np.eye(series.n_streams), 0.0)
            values |= {"level": np.log(mean) - influence @ typical, "influence": influence}
            if self.feedback:
                values["feedback"] = np.full(series.n_streams, memory)
            if "dispersion" in values:
                values["dispersion"] = np.full_like(values["dispersion"], 0.3)
            theta = layout.pack(values)
            theta[layout.size - self.kernel_size(series) :] = self.kernel.start(delay)
            out.append(theta)
        return tuple(out)

    def _moments(self, theta: FloatArray, series: CountSeries) -> tuple[FloatArray, FloatArray]:
        used = self.used(series)
        mean = self._means(theta[None], series, series)[0]
        return series.counts[used].astype(float), mean[used]

    # Answers -----------------------------------------------------------------------------------

    @override
    def means(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Expected counts (n, T, K) given the past, for draws theta (n, p); the estimate's if None.

        NaN in the first `lags` periods. Of another series, as `pointwise` takes it, where given.
        """
        return self._means(vectors(fit, theta), fit.series, series or fit.series)

    def signs(self, fit: Fit) -> Signs:
        """Does j raise or lower k? The influence matrix with the probability of each sign."""
        mask = arrow_mask(self.arrows, fit.series.n_streams)
        return Signs(np.array(fit.draws["influence"]), fit.series.names, mask)

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
        logs, typical = log_counts(series, series.counts.astype(float))
        history = latest_logs(logs, self.lags, extra)
        state = np.zeros((len(theta), series.n_streams))
        if self.feedback:
            state = self._states(theta, series, logs, typical)[:, -1]
        theta, state = (np.repeat(one, repeats, axis=0) for one in (theta, state))
        design = design_matrix(self.background, series, future_edges(series, horizon))
        return self._run(theta, series, history, state, typical, design, np.ones(len(design)), rng)

    @override
    def _begun(
        self, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
    ) -> FloatArray:
        streams = like.n_streams
        return self._run(
            theta, like, np.zeros((1, 1, self.lags, streams)), np.zeros((1, streams)),
            np.zeros(streams), early_design(self.background, like, burn_in),
            np.concatenate([np.ones(burn_in), like.scale]), rng,
        )[0][0, :, burn_in:]  # fmt: skip

    @override
    def _anew(self, theta: FloatArray, series: CountSeries, rng: np.random.Generator) -> FloatArray:
        logs, typical = log_counts(series, series.counts.astype(float))
        influence = Layout(self.parameters(series)).unpack(theta)["influence"]
        design = design_matrix(self.background, series, series.edges[self.lags :])
        paths = self._run(
            theta, series, logs[None, None, : self.lags], influence @ typical, typical, design,
            series.scale[self.lags :], rng,
        )[0][0]  # fmt: skip
        head = np.repeat(series.counts[None, : self.lags].astype(float), len(theta), axis=0)
        return np.concatenate([head, paths], axis=1)

    def _run(
        self,
        theta: FloatArray,
        series: CountSeries,
        history: FloatArray,
        state: FloatArray,
        typical: FloatArray,
        design: FloatArray,
        scale: FloatArray,
        rng: np.random.Generator,
    ) -> tuple[FloatArray, FloatArray]:
        """Counts and means, both (c, n, H, K) and infinite beyond the cap, of c copies.

        After a history (c, 1, L, K) of log(1 + y) and the deviation (n, K) it has led to.
        """
        layout = Layout(self.parameters(series))
        copies, draws, horizon = len(history), len(theta), len(design)
        influence = layout.unpack(theta)["influence"]
        weights, psi = self.lag_draws(theta, series), dispersions(layout, theta, series.n_streams)
        delta = self._delta(layout, theta)
        level = np.einsum(
            "tp,nkp->tnk", design, theta[:, coefficient_places(layout, series.n_streams)]
        )
        shape = (copies, draws, self.lags + horizon, series.n_streams)
        logs = np.zeros(shape)
        logs[:, :, : self.lags] = history
        paths, means = np.zeros(shape)[:, :, self.lags :], np.zeros(shape)[:, :, self.lags :]
        gone = np.zeros(draws, bool)
        deviation = np.repeat(state[None], copies, axis=0)
        for h in range(horizon):
            past = np.einsum("nl,cnlj->cnj", weights, logs[:, :, h : h + self.lags][:, :, ::-1])
            pulled = np.einsum("nkj,cnj->cnk", influence, past)
            deviation = delta * deviation + (1 - delta) * pulled
            mean = scale[h] * np.exp(np.minimum(level[h] + deviation, 700.0))
            gone |= (mean > CAP).any(axis=(0, 2))
            mean[:, gone] = 0.0
            counts = draw_counts(mean, psi, rng)
            logs[:, :, self.lags + h] = np.log1p(counts) if scale[h] >= 1 - 1e-9 else typical
            paths[:, :, h], means[:, :, h] = counts, mean
            paths[:, gone, h] = means[:, gone, h] = np.inf
        return paths, means

    def _means(self, theta: FloatArray, fitted: CountSeries, series: CountSeries) -> FloatArray:
        layout = Layout(self.parameters(fitted))
        logs, _ = log_counts(series, series.counts.astype(float))
        _, typical = log_counts(fitted, fitted.counts.astype(float))
        design = design_matrix(self.background, fitted, series.edges)
        places = coefficient_places(layout, fitted.n_streams)
        out = np.einsum("tp,nkp->ntk", design, theta[:, places])
        out += self._states(theta, fitted, logs, typical)
        out = np.exp(np.minimum(out, 700.0)) * series.scale[:, None]
        out[:, : self.lags] = np.nan
        return np.asarray(out, float)

    def _states(
        self, theta: FloatArray, series: CountSeries, logs: FloatArray, typical: FloatArray
    ) -> FloatArray:
        """Deviations of the log-mean from its background (n, T, K); the first L do not count."""
        layout = Layout(self.parameters(series))
        influence = layout.unpack(theta)["influence"]
        past = lagged_past(logs, self.lag_draws(theta, series))
        out: FloatArray = np.einsum("nkj,ntj->ntk", influence, past)
        if self.feedback:
            delta = self._delta(layout, theta)
            before = influence @ typical
            for t in range(self.lags, len(logs)):
                out[:, t] = before = delta * before + (1 - delta) * out[:, t]
        return out

    def _delta(self, layout: Layout, theta: FloatArray) -> FloatArray:
        """Feedback (n, K), or (1, 1) zeros."""
        return layout.unpack(theta)["feedback"] if self.feedback else np.zeros((1, 1))
