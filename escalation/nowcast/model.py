"""Nowcast: how many incidents of the last periods were not reported yet."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, NoReturn, override

import numpy as np

from escalation.counts.model import refuse_dynamics
from escalation.counts.paths import draw_counts
from escalation.counts.periods import check_choice, vectors
from escalation.engines import NUTS, Engine, Laplace, Problem
from escalation.fit import Fit, Model, pick
from escalation.kernels import OneLag
from escalation.nowcast.fitted import NowcastFit
from escalation.nowcast.nested import NestedLaplace
from escalation.nowcast.triangle import IntArray, ReportingTriangle
from escalation.parameters import FloatArray, Layout, Parameter
from escalation.priors import Beta, HalfNormal, Normal

DELAYS = ("shared", "stream")


@dataclass(frozen=True)
class Nowcast(Model):
    r"""Counts by period t and delay d: negative binomial totals that delays split.

    .. math::
        N_{tk} &\sim \mathrm{NB}(\lambda_{tk},\ \mathrm{var} = \lambda_{tk}(1 + \psi_k
        \lambda_{tk})), \qquad
        (n_{t0k}, \dots, n_{tDk}) \mid N_{tk} \sim \mathrm{DirMult}(N_{tk},\ p_t / \psi_k)

        \log\lambda_{tk} &= \log e_t + \alpha_k + \sigma_k \sum_{i \le t} m_{ik}, \qquad
        m_{ik} = \rho\, m_{i-1,k} + \sqrt{1 - \rho^2}\, z_{ik}, \qquad
        z_{ik} \sim \mathrm{N}(0, 1)

        \mathrm{logit}\, h_{td} &= -\log(D - d) + \gamma_d + f_{t + d} + \omega_{w(t + d)},
        \qquad p_{td} = h_{td} \prod_{j < d} (1 - h_{tj})

    The rate moves with momentum :math:`\rho`: a random walk at zero, and a trend that is slow to
    turn towards one (an integrated autoregression). :math:`h_{td}` is the probability that an
    incident that was not reported in the first d periods is reported in the next
    (:math:`h_{tD} = 1`). One :math:`\psi` is the overdispersion of totals *and* of delays: then
    the cells of a period are independent negative binomial numbers of shape
    :math:`p_{td}/\psi`, so what was not reported yet is left out exactly, without a sum over it.
    Swings of the totals themselves go to the walk.

    **Do the delays change?** The pace of reporting f moves over the periods *in which reports
    come*, for all delays and streams alike, and returns to its mean: an autoregression, from days
    off (no memory) to slow changes (much memory). ``pace=False`` holds one law of delays for the
    whole triangle. ``weekday=True``, for days, gives each day of the week on which reports may
    come an effect.

    The target is what is reported **within D periods**: what comes later still is left out.

    Attributes
    ----------
    change : float or None
        Standard deviation of a period's move of the log-rate; None: learned.
    delays : {"shared", "stream"}
        One law of delays for all streams, or each its own.
    pace, weekday : bool
        Whether the pace of reporting moves, and whether it differs between days of the week.
    momentum : bool
        Whether a move of the log-rate takes after the one before it.

    References
    ----------
    Höhle & an der Heiden (2014), Biometrics 70(4), for hazards of the delay and for nowcasts of
    the counts; McGough, Johansson, Lipsitch & Menzies (2020), PLOS Computational Biology 16(4),
    for the random walk; Stoner & Economou (2020), Biometrics 76(3), for the Dirichlet-multinomial
    law of delays.

    Examples
    --------
    >>> from datetime import date
    >>> from escalation.engines import Laplace
    >>> from escalation.window import Window
    >>> counts = np.random.default_rng(0).poisson([3.0, 2.0, 1.0], (30, 3))[:, :, None]
    >>> edges = np.datetime64("2024-01-01") + 7 * np.arange(31)
    >>> window = Window(date(2024, 1, 1), date(2024, 7, 29))
    >>> triangle = ReportingTriangle(counts, edges, ("raids",), window)
    >>> fit = Nowcast(change=0.2, pace=False).fit(triangle, Laplace())
    >>> fit.table(last=2)["reported"].to_list() == triangle.reported[-2:, 0].tolist()
    True
    """

    change: float | None = None
    delays: str = "shared"
    pace: bool = True
    momentum: bool = False
    weekday: bool = False

    name = "nowcast"

    def __post_init__(self) -> None:
        check_choice("delays", self.delays, DELAYS)
        if self.change is not None and not self.change > 0:
            raise ValueError(f"change must be positive, got {self.change}")

    def parameters(self, series: ReportingTriangle) -> tuple[Parameter, ...]:
        """Levels, scale of the moves, moves, delays, pace, days of the week, dispersion."""
        streams, longest, period = series.n_streams, series.longest, series.period
        each: tuple[tuple[int, ...], tuple[str, ...]] = (streams,), ("stream",)
        law: tuple[tuple[int, ...], tuple[str, ...]] = ((), ())
        if self.delays == "stream":
            law = each
        out = [
            Parameter("level", each[0], "real", Normal(1.0, 2.0), "log-rate of the first period",
                      f"log incidents per {period}", each[1])
        ]  # fmt: skip
        if self.change is None:
            out.append(
                Parameter("change", each[0], "nonnegative", HalfNormal(0.4),
                          f"standard deviation of the move of the log-rate from a {period} to the "
                          "next", "log ratio", each[1])
            )  # fmt: skip
        if self.momentum:
            out.append(
                Parameter("momentum", (), "unit", Beta(2.0, 2.0),
                          f"what a move of the log-rate keeps of that of the {period} before")
            )  # fmt: skip
        out += [
            Parameter("moves", (len(series) - 1, streams), "real",
                      Normal(0.0, 1.0 if self.change is None else self.change),
                      "moves of the log-rate" + ", in units of their scale" *
                      (self.change is None), "", ("move", "stream"), penalised=True),
            Parameter("delay", (*law[0], longest), "real", Normal(0.0, 1.5),
                      "log-odds of a report after so many periods if not before, beside those of "
                      "even delays", "log odds ratio", (*law[1], "delay")),
        ]  # fmt: skip
        if self.pace:
            out += [
                Parameter("pace", (), "nonnegative", HalfNormal(0.5),
                          f"standard deviation of the log-odds of a report among {period}s",
                          "log odds ratio"),
                Parameter("pace_memory", (), "unit", Beta(2.0, 2.0),
                          f"what a {period} keeps of the pace of the one before"),
                Parameter("pace_moves", (len(series),), "real", Normal(0.0, 1.0),
                          "moves of the pace, in units of their scale", "", ("report",)),
            ]  # fmt: skip
        if self.weekday:
            out.append(
                Parameter("weekday", (6,), "real", Normal(0.0, 0.5),
                          "effect of the day of the week on these log-odds, Monday to Saturday; "
                          "all seven sum to zero", "log odds ratio", ("day",))
            )  # fmt: skip
        out.append(
            Parameter("dispersion", each[0], "nonnegative", HalfNormal(0.5),
                      "overdispersion of totals and delays", "", each[1])
        )  # fmt: skip
        return tuple(out)

    # Fitting -----------------------------------------------------------------------------------

    @override
    def fit(
        self,
        series: ReportingTriangle,
        engine: Engine | None = None,
        rng: np.random.Generator | None = None,
    ) -> NowcastFit:
        """Learn rates and delays from a triangle.

        Parameters
        ----------
        series : ReportingTriangle
        engine : Engine, optional
            NUTS if not given. Laplace integrates rates, delays and pace out, and takes seconds.
            Maximum likelihood wants a given `change` and neither pace nor momentum.
        rng : numpy.random.Generator, optional
            Seeded with 0 if not given.

        Raises
        ------
        ValueError
            If the series is no triangle, has less than 3 periods, or none of them is watched; if
            maximum likelihood is asked to learn `change`, pace or momentum; if effects of the day
            of the week are asked of weeks or months.
        """
        if not isinstance(series, ReportingTriangle):
            raise ValueError(f"Nowcast needs a ReportingTriangle, got {type(series).__name__}")
        engine = engine or NUTS()
        learns = self.change is None or self.pace or self.momentum
        if learns and engine.name not in (NUTS.name, Laplace.name):
            raise ValueError(
                "Nowcast wants NUTS or Laplace, or a given change, pace=False and momentum=False"
            )
        if self.weekday and series.period != "day":
            raise ValueError(f"effects of the day of the week want days, not {series.period}s")
        if len(series) < 3 or not (series.scale > 0).any():
            raise ValueError(f"a nowcast wants 3 periods, some of them watched; got {series!r}")
        if isinstance(engine, Laplace):
            engine = NestedLaplace(engine.draws)
        found = super().fit(series, engine, rng)
        return NowcastFit(**{item.name: getattr(found, item.name) for item in fields(Fit)})

    def problem(self, series: ReportingTriangle) -> Problem:
        """The likelihood of what could have been reported by now."""
        from escalation.likelihood.nowcast import nowcast

        layout, kernel = Layout(self.parameters(series)), OneLag()
        mean = series.reported.sum(axis=0) / max(float(series.scale.sum()), 1.0)
        return Problem(
            layout=layout,
            core=nowcast,
            shape=kernel.lag_weights(),
            constants=kernel.lag_constants(1),
            groups=np.zeros((1, 0), np.int64),
            data=self._data(self.cells(series), series),
            structure=(self._places(layout),),
            rates=np.maximum(mean, 2e-3),
            starts=self._starts(layout, series),
            resample=lambda theta, rng: self._again(series, theta, rng),
            bounds={"dispersion": (0.0, 50.0)},
        )

    def cells(self, series: ReportingTriangle) -> FloatArray:
        """Counts (T, D + 1, K), -1 where a cell is not known."""
        unknown = ~series.known | (series.scale <= 0)[:, None]
        return np.ascontiguousarray(np.where(unknown[:, :, None], -1.0, series.counts))

    def _data(self, cells: FloatArray, series: ReportingTriangle) -> dict[str, Any]:
        from escalation.likelihood.nowcast import triangle_tables

        tables = triangle_tables(cells, series.scale)
        return {"counts": cells, **tables, **self._calendar(series)}

    def _calendar(self, series: ReportingTriangle) -> dict[str, Any]:
        size, longest = len(series), series.longest
        day = np.full(size + longest, -1, np.int64)
        if self.weekday:
            # 1970-01-01 was a Thursday.
            first = int(series.edges[0].astype(np.int64)) + 3
            day = (first + np.arange(size + longest)) % 7
        return {
            "scale": series.scale,
            "weekday": day,
            "offset": -np.log(longest - np.arange(longest, dtype=float)),
        }

    def _places(self, layout: Layout) -> IntArray:
        found = {p.name: p for p in layout.parameters}

        def place(name: str) -> int:
            return layout.start(name) if name in found else -1

        own = self.delays == "stream"
        return np.array(
            [place("level"), place("change"), place("moves"), place("delay"), place("pace"), own,
             place("weekday"), place("dispersion"), place("momentum")], np.int64,
        )  # fmt: skip

    def _again(
        self, series: ReportingTriangle, theta: FloatArray, rng: np.random.Generator
    ) -> dict[str, Any]:
        drawn = self._anew(theta[None], series, rng)[0]
        cells = np.where(self.cells(series) < 0, -1.0, drawn)
        return self._data(np.ascontiguousarray(cells), series)

    def _starts(self, layout: Layout, series: ReportingTriangle) -> tuple[FloatArray, ...]:
        known = series.known[:, :, None] * np.ones(series.n_streams)
        arrived = np.where(known, series.counts, 0).astype(float)
        # At the last delay known, and beyond it, of the periods whose delay d is known.
        own = arrived.sum(axis=(0, 2))
        later = [(arrived[:, d:] * known[:, d, None]).sum() for d in range(series.longest)]
        hazard = (own[:-1] + 0.5) / (np.array(later) + 1.0)
        offset = self._calendar(series)["offset"]
        delay = np.clip(np.log(hazard / (1 - np.minimum(hazard, 0.99))) - offset, -3.0, 3.0)
        share = np.concatenate([np.cumsum(_shares(hazard)), np.ones(len(series))])
        seen = share[np.minimum(np.arange(len(series))[::-1], series.longest)]
        level = np.log((series.reported.sum(axis=0) + 0.5) / max(float(
            (series.scale * seen).sum()), 1.0))  # fmt: skip
        out = []
        for change, psi in ((0.1, 0.1), (0.3, 0.02)):
            values = {p.name: np.zeros(p.shape) for p in layout.parameters}
            values["level"] += level
            values["delay"] += delay
            values["dispersion"] += psi
            for name, size in (
                ("change", change),
                ("pace", change),
                ("pace_memory", 0.5),
                ("momentum", 0.3),
            ):
                if name in values:
                    values[name] += size
            out.append(layout.pack(values))
        return tuple(out)

    # Answers -----------------------------------------------------------------------------------

    def rates(
        self, theta: FloatArray, series: ReportingTriangle
    ) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Rates (n, T, K), shares of the delays (n, T, D + 1, K), dispersion (n, K) of draws."""
        from escalation.likelihood.nowcast_draws import rates_and_shares

        layout = Layout(self.parameters(series))
        place = self._places(layout)
        calendar = self._calendar(series)
        rate, share = rates_and_shares(
            np.ascontiguousarray(theta), series.n_streams, *calendar.values(), place
        )
        return rate, share, theta[:, place[7] : place[7] + series.n_streams]

    @override
    def pointwise(
        self, fit: Fit, theta: FloatArray | None = None, series: ReportingTriangle | None = None
    ) -> FloatArray:
        """Log-probability (n, T, K) of what each period has reported so far; NaN if unwatched."""
        from scipy.special import gammaln

        from escalation.likelihood.nowcast import triangle_tables
        from escalation.likelihood.nowcast_draws import row_log_probability

        if series is not None and series is not fit.series:
            raise ValueError("a nowcast is of one triangle: fit the other one")
        rate, share, psi = self.rates(vectors(fit, theta), fit.series)
        cells = self.cells(fit.series)
        tables = triangle_tables(cells, fit.series.scale)
        same = -gammaln(np.maximum(cells, 0.0) + 1.0).sum(axis=1)
        found = row_log_probability(
            rate, share, np.ascontiguousarray(psi), tables["total"], tables["exceed"],
            tables["cell"], np.where(cells[:, 0] < 0, np.nan, same),
        )  # fmt: skip
        return np.asarray(found)

    def _anew(
        self, theta: FloatArray, series: ReportingTriangle, rng: np.random.Generator
    ) -> FloatArray:
        """Whole triangles (n, T, D + 1, K), what is not yet reported included."""
        rate, share, psi = self.rates(theta, series)
        spread = psi[:, None, None, :] / np.maximum(share, 1e-12)
        out: FloatArray = draw_counts((rate[:, :, None] * share)[None], spread, rng)[0]
        return out

    @override
    def replicate(self, fit: Fit, rng: np.random.Generator, draws: int = 100) -> FloatArray:
        """Triangles (draws, T, D + 1, K) from draws of the parameters, all cells filled."""
        return self._anew(pick(fit.theta, draws, rng), fit.series, rng)

    @override
    def dynamics(self, fit: Fit) -> NoReturn:
        refuse_dynamics(self)

    @override
    def forecast(
        self, fit: Fit, horizon: int, rng: np.random.Generator, draws: int = 1000
    ) -> NoReturn:
        raise ValueError(
            "Nowcast tells what happened and was not reported yet: fit_over_nowcasts(model, fit) "
            "carries it into a model of counts, which forecasts"
        )


def _shares(hazard: FloatArray) -> FloatArray:
    """Shares (D,) of the delays before the last one."""
    left = np.concatenate([[1.0], np.cumprod(1 - hazard)[:-1]])
    out: FloatArray = hazard * left
    return out
