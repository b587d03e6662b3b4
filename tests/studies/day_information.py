"""How much of the information on a Hawkes process is lost when its times are floored to days.

``python tests/studies/day_information.py --case fast --sets 20`` prints, for the true parameters,
the standard error of the logarithm of the decay that an efficient estimator reaches from the exact
times and from the days, and their ratio: the least that any estimator from days can do. Seeds are
0, 1, 2, ….

The information of the days is that of the times less the variance of the times' score given the
days (Louis 1982, Journal of the Royal Statistical Society B 44(2)); the times given the days are
sampled by Gibbs sweeps at the true parameters, from an empty start.
"""

import argparse
import sys
from pathlib import Path

import numpy as np
from numba import njit

sys.path.insert(0, str(Path(__file__).parents[1]))  # run as a script, tests are no package

from escalation.hawkes import Hawkes
from escalation.likelihood.gibbs import sweep_times
from escalation.series import EventSeries
from studies.day_coded import CASES, START


@njit(cache=True)
def score_of(
    times: np.ndarray,
    stream: np.ndarray,
    rate: np.ndarray,
    reach: np.ndarray,
    decay: float,
    days: int,
    information: np.ndarray,
) -> np.ndarray:
    """Score by the logarithms of background (K,), R (K K,) and decay, of sorted exact times.

    The sum of the outer products of the events' log-slopes, whose mean is the information, is
    written to `information`.
    """
    size = rate.size
    score = np.zeros(size + size * size + 1)
    information[:] = 0.0
    state, aged = np.zeros(size), np.zeros(size)
    now = 0.0
    slope = np.empty(score.size)
    for k in range(size):
        score[k] -= rate[k] * days
    for i in range(times.size):
        gap = times[i] - now
        fade = np.exp(-decay * gap)
        now, k = times[i], stream[i]
        slope[:] = 0.0
        intensity = rate[k]
        slope[k] = rate[k]
        for j in range(size):
            aged[j] = fade * (aged[j] + gap * state[j])
            state[j] *= fade
            part = reach[k, j] * decay * state[j]
            intensity += part
            slope[size + k * size + j] = part
            slope[-1] += part - reach[k, j] * decay * decay * aged[j]
        slope /= intensity
        score += slope
        for a in range(score.size):
            for b in range(score.size):
                information[a, b] += slope[a] * slope[b]
        state[k] += 1.0
        left = np.exp(-decay * (days - now))
        for j in range(size):
            score[size + j * size + k] -= reach[j, k] * (1.0 - left)
            score[-1] -= reach[j, k] * decay * (days - now) * left
    return score


def information(case: str, seed: int, sweeps: int) -> tuple[np.ndarray, np.ndarray]:
    """Information of the exact times of a set, and what of it flooring to days takes away."""
    background, reproduction, decay, days = CASES[case]
    rng = np.random.default_rng(seed)
    names = ["a", "b"][: len(background)]
    like = EventSeries.from_times([[] for _ in names], 0, days, names)
    values = {
        "level": np.log(background), "reproduction": np.array(reproduction),
        "decay": np.array(decay),
    }  # fmt: skip
    series = Hawkes().simulate(values, like, rng)
    times = np.concatenate(series.times)
    stream = np.repeat(np.arange(len(names)), [len(one) for one in series.times])
    order = np.argsort(times)
    times, stream = times[order], stream[order].astype(np.int64)
    rate, reach = np.array(background), np.array(reproduction)
    size = len(names) + len(names) ** 2 + 1
    whole = np.empty((size, size))
    score_of(times, stream, rate, reach, decay, days, whole)
    room = np.empty((size, size))
    scores = []
    for sweep in range(sweeps + sweeps // 10):
        # From the true times the chain is at its law at once; sweeps forget them all the same.
        sweep_times(times, stream, np.tile(rate, (days, 1)), reach, decay, rng)
        if sweep >= sweeps // 10:
            scores.append(score_of(times, stream, rate, reach, decay, days, room))
    return whole, np.cov(np.array(scores).T)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", choices=list(CASES), action="append")
    parser.add_argument("--sets", type=int, default=20)
    parser.add_argument("--sweeps", type=int, default=2000)
    asked = parser.parse_args()
    print(f"window from {START}; standard errors of the log decay, of log R and of log background")
    print("| case | sets | exact times | days | ratio for the decay | for R | for the background |")
    print("|---|---|---|---|---|---|---|")
    for case in asked.case or list(CASES):
        found = [information(case, seed, asked.sweeps) for seed in range(asked.sets)]
        times = np.mean([one for one, _ in found], axis=0)
        lost = np.mean([two for _, two in found], axis=0)
        exact, days = (np.sqrt(np.diag(np.linalg.inv(m))) for m in (times, times - lost))
        ratio = days / exact
        size = len(CASES[case][0])
        reach = ", ".join(f"{r:.3f}" for r in ratio[size:-1])
        rest = ", ".join(f"{r:.3f}" for r in ratio[:size])
        print(
            f"| {case} | {len(found)} | {exact[-1]:.4f} | {days[-1]:.4f} | {ratio[-1]:.3f} | "
            f"{reach} | {rest} |",
            flush=True,
        )
