"""A small simulated study for tests, run once a session where results are needed."""

from datetime import date
from pathlib import Path

END = date(2022, 1, 3)
SMALL = """
title = "A small simulated study"
seed = 7
[data]
path = "incidents.csv"
start = 2018-01-01
end = 2022-01-03
simulated = true
gaps = [[2019-03-04, 2019-03-18]]
[[streams]]
name = "attacks"
source = ["Southland"]
target = ["Northland"]
classes = ["attack"]
[[streams]]
name = "strikes"
source = ["Northland"]
target = ["Southland"]
classes = ["strike"]
[actors."Northland"]
home = "Northland"
[model]
lags = 4
engine = "maximum likelihood"
draws = 200
[forecast]
horizon = 4
draws = 300
[backtest]
start = 2020-12-28
every = 12
horizon = 4
draws = 100
[[eras]]
name = "Truce"
start = 2020-01-06
[truth]
reproduction = [[0.4, 0.2], [0.3, 0.2]]
level = [0.0, 0.0]
season = [[0.2, 0.0], [0.0, 0.2]]
decay = 1.0
dispersion = [0.2, 0.2]
imprecise = 0.1
"""


ASKED = """
[severity]
memory = 700
at_least = [5, 50]
draws = 200
[nowcast]
report = "reported"
periods = 40
longest = 5
pace = false
draws = 200
complete = true
fits = 2
"""


def late_study(folder: Path) -> Path:
    """Write the same study asking for deaths and the last periods; give its path.

    Incidents are reported some days late; those that the end does not know of are in
    ``all.csv`` alone.
    """
    import numpy as np
    import polars as pl

    file = small_study(folder)
    file.write_text(SMALL + ASKED, encoding="utf-8")
    table = pl.read_csv(folder / "incidents.csv", try_parse_dates=True)
    delay = pl.Series(np.random.default_rng(0).geometric(0.08, table.height) - 1)
    table = table.with_columns(reported=pl.col("date") + pl.duration(days=delay))
    table.write_csv(folder / "all.csv")
    table.filter(pl.col("reported") < END).write_csv(folder / "incidents.csv")
    return file


def small_study(folder: Path) -> Path:
    """Write the study and the incidents drawn from its truth; give the study's path."""
    from escalation.run import simulate
    from escalation.study import Study

    file = folder / "study.toml"
    file.write_text(SMALL, encoding="utf-8")
    simulate(Study.from_toml(file)).write_csv(folder / "incidents.csv")
    return file
