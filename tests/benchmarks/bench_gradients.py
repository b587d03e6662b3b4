"""Gradient of every family beside that of the endemic-epidemic model. Never asserts.

``python tests/benchmarks/bench_gradients.py [families] [hurdle] [latent] [nowcast]`` prints
processor time in units of an endemic-epidemic gradient on the same counts (520 weeks, four streams,
twelve lags), measured in turn in the same run: the median over rounds, and their quartiles.
"""

import argparse
import time
from collections.abc import Callable
from datetime import date
from typing import Any

import numpy as np

from escalation import DeathRecords, Nowcast, ReportingTriangle, Severity
from escalation.counts import (
    Autoregression,
    EndemicEpidemic,
    GaussianProcess,
    Hurdle,
    Ingarch,
    Latent,
    LogLinear,
    Panel,
    RandomWalk,
    Regimes,
)
from escalation.series import CountSeries
from escalation.window import Window

ROUNDS, CALLS = 25, 60
WEEKS, STREAMS = 520, 4
PATHS = {
    "random walk, 4 weeks a move": RandomWalk(),
    "random walk, 1 week a move": RandomWalk(7.0),
    "autoregression, 4 weeks a move": Autoregression(),
    "autoregression, 1 week a move": Autoregression(7.0),
    "Gaussian process": GaussianProcess(),
}
#: Prepared likelihoods by label.
Calls = dict[str, Callable[[], object]]


def gradient(model: Any, series: Any) -> Callable[[], object]:
    """The compiled likelihood of a model at its first start."""
    problem = model.problem(series)
    theta = problem.starts[0]
    share = problem.shares[0] if problem.shares else problem.structure
    given = (theta, problem.kernels(theta)[0], *problem.data.values(), *share)
    problem.core(*given)
    return lambda: problem.core(*given)


def ratios(title: str, calls: Calls, series: CountSeries) -> None:
    """Print each call's time over that of the endemic-epidemic model on a series of counts."""
    base = gradient(EndemicEpidemic(), series)
    rows = []
    for _ in range(ROUNDS):
        row = []
        for call in (base, *calls.values()):
            start = time.process_time()
            for _ in range(CALLS):
                call()
            row.append((time.process_time() - start) / CALLS * 1e6)
        rows.append(row)
    spent = np.array(rows)
    low, middle, high = np.quantile(spent[:, 1:] / spent[:, :1], [0.25, 0.5, 0.75], axis=0)
    print(f"{title}: one endemic-epidemic gradient {np.median(spent[:, 0]):.0f} us", flush=True)
    for label, a, b, c in zip(calls, low, middle, high, strict=True):
        print(f"  {label:48} {b:5.2f}  ({a:.2f} to {c:.2f})", flush=True)


def weekly(rng: np.random.Generator, rate: float) -> CountSeries:
    """Counts of every week and stream, Poisson."""
    counts = rng.poisson(rate, (WEEKS, STREAMS))
    return CountSeries.from_counts(counts, date(2010, 1, 4), "week")


def triangle(rng: np.random.Generator, series: CountSeries, longest: int) -> ReportingTriangle:
    """The same counts, reported with delays: four of ten of those left in each week."""
    law = 0.4 * 0.6 ** np.arange(longest + 1)
    law[-1] += 1 - law.sum()
    cells = rng.multinomial(series.counts.astype(int), law)
    edges = np.datetime64("2010-01-04") + 7 * np.arange(WEEKS + 1).astype("timedelta64[D]")
    window = Window(edges[0].item(), edges[-1].item())
    return ReportingTriangle(np.moveaxis(cells, 2, 1), edges, series.names, window, "week")


def deaths(rng: np.random.Generator, series: CountSeries) -> DeathRecords:
    """Deaths of each of the incidents, known to an interval."""
    stream = np.repeat(np.arange(STREAMS), series.counts.sum(axis=0).astype(int))
    best = np.floor(np.exp(rng.normal(0.5, 1.2, stream.size))).astype(int)
    return DeathRecords.from_deaths(
        best, low=best // 2, high=best + rng.poisson(0.3 * best), stream=stream
    )


def nowcasts(rng: np.random.Generator, series: CountSeries) -> Calls:
    """Nowcasts of triangles with shorter and longer delays."""
    out = {}
    for longest in (4, 8):
        one = triangle(rng, series, longest)
        out[f"nowcast, {longest + 1} cells a week"] = gradient(Nowcast(), one)
        out[f"nowcast, {longest + 1} cells, one law of delays"] = gradient(Nowcast(pace=False), one)
        out[f"nowcast, {longest + 1} cells, delays by stream"] = gradient(
            Nowcast(delays="stream"), one
        )
    return out


def families(rng: np.random.Generator) -> None:
    """Every family at two incidents a week and stream."""
    series = weekly(rng, 2.0)
    models = {
        "log-linear": LogLinear(),
        "ingarch": Ingarch(),
        "latent, random walk": Latent(RandomWalk()),
        "latent, random walk, contagion": Latent(RandomWalk(), contagion=True),
        "hurdle": Hurdle(),
        "two phases": Regimes(("quiet", "escalated")),
        "three phases": Regimes(),
        "three phases, influence": Regimes(influence=True),
        "three phases, Poisson": Regimes(distribution="poisson"),
        "four phases": Regimes(tuple("abcd")),
        "four phases, influence": Regimes(tuple("abcd"), influence=True),
        "panel": Panel(),
    }
    calls: Calls = {label: gradient(model, series) for label, model in models.items()}
    records = deaths(rng, series)
    for figures in ("best", "interval"):
        cells = len(Severity(deaths=figures).problem(records).data["weight"])
        label = f"severity, {figures}: {len(records)} incidents, {cells} cells"
        calls[label] = gradient(Severity(deaths=figures), records)
    ratios("every family", calls | nowcasts(rng, series), series)


def nowcast(rng: np.random.Generator) -> None:
    """Nowcasts of fewer and of more incidents."""
    for rate in (0.3, 10.0, 60.0):
        series = weekly(rng, rate)
        ratios(f"nowcast at {rate} a week and stream", nowcasts(rng, series), series)


def hurdle(rng: np.random.Generator) -> None:
    """Hurdles at four shares of empty weeks."""
    for rate in (0.3, 0.7, 2.0, 8.0):
        counts = rng.poisson(rate * rng.gamma(1.0, 1.0, (WEEKS, STREAMS)))
        series = CountSeries.from_counts(counts, date(2010, 1, 4), "week")
        calls = {
            f"hurdle, {law}": gradient(Hurdle(distribution=law), series)
            for law in ("poisson", "negative binomial")
        }
        ratios(f"{(counts > 0).mean():.0%} of the weeks not empty", calls, series)


def latent(rng: np.random.Generator) -> None:
    """Every latent path, with and without contagion."""
    series, calls = weekly(rng, 2.0), {}
    for name, path in PATHS.items():
        calls[name] = gradient(Latent(path), series)
        calls[f"{name}, contagion"] = gradient(Latent(path, contagion=True), series)
    ratios("latent", calls, series)


PARTS = {"families": families, "hurdle": hurdle, "latent": latent, "nowcast": nowcast}


def main() -> None:
    """Print the tables that are asked for, or all."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []], default=[])
    for part in parser.parse_args().parts or PARTS:
        PARTS[part](np.random.default_rng(0))


if __name__ == "__main__":
    main()
