"""Reading of files of incidents, beside pandas and DuckDB: time, memory, and the same counts.

``python tests/benchmarks/bench_sources.py --rows 1000000`` writes made-up GDELT 2.0 files and a
UCDP GED file of global size into a temporary folder, and runs each program as a process of its
own. DuckDB is no dependency of the project: ``--duckdb-python`` names an interpreter that has it.
"""

from __future__ import annotations

import argparse
import json
import re
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

START, END = date(2019, 1, 7), date(2022, 1, 3)
ROWS_A_FILE = 1_000_000
SAMPLE = Path(__file__).parents[3] / "shared/data"
GED_ROWS = 350_000

STREAMS: dict[str, dict[str, tuple[str, ...]]] = {
    "all": {},
    "by Pakistan's forces": {"source": ("PAKMIL", "PAKGOV", "PAK")},
    "on Pakistan's forces": {"target": ("PAKMIL", "PAKGOV", "PAK")},
    "rebels": {"source": ("AFGREB", "PAKREB", "REB")},
    "in Afghanistan": {"countries": ("Afghanistan",)},
    "force in Pakistan": {"countries": ("Pakistan",), "codes": ("190", "193", "194", "195")},
    "protest": {"codes": ("140", "141", "143", "145")},
    "India on Pakistan": {"source": ("IND", "INDMIL", "INDGOV"), "target": ("PAK", "PAKMIL")},
}
"""Eight streams, in words that each program can follow."""

FIPS = {"Afghanistan": "AF", "Pakistan": "PK"}
FIELDS = {
    "id": 0, "day": 1, "source": 5, "target": 15, "code": 26, "country": 53, "latitude": 56,
    "longitude": 57, "added": 59,
}  # fmt: skip
"""Where the columns stand that the counts need."""


def make_gdelt(folder: Path, rows: int) -> int:
    """Write rows in the shape of the sample; give their bytes."""
    import numpy as np
    import polars as pl

    from escalation.actors import names_by
    from escalation.codes import CAMEO
    from escalation.sources.gdelt import HEADS

    rng = np.random.default_rng(20)
    sample = pl.read_csv(
        SAMPLE / "samples/gdelt2_export.tsv", separator="\t", has_header=False,
        new_columns=HEADS[0], infer_schema=False, quote_char=None,
    )  # fmt: skip
    roles = ["", "GOV", "MIL", "REB", "COP", "CVL", "OPP", "MED", "BUS", "JUD", "EDU", "LEG"]
    states = ["PAK", "AFG", "IND", "USA", "", *sorted(names_by("cameo"))[:150]]
    actors = np.array([(state + role).upper() for state in states for role in roles])
    codes, lands = np.array(list(CAMEO.codes)), np.array(["PK", "AF", *sorted(names_by("fips"))])
    words = ("Mill", "Ford", "Upper Village", "Old Town of the Two Rivers")
    places = np.array([f"{word} {n}, Province {n % 40}" for n in range(500) for word in words])

    def drawn(values: Any, number: int) -> Any:
        """Some values often, most seldom."""
        at = (len(values) * rng.random(number) ** 4).astype(int)
        return values[at]

    size = 0
    for start in range(0, rows, ROWS_A_FILE):
        number = min(ROWS_A_FILE, rows - start)
        ids = 900_000_000 + start + np.arange(number)
        again = rng.random(number) < 0.001
        ids[again] -= rng.integers(0, min(ROWS_A_FILE, start + 1) + 1, number)[again]
        ids = np.maximum(ids, 900_000_000)
        told = START + timedelta(0)
        days = np.datetime64(told) + ((start + np.arange(number)) * (END - START).days // rows)
        stamps = np.char.replace(np.datetime_as_string(days, "D"), "-", "")
        land = drawn(lands, number)
        wide = sample[rng.integers(0, len(sample), number)]
        made = {
            "GlobalEventID": ids.astype(str),
            "SQLDATE": np.where(rng.random(number) < 1e-5, "20201399", stamps),
            "Actor1Code": np.where(rng.random(number) < 0.1, "", drawn(actors, number)),
            "Actor2Code": np.where(rng.random(number) < 0.25, "", drawn(actors, number)),
            "EventCode": drawn(codes, number),
            "ActionGeo_FullName": drawn(places, number),
            "ActionGeo_CountryCode": land,
            "ActionGeo_ADM1Code": np.char.add(land, "03"),
            "ActionGeo_Type": np.full(number, "4"),
            "ActionGeo_Lat": np.where(
                rng.random(number) < 1e-5, "95.5", np.round(rng.uniform(-60, 70, number), 4)
            ),
            "ActionGeo_Long": np.round(rng.uniform(-180, 180, number), 4).astype(str),
            "DATEADDED": np.char.add(stamps, "121500"),
        }
        table = wide.with_columns(pl.Series(name, values) for name, values in made.items())
        path = folder / f"{start // ROWS_A_FILE:03d}.export.CSV"
        table.write_csv(path, separator="\t", include_header=False, quote_style="never")
        with path.open("a") as file:
            file.write("\t".join(["cut", "20200101"]) + "\n")
        size += path.stat().st_size
    return size


def make_ged(folder: Path) -> None:
    """Write the events of one country again and again, with ids of their own."""
    import polars as pl

    events = pl.read_csv(SAMPLE / "ucdp_ged_pakistan_1989_2021.csv", infer_schema=False)
    many = pl.concat([events] * (GED_ROWS // len(events) + 1)).head(GED_ROWS)
    ids = pl.int_range(1, GED_ROWS + 1, eager=True).cast(pl.String).alias("id")
    many.with_columns(ids).write_csv(folder / "ged.csv")


def ours(folder: Path) -> dict[str, Any]:
    """Count with this package."""
    from escalation.streams import Stream
    from escalation.tally import count_streams
    from escalation.window import Window

    streams = [Stream(name, **filters) for name, filters in STREAMS.items()]
    tally = count_streams(folder / "*.CSV", Window(START, END), streams, "week")
    return {"counts": tally.series.counts.tolist(), "told": str(tally.provenance)}


def ours_whole(folder: Path) -> dict[str, Any]:
    """Read whole with this package, then count."""
    from escalation.series import CountSeries
    from escalation.sources import read
    from escalation.streams import Stream
    from escalation.window import Window

    streams = [Stream(name, **filters) for name, filters in STREAMS.items()]
    incidents = read(folder / "*.CSV", Window(START, END), "gdelt")
    series = CountSeries.from_incidents(incidents, streams, "week")
    return {"counts": series.counts.tolist(), "told": str(incidents.provenance)}


def with_pandas(folder: Path) -> dict[str, Any]:
    """Count with pandas, in chunks of the columns that are needed."""
    import numpy as np
    import pandas as pd

    kept = []
    for path in sorted(folder.glob("*.CSV")):
        chunks = pd.read_csv(
            path, sep="\t", header=None, usecols=list(FIELDS.values()), names=range(61),
            dtype=str, quoting=3, chunksize=200_000, on_bad_lines="skip",
        )  # fmt: skip
        for chunk in chunks:
            rows = chunk.rename(columns={at: name for name, at in FIELDS.items()})
            day = pd.to_datetime(rows["day"], format="%Y%m%d", errors="coerce")
            latitude = pd.to_numeric(rows["latitude"], errors="coerce")
            longitude = pd.to_numeric(rows["longitude"], errors="coerce")
            good = day.notna() & rows["added"].notna()
            good &= ~((latitude.abs() > 90) | (longitude.abs() > 180))
            good &= (day >= pd.Timestamp(START)) & (day < pd.Timestamp(END))
            bits = np.zeros(len(rows), dtype=np.uint8)
            for at, filters in enumerate(STREAMS.values()):
                chosen = np.ones(len(rows), dtype=bool)
                for column, values in _columns(filters).items():
                    chosen &= rows[column].isin(values).to_numpy()
                bits |= (chosen << at).astype(np.uint8)
            week = (day - pd.Timestamp(START)).dt.days // 7
            number = pd.to_numeric(rows["id"], errors="coerce")
            kept.append(
                pd.DataFrame({"id": number, "week": week, "bits": bits, "good": good})
                .dropna().astype({"id": "int64", "week": "int32"})
            )  # fmt: skip
    rows = pd.concat(kept).drop_duplicates("id")
    rows = rows[rows["good"]]
    weeks = (END - START).days // 7
    counts = np.stack(
        [
            np.bincount(rows["week"][(rows["bits"] & (1 << at)) > 0], minlength=weeks)
            for at in range(len(STREAMS))
        ],
        axis=1,
    )
    return {"counts": counts.tolist()}


def with_duckdb(folder: Path) -> dict[str, Any]:
    """Count with DuckDB, in one query."""
    import duckdb

    columns = ", ".join(f"'c{at:02d}': 'VARCHAR'" for at in range(61))
    named = ", ".join(f"c{at:02d} AS {name}" for name, at in FIELDS.items())
    filters = []
    for each in STREAMS.values():
        parts = ["true"]
        for column, values in _columns(each).items():
            words = ", ".join(f"'{value}'" for value in values)
            parts.append(f"coalesce({column} IN ({words}), false)")
        filters.append(" AND ".join(parts))
    chosen = ", ".join(f"{words} AS s{at}" for at, words in enumerate(filters))
    sums = ", ".join(f"count_if(s{at})" for at in range(len(filters)))
    duckdb.sql("SET threads = 2")
    query = f"""
        WITH rows AS (SELECT row_number() OVER () AS n, {named}
            FROM read_csv('{folder}/*.CSV', delim='\\t', header=false, quote='',
                escape='', columns={{{columns}}}, null_padding=true, auto_detect=false)),
        first AS (SELECT id, min(n) AS n FROM rows WHERE added IS NOT NULL GROUP BY id),
        kept AS (SELECT date_diff('day', DATE '{START}',
                    try_strptime(day, '%Y%m%d')::DATE) // 7 AS week, {chosen}
            FROM rows SEMI JOIN first USING (id, n)
            WHERE try_strptime(day, '%Y%m%d') >= DATE '{START}'
                AND try_strptime(day, '%Y%m%d') < DATE '{END}'
                AND NOT coalesce(abs(try_cast(latitude AS DOUBLE)) > 90, false)
                AND NOT coalesce(abs(try_cast(longitude AS DOUBLE)) > 180, false))
        SELECT week, {sums} FROM kept GROUP BY week ORDER BY week"""
    found = {row[0]: list(row[1:]) for row in duckdb.sql(query).fetchall()}
    nothing = [0] * len(filters)
    return {"counts": [found.get(week, nothing) for week in range((END - START).days // 7)]}


def _columns(filters: dict[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
    """Filters by the column of the file and its own codes."""
    words = {"source": "source", "target": "target", "codes": "code"}
    found = {words[each]: values for each, values in filters.items() if each in words}
    if "countries" in filters:
        found["country"] = tuple(FIPS[name] for name in filters["countries"])
    return found


def ged(folder: Path) -> dict[str, Any]:
    """Read a UCDP GED file of global size with this package."""
    from escalation.sources import read
    from escalation.window import Window

    incidents = read(folder / "ged.csv", Window(date(1989, 1, 1), date(2022, 1, 1)), "ucdp")
    deaths = int(incidents.table["deaths_best"].sum())
    return {"counts": [len(incidents), deaths], "told": str(incidents.provenance)}


def ged_pandas(folder: Path) -> dict[str, Any]:
    """Read it with pandas: its dates parsed, nothing checked."""
    import pandas as pd

    rows = pd.read_csv(folder / "ged.csv", parse_dates=["date_start", "date_end"])
    return {"counts": [len(rows), int(rows["best"].sum())]}


def ged_duckdb(folder: Path) -> dict[str, Any]:
    """Read it with DuckDB into a table in memory."""
    import duckdb

    duckdb.sql("SET threads = 2")
    duckdb.sql(f"CREATE TABLE ged AS SELECT * FROM read_csv('{folder}/ged.csv')")
    found = duckdb.sql("SELECT count(*), sum(best) FROM ged").fetchall()
    return {"counts": [int(each) for each in found[0]]}


TASKS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "escalation, streaming": ours,
    "escalation, whole": ours_whole,
    "pandas, chunks": with_pandas,
    "DuckDB": with_duckdb,
    "GED: escalation": ged,
    "GED: pandas": ged_pandas,
    "GED: DuckDB": ged_duckdb,
}


def run_one(task: str, folder: Path) -> None:
    """Run a task in this process, print what it took as JSON."""
    start = time.perf_counter()
    found = TASKS[task](folder)
    wall = time.perf_counter() - start
    used = resource.getrusage(resource.RUSAGE_SELF)
    peak = int(re.findall(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())[0]) / 1024
    found |= {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak": peak}
    print(json.dumps(found))


def main() -> None:
    """Make the files, run each program, print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the files lie, or are put and kept")
    parser.add_argument("--duckdb-python", default=sys.executable)
    parser.add_argument("--only", nargs="*", default=list(TASKS), choices=list(TASKS))
    parser.add_argument("--run", choices=list(TASKS), help=argparse.SUPPRESS)
    chosen = parser.parse_args()
    if chosen.run:
        run_one(chosen.run, chosen.folder)
        return
    with tempfile.TemporaryDirectory() as made:
        folder = chosen.folder or Path(made)
        folder.mkdir(parents=True, exist_ok=True)
        if not any(folder.glob("*.CSV")):
            size = make_gdelt(folder, chosen.rows)
            make_ged(folder)
            print(f"{chosen.rows:,} rows of GDELT 2.0, {size / 1e9:.2f} GB; {GED_ROWS:,} of GED")
        compare(folder, chosen.only, chosen.duckdb_python)


def compare(folder: Path, tasks: list[str], duckdb_python: str) -> None:
    """Run each task as a process, print a line for each."""
    print(f"{'':24s}{'wall s':>8s}{'CPU s':>8s}{'peak MB':>9s}  same counts")
    first: dict[bool, Any] = {}
    for task in tasks:
        python = duckdb_python if "DuckDB" in task else sys.executable
        command = [python, __file__, "--run", task, "--folder", str(folder)]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            print(f"{task:24s}{done.stderr.strip().splitlines()[-1][:60]}")
            continue
        found = json.loads(done.stdout.splitlines()[-1])
        expected = first.setdefault(task.startswith("GED"), found["counts"])
        same = "yes" if found["counts"] == expected else "NO"
        print(
            f"{task:24s}{found['wall']:8.1f}{found['cpu']:8.1f}{found['peak']:9.0f}  {same}"
            f"  {found.get('told', '')}"
        )


if __name__ == "__main__":
    main()
