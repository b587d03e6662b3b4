"""The INGARCH model of counts with an identity link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NoReturn, override

import numpy as np

from escalation.background import Background, Interventions, coefficient_places
from escalation.counts.model import CountModel, refuse_dynamics
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
    early_edges,
    used_periods,
    vectors,
    watched,
)
from escalation.counts.response import Response
from escalation.dynamics import arrow_mask
from escalation.engines import Problem
from escalation.fit import Fit, pick
from escalation.forecast import Forecast, future_edges
from escalation.kernels import OneLag
from escalation.parameters import BoolArray, FloatArray, HalfNormal, Layout, Parameter
from escalation.series import CountSeries, stream_place
from escalation.window import DateArray

STARTS = ("twenty generations", "marginal mean", "condition")
GENERATIONS = 20
#: Means above this are no counts.
HIGHEST = 1e15


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
        past, typical = _past(series, counts)
        return {
            "counts": counts,
            "past": past,
            "typical": typical,
            **count_tables(counts, used),
            "used": used,
            "scale": series.scale,
            "design": design_matrix(self.background, series, series.edges),
            "added": self._added(series, series.edges),
        }

    def _added(self, fitted: CountSeries, edges: DateArray) -> FloatArray:
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
        mean = self._states(theta[None], series, series)[0] * series.scale[:, None]
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
        return self._states(vectors(fit, theta), fit.series, seen) * seen.scale[:, None]

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
            counts[:, h] = mean[:, h] = np.minimum(self._fed(values, counts, mean, h), HIGHEST)
        return Response(mean[:, self.reach :].copy(), names, stream, fit.series.period)

    @override
    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> Forecast:
        """Predictive draws; an unwatched period of the recent past counts as a typical one."""
        series, lags = fit.series, self.reach
        theta = pick(fit.theta, draws, rng)
        past, typical = _past(series, series.counts.astype(float))
        mean = self._states(theta, series, series)
        # A series shorter than the longest lag goes on before its beginning.
        short = max(0, lags - len(series))
        before = self._before(theta, series, typical)
        head = np.repeat(before[:, None], short, axis=1)
        counts = np.concatenate([head, np.broadcast_to(past, mean.shape)], axis=1)[:, -lags:]
        edges = future_edges(series, horizon)
        paths = self._run(
            theta, series, counts, np.concatenate([head, mean], axis=1)[:, -lags:], typical,
            self._endemic(theta, series, edges), np.ones(horizon), rng,
        )  # fmt: skip
        return Forecast.after(series, paths, model=self.name)

    @override
    def _begun(
        self, theta: FloatArray, like: CountSeries, rng: np.random.Generator, burn_in: int
    ) -> FloatArray:
        layout = Layout(self.parameters(like))
        places = coefficient_places(layout, like.n_streams)
        endemic = np.exp(early_design(self.background, like, burn_in) @ theta[0, places].T)
        if self.interventions is not None:
            added = self._added(like, early_edges(like, burn_in))
            endemic = endemic + added @ layout.unpack(theta)["added"][0].T
        head = np.zeros((1, self.reach, like.n_streams))
        return self._run(
            theta, like, head, head, np.zeros(like.n_streams), endemic[None],
            np.concatenate([np.ones(burn_in), like.scale]), rng,
        )[:, burn_in:]  # fmt: skip

    # Paths -------------------------------------------------------------------------------------

    @override
    def _anew(self, theta: FloatArray, series: CountSeries, rng: np.random.Generator) -> FloatArray:
        """Series (n, T, K); under "condition" the periods up to the longest lag as observed."""
        past, typical = _past(series, series.counts.astype(float))
        lags, kept = self.reach, 0
        before = np.repeat(self._before(theta, series, typical)[:, None], lags, axis=1)
        counts, mean = before, before
        if self.start == "condition":
            kept = lags
            counts = np.repeat(past[None, :lags], len(theta), axis=0)
            mean = self._states(theta, series, series)[:, :lags]
        paths = self._run(
            theta, series, counts, mean, typical,
            self._endemic(theta, series, series.edges[kept:]), series.scale[kept:], rng,
        )  # fmt: skip
        head = np.repeat(series.counts[None, :kept].astype(float), len(theta), axis=0)
        return np.concatenate([head, paths], axis=1)

    def _run(
        self,
        theta: FloatArray,
        series: CountSeries,
        counts: FloatArray,
        mean: FloatArray,
        typical: FloatArray,
        endemic: FloatArray,
        scale: FloatArray,
        rng: np.random.Generator,
    ) -> FloatArray:
        """Paths (n, H, K), infinite beyond the cap, after counts and means (n, L, K)."""
        layout = Layout(self.parameters(series))
        values, psi = layout.unpack(theta), dispersions(layout, theta, series.n_streams)
        lags, horizon = self.reach, len(scale)
        empty = np.zeros((len(theta), horizon, series.n_streams))
        past, means = (np.concatenate([one, empty], axis=1) for one in (counts, mean))
        paths, gone = empty.copy(), np.zeros(len(theta), bool)
        for h in range(horizon):
            now = endemic[:, h] + self._fed(values, past, means, lags + h)
            gone |= (now > CAP).any(axis=1)
            now[gone] = 0.0
            drawn = draw_counts((scale[h] * now)[None], psi, rng)[0]
            means[:, lags + h], paths[:, h] = now, drawn
            past[:, lags + h] = drawn if scale[h] >= 1 - 1e-9 else typical
            paths[gone, h] = np.inf
        return paths

    def _fed(
        self, values: Mapping[str, FloatArray], counts: FloatArray, mean: FloatArray, at: int
    ) -> FloatArray:
        """What earlier counts and means (n, T, K) contribute at one period, (n, K)."""
        out = np.zeros((len(counts), counts.shape[2]))
        for i, lag in enumerate(self.past_obs):
            out += np.einsum("nkj,nj->nk", values["past_obs"][:, i], counts[:, at - lag])
        for m, lag in enumerate(self.past_mean):
            out += values["past_mean"][:, m] * mean[:, at - lag]
        return out

    def _states(self, theta: FloatArray, fitted: CountSeries, series: CountSeries) -> FloatArray:
        """Means (n, T, K) of fully watched periods."""
        values = Layout(self.parameters(fitted)).unpack(theta)
        past, _ = _past(series, series.counts.astype(float))
        _, typical = _past(fitted, fitted.counts.astype(float))
        lags = self.reach
        before = np.repeat(self._before(theta, fitted, typical)[:, None], lags, axis=1)
        endemic = self._endemic(theta, fitted, series.edges)
        counts = np.concatenate([before, np.broadcast_to(past, endemic.shape)], axis=1)
        mean = np.concatenate([before, endemic], axis=1)
        for t in range(lags, lags + len(series)):
            # Draws without a stationary mean may leave every bound within a long series.
            mean[:, t] = np.minimum(mean[:, t] + self._fed(values, counts, mean, t), HIGHEST)
        return mean[:, lags:]

    def _endemic(self, theta: FloatArray, fitted: CountSeries, edges: DateArray) -> FloatArray:
        """Background and additive interventions (n, T, K)."""
        layout = Layout(self.parameters(fitted))
        design = design_matrix(self.background, fitted, edges)
        coefficients = theta[:, coefficient_places(layout, fitted.n_streams)]
        out: FloatArray = np.exp(np.einsum("tp,nkp->ntk", design, coefficients))
        if self.interventions is not None:
            effects = layout.unpack(theta)["added"]
            out += np.einsum("ti,nki->ntk", self._added(fitted, edges), effects)
        return out

    def _before(self, theta: FloatArray, series: CountSeries, typical: FloatArray) -> FloatArray:
        """What stands for counts and means before the first period, (n, K).

        Where a draw has no marginal mean, the mean count.
        """
        streams = series.n_streams
        usual = np.tile(typical, (len(theta), 1))
        if self.start == "condition":
            return usual
        values = Layout(self.parameters(series)).unpack(theta)
        total = np.zeros((len(theta), streams, streams))
        if self.past_obs:
            total += values["past_obs"].sum(axis=1)
        if self.past_mean:
            total += values["past_mean"].sum(axis=1)[:, :, None] * np.eye(streams)
        flat = np.exp(values["level"])
        if self.start == "twenty generations":
            found = flat
            for _ in range(GENERATIONS):
                found = np.minimum(flat + np.einsum("nkj,nj->nk", total, found), HIGHEST)
            return found
        try:
            found = np.linalg.solve(np.eye(streams) - total, flat[:, :, None])[:, :, 0]
        except np.linalg.LinAlgError:
            return usual
        return np.where((found > 0).all(axis=1, keepdims=True), found, usual)


def _past(series: CountSeries, counts: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Counts (T, K) with the stream's mean where not watched throughout, and the mean (K,)."""
    whole = watched(series)
    typical = counts[whole].mean(axis=0) if whole.any() else np.zeros(counts.shape[1])
    return np.where(whole[:, None], counts, typical), typical


def _lags(lags: tuple[int, ...], period: str) -> str:
    """Lags in words: "1 and 13 weeks"."""
    last = " and ".join(str(lag) for lag in lags[-2:])
    told = ", ".join([*(str(lag) for lag in lags[:-2]), last])
    return f"{told} {period}{'' if lags == (1,) else 's'}"
