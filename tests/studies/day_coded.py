"""Hawkes processes whose times are known to the day: the filter beside other ways.

``python tests/studies/day_coded.py --case fast --sets 400`` simulates as many series of about
4,000 events, floors their times to days and fits them; it prints a row a method. Seeds are 0, 1,
2, …; no set is dropped, and a fit that fails or did not converge is counted.
"""

import argparse
import time
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
from scipy.optimize import minimize

from escalation.hawkes import Hawkes
from escalation.hawkes.gibbs import gibbs
from escalation.series import EventSeries

START = date(2010, 1, 1)
#: Background, R, decay and days of each case.
CASES = {
    "fast": ([0.5], [[0.6]], 1.5, 3200),
    "slow": ([0.5], [[0.6]], 0.2, 3200),
    "very fast": ([0.5], [[0.6]], 8.0, 3200),
    "two streams": ([0.4, 0.3], [[0.4, 0.2], [0.15, 0.3]], 1.0, 2690),
}


def simulated(case: str, seed: int) -> tuple[EventSeries, EventSeries]:
    """A series with exact times after a past of 400 days, and the same floored to days."""
    background, reproduction, decay, days = CASES[case]
    end = START + timedelta(days=days)
    names = ["a", "b"][: len(background)]
    past = 400
    like = EventSeries.from_times([[] for _ in names], START - timedelta(days=past), end, names)
    values = {
        "level": np.log(background), "reproduction": np.array(reproduction),
        "decay": np.array(decay),
    }  # fmt: skip
    whole = Hawkes().simulate(values, like, np.random.default_rng(seed))
    exact = whole.split(START)[1]
    floored = replace(exact, times=tuple(np.floor(t) for t in exact.times), resolution="day")
    return exact, floored


def by_model(model: Hawkes, series: EventSeries, seed: int) -> dict[str, np.ndarray]:
    """R on the diagonal and the decay, with 90 % intervals."""
    fit = model.fit(series, rng=np.random.default_rng(seed))
    lower, upper = fit.dynamics().interval(0.9)
    own = range(len(series.names))
    decay = np.quantile(fit.draws["decay"], [0.05, 0.95])
    return {
        "estimate": np.array([*(fit.estimate["reproduction"][k, k] for k in own),
                              fit.estimate["decay"]]),
        "lower": np.array([*(lower[k, k] for k in own), decay[0]]),
        "upper": np.array([*(upper[k, k] for k in own), decay[1]]),
        "converged": np.array(bool(fit.diagnostics["converged"])),
    }  # fmt: skip


def whittle(series: EventSeries) -> dict[str, np.ndarray]:
    """Whittle's likelihood of the daily counts of one stream (Cheysson & Lang 2022), no errors."""
    counts = np.bincount(series.times[0].astype(int), minlength=series.window.days).astype(float)
    n = len(counts)
    omega = 2 * np.pi * np.arange(1, (n - 1) // 2 + 1) / n
    periodogram = np.abs(np.fft.fft(counts - counts.mean())[1 : len(omega) + 1]) ** 2
    periodogram /= 2 * np.pi * n
    shifted = omega[:, None] + 2 * np.pi * np.arange(-60, 61)
    window = (np.sin(shifted / 2) / (shifted / 2)) ** 2

    def loss(x: np.ndarray) -> float:
        mean, reach, decay = np.exp(x[0]), 1 / (1 + np.exp(-x[1])), np.exp(x[2])
        mean = mean / (1 - reach)
        ratio = (decay**2 + shifted**2) / ((decay * (1 - reach)) ** 2 + shifted**2)
        density = mean / (2 * np.pi) * (1 + ((ratio - 1) * window).sum(axis=1))
        return float((np.log(density) + periodogram / density).sum())

    rate = counts.mean()
    starts = [np.array([np.log(rate / 2), 0.0, np.log(b)]) for b in (0.1, 1.0, 5.0)]
    found = min((minimize(loss, s, method="Nelder-Mead", options={"maxiter": 2000})
                 for s in starts), key=lambda one: one.fun)  # fmt: skip
    reach, decay = 1 / (1 + np.exp(-found.x[1])), np.exp(found.x[2])
    blank = np.full(2, np.nan)
    return {
        "estimate": np.array([reach, decay]), "lower": blank, "upper": blank,
        "converged": np.array(found.success),
    }  # fmt: skip


def gibbs_posterior(series: EventSeries, seed: int) -> dict[str, np.ndarray]:
    """Medians and 90 % intervals of the exact posterior under flat priors of the logarithms."""
    rng = np.random.default_rng(seed)
    fit = Hawkes(start="empty").fit(series, rng=rng)
    streams = len(series.names)
    names = ("level", "reproduction", "decay")
    draws = np.column_stack([fit.draws[n].reshape(len(fit.draws[n]), -1) for n in names])
    draws[:, streams:] = np.log(np.maximum(draws[:, streams:], 1e-3))
    counts = np.stack(
        [np.bincount(t.astype(int), minlength=series.window.days) for t in series.times], axis=1
    )
    design = np.ones((len(counts), 1))
    found = gibbs(counts, design, np.median(draws, axis=0), np.cov(draws.T), 1200, rng)[200:]
    matrix = np.exp(found[:, streams:-1]).reshape(-1, streams, streams)
    own = [matrix[:, k, k] for k in range(streams)]
    lower, middle, upper = np.quantile(
        np.stack([*own, np.exp(found[:, -1])], axis=1), [0.05, 0.5, 0.95], axis=0
    )
    return {
        "estimate": middle, "lower": lower, "upper": upper, "converged": np.array(True),
    }  # fmt: skip


def fitted(method: str, exact: EventSeries, floored: EventSeries, seed: int):
    """Estimates of one set by one method."""
    if method == "exact times":
        return by_model(Hawkes(), exact, seed)
    if method == "whittle":
        return whittle(floored)
    if method == "gibbs":
        return gibbs_posterior(floored, seed)
    return by_model(Hawkes(day_coded=method), floored, seed)


METHODS = ("exact times", "filter", "naive", "jitter", "whittle", "gibbs")


def study(case: str, method: str, sets: int) -> dict[str, np.ndarray]:
    """Relative bias, coverage, spread of the log decay, failures and time of a method."""
    _, reproduction, decay, _ = CASES[case]
    truth = np.array([*np.diag(reproduction), decay])
    found, failed, begin = [], 0, time.perf_counter()
    for seed in range(sets):
        exact, floored = simulated(case, seed)
        try:
            one = fitted(method, exact, floored, seed)
        except (ValueError, RuntimeError):
            failed += 1
            continue
        failed += not bool(one["converged"])
        found.append(one)
    estimate = np.stack([one["estimate"] for one in found])
    inside = np.stack([(one["lower"] <= truth) & (one["upper"] >= truth) for one in found])
    known = np.isfinite(found[0]["lower"]).all()
    # The median delay is log(2) over the decay.
    error = np.column_stack([estimate[:, :-1] / truth[:-1], truth[-1] / estimate[:, -1]]) - 1
    return {
        "bias": error.mean(axis=0),
        "median": np.median(error, axis=0),
        "coverage": inside.mean(axis=0) if known else np.full(len(truth), np.nan),
        "spread": np.log(estimate[:, -1]).std(),
        "failed": failed,
        "seconds": (time.perf_counter() - begin) / sets,
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", choices=list(CASES), action="append")
    parser.add_argument("--method", choices=METHODS, action="append")
    parser.add_argument("--sets", type=int, default=400)
    asked = parser.parse_args()
    print(
        "| case | method | sets | mean (median) relative bias: R, …, median delay | "
        "coverage of 90 % intervals: R, …, decay | sd of log decay | failed | s a set |"
    )
    print("|---|---|---|---|---|---|---|---|")
    for case in asked.case or list(CASES):
        for method in asked.method or METHODS:
            if method == "whittle" and case == "two streams":
                continue
            row = study(case, method, asked.sets)
            bias = ", ".join(
                f"{100 * b:+.1f} ({100 * m:+.1f}) %"
                for b, m in zip(row["bias"], row["median"], strict=True)
            )
            held = ", ".join("—" if np.isnan(c) else f"{100 * c:.1f} %" for c in row["coverage"])
            print(
                f"| {case} | {method} | {asked.sets} | {bias} | {held} | {row['spread']:.3f} | "
                f"{row['failed']} | {row['seconds']:.2f} |",
                flush=True,
            )
