"""What thinning does to the branching ratio, where the complete series is known.

``python tests/studies/unrecorded.py --sets 20`` prints the table of the documentation. A complete
series is simulated, a share of its incidents is lost at random, and what is left is all that
`escalation.unrecorded` sees. Seeds are 0, 1, 2, …; no set is dropped.
"""

import argparse
import os
from dataclasses import replace
from datetime import date

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from escalation.background import Background
from escalation.checks import unrecorded
from escalation.counts import EndemicEpidemic
from escalation.engines import MaximumLikelihood
from escalation.kernels import OneLag
from escalation.series import CountSeries

QUICK = MaximumLikelihood(draws=200, starts=1)
FLAT = Background(harmonics=0)
CASES = {
    "one stream, one lag, Poisson": (
        EndemicEpidemic(kernel=OneLag(), lags=1, distribution="poisson", background=FLAT),
        {"level": np.log([2.0]), "reproduction": np.array([[0.6]])},
    ),
    "two streams, geometric delay, overdispersed": (
        EndemicEpidemic(lags=6, background=FLAT),
        {
            "level": np.log([1.0, 1.0]),
            "reproduction": np.array([[0.5, 0.2], [0.1, 0.4]]),
            "dispersion": np.array([0.2, 0.2]),
            "decay": np.array(0.7),
        },
    ),
}


def one_set(case: str, lost: float, periods: int, seed: int) -> np.ndarray:
    """Branching ratio of the complete series' fit, of the observed one's, and carried back."""
    model, values = CASES[case]
    rng = np.random.default_rng(seed)
    streams = len(values["level"])
    like = CountSeries.from_counts(np.zeros((periods, streams)), date(1990, 1, 1), "week")
    complete = model.simulate(values, like, rng)
    whole = np.median(model.fit(complete, QUICK, rng).dynamics().branching_ratio)
    observed = replace(complete, counts=rng.binomial(complete.counts, 1 - lost))
    fit = model.fit(observed, QUICK, rng)
    found = unrecorded(fit, (0.1, lost, 0.5), thinnings=5, engine=QUICK, draws=50, rng=rng)
    at = found.shares.index(lost)
    seen = np.median(found.branching_ratio[0, 0])
    return np.array([whole, seen, np.median(found.carried_back[at])])


def main() -> None:
    """Print a row a case, length and lost share: means over sets, and the spread of errors."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sets", type=int, default=20)
    asked = parser.parse_args()
    print("| process | weeks | lost | complete | observed | carried back | error of observed |"
          " error of carried back |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for case in CASES:
        for periods in (520, 2000):
            for lost in (0.1, 0.3, 0.49):
                sets = [one_set(case, lost, periods, seed) for seed in range(asked.sets)]
                found = np.array(sets)
                mean = found.mean(axis=0)
                off = found[:, 1:] - found[:, :1]
                cells = [f"{value:.2f}" for value in mean]
                cells += [f"{one.mean():+.2f} ± {one.std():.2f}" for one in off.T]
                print(f"| {case} | {periods} | {lost:g} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
