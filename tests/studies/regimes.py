"""How often the smoothed phase is right, beside the smoother that knows the parameters.

``python tests/studies/regimes.py --sets 200`` prints the table of the documentation. Two or three
phases, 520 weeks, two or four streams; from one phase to the next all rates grow by the ratio.
Seeds are 0, 1, 2, …; no set is dropped. A period is right where its most probable phase, by the
smoothed probabilities averaged over the draws, is the true one. ``--weeks 2080 --ratios 2`` shows
how the gap closes with longer series. ``--out FOLDER`` keeps each set, so that a run goes on where
it stopped.
"""

import argparse
import json
import os
from datetime import date
from itertools import product
from pathlib import Path
from typing import Any

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from escalation.background import Background
from escalation.counts import Regimes
from escalation.counts.regime_paths import chain_of, phases_of
from escalation.counts.regimes import NAMES
from escalation.engines import NUTS, Engine, Laplace, MaximumLikelihood
from escalation.fit import Fit
from escalation.likelihood.phase_paths import walks
from escalation.parameters import Layout
from escalation.series import CountSeries

PERIODS, RATIOS = 520, (2.0, 4.0, 8.0)
#: Number of phases, and incidents a week of each stream in the quiet one.
CASES = {
    "two": (2, (1.0, 0.8, 0.6, 0.4)),
    "busy": (3, (1.0, 0.8, 0.6, 0.4)),
    "sparse": (3, (0.5, 0.3)),
}
ENGINES: dict[str, Engine] = {
    "maximum likelihood": MaximumLikelihood(draws=200),
    "Laplace": Laplace(draws=200),
    "NUTS": NUTS(draws=400, tune=400, chains=2),
}


def truth(case: str, ratio: float) -> dict[str, np.ndarray]:
    """Parameters: a season, stays of 33, 17 and 17 weeks, a dispersion of 0.3."""
    phases, rates = CASES[case]
    streams = len(rates)
    chain = {
        "stay": np.array([0.97, 0.94, 0.94])[:phases],
        "up": np.array([0.5]),
        "jump": np.array([[0.1], [0.0], [0.1]]),
    }
    return chain | {
        "level": np.log(rates),
        "season": np.resize([[0.2, 0.1], [-0.1, 0.1]], (streams, 2)),
        "rise": np.full(phases - 1, np.log(ratio)),
        "departure": np.zeros((phases - 1, streams - 1)),
        "dispersion": np.full(streams, 0.3),
    }


def model_of(case: str) -> Regimes:
    """The model with as many phases as the truth has."""
    return Regimes(NAMES[CASES[case][0]], background=Background(harmonics=1))


def one_set(
    case: str, ratio: float, seed: int, weeks: int = PERIODS
) -> tuple[CountSeries, np.ndarray, Fit]:
    """A series with its phases (T,), and a fit that knows the parameters."""
    model, streams = model_of(case), len(CASES[case][1])
    like = CountSeries.from_counts(np.zeros((weeks, streams)), date(2007, 1, 1), "week")
    layout = Layout(model.parameters(like))
    values = {p.name: truth(case, ratio)[p.name] for p in layout.parameters}
    theta = layout.pack(values)[None]
    rng = np.random.default_rng(seed)
    steps, begin, matrix = chain_of(model, layout, theta, like)
    phases = walks(begin, matrix, rng.random((1, weeks)))[0]
    log_mean = model.predictor.log_rates(layout, theta, like, like.edges)[0] + steps[0, phases]
    shape = 1 / values["dispersion"]
    counts = rng.poisson(np.exp(log_mean) * rng.gamma(shape, 1 / shape, (weeks, streams)))
    series = CountSeries.from_counts(counts, date(2007, 1, 1), "week", like.names)
    draws = {name: value[None] for name, value in values.items()}
    return series, phases, Fit(model, series, draws, values, 0.0, {}, "known")


def right(fit: Fit, phases: np.ndarray) -> float:
    """Share of the periods whose most probable phase is the true one."""
    model: Any = fit.model
    found = phases_of(model, fit, fit.theta[:: max(1, len(fit.theta) // 200)])
    return float((found.probability.argmax(axis=1) == phases).mean())


def figures(
    case: str, engine: str, ratio: float, seed: int, weeks: int = PERIODS
) -> dict[str, float]:
    """Accuracy of the fit and of the smoother that knows, and how well the engine did."""
    series, phases, known = one_set(case, ratio, seed, weeks)
    fit = model_of(case).fit(series, ENGINES[engine], np.random.default_rng(seed))
    told = fit.diagnostics
    settled = told["r_hat"] <= 1.01 if engine == NUTS.name else told["converged"]
    return {
        "fitted": right(fit, phases),
        "known": right(known, phases),
        "settled": float(settled),
        "unvisited": float(bool(told["unvisited"])),
        "rare": float(np.bincount(phases, minlength=CASES[case][0]).min()),
    }


def kept(
    case: str, engine: str, ratio: float, sets: int, folder: Path | None, weeks: int = PERIODS
) -> list[dict[str, float]]:
    """The sets of one cell of the table; those in the folder are not run again."""
    name = f"{case}_{engine.replace(' ', '_')}_{ratio:.0f}"
    name += "" if weeks == PERIODS else f"_{weeks}"
    file = None if folder is None else folder / f"{name}.jsonl"
    done = []
    if file is not None and file.exists():
        done = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    for seed in range(len(done), sets):
        done.append(figures(case, engine, ratio, seed, weeks))
        if file is not None:
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(done[-1]) + "\n")
    return done[:sets]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=200)
    parser.add_argument("--nuts", type=int, default=50, help="sets of the sampler")
    parser.add_argument("--engine", choices=tuple(ENGINES), help="one engine alone")
    parser.add_argument("--cases", nargs="+", choices=tuple(CASES), default=tuple(CASES))
    parser.add_argument("--ratios", nargs="+", type=float, default=RATIOS)
    parser.add_argument("--weeks", type=int, default=PERIODS, help="length of the series")
    parser.add_argument("--out", type=Path)
    asked = parser.parse_args()
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
    print("| case | rate ratio | engine | sets | right | who knows | behind by | error | median |"
          " behind by more than 5 | engine warned |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    engines = ENGINES if asked.engine is None else (asked.engine,)
    for engine, case, ratio in product(engines, asked.cases, asked.ratios):
        sets = asked.nuts if engine == NUTS.name else asked.sets
        found = kept(case, engine, ratio, sets, asked.out, asked.weeks)
        fitted, known = (100 * np.array([one[k] for one in found]) for k in ("fitted", "known"))
        behind = known - fitted
        error = behind.std() / np.sqrt(len(found))
        warned = sum(not one["settled"] for one in found)
        print(
            f"| {case} | {ratio:.0f} | {engine} | {len(found)} | {fitted.mean():.1f} | "
            f"{known.mean():.1f} | {behind.mean():.2f} | {error:.2f} | "
            f"{np.median(behind):.2f} | "
            f"{(behind > 5).sum()} | {warned} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
