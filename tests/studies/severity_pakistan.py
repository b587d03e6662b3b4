"""Deaths in the later years of UCDP's Pakistan, foretold from the earlier ones.

``python tests/studies/severity_pakistan.py FILE`` learns the law of deaths from 2007 to 2016 and
prints the tables of the documentation: the law of each stream, exceedances of its 90 and 99 %
points by the incidents of 2017 to 2021 with exact tests (of one law of 2007 to 2016, and of a law
learned anew each month from the last year), and months of deaths foretold one month ahead, by a
count model refitted each month. ``--split 2012-01-01 --end 2017-01-01 --choose`` is the rehearsal
on which the count model and the years that the monthly law looks at were chosen: nothing was tuned
on the later years. ``--picture FILE`` draws.
"""

import argparse
from datetime import date
from pathlib import Path

import numpy as np

from escalation import read
from escalation.background import Background
from escalation.counts import EndemicEpidemic
from escalation.engines import NUTS, Laplace, MaximumLikelihood
from escalation.series import CountSeries
from escalation.severity import DeathRecords, Severity, SeverityFit, exact_test
from escalation.severity.law import survival
from escalation.streams import Stream
from escalation.study import Study
from escalation.window import Window

STUDY = Path(__file__).parents[2] / "data/pakistan/study.toml"
ALL = "all incidents in Pakistan"
ENGINE = Laplace(draws=1000)
#: Records of more days sum up many incidents (two of them 728 and 1,428 deaths of a whole year).
LONGEST = 31
#: How many past years the monthly law may look at.
YEARS = (1, 2, 3, 100)


def streams() -> tuple[list[Stream], object]:
    """The streams of the study, and all incidents together."""
    study = Study.from_toml(STUDY)
    return [Stream(ALL, directed=False), *study.streams], study.actors


def law_table(fit: SeverityFit) -> None:
    """A row a stream: what the law says."""
    print("| stream | incidents | without deaths | mean (90 %) | median | 90 % point | 99 % point |"
          " tail index (90 %) | P(infinite mean) |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for row in fit.table().iter_rows(named=True):
        print(
            f"| {row['stream']} | {row['incidents']} | {row['without']:.2f} | {row['mean']:.1f} "
            f"({row['mean lower']:.1f} to {row['mean upper']:.1f}) | {row['50 %']:.0f} | "
            f"{row['90 %']:.0f} | {row['99 %']:.0f} | {row['tail index']:.2f} "
            f"({row['index lower']:.2f} to {row['index upper']:.2f}) | {row['infinite mean']:.3f} |"
        )


def per_incident(fit: SeverityFit, later: DeathRecords) -> None:
    """Exceedances of the law's points by the later incidents, stream by stream."""
    print("\n| stream | point | deaths | incidents | expected beyond | beyond | by low to high |"
          " p (stated) | p (nominal) |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|---|")
    for k, name in enumerate(fit.records.names):
        own = later.stream == k
        size = int(own.sum())
        for share in (0.9, 0.99):
            point = fit.predictive_quantile(share)[k]
            chance = float(fit.predictive_survival(point)[k])
            beyond = {
                f: int((getattr(later, f)[own] > point).sum()) for f in ("low", "best", "high")
            }
            if not size:
                continue
            tests = [exact_test(beyond["best"], np.full(size, c)) for c in (chance, 1 - share)]
            print(
                f"| {name} | {share:.0%} | {point:.0f} | {size} | {size * chance:.1f} | "
                f"{beyond['best']} | {beyond['low']} to {beyond['high']} | {tests[0]:.3f} | "
                f"{tests[1]:.3f} |"
            )


def since(records: DeathRecords, day: date, years: int) -> DeathRecords:
    """What was known on a day, of the last so many years."""
    past = records.split(day)[0]
    begin = date(day.year - years, day.month, 1)
    return past.split(begin)[1] if begin > past.window.start else past


def each_month(records: DeathRecords, split: date, years: int, show: bool) -> float:
    """As `per_incident`, with the law learned anew each month from the last years.

    Returns the log-probability of the best figures, all streams together.
    """
    found: dict[tuple[str, float], list[tuple[float, bool]]] = {}
    months = np.arange(np.datetime64(split, "M"), np.datetime64(records.window.end, "M"))
    score = 0.0
    for month in months:
        day = month.astype("datetime64[D]").item()
        fit = Severity().fit(since(records, day, years), ENGINE)
        own = np.flatnonzero(records.days.astype("datetime64[M]") == month)
        best, stream = records.best[own].astype(float), records.stream[own]
        law = fit.law()
        both = survival(np.stack([best - 1, best])[:, None], law[:, stream], fit.threshold)
        score += float(np.log((both[0] - both[1]).mean(axis=0)).sum())
        for share in (0.9, 0.99):
            point = fit.predictive_quantile(share)
            for k, name in enumerate(records.names):
                chance = float(fit.predictive_survival(point[k])[k])
                beyond = best[stream == k] > point[k]
                found.setdefault((name, share), []).extend((chance, bool(one)) for one in beyond)
    for name, share in found if show else ():
        pairs = found[name, share]
        chances, number = np.array([c for c, _ in pairs]), sum(one for _, one in pairs)
        print(f"| {name} | {share:.0%} | {len(pairs)} | {chances.sum():.1f} | {number} | "
              f"{exact_test(number, chances):.3f} |")  # fmt: skip
    return score


def per_month(incidents: object, split: date, lags: int, horizon_years: int, recent: int) -> None:
    """Months foretold one ahead: how often deaths exceed the 90 % point."""
    every, actors = streams()
    print("\n| stream | months | expected beyond | beyond | p (stated) | p (nominal) | mean PIT |"
          " PIT share 90 |")  # fmt: skip
    print("|---|---|---|---|---|---|---|---|")
    for stream in every:
        records = DeathRecords.from_incidents(incidents, [stream], actors, LONGEST)
        series = CountSeries.from_incidents(incidents, [stream], "month", actors)
        model = EndemicEpidemic(background=Background(harmonics=0), lags=lags)
        first = int(np.searchsorted(series.edges, np.datetime64(split)))
        chances, beyond, pits = [], [], []
        deaths = records.totals(series.edges)[:, 0]
        fit = None
        for t in range(first, len(series)):
            day = series.edges[t].item()
            start = max(series.edges[0].item(), date(day.year - horizon_years, day.month, 1))
            known = series.split(day)[0]
            known = known.split(start)[1] if start > known.window.start else known
            if fit is None or recent < 100 or day.month == 1:
                past = since(records, day, recent)
                fit = Severity().fit(past if len(past) else records.split(day)[0], ENGINE)
            rng = np.random.default_rng(np.random.SeedSequence([0, t]))
            coming = model.fit(known, ENGINE).forecast(1, rng, 4000)
            told = fit.compound(coming, rng).draws[:, 0, 0]
            point = np.quantile(told, 0.9, method="inverted_cdf")
            chances.append(float((told > point).mean()))
            beyond.append(bool(deaths[t] > point))
            pits.append(((told < deaths[t]).mean(), (told <= deaths[t]).mean()))
        low, high = np.array(pits).T
        inside = np.clip(np.minimum(high, 0.95) - np.maximum(low, 0.05), 0, None)
        width = np.maximum(high - low, 1e-12)
        number, size = int(np.sum(beyond)), len(beyond)
        print(
            f"| {stream.name} | {size} | {np.sum(chances):.1f} | {number} | "
            f"{exact_test(number, np.array(chances)):.3f} | "
            f"{exact_test(number, np.full(size, 0.1)):.3f} | {((low + high) / 2).mean():.2f} | "
            f"{np.mean(inside / width):.1%} |",
            flush=True,
        )


def figures(past: DeathRecords) -> None:
    """How much the law depends on low, best and high figures, on the tail and on its threshold."""
    print("\n| figures | tail | threshold | log-likelihood | P(more than 15) | P(more than 50) |"
          " tail index (90 %) |")  # fmt: skip
    print("|---|---|---|---|---|---|---|")
    for deaths in ("interval", "low", "best", "high"):
        for tail in ("pareto", "none"):
            fit = Severity(deaths=deaths, tail=tail).fit(past, MaximumLikelihood())
            ends = fit.exceedance([15, 50])
            index = "–"
            if tail == "pareto":
                low, high = np.quantile(fit.draws["tail_index"], [0.05, 0.95])
                index = f"{float(fit.estimate['tail_index']):.2f} ({low:.2f} to {high:.2f})"
            more = " | ".join(f"{one:.4f}" for one in ends["probability"])
            print(f"| {deaths} | {tail} | {fit.threshold:.0f} | {fit.log_likelihood:.1f} | "
                  f"{more} | {index} |")  # fmt: skip
    print(Severity().thresholds(past, [5, 8, 10, 12, 15, 20, 30]))


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="UCDP's events of Pakistan, as a CSV file")
    parser.add_argument("--start", type=date.fromisoformat, default=date(2007, 1, 1))
    parser.add_argument("--split", type=date.fromisoformat, default=date(2017, 1, 1))
    parser.add_argument("--end", type=date.fromisoformat, default=date(2022, 1, 1))
    parser.add_argument("--lags", type=int, default=6)
    parser.add_argument(
        "--years", type=int, default=100, help="years that the count model looks at"
    )
    parser.add_argument("--recent", type=int, default=1, help="years that the monthly law looks at")
    parser.add_argument("--picture", type=Path)
    parser.add_argument("--choose", action="store_true", help="score the years to look at")
    parser.add_argument("--months", action="store_true", help="the months alone")
    asked = parser.parse_args()
    incidents = read(asked.file, source="ucdp", window=Window(asked.start, asked.end))
    every, actors = streams()
    records = DeathRecords.from_incidents(incidents, every, actors, LONGEST)
    if not asked.months:
        past, later = records.split(asked.split)
        print(records, records.dropped)
        fit = Severity(tails="stream").fit(past, NUTS())
        print(f"threshold {fit.threshold:.0f}, R-hat {fit.diagnostics['r_hat']:.3f}")
        law_table(fit)
        per_incident(fit, later)
        alone = DeathRecords.from_incidents(incidents, every[:1], actors, LONGEST)
        alone = alone.split(asked.split)[0]
        figures(alone)
        if asked.picture is not None:
            draw(Severity().fit(alone, NUTS()), asked.picture)
    for years in YEARS if asked.choose else ():
        score = each_month(records, asked.split, years, False)
        print(f"learned from the last {years} years: log score {score:.1f}", flush=True)
    print("\n| stream | point | incidents | expected beyond | beyond | p (stated) |")
    print("|---|---|---|---|---|---|")
    each_month(records, asked.split, asked.recent, True)
    for recent in (100, asked.recent):
        print(f"law of deaths learned from the last {recent} years")
        per_month(incidents, asked.split, asked.lags, asked.years, recent)


def draw(fit: SeverityFit, file: Path) -> None:
    """The exceedance and the quantile plot side by side."""
    from escalation import plots

    with plots.style():
        made, axes = plots.figure(3.0, 1, 2)
        plots.exceedance(axes[0, 0], fit)
        plots.deaths_quantiles(axes[0, 1], fit)
        made.savefig(file, dpi=160)


if __name__ == "__main__":
    main()
