"""How long the search for near-duplicate names takes: python tests/benchmarks/bench_names.py."""

import csv
from pathlib import Path
from time import process_time

import numpy as np

from escalation import near_duplicates

SHARED = Path(__file__).parents[3] / "shared" / "data"


def column_values(path: Path, columns: tuple[str, str], separator: str = ",") -> list[str]:
    """The names in two columns of a file, each once."""
    with path.open(newline="", encoding="utf-8") as file:
        quoting = csv.QUOTE_NONE if separator == "\t" else csv.QUOTE_MINIMAL
        rows = csv.DictReader(file, delimiter=separator, quoting=quoting)
        return sorted({row[name] for row in rows for name in columns})


def invented(count: int) -> list[str]:
    """Names of three words of random letters."""
    letters = np.random.default_rng(5).integers(97, 123, (count, 24), dtype=np.uint8)
    letters[:, [7, 15]] = 32
    return [bytes(row).decode().title() for row in letters]


def main() -> None:
    """Print names, pairs, pairs listed and CPU seconds."""
    near_duplicates(["Taliban", "Taleban"])  # imports
    ucdp = ("ucdp_ged_pakistan_1989_2021.csv", "samples/ucdp_candidate_23_0_10.csv")
    sets = {
        "UCDP": sorted({n for f in ucdp for n in column_values(SHARED / f, ("side_a", "side_b"))}),
        "ICEWS": column_values(
            SHARED / "samples" / "icews_2018_sample.tab", ("Source Name", "Target Name"), "\t"
        ),
        "invented": invented(3_000),
        "invented, more": invented(20_000),
    }
    for label, names in sets.items():
        start = process_time()
        found = near_duplicates(names)
        used = process_time() - start
        pairs = len(names) * (len(names) - 1) // 2
        print(f"{label}: {len(names):,} names, {pairs:,} pairs, {len(found)} listed, {used:.2f} s")


if __name__ == "__main__":
    main()
