"""Coverage of forecasts of series simulated from known parameters, judged on the PIT.

``python tests/studies/forecast_coverage.py --sets 400`` prints the table of the documentation,
``--model latent`` (or another of `MODELS`) that of another model, ``--case prior`` that of truths
drawn anew from the priors for each set, where a Bayesian forecast must hold its level exactly.
Seeds are 0, 1, 2, …; no set is dropped. Shares of the mass of the non-randomised PIT in the
central 50, 80 and 90 % (right: 50, 80, 90), and beside them how often the closed 90 % interval held
the count and how often the forecast itself says it should: intervals of counts hold more than their
level, the more so the sparser the counts.
"""

import argparse
import json
import os
from datetime import date
from pathlib import Path

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from escalation.background import Background
from escalation.counts import (
    Autoregression,
    EndemicEpidemic,
    GaussianProcess,
    Hurdle,
    Ingarch,
    Latent,
    LogLinear,
    RandomWalk,
    Regimes,
)
from escalation.counts.model import CountModel
from escalation.engines import NUTS, Engine, Laplace, MaximumLikelihood
from escalation.forecast import Forecast
from escalation.scores import coverage, implied_coverage, pit_bounds, pit_share
from escalation.series import CountSeries

PERIODS, HORIZON, LEVELS = 200, 12, (0.5, 0.8, 0.9)
SUMS = (4, HORIZON)
SEASONAL = Background(harmonics=1)
MODELS: dict[str, CountModel] = {
    "endemic-epidemic": EndemicEpidemic(background=SEASONAL, lags=6),
    "log-linear": LogLinear(background=SEASONAL, lags=1),
    "ingarch": Ingarch(background=SEASONAL),
    "latent": Latent(background=SEASONAL),
    "latent walk with contagion": Latent(RandomWalk(), True, background=SEASONAL, lags=6),
    "latent Gaussian process": Latent(GaussianProcess(), background=SEASONAL),
    "latent, numbers given": Latent(Autoregression(28.0, 0.6, 0.8), background=SEASONAL),
    "latent walk, scale given": Latent(RandomWalk(28.0, 0.2), background=SEASONAL),
    "latent walk with contagion, scale given": Latent(
        RandomWalk(28.0, 0.2), True, background=SEASONAL, lags=6
    ),
    "latent Gaussian process, numbers given": Latent(
        GaussianProcess(300.0, 0.6), background=SEASONAL
    ),
    "hurdle": Hurdle(occurrence=SEASONAL, size=SEASONAL, lags=6),
    "regimes": Regimes(background=SEASONAL),
}
CASES = {
    "busy": np.log([1.5, 1.0]),
    "sparse": np.log([0.25, 0.15]),
}
PRIOR = "prior"
ENGINES: dict[str, Engine] = {
    "maximum likelihood": MaximumLikelihood(draws=500, starts=2),
    "Laplace": Laplace(draws=500),
    "NUTS": NUTS(draws=400, tune=400, chains=2),
}
WHAT = ("step 1", "steps 1 to 12", "sum of 4 steps", "sum of 12 steps")


def truth(
    case: str, model: CountModel, like: CountSeries, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Parameters of two streams; of the first model the means are some 3.4 and 2.6, or .6 and .4.

    The innovations of a latent path are drawn anew for each set; for the case "prior" everything.
    """
    if case == PRIOR:
        drawn = model.layout(like).sample_prior(rng, 1)
        return {name: values[0] for name, values in drawn.items()}
    season = np.array([[0.3, 0.1], [-0.1, 0.2]])
    influence = np.array([[0.4, 0.1], [-0.2, 0.3]])
    values = {
        "level": CASES[case],
        "season": season,
        "reproduction": np.array([[0.4, 0.2], [0.1, 0.4]]),
        "dispersion": np.array([0.3, 0.2]),
        "decay": np.array(0.7),
        "influence": influence,
        "past_obs": np.array([[[0.3, 0.1], [0.1, 0.3]]]),
        "past_mean": np.array([[0.25, 0.25]]),
        "path_scale": np.array(0.2 if model == MODELS["latent walk with contagion"] else 0.6),
        "persistence": np.array(0.8),
        "length": np.array(300.0),
        "occurrence_level": np.array([0.8, 0.4] if case == "busy" else [-2.0, -1.5]),
        "occurrence_season": season,
        "occurrence_influence": influence,
        "size_level": CASES[case] / 2,
        "size_season": season,
        "size_influence": influence / 2,
        "rise": np.array([1.0, 1.0]),
        "departure": np.array([[0.2], [-0.2]]),
        "stay": np.array([0.95, 0.92, 0.92]),
        "up": np.array([0.5]),
        "jump": np.array([[0.1], [0.0], [0.1]]),
    }
    parameters = model.parameters(like)
    return {
        p.name: rng.standard_normal(p.shape) if p.name == "path" else values[p.name]
        for p in parameters
    }


def one_set(case: str, model: CountModel, engine: Engine, seed: int) -> dict[str, np.ndarray]:
    """PIT ends, whether the intervals held the counts, and what the forecast said of that."""
    rng = np.random.default_rng(seed)
    like = CountSeries.from_counts(
        np.zeros((PERIODS + HORIZON, 2)), date(2015, 1, 5), "week", ["a", "b"]
    )
    whole = model.simulate(truth(case, model, like, rng), like, rng)
    past, coming = whole.split(whole.edges[PERIODS].item())
    forecast = model.fit(past, engine, rng).forecast(HORIZON, rng, 2000)
    seen = coming.counts.astype(float)
    parts = {
        WHAT[0]: (forecast.draws[:, :1], seen[:1]),
        WHAT[1]: (forecast.draws, seen),
    }
    for what, steps in zip(WHAT[2:], SUMS, strict=True):
        total = forecast.draws[:, :steps].sum(axis=1, keepdims=True)
        parts[what] = (total, seen[:steps].sum(axis=0, keepdims=True))
    return {what: figures(draws, counts) for what, (draws, counts) in parts.items()}


def figures(draws: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Means over cells: PIT mass in the central intervals, coverage of 90 %, implied coverage."""
    low, high = pit_bounds(draws, counts)
    masses = [pit_share(low, high, level).mean() for level in LEVELS]
    edges = np.array([date(2015, 1, 5)], "datetime64[D]") + 7 * np.arange(len(counts) + 1)
    made = Forecast(draws, edges, ("a", "b"), date(2015, 1, 5), "", np.zeros((0, 2)), edges[:1])
    ends = made.interval(0.9)
    held = coverage(ends[0], ends[1], counts).mean()
    return np.array([*masses, held, implied_coverage(draws, ends[0], ends[1]).mean()])


def table(case: str, model: str, engine: str, sets: int, folder: Path | None) -> list[str]:
    """Rows of the documentation's table, with the standard error of the 90 % share over sets.

    Sets that the folder's file holds are not run again.
    """
    file = None if folder is None else folder / f"{model} {case} {engine}.jsonl".replace(" ", "_")
    lines = file.read_text("utf-8").splitlines() if file is not None and file.exists() else []
    found = [{w: np.array(v) for w, v in json.loads(line).items()} for line in lines[:sets]]
    for seed in range(len(found), sets):
        found.append(one_set(case, MODELS[model], ENGINES[engine], seed))
        if file is not None:
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps({w: list(v) for w, v in found[-1].items()}) + "\n")
    rows = []
    for what in WHAT:
        if any(what not in one for one in found):
            continue  # A store from before this was judged.
        values = np.array([one[what] for one in found])
        mean, error = values.mean(axis=0), values[:, 2].std() / np.sqrt(sets)
        cells = " | ".join(f"{100 * value:.1f}" for value in mean[:3])
        rows.append(
            f"| {case} | {engine} | {what} | {sets} | {cells} | {100 * error:.1f} | "
            f"{100 * mean[3]:.1f} | {100 * mean[4]:.1f} |"
        )
    return rows


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=400)
    parser.add_argument("--nuts", type=int, default=100, help="sets of the sampler")
    parser.add_argument("--engine", choices=tuple(ENGINES), help="one engine alone")
    parser.add_argument("--model", choices=tuple(MODELS), default="endemic-epidemic")
    parser.add_argument("--case", choices=(*CASES, PRIOR), help="one truth alone")
    parser.add_argument("--out", type=Path, help="folder of the sets that are done")
    asked = parser.parse_args()
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
    print("| truth | engine | forecast | sets | PIT in 50 % | in 80 % | in 90 % | error |"
          " 90 % interval held | forecast implies |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for case in CASES if asked.case is None else (asked.case,):
        for engine in ENGINES if asked.engine is None else (asked.engine,):
            sets = asked.nuts if engine == NUTS.name else asked.sets
            rows = table(case, asked.model, engine, sets, asked.out)
            print("\n".join(rows), flush=True)


if __name__ == "__main__":
    main()
