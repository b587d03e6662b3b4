"""How well known duplicates of two simulated sources are recovered, and how fast.

``python tests/studies/merging_recovery.py [--size 140000]``: incidents of ten years, each source
having 70 % of them with errors of its own: a day too early or late 2 in 9, 5 km (sd, each way) from
the place, another actor 1 in 20, another class 1 in 10. Spread evenly over an area like Pakistan,
and in forty towns. Prints precision and recall by the lowest score that is accepted, of any lead
over other pairs and of 0.1 or more, and CPU time.
"""

import argparse
import resource
import time
from datetime import date

import numpy as np
import polars as pl

from escalation import Incidents, Matching, Window, merge, read
from escalation.window import FloatArray

WINDOW = Window(date(2010, 1, 1), date(2021, 1, 1))
KINDS = np.array(["armed clash", "bombing", "abduction", "protest"])
SHARE, TOWNS = 0.7, 40


def world(size: int, rng: np.random.Generator, towns: bool) -> dict[str, FloatArray]:
    """Incidents as they were."""
    places = rng.uniform([60, 24], [77, 37], (TOWNS if towns else size, 2))
    weights = rng.dirichlet(np.ones(TOWNS)) if towns else None
    where = places[rng.choice(len(places), size, p=weights)] if towns else places
    return {
        "day": rng.integers(0, 3650, size),
        "longitude": where[:, 0],
        "latitude": where[:, 1],
        "source": rng.integers(0, 5, size),
        "target": rng.integers(5, 10, size),
        "kind": rng.integers(0, 4, size),
    }


def recorded(truth: dict[str, FloatArray], rng: np.random.Generator) -> Incidents:
    """What one source has of them."""
    taken = np.flatnonzero(rng.random(len(truth["day"])) < SHARE)
    size = len(taken)
    day = truth["day"][taken] + rng.choice([-1, 0, 0, 0, 0, 0, 0, 0, 1], size)
    actor, kind = rng.random(size) < 0.05, rng.random(size) < 0.1
    source = np.where(actor, rng.integers(0, 5, size), truth["source"][taken])
    table = pl.DataFrame({
        "id": taken.astype(str),
        "date": np.datetime64("2010-01-05") + day,
        "source": [f"S{one}" for one in source],
        "target": [f"T{one}" for one in truth["target"][taken]],
        "longitude": truth["longitude"][taken] + rng.normal(0, 0.05, size),
        "latitude": truth["latitude"][taken] + rng.normal(0, 0.045, size),
        "incident_class": KINDS[np.where(kind, rng.integers(0, 4, size), truth["kind"][taken])],
        "deaths_best": rng.poisson(3, size),
    })  # fmt: skip
    return read(table, WINDOW)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=140_000)
    size = parser.parse_args().size
    pl.Config.set_tbl_rows(20)
    for towns in (False, True):
        rng = np.random.default_rng(1)
        truth = world(size, rng, towns)
        first, second = (recorded(truth, rng) for _ in range(2))
        start = time.process_time()
        matches = Matching(days=1, kilometres=25).match(first, second)
        matched = time.process_time()
        merged = merge(first, second, matches.accept(at_least=0.6), names=("A", "B"))
        end = time.process_time()
        both = len(set(first.table["id"]) & set(second.table["id"]))
        right = pl.col("id first") == pl.col("id second")
        best = matches.table.filter("best")
        rows = []
        for lead in (-1.0, 0.1):
            for at_least in (0.0, 0.5, 0.6, 0.7, 0.8, 0.9):
                taken = best.filter((pl.col("score") >= at_least) & (pl.col("lead") >= lead))
                true = int(taken.select(right.sum()).item())
                rows.append((lead, at_least, len(taken), true / len(taken), true / both))
        names = ["lead", "at least", "accepted", "precision", "recall"]
        table = pl.DataFrame(rows, names, orient="row")
        memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        print("in forty towns" if towns else "spread evenly", matches, merged, sep="\n")
        print(f"matched in {matched - start:.2f} s of CPU, merged in {end - matched:.2f} s, "
              f"{memory:.2f} GB at most", table, sep="\n")  # fmt: skip


if __name__ == "__main__":
    main()
