"""Hawkes processes whose times are known to the day: the filter beside other ways.

``python tests/studies/day_coded.py --case fast --sets 400`` simulates as many series of about
4,000 events, floors their times to days and fits them; it prints a row a method. Seeds are 0, 1,
2, …; no set is dropped, and a fit that fails or did not converge is counted. With ``--keep
folder`` the estimates of every set are stored there as they are made, and those found there are
not made again.
"""

import argparse
import time
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path

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
        "error": np.log(fit.draws["decay"]).std(),
        "converged": np.array(bool(fit.diagnostics["converged"])),
    }  # fmt: skip


def counts_spectrum(omega: np.ndarray, mean: float, reach: float, decay: float) -> np.ndarray:
    """Spectral density of daily counts of a stationary stream with exponential delays.

    Beyond lag zero the counts' covariances fall geometrically, as those of an ARMA(1, 1) do, so
    the sum over aliases that is usually cut off has a closed form.
    """
    kappa = decay * (1 - reach)
    level = mean * (decay**2 - kappa**2) / (2 * kappa)
    left = -np.expm1(-kappa) / kappa
    same = mean + 2 * level * (1 - left) / kappa
    turn = np.exp(-1j * omega)
    next_days = level * left**2 * (turn / (1 - np.exp(-kappa) * turn)).real
    return (same + 2 * next_days) / (2 * np.pi)


def whittle(series: EventSeries) -> dict[str, np.ndarray]:
    """Whittle's likelihood of the daily counts of one stream (Cheysson & Lang 2022), no errors."""
    counts = np.bincount(series.times[0].astype(int), minlength=series.window.days).astype(float)
    n = len(counts)
    omega = 2 * np.pi * np.arange(1, (n - 1) // 2 + 1) / n
    periodogram = np.abs(np.fft.fft(counts - counts.mean())[1 : len(omega) + 1]) ** 2
    periodogram /= 2 * np.pi * n

    def loss(x: np.ndarray) -> float:
        reach = 1 / (1 + np.exp(-x[1]))
        density = counts_spectrum(omega, np.exp(x[0]) / (1 - reach), reach, np.exp(x[2]))
        return float((np.log(density) + periodogram / density).sum())

    rate = counts.mean()
    starts = [np.array([np.log(rate / 2), 0.0, np.log(b)]) for b in (0.1, 1.0, 5.0)]
    bounds = [(-10, 10), (-8, 8), (-8, 8)]
    found = min((minimize(loss, s, method="L-BFGS-B", bounds=bounds) for s in starts),
                key=lambda one: one.fun)  # fmt: skip
    reach, decay = 1 / (1 + np.exp(-found.x[1])), np.exp(found.x[2])
    blank = np.full(2, np.nan)
    return {
        "estimate": np.array([reach, decay]), "lower": blank, "upper": blank,
        "error": np.array(np.nan), "converged": np.array(abs(found.x[2]) < 7.99),
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
        "estimate": middle, "lower": lower, "upper": upper, "error": found[:, -1].std(),
        "converged": np.array(True),
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


def estimates(case: str, method: str, sets: int, keep: Path | None) -> list[dict[str, np.ndarray]]:
    """One entry a set, in the order of seeds; a fit that failed has no estimate."""
    path = None if keep is None else keep / f"{case} {method}.npz"
    found: list[dict[str, np.ndarray]] = []
    if path is not None and path.exists():
        with np.load(path) as stored:
            size = len(stored["converged"])
            found = [{name: stored[name][i] for name in stored} for i in range(size)]
    streams = len(CASES[case][0])
    for seed in range(len(found), sets):
        exact, floored = simulated(case, seed)
        begin = time.process_time()
        try:
            one = fitted(method, exact, floored, seed)
        except (ValueError, RuntimeError):
            blank = np.full(streams + 1, np.nan)
            one = {"estimate": blank, "lower": blank, "upper": blank,
                   "error": np.array(np.nan), "converged": np.array(False)}  # fmt: skip
        one["seconds"] = np.array(time.process_time() - begin)
        found.append(one)
        if path is not None:
            np.savez(path, **{name: np.stack([each[name] for each in found]) for name in one})
    return found[:sets]


def study(case: str, method: str, sets: int, keep: Path | None = None) -> dict[str, np.ndarray]:
    """Relative bias, coverage, spread of the log decay, failures and time of a method."""
    _, reproduction, decay, _ = CASES[case]
    truth = np.array([*np.diag(reproduction), decay])
    every = estimates(case, method, sets, keep)
    found = [one for one in every if np.isfinite(one["estimate"]).all()]
    estimate = np.stack([one["estimate"] for one in found])
    inside = np.stack([(one["lower"] <= truth) & (one["upper"] >= truth) for one in found])
    known = np.isfinite(found[0]["lower"]).all()
    # The median delay is log(2) over the decay.
    error = np.column_stack([estimate[:, :-1] / truth[:-1], truth[-1] / estimate[:, -1]]) - 1
    return {
        "sets": len(every),
        "bias": error.mean(axis=0),
        "median": np.median(error, axis=0),
        "coverage": inside.mean(axis=0) if known else np.full(len(truth), np.nan),
        "spread": np.log(estimate[:, -1]).std(),
        "error": np.sqrt(np.mean([one["error"] ** 2 for one in found])),
        "failed": sum(not bool(one["converged"]) for one in every),
        "seconds": np.mean([one["seconds"] for one in every]),
    }


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--case", choices=list(CASES), action="append")
    parser.add_argument("--method", choices=METHODS, action="append")
    parser.add_argument("--sets", type=int, default=400)
    parser.add_argument("--keep", type=Path)
    asked = parser.parse_args()
    print(
        "| case | method | sets | mean (median) relative bias: R, …, median delay | "
        "coverage of 90 % intervals: R, …, decay | sd of log decay | its standard error | "
        "failed | s a set |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for case in asked.case or list(CASES):
        for method in asked.method or METHODS:
            if method == "whittle" and case == "two streams":
                continue
            row = study(case, method, asked.sets, asked.keep)
            bias = ", ".join(
                f"{100 * b:+.1f} ({100 * m:+.1f}) %"
                for b, m in zip(row["bias"], row["median"], strict=True)
            )
            held = ", ".join("—" if np.isnan(c) else f"{100 * c:.1f} %" for c in row["coverage"])
            print(
                f"| {case} | {method} | {row['sets']} | {bias} | {held} | {row['spread']:.3f} | "
                f"{row['error']:.3f} | {row['failed']} | {row['seconds']:.2f} |",
                flush=True,
            )
