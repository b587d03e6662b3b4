"""Size and power of the tests of a Hawkes fit: of excitation, of a trend, of doubled incidents.

``python tests/studies/hawkes_checks.py --check excitation --sets 1000`` writes rows of the tables
of the documentation. Seeds are 0, 1, 2, …; no set is dropped.
"""

import argparse
import os
from collections.abc import Callable

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from escalation.background import Background
from escalation.engines import MaximumLikelihood
from escalation.hawkes import Hawkes, excitation_test, same_day_test, trend_test
from escalation.series import EventSeries

QUICK = MaximumLikelihood(draws=2)
Row = dict[str, float]


def descend(
    roots: list[np.ndarray], reach: np.ndarray, decay: float, end: float, rng: np.random.Generator
) -> list[np.ndarray]:
    """All descendants of background events, themselves included, before the end."""
    out = [list(one) for one in roots]
    wave = roots
    while sum(map(len, wave)):
        nxt: list[list[np.ndarray]] = [[] for _ in roots]
        for j, times in enumerate(wave):
            for k in range(len(roots)):
                children = np.repeat(times, rng.poisson(reach[k, j], len(times)))
                children = children + rng.exponential(1 / decay, len(children))
                nxt[k].append(children[children < end])
        wave = [np.concatenate(one) for one in nxt]
        for k, times in enumerate(wave):
            out[k] += list(times)
    return [np.sort(one) for one in out]


def background(
    rate: Callable[[np.ndarray], np.ndarray], top: float, end: float, rng: np.random.Generator
) -> np.ndarray:
    """Times of a Poisson process of a rate of at most `top`."""
    times = rng.random(rng.poisson(top * end)) * end
    return times[rng.random(len(times)) * top < rate(times)]


def excitation(case: str, seed: int) -> Row:
    """No arrow from the second stream to the first, or none at all from a stream to itself."""
    rng = np.random.default_rng(seed)
    alone = case == "one stream"
    reach = {
        "one stream": np.zeros((1, 1)),
        "other arrows strong": np.array([[0.4, 0.0], [0.3, 0.3]]),
        "other arrow zero": np.array([[0.4, 0.0], [0.0, 0.3]]),
    }[case]
    rate, end = (0.5, 400.0) if alone else (0.35, 400.0)
    roots = [rng.random(rng.poisson(rate * end)) * end for _ in reach]
    series = EventSeries.from_times(descend(roots, reach, 1.0, end, rng), 0.0, end)
    # Of at most 99 series, ten as extreme as the data settle that p is above .1.
    found = excitation_test(series, Hawkes(), 0 if alone else 1, 0, rng, samples=99, enough=10)
    return {
        "rejected at 5 %": found.p_value <= 0.05,
        "at 10 %": found.p_value <= 0.1,
        "by bootstrap": found.samples > 0,
        "failed series": found.failures,
    }


RISES: dict[str, tuple[Callable[[np.ndarray], np.ndarray], float]] = {
    "fivefold rise, R 0.4": (lambda u: 0.2 * 5**u, 0.4),
    "fivefold rise, no excitation": (lambda u: 0.2 * 5**u, 0.0),
    "straight rise, R 0.4": (lambda u: 0.2 + 0.8 * u, 0.4),
    "step, R 0.4": (lambda u: np.where(u > 0.6, 1.0, 0.2), 0.4),
    "constant, R 0.4": (lambda u: 0.5 + 0 * u, 0.4),
    "constant, no excitation": (lambda u: 0.8 + 0 * u, 0.0),
    "constant, R 0.8": (lambda u: 0.17 + 0 * u, 0.8),
}


def trend(case: str, seed: int) -> Row:
    """A rising background, or a constant one, over 1,000 days and a decay of 1 a day."""
    rng = np.random.default_rng(seed)
    rate, reach = RISES[case]
    end = 1000.0
    roots = background(lambda t: rate(t / end), 1.0, end, rng)
    times = descend([roots], np.array([[reach]]), 1.0, end, rng)
    series = EventSeries.from_times(times, 0.0, end)
    fit = Hawkes().fit(series, QUICK)
    found = trend_test(fit)
    trended = Hawkes(background=Background(harmonics=0, trend=end)).fit(series, QUICK)
    return {
        "flagged": found.flagged,
        "by the test": found.p_value < 0.05,
        "by the shift": found.shift[0] > 0.25,
        "error of R": float(fit.estimate["reproduction"][0, 0]) - reach,
        "with a trend": float(trended.estimate["reproduction"][0, 0]) - reach,
    }


DOUBLES = {
    "none, decay 1.5": (0.0, 0.6, 1.5),
    "none, decay 0.2": (0.0, 0.6, 0.2),
    "none, decay 8": (0.0, 0.6, 8.0),
    "none, R 0.05": (0.0, 0.05, 1.0),
    "20 %, decay 1.5": (0.2, 0.6, 1.5),
    "20 %, decay 0.2": (0.2, 0.6, 0.2),
    "20 %, decay 8": (0.2, 0.6, 8.0),
    "20 %, R 0.05": (0.2, 0.05, 1.0),
}


def same_day(case: str, seed: int) -> Row:
    """Days of about 4,000 incidents in 2,500 days, a share of them written down twice."""
    rng = np.random.default_rng(seed)
    share, reach, decay = DOUBLES[case]
    end = 2500.0
    roots = rng.random(rng.poisson(1.6 * (1 - reach) * end)) * end
    times = descend([roots], np.array([[reach]]), decay, end, rng)[0]
    copies = times[rng.random(len(times)) < share]
    days = np.floor(np.sort(np.concatenate([times, copies])))
    series = EventSeries.from_times([days], 0.0, end, resolution="day")
    found = same_day_test(Hawkes().fit(series, QUICK))
    return {"flagged": found.flagged, "share that comes doubled": float(found.doubled[0])}


CHECKS: dict[str, tuple[Callable[[str, int], Row], tuple[str, ...]]] = {
    "excitation": (excitation, ("one stream", "other arrows strong", "other arrow zero")),
    "trend": (trend, tuple(RISES)),
    "same-day": (same_day, tuple(DOUBLES)),
}


def main() -> None:
    """Print a row a case: the mean of each column over all sets."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", choices=tuple(CHECKS), required=True)
    parser.add_argument("--sets", type=int, default=100)
    parser.add_argument("--case", help="one case alone")
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--every", type=int, default=0, help="show a row after so many sets, too")
    asked = parser.parse_args()
    one, cases = CHECKS[asked.check]
    for number, case in enumerate(cases if asked.case is None else (asked.case,)):
        rows: list[Row] = []
        for seed in range(asked.first, asked.first + asked.sets):
            rows.append(one(case, seed))
            if number == 0 and len(rows) == 1:
                print(f"| case | sets | {' | '.join(rows[0])} |")
                print("|-" * (len(rows[0]) + 2) + "|")
            if len(rows) == asked.sets or (asked.every and len(rows) % asked.every == 0):
                means = [np.mean([row[name] for row in rows]) for name in rows[0]]
                shown = " | ".join(f"{mean:.3f}" for mean in means)
                print(f"| {case} | {len(rows)} | {shown} |", flush=True)


if __name__ == "__main__":
    main()
