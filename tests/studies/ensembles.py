"""Ensembles of baselines on three weekly series: what pooling, stacking and recalibration gain.

``python tests/studies/ensembles.py [--ucdp FILE] [--images FOLDER]`` forecasts influenza and
meningococcal disease (R package surveillance, ``../shared/references``), measles in the Weser-Ems
region and, with FILE, the four Pakistan streams of UCDP to the end of 2009, four weeks ahead from
origins every second or fourth week. Weights and maps of an origin are learned from what was known
then. It prints the tables of docs/ensembles.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import numpy as np
import polars as pl
from backtest_pakistan import CHOSEN, weekly

from escalation.backtest.tasks import Forecaster, Task, known_at
from escalation.baselines import (
    Analogue,
    Conflictology,
    ExponentialResampling,
    ExponentialSmoothing,
    Persistence,
    SeasonalGLM,
)
from escalation.ensemble import PastForecasts, recalibrated_over_time
from escalation.ensemble.recalibration import PRIOR
from escalation.forecast import Forecast
from escalation.scores import (
    crps_draws,
    diebold_mariano,
    log_score_draws,
    pairwise_skill,
    pit_bounds,
    pit_share,
    weighted_interval_score_draws,
)
from escalation.series import CountSeries
from escalation.window import FloatArray

REFERENCES = Path(__file__).parents[3] / "shared/references/data"
HORIZON, DRAWS = 4, 1000
MEMBERS: dict[str, Forecaster] = {
    "persistence": Persistence(),
    "conflictology": Conflictology(),
    "weighted resampling": ExponentialResampling(),
    "analogue": Analogue(),
    "seasonal GLM": SeasonalGLM(),
    "exponential smoothing": ExponentialSmoothing(),
}
EQUAL = "linear pool"


def series_of(name: str) -> CountSeries:
    """A weekly series of the references; weeks start on a Monday of about the right year."""
    file, start = {
        "influenza and meningococci": ("influMen.csv", date(2001, 1, 1)),
        "measles": ("measlesWeserEms_counts.csv", date(2001, 1, 1)),
    }[name]
    table = pl.read_csv(REFERENCES / file)
    columns = table.columns[1:]
    return CountSeries.from_counts(table.select(columns).to_numpy(), start, "week", columns)


def past_forecasts(series: CountSeries, first: int, every: int) -> PastForecasts:
    """Forecasts of all members from every origin, and what came."""
    forecasts, observed = [], []
    for at in range(first, len(series) - HORIZON + 1, every):
        known = known_at(series, Task("", 0, series.edges[at].item(), HORIZON, 0, DRAWS))
        rng = np.random.default_rng(np.random.SeedSequence([0, at]))
        forecasts.append(
            {
                name: model.fit(known.learned, rng=rng).forecast(HORIZON, rng, draws=DRAWS)
                for name, model in MEMBERS.items()
            }
        )
        observed.append(known.observed)
    return PastForecasts(forecasts, observed)


def ensembles(past: PastForecasts) -> tuple[dict[str, Sequence[Forecast]], FloatArray]:
    """Forecasts of members and ensembles by name, and the weights stacked by the log score."""
    rng = np.random.default_rng(1)
    even = np.full((len(past.forecasts), len(MEMBERS)), 1 / len(MEMBERS))
    made: dict[str, Sequence[Forecast]] = {
        name: [each[name] for each in past.forecasts] for name in MEMBERS
    }
    made[EQUAL] = past.pooled(even, rng=rng)
    made["quantile average"] = past.pooled(even, method="quantile average", rng=rng)
    kept = even
    for score in ("crps", "crps of logarithms", "log score"):
        kept = past.weights(score)
        made[f"stacked by {score}"] = past.pooled(kept, rng=rng)
    for name, prior in (("recalibrated", PRIOR), ("recalibrated, prior 10", 10.0)):
        made[f"pool {name}"] = recalibrated_over_time(
            made[EQUAL], past.observed, prior=prior, rng=rng
        )
    return made, kept


def scored(
    made: Mapping[str, Sequence[Forecast]], observed: Sequence[FloatArray], burn: int
) -> dict[str, dict[str, FloatArray]]:
    """Scores (origins, steps, streams) of each forecaster, without the first `burn` origins."""
    found = {}
    for name, forecasts in made.items():
        pairs = list(zip(forecasts, observed, strict=True))[burn:]
        ends = [pit_bounds(f.draws, y) for f, y in pairs]
        found[name] = {
            "crps": np.stack([crps_draws(f.draws, y) for f, y in pairs]),
            "log score": np.stack([log_score_draws(f.draws, y) for f, y in pairs]),
        } | {
            f"{level:.0%}": np.stack([pit_share(*each, level) for each in ends])
            for level in (0.5, 0.8, 0.9)
        }
    return found


def table(name: str, found: Mapping[str, Mapping[str, FloatArray]], overlap: int) -> None:
    """Print a table of the page."""
    reference = found[EQUAL]
    origins, _, streams = reference["crps"].shape
    print(f"\n**{name}**: {origins} origins, {streams} streams\n")
    print("| forecaster | CRPS / linear pool (90 %) | p | log score | 50 % | 80 % | 90 % |")
    print("|---|---|---|---|---|---|---|")
    for label, values in found.items():
        both = np.stack([reference["crps"], values["crps"]])
        skill = pairwise_skill(both, overlap=overlap, rng=np.random.default_rng(0))
        means = [x["crps"].mean(axis=(1, 2)) for x in (values, reference)]
        p = float(diebold_mariano(means[0], means[1], overlap).p_value)
        said = "" if np.isnan(p) else "< .01" if p < 0.01 else f"{p:.2f}"
        interval = f" ({skill.lower[1]:.3f} to {skill.upper[1]:.3f})" if label != EQUAL else ""
        shares = " | ".join(f"{100 * values[level].mean():.1f}" for level in ("50%", "80%", "90%"))
        print(
            f"| {label} | {skill.scaled[1]:.3f}{interval} | "
            f"{said} | {values['log score'].mean():.3f} | {shares} |"
        )


def pictures(
    past: PastForecasts,
    made: Mapping[str, Sequence[Forecast]],
    weights: FloatArray,
    burn: int,
    folder: Path,
) -> None:
    """Draw weights over time, and relative skill beside the parts of the WIS."""
    from escalation import plots

    with plots.style():
        drawn, axes = plots.figure(2.5)
        plots.ensemble_weights(axes[0, 0], past.weights_table(weights))
        drawn.savefig(folder / "ensemble_weights.png", dpi=160)
        drawn, axes = plots.figure(3.6, 1, 2)
        observed = np.stack(past.observed[burn:])
        drawn_as = {n: np.stack([f.draws for f in fs[burn:]], axis=1) for n, fs in made.items()}
        crps = np.stack([crps_draws(x, observed) for x in drawn_as.values()])
        found = pairwise_skill(
            crps, list(made).index(EQUAL), overlap=2, rng=np.random.default_rng(0)
        )
        plots.relative_skill(axes[0, 0], found, list(made))
        axes[0, 0].set_xlabel(f"CRPS relative to the {EQUAL}")
        wis = {n: weighted_interval_score_draws(x, observed) for n, x in drawn_as.items()}
        order = [list(made)[k] for k in np.argsort(found.scaled)]
        plots.wis_parts(axes[0, 1], {n: wis[n] for n in order})
        axes[0, 1].set_yticklabels([])
        axes[0, 1].set_xlabel("weighted interval score")
        drawn.savefig(folder / "score_parts.png", dpi=160)


def main() -> None:
    """Forecast, score, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ucdp", type=Path)
    parser.add_argument("--images", type=Path)
    given = parser.parse_args()
    cases = {
        "influenza and meningococci": (series_of("influenza and meningococci"), 78, 4, 12),
        "measles": (series_of("measles"), 40, 2, 8),
    }
    if given.ucdp is not None:
        cases["UCDP Pakistan to 2009"] = (weekly(given.ucdp, CHOSEN), 52, 2, 12)
    for name, (series, first, every, burn) in cases.items():
        past = past_forecasts(series, first, every)
        made, weights = ensembles(past)
        table(name, scored(made, past.observed, burn), -(-HORIZON // every))
        if given.images is not None and name.startswith("influenza"):
            pictures(past, made, weights, burn, given.images)


if __name__ == "__main__":
    main()
