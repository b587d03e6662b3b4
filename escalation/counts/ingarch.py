"""The INGARCH model of counts with an identity link."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, NoReturn, override

import numpy as np

from escalation.background import Background, Interventions, coefficient_places
from escalation.counts.ingarch_paths import (
    GENERATIONS,
    HIGHEST,
    anew,
    begun,
    fed,
    onward,
    past_counts,
    states,
)
from escalation.counts.model import CountModel, refuse_dynamics
from escalation.counts.periods import (
    DISPERSIONS,
    DISTRIBUTIONS,
    check_choice,
    design_matrix,
    dispersion_parameter,
    dispersion_places,
    used_periods,
    vectors,
)
from escalation.counts.response import Response
from escalation.dynamics import arrow_mask
from escalation.engines import Problem
from escalation.fit import Fit, pick
from escalation.forecast import Forecast
from escalation.kernels import OneLag
from escalation.parameters import BoolArray, FloatArray, Layout, Parameter
from escalation.priors import HalfNormal
from escalation.series import CountSeries, stream_place
from escalation.window import DateArray

STARTS = ("twenty generations", "marginal mean", "condition")


@dataclass(frozen=True)
class Ingarch(CountModel):
    r"""Counts whose mean is a sum over given earlier counts and earlier means.

    .. math::
        y_{tk} \mid \text{past} \sim \mathrm{NB}(e_t\lambda_{tk}, \psi_k), \qquad
        \lambda_{tk} = b_k(t) + v_t'\iota_k + \sum_{l}\sum_j \beta_{lkj}\, y_{t-l,j}
        + \sum_m \alpha_{mk} \lambda_{t-m,k}

    :math:`b_k` is the background, v are interventions that *add* to the mean (those of the
    background multiply it), l runs over `past_obs` and m over `past_mean`. Both are carried on by
    the feedback :math:`\alpha`, as `tscount` does by default. Nothing is negative: for effects
    that lower the counts take `LogLinear`.

    Attributes
    ----------
    past_obs : tuple of int
        Lags of the counts.
    past_mean : tuple of int
        Lags of the means.
    background : Background
    interventions : Interventions, optional
        Additive level shifts and spikes, with an effect of zero or more on each stream.
    distribution : {"negative binomial", "poisson"}
    dispersion : {"stream", "shared"}
        One :math:`\psi` a stream, or one for all.
    arrows : tuple of tuples of bool, optional
        ``arrows[k][j]`` is false where stream j is not followed by more of k. None: all allowed.
    start : {"twenty generations", "marginal mean", "condition"}
        What stands for counts and means before the first period. ``"twenty generations"``: the mean
        of the process without season, trend and interventions, as far as its incidents have
        ancestors no more than twenty generations back. It is a polynomial in the parameters and
        exists for all of them; where the effects of the past sum to 0.8 it is 99 % of the marginal
        mean. ``"marginal mean"``, the convention of tscount: all generations. It grows beyond all
        bounds where the effects sum to one, and the likelihood ends there. Under both every period
        is in the likelihood. ``"condition"``: the mean count; the periods up to the longest lag are
        left out of the likelihood.

    References
    ----------
    Ferland, Latour & Oraichi (2006), Journal of Time Series Analysis 27(6); Fokianos, Rahbek &
    Tjøstheim (2009), Journal of the American Statistical Association 104; Liboschik, Fokianos &
    Fried (2017), Journal of Statistical Software 82(5), for the conventions of tscount.

    Examples
    --------
    >>> from datetime import date
    >>> import numpy as np
    >>> counts = np.random.default_rng(1).poisson(3.0, 60)
    >>> series = CountSeries.from_counts(counts, date(2024, 1, 1), "week", ["attacks"])
    >>> Ingarch(past_obs=(1,), past_mean=(13,)).fit(series).estimate["past_obs"].shape
    (1, 1, 1)
    """

    past_obs: tuple[int, ...] = (1,)
    past_mean: tuple[int, ...] = (1,)
    background: Background = field(default_factory=lambda: Background(harmonics=0))
    interventions: Interventions | None = None
    distribution: str = "negative binomial"
    dispersion: str = "stream"
    arrows: tuple[tuple[bool, ...], ...] | None = None
    start: str = "twenty generations"

    name = "INGARCH"
    settles = "do the effects of the past sum to less than 1"
    #: A count raised by the mean before it has no parent: no R, no shares.
    additive: ClassVar[bool] = False

    def __post_init__(self) -> None:
        check_choice("distribution", self.distribution, DISTRIBUTIONS)
        check_choice("dispersion", self.dispersion, DISPERSIONS)
        check_choice("start", self.start, STARTS)
        for name in ("past_obs", "past_mean"):
            lags = getattr(self, name)
            if any(lag < 1 for lag in lags) or len(set(lags)) != len(lags):
                raise ValueError(f"{name} wants different lags of 1 or more, got {lags}")

    @property
    @override
    def reach(self) -> int:
        """The longest lag."""
        return max((*self.past_obs, *self.past_mean), default=1)

    # What the specification declares -----------------------------------------------------------

    def parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """Background, added, past_obs, past_mean, dispersion, in this order."""
        streams = series.n_streams
        unit = f"incidents per {series.period}"
        out = [*self.background.parameters(streams, series.window.days, unit)]
        if self.interventions is not None:
            named = self.interventions.names
            out.append(
                Parameter(
                    "added", (streams, len(named)), "nonnegative", HalfNormal(10.0),
                    "what is added to the mean " + ", ".join(named), unit,
                    ("stream", "intervention"),
                )
            )  # fmt: skip
        # Explosive prior draws stay under 1 %, up to twelve streams and four lags.
        spread = max(1, len(self.past_obs) + len(self.past_mean)) ** -0.65
        mask = np.broadcast_to(
            arrow_mask(self.arrows, streams), (len(self.past_obs), streams, streams)
        )
        scale = np.full((streams, streams), 0.28 * spread / streams)
        np.fill_diagonal(scale, 0.3 * spread)
        if self.past_obs:
            out.append(
                Parameter(
                    "past_obs", mask.shape, "nonnegative", HalfNormal(scale),
                    f"effect of counts {_lags(self.past_obs, series.period)} before", "",
                    ("lag", "target", "source"), None if mask.all() else mask.copy(),
                )
            )  # fmt: skip
        if self.past_mean:
            out.append(
                Parameter(
                    "past_mean", (len(self.past_mean), streams), "nonnegative",
                    HalfNormal(0.3 * spread),
                    f"effect of the mean {_lags(self.past_mean, series.period)} before", "",
                    ("lag", "stream"),
                )
            )  # fmt: skip
        if self.distribution == "negative binomial":
            out.append(dispersion_parameter(self.dispersion, streams))
        return tuple(out)

    @override
    def used(self, series: CountSeries) -> BoolArray:
        """Which periods (T,) the likelihood uses."""
        before = 0 if self.start == "condition" else self.reach
        return used_periods(series, self.reach, before)

    # Fitting -----------------------------------------------------------------------------------

    def problem(self, series: CountSeries) -> Problem:
        """The likelihood; see `start` for its first periods."""
        from escalation.likelihood.ingarch import ingarch

        used, streams = self._accepted(series), series.n_streams
        layout = Layout(self.parameters(series))
        place = [
            layout.start("added") if self.interventions is not None else -1,
            layout.start("past_obs") if self.past_obs else -1,
            layout.start("past_mean") if self.past_mean else -1,
            {"condition": 0, "marginal mean": -1}.get(self.start, GENERATIONS),
            layout.start("level"),
            *dispersion_places(layout, streams),
        ]
        mean = self._rates(series, used)
        return Problem(
            layout=layout,
            core=ingarch,
            shape=OneLag().lag_weights(),
            constants=np.ones(1),
            groups=np.zeros((1, 0), np.int64),
            data=self._data(series, series.counts.astype(float)),
            structure=(
                coefficient_places(layout, streams),
                np.array(self.past_obs, np.int64),
                np.array(self.past_mean, np.int64),
                np.array(place, np.int64),
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

        used = self.used(series).astype(float)
        past, typical = past_counts(series, counts)
        return {
            "counts": counts,
            "past": past,
            "typical": typical,
            **count_tables(counts, used),
            "used": used,
            "scale": series.scale,
            "design": design_matrix(self.background, series, series.edges),
            "added": self.added_columns(series, series.edges),
        }

    def added_columns(self, fitted: CountSeries, edges: DateArray) -> FloatArray:
        """Columns (T, I) of the additive interventions."""
        if self.interventions is None:
            return np.zeros((len(edges) - 1, 0))
        times = (edges - fitted.edges[0]).astype(np.float64)
        return self.interventions.columns(fitted.window.start, times[:-1], times[1:])

    def _starts(
        self, layout: Layout, series: CountSeries, mean: FloatArray
    ) -> tuple[FloatArray, ...]:
        mask = arrow_mask(self.arrows, series.n_streams)
        out = []
        for observed, before in ((0.3, 0.2), (0.1, 0.6), (0.6, 0.05)):
            values: dict[str, FloatArray] = {p.name: np.zeros(p.shape) for p in layout.parameters}
            observed *= bool(self.past_obs)
            before *= bool(self.past_mean)
            values["level"] = np.log(mean * (1 - observed - before))
            if self.past_obs:
                cross = 0.02 + (observed - 0.02) * np.eye(series.n_streams)
                share = np.where(mask, cross, 0.0) / len(self.past_obs)
                values["past_obs"] = np.broadcast_to(share, values["past_obs"].shape)
            if self.past_mean:
                values["past_mean"] += before / len(self.past_mean)
            if self.interventions is not None:
                values["added"] += 0.1 * mean[:, None]
            if "dispersion" in values:
                values["dispersion"] = np.full_like(values["dispersion"], 0.1)
            out.append(layout.pack(values))
        return tuple(out)

    def _moments(self, theta: FloatArray, series: CountSeries) -> tuple[FloatArray, FloatArray]:
        used = self.used(series)
        mean = states(self, theta[None], series, series)[0] * series.scale[:, None]
        return series.counts[used].astype(float), mean[used]

    # Answers -----------------------------------------------------------------------------------

    @override
    def means(
        self, fit: Fit, theta: FloatArray | None = None, series: CountSeries | None = None
    ) -> FloatArray:
        """Expected counts (n, T, K) given the past, for draws theta (n, p); the estimate's if None.

        Of another series, as `pointwise` takes it, where given.
        """
        seen = series or fit.series
        return states(self, vectors(fit, theta), fit.series, seen) * seen.scale[:, None]

    @override
    def dynamics(self, fit: Fit) -> NoReturn:
        refuse_dynamics(self)

    def response(
        self,
        fit: Fit,
        stream: str,
        horizon: int = 12,
        rng: np.random.Generator | None = None,
        draws: int = 400,
    ) -> Response:
        """What one more incident in a stream, in the last period of the series, is followed by.

        The mean is linear in the past: the answer is exact for each draw of the parameters.

        Parameters
        ----------
        fit : Fit
        stream : str
        horizon : int
            Periods.
        rng : numpy.random.Generator, optional
            Seeded with 0 if not given.
        draws : int
            Draws of the parameters.

        Raises
        ------
        ValueError
            For an unknown stream, or a horizon below one period.
        """
        names, extra = fit.series.names, stream_place(fit.series.names, stream)
        if horizon < 1:
            raise ValueError(f"horizon must be at least 1 period, got {horizon}")
        rng = np.random.default_rng(0) if rng is None else rng
        values = Layout(fit.parameters).unpack(pick(fit.theta, draws, rng))
        counts = np.zeros((draws, self.reach + horizon, len(names)))
        mean = counts.copy()
        counts[:, self.reach - 1, extra] = 1.0
        for h in range(self.reach, self.reach + horizon):
            counts[:, h] = mean[:, h] = np.minimum(fed(self, values, counts, mean, h), HIGHEST)
        return Response(mean[:, self.reach :].copy(), names, stream, fit.series.period)

    @override
    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> Forecast:
        """Predictive draws; an unwatched period of the recent past counts as a typical one."""
        paths = onward(self, pick(fit.theta, draws, rng), fit.series, horizon, rng)
        return Forecast.after(fit.series, paths, model=self.name)

    @override
    def _begun(
        self, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
    ) -> FloatArray:
        return begun(self, theta, like, rng, burn_in)

    @override
    def _anew(self, theta: FloatArray, series: CountSeries, rng: np.random.Generator) -> FloatArray:
        return anew(self, theta, series, rng)


def _lags(lags: tuple[int, ...], period: str) -> str:
    """Lags in words: "1 and 13 weeks"."""
    last = " and ".join(str(lag) for lag in lags[-2:])
    told = ", ".join([*(str(lag) for lag in lags[:-2]), last])
    return f"{told} {period}{'' if lags == (1,) else 's'}"
