"""The level behind the violence in Pakistan, 2007 to 2016, alone and beside contagion.

``python tests/studies/latent_pakistan.py FILE`` reads UCDP's events of Pakistan, counts the four
streams of the study in ``data/pakistan`` by week, fits latent models by NUTS and prints the tables
of the documentation; ``--image FILE`` draws the paths, ``--scores`` foretells the fighting between
state and TTP one week ahead.
"""

import argparse
import os
import time
from datetime import date
from pathlib import Path

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from escalation import read
from escalation.background import Background
from escalation.checks import compare
from escalation.counts import (
    Autoregression,
    EndemicEpidemic,
    GaussianProcess,
    Latent,
    LatentPath,
    RandomWalk,
)
from escalation.engines import NUTS
from escalation.fit import Model
from escalation.plots import figure, latent_path, style
from escalation.series import CountSeries
from escalation.study import Study
from escalation.window import Window

STUDY = Path(__file__).parents[2] / "data/pakistan/study.toml"
START, END, FIRST = date(2007, 1, 1), date(2017, 1, 1), date(2012, 1, 2)
FLAT = Background(harmonics=0)
MODELS = {
    "autoregression": Latent(background=FLAT),
    "autoregression and contagion": Latent(contagion=True, background=FLAT),
    "random walk": Latent(RandomWalk(), background=FLAT),
    "Gaussian process": Latent(GaussianProcess(), background=FLAT),
    "Gaussian process and contagion": Latent(GaussianProcess(), True, background=FLAT),
    "contagion alone": EndemicEpidemic(background=FLAT),
}
SCORED: dict[str, Model] = {
    "latent": Latent(Autoregression(), background=FLAT),
    "latent and contagion": Latent(Autoregression(), True, background=FLAT, lags=4),
    "endemic-epidemic": EndemicEpidemic(background=FLAT, lags=4),
}


def weekly(file: Path, number: int | None = None) -> CountSeries:
    """The study's streams by week, or one of them."""
    study = Study.from_toml(STUDY)
    incidents = read(file, source="ucdp", window=Window(START, END))
    streams = study.streams if number is None else study.streams[number : number + 1]
    return CountSeries.from_incidents(incidents, streams, "week", study.actors)


def draw(told: LatentPath, series: CountSeries, image: Path) -> None:
    """The rate of each stream with its counts."""
    streams = series.n_streams
    with style():
        drawn, axes = figure(1.35 * streams, streams, sharex=True)
        for k, name in enumerate(series.names):
            latent_path(axes[k, 0], told, k, series).set_title(name)
        drawn.savefig(image, dpi=150)


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="UCDP's events of Pakistan, as a CSV file")
    parser.add_argument("--image", type=Path)
    parser.add_argument("--model", choices=tuple(MODELS), help="one model alone")
    parser.add_argument("--draws", type=int, default=500)
    parser.add_argument("--scores", action="store_true")
    asked = parser.parse_args()
    if asked.scores:
        found = compare(SCORED, weekly(asked.file, 1), FIRST, every=104)
        print(found.table())
        return
    series = weekly(asked.file)
    print(series)
    print("| model | parameters | scale | persistence, length (days) | own R | R-hat | least ess |"
          " ess per 1000 gradients | divergences | processor s |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name, model in MODELS.items():
        if asked.model not in (None, name):
            continue
        start = time.process_time()
        fit = model.fit(series, NUTS(draws=asked.draws, chains=2))
        spent, told = time.process_time() - start, fit.diagnostics
        other = fit.draws.get("persistence", fit.draws.get("length"))
        matrix = fit.draws.get("reproduction")
        own = "" if matrix is None else np.einsum("nkk->nk", matrix).mean(axis=0).round(2).tolist()
        scale = fit.draws.get("path_scale")
        numbers = ["" if one is None else f"{one.mean():.2f}" for one in (scale, other)]
        print(
            f"| {name} | {told['parameters']} | {numbers[0]} | {numbers[1]} | {own} | "
            f"{told['r_hat']:.3f} | {told['ess']:.0f} | "
            f"{1000 * told['ess'] / told['leapfrogs']:.1f} | {told['divergences']} | {spent:.0f} |",
            flush=True,
        )
        if asked.image is not None and isinstance(fit.model, Latent):
            draw(fit.model.latent_path(fit), series, asked.image)


if __name__ == "__main__":
    main()
