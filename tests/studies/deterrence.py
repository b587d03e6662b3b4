r"""Deterrence: how often each model says it, where it is there and where it is not.

``python tests/studies/deterrence.py [SETS]`` simulates SETS pairs of weekly series (50 unless
given), 520 weeks long, seeds 0, 1, 2, ...: strikes and attacks, each about two a week. In the
deterrent sets the influence of strikes on attacks is -0.25 on the log scale, so that a week with
three strikes instead of none lowers next week's expected attacks by 29 %; in the null sets it is
0. For each it fits `LogLinear` and counts how often P(influence < 0) > 0.95; and the
endemic-epidemic model, and counts how often its check says that it does not fit. Further series
come from an endemic-epidemic truth: false alarms of that check.

``--engine nuts`` (or laplace, ml) chooses what draws from LogLinear's posterior; ``--compare``
puts the three side by side on the first SETS deterrent and null sets instead.
"""

import argparse
import time
from datetime import date

import numpy as np

from escalation.checks.deterrence import deterrence
from escalation.counts import EndemicEpidemic, LogLinear
from escalation.engines import NUTS, Engine, Laplace, MaximumLikelihood
from escalation.series import CountSeries

WEEKS = 520
EFFECT = -0.25
ENGINES: dict[str, Engine] = {
    "ml": MaximumLikelihood(),
    "laplace": Laplace(),
    "nuts": NUTS(draws=500, tune=500, chains=2),
}


def empty() -> CountSeries:
    """Ten years of weeks to be filled."""
    counts = np.zeros((WEEKS, 2))
    return CountSeries.from_counts(counts, date(2014, 1, 6), "week", ["strikes", "attacks"])


def signed(seed: int, effect: float) -> CountSeries:
    """Strikes and attacks from a log-linear truth: the effect is that of strikes on attacks."""
    truth = {
        "level": np.array([0.3, 0.5 - 1.0 * effect]),
        "season": np.array([[0.3, 0.1], [0.0, -0.2]]),
        "influence": np.array([[0.35, 0.1], [effect, 0.3]]),
        "dispersion": np.array([0.2, 0.2]),
    }
    return LogLinear(lags=1).simulate(truth, empty(), np.random.default_rng(seed))


def additive(seed: int, cross: float) -> CountSeries:
    """Strikes and attacks from an endemic-epidemic truth with R of strikes on attacks `cross`."""
    truth = {
        "level": np.array([0.2, 0.2]),
        "season": np.array([[0.3, 0.1], [0.0, -0.2]]),
        "reproduction": np.array([[0.35, 0.1], [cross, 0.3]]),
        "dispersion": np.array([0.2, 0.2]),
        "decay": np.array(1.5),
    }
    return EndemicEpidemic().simulate(truth, empty(), np.random.default_rng(seed))


def sure(series: CountSeries, engine: Engine) -> tuple[float, float]:
    """P(influence < 0) of strikes on attacks, and the estimate."""
    model = LogLinear(lags=1)
    fit = model.fit(series, engine)
    return float(model.signs(fit).below[1, 0]), float(fit.estimate["influence"][1, 0])


def flagged(series: CountSeries) -> tuple[bool, str]:
    """Whether the check of the additive model says that it does not fit, and of which pair."""
    fit = EndemicEpidemic().fit(series, MaximumLikelihood(starts=2, draws=10))
    finding = deterrence(fit)
    worst = finding.table.sort("p_value").row(0, named=True)
    return not finding.passed, f"{worst['source']} → {worst['target']}"


def study(sets: int, engine: Engine) -> None:
    """Print the shares."""
    print(f"{sets} sets a row, {WEEKS} weeks, LogLinear by {engine.name}")
    print(f"{'truth':<34}{'mean counts':>14}{'P(<0) > .95':>13}{'P(>0) > .95':>13}"
          f"{'mean estimate':>15}{'check flags':>13}")  # fmt: skip
    for name, make in (
        (f"log-linear, effect {EFFECT}", lambda s: signed(s, EFFECT)),
        ("log-linear, effect -0.15", lambda s: signed(s, -0.15)),
        ("log-linear, effect 0 (null)", lambda s: signed(s, 0.0)),
        ("log-linear, effect +0.25", lambda s: signed(s, 0.25)),
        ("additive, R 0", lambda s: additive(s, 0.0)),
        ("additive, R 0.2", lambda s: additive(s, 0.2)),
    ):
        began = time.perf_counter()
        probability, estimate, flags, means = [], [], [], []
        for seed in range(sets):
            series = make(seed)
            below, middle = sure(series, engine)
            probability.append(below)
            estimate.append(middle)
            flags.append(flagged(series)[0])
            means.append(series.counts.mean(axis=0))
        mean = np.mean(means, axis=0)
        values = np.array(probability)
        print(
            f"{name:<34}{mean[0]:>7.2f}{mean[1]:>7.2f}{(values > 0.95).mean():>13.2f}"
            f"{(values < 0.05).mean():>13.2f}{np.mean(estimate):>15.3f}{np.mean(flags):>13.2f}"
            f"   ({time.perf_counter() - began:.0f} s)",
            flush=True,
        )


def compare(sets: int) -> None:
    """Print P(influence < 0) of strikes on attacks by engine, a row a set."""
    print(f"{'effect':>8}{'seed':>6}" + "".join(f"{name:>10}" for name in ENGINES))
    for effect in (EFFECT, 0.0):
        for seed in range(sets):
            series = signed(seed, effect)
            told = [sure(series, engine)[0] for engine in ENGINES.values()]
            print(f"{effect:>8.2f}{seed:>6}" + "".join(f"{one:>10.3f}" for one in told), flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sets", nargs="?", type=int, default=50)
    parser.add_argument("--engine", choices=sorted(ENGINES), default="ml")
    parser.add_argument("--compare", action="store_true")
    given = parser.parse_args()
    if given.compare:
        compare(given.sets)
    else:
        study(given.sets, ENGINES[given.engine])
