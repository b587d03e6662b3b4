"""Simulation-based calibration of every count model through its declared priors.

``python tests/studies/calibration_counts.py --replications 200 --out build/calibration`` writes
a file of ranks for each model, goes on where it stopped, and prints the table of the documentation.
Seeds are 0, 1, 2, …; no replication is dropped. Models are found by themselves; `models` adds
further specifications.
"""

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, fields, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, tests are no package
import escalation.counts
from discover import concrete
from escalation.background import Background
from escalation.checks.calibration import Calibration, Replication, gathered, replicate
from escalation.counts import GaussianProcess, RandomWalk
from escalation.engines import NUTS
from escalation.fit import Model
from escalation.kernels import OneLag
from escalation.series import CountSeries, PanelSeries

#: Short series of two streams, so that 200 fits take minutes.
PERIODS, LAGS, DRAWS = 100, 4, 49
ENGINE = NUTS(draws=500, tune=400, chains=2)
UNITS = "Panel, eight units of unequal length"
FIELDS = ("ranks", "names", "discarded", "r_hat", "ess", "divergences")


def series() -> CountSeries:
    """The periods, with fixed first counts: the likelihood conditions on them."""
    counts = np.zeros((PERIODS, 2), np.int64)
    counts[: 2 * LAGS] = np.random.default_rng(0).poisson(1.0, (2 * LAGS, 2))
    return CountSeries.from_counts(counts, date(2020, 1, 6), "week", ["a", "b"])


def uneven(units: int = 8) -> PanelSeries:
    """As many units, each watched from a later week on than the one before."""
    short, rng = {}, np.random.default_rng(0)
    for unit in range(units):
        counts = np.zeros((80 - 6 * unit, 1), np.int64)
        counts[: 2 * LAGS] = rng.poisson(1.0, (2 * LAGS, 1))
        begin = date(2020, 1, 6) + timedelta(weeks=6 * unit)
        short[f"unit {unit + 1}"] = CountSeries.from_counts(counts, begin, "week", ["a"])
    return PanelSeries.from_series(short)


def models() -> dict[str, Model]:
    """Every concrete model of counts with its defaults, but for short lags; and the variants."""
    out: dict[str, Model] = {}
    for kind in concrete(Model, escalation.counts):
        settings = {"lags": LAGS} if "lags" in {field.name for field in fields(kind)} else {}
        out[kind.__name__] = kind(**settings)
    plain: Any = out["EndemicEpidemic"]
    out["EndemicEpidemic, Poisson, one lag"] = replace(
        plain, distribution="poisson", kernel=OneLag(), lags=1, background=Background(harmonics=0)
    )
    out["EndemicEpidemic, one dispersion, no arrows across"] = replace(
        plain, dispersion="shared", arrows=((True, False), (False, True))
    )
    out["EndemicEpidemic, shared shock"] = replace(plain, shared_shock=True)
    out["EndemicEpidemic, eras"] = replace(plain, eras=(date(2020, 12, 7),))
    signed: Any = out["LogLinear"]
    out["LogLinear, feedback"] = replace(signed, feedback=True)
    hidden: Any = out["Latent"]
    out["Latent, walk and contagion"] = replace(hidden, path=RandomWalk(), contagion=True)
    out["Latent, Gaussian process"] = replace(hidden, path=GaussianProcess())
    out[UNITS] = out["Panel"]
    return out


def run(name: str, model: Model, replications: int, folder: Path | None) -> Calibration:
    """All replications of one model; those in the folder's file are not run again."""
    like = uneven() if name == UNITS else series()
    return resumed(name, model, like, replications, folder)


def resumed(
    name: str, model: Any, like: Any, replications: int, folder: Path | None, **settings: Any
) -> Calibration:
    """Go on from what a model's file in the folder holds."""
    file = None if folder is None else folder / f"{name.replace(' ', '_')}.jsonl"
    done = []
    if file is not None and file.exists():
        done = [json.loads(line) for line in file.read_text("utf-8").splitlines()]
    found = [Replication(**{key: _fixed(one[key]) for key in FIELDS}) for one in done]
    for i in range(len(found), replications):
        rng = np.random.default_rng(np.random.SeedSequence([0, i]))
        found.append(replicate(model, like, rng, engine=ENGINE, draws=DRAWS, **settings))
        if file is not None:
            with file.open("a", encoding="utf-8") as out:
                out.write(json.dumps(asdict(found[-1])) + "\n")
    return gathered(found[:replications], DRAWS, name)


def _fixed(value: object) -> object:
    return tuple(value) if isinstance(value, list) else value


def tabulate(
    about: str | None,
    cases: Mapping[str, Any],
    calibration: Callable[[str, Any, int, Path | None], Calibration],
) -> None:
    """Print a row a model, of the cases that the command line asks for."""
    parser = argparse.ArgumentParser(description=about)
    parser.add_argument("--replications", type=int, default=200)
    parser.add_argument("--model", help="one model alone")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--table", action="store_true", help="each quantity as well")
    asked = parser.parse_args()
    if asked.out is not None:
        asked.out.mkdir(parents=True, exist_ok=True)
    print("| model | replications | quantities | outside | smallest p × quantities | of |"
          " sampler warned | series discarded | s a fit |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for name, case in cases.items():
        if asked.model not in (None, name):
            continue
        start = time.perf_counter()
        one = calibration(name, case, asked.replications, asked.out)
        spent = (time.perf_counter() - start) / len(one.ranks)
        worst = int(one.p_values.argmin())
        adjusted = min(1.0, float(one.p_values[worst]) * len(one.names))
        outside = int((~one.table()["inside"]).sum())
        print(
            f"| {name} | {len(one.ranks)} | {len(one.names)} | {outside} | {adjusted:.3f} | "
            f"{one.names[worst]} | {one.unsettled} | {one.discarded} | {spent:.1f} |",
            flush=True,
        )
        if asked.table:
            print(one.table())


if __name__ == "__main__":
    tabulate(__doc__, models(), run)
