"""Log scores of other populations than the panel's own, before the years that are held out.

``python tests/studies/panel_alternatives.py --file FILE --sets 20`` scores each year from 2011 to
2019 of Pakistan's provinces after the one before, and simulated panels, as `panel_pooling` does.
An alternative pools all but one quantity, or takes another scale for a spread; these are fitted by
Laplace. Deviations with Student's law are sampled, and compared with normal ones that are sampled.
``--held-out`` tells instead what pooling each quantity did in 2020 and 2021 after 2019 alone, to
explain those scores and not to choose by them.
"""

import argparse
import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np
from panel_pooling import (
    BEGINNINGS,
    ENGINE,
    FLAT,
    LAGS,
    SPLIT,
    ahead,
    provinces,
    simulated,
    sums_of,
    windows,
)

from escalation.background import Background
from escalation.counts import Panel
from escalation.engines import NUTS, Engine, Problem
from escalation.parameters import Parameter
from escalation.priors import LogNormal, Normal
from escalation.series import CountSeries

SAMPLER = NUTS(draws=400, tune=300, chains=2)
#: Degrees of freedom of the heavy-tailed population.
FREEDOM = 4.0
#: What stands for certainty in a prior.
CERTAIN = 0.01
#: The panel as it is and with one quantity freed: all that the held-out years are asked.
HELD = 4


@dataclass(frozen=True)
class Freed(Panel):
    """Partial pooling of all but one quantity, whose units each have the prior of no pooling."""

    freed: str = "level"

    def parameters(self, series: CountSeries) -> tuple[Parameter, ...]:
        """The same with the population of that quantity known: as wide as a unit beforehand."""
        found = {p.name: p for p in super().parameters(series)}
        mean, spread = (found[f"{self.freed}_{part}"] for part in ("mean", "spread"))
        wide = float(np.hypot(mean.prior.sd, spread.prior.scale))
        found[mean.name] = replace(mean, prior=Normal(mean.prior.mean, CERTAIN))
        found[spread.name] = replace(spread, prior=LogNormal(wide, CERTAIN))
        return tuple(found.values())


@dataclass(frozen=True)
class Heavy(Panel):
    """Deviations with Student's law, for the sampler alone."""

    def problem(self, series: CountSeries) -> Problem:
        """The likelihood times the ratio of Student's density to the normal one."""
        own = super().problem(series)
        places = own.structure[2].ravel()

        def core(theta: np.ndarray, *rest: Any) -> tuple[float, np.ndarray, np.ndarray]:
            value, by_theta, by_values = own.core(theta, *rest)
            z = theta[places]
            tail = -0.5 * (FREEDOM + 1) * np.log1p(z * z / FREEDOM)
            by_theta[places] += z - (FREEDOM + 1) * z / (FREEDOM + z * z)
            return value + float(np.sum(tail + 0.5 * z * z)), by_theta, by_values

        return replace(own, core=core)


def alternatives(background: Background) -> dict[str, tuple[Panel, Engine]]:
    """The panel by either engine, and what is set against it."""
    plain = Panel(background=background, lags=LAGS)
    freed = {
        f"{told} of each unit": Freed(background=background, lags=LAGS, freed=name)
        for told, name in (
            ("level", "level"), ("R", "logit_reproduction"), ("dispersion", "log_dispersion"),
        )
    }  # fmt: skip
    wider = {
        "spread of level HalfNormal(2)": (2.0, 0.7, 0.7),
        "spread of R HalfNormal(1.4)": (1.0, 1.4, 0.7),
        "spread of dispersion HalfNormal(1.4)": (1.0, 0.7, 1.4),
        "all three twice as wide": (2.0, 1.4, 1.4),
    }
    quick = freed | {told: replace(plain, spreads=spreads) for told, spreads in wider.items()}
    return {
        "as it is": (plain, ENGINE),
        **{told: (model, ENGINE) for told, model in quick.items()},
        "as it is, sampled": (plain, SAMPLER),
        f"Student's law with {FREEDOM:g} degrees, sampled": (
            Heavy(background=background, lags=LAGS), SAMPLER,
        ),
    }  # fmt: skip


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--file", type=Path, help="UCDP's events of Pakistan, as a CSV file")
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--held-out", action="store_true")
    asked = parser.parse_args()
    if asked.held_out:
        case = provinces(asked.file, BEGINNINGS["2019 alone"]), SPLIT
        tabulate("by province, 2020 and 2021", [case], Background(harmonics=1), HELD)
        return
    if asked.file is not None:
        cases = [(whole, split) for _, whole, split in windows(asked.file)]
        tabulate("by province, 2011 to 2019", cases, Background(harmonics=1))
    if asked.sets:
        tabulate("simulated", [simulated(seed) for seed in range(asked.sets)], FLAT)


def tabulate(
    about: str, cases: list[tuple[Any, Any]], background: Background, only: int | None = None
) -> None:
    """Print a row an alternative: how far it is ahead of the panel as it is."""
    print(f"| {about} | ahead of the panel as it is |\n|---|---|")
    base = np.zeros(0)
    for told, (model, engine) in list(alternatives(background).items())[:only]:
        scored = np.array([score(model, engine, *case) for case in cases])
        if told.startswith("as it is"):
            base = scored
        else:
            print(f"| {told} | {ahead(scored, base)} |", flush=True)


def score(model: Panel, engine: Engine, whole: Any, split: Any) -> float:
    """Log score over all units of the periods from the split on."""
    past, _ = whole.split(split)
    fit = model.fit(past, engine, np.random.default_rng(0))
    return sum(sums_of(model.pointwise(fit, fit.theta, whole)[:, len(past) :]))


if __name__ == "__main__":
    main()
