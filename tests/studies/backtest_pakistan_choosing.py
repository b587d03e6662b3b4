"""The second default of the Pakistan backtest: chosen on many studies that end with 2009.

``python tests/studies/backtest_pakistan_choosing.py forecast FILE`` makes the members' forecasts of
nine studies cut from UCDP's events of Pakistan of 1989–2009, from origins every four weeks; ``…
choose FILE`` pools them in the ways of `CANDIDATES`, scores these and prints the tables by which
the default was chosen. Nothing later than 3 January 2010 gets past `before`. Finished forecasts and
scores stay in ``--store``, and the same command goes on after an interruption.

The rule, fixed with the list before any score was seen: the criterion is the geometric mean over
the studies of the ratio of CRPS, all streams of a study together, to the best baseline's. Of the
candidates within `NEAR` of the lowest, the one whose central 50, 80 and 90 % (each stream and
their sum) miss nominal by the least on average becomes the default.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import polars as pl

sys.path.insert(0, str(Path(__file__).parent))  # tests are no package

from backtest_pakistan import (
    BASELINES,
    BLOCKS,
    CHOSEN,
    DRAWS,
    HORIZON,
    ROOT,
    SEED,
    candidates,
    every_four_weeks,
)
from backtest_pakistan_pools import Candidate, pooled_over_time

from escalation.backtest import TimeLeft, run_backtest
from escalation.backtest.store import Store, fingerprint
from escalation.backtest.tasks import Forecaster, Task, known_at, scored
from escalation.baselines import ExponentialResampling
from escalation.ensemble import PastForecasts
from escalation.forecast import Forecast
from escalation.forecast.files import write_whole
from escalation.series import CountSeries

HISTORY = 156
"""Weeks that a fit sees: all of the four streams' past up to 2009, and cheap for longer ones."""

NEAR = 0.005


def models() -> dict[str, Forecaster]:
    """Baselines and members of the pools, in a fixed order."""
    own = candidates()
    kept = {name: own[name] for name in ("endemic-epidemic", "regimes", "latent")}
    resampled = {
        f"half-life {weeks:g}": ExponentialResampling(half_life=weeks) for weeks in (6.5, 26.0)
    }
    return BASELINES | kept | resampled


@dataclass(frozen=True)
class Cut:
    """A study cut from the file: first week, first origin, streams as conditions on events.

    The last origin is the last that leaves a horizon before `CHOSEN`, unless given.
    """

    start: date
    first: date
    streams: Mapping[str, pl.Expr]
    last: date = CHOSEN - timedelta(weeks=HORIZON)

    def series(self, events: pl.DataFrame) -> CountSeries:
        """Weekly counts by the first day of each event."""
        weeks = (self.last - self.start).days // 7 + HORIZON
        counts = np.zeros((weeks, len(self.streams)), dtype=np.int64)
        for place, condition in enumerate(self.streams.values()):
            days = (events.filter(condition)["day"] - self.start).dt.total_days().to_numpy()
            week = days // 7
            np.add.at(counts[:, place], week[(week >= 0) & (week < weeks)], 1)
        series = CountSeries.from_counts(counts, self.start, names=tuple(self.streams))
        assert series.window.end <= CHOSEN
        return series


def dyads(*names: str) -> pl.Expr:
    """Events of these dyads."""
    return pl.col("dyad_name").is_in(names)


def kind(number: int) -> pl.Expr:
    """Events of a type of violence: 1 state-based, 2 non-state, 3 one-sided."""
    return pl.col("type_of_violence") == str(number)


def province(*words: str) -> pl.Expr:
    """Events in provinces whose name begins so."""
    return pl.any_horizontal(*(pl.col("adm_1").str.starts_with(word) for word in words))


TTP = dyads("Government of Pakistan - TTP")
TRIBAL = province("Federally")
NORTH = province("Khyber")

CUTS = {
    "four streams 2007–2009": Cut(
        date(2007, 1, 1), date(2008, 1, 7), {
            "US strikes": dyads("Government of United States of America - al-Qaida"),
            "State–TTP": TTP,
            "TTP against civilians": dyads("TTP - Civilians"),
            "Afghan fighting": dyads("Government of Afghanistan - Taleban"),
        },
    ),
    "State–TTP by province 2007–2009": Cut(
        date(2007, 1, 1), date(2008, 1, 7), {
            "tribal areas": TTP & TRIBAL,
            "Khyber Pakhtunkhwa": TTP & NORTH,
            "elsewhere": TTP & ~TRIBAL & ~NORTH,
        },
    ),
    "kinds of violence 2002–2009": Cut(
        date(2002, 1, 7), date(2005, 1, 3),
        {"state-based": kind(1), "non-state": kind(2), "one-sided": kind(3)},
    ),
    "provinces 2004–2009": Cut(
        date(2004, 1, 5), date(2006, 7, 3), {
            "tribal areas": TRIBAL, "Khyber Pakhtunkhwa": NORTH,
            "Balochistan": province("Baloch"), "Sindh and Punjab": province("Sindh", "Punjab"),
        },
    ),
    "Balochistan 2004–2009": Cut(
        date(2004, 1, 5), date(2006, 7, 3), {
            "State–BLA": dyads("Government of Pakistan - BLA"),
            "State–others": dyads(
                "Government of Pakistan - BRA", "Government of Pakistan - Baloch Ittehad"
            ),
            "BLA against civilians": dyads("BLA - Civilians"),
        },
    ),
    "tribes and Lashkar-e-Islam 2007–2009": Cut(
        date(2007, 1, 1), date(2008, 6, 30), {
            "State–Lashkar-e-Islam": dyads("Government of Pakistan - Lashkar-e-Islam"),
            "Ansaar–Lashkar-e-Islam": dyads("Ansaar ul-Islam - Lashkar-e-Islam"),
            "Turi": dyads("Bangesh - Turi", "Mangal - Turi"),
            "lashkars–TTP": pl.col("dyad_name").str.starts_with("Lashkar of"),
        },
    ),
    "al-Qaida and civilians 2002–2009": Cut(
        date(2002, 1, 7), date(2005, 1, 3), {
            "al-Qaida": dyads("Government of United States of America - al-Qaida"),
            "against civilians": kind(3),
        },
    ),
    "Line of Control 1994–2003": Cut(
        date(1994, 1, 3), date(1997, 1, 6), {
            "Line of Control": dyads("Government of India - Government of Pakistan"),
            "elsewhere": ~dyads("Government of India - Government of Pakistan"),
        },
        date(2003, 10, 6),
    ),
    "Karachi 1989–1998": Cut(
        date(1989, 1, 2), date(1992, 1, 6), {
            "MQM–MQM-H": dyads("MQM - MQM-H"),
            "State–MQM": dyads("Government of Pakistan - MQM"),
            "Mohajir": pl.col("dyad_name").str.starts_with("Mohajir"),
            "against civilians": kind(3),
        },
        date(1998, 12, 7),
    ),
}  # fmt: skip
"""The studies, in the order in which they are forecast."""

FIVE = ("regimes", "latent", "endemic-epidemic", "exponential smoothing", "weighted resampling")


RLSW = ("regimes", "latent", "exponential smoothing", "weighted resampling")
RLEW = ("regimes", "latent", "endemic-epidemic", "weighted resampling")
LEW = ("latent", "endemic-epidemic", "weighted resampling")
LW = ("latent", "weighted resampling")
SCALES = ("half-life 6.5", "weighted resampling", "half-life 26")
HALF = (0.125, 0.125, 0.125, 0.125, 0.5)

CANDIDATES = {
    "first default": Candidate(RLSW),
    "first default, quantiles": Candidate(RLSW, "quantile average"),
    "first default, spread 0.9": Candidate(RLSW, spread=0.9),
    "five": Candidate(FIVE),
    "five, quantiles": Candidate(FIVE, "quantile average"),
    "five, spread 0.9": Candidate(FIVE, spread=0.9),
    "five, half resampling": Candidate(FIVE, weights=HALF),
    "five, half resampling, quantiles": Candidate(FIVE, "quantile average", HALF),
    "five, stacked by crps": Candidate(FIVE, stacked="crps"),
    "five, stacked by crps of logarithms": Candidate(FIVE, stacked="crps of logarithms"),
    "five, stacked by log score": Candidate(FIVE, stacked="log score"),
    "five, recalibrated": Candidate(FIVE, recalibrate=True),
    "five, quantiles, recalibrated": Candidate(FIVE, "quantile average", recalibrate=True),
    "regimes, latent, endemic, weighted": Candidate(RLEW),
    "regimes, latent, endemic, weighted, quantiles": Candidate(RLEW, "quantile average"),
    "latent, endemic, weighted": Candidate(LEW),
    "latent, endemic, weighted, quantiles": Candidate(LEW, "quantile average"),
    "latent, weighted": Candidate(LW),
    "latent, weighted, quantiles": Candidate(LW, "quantile average"),
    "latent, endemic, three half-lives": Candidate(
        ("latent", "endemic-epidemic", *SCALES), weights=(1 / 3, 1 / 3, 1 / 9, 1 / 9, 1 / 9)
    ),
}
"""All that was tried, written before any of it was scored."""


def before(file: Path, day: date) -> pl.DataFrame:
    """Events of UCDP's file that had ended before a day, and of others nothing."""
    names = ("dyad_name", "type_of_violence", "adm_1")
    first, last = (pl.col(f"date_{end}").str.slice(0, 10).str.to_date() for end in ("start", "end"))
    kept = (
        pl.scan_csv(file, infer_schema_length=0)
        .select(*names, day=first, end=last)
        .filter(pl.col("day") < day, pl.col("end") < day)
        .with_columns(pl.col(names).fill_null(""))
        .collect()
    )
    assert kept["end"].max() < day and kept["day"].max() < day
    return kept


def forecast(asked: argparse.Namespace) -> None:
    """Make the forecasts of all members; the scores are not looked at."""
    events = before(asked.file, CHOSEN)
    for name, cut in CUTS.items():
        if asked.only and name not in asked.only:
            continue
        print(name, file=sys.stderr)
        found = run_backtest(
            models(), cut.series(events), every_four_weeks(cut.first, cut.last), HORIZON,
            seed=SEED, draws=DRAWS, blocks=BLOCKS, window=HISTORY, store=asked.store,
            keep_draws=True, progress=TimeLeft(60),
        )  # fmt: skip
        for note in found.notes:
            print(f"{name}: {note}")


def scores_of(asked: argparse.Namespace, name: str, cut: Cut, events: pl.DataFrame) -> pl.DataFrame:
    """Scores of baselines, members and candidates in a study, from forecasts that are kept."""
    series, known = cut.series(events), models()
    origins = every_four_weeks(cut.first, cut.last)
    found = run_backtest(
        known, series, origins, HORIZON, seed=SEED, draws=DRAWS, blocks=BLOCKS, window=HISTORY,
        store=asked.store, keep_draws=True,
    )  # fmt: skip
    lost = set(found.failures["origin"])
    origins = [day for day in origins if day not in lost]
    if lost:
        print(f"{name}: a member failed on {len(lost)} origins, which are left out for all")
    store = Store(asked.store, known, {"": series}, keep_draws=True)
    names = [*FIVE, *(each for each in SCALES if each not in FIVE)]
    tables, forecasts, observed = [found.table.filter(pl.col("origin").is_in(origins))], [], []
    for day in origins:
        tasks = {each: task_of(each, list(known).index(each), day) for each in names}
        now = known_at(series, tasks[names[0]])
        forecasts.append(
            {
                each: Forecast.after(now.seen, store.draws(task), each)
                for each, task in tasks.items()
            }
        )
        observed.append(now.observed)
    past = PastForecasts(forecasts, observed)
    for place, (each, candidate) in enumerate(CANDIDATES.items()):
        key = hashlib.sha256(f"{candidate} {fingerprint(series)} {origins}".encode()).hexdigest()
        kept = asked.store / f"pooled {key[:32]}.parquet"
        if not kept.exists():
            made = pooled_over_time(candidate, past, np.random.SeedSequence([SEED, place]), DRAWS)
            rows = [
                scored(replace(task_of(each, 0, day), blocks=()), one, came)
                for day, one, came in zip(origins, made, observed, strict=True)
            ]
            write_whole(kept, pl.concat(rows).write_parquet)
        tables.append(pl.read_parquet(kept))
    return pl.concat(tables).filter(pl.col("block").is_null()).with_columns(study=pl.lit(name))


def task_of(name: str, position: int, day: date) -> Task:
    """The task under which the store keeps a forecast."""
    return Task(
        name, position, day, HORIZON, SEED, DRAWS, blocks=BLOCKS, window=HISTORY
    )  # fmt: skip


def choose(asked: argparse.Namespace) -> None:
    """Score all candidates, print the tables, and name the one that the rule takes."""
    from backtest_pakistan_choosing_tables import tables

    events = before(asked.file, CHOSEN)
    chosen = {name: cut for name, cut in CUTS.items() if not asked.only or name in asked.only}
    table = pl.concat([scores_of(asked, name, cut, events) for name, cut in chosen.items()])
    table.write_parquet(asked.store / "chosen.parquet")
    tables(table)


def main() -> None:
    """Make the forecasts, or choose."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["forecast", "choose"])
    parser.add_argument("file", type=Path, help="UCDP's events of Pakistan, as a CSV file")
    parser.add_argument("--store", type=Path, default=ROOT / "build/backtest_pakistan_choosing")
    parser.add_argument("--only", nargs="*", help="names of studies")
    asked = parser.parse_args()
    {"forecast": forecast, "choose": choose}[asked.what](asked)


if __name__ == "__main__":
    main()
