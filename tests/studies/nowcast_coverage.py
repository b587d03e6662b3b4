"""Coverage of nowcasts: hospital dates of 2011, and triangles with simulated delays.

``python tests/studies/nowcast_coverage.py --case hospital --file husO104Hosp.csv --out FOLDER``
nowcasts the last five days as of each day from 26 May to 19 June 2011; ``--case NAME --sets 60``
simulates triangles of 40 weeks and nowcasts their last five. Each writes a file of results, goes on
where it stopped, and prints a row (``--quick``: by Laplace): mass of the
non-randomised PIT in the central 50, 80 and 90 % (right: 50, 80, 90), raw coverage of the 90 %
interval and what it implies, and the mean absolute error of the median and of the naive count.
Seeds are 0, 1, 2, …; nothing is dropped.
"""

import argparse
import json
import os
import time
from datetime import date, timedelta
from pathlib import Path

# Before NumPy loads: small matrices gain nothing from threads.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from escalation.engines import NUTS, Engine, Laplace
from escalation.nowcast import Nowcast, ReportingTriangle
from escalation.scores import coverage, implied_coverage, pit_bounds, pit_share
from escalation.window import Window

ENGINE = NUTS(draws=300, tune=300, chains=2)
LAST = 5
#: Simulated: weeks, longest delay, and weeks that go on after now until everything is reported.
WEEKS, LONGEST = 40, 6
#: Simulated week in which reports begin.
BEGIN = 14
FIRST, NOWS = date(2011, 5, 26), 25
#: First reports of the outbreak; what happened before has no delay that others could have.
REPORTING = date(2011, 5, 23)
CASES = {
    "hospital": "hospital dates",
    "hospital, one law": "hospital dates, pace=False",
    "hospital, since reports came": "hospital dates from 23 May on, when reporting began",
    "hospital, since reports came, one law": "hospital dates from 23 May on, pace=False",
    "steady": "simulated, steady delays",
    "faster": "simulated, delays that halve",
    "outbreak": "simulated, an outbreak that rises and falls",
    "outbreak, late": "simulated, an outbreak of which reports come late",
    "begins": "simulated, reports begin in week 15",
    "batches": "simulated, whole weeks without reports",
    "sparse": "simulated, one incident in two weeks",
}


def hospital(file: Path) -> ReportingTriangle:
    """The triangle of all 630 cases, by day."""
    return ReportingTriangle.from_table(
        file, date(2011, 5, 1), date(2011, 9, 1), event="dHosp", report="dReport", period="day",
        longest=15,
    )  # fmt: skip


def simulated(case: str, seed: int) -> tuple[ReportingTriangle, np.ndarray]:
    """A triangle from a random walk and given delays, and the totals (T, 1) in the end.

    Totals are negative binomial with a variance 1.1 times the mean plus; delays are geometric by
    week, cut at the longest. The walk, the law of the delays and the batches are not the model's.
    """
    rng = np.random.default_rng(np.random.SeedSequence([7, seed]))
    level = np.log(0.5 if case == "sparse" else rng.uniform(4.0, 20.0))
    rate = np.exp(level + 0.6 * np.cumsum(rng.standard_t(5, WEEKS)) * 0.3)
    if case.startswith("outbreak"):
        # Its peak lies within the last fifteen weeks, or in the ten weeks to come.
        size, middle, width = rng.uniform(3, 5), rng.uniform(25, 50), rng.uniform(3, 8)
        shape = np.exp(-0.5 * ((np.arange(WEEKS) - middle) / width) ** 2)
        rate = np.exp(np.log(rng.uniform(1.0, 4.0)) + size * shape)
    rate = np.minimum(rate, 300.0)
    total = rng.poisson(rate * rng.gamma(20.0, 1 / 20.0, WEEKS))
    counts = np.zeros((WEEKS, LONGEST + 1, 1), np.int64)
    shut = rng.random(2 * WEEKS) < 0.15
    for t in range(WEEKS):
        start = {"faster": 0.2 + 0.4 * t / WEEKS, "outbreak, late": 0.1}.get(case, 0.3)
        law = start * (1 - start) ** np.arange(LONGEST + 1)
        delay = rng.choice(LONGEST + 1, total[t], p=law / law.sum())
        if case == "batches":
            while True:
                late = shut[t + delay] & (delay < LONGEST)
                if not late.any():
                    break
                delay = delay + late
        if case == "begins":
            # Nothing is reported before; what is more than the longest delay old is never counted.
            delay = np.maximum(delay, BEGIN - t)
            delay = delay[delay <= LONGEST]
        counts[t, :, 0] = np.bincount(delay, minlength=LONGEST + 1)
    edges = np.datetime64("2020-01-06") + 7 * np.arange(WEEKS + 1)
    window = Window(edges[0].item(), edges[-1].item())
    return ReportingTriangle(counts, edges, ("a",), window), total[:, None]


def one(
    case: str, index: int, file: Path | None, quick: bool, settings: dict[str, bool]
) -> dict[str, object]:
    """Draws against the truth, of one day or set."""
    if case.startswith("hospital"):
        if file is None:
            raise SystemExit("the hospital dates want --file")
        whole = hospital(file)
        triangle = whole.as_of(FIRST + timedelta(days=index))
        truth = whole.totals[: len(triangle)]
        if case.startswith("hospital, since reports came"):
            triangle = triangle.latest((triangle.window.end - REPORTING).days)
            triangle = triangle if len(triangle) >= LAST else whole.as_of(triangle.window.end)
    else:
        triangle, truth = simulated(case, index)
    model = Nowcast(pace=not case.endswith("one law"), **settings)
    engine: Engine = Laplace() if quick else ENGINE
    rng = np.random.default_rng(np.random.SeedSequence([0, index]))
    begin = time.process_time()
    fit = model.fit(triangle, engine, rng)
    spent = time.process_time() - begin
    drawn, wanted = fit.totals(rng, 3000)[:, -LAST:, 0], truth[-LAST:, 0].astype(float)
    ends = np.quantile(drawn, [0.05, 0.95], axis=0, method="inverted_cdf")
    low, high = pit_bounds(drawn, wanted)
    return {
        "truth": wanted.tolist(),
        "naive": triangle.reported[-LAST:, 0].tolist(),
        "median": np.quantile(drawn, 0.5, axis=0, method="inverted_cdf").tolist(),
        "pit": [low.tolist(), high.tolist()],
        "held": coverage(*ends, wanted).tolist(),
        "implied": implied_coverage(drawn, *ends).tolist(),
        "pareto_shape": fit.diagnostics.get("pareto_shape", 0.0),
        "converged": fit.diagnostics.get("converged", True),
        "r_hat": fit.diagnostics.get("r_hat", 1.0),
        "divergences": fit.diagnostics.get("divergences", 0),
        "seconds": spent,
    }


def row(case: str, found: list[dict[str, object]]) -> str:
    """A row of the documentation's table."""

    def every(key: str) -> np.ndarray:
        return np.array([item[key] for item in found], float)

    low, high = np.moveaxis(every("pit"), 1, 0)
    shares = [pit_share(low, high, level) for level in (0.5, 0.8, 0.9)]
    error = shares[2].mean(axis=1).std() / np.sqrt(len(found))
    masses = " | ".join(f"{share.mean():.1%}" for share in shares)
    truth = every("truth")
    warned = int(((every("r_hat") > 1.01) | (every("converged") < 1)).sum())
    doubtful = (every("divergences") > 0) | (every("pareto_shape") > 0.7)
    return (
        f"| {CASES[case]} | {len(found)} | {masses} (± {error:.1%}) | {every('held').mean():.1%} | "
        f"{every('implied').mean():.1%} | {truth.mean():.1f} | "
        f"{np.abs(every('median') - truth).mean():.1f} | "
        f"{np.abs(every('naive') - truth).mean():.1f} | "
        f"{np.mean(every('naive') >= truth):.0%} | {warned}, "
        f"{int(doubtful.sum())} | {every('seconds').mean():.0f} |"
    )


def main() -> None:
    """Print a row for each case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--case", choices=list(CASES), action="append")
    parser.add_argument("--sets", type=int, default=60)
    parser.add_argument("--file", type=Path, help="husO104Hosp.csv")
    parser.add_argument("--out", type=Path, default=Path("build/nowcast"))
    parser.add_argument("--quick", action="store_true", help="Laplace instead of NUTS")
    parser.add_argument("--momentum", action="store_true", help="moves take after those before")
    parser.add_argument("--picture", type=Path, help="draw the hospital dates as of 6 June")
    parser.add_argument("--weekday", action="store_true", help="effects of the day of report")
    asked = parser.parse_args()
    settings = {"momentum": asked.momentum, "weekday": asked.weekday}
    asked.out.mkdir(parents=True, exist_ok=True)
    if asked.picture is not None:
        draw(hospital(asked.file), asked.picture)
        return
    print("| data | nowcasts | PIT 50 | PIT 80 | PIT 90 | held 90 | implied | mean count |"
          " error of the median | of the naive count | naive complete | not converged, doubtful |"
          " s a fit |")  # fmt: skip
    print("|" + "---|" * 13)
    for case in asked.case or CASES:
        name = case.replace(" ", "_") + "".join(f"_{key}" for key, on in settings.items() if on)
        name += "_quick" * asked.quick
        store = asked.out / f"{name}.jsonl"
        lines = store.read_text("utf-8").splitlines() if store.exists() else []
        found = [json.loads(line) for line in lines]
        for index in range(len(found), NOWS if case.startswith("hospital") else asked.sets):
            found.append(one(case, index, asked.file, asked.quick, settings))
            with store.open("a", encoding="utf-8") as out:
                out.write(json.dumps(found[-1]) + "\n")
        print(row(case, found), flush=True)


def draw(whole: ReportingTriangle, file: Path) -> None:
    """Nowcasts as of 6 June 2011, from 1 May on and from when reports began to come."""
    from escalation import plots

    now = date(2011, 6, 6)
    known = whole.as_of(now)
    with plots.style():
        made, axes = plots.figure(2.6, 1, 2, sharey=True)
        for ax, begin in zip(axes[0], (whole.window.start, REPORTING), strict=True):
            fit = Nowcast().fit(known.latest((now - begin).days), Laplace())
            truth = whole.totals[: len(known)][-len(fit.triangle) :]
            plots.nowcast(ax, fit, last=28, truth=truth, ticks=3)
            ax.set_title(f"triangle from {begin:%-d %B} on")
            ax.set_ylim(0, 150)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        for ax in axes[0]:
            ax.get_legend().remove()
        made.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
        axes[0, 1].set_ylabel("")
        made.savefig(file, dpi=160)


if __name__ == "__main__":
    main()
